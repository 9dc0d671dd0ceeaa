"""Compiled: what one pair of elements is to each other.

The meaning of every outcome is written in docs/explanation/clash-semantics.md.
"""

from __future__ import annotations

import numpy as np

from ifcbase.clash.narrow._convex import exit_along, minkowski, shortest, way_out
from ifcbase.clash.narrow._distance import distance, to_surface
from ifcbase.clash.narrow._kernel import kernel
from ifcbase.clash.narrow._pieces import SOLID
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

#: Faces of Minkowski bodies kept for one pair; more make the depth a bound.
ROOM = 400_000
#: Face tests the search for the shortest way out may spend on one pair.
WORK = 4_000_000
#: Rows of ``detect``: kind, measured, distance, p1, p2, lower bound of the depth.
COLUMNS = 10


@kernel
def detect(sa, sb, pairs, first, last, band, reach, out):
    """Fill rows first..last of out (n, COLUMNS) for pairs; kind 0 means further than reach."""
    hs = np.empty((4096, 4))
    points = np.empty(6)
    for k in range(first, last):
        a, b = pairs[k, 0], pairs[k, 1]
        row = out[k]
        row[:] = 0.0
        # One order for both directions, so that swapping the sides changes nothing.
        if _comes_first(sa, a, sb, b):
            hs = _pair(sa, a, sb, b, band, reach, row, hs, points)
        else:
            hs = _pair(sb, b, sa, a, band, reach, row, hs, points)
            for x in range(3):
                row[3 + x], row[6 + x] = row[6 + x], row[3 + x]


@kernel
def _comes_first(sa, a, sb, b):
    n, m = sa.v_at[a + 1] - sa.v_at[a], sb.v_at[b + 1] - sb.v_at[b]
    if n != m:
        return n < m
    for i in range(n):
        for x in range(3):
            p, q = sa.vertices[sa.v_at[a] + i, x], sb.vertices[sb.v_at[b] + i, x]
            if p != q:
                return p < q
    return True


@kernel
def _pair(sa, a, sb, b, band, reach, row, hs, points):
    near, depth, nx, ny, nz, pi, pj, single = _overlaps(sa, a, sb, b, band)
    if depth <= band:
        if not near and reach <= band:
            return hs
        gap = distance(sa, a, sb, b, max(reach, band), points)
        if gap <= band or (depth >= -band and depth > -1e-6):
            if gap > max(reach, band):
                return hs
            row[0], row[1], row[2] = TOUCHING, EXACT, gap
        elif gap <= reach:
            row[0], row[1], row[2] = CLEARANCE, EXACT, gap
        row[3:9] = points
        return hs
    measured, low = EXACT, depth
    if not single:
        hs, depth, low, nx, ny, nz, measured = _union_depth(sa, a, sb, b, band, hs)
    row[0] = _kind(sa, a, sb, b, band)
    row[1], row[2], row[9] = measured, depth, low
    _points(sa, a, sb, b, pi, pj, nx, ny, nz, row)
    return hs


@kernel
def _meet(p, q, margin):
    for x in range(3):
        if p[x] > q[x + 3] + margin or q[x] > p[x + 3] + margin:
            return False
    return True


@kernel
def _overlaps(sa, a, sb, b, band):
    """Deepest overlap of any two pieces: near, depth, normal, the pieces, and if they are all."""
    near = False
    best, bx, by, bz, bi, bj = -np.inf, 0.0, 0.0, 0.0, -1, -1
    none = np.empty((0, 4))
    for i in range(sa.piece[a], sa.piece[a + 1]):
        if not _meet(sa.pbox[i], sb.box[b], band):
            continue
        for j in range(sb.piece[b], sb.piece[b + 1]):
            if not _meet(sa.pbox[i], sb.pbox[j], band):
                continue
            n, h, x, y, z = minkowski(sa, i, sb, j, band, np.inf, False, none, 0)
            if n == -1:
                continue
            near = True
            if h > best:
                best, bx, by, bz, bi, bj = h, x, y, z, i, j
    single = sa.piece[a + 1] - sa.piece[a] == 1 and sb.piece[b + 1] - sb.piece[b] == 1
    return near, best, bx, by, bz, bi, bj, single


@kernel
def _boxes_out(sa, a, sb, b):
    """A length that surely separates the pair: the boxes' shortest way apart along an axis."""
    best = np.inf
    p, q = sa.box[a], sb.box[b]
    for x in range(3):
        best = min(best, q[x + 3] - p[x], p[x + 3] - q[x])
    return best


@kernel
def _union_depth(sa, a, sb, b, band, hs):
    """Separation depth of two unions of pieces.

    Returns the scratch rows (grown), depth, a proven lower bound of it, the way out, and how it
    was measured.
    """
    reach = _boxes_out(sa, a, sb, b) + 2.0 * band
    na, nb = sa.piece[a + 1] - sa.piece[a], sb.piece[b + 1] - sb.piece[b]
    start = np.empty(na * nb + 1, np.int64)
    tight = np.empty((na * nb, 4))
    while True:
        count, at, full = 0, 0, False
        start[0] = 0
        for i in range(sa.piece[a], sa.piece[a + 1]):
            if not _meet(sa.pbox[i], sb.box[b], reach):
                continue
            for j in range(sb.piece[b], sb.piece[b + 1]):
                if not _meet(sa.pbox[i], sb.pbox[j], reach):
                    continue
                n, h, x, y, z = minkowski(sa, i, sb, j, reach, reach, True, hs, at)
                if n == -2:
                    full = True
                    break
                if n < 0:
                    continue
                tight[count, 0], tight[count, 1], tight[count, 2], tight[count, 3] = x, y, z, h
                at += n
                count += 1
                start[count] = at
            if full:
                break
        if not full:
            break
        if len(hs) >= ROOM:
            return hs, reach, band, 0.0, 0.0, 1.0, BOUND
        hs = np.empty((4 * len(hs), 4))
    # A length that suffices: straight ways out along the faces crossed first.
    bound, ux, uy, uz, face = np.inf, 0.0, 0.0, 0.0, -1
    order = np.argsort(-tight[:count, 3])
    tried = 0
    for k in order:
        if tight[k, 3] <= band or tried >= 24:
            break
        tried += 1
        x, y, z = tight[k, 0], tight[k, 1], tight[k, 2]
        t, f = exit_along(hs, start, count, x, y, z, band, bound)
        if t < bound:
            bound, ux, uy, uz, face = t, x, y, z, f
    if face < 0:
        bound = reach
    t, x, y, z, proven, rows, m = way_out(hs, start, count, band, bound, WORK)
    measured = EXACT if proven else BOUND
    low = tight[order[0], 3]
    if t < np.inf:
        if m > 0:
            full_t, fx, fy, fz = shortest(hs, rows, m, 0.0)
            if full_t < np.inf:
                t, x, y, z = full_t, fx, fy, fz
        return hs, t, (t if proven else low), x / t, y / t, z / t, measured
    if face >= 0:
        c = hs[face, 0] * ux + hs[face, 1] * uy + hs[face, 2] * uz
        t = hs[face, 3] / c
        return hs, t, (t if proven else low), ux, uy, uz, measured
    return hs, reach, low, 0.0, 0.0, 1.0, BOUND


# --- kinds ---------------------------------------------------------------------------------------


@kernel
def _kind(sa, a, sb, b, band):
    if sa.state[a] != SOLID or sb.state[b] != SOLID:
        return COLLISION
    a_in_b = _inside(sa, a, sb, b, band)
    b_in_a = _inside(sb, b, sa, a, band)
    if a_in_b and b_in_a:
        return DUPLICATE
    if a_in_b or b_in_a:
        return CONTAINED
    va, ea = _ways_in(sa, a, sb, b, band)
    vb, eb = _ways_in(sb, b, sa, a, band)
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
def _inside(sa, a, sb, b, band):
    """True if A lies in B to within the band: its edges do, and no edge of B enters A."""
    p, q = sa.box[a], sb.box[b]
    for x in range(3):
        if p[x] < q[x] - band or p[x + 3] > q[x + 3] + band:
            return False
    k0, k1 = sb.piece[b], sb.piece[b + 1]
    spans = np.empty((k1 - k0 + sa.piece[a + 1] - sa.piece[a] + 1, 2))
    for e in range(sa.ee_at[a], sa.ee_at[a + 1]):
        u = sa.ev[sa.ev_at[a] + sa.ee[e, 0]]
        w = sa.ev[sa.ev_at[a] + sa.ee[e, 1]]
        n = _stretches(sb, k0, k1, u, w, band, band, spans)
        if n != 1 or spans[0, 0] > 1e-9 or spans[0, 1] < 1.0 - 1e-9:
            return False
    k0, k1 = sa.piece[a], sa.piece[a + 1]
    for e in range(sb.ee_at[b], sb.ee_at[b + 1]):
        u = sb.ev[sb.ev_at[b] + sb.ee[e, 0]]
        w = sb.ev[sb.ev_at[b] + sb.ee[e, 1]]
        long = np.sqrt((u[0] - w[0]) ** 2 + (u[1] - w[1]) ** 2 + (u[2] - w[2]) ** 2)
        n = _stretches(sa, k0, k1, u, w, -band, 1e-6, spans)
        for i in range(n):
            if (spans[i, 1] - spans[i, 0]) * long > band:
                return False
    return True


@kernel
def _ways_in(sa, a, sb, b, band):
    """Whether a corner of A lies inside B, and whether an edge of A goes in and out again."""
    corner, through = False, False
    k0, k1 = sb.piece[b], sb.piece[b + 1]
    spans = np.empty((k1 - k0 + 1, 2))
    for e in range(sa.ee_at[a], sa.ee_at[a + 1]):
        u = sa.ev[sa.ev_at[a] + sa.ee[e, 0]]
        w = sa.ev[sa.ev_at[a] + sa.ee[e, 1]]
        long = np.sqrt((u[0] - w[0]) ** 2 + (u[1] - w[1]) ** 2 + (u[2] - w[2]) ** 2)
        n = _stretches(sb, k0, k1, u, w, -band, 1e-6, spans)
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
def _points(sa, a, sb, b, i, j, x, y, z, row):
    """p1: where A reaches furthest into B against the way out; p2 the same for B."""
    low, high = np.inf, -np.inf
    ends = np.empty((2 * (sa.pe_at[i + 1] - sa.pe_at[i] + sb.pe_at[j + 1] - sb.pe_at[j]), 3))
    n = 0
    for side in range(2):
        s, k, o, w = (sa, i, sb, j) if side == 0 else (sb, j, sa, i)
        for e in range(s.pe_at[k], s.pe_at[k + 1]):
            p = s.pv[s.pv_at[k] + s.pe[e, 0]]
            q = s.pv[s.pv_at[k] + s.pe[e, 1]]
            t0, t1 = _clip(o, w, p, q, 1e-9, 1e-9)
            if t0 > t1:
                continue
            for t in (t0, t1):
                ends[n, 0] = p[0] + t * (q[0] - p[0])
                ends[n, 1] = p[1] + t * (q[1] - p[1])
                ends[n, 2] = p[2] + t * (q[2] - p[2])
                d = x * ends[n, 0] + y * ends[n, 1] + z * ends[n, 2]
                low, high = min(low, d), max(high, d)
                n += 1
    near = 1e-6 + 1e-3 * (high - low)
    for side in range(2):
        p = row[3 + 3 * side : 6 + 3 * side]
        p[:] = 0.0
        seen = np.empty((n, 3))
        m = 0
        for k in range(n):
            d = x * ends[k, 0] + y * ends[k, 1] + z * ends[k, 2]
            if (d - low if side == 0 else high - d) > near:
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
                seen[m] = ends[k]
                m += 1
        for g in range(m):
            p += seen[g] / m
        if m == 0:
            p[:] = 0.5 * (sa.pbox[i, :3] + sa.pbox[i, 3:])
        if side == 0:
            to_surface(sa, a, p)
        else:
            to_surface(sb, b, p)
