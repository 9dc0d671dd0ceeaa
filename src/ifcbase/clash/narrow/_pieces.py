# Kernels are typed by numba from the arrays they get.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Compiled: elements cut into convex pieces whose union is the element.

A convex body is one piece. A body swept along a direction, with one flat end, is cut along the
triangulation its other end already has, neighbours joined while they stay convex (Hertel and
Mehlhorn 1983). Open surfaces become flat pieces in the same way. What is neither is left to
``general.py``.
"""

from __future__ import annotations

import numpy as np

from ifcbase.clash.narrow._kernel import kernel
from ifcbase.clash.narrow._mesh import (
    adopt_slivers,
    component_volumes,
    flip_component,
    height,
    orient,
    planes,
    tidy,
    winding,
)
from ifcbase.clash.narrow._small import put
from ifcbase.clash.narrow._swept import add_edge, close_piece, flat_pieces, swept
from ifcbase.clash.narrow.layout import EMPTY, GENERAL, OPEN, SOLID, WELD


@kernel
def prepare(vertices, faces, vo, fo, chosen, as_surface, state, ends, pends, pv, pp, pe, ev, ee):
    """Pieces of the chosen elements; with ``as_surface`` flat ones of closed meshes too.

    Fills per element the state and ends of its rows (pieces, feature vertices, feature edges); per
    piece the ends of its rows; vertices, planes (normal, offset, 1 if a real face), edges (two
    vertices, two planes, all counted within the piece); feature vertices and edges. For F faces
    and n elements there must be room for F + n + 4 pieces; see ``solids.prepare``.
    """
    n = len(chosen)
    at = np.zeros(6, np.int64)  # pieces, vertices, planes, edges, feature vertices, edges
    for i in range(n):
        e = chosen[i]
        b0, b1, b2, b3 = at[0], at[1], at[2], at[3]
        state[i] = _element(
            vertices[vo[e] : vo[e + 1]],
            faces[fo[e] : fo[e + 1]],
            as_surface,
            pends,
            pv,
            pp,
            pe,
            ev,
            ee,
            at,
        )
        if state[i] == GENERAL:
            at[0], at[1], at[2], at[3] = b0, b1, b2, b3
        ends[i, 0], ends[i, 1], ends[i, 2] = at[0], at[4], at[5]


@kernel
def _element(v0, f0, as_surface, pends, pv, pp, pe, ev, ee, at):
    if len(f0) == 0:
        return EMPTY
    v, f, twin, paired = tidy(v0, f0)
    if len(f) == 0:
        return EMPTY
    comp, ncomp, agree = orient(f, twin)
    solid = paired and agree and not as_surface
    cavity = False
    if solid:
        vol = component_volumes(v, f, comp, ncomp)
        for c in range(ncomp):
            if abs(vol[c]) < 1e-12:
                solid = False  # a folded sheet encloses nothing
        if solid:
            cavity = _outward(v, f, twin, comp, ncomp, vol)
    of, pl, pcomp, parea = planes(v, f, comp, WELD)
    adopt_slivers(v, f, twin, of)
    _features(v, f, twin, of, ev, ee, at)
    if not solid:
        flat_pieces(v, f, twin, of, pl, pends, pv, pp, pe, at)
        return OPEN
    if cavity:
        return GENERAL
    for c in range(ncomp):
        if not _component(v, f, twin, comp, c, of, pl, pcomp, parea, vol[c], pends, pv, pp, pe, at):
            return GENERAL
    return SOLID


@kernel
def _outward(v, f, twin, comp, ncomp, vol):
    """Turn every component outward; True if one of them is a cavity in another."""
    cavity = False
    turned = np.zeros(ncomp, np.bool_)
    for c in range(ncomp):
        if vol[c] < 0.0:
            flip_component(f, twin, comp, c)
            vol[c] = -vol[c]
            turned[c] = True
    if ncomp == 1:
        return False
    lo = np.full((ncomp, 3), np.inf)
    hi = np.full((ncomp, 3), -np.inf)
    for i in range(len(f)):
        c = comp[i]
        for k in range(3):
            for x in range(3):
                w = v[f[i, k], x]
                lo[c, x] = min(lo[c, x], w)
                hi[c, x] = max(hi[c, x], w)
    for c in range(ncomp):
        for d in range(ncomp):
            # A body in a body that faces the same way is just more of it.
            if turned[c] == turned[d] or vol[d] <= vol[c]:
                continue
            nested = True
            for x in range(3):
                if lo[c, x] < lo[d, x] or hi[c, x] > hi[d, x]:
                    nested = False
            if not nested:
                continue
            for i in range(len(f)):
                # A cavity may lie against the outer surface: one corner well inside tells.
                if comp[i] == c and winding(v[f[i, 0]], v, f, comp, d) > 0.75:
                    cavity = True
                    break
    return cavity


@kernel
def _features(v, f, twin, of, ev, ee, at):
    """Vertices and edges a person would see: edges between different planes, or open ones."""
    local = np.full(len(v), -1, np.int64)
    base = at[4]
    for h in range(3 * len(f)):
        t = twin[h]
        i, k = h // 3, h % 3
        if t >= 0:
            if t < h:
                continue
            p, q = of[i], of[t // 3]
            if p == q or p < 0 or q < 0:
                continue
        a, b = f[i, k], f[i, (k + 1) % 3]
        for w in (a, b):
            if local[w] < 0:
                local[w] = at[4] - base
                put(ev[at[4]], v[w], 3)
                at[4] += 1
        ee[at[5], 0], ee[at[5], 1] = local[a], local[b]
        at[5] += 1


@kernel
def _component(v, f, twin, comp, c, of, pl, pcomp, parea, vol, pends, pv, pp, pe, at):
    reflex = False
    corners = 0
    nf = 0
    edges = 0
    seen = np.zeros(len(v), np.bool_)
    for i in range(len(f)):
        if comp[i] != c:
            continue
        nf += 1
        for k in range(3):
            if not seen[f[i, k]]:
                seen[f[i, k]] = True
                corners += 1
            t = twin[3 * i + k]
            if t < 3 * i + k:
                continue
            edges += 1
            j = t // 3
            p, q = of[i], of[j]
            if p < 0 or q < 0 or p == q:
                continue
            # The larger face's plane is the better known one.
            if parea[p] >= parea[q]:
                rise = height(pl[p], v[f[j, (t % 3 + 2) % 3]])
            else:
                rise = height(pl[q], v[f[i, (k + 2) % 3]])
            if rise > WELD:
                reflex = True
                break
        if reflex:
            break
    if not reflex and corners - edges + nf == 2 and _bulges(v, seen, c, pl, pcomp, parea):
        _convex_piece(v, f, twin, comp, c, of, pl, pcomp, seen, pends, pv, pp, pe, at)
        return True
    return swept(v, f, twin, comp, c, of, pl, pcomp, parea, vol, pends, pv, pp, pe, at)


@kernel
def _bulges(v, seen, c, pl, pcomp, parea):
    """True if no vertex rises above a face of some size: fine hollows hide from the edge test."""
    total = 0.0
    for p in range(len(pl)):
        if pcomp[p] == c:
            total += parea[p]
    for p in range(len(pl)):
        if pcomp[p] == c and parea[p] > 0.01 * total:
            for i in range(len(v)):
                if seen[i] and height(pl[p], v[i]) > 5.0 * WELD:
                    return False
    return True


@kernel
def _convex_piece(v, f, twin, comp, c, of, pl, pcomp, seen, pends, pv, pp, pe, at):
    local = np.full(len(v), -1, np.int64)
    n = 0
    for i in range(len(v)):
        if seen[i]:
            local[i] = n
            put(pv[at[1] + n], v[i], 3)
            n += 1
    plocal = np.full(len(pl), -1, np.int64)
    m = 0
    for p in range(len(pl)):
        if pcomp[p] != c:
            continue
        plocal[p] = m
        row = at[2] + m
        put(pp[row], pl[p], 3)
        pp[row, 3] = -np.inf
        for i in range(n):
            w = pv[at[1] + i]
            d = pl[p, 0] * w[0] + pl[p, 1] * w[1] + pl[p, 2] * w[2]
            pp[row, 3] = max(pp[row, 3], d)
        pp[row, 4] = 1.0
        m += 1
    for i in range(len(f)):
        if comp[i] != c:
            continue
        for k in range(3):
            t = twin[3 * i + k]
            if t < 3 * i + k:
                continue
            p, q = of[i], of[t // 3]
            if p == q or p < 0 or q < 0:
                continue
            add_edge(pe, at, local[f[i, k]], local[f[i, (k + 1) % 3]], plocal[p], plocal[q])
    at[1] += n
    at[2] += m
    close_piece(pends, at)
