"""Smart grouping: clashes close to each other get one number, as ifcclash groups them."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from ifcbase.clash.report import Clashes, IntArray

#: Clustering this many clashes takes about ten seconds.
MAX_CLUSTERED = 3000

Points = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def positions(clashes: Clashes) -> Points:
    """(n, 3) world metres: the middle between the two points of each clash."""
    return (clashes.p1 + clashes.p2) / 2


def smart_groups(clashes: Clashes, max_distance: float) -> IntArray:
    """A group number for each clash, counting up in the order of the clashes.

    OPTICS clustering (Ankerst et al. 1999) of the positions with at least two clashes per group,
    neighbours within ``max_distance`` metres; a clash alone is its own group. Its time grows with
    the square of the number of clashes, so that beyond ``MAX_CLUSTERED`` all clashes in one cube
    of that edge make a group.
    """
    count = len(clashes)
    if count < 2:
        return np.zeros(count, np.int32)
    points = positions(clashes)
    points = points - points.min(axis=0)
    labels = _cubes(points, max_distance) if is_coarse(clashes) else _optics(points, max_distance)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[inverse].astype(np.int32)


def is_coarse(clashes: Clashes) -> bool:
    """True if there are too many clashes to cluster, so that cubes are used."""
    return len(clashes) > MAX_CLUSTERED


def _optics(points: Points, max_distance: float) -> Labels:
    from sklearn.cluster import OPTICS  # type: ignore[import-untyped]

    # Equal midpoints divide zero by zero inside the search for steep areas, and groups without
    # any neighbour have infinite reachability; both are handled by the result, not by a warning.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        labels = OPTICS(min_samples=2, max_eps=max_distance).fit_predict(points)
    singles = labels.max() + 1 + np.arange(len(labels))
    return np.asarray(np.where(labels < 0, singles, labels), np.int64)


def _cubes(points: Points, edge: float) -> Labels:
    cells = np.floor(points / edge).astype(np.int64)
    _, labels = np.unique(cells, axis=0, return_inverse=True)
    return np.asarray(labels, np.int64).reshape(-1)
