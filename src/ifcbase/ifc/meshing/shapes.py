"""What a file says an element's shape is: a solid, a surface or no body at all; and its extents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ifcbase.ifc.meshing.mesher import Source

#: Solids by definition of the schema; subclasses count.
SOLIDS = (
    "IfcSolidModel",  # extrusions, revolutions, swept disks, breps, CSG
    "IfcBooleanResult",
    "IfcCsgPrimitive3D",
)
#: Items that no mesh can be made of.
FLAT = (
    "IfcCurve",
    "IfcPoint",
    "IfcBoundingBox",
    "IfcAnnotationFillArea",
    "IfcTextLiteral",
    "IfcLightSource",
    "IfcPlanarExtent",
    "IfcDirection",
    "IfcVector",
    "IfcPlacement",
    "IfcSegment",
    "IfcHalfSpaceSolid",
)
FLAT_IDENTIFIERS = frozenset({"annotation", "axis", "box", "cog", "footprint", "lighting", "plan"})


@dataclass(frozen=True, slots=True)
class Shape:
    """What an element's representations are made of."""

    body: bool  # something a mesh can be made of
    solid: bool  # all of it is solid by definition, so that its mesh must be closed
    booleans: bool  # clipped or combined


class ShapeReader:
    """Reads shapes of one model; representations shared by elements are read once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[int, Shape] = {}

    def read(self, step_id: int) -> Shape:
        """The shape of an element; of several representations the bodies count."""
        product = self._source.model.by_id(step_id)
        definition = product.Representation
        parts = [] if definition is None else [self._of(r) for r in definition.Representations]
        bodies = [part for part in parts if part.body]
        return Shape(
            body=bool(bodies),
            solid=bool(bodies) and all(part.solid for part in bodies),
            booleans=any(part.booleans for part in bodies),
        )

    def _of(self, representation: Any) -> Shape:
        key = representation.id()
        if key not in self._known:
            self._known[key] = Shape(body=False, solid=False, booleans=False)  # breaks circles
            self._known[key] = self._look(representation)
        return self._known[key]

    def _look(self, representation: Any) -> Shape:
        identifier = (representation.RepresentationIdentifier or "").lower()
        if identifier in FLAT_IDENTIFIERS:
            return Shape(body=False, solid=False, booleans=False)
        body, solid, booleans = False, True, False
        for item in representation.Items or ():
            if item.is_a("IfcMappedItem"):
                part = self._of(item.MappingSource.MappedRepresentation)
            else:
                part = self._item(item)
            if not part.body:
                continue
            body, solid = True, solid and part.solid
            booleans = booleans or part.booleans
        return Shape(body=body, solid=body and solid, booleans=booleans)

    def _item(self, item: Any) -> Shape:
        if item.is_a("IfcStyledItem") or any(item.is_a(flat) for flat in FLAT):
            return Shape(body=False, solid=False, booleans=False)
        if item.is_a("IfcGeometricSet"):
            body = any(not any(part.is_a(flat) for flat in FLAT) for part in item.Elements)
            return Shape(body=body, solid=False, booleans=False)
        solid = any(item.is_a(kind) for kind in SOLIDS)
        booleans = item.is_a("IfcBooleanResult")
        if item.is_a("IfcTessellatedFaceSet"):
            solid = bool(getattr(item, "Closed", False))
        return Shape(body=True, solid=solid, booleans=booleans)
