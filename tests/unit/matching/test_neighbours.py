"""Few points are compared one by one, many by a tree: both find the same neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ifcbase.ifc import neighbours
from ifcbase.ifc.neighbours import nearest

#: Tenths, so that points coincide and distances tie as they do in models.
POINTS = arrays(
    np.float64, st.tuples(st.integers(0, 12), st.just(3)), elements=st.integers(-8, 8).map(float)
).map(lambda found: found / 10)
FAR = 50_000.0


def both(a: Any, b: Any, bound: float, norm: float, rivals: int) -> list[Any]:
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for few in (neighbours.FEW, -1):
            patch.setattr(neighbours, "FEW", few)
            found.append(nearest(a, b, bound, norm, rivals))
    return found


@given(POINTS, POINTS, st.sampled_from([0.25, 1.0]), st.sampled_from([2.0, np.inf]),
       st.integers(1, 4), st.sampled_from([0.0, FAR]))  # fmt: skip
@settings(deadline=None, max_examples=150)
def test_both_ways_give_each_point_the_same_distances(
    a: Any, b: Any, bound: float, norm: float, rivals: int, shift: float
) -> None:
    a, b = a + shift, b + shift
    tried, tree = both(a, b, bound, norm, rivals)
    for i, j, apart in (tried, tree):
        measured = np.linalg.norm(a[i] - b[j], ord=norm, axis=1) if len(i) else np.zeros(0)
        assert np.allclose(measured, apart, atol=1e-9)
        assert np.all(apart <= bound + 1e-9)
    # What lies on the bound itself is in by rounding or not: tenths never do, but for 1.0.
    inside = [found[2] < bound - 1e-6 for found in (tried, tree)]
    (one, two), (near, same) = (
        [np.sort(found[at][keep]) for found, keep in zip((tried, tree), inside, strict=True)]
        for at in (0, 2)
    )
    assert np.array_equal(one, two)
    assert np.allclose(near, same, atol=1e-9)


def test_copies_of_one_point_do_not_crowd_out_the_next() -> None:
    a = np.zeros((1, 3))
    b = np.vstack([np.zeros((40, 3)), [[0.5, 0.0, 0.0]]])
    for i, j, apart in both(a, b, 1.0, np.inf, 4):
        assert list(i) == [0, 0, 0, 0]
        assert set(apart) == {0.0}
        assert len(set(j.tolist())) == 4


def test_nothing_has_no_neighbours() -> None:
    for i, j, apart in both(np.zeros((0, 3)), np.zeros((2, 3)), 1.0, np.inf, 4):
        assert len(i) == len(j) == len(apart) == 0
