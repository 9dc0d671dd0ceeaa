"""What a second attempt runs, after the first one crashed."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ifcbase.errors import NativeCrash
from ifcbase.jobs.attempt import Runner
from ifcbase.jobs.registry import CHECKS
from ifcbase.jobs.sandbox import SandboxJob
from ifcbase.ledger.interface import Attempt

ATTEMPT = Attempt(
    token="t", attempt_id=1, number=1, job_id="job", project_id=1, project="default",
    check="conversion", request={}, timeout_s=1.0, memory_mb=1, inputs=(),
)  # fmt: skip


class Stand:
    """Plays ledger, files and sandbox; remembers what was run."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.ran: list[str] = []
        self.failed: list[dict[str, Any]] = []

    def start_attempt(self, *_: Any, **__: Any) -> Attempt:
        return self.attempt

    def heartbeat(self, *_: Any) -> bool:
        return False

    def fail_attempt(self, _: str, **how: Any) -> str:
        self.failed.append(how)
        return "failed"

    def run(self, job: SandboxJob, **_: Any) -> None:
        self.ran.append(job.run)
        raise NativeCrash("it crashed")


def handled(attempt: Attempt, folder: Path) -> Stand:
    stand: Any = Stand(attempt)
    runner = Runner(
        ledger=stand, files=stand, sandbox=stand, work_folder=folder, worker="w", host="h",
        lease_s=60.0, heartbeat_s=10.0, stop=threading.Event(), again=lambda _: None,
    )  # fmt: skip
    runner.handle("job")
    found: Stand = stand
    return found


@pytest.mark.parametrize("check", sorted(CHECKS))
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_second_attempt_runs_what_outlives_a_crash(
    tmp_path: Path, check: str, number: int
) -> None:
    stand = handled(replace(ATTEMPT, check=check, number=number), tmp_path)
    first, again = CHECKS[check].run, CHECKS[check].run_again
    assert stand.ran == [again if again and number > 1 else first]
    assert stand.failed[0]["error"]["code"] == "native-crash"
    assert stand.failed[0]["may_retry"] is True


def test_conversions_have_another_way() -> None:
    assert CHECKS["conversion"].run_again == "ifcbase.conversion.run:run_again"
