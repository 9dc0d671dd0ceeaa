"""Compiled: smallest distance between two triangle meshes, with its two points."""

from __future__ import annotations

import numpy as np

from ifcbase.clash.narrow._kernel import kernel


@kernel
def _clamp(x):
    return 0.0 if x < 0.0 else (1.0 if x > 1.0 else x)


@kernel
def _segments(p, q, r, s, out):
    """Squared distance of segments pq and rs; points to out (Ericson 2005, section 5.1.9)."""
    d10, d11, d12 = q[0] - p[0], q[1] - p[1], q[2] - p[2]
    d20, d21, d22 = s[0] - r[0], s[1] - r[1], s[2] - r[2]
    r0, r1, r2 = p[0] - r[0], p[1] - r[1], p[2] - r[2]
    a = d10 * d10 + d11 * d11 + d12 * d12
    e = d20 * d20 + d21 * d21 + d22 * d22
    f = d20 * r0 + d21 * r1 + d22 * r2
    if a <= 1e-24 and e <= 1e-24:
        u, w = 0.0, 0.0
    elif a <= 1e-24:
        u, w = 0.0, _clamp(f / e)
    else:
        c = d10 * r0 + d11 * r1 + d12 * r2
        if e <= 1e-24:
            u, w = _clamp(-c / a), 0.0
        else:
            b = d10 * d20 + d11 * d21 + d12 * d22
            den = a * e - b * b
            u = _clamp((b * f - c * e) / den) if den > 1e-14 * a * e else 0.0
            w = (b * u + f) / e
            if w < 0.0:
                w, u = 0.0, _clamp(-c / a)
            elif w > 1.0:
                w, u = 1.0, _clamp((b - c) / a)
    out[0], out[1], out[2] = p[0] + u * d10, p[1] + u * d11, p[2] + u * d12
    out[3], out[4], out[5] = r[0] + w * d20, r[1] + w * d21, r[2] + w * d22
    return (out[0] - out[3]) ** 2 + (out[1] - out[4]) ** 2 + (out[2] - out[5]) ** 2


@kernel
def point_triangle(p, a, b, c, out):
    """Nearest point of a triangle to p, to out[0:3]; squared distance (Ericson, 5.1.5)."""
    ab0, ab1, ab2 = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    ac0, ac1, ac2 = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    ap0, ap1, ap2 = p[0] - a[0], p[1] - a[1], p[2] - a[2]
    d1 = ab0 * ap0 + ab1 * ap1 + ab2 * ap2
    d2 = ac0 * ap0 + ac1 * ap1 + ac2 * ap2
    bp0, bp1, bp2 = p[0] - b[0], p[1] - b[1], p[2] - b[2]
    d3 = ab0 * bp0 + ab1 * bp1 + ab2 * bp2
    d4 = ac0 * bp0 + ac1 * bp1 + ac2 * bp2
    cp0, cp1, cp2 = p[0] - c[0], p[1] - c[1], p[2] - c[2]
    d5 = ab0 * cp0 + ab1 * cp1 + ab2 * cp2
    d6 = ac0 * cp0 + ac1 * cp1 + ac2 * cp2
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    if d1 <= 0.0 and d2 <= 0.0:
        u, w = 0.0, 0.0
    elif d3 >= 0.0 and d4 <= d3:
        u, w = 1.0, 0.0
    elif d6 >= 0.0 and d5 <= d6:
        u, w = 0.0, 1.0
    elif vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        u, w = (d1 / (d1 - d3) if d1 != d3 else 0.0), 0.0
    elif vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        u, w = 0.0, (d2 / (d2 - d6) if d2 != d6 else 0.0)
    elif va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
        den = (d4 - d3) + (d5 - d6)
        w = (d4 - d3) / den if den > 0.0 else 0.0
        u = 1.0 - w
    else:
        den = va + vb + vc
        u, w = (vb / den, vc / den) if den != 0.0 else (0.0, 0.0)
    out[0] = a[0] + u * ab0 + w * ac0
    out[1] = a[1] + u * ab1 + w * ac1
    out[2] = a[2] + u * ab2 + w * ac2
    return (out[0] - p[0]) ** 2 + (out[1] - p[1]) ** 2 + (out[2] - p[2]) ** 2


@kernel
def _crosses(p, q, a, b, c, out):
    """True if segment pq meets the triangle; the point to out[0:3] (Moeller and Trumbore 1997)."""
    d0, d1, d2 = q[0] - p[0], q[1] - p[1], q[2] - p[2]
    e0, e1, e2 = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    g0, g1, g2 = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    h0, h1, h2 = d1 * g2 - d2 * g1, d2 * g0 - d0 * g2, d0 * g1 - d1 * g0
    det = e0 * h0 + e1 * h1 + e2 * h2
    # Along the triangle, rounding decides where they meet; their edges are nearer then anyway.
    size = (
        (d0 * d0 + d1 * d1 + d2 * d2)
        * (e0 * e0 + e1 * e1 + e2 * e2)
        * (g0 * g0 + g1 * g1 + g2 * g2)
    )
    if det * det <= 1e-18 * size:
        return False
    s0, s1, s2 = p[0] - a[0], p[1] - a[1], p[2] - a[2]
    u = (s0 * h0 + s1 * h1 + s2 * h2) / det
    k0, k1, k2 = s1 * e2 - s2 * e1, s2 * e0 - s0 * e2, s0 * e1 - s1 * e0
    w = (d0 * k0 + d1 * k1 + d2 * k2) / det
    t = (g0 * k0 + g1 * k1 + g2 * k2) / det
    if t < 0.0 or t > 1.0:
        return False
    if u < 0.0 or w < 0.0 or u + w > 1.0:
        return False
    out[0], out[1], out[2] = p[0] + t * d0, p[1] + t * d1, p[2] + t * d2
    return True


@kernel
def _triangles(ta, tb, best, points, out):
    """Squared distance of two triangles if below best, else best; points are then set."""
    for k in range(3):
        for w in range(3):
            d = _segments(ta[k], ta[(k + 1) % 3], tb[w], tb[(w + 1) % 3], out)
            if d < best:
                best = d
                points[:] = out
    for k in range(3):
        d = point_triangle(ta[k], tb[0], tb[1], tb[2], out)
        if d < best:
            best = d
            points[:3] = ta[k]
            points[3:] = out[:3]
        d = point_triangle(tb[k], ta[0], ta[1], ta[2], out)
        if d < best:
            best = d
            points[:3] = out[:3]
            points[3:] = tb[k]
    if best > 0.0:
        for k in range(3):
            if _crosses(ta[k], ta[(k + 1) % 3], tb[0], tb[1], tb[2], out) or _crosses(
                tb[k], tb[(k + 1) % 3], ta[0], ta[1], ta[2], out
            ):
                points[:3] = out[:3]
                points[3:] = out[:3]
                return 0.0
    return best


@kernel
def _gap2(a, b):
    """Squared distance of two boxes."""
    total = 0.0
    for x in range(3):
        d = max(a[x] - b[x + 3], b[x] - a[x + 3])
        if d > 0.0:
            total += d * d
    return total


@kernel
def _near_triangles(s, i, other, limit2):
    """Triangles (k, 3, 3) of element i and their boxes, nearest to the box ``other`` first."""
    v = s.vertices[s.v_at[i] : s.v_at[i + 1]]
    f = s.faces[s.f_at[i] : s.f_at[i + 1]]
    tri = np.empty((len(f), 3, 3))
    box = np.empty((len(f), 6))
    gap = np.empty(len(f))
    n = 0
    for k in range(len(f)):
        for x in range(3):
            p, q, r = v[f[k, 0], x], v[f[k, 1], x], v[f[k, 2], x]
            box[n, x] = min(p, min(q, r))
            box[n, x + 3] = max(p, max(q, r))
        gap[n] = _gap2(box[n], other)
        if gap[n] <= limit2:
            for c in range(3):
                tri[n, c] = v[f[k, c]]
            n += 1
    order = np.argsort(gap[:n])
    return tri[order], box[order], gap[order]


@kernel
def distance(s, i, j, limit, points):
    """Distance of the surfaces if not above limit, else inf; both points to ``points`` (6)."""
    limit2 = limit * limit
    ta, ba, ga = _near_triangles(s, i, s.box[j], limit2)
    tb, bb, gb = _near_triangles(s, j, s.box[i], limit2)
    best = limit2 * (1.0 + 1e-12) + 1e-24
    found = False
    out = np.empty(6)
    for k in range(len(ta)):
        if ga[k] >= best:
            break
        for w in range(len(tb)):
            if gb[w] >= best:
                break
            if _gap2(ba[k], bb[w]) >= best:
                continue
            d = _triangles(ta[k], tb[w], best, points, out)
            if d < best:
                best = d
                found = True
                if best <= 0.0:
                    return 0.0
    return np.sqrt(best) if found else np.inf


@kernel
def to_surface(s, i, p):
    """Move p to the nearest point of the surface of element i; returns the distance."""
    v = s.vertices[s.v_at[i] : s.v_at[i + 1]]
    f = s.faces[s.f_at[i] : s.f_at[i + 1]]
    out = np.empty(6)
    best = np.inf
    x, y, z = p[0], p[1], p[2]
    for k in range(len(f)):
        d = point_triangle(p, v[f[k, 0]], v[f[k, 1]], v[f[k, 2]], out)
        if d < best:
            best = d
            x, y, z = out[0], out[1], out[2]
    p[0], p[1], p[2] = x, y, z
    return np.sqrt(best)
