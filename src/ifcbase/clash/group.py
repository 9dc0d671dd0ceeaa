"""Smart grouping: clashes close to each other get one number, as ifcclash groups them."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from ifcbase.clash.report import Clashes, IntArray


def positions(clashes: Clashes) -> npt.NDArray[np.float64]:
    """(n, 3) world metres: the middle between the two points of each clash."""
    return (clashes.p1 + clashes.p2) / 2


def smart_groups(clashes: Clashes, max_distance: float) -> IntArray:
    """A group number for each clash; clashes of one group lie within ``max_distance`` metres.

    OPTICS clustering (Ankerst et al. 1999) with at least two clashes per group; a clash alone is
    its own group. Numbers count up in the order of the clashes.
    """
    count = len(clashes)
    if count < 2:
        return np.zeros(count, np.int32)
    from sklearn.cluster import OPTICS  # type: ignore[import-untyped]

    points = positions(clashes)
    # Equal midpoints divide zero by zero inside the search for steep areas, and groups without
    # any neighbour have infinite reachability; both are handled by the result, not by a warning.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        labels = OPTICS(min_samples=2, max_eps=max_distance).fit_predict(
            points - points.mean(axis=0)
        )
    alone = labels < 0
    labels = np.where(alone, labels.max() + 1 + np.arange(count), labels)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[inverse].astype(np.int32)
