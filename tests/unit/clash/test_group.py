"""Smart grouping: what is close gets one number, numbers are stable."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.clash.group import is_coarse, positions, smart_groups
from ifcbase.clash.report import Clashes
from tests.unit.clash.reports import clashes


def at(points: list[tuple[float, float, float]]) -> Clashes:
    found = clashes([(0, i, 1, i) for i in range(len(points))])
    found.p1 = np.array(points, np.float64).reshape(-1, 3)
    found.p2 = found.p1.copy()
    return found


def test_position_is_the_middle_of_the_two_points() -> None:
    found = at([(0, 0, 0)])
    found.p2 = np.array([[2.0, 4.0, 6.0]])
    assert positions(found).tolist() == [[1.0, 2.0, 3.0]]


def test_two_heaps_far_apart_are_two_groups_and_a_single_is_its_own() -> None:
    heap = [(0.0, 0.0, 0.0), (0.1, 0, 0), (0, 0.1, 0)]
    far = [(x + 100, y, z) for x, y, z in heap]
    groups = smart_groups(at([*heap, (50, 0, 0), *far]), 1.0)
    assert groups.tolist() == [0, 0, 0, 1, 2, 2, 2]


def test_georeferenced_heaps_are_told_apart_as_well() -> None:
    heap = [(5e5, 6e6, 0.0), (5e5 + 0.1, 6e6, 0), (5e5, 6e6 + 0.1, 0)]
    far = [(x + 100, y, z) for x, y, z in heap]
    assert smart_groups(at([*heap, *far]), 1.0).tolist() == [0, 0, 0, 1, 1, 1]


def test_none_and_one() -> None:
    assert smart_groups(at([]), 1.0).tolist() == []
    assert smart_groups(at([(1, 2, 3)]), 1.0).tolist() == [0]


def test_all_alone_and_all_in_one_place() -> None:
    """Both made scikit-learn warn, which is an error in this suite."""
    assert smart_groups(at([(0, 0, 0), (50, 0, 0), (100, 0, 0)]), 1.0).tolist() == [0, 1, 2]
    assert set(smart_groups(at([(1, 1, 1)] * 6), 1.0).tolist()) == {0}


def test_too_many_to_cluster_are_grouped_by_cubes_in_no_time() -> None:
    """OPTICS took 41 s for 8,000 clashes, growing with their square."""
    count = 100_000
    found = clashes([(0, i, 1, i) for i in range(count)])
    found.p1 = np.random.default_rng(7).uniform(0, 100, (count, 3))
    found.p2 = found.p1
    assert is_coarse(found)
    start = time.process_time()
    groups = smart_groups(found, 5.0)
    assert time.process_time() - start < 5
    for group in range(0, int(groups.max()), 500):
        members = found.p1[groups == group]
        assert np.ptp(members, axis=0).max() <= 5.0
    assert not is_coarse(at([(0, 0, 0)]))


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(0, 10)), max_size=25),
    st.floats(0.1, 10),
)
def test_numbers_count_up_and_repeat_exactly(
    points: list[tuple[float, float, float]], distance: float
) -> None:
    groups = smart_groups(at(points), distance)
    assert groups.dtype == np.int32
    assert len(groups) == len(points)
    first_seen = list(dict.fromkeys(groups.tolist()))
    assert first_seen == list(range(len(first_seen)))
    assert np.array_equal(groups, smart_groups(at(points), distance))
