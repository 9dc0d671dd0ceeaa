"""The spatial structure of a model: project, sites, buildings, storeys, and who is in which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ifcbase.ifc.products import unit_scale
from ifcbase.ifc.text import clean

if TYPE_CHECKING:
    import ifcopenshell

#: No sane model nests things deeper.
DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Place:
    """A spatial element; ``parent`` indexes the same list, -1 at the top.

    ``elevation`` is the storey's height in metres of the world, None for other places.
    """

    global_id: str
    ifc_class: str
    name: str | None
    parent: int
    elevation: float | None


@dataclass(frozen=True, slots=True)
class Structure:
    """Places, parents before children, siblings by height, name and GlobalId."""

    places: tuple[Place, ...]
    place_of: dict[int, int]  # step id of an element: index of the place it is in

    def storeys(self) -> list[int]:
        """Indexes of storeys, lowest first."""
        found = [i for i, place in enumerate(self.places) if place.elevation is not None]
        return sorted(found, key=lambda i: (self.places[i].elevation, i))


def read_structure(file: ifcopenshell.file, step_ids: Iterable[int]) -> Structure:
    """The places of a model and, for each of the elements, the nearest place it is in."""
    above = _parents(file)
    spatial = _spatial(file)
    scale = unit_scale(file)
    children: dict[int, list[int]] = {}
    for step_id in spatial:
        children.setdefault(_nearest(above, spatial, above.get(step_id)), []).append(step_id)
    places: list[Place] = []
    index: dict[int, int] = {}
    heights = {s: _elevation(e, scale) for s, e in spatial.items()}

    def order(step_id: int) -> tuple[float, str, str]:
        entity = spatial[step_id]
        return (heights[step_id] or 0.0, entity.Name or "", entity.GlobalId or "")

    waiting = [(step_id, -1) for step_id in sorted(children.get(0, ()), key=order, reverse=True)]
    while waiting:
        step_id, parent = waiting.pop()
        entity = spatial[step_id]
        index[step_id] = len(places)
        places.append(
            Place(
                clean(entity.GlobalId or ""),
                entity.is_a(),
                None if entity.Name is None else clean(entity.Name),
                parent,
                heights[step_id],
            )
        )
        below = sorted(children.get(step_id, ()), key=order, reverse=True)
        waiting += [(child, index[step_id]) for child in below]
    place_of = {}
    for step_id in step_ids:
        nearest = _nearest(above, spatial, above.get(step_id))
        if nearest in index:
            place_of[step_id] = index[nearest]
    return Structure(tuple(places), place_of)


def _spatial(file: ifcopenshell.file) -> dict[int, Any]:
    """Everything that contains others; spaces are left out, for elements are seen by storey."""
    name = "IfcSpatialStructureElement" if file.schema == "IFC2X3" else "IfcSpatialElement"
    found = {e.id(): e for e in file.by_type(name) if not e.is_a("IfcSpace")}
    return {e.id(): e for e in file.by_type("IfcProject")} | found


def _parents(file: ifcopenshell.file) -> dict[int, int]:
    above: dict[int, int] = {}
    # Containment first: an element says where it is more directly than its whole does.
    for relation, whole, parts in (
        ("IfcRelContainedInSpatialStructure", "RelatingStructure", "RelatedElements"),
        ("IfcRelAggregates", "RelatingObject", "RelatedObjects"),
        ("IfcRelNests", "RelatingObject", "RelatedObjects"),
        ("IfcRelFillsElement", "RelatingOpeningElement", "RelatedBuildingElement"),
        ("IfcRelVoidsElement", "RelatingBuildingElement", "RelatedOpeningElement"),
    ):
        for each in file.by_type(relation):
            top, below = getattr(each, whole), getattr(each, parts)
            if top is None or below is None:
                continue
            for part in below if isinstance(below, tuple) else (below,):
                above.setdefault(part.id(), top.id())
    return above


def _nearest(above: dict[int, int], spatial: dict[int, Any], at: int | None) -> int:
    """The step id of the nearest place on the way up, 0 if there is none."""
    for _ in range(DEEPEST):  # relations of a broken model can form a circle
        if at is None:
            return 0
        if at in spatial:
            return at
        at = above.get(at)
    return 0


def _elevation(entity: Any, scale: float) -> float | None:
    """The height of a storey in metres: of its placement, which is what shapes follow."""
    if not entity.is_a("IfcBuildingStorey"):
        return None
    import ifcopenshell.util.placement

    if entity.ObjectPlacement is not None:
        matrix = ifcopenshell.util.placement.get_local_placement(entity.ObjectPlacement)
        height = float(matrix[2][3]) * scale
    else:
        height = float(entity.Elevation or 0.0) * scale
    return round(height, 6) + 0.0 if np.isfinite(height) else None
