# Kernels are typed by numba from the arrays they get.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Pairs of boxes that meet, by a tree over one side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow._kernel import kernel

LEAF = 16

Floats = npt.NDArray[np.float64]


def boxes_meet(a: Floats, b: Floats, margin: float, same: bool) -> npt.NDArray[np.int32]:
    """Pairs (k, 2) of rows of a and b whose boxes are nearer than margin on every axis.

    With ``same`` (a is b) each unordered pair comes once, lower row first. Sorted by row of a,
    then of b. Empty boxes (least above greatest) meet nothing.
    """
    rows = np.flatnonzero(b[:, 0] <= b[:, 3])
    if len(a) == 0 or len(rows) == 0:
        return np.zeros((0, 2), np.int32)
    order, boxes, lo, hi, left = _tree(b, rows)
    pairs: npt.NDArray[np.int32] = _walk(
        np.ascontiguousarray(a), np.ascontiguousarray(b), order, boxes, lo, hi, left, margin, same
    )
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _tree(b: Floats, order: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.generic], ...]:
    """Median splits on the widest axis: order of rows, then per node box, rows lo..hi, children.

    The right child follows the left one; -1 where there are none.
    """
    boxes: list[Floats] = []
    lo, hi, left = [0], [len(order)], []
    k = 0
    while k < len(lo):
        part = b[order[lo[k] : hi[k]]]
        box = np.concatenate([part[:, :3].min(axis=0), part[:, 3:].max(axis=0)])
        boxes.append(box)
        if hi[k] - lo[k] <= LEAF:
            left.append(-1)
        else:
            axis = int(np.argmax(box[3:] - box[:3]))
            mid = (hi[k] - lo[k]) // 2
            halves = np.argpartition(part[:, axis] + part[:, axis + 3], mid)
            order[lo[k] : hi[k]] = order[lo[k] : hi[k]][halves]
            left.append(len(lo))
            lo += [lo[k], lo[k] + mid]
            hi += [lo[k] + mid, hi[k]]
        k += 1
    return order, np.array(boxes), np.array(lo), np.array(hi), np.array(left)


@kernel
def _walk(a, b, order, boxes, node_lo, node_hi, left, margin, same):
    room = 1024
    out = np.empty((room, 2), np.int32)
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
                if count == room:
                    room *= 2
                    grown = np.empty((room, 2), np.int32)
                    for x in range(count):
                        grown[x, 0], grown[x, 1] = out[x, 0], out[x, 1]
                    out = grown
                out[count, 0], out[count, 1] = i, j
                count += 1
    return out[:count].copy()


@kernel
def near(a, b, margin):
    """True if two boxes are nearer than margin on every axis."""
    for x in range(3):  # noqa: SIM110 - compiled
        if a[x] > b[x + 3] + margin or b[x] > a[x + 3] + margin:
            return False
    return True
