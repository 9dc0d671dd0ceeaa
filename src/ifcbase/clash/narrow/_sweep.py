"""Compiled: pairs of boxes that meet, by a tree over one side."""

from __future__ import annotations

import numpy as np

from ifcbase.clash.narrow._kernel import kernel

LEAF = 8


@kernel
def _build(box, order, node_box, node_lo, node_hi):
    """Median splits on the widest axis; children of node k are 2k+1 and 2k+2."""
    stack = np.empty(256, np.int64)
    stack[0] = 0
    node_lo[0], node_hi[0] = 0, len(order)
    top = 0
    while top >= 0:
        k = stack[top]
        top -= 1
        lo, hi = node_lo[k], node_hi[k]
        for x in range(3):
            node_box[k, x], node_box[k, x + 3] = np.inf, -np.inf
        for i in range(lo, hi):
            b = box[order[i]]
            for x in range(3):
                node_box[k, x] = min(node_box[k, x], b[x])
                node_box[k, x + 3] = max(node_box[k, x + 3], b[x + 3])
        if hi - lo <= LEAF:
            continue
        axis, wide = 0, -1.0
        for x in range(3):
            if node_box[k, x + 3] - node_box[k, x] > wide:
                axis, wide = x, node_box[k, x + 3] - node_box[k, x]
        part = order[lo:hi].copy()
        centre = np.empty(hi - lo)
        for i in range(hi - lo):
            centre[i] = box[part[i], axis] + box[part[i], axis + 3]
        order[lo:hi] = part[np.argsort(centre)]
        mid = (lo + hi) // 2
        node_lo[2 * k + 1], node_hi[2 * k + 1] = lo, mid
        node_lo[2 * k + 2], node_hi[2 * k + 2] = mid, hi
        stack[top + 1], stack[top + 2] = 2 * k + 1, 2 * k + 2
        top += 2


@kernel
def boxes_meet(a, b, margin, same):
    """Pairs (k, 2) of rows of a and b whose boxes are nearer than margin on every axis.

    With ``same`` (a is b) each unordered pair comes once, lower row first. Sorted by row of a,
    then of b.
    """
    n = len(b)
    room = 1024
    out = np.empty((room, 2), np.int32)
    count = 0
    if n == 0 or len(a) == 0:
        return out[:0].copy()
    nodes = 1
    while nodes * LEAF < n:
        nodes *= 2
    nodes = 4 * nodes + 3
    node_box = np.empty((nodes, 6))
    node_lo = np.zeros(nodes, np.int64)
    node_hi = np.zeros(nodes, np.int64)
    order = np.arange(n)
    _build(b, order, node_box, node_lo, node_hi)
    stack = np.empty(256, np.int64)
    for i in range(len(a)):
        if a[i, 0] > a[i, 3]:
            continue
        begin = count
        stack[0] = 0
        top = 0
        while top >= 0:
            k = stack[top]
            top -= 1
            if not _near(a[i], node_box[k], margin):
                continue
            if node_hi[k] - node_lo[k] > LEAF:
                stack[top + 1], stack[top + 2] = 2 * k + 1, 2 * k + 2
                top += 2
                continue
            for w in range(node_lo[k], node_hi[k]):
                j = order[w]
                if (same and j <= i) or not _near(a[i], b[j], margin):
                    continue
                if count == room:
                    room *= 2
                    grown = np.empty((room, 2), np.int32)
                    grown[:count] = out[:count]
                    out = grown
                out[count, 0], out[count, 1] = i, j
                count += 1
        out[begin:count, 1] = np.sort(out[begin:count, 1])
    return out[:count].copy()


@kernel
def _near(a, b, margin):
    for x in range(3):
        if a[x] > b[x + 3] + margin or b[x] > a[x + 3] + margin:
            return False
    return True
