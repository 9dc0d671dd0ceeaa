"""Kept contacts come back as they were, or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.clash.kept import SUFFIX, Block, key_of, read_block, write_block
from ifcbase.clash.report import Kind, Measured
from ifcbase.clash.run import kept_in
from ifcbase.errors import ReportInvalid

KEY = key_of({"meshes": ["a", "b"]})


def block(rows: int, seed: int = 0, **values: Any) -> Block:
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        "x": rng.integers(0, 99, rows, np.int32),
        "y": rng.integers(0, 99, rows, np.int32),
        "kind": rng.choice(np.array(list(Kind), np.uint8), rows),
        "distance": rng.random(rows),
        "measured": rng.choice(np.array(list(Measured), np.uint8), rows),
        "p_x": rng.normal(size=(rows, 3)) * 1e6,
        "p_y": rng.normal(size=(rows, 3)) * 1e6,
    }
    return Block(**columns | values)


def assert_same(one: Block, two: Block) -> None:
    for field in dataclasses.fields(Block):
        mine, theirs = getattr(one, field.name), getattr(two, field.name)
        if isinstance(mine, np.ndarray):
            assert mine.dtype == theirs.dtype
            assert mine.shape == theirs.shape
            assert mine.tobytes() == theirs.tobytes()
        else:
            assert mine == theirs


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=9),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.text(max_size=20)), max_size=4),
)
def test_round_trip(
    rows: int, related: list[tuple[int, int]], undecided: list[tuple[int, int, str]]
) -> None:
    import tempfile

    made = block(rows, rows, related=tuple(related), undecided=tuple(undecided))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "one"
        write_block(made, KEY, path)
        assert_same(read_block(path, KEY), made)
        assert [p.name for p in Path(name).iterdir()] == ["one"]


def test_any_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "one"
    write_block(block(3), KEY, path)
    good = path.read_bytes()
    for at in range(0, len(good), 7):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(ReportInvalid):
            read_block(path, KEY)
    for length in (0, 31, 32, 96, 103, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(ReportInvalid):
            read_block(path, KEY)


def test_another_key_is_another_entry(tmp_path: Path) -> None:
    path = tmp_path / "one"
    write_block(block(3), KEY, path)
    with pytest.raises(ReportInvalid, match="key"):
        read_block(path, key_of({"meshes": ["b", "a"]}))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kind", 250),
        ("measured", 250),
        ("distance", np.inf),
        ("p_x", 1e12),
        ("p_y", -1e12),
        ("x", -1),
        ("y", -1),
    ],
)
def test_right_checksums_do_not_make_nonsense_true(
    tmp_path: Path, column: str, value: float
) -> None:
    made = block(3)
    getattr(made, column)[1] = value
    path = tmp_path / "one"
    write_block(made, KEY, path)
    with pytest.raises(ReportInvalid):
        read_block(path, KEY)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"nonsense",
        b'{"rows":-1,"related":[],"undecided":[]}',
        b'{"rows":true,"related":[],"undecided":[]}',
        b'{"rows":0,"related":[]}',
        b'{"rows":0,"related":3,"undecided":[]}',
        b'{"rows":0,"related":[[1]],"undecided":[]}',
        b'{"rows":0,"related":[[1,-1]],"undecided":[]}',
        b'{"rows":0,"related":[],"undecided":[[1,2]]}',
        b'{"rows":0,"related":[],"undecided":[[-1,2,"why"]]}',
        b'{"rows":0,"related":[],"undecided":[[1,2,3]]}',
    ],
)
def test_strange_headers_are_refused(tmp_path: Path, header: bytes) -> None:
    body = KEY.encode() + len(header).to_bytes(8, "little") + header
    path = tmp_path / "one"
    path.write_bytes(hashlib.sha256(body).digest() + body)
    with pytest.raises(ReportInvalid):
        read_block(path, KEY)


def test_the_cache_takes_in_good_ones_and_refuses_the_others(tmp_path: Path) -> None:
    cache, stage = kept_in(tmp_path / "cache", 1 << 20), tmp_path / "stage"
    stage.mkdir()
    write_block(block(2), KEY, stage / (KEY + SUFFIX))
    other = key_of({"meshes": []})
    bad = stage / (other + SUFFIX)
    write_block(block(2), other, bad)
    bad.write_bytes(bad.read_bytes()[:-1])
    assert cache.admit_all(stage) == [bad]
    found = cache.get_other(KEY, SUFFIX, read_block)
    assert found is not None
    assert_same(found, block(2))
    assert cache.get_other(other, SUFFIX, read_block) is None
