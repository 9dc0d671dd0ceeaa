"""Members of a side: order, choice, and which pairs of them are to be looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.clash.engine import Members

Rows = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int32]


def in_order(members: Members) -> Members:
    order = np.lexsort([members.element, members.model])
    return take(members, order)


def take(members: Members, rows: npt.NDArray[Any]) -> Members:
    return Members(members.model[rows], members.element[rows])


def by_model(members: Members) -> list[tuple[int, slice]]:
    """Ranges of sorted members by model."""
    models, starts = np.unique(members.model, return_index=True)
    ends = [*starts[1:].tolist(), len(members)]
    return [
        (m, slice(s, e)) for m, s, e in zip(models.tolist(), starts.tolist(), ends, strict=True)
    ]


def once(pairs: Pairs, a: Members, b: Members) -> Pairs:
    """Sides may share elements: no pair of an element with itself, and no pair both ways round."""
    most = int(max(a.element.max(), b.element.max())) + 1
    key_a = a.model.astype(np.int64) * most + a.element
    key_b = b.model.astype(np.int64) * most + b.element
    x, y = key_a[pairs[:, 0]], key_b[pairs[:, 1]]
    # Both ways round: x is also in b, and y also in a. The earlier element stays on side a.
    crossed = (x > y) & np.isin(x, key_b) & np.isin(y, key_a)
    return np.asarray(pairs[(x != y) & ~crossed])


def rows_among(pairs: Pairs, used_a: Pairs, used_b: Pairs) -> Rows:
    """Pairs as rows of the used elements."""
    return np.stack(
        [np.searchsorted(used_a, pairs[:, 0]), np.searchsorted(used_b, pairs[:, 1])], axis=1
    )
