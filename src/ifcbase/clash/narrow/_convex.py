"""Compiled: how deep convex pieces overlap, and the shortest way out of a union of overlaps.

For pieces A and B the translations t of A that make them overlap are the convex body
B + (-A) (Minkowski). Its faces are the face normals of both and the cross products of those edges
whose arcs meet on the sphere of normals (Gregorius, GDC 2013). The separation depth of two unions
of pieces is the distance from the origin to the nearest point outside the union of those bodies,
found by branch and bound over their faces, best first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow._kernel import kernel


class Pieces(NamedTuple):
    """Elements as unions of convex pieces, all counted from offsets; see ``_pieces.prepare``."""

    state: npt.NDArray[np.uint8]  # per element
    box: npt.NDArray[np.float64]  # (n, 6)
    piece: npt.NDArray[np.int64]  # (n + 1) pieces of elements
    pbox: npt.NDArray[np.float64]  # (p, 6)
    pv_at: npt.NDArray[np.int64]  # (p + 1)
    pp_at: npt.NDArray[np.int64]
    pe_at: npt.NDArray[np.int64]
    pv: npt.NDArray[np.float64]  # vertices
    pp: npt.NDArray[np.float64]  # planes: normal, offset, 1 if a real face
    pe: npt.NDArray[np.int32]  # edges: two vertices, two planes
    ev_at: npt.NDArray[np.int64]  # (n + 1) feature vertices
    ee_at: npt.NDArray[np.int64]
    ev: npt.NDArray[np.float64]
    ee: npt.NDArray[np.int32]
    vertices: npt.NDArray[np.float64]  # the meshes themselves
    faces: npt.NDArray[np.int32]
    v_at: npt.NDArray[np.int64]
    f_at: npt.NDArray[np.int64]


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
def minkowski(sa, i, sb, j, margin, reach, keep, out, at):
    """Faces (normal, offset) of B + (-A) nearer than reach, written to out from row at.

    Returns the rows written and the least offset with its normal; rows is -1 when a face lies
    ``margin`` or more behind the origin (A and B are at least that far apart), -2 when out is
    full. Without ``keep`` only the nearest face is looked for.
    """
    av0, av1 = sa.pv_at[i], sa.pv_at[i + 1]
    bv0, bv1 = sb.pv_at[j], sb.pv_at[j + 1]
    best, bx, by, bz = np.inf, 0.0, 0.0, 0.0
    n = 0
    for side in range(2):
        s = sb if side == 0 else sa
        k = j if side == 0 else i
        for p in range(s.pp_at[k], s.pp_at[k + 1]):
            x, y, z = s.pp[p, 0], s.pp[p, 1], s.pp[p, 2]
            if side == 0:
                h = s.pp[p, 3] - _least(sa.pv, av0, av1, x, y, z)
            else:
                h = s.pp[p, 3] - _least(sb.pv, bv0, bv1, x, y, z)
                x, y, z = -x, -y, -z
            if h <= -margin:
                return -1, h, x, y, z
            if h < best:
                best, bx, by, bz = h, x, y, z
                if not keep:
                    reach = min(reach, h)
            if keep and h < reach:
                if at + n >= len(out):
                    return -2, best, bx, by, bz
                out[at + n, 0], out[at + n, 1], out[at + n, 2], out[at + n, 3] = x, y, z, h
                n += 1
    ap0, bp0 = sa.pp_at[i], sb.pp_at[j]
    eps = 1e-10
    for e in range(sa.pe_at[i], sa.pe_at[i + 1]):
        e0, e1 = av0 + sa.pe[e, 0], av0 + sa.pe[e, 1]
        p, q = ap0 + sa.pe[e, 2], ap0 + sa.pe[e, 3]
        # Arc of -A's normals.
        a0, a1, a2 = -sa.pp[p, 0], -sa.pp[p, 1], -sa.pp[p, 2]
        b0, b1, b2 = -sa.pp[q, 0], -sa.pp[q, 1], -sa.pp[q, 2]
        m0, m1, m2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
        u0 = sa.pv[e1, 0] - sa.pv[e0, 0]
        u1 = sa.pv[e1, 1] - sa.pv[e0, 1]
        u2 = sa.pv[e1, 2] - sa.pv[e0, 2]
        for f in range(sb.pe_at[j], sb.pe_at[j + 1]):
            p, q = bp0 + sb.pe[f, 2], bp0 + sb.pe[f, 3]
            c0, c1, c2 = sb.pp[p, 0], sb.pp[p, 1], sb.pp[p, 2]
            d0, d1, d2 = sb.pp[q, 0], sb.pp[q, 1], sb.pp[q, 2]
            cm = c0 * m0 + c1 * m1 + c2 * m2
            dm = d0 * m0 + d1 * m1 + d2 * m2
            if cm * dm > eps:
                continue
            k0, k1, k2 = c1 * d2 - c2 * d1, c2 * d0 - c0 * d2, c0 * d1 - c1 * d0
            ak = a0 * k0 + a1 * k1 + a2 * k2
            bk = b0 * k0 + b1 * k1 + b2 * k2
            if ak * bk > eps or cm * bk > eps:
                continue
            f0, f1 = bv0 + sb.pe[f, 0], bv0 + sb.pe[f, 1]
            w0 = sb.pv[f1, 0] - sb.pv[f0, 0]
            w1 = sb.pv[f1, 1] - sb.pv[f0, 1]
            w2 = sb.pv[f1, 2] - sb.pv[f0, 2]
            x, y, z = u1 * w2 - u2 * w1, u2 * w0 - u0 * w2, u0 * w1 - u1 * w0
            length = np.sqrt(x * x + y * y + z * z)
            if length * length <= 1e-16 * (u0 * u0 + u1 * u1 + u2 * u2) * (
                w0 * w0 + w1 * w1 + w2 * w2
            ):
                continue
            if x * (c0 + d0) + y * (c1 + d1) + z * (c2 + d2) < 0.0:
                length = -length
            x, y, z = x / length, y / length, z / length
            h = (
                x * (sb.pv[f0, 0] - sa.pv[e0, 0])
                + y * (sb.pv[f0, 1] - sa.pv[e0, 1])
                + z * (sb.pv[f0, 2] - sa.pv[e0, 2])
            )
            if h >= reach:
                continue
            # Edges on the rim of the test may not be a face: take the true support.
            h = _most(sb.pv, bv0, bv1, x, y, z) - _least(sa.pv, av0, av1, x, y, z)
            if h <= -margin:
                return -1, h, x, y, z
            if h >= reach:
                continue
            if h < best:
                best, bx, by, bz = h, x, y, z
                if not keep:
                    reach = h
            if keep:
                if at + n >= len(out):
                    return -2, best, bx, by, bz
                out[at + n, 0], out[at + n, 1], out[at + n, 2], out[at + n, 3] = x, y, z, h
                n += 1
    return n, best, bx, by, bz


@kernel
def shortest(hs, rows, m, slack):
    """The shortest t with n . t >= h - slack for m rows of hs, the last of them active.

    Returns |t| (inf if there is none) and t. At most three rows can be active in space, so all
    choices are tried; the shortest that satisfies the others is the answer.
    """
    new = rows[m - 1]
    best, bx, by, bz = np.inf, 0.0, 0.0, 0.0
    nx, ny, nz, h = hs[new, 0], hs[new, 1], hs[new, 2], hs[new, 3] - slack
    for i in range(-1, m - 1):
        for j in range(-1, i if i >= 0 else 0):
            if i < 0:
                x, y, z = nx * h, ny * h, nz * h
            else:
                a = hs[rows[i]]
                ha = a[3] - slack
                c = nx * a[0] + ny * a[1] + nz * a[2]
                if j < 0:
                    det = 1.0 - c * c
                    if det < 1e-12:
                        continue
                    l1, l2 = (h - c * ha) / det, (ha - c * h) / det
                    x, y, z = l1 * nx + l2 * a[0], l1 * ny + l2 * a[1], l1 * nz + l2 * a[2]
                else:
                    b = hs[rows[j]]
                    hb = b[3] - slack
                    p0, p1, p2 = (
                        a[1] * b[2] - a[2] * b[1],
                        a[2] * b[0] - a[0] * b[2],
                        a[0] * b[1] - a[1] * b[0],
                    )
                    det = nx * p0 + ny * p1 + nz * p2
                    if abs(det) < 1e-9:
                        continue
                    q0, q1, q2 = b[1] * nz - b[2] * ny, b[2] * nx - b[0] * nz, b[0] * ny - b[1] * nx
                    r0, r1, r2 = ny * a[2] - nz * a[1], nz * a[0] - nx * a[2], nx * a[1] - ny * a[0]
                    x = (h * p0 + ha * q0 + hb * r0) / det
                    y = (h * p1 + ha * q1 + hb * r1) / det
                    z = (h * p2 + ha * q2 + hb * r2) / det
            d = np.sqrt(x * x + y * y + z * z)
            if d >= best:
                continue
            fits = True
            for k in range(m):
                r = hs[rows[k]]
                if r[0] * x + r[1] * y + r[2] * z < r[3] - slack - 1e-9:
                    fits = False
                    break
            if fits:
                best, bx, by, bz = d, x, y, z
    return best, bx, by, bz


@kernel
def deepest(hs, start, count, x, y, z, slack):
    """The body t = (x, y, z) lies in deepest, with that depth; -1 if it is in none."""
    best, who = 1e-8, -1
    for k in range(count):
        low = np.inf
        for r in range(start[k], start[k + 1]):
            d = hs[r, 3] - slack - (hs[r, 0] * x + hs[r, 1] * y + hs[r, 2] * z)
            if d < low:
                low = d
                if low <= best:
                    break
        if low > best:
            best, who = low, k
    return who, best


@kernel
def exit_along(hs, start, count, x, y, z, slack, limit):
    """How far to go along a unit direction until outside all bodies; and the last face crossed."""
    t, last = 0.0, -1
    for _ in range(4 * count + 4):
        who, _d = deepest(hs, start, count, t * x, t * y, t * z, slack)
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


DEPTH = 10
NODES = 4000


@kernel
def way_out(hs, start, count, slack, bound, work):
    """Shortest t outside all bodies: branch and bound.

    bound: a length already known to suffice (inf if none). Returns (|t|, t, proven, rows, m):
    |t| is inf when nothing shorter than bound was found. Rows are measured with ``slack`` taken
    off, the answer is given for the full bodies.
    """
    node_t = np.empty((NODES, 3))
    node_d = np.empty(NODES)
    node_m = np.zeros(NODES, np.int64)
    node_r = np.empty((NODES, DEPTH), np.int64)
    n = 1
    node_t[0] = 0.0
    node_d[0] = 0.0
    trial = np.empty(DEPTH, np.int64)
    proven = True
    spent = 0
    while True:
        at, low = -1, bound
        for k in range(n):
            if node_d[k] < low:
                at, low = k, node_d[k]
        if at < 0:
            return np.inf, 0.0, 0.0, 0.0, proven, trial, 0
        x, y, z = node_t[at, 0], node_t[at, 1], node_t[at, 2]
        m = node_m[at]
        who, _d = deepest(hs, start, count, x, y, z, slack)
        spent += start[count] // 2 + 1
        if who < 0:
            trial[:m] = node_r[at, :m]
            return low, x, y, z, proven, trial, m
        node_d[at] = np.inf  # expanded: its place may be used again
        if m >= DEPTH or spent > work:
            proven = False
            if spent > work:
                return np.inf, 0.0, 0.0, 0.0, False, trial, 0
            continue
        trial[:m] = node_r[at, :m]
        free = at
        for r in range(start[who], start[who + 1]):
            if hs[r, 3] - slack >= bound:
                continue
            trial[m] = r
            d, tx, ty, tz = shortest(hs, trial, m + 1, slack)
            if d >= bound:
                continue
            double = False
            for k in range(n):
                if abs(node_d[k] - d) < 1e-12 and node_m[k] == m + 1:
                    shared = 0
                    for g in range(m + 1):
                        for w in range(m + 1):
                            if node_r[k, w] == trial[g]:
                                shared += 1
                                break
                    if shared == m + 1:
                        double = True
                        break
            if double:
                continue
            if free < 0:
                if n >= NODES:
                    proven = False
                    continue
                free = n
                n += 1
            node_d[free] = d
            node_t[free, 0], node_t[free, 1], node_t[free, 2] = tx, ty, tz
            node_m[free] = m + 1
            node_r[free, : m + 1] = trial[: m + 1]
            free = -1
