"""Enclosure when a mesh is open: something may lie inside without meeting its surface.

Closed solids need none of this, their pieces fill them. For an open mesh that still wraps around
something, the generalised winding number (Jacobson, Kavan and Sorkine 2013) says how much: beyond
0.75 in magnitude is inside, beyond 0.25 undecided.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow import native
from ifcbase.clash.narrow.kinds import APART, BOUND, CLEARANCE, CONTAINED
from ifcbase.clash.narrow.solids import OPEN, Solids

INSIDE, UNSURE = 0.75, 0.25


def complete(
    s: Solids, pairs: npt.NDArray[np.int32], rows: npt.NDArray[np.float64]
) -> list[tuple[int, str]]:
    """Mark pairs apart by their surfaces where one is inside an open mesh; return the unsure."""
    unsure: list[tuple[int, str]] = []
    is_open = s.pieces.state == OPEN
    if not is_open.any():
        return unsure
    apart = np.isin(rows[:, 0], (APART, CLEARANCE))
    for o, i in ((0, 1), (1, 0)):
        wrap, held = s.pieces.box[pairs[:, o]], s.pieces.box[pairs[:, i]]
        nested = (wrap[:, :3] <= held[:, :3]).all(axis=1) & (wrap[:, 3:] >= held[:, 3:]).all(axis=1)
        for k in np.flatnonzero(apart & nested & is_open[pairs[:, o]]).tolist():
            outer, inner = int(pairs[k, o]), int(pairs[k, i])
            p = _a_point(s, inner)
            turns = _turns(p, *_mesh(s, outer))
            if turns > INSIDE:
                rows[k, 0], rows[k, 1] = CONTAINED, BOUND
                rows[k, 2] = _way_out(s.pieces.box[outer], s.pieces.box[inner])
                rows[k, 3 + 3 * i : 6 + 3 * i] = p
                rows[k, 3 + 3 * o : 6 + 3 * o] = _on_surface(s, outer, p)
            elif turns > UNSURE:
                unsure.append((k, f"an open mesh may enclose the other (winding {turns:.2f})"))
    return unsure


def _on_surface(s: Solids, e: int, p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    q = p.copy()
    native.pairs.to_surface(s.pieces, e, q)
    return q


def _turns(
    p: npt.NDArray[np.float64], v: npt.NDArray[np.float64], f: npt.NDArray[np.int32]
) -> float:
    out = np.zeros(1)
    native.pairs.winding(p, v, f, out)
    return abs(float(out[0]))


def _mesh(s: Solids, e: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    p = s.pieces
    return p.vertices[p.v_at[e] : p.v_at[e + 1]], p.faces[p.f_at[e] : p.f_at[e + 1]]


def _a_point(s: Solids, e: int) -> npt.NDArray[np.float64]:
    v, f = _mesh(s, e)
    point: npt.NDArray[np.float64] = v[f[0]].mean(axis=0)
    return point


def _way_out(wrap: npt.NDArray[np.float64], held: npt.NDArray[np.float64]) -> float:
    """An upper bound of the separation depth: out of the other's box along an axis."""
    return float(min((wrap[3:] - held[:3]).min(), (held[3:] - wrap[:3]).min()))
