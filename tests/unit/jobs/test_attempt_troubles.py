"""An attempt whose ledger refuses, fills up or goes away: nothing is lost, nothing ends unnoticed."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ifcbase.errors import (
    ExitFacts,
    FilesFull,
    IfcbaseError,
    JobCancelled,
    LeaseLost,
    LedgerError,
    LedgerFull,
    LedgerUnavailable,
    NativeCrash,
)
from ifcbase.jobs import attempt as attempts
from ifcbase.jobs import reaper, worker
from ifcbase.jobs.attempt import Runner
from ifcbase.jobs.memory import HostMemory
from ifcbase.jobs.registry import CHECKS
from ifcbase.jobs.sandbox import SandboxJob, SandboxResult
from tests.unit.jobs.test_second_attempt import ATTEMPT

FACTS = ExitFacts(None, "SIGSEGV", "the stack", 10.0, 1.0, 1.0)
RESULT = SandboxResult(1.0, 1.0, 10.0, "", 1, {})


class Stand:
    """Plays ledger, files and sandbox. What is in ``refusals`` by method is raised first."""

    def __init__(self, **refusals: list[Exception]) -> None:
        self.refusals = refusals
        self.beats: list[dict[str, Any] | None] = []
        self.failed: list[dict[str, Any]] = []
        self.stored = 0
        self.revived = 0
        self.cancel = False
        #: What the child does.
        self.child: Callable[[Any, Callable[[], bool]], SandboxResult] = lambda *_: RESULT

    def refuse(self, method: str) -> None:
        waiting = self.refusals.get(method)
        if waiting:
            raise waiting.pop(0)

    def start_attempt(self, *_: Any, **__: Any) -> Any:
        return replace(ATTEMPT, check="conversion")

    def heartbeat(self, _: str, progress: dict[str, Any] | None) -> bool:
        self.beats.append(progress)
        self.refuse("heartbeat")
        return self.cancel

    def fail_attempt(self, _: str, **how: Any) -> str:
        self.failed.append(how)
        self.refuse("fail_attempt")
        return "failed"

    @contextmanager
    def writing(self, _: str) -> Iterator[Any]:
        self.refuse("writing")
        yield self
        self.stored += 1

    def finish_job(self, *_: Any) -> None:
        pass

    def run(self, _: SandboxJob, *, on_progress: Any, cancelled: Callable[[], bool]) -> Any:
        return self.child(on_progress, cancelled)

    def revive(self) -> None:
        self.revived += 1
        self.refuse("revive")

    def runner(self, folder: Path, lease_s: float = 60.0) -> Runner:
        stand: Any = self
        return Runner(
            ledger=stand, files=stand, sandbox=stand, work_folder=folder, worker="w", host="h",
            lease_s=lease_s, heartbeat_s=0.02, stop=threading.Event(), again=lambda _: None,
            revive=self.revive,
        )  # fmt: skip


@pytest.fixture(autouse=True)
def _recording_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    check = replace(CHECKS["conversion"], record=lambda *_: {})
    monkeypatch.setattr(attempts, "check_named", lambda _: check)


def crash(*_: Any) -> SandboxResult:
    error = NativeCrash("it crashed\x00", hint="a hint", detail="what is refused")
    error.facts = FACTS
    raise error


def until_ended(stand: Stand) -> None:
    """A child that computes until it is told to stop, with progress to tell."""

    def child(on_progress: Any, cancelled: Callable[[], bool]) -> SandboxResult:
        on_progress("testing", 0.5, "half")
        end = time.monotonic() + 60
        while not cancelled():
            assert time.monotonic() < end, "nobody told the child to stop"
            time.sleep(0.01)
        raise JobCancelled

    stand.child = child


def for_two_beats(stand: Stand) -> None:
    """A child that computes until its lease was renewed twice."""

    def child(on_progress: Any, _: Callable[[], bool]) -> SandboxResult:
        on_progress("testing", 0.5, "half")
        end = time.monotonic() + 60
        while len(stand.beats) < 2:
            assert time.monotonic() < end, "nobody renews the lease"
            time.sleep(0.01)
        return RESULT

    stand.child = child


# --- the record of a failure -----------------------------------------------------------------------


@pytest.mark.parametrize("refusal", [LedgerError("refused"), TypeError("no JSON")])
def test_the_true_error_was_replaced_by_attempts_lost_when_its_record_was_refused(
    tmp_path: Path, refusal: Exception
) -> None:
    stand = Stand(fail_attempt=[refusal])
    stand.child = crash
    stand.runner(tmp_path).handle("job")
    first, second = stand.failed
    assert first["facts"]["signal"] == "SIGSEGV"
    assert second == {
        "outcome": "failed", "may_retry": True, "facts": {},
        "error": NativeCrash("it crashed\ufffd").to_dict(),
    }  # fmt: skip


def test_a_record_that_is_refused_twice_is_told(tmp_path: Path) -> None:
    stand = Stand(fail_attempt=[LedgerError("refused"), LedgerError("refused again")])
    stand.child = crash
    with pytest.raises(LedgerError, match="refused again"):
        stand.runner(tmp_path).handle("job")
    assert len(stand.failed) == 2


@pytest.mark.parametrize(
    ("refusal", "tried"), [(LeaseLost(), 1), (LedgerUnavailable("away"), 2)], ids=["lost", "away"]
)
def test_a_lost_lease_and_a_database_that_is_away_are_no_refusals(
    tmp_path: Path, refusal: Exception, tried: int
) -> None:
    stand = Stand(fail_attempt=[refusal])
    stand.child = crash
    stand.runner(tmp_path).handle("job")
    assert len(stand.failed) == tried
    assert all(each["facts"]["signal"] == "SIGSEGV" for each in stand.failed)


# --- the lease ---------------------------------------------------------------------------------------


def test_a_refused_progress_note_cost_the_lease(tmp_path: Path) -> None:
    stand = Stand(heartbeat=[LedgerError("refused")])
    for_two_beats(stand)
    stand.runner(tmp_path).handle("job")
    assert stand.beats[0] is not None
    assert stand.beats[1] is None, "the lease is renewed without it"
    assert stand.stored == 1
    assert stand.revived == 0


def test_the_lease_thread_died_unnoticed_when_reviving_failed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The child went on computing for a lease that nobody renewed."""
    away: list[Exception] = [LedgerUnavailable("away")]
    stand = Stand(heartbeat=away, revive=[OSError(28, "No space left on device")])
    until_ended(stand)
    stand.runner(tmp_path).handle("job")
    assert stand.stored == 0
    assert stand.failed == [], "the attempt is dropped: its lease is not ours any more"
    assert "No space left on device" in caplog.text


def test_an_unforeseen_error_of_the_heartbeat_ends_the_attempt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stand = Stand(heartbeat=[ZeroDivisionError("a defect")])
    until_ended(stand)
    stand.runner(tmp_path).handle("job")
    assert stand.failed == []
    assert "a defect" in caplog.text


def test_reviving_carefully_outlives_everything(caplog: pytest.LogCaptureFixture) -> None:
    for error in (IfcbaseError("ours"), OSError(28, "No space left on device")):
        stand = Stand(revive=[error])
        worker._careful(stand.revive)()
        assert stand.revived == 1
        assert str(error) in caplog.text


def test_the_reaper_outlives_everything(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop, rounds = threading.Event(), []

    def once(*_: Any) -> list[str]:
        rounds.append(1)
        if len(rounds) == 3:
            stop.set()
            return []
        raise (OSError("a defect") if len(rounds) == 1 else LedgerUnavailable("away"))

    monkeypatch.setattr(reaper, "reap_once", once)
    engine: Any = None
    reaper.reap_until("", engine, stop, every_s=0.001)
    assert len(rounds) == 3
    assert "a defect" in caplog.text
    assert "away" in caplog.text


# --- a database that is full -------------------------------------------------------------------------


def test_a_full_disk_was_taken_for_a_server_that_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    full = LedgerFull("the database's disk is full: could not extend file")
    stand = Stand(writing=[full, full])
    with caplog.at_level(logging.WARNING):
        stand.runner(tmp_path).handle("job")
    assert stand.stored == 1, "it is stored as soon as there is room"
    assert stand.revived == 0, "starting a server gains no room"
    notes = [each["note"] for each in stand.beats if each]
    assert "not stored yet: the database's disk is full: could not extend file" in notes
    assert "cannot be reached" not in caplog.text


def test_a_database_that_is_away_is_revived(tmp_path: Path) -> None:
    stand = Stand(writing=[LedgerUnavailable("away")])
    stand.runner(tmp_path).handle("job")
    assert (stand.stored, stand.revived) == (1, 1)


def test_heartbeats_of_a_full_database_go_without_progress(tmp_path: Path) -> None:
    stand = Stand(heartbeat=[LedgerFull("full"), LedgerFull("full")])
    for_two_beats(stand)
    stand.runner(tmp_path).handle("job")
    assert (stand.stored, stand.revived) == (1, 0)
    assert stand.beats[1] is None


def test_a_job_that_cannot_be_stored_can_be_cancelled(tmp_path: Path) -> None:
    """It was tried for ever, whoever asked it to end."""
    stand = Stand(writing=[LedgerFull("full") for _ in range(1000)])
    stand.cancel = True
    stand.runner(tmp_path).handle("job")
    assert stand.stored == 0
    assert [each["outcome"] for each in stand.failed] == ["cancelled"]


def test_storing_ends_with_the_lease(tmp_path: Path) -> None:
    stand = Stand(
        writing=[LedgerFull("full") for _ in range(1000)],
        heartbeat=[LedgerUnavailable("away") for _ in range(1000)],
    )
    stand.runner(tmp_path, lease_s=0.1).handle("job")
    assert (stand.stored, stand.failed) == (0, [])
    assert len(stand.refusals["writing"]) > 900


# --- no room in this machine's memory ---------------------------------------------------------------


def test_a_job_for_which_there_is_no_memory_waits_with_its_lease_and_says_so(
    tmp_path: Path,
) -> None:
    stand = Stand()
    runner = stand.runner(tmp_path / "work")
    runner.memory = HostMemory(tmp_path / "memory", 500)
    thread = threading.Thread(target=runner.handle, args=["job"])
    with runner.memory.room(500, ended=lambda: False, waiting=lambda _: None):
        thread.start()
        end = time.monotonic() + 60
        while not any(beat and beat["phase"] == "waiting for memory" for beat in stand.beats):
            assert time.monotonic() < end
            time.sleep(0.01)
        assert stand.stored == 0
    thread.join(60)
    assert stand.stored == 1
    assert runner.memory.expected_mb("conversion", 0, 6144) < 20, "it learned from this one"


# --- full disks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"), (errno.EIO, "compute")],
)
def test_a_disk_without_room_is_told_from_other_trouble(
    tmp_path: Path, number: int, code: str
) -> None:
    stand = Stand(writing=[OSError(number, "no luck")])
    stand.runner(tmp_path).handle("job")
    (failed,) = stand.failed
    assert failed["error"]["code"] == code
    assert failed["may_retry"] is (code == "disk-full")


def test_a_result_whose_files_find_no_room_waits_and_nobody_revives_the_database(
    tmp_path: Path,
) -> None:
    stand = Stand(writing=[FilesFull("no room for output.json")])
    stand.runner(tmp_path).handle("job")
    assert stand.stored == 1
    assert stand.failed == []
    assert stand.revived == 0
