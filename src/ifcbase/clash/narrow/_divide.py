# Kernels are typed by numba from the arrays they get.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Compiled: a closed body cut along the planes of its own hollows until every part is convex.

A body is a list of directed edges (face, from, to): of each face those around it, outer rings one
way round and holes the other. A cut keeps what lies on one side; what is missing then follows from
counting: along the line in which a face was cut, every vertex must be left as often as it is
entered, and the new face is whatever closes the rest. Nothing is triangulated and no case is
special; that the volumes add up is checked by ``dividing.py``, which calls this.
"""

from __future__ import annotations

import numpy as np

from ifcbase.clash.narrow._kernel import kernel
from ifcbase.clash.narrow._small import ascending, put
from ifcbase.clash.narrow.layout import WELD

#: Parts smaller than this (cubic metres) are crumbs.
CRUMB = 1e-12
#: Cuts that are tried for a part.
TRIED = 16
#: Vertices above a face by no more (metres) do not make a part hollow.
FLAT = 2.0 * WELD
_WIDE = 67108864.0  # 2**26: more vertices than any element has, and a product a double holds


@kernel
def divide(v0, edges, pl0, most, corners, ends, volumes, counts):
    """Corners and volumes (cubic metres) of the parts; per part the end of its corners, and 1 if it
    is not convex, so that its hull is more than it.

    Counts: parts, corners, 1 if there was not enough room. ``edges`` are (face, from, to).
    """
    nv, npl, ne = len(v0), len(pl0), len(edges)
    v = np.empty((nv + 24 * ne + 1024, 3))
    pl = np.empty((npl + 8 * most * TRIED + 64, 4))
    for i in range(nv):
        put(v[i], v0[i], 3)
    for i in range(npl):
        put(pl[i], pl0[i], 4)
    at = np.zeros(4, np.int64)  # vertices, planes, parts, corners
    at[0], at[1] = nv, npl
    stack = np.empty((8 * ne + 4096, 3), np.int64)
    starts = np.empty(4 * most + 64, np.int64)
    mark = np.full(len(v), -1, np.int64)  # scratch by vertex, -1 in between
    count = np.zeros(len(pl), np.int64)  # scratch by plane
    for i in range(ne):
        for k in range(3):
            stack[i, k] = edges[i, k]
    starts[0] = 0
    top, depth = ne, 1
    failed = False
    while depth > 0 and not failed:
        depth -= 1
        begin = starts[depth]
        x = stack[begin:top].copy()
        top = begin
        if len(x) == 0:
            continue
        label, ncomp, solid = _components(v, pl, x, mark)
        if ncomp == 0:
            continue  # a crumb
        if ncomp > 1 and solid:
            if depth + ncomp >= len(starts) or top + len(x) > len(stack):
                failed = True
                break
            for c in range(ncomp):
                starts[depth] = top
                depth += 1
                for i in range(len(x)):
                    if label[i] == c:
                        for k in range(3):
                            stack[top, k] = x[i, k]
                        top += 1
            continue
        room = 4 * len(x) + 64
        if at[2] + 1 >= len(ends) or at[3] + len(x) > len(corners):
            failed = True
            break
        score, hollow = _hollows(v, pl, x, at[1], mark, count)
        done = not hollow
        rest = 0.0
        if hollow and at[2] + depth + 2 <= most and at[1] + 2 * TRIED + 2 < len(pl):
            order = ascending(score, at[1])
            for g in range(min(TRIED, at[1])):
                p = order[g]
                if score[p] >= 0.0:
                    break
                if at[0] + len(x) >= len(v):
                    failed = True
                    break
                above = np.empty((room, 3), np.int64)
                below = np.empty((room, 3), np.int64)
                n1, n2 = _cut(v, pl, x, p, at, mark, count, above, below)
                if n1 < 0 or n2 < 0:
                    failed = True
                    break
                if _volume(v, pl, above[:n1]) < CRUMB or _volume(v, pl, below[:n2]) < CRUMB:
                    continue
                if top + n1 + n2 > len(stack) or depth + 2 >= len(starts):
                    failed = True
                    break
                for n, half in ((n1, above), (n2, below)):
                    starts[depth] = top
                    depth += 1
                    for i in range(n):
                        for k in range(3):
                            stack[top, k] = half[i, k]
                        top += 1
                rest = 1.0
                break
        if failed:
            break
        if rest == 0.0:
            volumes[at[2]] = _volume(v, pl, x)
            _emit(v, x, mark, corners, ends, at, 0 if done else 1)
    counts[0], counts[1] = at[2], at[3]
    counts[2] = 1 if failed else 0


@kernel
def _emit(v, x, mark, corners, ends, at, is_hull):
    for i in range(len(x)):
        w = x[i, 1]
        if mark[w] < 0:
            mark[w] = 1
            put(corners[at[3]], v[w], 3)
            at[3] += 1
    for i in range(len(x)):
        mark[x[i, 1]] = -1
    ends[at[2], 0], ends[at[2], 1] = at[3], is_hull
    at[2] += 1


@kernel
def _area(v, pl, o, edge):
    """What an edge adds to the area of its face, twice, about the point o."""
    n = pl[edge[0]]
    a, b = v[edge[1]], v[edge[2]]
    ux, uy, uz = a[0] - o[0], a[1] - o[1], a[2] - o[2]
    wx, wy, wz = b[0] - o[0], b[1] - o[1], b[2] - o[2]
    return n[0] * (uy * wz - uz * wy) + n[1] * (uz * wx - ux * wz) + n[2] * (ux * wy - uy * wx)


@kernel
def _share(v, pl, o, edge):
    """What an edge adds to the volume, six times, about the point o."""
    n = pl[edge[0]]
    return _area(v, pl, o, edge) * (n[3] - n[0] * o[0] - n[1] * o[1] - n[2] * o[2])


@kernel
def _root(parent, a):
    while parent[a] != a:
        parent[a] = parent[parent[a]]
        a = parent[a]
    return a


@kernel
def _volume(v, pl, x):
    if len(x) == 0:
        return 0.0
    o = v[x[0, 1]]
    total = 0.0
    for i in range(len(x)):
        total += _share(v, pl, o, x[i])
    return total / 6.0


@kernel
def _components(v, pl, x, mark):
    """Component of each edge, their number, and whether they are bodies that can be told apart.

    Crumbs have component -1. A hollow or a hole has a negative volume and belongs to a body.
    """
    n = len(x)
    parent = np.empty(2 * n, np.int64)
    m = 0
    for i in range(n):
        for k in range(1, 3):
            if mark[x[i, k]] < 0:
                mark[x[i, k]] = m
                parent[m] = m
                m += 1
    for i in range(n):
        parent[_root(parent, mark[x[i, 1]])] = _root(parent, mark[x[i, 2]])
    o = v[x[0, 1]]
    label = np.empty(n, np.int64)
    key = np.empty(n)
    for i in range(n):
        label[i] = _root(parent, mark[x[i, 1]])
        key[i] = x[i, 0] * _WIDE + label[i]
    # A ring that is a hole in a face holds together with what is around it.
    order = ascending(key, n)
    g = 0
    while g < n:
        face, end, holes = x[order[g], 0], g, False
        while end < n and x[order[end], 0] == face:
            ring, area = label[order[end]], 0.0
            while end < n and key[order[end]] == face * _WIDE + ring:
                area += _area(v, pl, o, x[order[end]])
                end += 1
            holes = holes or area < 0.0
        if holes:
            for k in range(g + 1, end):
                parent[_root(parent, label[order[k]])] = _root(parent, label[order[g]])
        g = end
    volume = np.zeros(m)
    for i in range(n):
        label[i] = _root(parent, label[i])
        volume[label[i]] += _share(v, pl, o, x[i]) / 6.0
    for i in range(n):
        mark[x[i, 1]], mark[x[i, 2]] = -1, -1
    number = np.full(m, -1, np.int64)
    ncomp = 0
    solid = True
    for a in range(m):
        if volume[a] > CRUMB:
            number[a] = ncomp
            ncomp += 1
        elif volume[a] < -CRUMB:
            solid = False
    for i in range(n):
        label[i] = number[label[i]]
    return label, ncomp, solid


@kernel
def _hollows(v, pl, x, planes, mark, count):
    """Score of each plane as a cut, the least first, 0 for none; whether the part is hollow."""
    n = len(x)
    score = np.zeros(planes)
    for i in range(n):
        mark[x[i, 1]] = 1
    who = np.empty(n, np.int64)
    m = 0
    for i in range(n):
        if mark[x[i, 1]] == 1:
            mark[x[i, 1]] = -1
            who[m] = x[i, 1]
            m += 1
    hollow = False
    for i in range(n):
        p = x[i, 0]
        if count[p] != 0:
            continue
        count[p] = 1
        most = 0.0
        for j in range(m):
            w = v[who[j]]
            rise = pl[p, 0] * w[0] + pl[p, 1] * w[1] + pl[p, 2] * w[2] - pl[p, 3]
            most = max(most, rise)
        if most > FLAT:
            hollow = True
            score[p] = -1e-9 * most
    for i in range(n):
        count[x[i, 0]] = 0
    if not hollow:
        return score, False
    order, key = _by_ends(x, n)
    g = 0
    while g < n:
        end = g + 1
        while end < n and key[order[end]] == key[order[g]]:
            end += 1
        for s in range(g, end):
            i = order[s]
            for t in range(s + 1, end):
                j = order[t]
                if x[i, 1] != x[j, 2] or x[i, 0] == x[j, 0]:
                    continue
                p, q = pl[x[i, 0]], pl[x[j, 0]]
                a, b = v[x[i, 1]], v[x[i, 2]]
                dx, dy, dz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
                turn = (
                    dx * (p[1] * q[2] - p[2] * q[1])
                    + dy * (p[2] * q[0] - p[0] * q[2])
                    + dz * (p[0] * q[1] - p[1] * q[0])
                )
                long = np.sqrt(dx * dx + dy * dy + dz * dz)
                if turn < -1e-5 * long:
                    for f in (x[i, 0], x[j, 0]):
                        if score[f] < 0.0:
                            score[f] -= long
        g = end
    return score, True


@kernel
def _by_ends(x, n):
    """Order of edges in which those between the same two vertices are neighbours; the keys."""
    key = np.empty(n)
    for i in range(n):
        key[i] = min(x[i, 1], x[i, 2]) * _WIDE + max(x[i, 1], x[i, 2])
    return ascending(key, n), key


@kernel
def _cut(v, pl, x, p, at, mark, count, above, below):
    """Both sides of a cut along plane p; how many edges each has, -1 if there is no room."""
    n = len(x)
    normal = pl[p].copy()
    side = np.empty((n, 2), np.int64)
    for i in range(n):
        count[x[i, 0]] = 0
    for i in range(n):
        for k in range(2):
            w = v[x[i, k + 1]]
            h = normal[0] * w[0] + normal[1] * w[1] + normal[2] * w[2] - normal[3]
            side[i, k] = 1 if h > WELD else (-1 if h < -WELD else 0)
        if side[i, 0] != 0 or side[i, 1] != 0:
            count[x[i, 0]] = 1
    # Count is 1 for faces that leave the plane; those in it belong to the side of their body.
    middle = np.full(n, -1, np.int64)
    order, key = _by_ends(x, n)
    before = -1.0
    for g in range(n):
        i = order[g]
        if side[i, 0] * side[i, 1] >= 0:
            continue
        if key[i] != before:
            a, b = v[min(x[i, 1], x[i, 2])], v[max(x[i, 1], x[i, 2])]
            ha = normal[0] * a[0] + normal[1] * a[1] + normal[2] * a[2] - normal[3]
            hb = normal[0] * b[0] + normal[1] * b[1] + normal[2] * b[2] - normal[3]
            t = ha / (ha - hb)
            for k in range(3):
                v[at[0], k] = a[k] + t * (b[k] - a[k])
            at[0] += 1
            before = key[i]
        middle[i] = at[0] - 1
    n1 = _side(v, pl, x, side, middle, 1, normal, at, mark, count, above)
    n2 = _side(v, pl, x, side, middle, -1, normal, at, mark, count, below)
    for i in range(n):
        count[x[i, 0]] = 0
    return n1, n2


@kernel
def _side(v, pl, x, side, middle, sign, normal, at, mark, count, out):
    """What lies on one side of a cut, closed by a new face."""
    n = len(x)
    cap = at[1]
    for k in range(4):
        pl[cap, k] = -sign * normal[k]
    at[1] += 1
    new = np.empty((len(out), 3), np.int64)  # edges of the new face
    m, c = 0, 0
    order = ascending(x[:, 0].astype(np.float64), n)
    touched = np.empty(2 * n, np.int64)
    g = 0
    while g < n:
        face = x[order[g], 0]
        end = g
        first = m
        while end < n and x[order[end], 0] == face:
            i = order[end]
            end += 1
            a, b = side[i, 0], side[i, 1]
            if count[face] == 0:
                f = pl[face]
                facing = f[0] * normal[0] + f[1] * normal[1] + f[2] * normal[2]
                if facing * sign < 0.0:  # the body is behind its face
                    if m >= len(out) or c >= len(new):
                        return -1
                    out[m, 0], out[m, 1], out[m, 2] = face, x[i, 1], x[i, 2]
                    m += 1
                    new[c, 0], new[c, 1], new[c, 2] = cap, x[i, 2], x[i, 1]
                    c += 1
                continue
            if a != sign and b != sign:
                continue
            if m >= len(out):
                return -1
            out[m, 0] = face
            out[m, 1] = x[i, 1] if a != -sign else middle[i]
            out[m, 2] = x[i, 2] if b != -sign else middle[i]
            m += 1
        g = end
        if count[face] == 0:
            continue
        # Entered minus left, of the vertices in the plane of the cut; mark holds their place.
        balance = np.zeros(2 * (m - first) + 1, np.int64)
        t = 0
        for e in range(first, m):
            for k in range(1, 3):
                w = out[e, k]
                z = v[w]
                h = normal[0] * z[0] + normal[1] * z[1] + normal[2] * z[2] - normal[3]
                if abs(h) > WELD:
                    continue
                if mark[w] < 0:
                    mark[w] = t
                    touched[t] = w
                    t += 1
                balance[mark[w]] += 1 if k == 2 else -1
        for k in range(t):
            mark[touched[k]] = -1
        f = pl[face]
        dx = f[1] * normal[2] - f[2] * normal[1]
        dy = f[2] * normal[0] - f[0] * normal[2]
        dz = f[0] * normal[1] - f[1] * normal[0]
        along = np.empty(t)
        for k in range(t):
            z = v[touched[k]]
            along[k] = dx * z[0] + dy * z[1] + dz * z[2] if balance[k] != 0 else np.inf
        line = ascending(along, t)
        open_ = 0
        for k in range(t - 1):
            here, there = touched[line[k]], touched[line[k + 1]]
            if balance[line[k]] == 0 or balance[line[k + 1]] == 0:
                break
            open_ += balance[line[k]]
            for _ in range(abs(open_)):
                if m >= len(out) or c >= len(new):
                    return -1
                a, b = (here, there) if open_ > 0 else (there, here)
                out[m, 0], out[m, 1], out[m, 2] = face, a, b
                m += 1
                new[c, 0], new[c, 1], new[c, 2] = cap, b, a
                c += 1
    order, key = _by_ends(new, c)
    g = 0
    while g < c:
        end = g
        net = 0
        i = order[g]
        low, high = min(new[i, 1], new[i, 2]), max(new[i, 1], new[i, 2])
        while end < c and key[order[end]] == key[i]:
            net += 1 if new[order[end], 1] == low else -1
            end += 1
        for _ in range(abs(net)):
            if m >= len(out):
                return -1
            out[m, 0] = cap
            out[m, 1], out[m, 2] = (low, high) if net > 0 else (high, low)
            m += 1
        g = end
    return m
