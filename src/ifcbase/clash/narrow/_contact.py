# Kernels are typed by numba from the arrays they get.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Compiled: what one pair of elements is to each other.

The meaning of every outcome is written in docs/explanation/clash-semantics.md.
"""

from __future__ import annotations

import numpy as np

from ifcbase.clash.narrow._boxes import near
from ifcbase.clash.narrow._convex import exit_along, minkowski, way_out
from ifcbase.clash.narrow._distance import distance, to_surface
from ifcbase.clash.narrow._kernel import kernel
from ifcbase.clash.narrow._small import ascending, put
from ifcbase.clash.narrow.kinds import (
    BOUND,
    CLEARANCE,
    COLLISION,
    CONTAINED,
    DUPLICATE,
    EXACT,
    PIERCE,
    PROTRUSION,
    TOUCHING,
)
from ifcbase.clash.narrow.layout import (
    AT_LEAST,
    DISTANCE,
    KIND,
    MEASURED,
    P1,
    P2,
    PIECES,
    SOLID,
    WAY,
)

#: Faces of Minkowski bodies kept for one pair; more make the depth a bound.
ROOM = 1_000_000

# The stages are called one after the other from Python, each over many pairs: compiled as one
# function they would take several times as long to compile.


@kernel
def overlaps(s, pairs, chosen, band, rows):
    """First stage: the deepest overlap of any two pieces of each pair.

    Leaves in the row: the kind (TOUCHING: not further than about the band, to be measured;
    COLLISION: overlap beyond the band, to be told apart; 0: further than the band), the depth
    of that overlap and its normal, and whether it is the whole answer (EXACT).
    """
    none = np.empty((0, 5))
    for r in chosen:
        a, b = pairs[r, 0], pairs[r, 1]
        row = rows[r]
        depth = -np.inf
        for i in range(s.piece[a], s.piece[a + 1]):
            if not near(s.pbox[i], s.box[b], band):
                continue
            for j in range(s.piece[b], s.piece[b + 1]):
                if not near(s.pbox[i], s.pbox[j], band):
                    continue
                n, h, x, y, z = minkowski(s, i, j, band, np.inf, False, none, 0)
                if n >= 0 and h > depth:
                    depth = h
                    row[DISTANCE], row[AT_LEAST] = h, h
                    row[WAY], row[WAY + 1], row[WAY + 2] = x, y, z
                    row[PIECES], row[PIECES + 1] = i, j
        if depth > band:
            row[KIND] = COLLISION
            if s.piece[a + 1] - s.piece[a] == 1 and s.piece[b + 1] - s.piece[b] == 1:
                row[MEASURED] = EXACT
        elif depth > -np.inf:
            row[KIND] = TOUCHING


@kernel
def gaps(s, pairs, chosen, band, reach, rows):
    """Distance of the surfaces of pairs that do not overlap, if not above reach (or the band)."""
    points = np.empty(6)
    for r in chosen:
        row = rows[r]
        row[KIND] = 0
        gap = distance(s, pairs[r, 0], pairs[r, 1], max(reach, band), points)
        if gap <= band:
            row[KIND] = TOUCHING
        elif gap <= reach:
            row[KIND] = CLEARANCE
        else:
            continue
        row[MEASURED], row[DISTANCE], row[AT_LEAST] = EXACT, gap, 0.0
        put(row[P1 : P2 + 3], points, 6)


@kernel
def depths(s, pairs, chosen, band, rows):
    """Separation depth of pairs of which at least one element has several pieces."""
    hs = np.empty((4096, 5))
    for r in chosen:
        hs = _union_depth(s, pairs[r, 0], pairs[r, 1], band, hs, rows[r])


@kernel
def _no_way(row, reach):
    """Only the boxes' way out is known: a bound."""
    row[MEASURED], row[DISTANCE] = BOUND, reach
    for x in range(3):
        row[WAY + x] = 0.0


@kernel
def _union_depth(s, a, b, band, hs, row):
    """Separation depth of two unions of pieces; returns the scratch rows, grown if need be."""
    # No way out is longer than that of the boxes: only for pruning, never an answer.
    reach = np.inf
    for x in range(3):
        p, q = s.box[a], s.box[b]
        reach = min(reach, min(q[x + 3] - p[x], p[x + 3] - q[x]))
    reach += 2.0 * band
    na, nb = s.piece[a + 1] - s.piece[a], s.piece[b + 1] - s.piece[b]
    start = np.empty(na * nb + 1, np.int64)
    tight = np.empty((na * nb, 4))
    around = np.empty((na * nb, 6))
    while True:
        count, at, full = 0, 0, False
        start[0] = 0
        for i in range(s.piece[a], s.piece[a + 1]):
            if full or not near(s.pbox[i], s.box[b], reach):
                continue
            for j in range(s.piece[b], s.piece[b + 1]):
                if not near(s.pbox[i], s.pbox[j], reach):
                    continue
                n, h, x, y, z = minkowski(s, i, j, reach, reach, True, hs, at)
                if n == -2:
                    full = True
                    break
                if n < 0:
                    continue
                tight[count, 0], tight[count, 1], tight[count, 2], tight[count, 3] = x, y, z, h
                for c in range(3):
                    around[count, c] = s.pbox[j, c] - s.pbox[i, c + 3]
                    around[count, c + 3] = s.pbox[j, c + 3] - s.pbox[i, c]
                at += n
                count += 1
                start[count] = at
        if not full:
            break
        if len(hs) >= ROOM:
            _no_way(row, reach)
            return hs
        hs = np.empty((4 * len(hs), 5))
    # A length that suffices: straight ways out across the nearest faces.
    bound, ux, uy, uz, face = np.inf, 0.0, 0.0, 0.0, -1
    less = np.empty(count)
    for k in range(count):
        less[k] = -tight[k, 3]
    order = ascending(less, count)
    for g in range(min(count, 8)):
        k = order[g]
        if tight[k, 3] <= band:
            break
        x, y, z = tight[k, 0], tight[k, 1], tight[k, 2]
        t, f = exit_along(hs, start, around, count, x, y, z, band, bound)
        if t < bound:
            bound, ux, uy, uz, face = t, x, y, z, f
    out = np.zeros(4)
    low = tight[order[0], 3]
    found, complete = way_out(hs, start, around, count, band, low, min(bound, reach), out)
    if not found:
        if face < 0:
            _no_way(row, reach)
            return hs
        c = hs[face, 0] * ux + hs[face, 1] * uy + hs[face, 2] * uz
        out[0] = hs[face, 3] / c
        out[1], out[2], out[3] = out[0] * ux, out[0] * uy, out[0] * uz
    row[MEASURED] = EXACT if complete else BOUND
    row[DISTANCE] = out[0]
    if complete:
        row[AT_LEAST] = out[0]
    for x in range(3):
        row[WAY + x] = out[1 + x] / out[0]
    return hs


# --- kinds ---------------------------------------------------------------------------------------


@kernel
def kinds(s, pairs, chosen, band, rows):
    """What each overlapping pair is to each other."""
    for r in chosen:
        rows[r, KIND] = _kind(s, pairs[r, 0], pairs[r, 1], band)


@kernel
def _kind(s, a, b, band):
    if s.state[a] != SOLID or s.state[b] != SOLID:
        return COLLISION
    a_in_b = _inside(s, a, b, band)
    b_in_a = _inside(s, b, a, band)
    if a_in_b and b_in_a:
        return DUPLICATE
    if a_in_b or b_in_a:
        return CONTAINED
    va, ea = _ways_in(s, a, b, band)
    vb, eb = _ways_in(s, b, a, band)
    if (ea or eb) and not (va or vb):
        return PIERCE
    return PROTRUSION


@kernel
def _clip(s, k, p, q, outer, inner):
    """Part of the segment pq inside piece k: real faces moved out by outer, others by inner."""
    t0, t1 = 0.0, 1.0
    for r in range(s.pp_at[k], s.pp_at[k + 1]):
        h = s.pp[r, 3] + (outer if s.pp[r, 4] > 0.0 else inner)
        dp = h - (s.pp[r, 0] * p[0] + s.pp[r, 1] * p[1] + s.pp[r, 2] * p[2])
        dq = h - (s.pp[r, 0] * q[0] + s.pp[r, 1] * q[1] + s.pp[r, 2] * q[2])
        if dp < 0.0 and dq < 0.0:
            return 1.0, 0.0
        if dp < 0.0:
            t0 = max(t0, dp / (dp - dq))
        elif dq < 0.0:
            t1 = min(t1, dp / (dp - dq))
        if t0 > t1:
            return 1.0, 0.0
    return t0, t1


@kernel
def _stretches(s, k0, k1, p, q, outer, inner, spans):
    """Merged parts of pq inside the pieces k0..k1, to spans; their number."""
    n = 0
    for k in range(k0, k1):
        t0, t1 = _clip(s, k, p, q, outer, inner)
        if t0 > t1:
            continue
        if n >= len(spans):
            return -1
        i = n
        while i > 0 and spans[i - 1, 0] > t0:
            spans[i, 0], spans[i, 1] = spans[i - 1, 0], spans[i - 1, 1]
            i -= 1
        spans[i, 0], spans[i, 1] = t0, t1
        n += 1
    m = 0
    for i in range(n):
        if m > 0 and spans[i, 0] <= spans[m - 1, 1] + 1e-9:
            spans[m - 1, 1] = max(spans[m - 1, 1], spans[i, 1])
        else:
            spans[m, 0], spans[m, 1] = spans[i, 0], spans[i, 1]
            m += 1
    return m


@kernel
def _inside(s, a, b, band):
    """True if A lies in B to within the band: its edges do, and no edge of B enters A."""
    p, q = s.box[a], s.box[b]
    for x in range(3):
        if p[x] < q[x] - band or p[x + 3] > q[x + 3] + band:
            return False
    k0, k1 = s.piece[b], s.piece[b + 1]
    spans = np.empty((k1 - k0 + s.piece[a + 1] - s.piece[a] + 1, 2))
    for e in range(s.ee_at[a], s.ee_at[a + 1]):
        u = s.ev[s.ev_at[a] + s.ee[e, 0]]
        w = s.ev[s.ev_at[a] + s.ee[e, 1]]
        n = _stretches(s, k0, k1, u, w, band, band, spans)
        if n != 1 or spans[0, 0] > 1e-9 or spans[0, 1] < 1.0 - 1e-9:
            return False
    k0, k1 = s.piece[a], s.piece[a + 1]
    for e in range(s.ee_at[b], s.ee_at[b + 1]):
        u = s.ev[s.ev_at[b] + s.ee[e, 0]]
        w = s.ev[s.ev_at[b] + s.ee[e, 1]]
        long = np.sqrt((u[0] - w[0]) ** 2 + (u[1] - w[1]) ** 2 + (u[2] - w[2]) ** 2)
        n = _stretches(s, k0, k1, u, w, -band, 1e-6, spans)
        for i in range(n):
            if (spans[i, 1] - spans[i, 0]) * long > band:
                return False
    return True


@kernel
def _ways_in(s, a, b, band):
    """Whether a corner of A lies inside B, and whether an edge of A goes in and out again."""
    corner, through = False, False
    k0, k1 = s.piece[b], s.piece[b + 1]
    spans = np.empty((k1 - k0 + 1, 2))
    for e in range(s.ee_at[a], s.ee_at[a + 1]):
        u = s.ev[s.ev_at[a] + s.ee[e, 0]]
        w = s.ev[s.ev_at[a] + s.ee[e, 1]]
        long = np.sqrt((u[0] - w[0]) ** 2 + (u[1] - w[1]) ** 2 + (u[2] - w[2]) ** 2)
        n = _stretches(s, k0, k1, u, w, -band, 1e-6, spans)
        for i in range(n):
            if (spans[i, 1] - spans[i, 0]) * long <= band:
                continue
            if spans[i, 0] <= 1e-9 or spans[i, 1] >= 1.0 - 1e-9:
                corner = True
            elif spans[i, 0] * long > 3.0 * band and (1.0 - spans[i, 1]) * long > 3.0 * band:
                through = True
        if corner and through:
            break
    return corner, through


# --- points --------------------------------------------------------------------------------------


@kernel
def points(s, pairs, chosen, rows):
    """p1: where A reaches furthest into B, against the way out; p2 the same for B."""
    for r in chosen:
        _points(s, pairs[r, 0], pairs[r, 1], rows[r])


@kernel
def _points(s, a, b, row):
    i, j = int(row[PIECES]), int(row[PIECES + 1])
    x, y, z = row[WAY], row[WAY + 1], row[WAY + 2]
    low, high = np.inf, -np.inf
    ends = np.empty((2 * (s.pe_at[i + 1] - s.pe_at[i] + s.pe_at[j + 1] - s.pe_at[j]), 3))
    n = 0
    for side in range(2):
        k, w = (i, j) if side == 0 else (j, i)
        for e in range(s.pe_at[k], s.pe_at[k + 1]):
            p = s.pv[s.pv_at[k] + s.pe[e, 0]]
            q = s.pv[s.pv_at[k] + s.pe[e, 1]]
            t0, t1 = _clip(s, w, p, q, 1e-9, 1e-9)
            if t0 > t1:
                continue
            for t in (t0, t1):
                ends[n, 0] = p[0] + t * (q[0] - p[0])
                ends[n, 1] = p[1] + t * (q[1] - p[1])
                ends[n, 2] = p[2] + t * (q[2] - p[2])
                d = x * ends[n, 0] + y * ends[n, 1] + z * ends[n, 2]
                low, high = min(low, d), max(high, d)
                n += 1
    rim = 1e-6 + 1e-3 * (high - low)
    for side in range(2):
        p = row[P1 + 3 * side : P2 + 3 * side]
        for c in range(3):
            p[c] = 0.0
        seen = np.empty((n, 3))
        m = 0
        for k in range(n):
            d = x * ends[k, 0] + y * ends[k, 1] + z * ends[k, 2]
            if (d - low if side == 0 else high - d) > rim:
                continue
            fresh = True
            for g in range(m):
                if (
                    abs(seen[g, 0] - ends[k, 0])
                    + abs(seen[g, 1] - ends[k, 1])
                    + abs(seen[g, 2] - ends[k, 2])
                    < 1e-6
                ):
                    fresh = False
                    break
            if fresh:
                put(seen[m], ends[k], 3)
                m += 1
        for g in range(m):
            for c in range(3):
                p[c] += seen[g, c] / m
        if m == 0:
            for c in range(3):
                p[c] = 0.5 * (s.pbox[i, c] + s.pbox[i, c + 3])
        if side == 0:
            to_surface(s, a, p)
        else:
            to_surface(s, b, p)
