"""The parts of the child's side that need no process of their own."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import ComputeError, DiskFull, FileEmpty, OutOfMemoryBudget
from ifcbase.jobs.child import Channel, Reporter, as_error, read_line


class Pipe:
    """A pipe whose read end never blocks the test."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def messages(self) -> list[dict[str, object]]:
        try:
            data = os.read(self.reading, 1 << 20)
        except BlockingIOError:
            return []
        return [json.loads(line) for line in data.splitlines()]

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


@settings(deadline=None, max_examples=200)
@given(
    phase=st.text(max_size=50),
    fraction=st.floats(),
    note=st.text(st.characters(codec=None), max_size=500),
)
def test_any_progress_is_one_message_that_the_parent_accepts(
    phase: str, fraction: float, note: str
) -> None:
    pipe = Pipe()
    try:
        Reporter(Channel(pipe.writing))(phase + "!", fraction, note)
        (message,) = pipe.messages()
    finally:
        pipe.close()
    assert message["type"] == "progress"
    value = message["fraction"]
    assert isinstance(value, float)
    assert 0.0 <= value <= 1.0
    if math.isfinite(fraction) and 0 <= fraction <= 1:
        assert value == fraction
    assert message["note"] == note[:200]


def test_a_new_phase_and_the_end_are_never_held_back(pipe: Pipe) -> None:
    report = Reporter(Channel(pipe.writing))
    for phase in ("meshing", "testing", "grouping"):
        for i in range(100):
            report(phase, i / 100)
    report("grouping", 1.0)
    report("grouping", 1.0)
    assert [(m["phase"], m["fraction"]) for m in pipe.messages()] == [
        ("meshing", 0.0),
        ("testing", 0.0),
        ("grouping", 0.0),
        ("grouping", 1.0),
    ]


def test_a_line_that_comes_in_pieces_is_read_whole() -> None:
    pipe = Pipe()
    os.set_blocking(pipe.reading, True)
    os.write(pipe.writing, b"one ")
    os.write(pipe.writing, b"line\n")
    assert read_line(pipe.reading) == b"one line\n"
    os.write(pipe.writing, b"half a li")
    os.close(pipe.writing)
    assert read_line(pipe.reading) is None
    os.close(pipe.reading)


def test_a_typed_error_stays_itself() -> None:
    error = FileEmpty("house.ifc is empty")
    assert as_error(error) is error


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc")])
def test_lack_of_memory_is_told_apart(error: Exception) -> None:
    assert type(as_error(error)) is OutOfMemoryBudget


def test_a_huge_message_does_not_become_a_huge_error() -> None:
    found = as_error(ValueError("x" * 1_000_000))
    assert type(found) is ComputeError
    assert len(found.message) < 1000
    assert len(found.detail or "") <= 16_000


def test_a_child_that_finds_no_room_says_so() -> None:
    found = as_error(OSError(errno.ENOSPC, "No space left on device"))
    assert (type(found), found.retryable) == (DiskFull, True)
    assert "No space left" in found.message
    assert "OSError" in (found.detail or "")
    assert type(as_error(OSError(errno.EIO, "broken"))) is ComputeError
