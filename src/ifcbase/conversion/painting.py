"""Which face of an element has which colour, for elements whose items have several.

Kept meshes do not say which face comes from which item. IfcOpenShell's do: those few elements are
meshed once more, quickly and without their openings, and each face takes the colour of the triangle
there that it lies on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ifcbase.conversion.styles import UNSTYLED, Material, StyleReader
from ifcbase.ifc.inventory import Element
from ifcbase.ifc.meshset import MeshSet

if TYPE_CHECKING:
    import ifcopenshell

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

KERNEL = "hybrid-cgal-simple-opencascade"
SETTINGS: dict[str, Any] = {
    "use-world-coords": True,
    "no-normals": True,
    "disable-opening-subtractions": True,
}
#: Distance of a face from the plane of a triangle on which it may lie, metres: single precision
#: far from the middle of a model is as coarse.
ON_PLANE = 2e-3
#: Cosine of the angle between them.
PARALLEL = 0.999
#: Faces times triangles looked at in one piece.
AT_ONCE = 2_000_000


@dataclass(slots=True)
class Coloured:
    """Meshes with the faces of each element in order of colour, as ``Scene`` has them.

    ``several`` elements have several colours, of ``painted`` ones it is known which face has which,
    and those ``without`` have none.
    """

    meshes: MeshSet
    groups: list[list[tuple[int, int]]]
    materials: list[Material]
    several: int
    painted: int
    without: int


def colour(
    model: ifcopenshell.file,
    elements: Sequence[Element],
    meshes: MeshSet,
    origin: Floats,
    *,
    by_face: bool,
) -> Coloured:
    """Colour the elements, whose meshes lie about the origin; without ``by_face`` in one colour each."""
    reader = StyleReader(model)
    styled = [reader.of(each.step_id) for each in elements]
    several = [row for row, each in enumerate(styled) if each.count > 1]
    painted: dict[int, list[Material | None]] = {}
    if by_face:
        corners = {}
        for row in several:
            vertices, faces = meshes.mesh(row)
            corners[elements[row].step_id] = (vertices + origin)[faces]
        painted = paint(model, reader, corners)
    told = [
        [face or each.material or UNSTYLED for face in painted.get(element.step_id, [None])]
        for element, each in zip(elements, styled, strict=True)
    ]
    materials = sorted({each for colours in told for each in colours})
    number = {each: i for i, each in enumerate(materials)}
    ordered = np.array(meshes.faces)
    groups = []
    for row, colours in enumerate(told):
        start, end = int(meshes.face_offset[row]), int(meshes.face_offset[row + 1])
        if len(colours) == 1:
            groups.append([(number[colours[0]], end - start)])
            continue
        numbers = np.array([number[each] for each in colours])
        ordered[start:end] = ordered[start:end][np.argsort(numbers, kind="stable")]
        found, counts = np.unique(numbers, return_counts=True)
        groups.append(list(zip(found.tolist(), counts.tolist(), strict=True)))
    return Coloured(
        meshes=replace(meshes, faces=ordered),
        groups=groups,
        materials=materials,
        several=len(several),
        painted=len(painted),
        without=sum(each.material is None for each in styled),
    )


def paint(
    model: ifcopenshell.file, reader: StyleReader, elements: Mapping[int, Floats]
) -> dict[int, list[Material | None]]:
    """By step id the colour of each face, of those elements whose faces have several.

    ``elements`` are corners (faces, 3, 3) in world metres by step id. None is the colour of what has
    no style of its own. Elements that IfcOpenShell gives no shape of are left out.
    """
    found: dict[int, list[Material | None]] = {}
    for step_id, corners, numbers, colours in _shapes(model, reader, elements):
        chosen = numbers[_lying_on(elements[step_id], corners)]
        told = [colours[number] for number in chosen.tolist()]
        if len(set(told)) > 1:
            found[step_id] = told
    return found


def _shapes(
    model: ifcopenshell.file, reader: StyleReader, step_ids: Mapping[int, Floats]
) -> Iterator[tuple[int, Floats, Ints, list[Material | None]]]:
    """Step id, corners of the triangles, and for each the number of its colour in the list."""
    if not step_ids:  # an empty include list would mesh the whole file
        return
    import ifcopenshell.geom

    settings = ifcopenshell.geom.settings()
    for key, value in SETTINGS.items():
        settings.set(key, value)
    iterator = ifcopenshell.geom.iterator(
        settings,
        model,
        1,
        include=[model.by_id(step_id) for step_id in step_ids],
        geometry_library=KERNEL,
    )
    parts: dict[int, list[tuple[Floats, Ints]]] = {}
    colours: dict[int, list[Material | None]] = {}
    more = iterator.initialize()
    while more:
        shape = iterator.get()
        if shape.id in step_ids:
            geometry = shape.geometry
            vertices = np.frombuffer(geometry.verts_buffer, np.float64).reshape(-1, 3)
            faces = np.frombuffer(geometry.faces_buffer, np.int32).reshape(-1, 3)
            known = colours.setdefault(shape.id, [None])
            numbers = np.array([-1, *geometry.material_ids], np.int64)[1:] + len(known)
            # A triangle without a style has the number -1 there, and the first of ours.
            numbers[numbers < len(known)] = 0
            parts.setdefault(shape.id, []).append((vertices[faces], numbers))
            known += [_colour(model, reader, each) for each in geometry.materials]
        more = bool(iterator.next())
    for step_id, pieces in parts.items():
        corners = np.concatenate([each for each, _ in pieces])
        if len(corners):
            yield step_id, corners, np.concatenate([n for _, n in pieces]), colours[step_id]


def _colour(model: ifcopenshell.file, reader: StyleReader, style: Any) -> Material | None:
    """The colour of one of IfcOpenShell's styles, as the model gives it."""
    step_id = int(style.instance_id())
    if not step_id:
        return None  # its default, for what has none
    entity = model.by_id(step_id)
    if entity.is_a("IfcSurfaceStyle"):
        return reader.of_style(entity)
    return reader.of_definition(entity) if entity.is_a("IfcMaterial") else None


def _lying_on(faces: Floats, triangles: Floats) -> Ints:
    """For each face the triangle on whose plane it lies and to which it is nearest, else the nearest."""
    if faces.shape == triangles.shape and np.abs(faces - triangles).max(initial=0.0) < ON_PLANE:
        return np.arange(len(faces))
    middles, normals = faces.mean(axis=1), _normals(faces)
    planes = _normals(triangles)
    found = np.empty(len(faces), np.int64)
    step = max(1, AT_ONCE // len(triangles))
    for start in range(0, len(faces), step):
        some = slice(start, start + step)
        offset = middles[some] @ planes.T - (triangles[:, 0] * planes).sum(axis=1)
        on = (np.abs(normals[some] @ planes.T) > PARALLEL) & (np.abs(offset) < ON_PLANE)
        on[~on.any(axis=1)] = True
        rows, candidates = np.nonzero(on)
        apart = _apart(middles[some][rows], triangles[candidates])
        # Of several at the same place the first, whatever the arithmetic's last digit.
        order = np.lexsort((candidates, np.round(apart, 6), rows))
        rows, candidates = rows[order], candidates[order]
        first = np.ones(len(rows), np.bool_)
        first[1:] = rows[1:] != rows[:-1]
        found[some] = candidates[first]
    return found


def _normals(corners: Floats) -> Floats:
    """Unit normals, zero for a triangle without an area."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.where(length > 0, length, 1.0))


def _apart(points: Floats, corners: Floats) -> Floats:
    """The distance of each point (k, 3) to its own triangle (k, 3, 3)."""
    normals = _normals(corners)
    height = ((points - corners[:, 0]) * normals).sum(axis=1)
    foot = points - height[:, None] * normals
    inside = np.ones(len(points), np.bool_)
    least = np.full(len(points), np.inf)
    for at in range(3):
        start, along = corners[:, at], corners[:, (at + 1) % 3] - corners[:, at]
        offset = points - start
        inside &= (np.cross(along, foot - start) * normals).sum(axis=1) >= 0
        length = np.maximum((along**2).sum(axis=1), 1e-300)
        share = np.clip((offset * along).sum(axis=1) / length, 0.0, 1.0)
        least = np.minimum(least, np.linalg.norm(offset - share[:, None] * along, axis=1))
    flat = ~normals.any(axis=1)
    return np.asarray(np.where(inside & ~flat, np.abs(height), least))
