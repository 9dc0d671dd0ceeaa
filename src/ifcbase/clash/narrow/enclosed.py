"""Enclosure when a mesh is open: something may lie inside without meeting its surface.

Closed solids need none of this, their pieces fill them. For an open mesh that still wraps around
something, the generalised winding number (Jacobson, Kavan and Sorkine 2013) says how much: beyond
0.75 in magnitude is inside, beyond 0.25 undecided.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow._mesh import winding
from ifcbase.clash.narrow.kinds import APART, BOUND, CLEARANCE, CONTAINED
from ifcbase.clash.narrow.solids import OPEN, Solids

INSIDE, UNSURE = 0.75, 0.25


def complete(
    sa: Solids, sb: Solids, pairs: npt.NDArray[np.int32], rows: npt.NDArray[np.float64]
) -> list[tuple[int, str]]:
    """Mark pairs apart by their surfaces where one is inside an open mesh; return the unsure."""
    unsure: list[tuple[int, str]] = []
    if not ((sa.pieces.state == OPEN).any() or (sb.pieces.state == OPEN).any()):
        return unsure
    apart = np.isin(rows[:, 0], (APART, CLEARANCE))
    for outer, inner, o, i in ((sa, sb, 0, 1), (sb, sa, 1, 0)):
        wrap = outer.pieces.box[pairs[:, o]]
        held = inner.pieces.box[pairs[:, i]]
        nested = (wrap[:, :3] <= held[:, :3]).all(axis=1) & (wrap[:, 3:] >= held[:, 3:]).all(axis=1)
        for k in np.flatnonzero(apart & nested & (outer.pieces.state[pairs[:, o]] == OPEN)):
            p = _a_point(inner, int(pairs[k, i]))
            v, f = _mesh(outer, int(pairs[k, o]))
            turns = abs(winding(p, v, f, np.zeros(0, np.int64), -1))
            if turns > INSIDE:
                rows[k, 0], rows[k, 1] = CONTAINED, BOUND
                rows[k, 2] = _way_out(outer.pieces.box[pairs[k, o]], inner.pieces.box[pairs[k, i]])
                rows[k, 3:6] = rows[k, 6:9] = p
            elif turns > UNSURE:
                unsure.append((int(k), f"an open mesh may enclose the other (winding {turns:.2f})"))
    return unsure


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
