"""What the child hands over comes back equal, or is refused: never half, never code."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import random
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.clash import handover
from ifcbase.clash.report import Clashes, ClashReport, LeftOut, PairList
from ifcbase.clash.request import parse_request
from ifcbase.errors import ReportInvalid
from tests.unit.clash.reports import any_report, inventory, report


def assert_equal(one: ClashReport, two: ClashReport) -> None:
    assert one.files == two.files
    assert one.engine == two.engine
    assert len(one.sets) == len(two.sets)
    for s, t in zip(one.sets, two.sets, strict=True):
        assert s.definition == t.definition
        assert (s.incomplete, s.touching) == (t.incomplete, t.touching)
        assert s.warnings == t.warnings
        assert s.verdict() == t.verdict()
        for x, y in zip(s.a + s.b, t.a + t.b, strict=True):
            assert (x.file, x.mode, x.selector) == (y.file, y.mode, y.selector)
            assert x.left_out == y.left_out
            assert np.array_equal(x.selected, y.selected)
        for column in dataclasses.fields(Clashes):
            mine, theirs = getattr(s.clashes, column.name), getattr(t.clashes, column.name)
            assert mine.dtype == theirs.dtype
            assert np.array_equal(mine, theirs)
        for column in dataclasses.fields(PairList):
            for one_list, other in ((s.related, t.related), (s.undecided, t.undecided)):
                mine, theirs = getattr(one_list, column.name), getattr(other, column.name)
                assert mine.dtype == theirs.dtype
                assert np.array_equal(mine, theirs)


@settings(deadline=None, max_examples=60)
@given(any_report())
def test_round_trip(made: ClashReport) -> None:
    with tempfile.TemporaryDirectory() as name:
        handover.write(made, Path(name))
        assert_equal(made, handover.read(Path(name)))


def sample() -> ClashReport:
    return report(
        [(0, 0, 1, 0), (0, 2, 1, 1)], [inventory(3), inventory(2)], {1: LeftOut.NO_GEOMETRY}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    handover.write(sample(), tmp_path)
    return tmp_path


def refused(folder: Path) -> str:
    with pytest.raises(ReportInvalid) as caught:
        handover.read(folder)
    return caught.value.message


def test_report_must_answer_the_request(folder: Path) -> None:
    asked = {"name": "s", "a": [{"file": "f0.ifc"}], "b": [{"file": "f1.ifc"}]}
    assert len(handover.read(folder, parse_request([asked])).sets) == 1
    for other in ({"tolerance": 0.5}, {"a": [{"file": "f9.ifc"}]}, {"name": "t"}):
        with pytest.raises(ReportInvalid, match="another request"):
            handover.read(folder, parse_request([asked | other]))


@pytest.mark.parametrize("name", [handover.WORDS, handover.ARRAYS])
@pytest.mark.parametrize("content", [None, b"", b"garbage", b"PK\x03\x04", b"[]", b"null"])
def test_missing_empty_or_strange_files(folder: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    refused(folder)


def change_words(folder: Path, change: Callable[[Any], None]) -> None:
    path = folder / handover.WORDS
    words = json.loads(path.read_text())
    change(words)
    path.write_text(json.dumps(words))


WORDS: list[Callable[[Any], Any]] = [
    lambda w: w.update(format=1),
    lambda w: w.pop("engine"),
    lambda w: w.update(engine={"x": "\0"}),
    lambda w: w.update(engine={"x": float("nan")}),
    lambda w: w.update(engine={"a": {"b": {"c": {"d": {"e": {"f": {}}}}}}}),
    lambda w: w.update(files={}),
    lambda w: w["files"].append(w["files"][0]),
    lambda w: w["files"][0].update(name="x\0"),
    lambda w: w["files"][0].update(name="other.ifc"),
    lambda w: w["files"][0].update(sha256="0" * 63),
    lambda w: w["files"][0].update(sha256="G" * 64),
    lambda w: w["files"][0].pop("inventory"),
    lambda w: w["files"][0]["inventory"]["step_id"].pop(),
    lambda w: w["files"].pop(),
    lambda w: w.pop("sets"),
    lambda w: w["sets"].append({}),
    lambda w: w["sets"].append(w["sets"][0]),
    lambda w: w["sets"].clear(),
    lambda w: w["sets"][0].update(definition={}),
    lambda w: w["sets"][0]["definition"].update(tolerance=-1),
    lambda w: w["sets"][0].update(sides=[]),
    lambda w: w["sets"][0]["sides"].update(a=[]),
    lambda w: w["sets"][0]["sides"].update(a=[1]),
    lambda w: w["sets"][0]["sides"].update(a=[7]),
    lambda w: w["sets"][0]["sides"].update(a=[-1]),
    lambda w: w["sets"][0]["sides"].update(a=[True]),
    lambda w: w["sets"][0].update(incomplete=""),
    lambda w: w["sets"][0].update(incomplete=True),
    lambda w: w["sets"][0].update(incomplete="\0"),
    lambda w: w["sets"][0].update(incomplete="x" * 300),
    lambda w: w["sets"][0].update(touching="3"),
    lambda w: w["sets"][0].update(touching=True),
    lambda w: w["sets"][0].update(warnings="none"),
    lambda w: w["sets"][0].update(warnings=["\ud800"]),
]


@pytest.mark.parametrize("change", WORDS)
def test_words_that_do_not_hold_together(folder: Path, change: Callable[[Any], Any]) -> None:
    change_words(folder, change)
    refused(folder)


def change_arrays(folder: Path, changed: dict[str, Any]) -> None:
    """Replace arrays; None takes one away."""
    path = folder / handover.ARRAYS
    with np.load(path) as loaded:
        arrays = dict(loaded)
    for name, value in changed.items():
        if value is None:
            del arrays[name]
        else:
            arrays[name] = value
    with path.open("wb") as stream:
        np.savez(stream, **arrays)


I32, U8 = np.int32, np.uint8
NAN, INF = float("nan"), float("inf")
#: A related pair that would hold together: element 0 of the first file, 1 of the second.
LEFT_OUT = {
    f"0.related.{name}": np.array([value], I32)
    for name, value in (("a_file", 0), ("a", 0), ("b_file", 1), ("b", 1))
}


@pytest.mark.parametrize(
    "changed",
    [
        {"0.kind": None},
        {"0.surprise": np.zeros(1)},
        {"0.a0.selected": None},
        {"0.a": np.array([0, 3], I32)},
        {"0.a": np.array([0, -1], I32)},
        {"0.a": np.array([0, 1], I32)},  # an element that was left out
        {"0.a": np.array([0, 2], np.int64)},
        {"0.a": np.array([0.0, 2.0])},
        {"0.a": np.array([0, 2, 2], I32)},
        {"0.a": np.array([[0, 2]], I32)},
        {"0.a": np.array(0, I32)},
        {"0.a": np.array([0, 2], ">i4")},
        {"0.a_file": np.array([0, 9], I32)},
        {"0.a_file": np.array([0, -1], I32)},
        {"0.a_file": np.array([1, 0], I32)},  # on the other side
        {"0.a": np.array([0, 0], I32), "0.b": np.array([0, 0], I32)},  # twice
        {"0.kind": np.array([1, 0], U8)},
        {"0.kind": np.array([1, 99], U8)},
        {"0.measured": np.array([1, 99], U8)},
        {"0.distance": np.array([0.1, NAN])},
        {"0.distance": np.array([0.1, INF])},
        {"0.distance": np.array([0.1, -0.1])},
        {"0.p1": np.array([[0, 0, 0], [0, 0, NAN]])},
        {"0.p2": np.array([[0, 0, 0], [0, -INF, 0]])},
        {"0.p2": np.array([[0, 0, 0], [0, 1e10, 0]])},
        {"0.p1": np.zeros((2, 2))},
        {"0.p1": np.zeros(6)},
        {"0.group": np.array([0, -2], I32)},
        {"0.a0.selected": np.array([0, 1, 3], I32)},
        {"0.a0.selected": np.array([2, 1, 0], I32)},
        {"0.a0.selected": np.array([0, 0, 1], I32)},
        {"0.a0.selected": np.array([0, 1], I32)},  # a clash of an element not selected
        {"0.a0.left": np.array([0, 1], I32)},
        {"0.a0.left": np.array([5], I32)},
        {"0.a0.reason": np.array([99], U8)},
        {"0.a0.reason": np.zeros(0, U8)},
        {"0.related.a": None},
        {"0.related.a": np.array([0], I32)},  # without its other columns
        LEFT_OUT | {"0.related.a": np.array([7], I32)},
        LEFT_OUT | {"0.related.a": np.array([1], I32)},  # was not tested
        LEFT_OUT | {"0.related.b_file": np.array([9], I32)},
        LEFT_OUT | {"0.related.b": np.array([0], I32)},  # is a clash, too
        {name: np.repeat(column, 2) for name, column in LEFT_OUT.items()},  # twice
    ],
)
def test_arrays_that_do_not_hold_together(folder: Path, changed: dict[str, Any]) -> None:
    change_arrays(folder, changed)
    refused(folder)


def test_a_related_pair_is_read_back(folder: Path) -> None:
    change_arrays(folder, LEFT_OUT)
    (only,) = handover.read(folder).sets
    assert only.related_left_out == 1
    assert (only.related.a.tolist(), only.related.b.tolist()) == ([0], [1])


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('the parent ran code of the child')",))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_pickles_are_never_loaded(folder: Path, compression: int) -> None:
    path = folder / handover.ARRAYS
    with np.load(path) as loaded:
        arrays = dict(loaded)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            if name == "0.a":
                evil = np.empty(2, object)
                evil[:] = [_Bomb(), _Bomb()]
                np.lib.format.write_array(buffer, evil, allow_pickle=True)
                assert pickle.MARK in buffer.getvalue()
            else:
                np.lib.format.write_array(buffer, array)
            archive.writestr(name + ".npy", buffer.getvalue())
    refused(folder)


def test_header_that_promises_more_than_there_is_takes_no_memory(folder: Path) -> None:
    path = folder / handover.ARRAYS
    with np.load(path) as loaded:
        arrays = dict(loaded)
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array)
            content = buffer.getvalue()
            if name == "0.a":
                assert b"(2,)," in content
                content = content.replace(b"(2,),", b"(9999999999999,),", 1)
            archive.writestr(name + ".npy", content)
    refused(folder)


def test_member_given_twice_is_refused(folder: Path) -> None:
    with (
        zipfile.ZipFile(folder / handover.ARRAYS, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr("0.a.npy", archive.read("0.a.npy"))
    assert "twice" in refused(folder)


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([handover.WORDS, handover.ARRAYS]),
    st.randoms(use_true_random=False),
    st.integers(0, 3),
)
def test_damage_is_refused_or_harmless(name: str, chance: random.Random, flips: int) -> None:
    """Any damage ends in ReportInvalid or in a report that still holds together."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        handover.write(sample(), folder)
        content = bytearray((folder / name).read_bytes())
        for _ in range(flips):
            content[chance.randrange(len(content))] = chance.randrange(256)
        if flips == 0:
            content = content[: chance.randrange(len(content))]
        (folder / name).write_bytes(bytes(content))
        try:
            got = handover.read(folder)
        except ReportInvalid:
            return
        for each in got.sets:
            assert np.isfinite(each.clashes.p1).all()
            assert each.clashes.a.max(initial=0) < len(got.files[0].inventory)
