"""Elements as unions of convex pieces: what the narrow phase computes with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow import general
from ifcbase.clash.narrow.cutting import prepare
from ifcbase.clash.narrow.layout import EMPTY, GENERAL, OPEN, SOLID, Pieces
from ifcbase.ifc.meshset import MeshSet

#: Elements prepared at a time; bounds the scratch memory.
CHUNK = 2048


@dataclass(slots=True)
class Solids:
    """The pieces of some elements of a mesh set, and how each element was understood."""

    pieces: Pieces
    #: Elements whose pieces only approximate them, with the reason.
    approximate: dict[int, str]
    #: Pieces that are only the hull of a part, in ascending order.
    hulls: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pieces.state)


def build(meshes: MeshSet) -> Solids:
    """Cut every element into convex pieces; open surfaces become flat ones."""
    n = len(meshes)
    arrays = meshes.vertices, meshes.faces, meshes.vertex_offset, meshes.face_offset
    parts = [
        prepare(*arrays, np.arange(begin, min(n, begin + CHUNK), dtype=np.int64), False)
        for begin in range(0, max(n, 1), CHUNK)
    ]
    state = np.concatenate([p[0] for p in parts])
    ends = _join([p[1] for p in parts], 3)
    pends = _join([p[2] for p in parts], 3)
    columns = [np.concatenate([p[k] for p in parts]) for k in (3, 4, 5, 6, 7)]
    piece, ev_at, ee_at = _offsets(ends)
    pv_at, pp_at, pe_at = _offsets(pends)
    pieces = Pieces(
        state,
        meshes.aabb(),
        piece,
        np.empty((0, 6)),
        pv_at,
        pp_at,
        pe_at,
        columns[0],
        columns[1],
        columns[2],
        ev_at,
        ee_at,
        columns[3],
        columns[4],
        meshes.vertices,
        meshes.faces,
        meshes.vertex_offset,
        meshes.face_offset,
    )
    approximate: dict[int, str] = {}
    hulls = np.zeros(0, np.int64)
    waiting = np.flatnonzero(state == GENERAL)
    if len(waiting):
        pieces, approximate, hulls = general.fill(pieces, meshes, waiting)
    return Solids(pieces._replace(pbox=_boxes(pieces.pv, pieces.pv_at)), approximate, hulls)


def join(a: Solids, b: Solids) -> Solids:
    """All elements of a, then all of b."""
    p, q = a.pieces, b.pieces
    offsets = ("piece", "pv_at", "pp_at", "pe_at", "ev_at", "ee_at", "v_at", "f_at")
    fields = {}
    for name in Pieces._fields:
        x, y = getattr(p, name), getattr(q, name)
        fields[name] = np.concatenate([x, y[1:] + x[-1]] if name in offsets else [x, y])
    moved = {len(a) + e: why for e, why in b.approximate.items()}
    hulls = np.concatenate([a.hulls, b.hulls + len(p.pbox)])
    return Solids(Pieces(**fields), a.approximate | moved, hulls)


def _join(ends: list[npt.NDArray[np.int64]], width: int) -> npt.NDArray[np.int64]:
    """Row ends of several chunks as ends in their concatenation."""
    base = np.zeros(width, np.int64)
    out = []
    for part in ends:
        out.append(part + base)
        if len(part):
            base = out[-1][-1]
    return np.concatenate(out) if out else np.zeros((0, width), np.int64)


def _offsets(ends: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Ends (n, k) as k arrays of n + 1 offsets."""
    zero = np.zeros((1, ends.shape[1]), np.int64)
    return [np.ascontiguousarray(c) for c in np.concatenate([zero, ends]).T]


def _boxes(v: npt.NDArray[np.float64], at: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    if len(at) <= 1:
        return np.empty((0, 6))
    return np.concatenate(
        [np.minimum.reduceat(v, at[:-1], axis=0), np.maximum.reduceat(v, at[:-1], axis=0)], axis=1
    )


__all__ = ["EMPTY", "GENERAL", "OPEN", "SOLID", "Solids", "build"]
