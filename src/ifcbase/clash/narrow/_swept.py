# Kernels are typed by numba from the arrays they get.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Compiled: bodies swept along a direction, and open surfaces, as convex pieces."""

from __future__ import annotations

import numpy as np

from ifcbase.clash.narrow._kernel import kernel
from ifcbase.clash.narrow._mesh import height
from ifcbase.clash.narrow._small import ascending, cross, dot, put
from ifcbase.clash.narrow.layout import WELD

#: Sides shorter than this (metres) have no direction.
SLIVER_SIDE = 1e-9


@kernel
def add_edge(pe, at, a, b, p, q):
    row = pe[at[3]]
    row[0], row[1], row[2], row[3] = a, b, p, q
    at[3] += 1


@kernel
def close_piece(pends, at):
    pends[at[0], 0], pends[at[0], 1], pends[at[0], 2] = at[1], at[2], at[3]
    at[0] += 1


@kernel
def swept(v, f, twin, comp, c, of, pl, pcomp, parea, vol, pends, pv, pp, pe, at):
    """Cut a body swept along a direction, one end of it flat; False if it is none."""
    less = np.empty(len(pl))
    own = 0
    for p in range(len(pl)):
        less[p] = np.inf
        if pcomp[p] == c:
            less[p] = -parea[p]
            own += 1
    order = ascending(less, len(pl))
    d = np.empty(3)
    tried = np.empty((16, 3))
    zero = np.zeros(3)
    n = 0
    for x in range(min(10, own)):
        n = _add_direction(tried, n, pl[order[x]])
    for x in range(min(3, own)):
        for y in range(x):
            cross(zero, pl[order[x]], zero, pl[order[y]], d)
            n = _add_direction(tried, n, d)
    for x in range(n):
        put(d, tried[x], 3)
        low, high = np.inf, -np.inf
        for i in range(len(f)):
            if comp[i] == c:
                for k in range(3):
                    s = v[f[i, k], 0] * d[0] + v[f[i, k], 1] * d[1] + v[f[i, k], 2] * d[2]
                    low, high = min(low, s), max(high, s)
        tops, bottoms, top, bottom = 0, 0, -1, -1
        for k in range(own):
            p = order[k]
            s = pl[p, 0] * d[0] + pl[p, 1] * d[1] + pl[p, 2] * d[2]
            if abs(s) * (high - low) <= 2.0 * WELD:
                continue
            if s > 0.0:
                tops += 1
                top = p
            else:
                bottoms += 1
                bottom = p
        if bottoms == 1 and tops >= 1:
            if _wedges(v, f, twin, comp, c, of, pl, d, bottom, vol, pends, pv, pp, pe, at):
                return True
        elif tops == 1 and bottoms >= 1:
            for k in range(3):
                d[k] = -d[k]
            if _wedges(v, f, twin, comp, c, of, pl, d, top, vol, pends, pv, pp, pe, at):
                return True
    return False


@kernel
def _add_direction(tried, n, d):
    length = np.sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
    if n >= len(tried) or length < 1e-3:
        return n
    for i in range(n):
        s = (tried[i, 0] * d[0] + tried[i, 1] * d[1] + tried[i, 2] * d[2]) / length
        if abs(s) > 1.0 - 1e-12:
            return n
    for x in range(3):
        tried[n, x] = d[x] / length
    return n + 1


@kernel
def join_coplanar(v, f, twin, of, pl, use):
    """Join faces of one plane into convex polygons; next half-edge of each, -1 where dropped."""
    m = 3 * len(f)
    nxt = np.full(m, -1, np.int64)
    prv = np.full(m, -1, np.int64)
    poly = np.empty(len(f), np.int64)
    for i in range(len(f)):
        poly[i] = i
    for i in range(len(f)):
        if not use[i]:
            continue
        for k in range(3):
            nxt[3 * i + k] = 3 * i + (k + 1) % 3
            prv[3 * i + k] = 3 * i + (k + 2) % 3
    for a in range(m):
        b = twin[a]
        if b < a or nxt[a] < 0 or nxt[b] < 0 or of[a // 3] != of[b // 3]:
            continue
        x, y = a // 3, b // 3
        while poly[x] != x:
            x = poly[x]
        while poly[y] != y:
            y = poly[y]
        if x == y:
            continue
        normal = pl[of[a // 3]]
        if not _turns(v, f, normal, prv[a], nxt[b]) or not _turns(v, f, normal, prv[b], nxt[a]):
            continue
        poly[y] = x
        nxt[prv[a]], prv[nxt[b]] = nxt[b], prv[a]
        nxt[prv[b]], prv[nxt[a]] = nxt[a], prv[b]
        nxt[a], nxt[b] = -1, -1
    return nxt


@kernel
def _turns(v, f, n, a, b):
    """True if the corner from half-edge a to b is convex or straight (to 1 um)."""
    a0, a1 = v[f[a // 3, a % 3]], v[f[a // 3, (a % 3 + 1) % 3]]
    b0, b1 = v[f[b // 3, b % 3]], v[f[b // 3, (b % 3 + 1) % 3]]
    ux, uy, uz = a1[0] - a0[0], a1[1] - a0[1], a1[2] - a0[2]
    wx, wy, wz = b1[0] - b0[0], b1[1] - b0[1], b1[2] - b0[2]
    cross = n[0] * (uy * wz - uz * wy) + n[1] * (uz * wx - ux * wz) + n[2] * (ux * wy - uy * wx)
    longest = np.sqrt(max(ux * ux + uy * uy + uz * uz, wx * wx + wy * wy + wz * wz))
    return cross >= -1e-6 * longest


@kernel
def _wedges(v, f, twin, comp, c, of, pl, d, bottom, vol, pends, pv, pp, pe, at):
    """A convex wedge for every polygon of the top, down to the bottom plane along d."""
    b0, b1, b2, b3 = at[0], at[1], at[2], at[3]
    use = np.zeros(len(f), np.bool_)
    slope = pl[bottom, 0] * d[0] + pl[bottom, 1] * d[1] + pl[bottom, 2] * d[2]
    for i in range(len(f)):
        if comp[i] == c and of[i] >= 0:
            p = pl[of[i]]
            use[i] = p[0] * d[0] + p[1] * d[1] + p[2] * d[2] > 1e-6
    # Side faces are steep, not top: their planes were told apart by their rise over the body.
    for i in range(len(f)):
        if use[i]:
            lo, hi = np.inf, -np.inf
            p = pl[of[i]]
            s = p[0] * d[0] + p[1] * d[1] + p[2] * d[2]
            for k in range(3):
                w = v[f[i, k]]
                x = w[0] * d[0] + w[1] * d[1] + w[2] * d[2]
                lo, hi = min(lo, x), max(hi, x)
            if s * (hi - lo) <= 2.0 * WELD and s < 0.01:
                use[i] = False
    nxt = join_coplanar(v, f, twin, of, pl, use)
    done = np.zeros(3 * len(f), np.bool_)
    ring = np.empty(3 * len(f), np.int64)
    total = 0.0
    for h0 in range(3 * len(f)):
        if nxt[h0] < 0 or done[h0]:
            continue
        m = 0
        h = h0
        while not done[h]:
            done[h] = True
            ring[m] = h
            m += 1
            h = nxt[h]
        total += _wedge(v, f, twin, of, pl, d, bottom, slope, ring[:m], use, pv, pp, pe, at)
        close_piece(pends, at)
    if abs(total - vol) > 1e-4 * vol + 1e-9:
        at[0], at[1], at[2], at[3] = b0, b1, b2, b3
        return False
    return True


@kernel
def _wedge(v, f, twin, of, pl, d, bottom, slope, ring, use, pv, pp, pe, at):
    """One wedge; returns its volume."""
    m = len(ring)
    top = pl[of[ring[0] // 3]]
    base_v, base_p = at[1], at[2]
    for k in range(m):
        w = v[f[ring[k] // 3, ring[k] % 3]]
        drop = height(pl[bottom], w) / slope
        put(pv[base_v + k], w, 3)
        pv[base_v + m + k, 0] = w[0] - drop * d[0]
        pv[base_v + m + k, 1] = w[1] - drop * d[1]
        pv[base_v + m + k, 2] = w[2] - drop * d[2]
    put(pp[base_p], top, 4)
    put(pp[base_p + 1], pl[bottom], 4)
    s = np.empty(3)
    zero = np.zeros(3)
    pp[base_p, 4], pp[base_p + 1, 4] = 1.0, 1.0
    ns = 0
    side = np.full(m, -1, np.int64)
    for k in range(m):
        a, b = pv[base_v + k], pv[base_v + (k + 1) % m]
        length = cross(a, b, zero, d, s)
        if length < SLIVER_SIDE:
            continue
        for x in range(3):
            s[x] /= length
        t = twin[ring[k]]
        real = 0.0 if t >= 0 and use[t // 3] else 1.0
        if ns > 0 and real == pp[base_p + 1 + ns, 4]:
            q = pp[base_p + 1 + ns]
            if s[0] * q[0] + s[1] * q[1] + s[2] * q[2] > 1.0 - 1e-12:
                side[k] = 1 + ns
                continue
        row = pp[base_p + 2 + ns]
        put(row, s, 3)
        row[4] = real
        ns += 1
        side[k] = 1 + ns
    for p in range(2 + ns):
        row = pp[base_p + p]
        row[3] = -np.inf
        for k in range(2 * m):
            w = pv[base_v + k]
            row[3] = max(row[3], row[0] * w[0] + row[1] * w[1] + row[2] * w[2])
    last = -1
    for k in range(m):
        if side[k] >= 0:
            last = side[k]
    for k in range(m):
        if side[k] >= 0:
            add_edge(pe, at, k, (k + 1) % m, 0, side[k])
            add_edge(pe, at, m + k, m + (k + 1) % m, 1, side[k])
            if side[k] != last:
                add_edge(pe, at, k, m + k, last, side[k])
            last = side[k]
    at[1] += 2 * m
    at[2] += 2 + ns
    volume = 0.0
    for k in range(1, m - 1):
        # Prism of a triangle of the top: its area seen along d times its mean height.
        a, b, c = pv[base_v], pv[base_v + k], pv[base_v + k + 1]
        cross(a, b, a, c, s)
        seen = 0.5 * dot(s, d)
        h = (
            dot(a, d)
            - dot(pv[base_v + m], d)
            + dot(b, d)
            - dot(pv[base_v + m + k], d)
            + dot(c, d)
            - dot(pv[base_v + m + k + 1], d)
        ) / 3.0
        volume += seen * h
    return volume


@kernel
def flat_pieces(v, f, twin, of, pl, pends, pv, pp, pe, at):
    """Every convex polygon of an open surface as a piece without thickness."""
    use = np.empty(len(f), np.bool_)
    for i in range(len(f)):
        use[i] = of[i] >= 0
    s = np.empty(3)
    zero = np.zeros(3)
    nxt = join_coplanar(v, f, twin, of, pl, use)
    done = np.zeros(3 * len(f), np.bool_)
    for h0 in range(3 * len(f)):
        if nxt[h0] < 0 or done[h0]:
            continue
        n = pl[of[h0 // 3]]
        base_v, base_p = at[1], at[2]
        m = 0
        h = h0
        while not done[h]:
            done[h] = True
            put(pv[base_v + m], v[f[h // 3, h % 3]], 3)
            m += 1
            h = nxt[h]
        for x in range(3):
            pp[base_p, x], pp[base_p + 1, x] = n[x], -n[x]
        pp[base_p, 4], pp[base_p + 1, 4] = 1.0, 1.0
        ns = 0
        for k in range(m):
            length = cross(pv[base_v + k], pv[base_v + (k + 1) % m], zero, n, s)
            if length < SLIVER_SIDE:
                continue
            for x in range(3):
                pp[base_p + 2 + ns, x] = s[x] / length
            pp[base_p + 2 + ns, 4] = 0.0
            add_edge(pe, at, k, (k + 1) % m, 0, 2 + ns)
            add_edge(pe, at, k, (k + 1) % m, 1, 2 + ns)
            ns += 1
        for p in range(2 + ns):
            row = pp[base_p + p]
            row[3] = -np.inf
            for k in range(m):
                w = pv[base_v + k]
                row[3] = max(row[3], row[0] * w[0] + row[1] * w[1] + row[2] * w[2])
        at[1] += m
        at[2] += 2 + ns
        close_piece(pends, at)
