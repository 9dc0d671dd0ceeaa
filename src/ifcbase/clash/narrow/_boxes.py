# Kernels are typed by numba from the arrays they get.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Compiled: boxes that meet, found down a tree over one side."""

from __future__ import annotations

import numpy as np

from ifcbase.clash.narrow._kernel import kernel


@kernel
def walk(a, b, order, boxes, node_lo, node_hi, left, margin, same, out):
    """Rows of a and b whose boxes are near, to out as far as there is room; their number."""
    count = 0
    stack = np.empty(256, np.int64)
    for i in range(len(a)):
        if a[i, 0] > a[i, 3]:
            continue
        stack[0] = 0
        top = 0
        while top >= 0:
            k = stack[top]
            top -= 1
            if not near(a[i], boxes[k], margin):
                continue
            if left[k] >= 0:
                stack[top + 1], stack[top + 2] = left[k], left[k] + 1
                top += 2
                continue
            for w in range(node_lo[k], node_hi[k]):
                j = order[w]
                if (same and j <= i) or not near(a[i], b[j], margin):
                    continue
                if count < len(out):
                    out[count, 0], out[count, 1] = i, j
                count += 1
    return count


@kernel
def near(a, b, margin):
    """True if two boxes are nearer than margin on every axis."""
    for x in range(3):  # noqa: SIM110 - compiled
        if a[x] > b[x + 3] + margin or b[x] > a[x + 3] + margin:
            return False
    return True
