"""What a parent makes of what a child says, with a child that says what the test wants."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ifcbase.errors import ExitFacts, ReportInvalid
from ifcbase.jobs.conversation import Budget, Conversation
from ifcbase.jobs.process import ChildProcess

READY: list[dict[str, Any]] = [
    {"type": "ready"},
    {"type": "accepted", "limits": {"cores": "1"}, "cpu_seconds": 0.1},
]
OK = {"type": "ok", "peak_memory_mb": 12.0}
ENDED = ExitFacts(1, None, "", 1.0, 1.0, 1.0)


class Scripted:
    """A child that says what it is told to and leaves ``lingers_s`` after its last word was read,
    however long that takes."""

    def __init__(self, said: list[dict[str, Any]], lingers_s: float = 0.0) -> None:
        # As they come through the pipe: what is not ASCII escaped, NaN as Python writes it.
        self.said = [ChildProcess._parse(json.dumps(each).encode()) for each in said]
        self.lingers_s = lingers_s
        self.leaves = float("inf")
        self.asked = 0
        self.peak_memory_mb = 0.0

    @property
    def silent(self) -> bool:
        return self.exited()

    def exited(self) -> bool:
        return time.monotonic() >= self.leaves

    def receive(self, wait_s: float) -> list[dict[str, Any]]:
        self.asked += 1
        if self.said:
            word = self.said.pop(0)
            if not self.said:
                self.leaves = time.monotonic() + self.lingers_s
            return [word]
        time.sleep(min(wait_s, max(0.0, self.leaves - time.monotonic())))
        return []

    def send(self, _: bytes) -> None:
        pass

    def memory_mb(self) -> float:
        return 1.0

    def trim_stderr(self) -> None:
        pass


def talk(
    *said: dict[str, Any], lingers_s: float = 0.3
) -> tuple[Conversation, Scripted, list[tuple[str, float, str]]]:
    """A conversation with a child that took the job and then said this."""
    heard: list[tuple[str, float, str]] = []
    child: Any = Scripted([*READY, *said], lingers_s)
    conversation = Conversation(
        child, Budget(10, 512, 10, 512), lambda *each: heard.append((*each[:2], each[2]))
    )
    conversation.follow(b"{}", lambda: False, lambda: None)
    return conversation, child, heard


def test_waiting_for_a_child_to_leave_burned_a_core() -> None:
    started = time.process_time()
    conversation, child, _ = talk(OK, lingers_s=0.6)
    assert conversation.error(ExitFacts(0, None, "", 1.0, 1.0, 1.0)) is None
    assert child.asked < 40, "a tick each"
    assert time.process_time() - started < 0.3


def test_a_progress_note_that_postgres_refuses_is_cleaned() -> None:
    note = {"type": "progress", "phase": "a\x00b", "fraction": 0.5, "note": "wall \ud800"}
    _, _, heard = talk(note, OK)
    assert heard == [("a\ufffdb", 0.5, "wall \ufffd")]


def test_an_error_that_postgres_refuses_is_cleaned() -> None:
    said = {"code": "not-ifc", "message": "no \x00 model", "detail": "\udfff", "hint": "try \x00"}
    conversation, _, _ = talk({"type": "error", "error": said})
    error = conversation.error(ENDED)
    assert error is not None
    document = error.to_dict()
    assert document["code"] == "not-ifc"
    assert [document[key] for key in ("message", "detail", "hint")] == [
        "no \ufffd model", "\ufffd", "try \ufffd",
    ]  # fmt: skip


def test_a_peak_that_is_no_number_is_none() -> None:
    _, child, _ = talk(OK | {"peak_memory_mb": float("inf")})
    assert child.peak_memory_mb == 0.0


@pytest.mark.parametrize("fraction", [float("nan"), float("inf"), -1, "0.5", None])
def test_progress_without_a_sensible_fraction_makes_no_sense(fraction: Any) -> None:
    with pytest.raises(ReportInvalid, match="makes no sense"):
        talk({"type": "progress", "phase": "p", "fraction": fraction, "note": ""})


def test_a_message_nested_without_end_is_an_error_of_the_child() -> None:
    child: Any = Scripted(READY, 0.3)
    nested: Any = []
    for _ in range(50_000):
        nested = [nested]
    child.said.append({"type": "error", "error": {"hint": nested}})
    conversation = Conversation(child, Budget(10, 512, 10, 512), lambda *_: None)
    with pytest.raises(ReportInvalid, match="nested without end"):
        conversation.follow(b"{}", lambda: False, lambda: None)
    while nested:
        nested = nested.pop()
