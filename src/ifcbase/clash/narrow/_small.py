# Kernels are typed by numba from the arrays they get.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Compiled: small things numpy has too, in plain loops, because those compile in no time."""

from __future__ import annotations

import numpy as np

from ifcbase.clash.narrow._kernel import kernel


@kernel
def ascending(keys, n):
    """Order of the first n keys, equal ones as they come (heap sort on key, then index)."""
    order = np.empty(n, np.int64)
    for i in range(n):
        order[i] = i
    for start in range(n // 2 - 1, -1, -1):
        _sift(keys, order, start, n)
    for end in range(n - 1, 0, -1):
        order[0], order[end] = order[end], order[0]
        _sift(keys, order, 0, end)
    return order


@kernel
def _sift(keys, order, root, end):
    moving = order[root]
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and _less(keys, order[child], order[child + 1]):
            child += 1
        if not _less(keys, moving, order[child]):
            break
        order[root] = order[child]
        root = child
    order[root] = moving


@kernel
def _less(keys, i, j):
    return keys[i] < keys[j] or (keys[i] == keys[j] and i < j)


@kernel
def heaped(keys, n):
    """The first n indexes as a heap for ``take_least``: cheaper than sorting if few are taken."""
    heap = np.empty(n, np.int64)
    for i in range(n):
        heap[i] = i
    for start in range(n // 2 - 1, -1, -1):
        _sink(keys, heap, start, n)
    return heap


@kernel
def take_least(keys, heap, n):
    """The least of a heap of n, in the order of ``ascending``; n - 1 remain."""
    least = heap[0]
    heap[0] = heap[n - 1]
    _sink(keys, heap, 0, n - 1)
    return least


@kernel
def _sink(keys, heap, root, end):
    moving = heap[root]
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and _less(keys, heap[child + 1], heap[child]):
            child += 1
        if not _less(keys, heap[child], moving):
            break
        heap[root] = heap[child]
        root = child
    heap[root] = moving


@kernel
def put(to, source, n):
    """The first n items of one row to another."""
    for x in range(n):
        to[x] = source[x]


@kernel
def cross(a, b, c, d, out):
    """(b - a) x (d - c) to out; its length."""
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    wx, wy, wz = d[0] - c[0], d[1] - c[1], d[2] - c[2]
    out[0], out[1], out[2] = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
    return np.sqrt(out[0] * out[0] + out[1] * out[1] + out[2] * out[2])


@kernel
def dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
