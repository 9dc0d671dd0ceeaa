# Kernels are typed by numba from the arrays they get.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Compiled: one mesh's topology: weld, twins, orientation, components, planes.

Everything here works on one element; arrays are small and local to the call.
"""

from __future__ import annotations

import numpy as np

from ifcbase.clash.narrow._kernel import kernel
from ifcbase.clash.narrow._small import ascending, put
from ifcbase.clash.narrow.layout import WELD

#: A triangle lower than this has no usable normal.
SLIVER = 1e-7


@kernel
def weld(v, tol):
    """Index of the first vertex at the same place, for every vertex; and the kept vertices."""
    n = len(v)
    # A skew sorting direction: building meshes have many vertices with equal x, y or z.
    key = np.empty(n)
    for i in range(n):
        key[i] = v[i, 0] * 0.5773 + v[i, 1] * 0.3217 + v[i, 2] * 0.7504
    order = ascending(key, n)
    new = np.empty(n, np.int64)
    kept = np.empty((n, 3))
    kept_key = np.empty(n)
    count = 0
    for i in order:
        found = -1
        j = count - 1
        while j >= 0 and key[i] - kept_key[j] <= 2.0 * tol:
            dx = v[i, 0] - kept[j, 0]
            dy = v[i, 1] - kept[j, 1]
            dz = v[i, 2] - kept[j, 2]
            if dx * dx + dy * dy + dz * dz <= tol * tol:
                found = j
                break
            j -= 1
        if found < 0:
            put(kept[count], v[i], 3)
            kept_key[count] = key[i]
            found = count
            count += 1
        new[i] = found
    return new, kept[:count].copy()


@kernel
def clean_faces(f, new):
    """Faces after welding, without those that lost a corner."""
    out = np.empty((len(f), 3), np.int64)
    n = 0
    for i in range(len(f)):
        a, b, c = new[f[i, 0]], new[f[i, 1]], new[f[i, 2]]
        if a != b and b != c and a != c:
            out[n, 0], out[n, 1], out[n, 2] = a, b, c
            n += 1
    return out[:n].copy()


@kernel
def twins(f, nv):
    """Opposite half-edge (3 * face + corner) of each half-edge, or -1; True if all have one.

    Only edges of exactly two faces are paired. ``same`` marks pairs that run the same way.
    """
    m = 3 * len(f)
    key = np.empty(m)  # exact: numbers below 2 ** 53
    for i in range(len(f)):
        for k in range(3):
            a, b = f[i, k], f[i, (k + 1) % 3]
            key[3 * i + k] = min(a, b) * nv + max(a, b)
    order = ascending(key, m)
    twin = np.full(m, -1, np.int64)
    paired = True
    i = 0
    while i < m:
        j = i + 1
        while j < m and key[order[j]] == key[order[i]]:
            j += 1
        if j - i == 2:
            twin[order[i]] = order[i + 1]
            twin[order[i + 1]] = order[i]
        else:
            paired = False
        i = j
    return twin, paired


@kernel
def _counting(n):
    out = np.empty(n, np.int64)
    for i in range(n):
        out[i] = i
    return out


@kernel
def tidy(v0, f0):
    """Vertices, faces, twins of a mesh, welded only as far as closing it takes; and if it closed.

    A mesh that is closed as it comes is left alone: welding would join thin sheets of it.
    """
    v = v0.copy()
    f = clean_faces(f0, _counting(len(v0)))
    twin, paired = twins(f, len(v))
    for tol in (WELD, 1e-7):
        if paired:
            break
        new, v = weld(v0, tol)
        f = clean_faces(f0, new)
        twin, paired = twins(f, len(v))
    if not paired:
        new, v = weld(v0, WELD)
        f = clean_faces(f0, new)
        twin, paired = twins(f, len(v))
    return v, f, twin, paired


@kernel
def adopt_slivers(v, f, twin, of):
    """Give faces without a plane the plane of the neighbour over their longest edge."""
    for _ in range(3):
        left = False
        for i in range(len(f)):
            if of[i] >= 0:
                continue
            longest = -1.0
            for k in range(3):
                t = twin[3 * i + k]
                if t < 0 or of[t // 3] < 0:
                    continue
                a, b = f[i, k], f[i, (k + 1) % 3]
                d = (v[a, 0] - v[b, 0]) ** 2 + (v[a, 1] - v[b, 1]) ** 2 + (v[a, 2] - v[b, 2]) ** 2
                if d > longest:
                    longest = d
                    of[i] = of[t // 3]
            left = left or of[i] < 0
        if not left:
            break


@kernel
def orient(f, twin):
    """Turn faces so that neighbours run against each other.

    Returns the component of each face, their number and whether all neighbours agree now.
    Faces are changed in place; twins stay valid because they are renumbered too.
    """
    n = len(f)
    comp = np.full(n, -1, np.int64)
    stack = np.empty(n, np.int64)
    ncomp = 0
    agree = True
    for seed in range(n):
        if comp[seed] >= 0:
            continue
        comp[seed] = ncomp
        top = 0
        stack[0] = seed
        while top >= 0:
            i = stack[top]
            top -= 1
            for k in range(3):
                t = twin[3 * i + k]
                if t < 0:
                    continue
                j = t // 3
                same = f[i, k] == f[j, t % 3]
                if comp[j] < 0:
                    comp[j] = ncomp
                    if same:
                        _flip(f, twin, j)
                    top += 1
                    stack[top] = j
                elif same and comp[j] == ncomp:
                    agree = False
        ncomp += 1
    return comp, ncomp, agree


@kernel
def _flip(f, twin, j):
    """Reverse one face: corners 0 2 1, so half-edges 0 and 2 change places."""
    f[j, 1], f[j, 2] = f[j, 2], f[j, 1]
    t0, t2 = twin[3 * j], twin[3 * j + 2]
    twin[3 * j], twin[3 * j + 2] = t2, t0
    if t0 >= 0:
        twin[t0] = 3 * j + 2
    if t2 >= 0:
        twin[t2] = 3 * j


@kernel
def flip_component(f, twin, comp, c):
    for j in range(len(f)):
        if comp[j] == c:
            _flip(f, twin, j)


@kernel
def component_volumes(v, f, comp, ncomp):
    """Signed volume of each component."""
    vol = np.zeros(ncomp)
    ox, oy, oz = v[0, 0], v[0, 1], v[0, 2]
    for i in range(len(f)):
        a, b, c = v[f[i, 0]], v[f[i, 1]], v[f[i, 2]]
        ax, ay, az = a[0] - ox, a[1] - oy, a[2] - oz
        bx, by, bz = b[0] - ox, b[1] - oy, b[2] - oz
        cx, cy, cz = c[0] - ox, c[1] - oy, c[2] - oz
        vol[comp[i]] += (
            ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx)
        ) / 6.0
    return vol


@kernel
def winding(p, v, f, comp, c):
    """Generalised winding number of p (Van Oosterom and Strackee's solid angles / 4 pi).

    Only faces of component c count, or all for c < 0.
    """
    total = 0.0
    for i in range(len(f)):
        if c >= 0 and comp[i] != c:
            continue
        ax, ay, az = v[f[i, 0], 0] - p[0], v[f[i, 0], 1] - p[1], v[f[i, 0], 2] - p[2]
        bx, by, bz = v[f[i, 1], 0] - p[0], v[f[i, 1], 1] - p[1], v[f[i, 1], 2] - p[2]
        cx, cy, cz = v[f[i, 2], 0] - p[0], v[f[i, 2], 1] - p[1], v[f[i, 2], 2] - p[2]
        la = np.sqrt(ax * ax + ay * ay + az * az)
        lb = np.sqrt(bx * bx + by * by + bz * bz)
        lc = np.sqrt(cx * cx + cy * cy + cz * cz)
        det = ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx)
        ab = ax * bx + ay * by + az * bz
        bc = bx * cx + by * cy + bz * cz
        ca = cx * ax + cy * ay + cz * az
        total += np.arctan2(det, la * lb * lc + ab * lc + bc * la + ca * lb)
    return total / (2.0 * np.pi)


@kernel
def planes(v, f, comp, tol):
    """Plane of each face (or -1 for slivers) and the planes (n, 4: normal, offset, one component).

    A face joins the plane of a larger face of its component when it faces the same way and lies
    within tol of it.
    """
    m = len(f)
    normal = np.empty((m, 3))
    area = np.empty(m)
    for i in range(m):
        a, b, c = v[f[i, 0]], v[f[i, 1]], v[f[i, 2]]
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        wx, wy, wz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        side = max(
            ux * ux + uy * uy + uz * uz,
            wx * wx + wy * wy + wz * wz,
            (ux - wx) ** 2 + (uy - wy) ** 2 + (uz - wz) ** 2,
        )
        if length <= SLIVER * np.sqrt(side):
            area[i] = -1.0
            continue
        normal[i, 0], normal[i, 1], normal[i, 2] = nx / length, ny / length, nz / length
        area[i] = 0.5 * length
    for i in range(m):
        area[i] = -area[i]
    order = ascending(area, m)
    for i in range(m):
        area[i] = -area[i]
    of = np.full(m, -1, np.int64)
    pl = np.empty((m, 4))
    pcomp = np.empty(m, np.int64)
    parea = np.zeros(m)
    n = 0
    for i in order:
        if area[i] <= 0.0:
            break
        for p in range(n):
            if pcomp[p] != comp[i]:
                continue
            if normal[i, 0] * pl[p, 0] + normal[i, 1] * pl[p, 1] + normal[i, 2] * pl[p, 2] < 0.99:
                continue
            inside = True
            for k in range(3):
                w = v[f[i, k]]
                off = w[0] * pl[p, 0] + w[1] * pl[p, 1] + w[2] * pl[p, 2] - pl[p, 3]
                if abs(off) > tol:
                    inside = False
                    break
            if inside:
                of[i] = p
                parea[p] += area[i]
                break
        if of[i] < 0:
            w = v[f[i, 0]]
            put(pl[n], normal[i], 3)
            pl[n, 3] = normal[i, 0] * w[0] + normal[i, 1] * w[1] + normal[i, 2] * w[2]
            pcomp[n] = comp[i]
            parea[n] = area[i]
            of[i] = n
            n += 1
    return of, pl[:n].copy(), pcomp[:n].copy(), parea[:n].copy()


@kernel
def height(p, v):
    return p[0] * v[0] + p[1] * v[1] + p[2] * v[2] - p[3]
