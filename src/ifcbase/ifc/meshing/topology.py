"""What triangles say about themselves: area, volume, open edges, folds; for many meshes at once.

Everything works on the concatenated arrays of a MeshSet, so that the cost is that of a few sorts
and not of a loop over elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.meshset import MeshSet

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Vertices of one element nearer than this are one vertex (metres).
WELD = 1e-5
#: A fold counts only if both triangles reach at least this far from their common edge (metres).
FOLD_REACH = 1e-4
#: Two faces this near to each other at that reach lie on each other (metres).
FOLD_GAP = 1e-5
#: Projections are compared in steps of this (metres).
_STEP = 1e-6
_REACH_BITS = 41  # 2**41 steps: elements of up to 2000 km
#: A direction along which different vertices of buildings do not line up.
_DIRECTION = np.array([0.5380411, 0.6172803, 0.5739817])


@dataclass(frozen=True, slots=True)
class Topology:
    """Measures per element (n); edges are counted after welding."""

    area: Floats  # m2
    volume: Floats  # m3, signed: negative where the faces look inwards
    faces: Ints  # triangles that welding leaves with three corners
    odd_edges: Ints  # edges with an odd number of triangles: the border of an open mesh
    unbalanced_edges: Ints  # edges not used as often forwards as backwards
    folds: Ints  # edges whose two triangles lie on each other
    crowded_edges: Ints  # edges of more than two triangles
    duplicate_faces: Ints  # triangles that another one repeats
    inverted_shells: Ints  # closed parts with a negative volume: turned inside out, or cavities

    @classmethod
    def join(cls, pieces: Sequence[Topology]) -> Topology:
        """The measures of several groups of elements, one after the other."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in pieces]) for f in fields(cls)))


def owners(offset: Ints) -> Ints:
    """The element of each row."""
    return np.repeat(np.arange(len(offset) - 1), np.diff(offset))


def components(n: int, a: Ints, b: Ints) -> Ints:
    """For each of n nodes the smallest node it is connected with by the links a-b."""
    label = np.arange(n)
    while len(a):
        la, lb = label[a], label[b]
        apart = la != lb
        if not apart.any():
            break
        a, b, la, lb = a[apart], b[apart], la[apart], lb[apart]
        np.minimum.at(label, np.maximum(la, lb), np.minimum(la, lb))
        while True:
            jumped = label[label]
            if np.array_equal(jumped, label):
                break
            label = jumped
    return label


def weld(vertices: Floats, offset: Ints, tolerance: float = WELD) -> Ints:
    """For each vertex the first one of its element at the same place (within the tolerance).

    Vertices are sorted along one direction and only neighbours in that order are compared.
    """
    n = len(vertices)
    if not n:
        return np.zeros(0, np.int64)
    owner = owners(offset)
    filled = np.flatnonzero(np.diff(offset))
    base = np.zeros((len(offset) - 1, 3))
    base[filled] = np.minimum.reduceat(vertices, offset[filled], axis=0)
    place = (vertices - base[owner]) @ _DIRECTION
    key = (owner << _REACH_BITS) + np.minimum(place / _STEP, 2.0 ** (_REACH_BITS - 1)).astype(
        np.int64
    )
    order = np.argsort(key, kind="stable")
    label = np.arange(n)
    # Meshers repeat vertices exactly: join the runs first, then look around each survivor.
    joined = _linked(vertices, order[:-1], order[1:], tolerance) & (
        key[order][1:] == key[order][:-1]
    )
    first = np.flatnonzero(np.concatenate([[True], ~joined]))
    label[order] = np.minimum.reduceat(order, first)[
        np.cumsum(np.concatenate([[True], ~joined])) - 1
    ]
    order = order[first]
    key = key[order]
    window = int(tolerance / _STEP) + 1
    at = np.arange(len(order))
    left: list[Ints] = []
    right: list[Ints] = []
    step = 1
    while True:
        at = at[at + step < len(order)]
        at = at[key[at + step] - key[at] <= window]
        if not len(at):
            break
        near = _linked(vertices, order[at], order[at + step], tolerance)
        left.append(label[order[at[near]]])
        right.append(label[order[at[near] + step]])
        step += 1
    if left:
        label = components(n, np.concatenate(left), np.concatenate(right))[label]
    return label


def _linked(vertices: Floats, a: Ints, b: Ints, tolerance: float) -> Bools:
    gap = vertices[a] - vertices[b]
    return np.asarray(np.einsum("ij,ij->i", gap, gap) <= tolerance * tolerance)


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of welded triangles: use k of an edge is side ``side[k]`` of a triangle."""

    order: Ints  # uses sorted by edge; use u is side u % 3 of face u // 3
    start: Ints  # first use of each edge in that order
    count: Ints  # uses of each edge
    balance: Ints  # forward uses less backward ones

    @classmethod
    def of(cls, corners: Ints, n_vertices: int) -> Edges:
        u = corners.ravel()
        v = corners[:, [1, 2, 0]].ravel()
        key = np.minimum(u, v) * np.int64(max(n_vertices, 1)) + np.maximum(u, v)
        order = np.argsort(key, kind="stable")
        ordered = key[order]
        if not len(order):
            nothing = np.zeros(0, np.int64)
            return cls(nothing, nothing, nothing, nothing)
        start = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        count = np.diff(np.append(start, len(order)))
        sign = np.where(u < v, 1, -1)[order]
        return cls(order, start, count, np.add.reduceat(sign, start))


def survey(meshes: MeshSet) -> Topology:
    """Measure every mesh. The vertices must be finite."""
    n = len(meshes)
    face_owner = owners(meshes.face_offset)
    corners = meshes.faces.astype(np.int64) + meshes.vertex_offset[:-1][face_owner][:, None]
    normals, volumes = measure(meshes, corners, face_owner)
    share = np.sqrt(np.einsum("ij,ij->i", normals, normals)) / 2
    area = np.bincount(face_owner, weights=share, minlength=n).astype(np.float64)
    volume = np.bincount(face_owner, weights=volumes, minlength=n).astype(np.float64)
    welded = weld(meshes.vertices, meshes.vertex_offset)[corners]
    whole = (
        (welded[:, 0] != welded[:, 1])
        & (welded[:, 1] != welded[:, 2])
        & (welded[:, 2] != welded[:, 0])
    )
    welded, owner = welded[whole], face_owner[whole]
    edges = Edges.of(welded, len(meshes.vertices))
    edge_owner = owner[edges.order[edges.start] // 3]

    def per_element(where: Bools) -> Ints:
        return np.bincount(edge_owner[where], minlength=n).astype(np.int64)

    folded = np.zeros(len(edges.start), np.bool_)
    paired = _opposed(normals[whole], share[whole], edges)
    folded[paired] = _folded(meshes.vertices, welded, edges, paired)
    crowded = edges.count > 2
    return Topology(
        area=area,
        volume=volume,
        faces=np.bincount(owner, minlength=n).astype(np.int64),
        odd_edges=per_element(edges.count % 2 == 1),
        unbalanced_edges=per_element(edges.balance != 0),
        folds=per_element(folded),
        crowded_edges=per_element(crowded),
        duplicate_faces=_duplicates(welded, owner, edges, crowded, n),
        inverted_shells=_inverted(welded, owner, volumes[whole], len(meshes.vertices), n),
    )


def measure(meshes: MeshSet, corners: Ints, face_owner: Ints) -> tuple[Floats, Floats]:
    """Normal of each triangle (as long as twice its area) and its share of the signed volume.

    Volumes are taken about the element's own first vertex, where they are most exact.
    """
    about = meshes.vertices[meshes.vertex_offset[:-1][face_owner]]
    p = meshes.vertices[corners[:, 0]] - about
    q = meshes.vertices[corners[:, 1]] - about
    r = meshes.vertices[corners[:, 2]] - about
    normal = np.cross(q - p, r - p)
    return normal, np.einsum("ij,ij->i", p, normal) / 6


def _opposed(normals: Floats, area: Floats, edges: Edges) -> Ints:
    """Edges of two triangles that could be folded: their sides look almost opposite ways."""
    paired = np.flatnonzero(edges.count == 2)
    left = edges.order[edges.start[paired]] // 3
    right = edges.order[edges.start[paired] + 1] // 3
    dot = np.einsum("ij,ij->i", normals[left], normals[right])
    dot *= np.where(edges.balance[paired] == 0, 1.0, -1.0)
    return np.asarray(paired[dot < -0.99 * 4 * area[left] * area[right]])


def _inverted(welded: Ints, owner: Ints, volumes: Floats, n_vertices: int, n: int) -> Ints:
    """Parts of each element, connected by vertices, whose volume is negative."""
    label = components(
        n_vertices,
        np.concatenate([welded[:, 0], welded[:, 1]]),
        np.concatenate([welded[:, 1], welded[:, 2]]),
    )
    part = label[welded[:, 0]] if len(welded) else np.zeros(0, np.int64)
    volume = np.bincount(part, weights=volumes, minlength=n_vertices)
    size = np.bincount(part, weights=np.abs(volumes), minlength=n_vertices)
    negative = volume < -1e-9 * size
    first = np.full(n_vertices, -1)
    first[part] = owner
    return np.bincount(first[negative], minlength=n).astype(np.int64)


def _folded(vertices: Floats, welded: Ints, edges: Edges, paired: Ints) -> Bools:
    """Which of the edges of two triangles are folds: both triangles on the same side of the edge."""
    use = edges.order[edges.start[paired]]
    other = edges.order[edges.start[paired] + 1]
    face, side = use // 3, use % 3
    foot = vertices[welded[face, side]]
    along = vertices[welded[face, (side + 1) % 3]] - foot
    square = np.einsum("ij,ij->i", along, along)
    reach = _across(vertices[welded[face, (side + 2) % 3]] - foot, along, square)
    back = _across(vertices[welded[other // 3, (other % 3 + 2) % 3]] - foot, along, square)
    a = np.sqrt(np.einsum("ij,ij->i", reach, reach))
    b = np.sqrt(np.einsum("ij,ij->i", back, back))
    nearer = np.minimum(a, b)
    cross = np.cross(reach, back)
    # Gap between the faces at the nearer apex: |a x b| / (|a| |b|) * min(|a|, |b|).
    gap = np.sqrt(np.einsum("ij,ij->i", cross, cross)) / np.maximum(np.maximum(a, b), 1e-30)
    same_side = np.einsum("ij,ij->i", reach, back) > 0
    long_enough = (nearer > FOLD_REACH) & (square > FOLD_REACH**2)
    return np.asarray(same_side & long_enough & (gap < FOLD_GAP))


def _across(apex: Floats, along: Floats, square: Floats) -> Floats:
    """The part of the vectors to the apexes that is at right angles to the edge."""
    share = np.einsum("ij,ij->i", apex, along) / np.maximum(square, 1e-30)
    return np.asarray(apex - share[:, None] * along)


def _duplicates(welded: Ints, owner: Ints, edges: Edges, crowded: Bools, n: int) -> Ints:
    """Triangles with the same three corners; only those at crowded edges can be."""
    uses = edges.order[np.repeat(crowded, edges.count)]
    suspects = np.unique(uses // 3)
    if not len(suspects):
        return np.zeros(n, np.int64)
    corners = np.sort(welded[suspects], axis=1)
    _, index, count = np.unique(corners, axis=0, return_index=True, return_counts=True)
    repeated = np.bincount(owner[suspects[index]], weights=count - 1, minlength=n)
    return repeated.astype(np.int64)
