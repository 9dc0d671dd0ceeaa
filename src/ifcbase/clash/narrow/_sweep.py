"""Pairs of boxes that meet, by a tree over one side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow import native

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
    tree = _tree(b, rows)
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    count = np.array([4 * (len(a) + len(b))])
    while True:
        pairs = np.empty((int(count[0]), 2), np.int32)
        native.pairs.walk(a, b, *tree, margin, int(same), pairs, count)
        if count[0] <= len(pairs):
            break
    pairs = pairs[: count[0]]
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
