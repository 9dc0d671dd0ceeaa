"""Reading placements and properties of an open model, each shared thing once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ifcbase.errors import ComputeError
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.meshing.fast import FastMesher
from ifcbase.ifc.meshing.mesher import OPENING_CLASSES, Mesher, Source, Wanted
from ifcbase.ifc.meshset import MeshSet
from ifcbase.ifc.signatures import Shapes, Signatures, Traits, hash64, measure, sign

if TYPE_CHECKING:
    import ifcopenshell

FASTEST = FastMesher()
#: No sane model nests deeper; a broken one may go in circles.
DEEPEST = 100
#: Texts, references and real numbers of an entity as the library prints it.
_TOKEN = re.compile(r"'(?:[^']|'')*'|#\d+|-?\d+\.\d*(?:[Ee][+-]?\d+)?")
#: A root's GlobalId and owner history say who wrote it and when, not what it is.
_ROOT = re.compile(r"\((?:'(?:[^']|'')*'|\$),(?:#\d+|\$),")


def read_signatures(
    file: ifcopenshell.file,
    inventory: Inventory,
    source: Path | Source,
    *,
    mesher: Mesher | None = FASTEST,
) -> Signatures:
    """Signatures of all elements of an open model, shapes made by the fast mesher.

    Openings get no shape. Where the mesher cannot read the file, or is None, nobody gets one.
    """
    source = source if isinstance(source, Source) else Source(source, file)
    chosen = [
        at
        for at, each in enumerate(inventory.elements)
        if each.ifc_class not in OPENING_CLASSES
        and file.by_id(each.step_id).Representation is not None
    ]
    shapes = Shapes.none(len(inventory))
    if chosen and mesher is not None:
        wanted = Wanted.of(inventory.elements[at] for at in chosen)
        try:
            found = mesher.mesh(source, wanted)
        except ComputeError:
            # Signatures are a help: without shapes matching says "doubtful" instead of "same".
            found = None
        if found is not None:
            shapes = spread(_finite(found.meshes), found.origin, np.array(chosen), len(inventory))
    return sign(inventory, read_traits(file, inventory), shapes)


def spread(
    meshes: MeshSet, origin: npt.ArrayLike, rows: npt.NDArray[np.int64], size: int
) -> Shapes:
    """Measures of meshes for ``size`` elements; mesh i belongs to element ``rows[i]``."""
    found, whole = measure(meshes, origin), Shapes.none(size)
    columns = []
    for name in Shapes.__slots__:
        column = getattr(whole, name).copy()
        column[rows] = getattr(found, name)
        columns.append(column)
    return Shapes(*columns)


def read_traits(file: ifcopenshell.file, inventory: Inventory) -> Traits:
    """Placement and properties of every element of an inventory."""
    scale = inventory.unit_scale
    places = Places()
    placement = np.full((len(inventory), 3), np.nan)
    for at, element in enumerate(inventory.elements):
        matrix = places.of(getattr(file.by_id(element.step_id), "ObjectPlacement", None))
        if matrix is not None:
            placement[at] = matrix[:3, 3] * scale
    placement[~(np.abs(placement) < 1e9).all(axis=1)] = np.nan
    return Traits(placement, _properties(file, inventory))


def _finite(meshes: MeshSet) -> MeshSet:
    """The meshes with all coordinates finite; others as empty meshes."""
    bad = ~np.isfinite(meshes.vertices).all(axis=1)
    if not bad.any():
        return meshes
    owner = np.searchsorted(meshes.vertex_offset, np.flatnonzero(bad), side="right") - 1
    lost = set(owner.tolist())
    nothing = (np.zeros((0, 3)), np.zeros((0, 3), np.int32))
    return MeshSet.from_meshes(
        [nothing if i in lost else meshes.mesh(i) for i in range(len(meshes))], closed=False
    )


class Places:
    """World matrices of local placements (project units), each computed once."""

    def __init__(self) -> None:
        self._known: dict[int, npt.NDArray[np.float64] | None] = {}

    def of(
        self, placement: ifcopenshell.entity_instance | None, depth: int = DEEPEST
    ) -> npt.NDArray[np.float64] | None:
        """The matrix of a placement; None for none, for one of another kind and for circles."""
        if placement is None or depth == 0 or not placement.is_a("IfcLocalPlacement"):
            return None
        key = placement.id()
        if key not in self._known:
            from ifcopenshell.util.placement import get_axis2placement

            above = placement.PlacementRelTo
            base = np.eye(4) if above is None else self.of(above, depth - 1)
            own = get_axis2placement(placement.RelativePlacement)
            self._known[key] = None if base is None else base @ own
        return self._known[key]


class _Digests:
    """Hashes of entities by what they say, not by their numbers; each computed once."""

    def __init__(self, file: ifcopenshell.file) -> None:
        self._file = file
        self._known: dict[int, int] = {}

    def of(self, entity: ifcopenshell.entity_instance, depth: int = DEEPEST) -> int:
        """The hash of an entity and all it refers to; 0 beyond the greatest depth."""
        key = entity.id()
        if key not in self._known:
            text = str(entity)
            text = text[text.find("=") + 1 :]
            if entity.is_a("IfcRoot"):
                text = _ROOT.sub("(", text, count=1)

            def plain(match: re.Match[str]) -> str:
                token = match.group()
                if token[0] == "#":
                    other = self._file.by_id(int(token[1:]))
                    return f"<{self.of(other, depth - 1) if depth else 0}>"
                # Twelve digits: what a number loses on its way through a text is not a change.
                return token if token[0] == "'" else format(float(token), ".12g")

            self._known[key] = hash64(_TOKEN.sub(plain, text))
        return self._known[key]


def _properties(file: ifcopenshell.file, inventory: Inventory) -> npt.NDArray[np.int64]:
    """One hash per element of its property sets, its type and its material.

    Quantities are left out: they repeat what the shape says, with less tolerance.
    """
    digests = _Digests(file)
    parts: dict[int, set[str]] = {}
    for relation in file.by_type("IfcRelDefinesByProperties"):
        definition = relation.RelatingPropertyDefinition
        for one in definition if isinstance(definition, tuple) else (definition,):
            if one is None or one.is_a("IfcElementQuantity"):
                continue
            word = f"p{_of_set(one, digests)}"
            for thing in relation.RelatedObjects or ():
                parts.setdefault(thing.id(), set()).add(word)
    for relation in file.by_type("IfcRelDefinesByType"):
        kind = relation.RelatingType
        if kind is None:
            continue
        sets = sorted(_of_set(one, digests) for one in kind.HasPropertySets or ())
        word = f"t{hash64(repr((kind.is_a(), kind.Name, sets)))}"
        for thing in relation.RelatedObjects or ():
            parts.setdefault(thing.id(), set()).add(word)
    for relation in file.by_type("IfcRelAssociatesMaterial"):
        if relation.RelatingMaterial is None:
            continue
        word = f"m{digests.of(relation.RelatingMaterial)}"
        for thing in relation.RelatedObjects or ():
            parts.setdefault(thing.id(), set()).add(word)
    return np.fromiter(
        (hash64(" ".join(sorted(parts.get(e.step_id, ())))) for e in inventory.elements),
        np.int64,
        len(inventory),
    )


def _of_set(one: ifcopenshell.entity_instance, digests: _Digests) -> int:
    """A property set whatever the order of its properties; other definitions as they are."""
    if not one.is_a("IfcPropertySet"):
        return 0 if one.is_a("IfcElementQuantity") else digests.of(one)
    return hash64(repr((one.Name, sorted(digests.of(p) for p in one.HasProperties or ()))))
