"""Matching on made-up boxes: what must be found, what must never be, whatever moves a little."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.ifc.matching import Matches, Method, Tolerance, match, match_moved
from ifcbase.ifc.signatures import GRID, Signatures
from tests.boxes import Box, signatures

ROW = [Box(f"column-{i}", (3.0 * i, 0, 0)) for i in range(6)]


def again(boxes: list[Box], seed: int = 0, jitter: float = 0.001) -> list[Box]:
    """The boxes under new ids, in another order, each moved by up to ``jitter`` metres."""
    rng = random.Random(seed)  # noqa: S311
    moved = [
        replace(
            b,
            id=f"new-{b.id}",
            at=tuple(x + rng.uniform(-jitter, jitter) for x in b.at),
            size=tuple(x + rng.uniform(-jitter, jitter) for x in b.size),
        )
        for b in boxes
    ]
    rng.shuffle(moved)
    return moved


def found(old: list[Box], new: list[Box], **more: Tolerance) -> tuple[Matches, dict[str, str]]:
    a, b = signatures(old), signatures(new)
    result = match(a, b, **more)
    whole(result, a, b)
    return result, names(result, a, b)


def names(result: Matches, old: Signatures, new: Signatures) -> dict[str, str]:
    before, after = old.global_id[result.old].tolist(), new.global_id[result.new].tolist()
    return dict(zip(before, after, strict=True))


def whole(result: Matches, old: Signatures, new: Signatures) -> None:
    """Everybody is accounted for once, and nobody is given away twice."""
    rows = np.concatenate([result.old, result.doubtful_old, result.gone])
    assert sorted(rows.tolist()) == list(range(len(old)))
    assert sorted([*result.new, *result.appeared]) == list(range(len(new)))
    proposed = result.doubtful_new[result.doubtful_new >= 0].tolist()
    assert len(set(proposed)) == len(proposed)
    assert not set(proposed) & set(result.new.tolist())
    assert (result.confidence >= 0.5).all()
    assert (result.doubtful_confidence <= 0.5).all()


def right(links: dict[str, str]) -> bool:
    return all(new in (f"new-{old}", old) for old, new in links.items())


@st.composite
def buildings(draw: st.DrawFn) -> list[Box]:
    """Boxes at least 60 mm apart, many alike, some of them turned from columns into others."""
    cells = draw(
        st.lists(
            st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 3)),
            unique=True,
            min_size=1,
            max_size=25,
        )
    )
    pitch = draw(st.sampled_from([0.06, 0.5, 3.0]))
    base = draw(st.sampled_from([0.0, 85000.0, 6_600_000.0]))
    sizes = st.sampled_from([(0.05, 0.05, 0.05), (0.3, 0.3, 3.0), (2.0, 0.1, 2.5)])
    return [
        Box(
            f"b{i}",
            (base + pitch * x, pitch * y, pitch * z),
            draw(sizes),
            draw(st.sampled_from(["IfcColumn", "IfcBeam"])),
            properties=draw(st.sampled_from(["", "p"])),
            meshed=draw(st.sampled_from([True, True, True, False])),
        )
        for i, (x, y, z) in enumerate(cells)
    ]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(buildings(), st.integers(0, 10**6))
def test_everybody_is_found_again_under_new_ids_and_a_millimetre_away(
    boxes: list[Box], seed: int
) -> None:
    result, links = found(boxes, again(boxes, seed))
    assert right(links)
    assert len(links) == len(boxes)
    assert len(result.gone) == len(result.doubtful_old) == 0


@settings(deadline=None, max_examples=60, derandomize=True)
@given(buildings(), st.integers(0, 10**6), st.data())
def test_edits_beside_never_make_a_wrong_link(
    boxes: list[Box], seed: int, data: st.DataObject
) -> None:
    """Some are deleted, some moved far, some added; the others are still themselves."""
    new = again(boxes, seed)
    rng = random.Random(seed)  # noqa: S311
    deleted = {b.id for b in rng.sample(new, data.draw(st.integers(0, len(new) // 3)))}
    kept = [b for b in new if b.id not in deleted]
    moved = {b.id for b in rng.sample(kept, data.draw(st.integers(0, len(kept) // 3)))}
    edited = [
        replace(b, at=(b.at[0], b.at[1], b.at[2] + 200.0)) if b.id in moved else b for b in kept
    ]
    edited += [replace(boxes[0], id="added", at=(boxes[0].at[0], -50.0, 0.0))]
    _, links = found(boxes, edited)
    assert right({old: new_ for old, new_ in links.items() if new_ not in moved})
    expected = {b.id.removeprefix("new-") for b in kept} - {m.removeprefix("new-") for m in moved}
    assert expected <= set(links)
    assert not set(links.values()) & {"added"}


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.floats(-0.6, 0.6), st.floats(0, 0.0009), st.integers(0, 10**4))
def test_the_border_of_a_grid_cell_decides_nothing(start: float, step: float, seed: int) -> None:
    """Corners that round to other cells give other hashes, but the same identity."""
    row = [replace(b, at=(b.at[0] + start * GRID, 0, 0)) for b in ROW]
    new = [replace(b, id=f"new-{b.id}", at=(b.at[0] + step, 0, 0)) for b in row]
    random.Random(seed).shuffle(new)  # noqa: S311
    _, links = found(row, new)
    assert len(links) == len(ROW)
    assert right(links)


@pytest.mark.parametrize("pitch", [0.01, 0.02, 0.1, 1.0, 3.0])
def test_equal_things_in_a_row_are_never_swapped(pitch: float) -> None:
    row = [Box(f"c{i}", (pitch * i, 0, 0), (0.004, 0.004, 1)) for i in range(40)]
    for seed in range(5):
        _, links = found(row, again(row, seed))
        assert right(links)
        # A centimetre apart, jitter of place and size together may leave a few in doubt.
        assert len(links) >= (40 if pitch > 0.01 else 36)


def test_one_missing_in_a_row_does_not_shift_the_others() -> None:
    row = [Box(f"c{i}", (0.3 * i, 0, 0), (0.2, 0.2, 3)) for i in range(20)]
    result, links = found(row, again(row[:7] + row[8:]))
    assert right(links)
    assert len(links) == 19
    assert len(result.gone) == 1


def test_halfway_between_two_is_doubtful() -> None:
    old = [Box("left", (0, 0, 0)), Box("right", (0.016, 0, 0))]
    result, links = found(old, [Box("middle", (0.008, 0, 0))])
    assert links == {}
    assert len(result.doubtful_old) == 2


def test_two_in_one_place_are_doubtful_unless_properties_tell_them_apart() -> None:
    pair = [Box("one"), Box("two")]
    result, links = found(pair, again(pair))
    assert links == {}
    assert len(result.doubtful_old) == 2
    told = [Box("one", properties="a"), Box("two", properties="b")]
    _, links = found(told, again(told))
    assert links == {"one": "new-one", "two": "new-two"}


def test_the_same_key_wins_over_everything() -> None:
    result, links = found([Box("a"), Box("b", (5, 0, 0))], [Box("a", (5, 0, 0)), Box("b")])
    assert links == {"a": "a", "b": "b"}
    assert set(result.method.tolist()) == {Method.EXACT}


def test_repeated_ids_are_told_apart_by_their_number() -> None:
    result, _ = found(ROW[:1] * 1 + [Box("column-0", (9, 0, 0))], [Box("column-0", (1, 1, 1))])
    assert result.old.tolist() == [0]


def test_equal_content_is_certain() -> None:
    result, links = found(ROW, [replace(b, id=f"new-{b.id}") for b in ROW])
    assert right(links)
    assert set(result.method.tolist()) == {Method.CONTENT}
    assert (result.confidence == 1).all()


def test_another_class_in_the_same_place_is_only_proposed() -> None:
    result, links = found([ROW[0]], [replace(ROW[0], id="x", ifc_class="IfcPile")])
    assert links == {}
    assert result.doubtful_new.tolist() == [0]


def test_another_size_in_the_same_place_is_not_the_same() -> None:
    result, links = found([Box("a")], [Box("b", size=(0.5, 0.5, 3.0))])
    assert links == {}
    assert result.doubtful_new.tolist() == [0]


@pytest.mark.parametrize(("by", "verdict"), [(0.015, "same"), (0.4, "doubtful"), (30.0, "gone")])
def test_how_far_it_went_decides(by: float, verdict: str) -> None:
    result, _ = found([ROW[0]], [replace(ROW[0], id="x", at=(by, 0, 0))])
    sizes = {
        "same": len(result.old),
        "doubtful": len(result.doubtful_old),
        "gone": len(result.gone),
    }
    assert {k for k, v in sizes.items() if v} == {verdict}


def test_a_tolerance_can_be_given() -> None:
    new = [replace(ROW[0], id="x", at=(0.05, 0, 0))]
    assert found([ROW[0]], new)[1] == {}
    assert found([ROW[0]], new, tolerance=Tolerance(place=0.1))[1] == {"column-0": "x"}


def test_what_cannot_be_located_is_never_gone_while_something_new_may_be_it() -> None:
    nowhere = replace(ROW[0], meshed=False, placed=False, name="old")
    result, _ = found([nowhere], [replace(nowhere, id="x", name="new")])
    assert (result.gone.tolist(), result.doubtful_old.tolist()) == ([], [0])
    result, _ = found([ROW[0]], [replace(nowhere, id="x", name="new")])
    assert (result.gone.tolist(), result.doubtful_old.tolist()) == ([], [0])
    result, _ = found([nowhere], [replace(nowhere, id="x", ifc_class="IfcPile")])
    assert result.gone.tolist() == [0]


def test_a_lost_mesh_is_made_up_for_by_the_placement() -> None:
    result, links = found(ROW, [replace(b, meshed=False) for b in again(ROW)])
    assert right(links)
    assert len(links) == 6
    assert (result.confidence < 1).all()


def test_a_common_placement_tells_nothing() -> None:
    """Many exporters place everything at the origin; that must not make neighbours."""
    old = signatures(ROW)
    new = signatures([replace(b, id=f"x{b.id}", at=(b.at[0], 50.0, 0)) for b in ROW])
    zeros = np.zeros((6, 3))
    old, new = replace(old, placement=zeros), replace(new, placement=zeros)
    result = match(old, new)
    assert len(result.gone) == 6
    unmeshed = replace(
        new,
        centroid=np.full((6, 3), np.nan), extents=np.full((6, 3), np.nan),
        volume=np.full(6, np.nan), area=np.full(6, np.nan), vertices=np.zeros(6, np.int64),
    )  # fmt: skip
    result = match(old, unmeshed)
    assert (len(result.old), len(result.gone)) == (0, 0)


def test_nothing_matches_nothing() -> None:
    result, _ = found([], ROW)
    assert len(result.appeared) == 6
    result, _ = found(ROW, [])
    assert len(result.gone) == 6
    found([], [])


def test_moved_between_models_but_never_within_one() -> None:
    gone = signatures([ROW[0], ROW[1]])
    came = signatures([replace(ROW[0], id="x"), replace(ROW[1], id="y", at=(3.0004, 0, 0))])
    result = match_moved(gone, np.array([1, 1]), came, np.array([2, 1]))
    assert (result.old.tolist(), result.new.tolist()) == ([0], [0])
    assert result.method.tolist() == [Method.MOVED]
    assert result.gone.tolist() == [1]


def test_an_equal_id_breaks_a_tie_between_models_but_proves_nothing_alone() -> None:
    gone = signatures([Box("a")])
    far = signatures([Box("a", (40, 0, 0))])
    assert len(match_moved(gone, np.array([1]), far, np.array([2])).old) == 0
    two = signatures([Box("a", (0.004, 0, 0)), Box("b", (-0.006, 0, 0))])
    result = match_moved(gone, np.array([1]), two, np.array([2, 2]))
    assert result.new.tolist() == [0]


def test_twenty_thousand_take_no_time() -> None:
    """Everything re-issued and moved: neither hashes nor ids help."""
    rng = np.random.default_rng(0)
    side = np.arange(28) * 0.6
    places = np.stack(np.meshgrid(side, side, side), -1).reshape(-1, 3)
    old = signatures([Box("a")]).take(np.zeros(len(places), int))
    old = replace(
        old,
        global_id=np.array([f"a{i}" for i in range(len(places))]),
        centroid=places,
        placement=places,
        content=np.arange(len(places)),
    )
    order = rng.permutation(len(places))
    moved = places[order] + rng.uniform(-0.001, 0.001, places.shape)
    new = replace(
        old,
        global_id=np.array([f"b{i}" for i in range(len(places))]),
        centroid=moved,
        placement=moved,
        content=-1 - np.arange(len(places)),
    )
    start = time.process_time()
    result = match(old, new)
    assert time.process_time() - start < 10
    assert len(result.old) == len(places)
    assert np.array_equal(order[result.new], result.old)
