"""What an element looks like, in a few numbers that no id is part of: what matching goes by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.meshset import MeshSet

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.int64]
Words = npt.NDArray[np.str_]

#: Corners and placements are rounded to this for the content hash (metres). Equal hashes prove
#: equal content; what a border of the grid tells apart is for the nearest-neighbour stage.
GRID = 1e-3
#: Bodies thinner than this on average (volume over area, metres) are taken for surfaces.
THIN = 1e-3
#: Triangles looked at at a time: bounds memory.
CHUNK = 200_000


#: The columns of Signatures that an inventory does not have: type and width.
MEASURES: dict[str, tuple[type, int]] = {
    "placement": (np.float64, 3),
    "centroid": (np.float64, 3),
    "extents": (np.float64, 3),
    "volume": (np.float64, 1),
    "area": (np.float64, 1),
    "vertices": (np.int64, 1),
    "properties": (np.int64, 1),
    "content": (np.int64, 1),
}
#: No building stands farther from the origin, and none is larger (metres, m2, m3).
_FARTHEST = 1e9
_LARGEST = 1e18


@dataclass(frozen=True, slots=True)
class Shapes:
    """Measures of n meshes in world metres; NaN (and 0 vertices) where there is no mesh.

    ``centroid`` is that of the volume, or of the surface where hardly any is enclosed: neither
    depends on how the surface is cut into triangles. ``corners`` is a hash of the rounded corners
    in any order.
    """

    centroid: Floats  # (n, 3)
    extents: Floats  # (n, 3) size of the box along the axes
    volume: Floats  # (n) m3
    area: Floats  # (n) m2
    vertices: Ints  # (n)
    corners: Hashes  # (n)

    @classmethod
    def none(cls, n: int) -> Shapes:
        """n elements without a mesh."""
        point, number = np.full((n, 3), np.nan), np.full(n, np.nan)
        nothing = np.zeros(n, np.int64)
        return cls(point, point, number, number, nothing, nothing)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a file says about n elements besides their shape; NaN where there is no placement."""

    placement: Floats  # (n, 3) world metres
    properties: Hashes  # (n) property sets, type and material, ids left out


@dataclass(frozen=True, slots=True)
class Signatures:
    """n elements of one model version as columns; row i is element (global_id[i], n[i]).

    ``content`` is equal for equal class, name, properties, placement and corners, rounded to
    ``GRID``. Floats are NaN and ``vertices`` 0 where a file gave no mesh or no placement.
    """

    global_id: Words
    n: Ints
    ifc_class: Words
    placement: Floats
    centroid: Floats
    extents: Floats
    volume: Floats
    area: Floats
    vertices: Ints
    properties: Hashes
    content: Hashes

    def __len__(self) -> int:
        return len(self.n)

    def take(self, rows: npt.ArrayLike) -> Signatures:
        """The chosen rows, in the order given."""
        chosen = np.asarray(rows, np.int64)
        return Signatures(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @classmethod
    def concat(cls, parts: Sequence[Signatures]) -> Signatures:
        """All rows of all parts, in order; at least one part."""
        columns: dict[str, Any] = {
            f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)
        }
        return cls(**columns)

    @classmethod
    def of(cls, inventory: Inventory, columns: Mapping[str, npt.NDArray[Any]]) -> Signatures:
        """From ``MEASURES`` of somebody who is not trusted, parallel to an inventory.

        Raises ReportInvalid for what cannot be.
        """
        size = len(inventory)
        for name, column in columns.items():
            if len(column) != size:
                raise ReportInvalid(f"signatures do not hold together: length of {name}")
        found = cls(
            global_id=np.array([e.global_id for e in inventory.elements], np.str_),
            n=np.fromiter((e.n for e in inventory.elements), np.int64, size),
            ifc_class=np.array([e.ifc_class for e in inventory.elements], np.str_),
            **columns,
        )
        for name in ("placement", "centroid", "extents", "volume", "area"):
            column = columns[name]
            most = _FARTHEST if column.ndim == 2 else _LARGEST
            least = -most if name in {"placement", "centroid"} else 0.0
            inside = np.isnan(column) | ((column >= least) & (column <= most))
            nothing = np.isnan(column)
            whole = nothing if column.ndim == 1 else nothing.any(axis=1)
            meshless = whole == (found.vertices == 0)
            if not inside.all() or not (name == "placement" or meshless.all()):
                raise ReportInvalid(f"signatures do not hold together: {name}")
        if not ((found.vertices >= 0) & (found.vertices < 2**31)).all():
            raise ReportInvalid("signatures do not hold together: vertices")
        return found

    @property
    def shaped(self) -> npt.NDArray[np.bool_]:
        """Rows with a mesh."""
        return np.asarray(self.vertices > 0)


def sign(inventory: Inventory, traits: Traits, shapes: Shapes) -> Signatures:
    """Signatures of an inventory's elements, in its order."""
    elements = inventory.elements
    placed = np.where(np.isnan(traits.placement), 0.0, traits.placement)
    where = np.rint(placed / GRID).astype(np.int64)
    where[np.isnan(traits.placement).any(axis=1)] = np.iinfo(np.int64).max
    content = np.fromiter(
        (hash64(f"{e.ifc_class}\0{'' if e.name is None else '=' + e.name}") for e in elements),
        np.int64,
        len(elements),
    )
    for column in (traits.properties, *where.T, shapes.corners, shapes.vertices):
        content = _stir(content, column)
    return Signatures(
        global_id=np.array([e.global_id for e in elements], np.str_),
        n=np.fromiter((e.n for e in elements), np.int64, len(elements)),
        ifc_class=np.array([e.ifc_class for e in elements], np.str_),
        placement=traits.placement,
        centroid=shapes.centroid,
        extents=shapes.extents,
        volume=shapes.volume,
        area=shapes.area,
        vertices=shapes.vertices,
        properties=traits.properties,
        content=content,
    )


def hash64(text: str | bytes) -> int:
    """The first 8 bytes of SHA-256 as a signed number: equal on every machine."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return int.from_bytes(hashlib.sha256(raw).digest()[:8], "big", signed=True)


def measure(meshes: MeshSet, origin: npt.ArrayLike = (0.0, 0.0, 0.0)) -> Shapes:
    """Measures of meshes whose coordinates are metres about ``origin`` (world metres)."""
    about = np.asarray(origin, np.float64)
    shapes = Shapes.none(len(meshes))
    shapes = Shapes(*(getattr(shapes, f.name).copy() for f in fields(shapes)))
    for rows in _chunks(meshes):
        part = meshes.take(rows)
        _measure(part, about, rows, shapes)
    return shapes


def _chunks(meshes: MeshSet) -> Iterator[Ints]:
    """Rows that have a mesh, so many at a time that their triangles stay below ``CHUNK``."""
    filled = np.flatnonzero(np.diff(meshes.face_offset) > 0)
    if not len(filled):
        return
    amount = np.cumsum(meshes.face_offset[filled + 1] - meshes.face_offset[filled])
    for number in np.unique(amount // CHUNK):
        yield filled[amount // CHUNK == number]


def _measure(part: MeshSet, about: Floats, rows: Ints, into: Shapes) -> None:
    counts = np.diff(part.vertex_offset)
    boxes = part.aabb()
    middle = (boxes[:, :3] + boxes[:, 3:]) / 2
    # About each element's own middle: far from the origin volumes would drown in rounding.
    local = part.vertices - np.repeat(middle, counts, axis=0)
    faces = part.faces + np.repeat(part.vertex_offset[:-1], np.diff(part.face_offset))[:, None]
    p, q, r = (local[faces[:, corner]] for corner in range(3))
    normal = np.cross(q - p, r - p)
    areas = np.sqrt((normal**2).sum(axis=1)) / 2
    starts = part.face_offset[:-1]
    area = np.add.reduceat(areas, starts)
    # Tetrahedra from the middle to each triangle, signed: a sixth of the triple product.
    parts = (p * normal).sum(axis=1) / 6
    signed = np.add.reduceat(parts, starts)
    volume = np.abs(signed)
    solid = volume > THIN * area
    by_area = np.add.reduceat((p + q + r) * (areas / 3)[:, None], starts)
    by_volume = np.add.reduceat((p + q + r) * (parts / 4)[:, None], starts)
    weight = np.where(solid, signed, np.where(area > 0, area, 1.0))
    mean = np.where(solid[:, None], by_volume, by_area) / weight[:, None]
    half = (boxes[:, 3:] - boxes[:, :3]) / 2
    mean = np.clip(mean, -half, half)  # faces that look both ways can throw it outside
    into.centroid[rows] = mean + middle + about
    into.extents[rows] = boxes[:, 3:] - boxes[:, :3]
    into.volume[rows], into.area[rows], into.vertices[rows] = volume, area, counts
    grid = np.rint((part.vertices + about) / GRID).astype(np.int64)
    each = _stir(_stir(_stir(np.zeros(len(grid), np.int64), grid[:, 0]), grid[:, 1]), grid[:, 2])
    into.corners[rows] = np.add.reduceat(each, part.vertex_offset[:-1])


def _stir(hashes: Hashes, more: npt.NDArray[Any]) -> Hashes:
    """Hashes that depend on both. The mixing steps are splitmix64's (Steele et al. 2014)."""
    mixed = hashes.astype(np.int64).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = mixed + more.astype(np.int64).view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))).view(np.int64)
