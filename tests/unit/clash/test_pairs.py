"""Contacts become clashes: right sides, no pair twice, the same order whatever the engine did."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.clash.engine import Contacts, Members
from ifcbase.clash.pairs import to_clashes, to_pairs, worst_first
from ifcbase.clash.report import Clashes, Kind, Measured, PairList
from ifcbase.errors import ReportInvalid
from ifcbase.ifc.relations import Relations
from tests.unit.clash.reports import clashes

Where = tuple[int, int]
Row = tuple[Where, Where, float]
SIZES = [4, 3]
ELEMENTS: list[Where] = [(m, e) for m, size in enumerate(SIZES) for e in range(size)]


def unrelated() -> list[Relations]:
    return [Relations(*(np.full(n, -1, np.int32) for _ in range(4))) for n in SIZES]


def members(elements: list[Where]) -> Members:
    table = np.array(elements, np.int32).reshape(-1, 2)
    return Members(table[:, 0], table[:, 1])


def contacts(rows: list[Row], kind: Kind = Kind.PIERCE) -> Contacts:
    """Each element's point is (its model, its index, distance)."""
    x = np.array([r[0] for r in rows], np.int32).reshape(-1, 2)
    y = np.array([r[1] for r in rows], np.int32).reshape(-1, 2)
    distance = np.array([r[2] for r in rows], np.float64)
    return Contacts(
        x_model=x[:, 0],
        x=x[:, 1],
        y_model=y[:, 0],
        y=y[:, 1],
        kind=np.full(len(rows), kind, np.uint8),
        distance=distance,
        measured=np.full(len(rows), Measured.EXACT, np.uint8),
        p_x=np.column_stack([x, np.nan_to_num(distance)]).astype(np.float64),
        p_y=np.column_stack([y, np.nan_to_num(distance)]).astype(np.float64),
    )


def run(
    rows: list[Row],
    a: list[Where],
    b: list[Where] | None = None,
    *,
    kind: Kind = Kind.PIERCE,
    relations: list[Relations] | None = None,
    include_related: bool = False,
) -> tuple[Clashes, PairList]:
    in_a = members(a)
    in_b = in_a if b is None else members(b)
    return to_clashes(
        contacts(rows, kind), in_a, in_b, SIZES, relations or unrelated(), include_related
    )


def pairs(clashes: Clashes | PairList) -> list[tuple[Where, Where]]:
    rows = zip(clashes.a_file, clashes.a, clashes.b_file, clashes.b, strict=True)
    return [((int(m), int(i)), (int(n), int(j))) for m, i, n, j in rows]


ANY_ROWS = st.lists(
    st.tuples(st.sampled_from(ELEMENTS), st.sampled_from(ELEMENTS), st.floats(0, 5)), max_size=30
)


@settings(deadline=None, max_examples=100)
@given(ANY_ROWS)
def test_self_clash_has_each_unordered_pair_once_and_none_with_itself(rows: list[Row]) -> None:
    found, _ = run(rows, ELEMENTS)
    expected = sorted({(min(x, y), max(x, y)) for x, y, _ in rows if x != y})
    assert pairs(found) == expected


@settings(deadline=None, max_examples=100)
@given(
    ANY_ROWS,
    st.sets(st.sampled_from(ELEMENTS), min_size=1),
    st.sets(st.sampled_from(ELEMENTS), min_size=1),
    st.randoms(use_true_random=False),
)
def test_sides_are_right_and_order_does_not_depend_on_the_engine(
    rows: list[Row], a: set[Where], b: set[Where], shuffler: random.Random
) -> None:
    rows = [r for r in rows if (r[0] in a and r[1] in b) or (r[1] in a and r[0] in b)]
    found, _ = run(rows, sorted(a), sorted(b))
    got = pairs(found)
    assert got == sorted(got)
    assert all(x in a and y in b for x, y in got)
    unordered = [frozenset(pair) for pair in got]
    assert len(set(unordered)) == len(unordered)
    assert set(unordered) == {frozenset((x, y)) for x, y, _ in rows if x != y}
    flipped = [(y, x, d) if shuffler.random() < 0.5 else (x, y, d) for x, y, d in rows]
    shuffler.shuffle(flipped)
    again, _ = run(flipped, sorted(a), sorted(b))
    for column in dataclasses.fields(Clashes):
        assert np.array_equal(getattr(found, column.name), getattr(again, column.name))


@settings(deadline=None, max_examples=60)
@given(ANY_ROWS)
def test_points_stay_with_their_elements(rows: list[Row]) -> None:
    found, _ = run(rows, ELEMENTS)
    for (x, y), p1, p2 in zip(pairs(found), found.p1, found.p2, strict=True):
        assert tuple(p1[:2].astype(int)) == x
        assert tuple(p2[:2].astype(int)) == y


def test_deepest_contact_of_a_pair_stays_and_the_nearest_for_clearance() -> None:
    rows: list[Row] = [((0, 0), (1, 0), 0.1), ((1, 0), (0, 0), 0.3), ((0, 0), (1, 0), 0.2)]
    deep, _ = run(rows, [(0, 0)], [(1, 0)])
    near, _ = run(rows, [(0, 0)], [(1, 0)], kind=Kind.CLEARANCE)
    assert deep.distance.tolist() == [0.3]
    assert near.distance.tolist() == [0.1]


def test_same_index_in_two_files_is_not_the_same_element() -> None:
    found, _ = run([((0, 1), (1, 1), 0.1)], ELEMENTS)
    assert pairs(found) == [((0, 1), (1, 1))]


def test_related_pairs_are_left_out_and_counted() -> None:
    relations = unrelated()
    relations[0].host[1] = 0
    rows: list[Row] = [((0, 0), (0, 1), 0.1), ((1, 0), (1, 1), 0.1), ((0, 0), (1, 1), 0.1)]
    found, left_out = run(rows, ELEMENTS, relations=relations)
    assert [each.tolist() for each in (left_out.a_file, left_out.a)] == [[0], [0]]
    assert [each.tolist() for each in (left_out.b_file, left_out.b)] == [[0], [1]]
    assert pairs(found) == [((0, 0), (1, 1)), ((1, 0), (1, 1))]
    found, left_out = run(rows, ELEMENTS, relations=relations, include_related=True)
    assert len(left_out) == 0
    assert len(found) == 3


def test_element_that_was_not_asked_for_is_an_error_not_a_clash() -> None:
    with pytest.raises(ReportInvalid):
        run([((0, 0), (1, 1), 0.1)], [(0, 0)], [(1, 0)])


def test_distance_that_is_no_number_keeps_the_clash_unmeasured() -> None:
    found, _ = run([((0, 0), (1, 0), float("nan"))], [(0, 0)], [(1, 0)])
    assert found.distance.tolist() == [0.0]
    assert found.measured.tolist() == [Measured.NONE]
    assert np.isfinite(found.p1).all()


def test_negative_distance_becomes_zero() -> None:
    found, _ = run([((0, 0), (1, 0), -1e-9)], [(0, 0)], [(1, 0)])
    assert found.distance.tolist() == [0.0]


def test_contact_without_any_point_is_an_error() -> None:
    broken = contacts([((0, 0), (1, 0), 0.1)])
    broken.p_x[:] = np.inf
    broken.p_y[:] = np.nan
    with pytest.raises(ReportInvalid):
        to_clashes(broken, members([(0, 0)]), members([(1, 0)]), SIZES, unrelated(), False)


def test_nothing_found_is_nothing() -> None:
    found, left_out = run([], ELEMENTS)
    assert (len(found), len(left_out)) == (0, 0)
    assert found.p1.shape == (0, 3)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_pairs_stand_on_the_sides_on_which_their_clashes_would(data: st.DataObject) -> None:
    on_a, on_b = (
        data.draw(st.lists(st.sampled_from(ELEMENTS), min_size=1, unique=True)) for _ in "ab"
    )
    rows = data.draw(st.lists(st.tuples(st.sampled_from(on_a), st.sampled_from(on_b))))
    turned = [(y, x) if data.draw(st.booleans()) else (x, y) for x, y in rows]
    found, _ = run([(x, y, 0.1) for x, y in turned], on_a, on_b)
    listed = to_pairs(
        members([x for x, _ in turned]),
        members([y for _, y in turned]),
        members(on_a),
        members(on_b),
        SIZES,
    )
    assert pairs(listed) == pairs(found)


def test_a_listed_pair_of_an_element_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(ReportInvalid):
        to_pairs(members([(0, 0)]), members([(1, 1)]), members([(0, 0)]), members([(1, 0)]), SIZES)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 9)), max_size=8), st.integers(0, 8))
def test_the_worst_are_the_deepest_and_then_the_nearest(
    rows: list[tuple[bool, float]], longest: int
) -> None:
    apart = np.array([each for each, _ in rows], bool)
    distance = np.array([each for _, each in rows], np.float64)
    found = dataclasses.replace(
        clashes([(0, 0, 1, 0)] * len(rows)),
        kind=np.where(apart, Kind.CLEARANCE, Kind.COLLISION).astype(np.uint8),
        distance=distance,
    )
    order = worst_first(found).tolist()
    assert sorted(order) == list(range(len(rows)))
    kept, left = order[:longest], order[longest:]
    for i in kept:
        for j in left:
            if apart[i] != apart[j]:
                assert apart[j], "one that only comes too close gives way to one that penetrates"
            else:
                assert distance[i] <= distance[j] if apart[i] else distance[i] >= distance[j]
