"""Nearest neighbours of many points, and bookkeeping on possible pairs with costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.signatures import Floats, Hashes, Ints

Mask = npt.NDArray[np.bool_]

#: Rivals looked at per element. More than two only serve to find a proposal for a person.
RIVALS = 4
#: So many distances are measured sooner than the library that avoids them is loaded.
FEW = 200_000


@dataclass(slots=True)
class Candidates:
    """Possible pairs with their costs, by old row, cheapest first."""

    i: Ints
    j: Ints
    cost: Floats


def once(values: Hashes) -> Mask:
    """Positions of values that occur once."""
    if not len(values):
        return np.zeros(0, np.bool_)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] == 1)


def nearest(
    a: Floats, b: Floats, bound: float, norm: float, rivals: int = RIVALS
) -> tuple[Ints, Ints, Floats]:
    """Pairs (row of a, row of b, distance): for each a its nearest within the bound."""
    if not len(a) or not len(b):
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros(0)

    # Coordinates far from zero lose nothing by a shift, and the tree's distances gain.
    shift = np.floor(b[0])
    kept = _thinned(b, rivals)
    most = min(rivals, len(b))
    limit = np.nextafter(bound, 2e9)
    if len(a) * len(kept) <= FEW:
        apart, at = _by_trying_all(a - shift, b[kept] - shift, most, norm)
        x, column = np.nonzero(apart < limit)
    else:
        # Half a second to load, which those do without who compare two small models.
        from scipy.spatial import cKDTree

        tree = cKDTree(b[kept] - shift)
        apart, at = (
            np.asarray(found)
            for found in tree.query(
                a - shift, k=list(range(1, most + 1)), p=norm, distance_upper_bound=limit
            )
        )
        x, column = np.nonzero(np.isfinite(apart))
    return x, kept[at[x, column]], apart[x, column]


def _by_trying_all(a: Floats, b: Floats, most: int, norm: float) -> tuple[Floats, Ints]:
    """Distances and rows of b, for each a the nearest first: what a tree answers."""
    apart = np.linalg.norm(a[:, None, :] - b[None, :, :], ord=norm, axis=2)
    at = np.argsort(apart, axis=1, kind="stable")[:, :most]
    return np.take_along_axis(apart, at, axis=1), at


def _thinned(points: Floats, most: int) -> Ints:
    """Rows without the ``most + 1``st and further copies of one point: a tree cannot split them."""
    order = np.lexsort(points.T)
    first = np.ones(len(order), np.bool_)
    first[1:] = (points[order[1:]] != points[order[:-1]]).any(axis=1)
    starts = np.flatnonzero(first)
    rank = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    return np.asarray(np.sort(order[rank < most]))


def sorted_once(i: Ints, j: Ints, cost: Floats) -> Candidates:
    """Each pair once, by old row and cost."""
    order = np.lexsort((cost, j, i))
    i, j, cost = i[order], j[order], cost[order]
    fresh = np.ones(len(i), np.bool_)
    fresh[1:] = (i[1:] != i[:-1]) | (j[1:] != j[:-1])
    i, j, cost = i[fresh], j[fresh], cost[fresh]
    order = np.lexsort((cost, i))
    return Candidates(i[order], j[order], cost[order])


def best_two(rows: Ints, cost: Floats, size: int) -> tuple[Floats, Floats]:
    """The least and the second least cost of each row; inf where there is none."""
    best, second = np.full(size, np.inf), np.full(size, np.inf)
    order = np.lexsort((cost, rows))
    sorted_rows = rows[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = sorted_rows[1:] != sorted_rows[:-1]
    best[sorted_rows[first]] = cost[order][first]
    runner = np.zeros(len(order), np.bool_)
    runner[1:] = first[:-1] & ~first[1:]
    second[sorted_rows[runner]] = cost[order][runner]
    return best, second
