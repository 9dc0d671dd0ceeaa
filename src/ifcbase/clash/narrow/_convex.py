# Kernels are typed by numba from the arrays they get.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Compiled: how deep convex pieces overlap, and the shortest way out of a union of overlaps.

For pieces A and B the translations t of A that make them overlap are the convex body
B + (-A) (Minkowski). Its faces are the face normals of both and the cross products of those edges
whose arcs meet on the sphere of normals (Gregorius, GDC 2013). The separation depth of two unions
of pieces is the distance from the origin to the nearest point outside the union of those bodies,
which lies on one face of one body, or where two or three faces cross: all such places nearer than a
known way out are tried in order of distance.
"""

from __future__ import annotations

import numpy as np

from ifcbase.clash.narrow._kernel import kernel
from ifcbase.clash.narrow._small import ascending, heaped, put, take_least


@kernel
def _least(pv, lo, hi, x, y, z):
    best = np.inf
    for i in range(lo, hi):
        d = pv[i, 0] * x + pv[i, 1] * y + pv[i, 2] * z
        if d < best:
            best = d
    return best


@kernel
def _most(pv, lo, hi, x, y, z):
    best = -np.inf
    for i in range(lo, hi):
        d = pv[i, 0] * x + pv[i, 1] * y + pv[i, 2] * z
        if d > best:
            best = d
    return best


@kernel
def minkowski(s, i, j, margin, reach, keep, out, at):
    """Faces (normal, offset, 1 if of real faces) of B + (-A) nearer than reach, to out from at.

    Returns the rows written and the least offset with its normal; rows is -1 when a face lies
    ``margin`` or more behind the origin (A and B are at least that far apart), -2 when out is
    full. Without ``keep`` only the nearest face is looked for.
    """
    av0, av1 = s.pv_at[i], s.pv_at[i + 1]
    bv0, bv1 = s.pv_at[j], s.pv_at[j + 1]
    best, bx, by, bz = np.inf, 0.0, 0.0, 0.0
    n = 0
    for side in range(2):
        k, o0, o1 = (j, av0, av1) if side == 0 else (i, bv0, bv1)
        for p in range(s.pp_at[k], s.pp_at[k + 1]):
            x, y, z = s.pp[p, 0], s.pp[p, 1], s.pp[p, 2]
            h = s.pp[p, 3] - _least(s.pv, o0, o1, x, y, z)
            if side == 1:
                x, y, z = -x, -y, -z
            if h <= -margin:
                return -1, h, x, y, z
            if h < best:
                best, bx, by, bz = h, x, y, z
            if keep and h < reach:
                if at + n >= len(out):
                    return -2, best, bx, by, bz
                _put(out[at + n], x, y, z, h, s.pp[p, 4])
                n += 1
    ap0, bp0 = s.pp_at[i], s.pp_at[j]
    eps = 1e-10
    for e in range(s.pe_at[i], s.pe_at[i + 1]):
        e0, e1 = av0 + s.pe[e, 0], av0 + s.pe[e, 1]
        p, q = ap0 + s.pe[e, 2], ap0 + s.pe[e, 3]
        outer_a = max(s.pp[p, 4], s.pp[q, 4])
        # Arc of -A's normals.
        a0, a1, a2 = -s.pp[p, 0], -s.pp[p, 1], -s.pp[p, 2]
        b0, b1, b2 = -s.pp[q, 0], -s.pp[q, 1], -s.pp[q, 2]
        m0, m1, m2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
        u0 = s.pv[e1, 0] - s.pv[e0, 0]
        u1 = s.pv[e1, 1] - s.pv[e0, 1]
        u2 = s.pv[e1, 2] - s.pv[e0, 2]
        for f in range(s.pe_at[j], s.pe_at[j + 1]):
            p, q = bp0 + s.pe[f, 2], bp0 + s.pe[f, 3]
            c0, c1, c2 = s.pp[p, 0], s.pp[p, 1], s.pp[p, 2]
            d0, d1, d2 = s.pp[q, 0], s.pp[q, 1], s.pp[q, 2]
            cm = c0 * m0 + c1 * m1 + c2 * m2
            dm = d0 * m0 + d1 * m1 + d2 * m2
            if cm * dm > eps:
                continue
            k0, k1, k2 = c1 * d2 - c2 * d1, c2 * d0 - c0 * d2, c0 * d1 - c1 * d0
            ak = a0 * k0 + a1 * k1 + a2 * k2
            bk = b0 * k0 + b1 * k1 + b2 * k2
            if ak * bk > eps or cm * bk < -eps:
                continue
            f0, f1 = bv0 + s.pe[f, 0], bv0 + s.pe[f, 1]
            w0 = s.pv[f1, 0] - s.pv[f0, 0]
            w1 = s.pv[f1, 1] - s.pv[f0, 1]
            w2 = s.pv[f1, 2] - s.pv[f0, 2]
            x, y, z = u1 * w2 - u2 * w1, u2 * w0 - u0 * w2, u0 * w1 - u1 * w0
            length = np.sqrt(x * x + y * y + z * z)
            uu = u0 * u0 + u1 * u1 + u2 * u2
            ww = w0 * w0 + w1 * w1 + w2 * w2
            if length * length <= 1e-16 * uu * ww:
                continue
            if x * (c0 + d0) + y * (c1 + d1) + z * (c2 + d2) < 0.0:
                length = -length
            x, y, z = x / length, y / length, z / length
            h = (
                x * (s.pv[f0, 0] - s.pv[e0, 0])
                + y * (s.pv[f0, 1] - s.pv[e0, 1])
                + z * (s.pv[f0, 2] - s.pv[e0, 2])
            )
            if h >= (reach if keep else best):
                continue
            # Edges on the rim of the test may not be a face: take the true support.
            h = _most(s.pv, bv0, bv1, x, y, z) - _least(s.pv, av0, av1, x, y, z)
            if h <= -margin:
                return -1, h, x, y, z
            if h < best:
                best, bx, by, bz = h, x, y, z
            if keep and h < reach:
                if at + n >= len(out):
                    return -2, best, bx, by, bz
                outer_b = max(s.pp[p, 4], s.pp[q, 4])
                _put(out[at + n], x, y, z, h, min(outer_a, outer_b))
                n += 1
    return n, best, bx, by, bz


@kernel
def _put(row, x, y, z, h, real):
    row[0], row[1], row[2], row[3], row[4] = x, y, z, h, real


@kernel
def exit_along(hs, start, around, count, x, y, z, slack, limit):
    """How far to go along a unit direction until outside all bodies; and the last face crossed."""
    t, last, who = 0.0, -1, 0
    for _ in range(4 * count + 4):
        who = _blocked(hs, start, around, count, t * x, t * y, t * z, slack, max(who, 0))
        if who < 0:
            return t, last
        leave, face = np.inf, -1
        for r in range(start[who], start[who + 1]):
            c = hs[r, 0] * x + hs[r, 1] * y + hs[r, 2] * z
            if c > 1e-9:
                s = (hs[r, 3] - slack) / c
                if s < leave:
                    leave, face = s, r
        if face < 0 or leave >= limit:
            return np.inf, -1
        t, last = max(leave, t), face
    return np.inf, -1


#: Different faces of which triples are tried; with more the depth is a bound.
FACES = 40
#: Different faces of which pairs are tried.
PAIRED = 160
#: Bodies that may be looked at while trying places.
WORK = 1_000_000
#: Places that may be tried.
PLACES = 20_000


@kernel
def way_out(hs, start, around, count, slack, low, bound, out):
    """Shortest t outside all bodies, if shorter than bound.

    The nearest point outside a union of bodies is the least point common to the outer sides of
    the one, two or three faces it lies on; faces between pieces of one element bound nothing.
    No point nearer than ``low`` is outside. ``slack`` is taken off every face while looking. The
    answer, written to out (4: |t|, t), is for the full bodies. Returns True if found and True if
    nothing was left untried.
    """
    # Different real faces, nearest first.
    rows = np.empty(start[count], np.int64)
    m = 0
    for r in range(start[count]):
        if hs[r, 4] > 0.0 and slack < hs[r, 3] < bound + slack:
            rows[m] = r
            m += 1
    rows = rows[:m]
    offsets = np.empty(m)
    for k in range(m):
        offsets[k] = hs[rows[k], 3]
    order = ascending(offsets, m)
    face = np.empty((m, 4))
    n = 0
    for k in order:
        r = hs[rows[k]]
        known = False
        g = n - 1
        while g >= 0 and r[3] - face[g, 3] < 1e-7:
            if r[0] * face[g, 0] + r[1] * face[g, 1] + r[2] * face[g, 2] > 1.0 - 1e-10:
                known = True
                break
            g -= 1
        if not known:
            put(face[n], r, 4)
            n += 1
    least = low - slack - 1e-9
    complete = True
    found, hint, spent = False, 0, 0
    f0, f1, f2 = -1, -1, -1
    # One face, then two, then three: each round only looks for something shorter.
    for i in range(n):
        h = face[i, 3] - slack
        if h >= bound:
            break
        if h < least:
            continue
        hint = _blocked(
            hs,
            start,
            around,
            count,
            h * face[i, 0],
            h * face[i, 1],
            h * face[i, 2],
            slack,
            max(hint, 0),
        )
        if hint < 0:
            bound, found, f0 = h, True, i
            break
    place = np.empty((PLACES, 4))
    who = np.empty((PLACES, 3), np.int64)
    for round_ in range(2):
        c = 0
        most = PAIRED if round_ == 0 else FACES
        for i in range(n):
            if face[i, 3] - slack >= bound:
                break
            if i >= most:
                complete = False  # faces nearer than the way out known remain untried
                break
            for j in range(i):
                d, x, y, z = _least_two(face[i], face[j], slack)
                if round_ == 0:
                    if least <= d < bound:
                        c = _place(place, who, c, d, x, y, z, i, j, -1)
                    continue
                if i >= FACES:
                    break
                if (
                    1.0
                    - (face[i, 0] * face[j, 0] + face[i, 1] * face[j, 1] + face[i, 2] * face[j, 2])
                    ** 2
                    < 1e-12
                ):
                    continue
                for k in range(j):
                    d, x, y, z = _least_three(face[i], face[j], face[k], slack)
                    if least <= d < bound:
                        c = _place(place, who, c, d, x, y, z, i, j, k)
        if c >= PLACES:
            complete = False
        hint = 0
        far = np.empty(c)
        for p in range(c):
            far[p] = place[p, 0]
        heap, left = heaped(far, c), c
        while left > 0:
            p = take_least(far, heap, left)
            left -= 1
            spent += count
            if spent > WORK:
                complete = False
                break
            hint = _blocked(
                hs,
                start,
                around,
                count,
                place[p, 1],
                place[p, 2],
                place[p, 3],
                slack,
                max(hint, 0),
            )
            if hint < 0:
                bound, found = place[p, 0], True
                f0, f1, f2 = who[p, 0], who[p, 1], who[p, 2]
                break
    if not found:
        return False, complete
    if f1 < 0:
        d = face[f0, 3]
        x, y, z = d * face[f0, 0], d * face[f0, 1], d * face[f0, 2]
    elif f2 < 0:
        d, x, y, z = _least_two(face[f0], face[f1], 0.0)
    else:
        d, x, y, z = _least_three(face[f0], face[f1], face[f2], 0.0)
    if d == np.inf:  # only with the slack taken off are all of them needed
        d = face[f0, 3]
        x, y, z = d * face[f0, 0], d * face[f0, 1], d * face[f0, 2]
    out[0], out[1], out[2], out[3] = d, x, y, z
    return True, complete


@kernel
def _blocked(hs, start, around, count, x, y, z, slack, hint):
    """A body that t lies in, tried from hint on (neighbouring places share it); -1 if none.

    ``around`` are the bodies' boxes.
    """
    for g in range(count):
        k = hint + g
        if k >= count:
            k -= count
        box = around[k]
        if x < box[0] or y < box[1] or z < box[2] or x > box[3] or y > box[4] or z > box[5]:
            continue
        inside = True
        for r in range(start[k], start[k + 1]):
            if hs[r, 3] - slack - (hs[r, 0] * x + hs[r, 1] * y + hs[r, 2] * z) <= 1e-8:
                inside = False
                break
        if inside:
            return k
    return -1


@kernel
def _place(place, who, c, d, x, y, z, i, j, k):
    if c < len(place):
        place[c, 0], place[c, 1], place[c, 2], place[c, 3] = d, x, y, z
        who[c, 0], who[c, 1], who[c, 2] = i, j, k
        c += 1
    return c


@kernel
def _least_two(a, b, slack):
    """Least point beyond two planes that needs both of them; inf if it does not."""
    ha, hb = a[3] - slack, b[3] - slack
    c = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    det = 1.0 - c * c
    if det < 1e-12:
        return np.inf, 0.0, 0.0, 0.0
    p, q = (ha - c * hb) / det, (hb - c * ha) / det
    if p <= 0.0 or q <= 0.0:
        return np.inf, 0.0, 0.0, 0.0
    x, y, z = p * a[0] + q * b[0], p * a[1] + q * b[1], p * a[2] + q * b[2]
    return np.sqrt(x * x + y * y + z * z), x, y, z


@kernel
def _least_three(a, b, c, slack):
    """Least point beyond three planes that needs all of them; inf if it does not."""
    bc0, bc1, bc2 = b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0]
    det = a[0] * bc0 + a[1] * bc1 + a[2] * bc2
    if abs(det) < 1e-6:
        return np.inf, 0.0, 0.0, 0.0
    ca0, ca1, ca2 = c[1] * a[2] - c[2] * a[1], c[2] * a[0] - c[0] * a[2], c[0] * a[1] - c[1] * a[0]
    ab0, ab1, ab2 = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
    ha, hb, hc = a[3] - slack, b[3] - slack, c[3] - slack
    x = (ha * bc0 + hb * ca0 + hc * ab0) / det
    y = (ha * bc1 + hb * ca1 + hc * ab1) / det
    z = (ha * bc2 + hb * ca2 + hc * ab2) / det
    # t is a positive combination of the three normals, or fewer planes would do.
    if (x * bc0 + y * bc1 + z * bc2) / det <= 0.0:
        return np.inf, 0.0, 0.0, 0.0
    if (x * ca0 + y * ca1 + z * ca2) / det <= 0.0:
        return np.inf, 0.0, 0.0, 0.0
    if (x * ab0 + y * ab1 + z * ab2) / det <= 0.0:
        return np.inf, 0.0, 0.0, 0.0
    return np.sqrt(x * x + y * y + z * z), x, y, z
