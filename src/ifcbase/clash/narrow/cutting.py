"""The kernels that understand single meshes, with room made for what they return."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow import native
from ifcbase.ifc.meshset import MeshSet

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]

Prepared = tuple[npt.NDArray[np.uint8], Ints, Ints, Floats, Floats, Small, Floats, Small]


def prepare(
    vertices: Floats, faces: Small, vo: Ints, fo: Ints, chosen: Ints, as_surface: bool
) -> Prepared:
    """Pieces of the chosen elements; see ``_pieces.prepare`` for the eight columns."""
    n = len(chosen)
    room = int((fo[chosen + 1] - fo[chosen]).sum()) + 4
    state, ends = np.zeros(n, np.uint8), np.zeros((n, 3), np.int64)
    pends = np.empty((room + n, 3), np.int64)
    pv, pp = np.empty((6 * room, 3)), np.empty((6 * room, 5))
    pe = np.empty((12 * room, 4), np.int32)
    ev, ee = np.empty((3 * room, 3)), np.empty((3 * room, 2), np.int32)
    native.meshes.prepare(
        vertices, faces, vo, fo, chosen, int(as_surface), state, ends, pends, pv, pp, pe, ev, ee
    )
    pieces, corners, edges = ends[-1].tolist() if n else (0, 0, 0)
    last = pends[pieces - 1].tolist() if pieces else (0, 0, 0)
    return (
        state,
        ends,
        pends[:pieces].copy(),
        pv[: last[0]].copy(),
        pp[: last[1]].copy(),
        pe[: last[2]].copy(),
        ev[:corners].copy(),
        ee[:edges].copy(),
    )


def states(meshes: list[tuple[Floats, Small]]) -> npt.NDArray[np.uint8]:
    """What each mesh is understood as; see ``layout``."""
    m = MeshSet.from_meshes(meshes)
    chosen = np.arange(len(meshes), dtype=np.int64)
    return prepare(m.vertices, m.faces, m.vertex_offset, m.face_offset, chosen, False)[0]


def tidy(v0: Floats, f0: Small) -> tuple[Floats, Ints, Ints, bool]:
    """Vertices, faces and opposite half-edges, welded if that closes the mesh; whether it closed."""
    v, f = np.empty((len(v0), 3)), np.empty((len(f0), 3), np.int64)
    twin, counts = np.empty(3 * len(f0), np.int64), np.zeros(3, np.int64)
    native.meshes.tidy(v0, f0, v, f, twin, counts)
    corners, faces, paired = counts.tolist()
    return v[:corners], f[:faces], twin[: 3 * faces], bool(paired)


def orient(f: Ints, twin: Ints) -> tuple[Ints, int]:
    """Turn faces alike, in place; the component of each face and the number of components."""
    comp, counts = np.empty(len(f), np.int64), np.zeros(2, np.int64)
    native.meshes.orient(f, twin, comp, counts)
    return comp, int(counts[0])


def planes(v: Floats, f: Ints, twin: Ints, tolerance: float) -> tuple[Ints, Floats, Floats]:
    """Plane of each face, slivers taking a neighbour's; the planes and their areas."""
    comp, of = np.zeros(len(f), np.int64), np.empty(len(f), np.int64)
    pl, area, counts = np.empty((len(f), 4)), np.empty(len(f)), np.zeros(1, np.int64)
    native.meshes.planes(v, f, comp, tolerance, of, pl, area, counts)
    native.meshes.adopt_slivers(v, f, twin, of)
    return of, pl[: counts[0]], area[: counts[0]]


def component_volumes(v: Floats, f: Ints, comp: Ints, ncomp: int) -> Floats:
    """Signed volume (cubic metres) of each component."""
    volumes = np.empty(ncomp)
    native.meshes.component_volumes(v, f, comp, volumes)
    return volumes


def divide(v: Floats, edges: Ints, pl: Floats, most: int) -> tuple[list[Floats], Ints, Floats]:
    """Corners of the parts of a body, which are only hulls, and their volumes (cubic metres).

    After ``most`` parts nothing is cut further; none at all if the room did not suffice. See
    ``_divide.divide``.
    """
    room = 2 * most + 64  # what falls apart by itself is not counted beforehand
    corners, volumes = np.empty((64 * most + 16 * len(edges), 3)), np.empty(room)
    ends, counts = np.zeros((room, 2), np.int64), np.zeros(3, np.int64)
    native.meshes.divide(v, edges, pl, most, corners, ends, volumes, counts)
    parts, _, failed = counts.tolist()
    if failed:
        return [], np.zeros(0, np.int64), np.zeros(0)
    cuts = np.split(corners[: ends[parts - 1, 0]], ends[: parts - 1, 0]) if parts else []
    return cuts, ends[:parts, 1], volumes[:parts]
