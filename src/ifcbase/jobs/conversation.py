"""What a parent and one child say to each other about one job, and the watch kept meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ifcbase.errors import (
    ComputeError,
    ExitFacts,
    IfcbaseError,
    JobCancelled,
    OutOfMemoryBudget,
    OutOfTimeBudget,
    ReportInvalid,
    from_dict,
)
from ifcbase.jobs.process import ChildProcess, Exit
from ifcbase.jobs.verdict import crash_error, kernel_oom_kills
from ifcbase.ledger.payloads import clean_payload
from ifcbase.progress import Progress

#: How often memory, clock and cancellation are looked at, in seconds.
TICK_S = 0.1
#: How long a child may take to exit after its last message, in seconds.
LEAVE_S = 2.0


@dataclass(frozen=True, slots=True)
class Budget:
    """What preparing a child and running the job in it may take."""

    start_s: float
    start_memory_mb: int
    timeout_s: float
    memory_mb: int


class Stage(Enum):
    STARTING = 0
    HANDED_OVER = 1
    RUNNING = 2
    ENDED = 3


class Conversation:
    """One child on one job. ``follow`` it, end the child, then ask for the facts and the error."""

    def __init__(self, child: ChildProcess, budget: Budget, on_progress: Progress) -> None:
        self.child = child
        #: Whether the child has taken the job: until then nothing has happened.
        self.accepted = False
        self._budget = budget
        self._on_progress = on_progress
        self._stage = Stage.STARTING
        self._since = time.monotonic()
        self._deadline = self._since + budget.start_s
        self._final: dict[str, Any] | None = None
        self._overstayed = False
        self._silent_since: float | None = None
        self._cpu_before = 0.0
        self._limits: dict[str, str] = {}
        self._oom_kills = kernel_oom_kills()

    def follow(
        self, message: bytes, stop: Callable[[], bool], handed_over: Callable[[], None]
    ) -> None:
        """Give the job to the child and listen until it has ended. Raises when it must be ended."""
        next_look = 0.0
        while True:
            gone = self.child.exited()
            # After its last message nothing is weighed any more: there is only its exit to wait for.
            look = TICK_S if self._stage is Stage.ENDED else next_look - time.monotonic()
            # After the exit there may still be messages in the pipe: read once more.
            waiting = 0.0 if gone else max(0.0, min(TICK_S, look))
            heard = self.child.receive(waiting)
            for each in heard:
                self._hear(each)
                if each["type"] == "ready":
                    self.child.send(message)
                    self._since = time.monotonic()
                    self._deadline = self._since + self._budget.timeout_s
                    handed_over()
            if gone and (self.child.silent or not heard):
                return
            now = time.monotonic()
            if self._stage is Stage.ENDED:
                # Giving back much memory takes a while; the result is complete already.
                self._overstayed = now > self._deadline
                if self._overstayed:
                    return
                continue
            if stop():
                raise JobCancelled
            if now > self._deadline:
                raise self._too_late()
            if now >= next_look:
                next_look = now + TICK_S
                self._weigh()

    def facts(self, ended: Exit) -> ExitFacts:
        """How it went, once the child has been ended."""
        status = ended.status
        return ExitFacts(
            exit_code=status if status is not None and status >= 0 else None,
            signal=ended.signal_name,
            stderr_tail=ended.stderr_tail,
            peak_memory_mb=self.child.peak_memory_mb,
            seconds=time.monotonic() - self._since,
            cpu_seconds=max(0.0, ended.cpu_seconds - self._cpu_before),
            limits=self._limits,
        )

    def error(self, facts: ExitFacts) -> IfcbaseError | None:
        """The error that the end of the child means, if it means one."""
        if self._final is not None:
            if self._final["type"] == "error":
                return from_dict(self._final["error"])
            if self._overstayed or (facts.signal is None and facts.exit_code in (0, None)):
                return None
        if self._stage is Stage.STARTING:
            how = facts.signal or f"exit code {facts.exit_code}"
            return ComputeError(f"the child process ended before it was prepared ({how})")
        oom_killed = kernel_oom_kills() > self._oom_kills
        return crash_error(facts, self._budget.memory_mb, oom_killed)

    def _hear(self, heard: dict[str, Any]) -> None:
        """Take in one message; the child is not trusted to send sensible ones."""
        kind = heard["type"]
        try:
            heard = clean_payload(heard)
            fits = self._take(kind, heard)
        except RecursionError as error:
            raise ReportInvalid("the child sent a message nested without end") from error
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise self._senseless(heard) from error
        if not fits:
            raise self._senseless(heard)
        if kind == "progress":
            self._on_progress(heard["phase"], heard["fraction"], heard["note"])

    def _take(self, kind: str, heard: dict[str, Any]) -> bool:
        """Change state as the message says; False when it does not fit."""
        if kind == "ready" and self._stage is Stage.STARTING:
            self._stage = Stage.HANDED_OVER
            return True
        if kind == "accepted" and self._stage is Stage.HANDED_OVER:
            self._stage = Stage.RUNNING
            self.accepted = True
            self._limits = {str(name): str(value) for name, value in heard["limits"].items()}
            self._cpu_before = float(heard["cpu_seconds"])
            return True
        if kind == "progress" and self._stage is Stage.RUNNING:
            texts = isinstance(heard["phase"], str) and isinstance(heard["note"], str)
            return texts and 0.0 <= heard["fraction"] <= 1.0
        if (kind == "ok" and self._stage is Stage.RUNNING) or (
            kind == "error"
            and self._stage in (Stage.STARTING, Stage.RUNNING)
            and isinstance(heard["error"], dict)
        ):
            peak = float(heard.get("peak_memory_mb") or 0.0)
            self.child.peak_memory_mb = max(self.child.peak_memory_mb, peak)
            self._stage, self._final = Stage.ENDED, heard
            self._deadline = time.monotonic() + LEAVE_S
            return True
        return False

    @staticmethod
    def _senseless(heard: dict[str, Any]) -> ReportInvalid:
        return ReportInvalid(
            "the child sent a message that makes no sense", detail=repr(heard)[:500]
        )

    def _too_late(self) -> ComputeError:
        budget = self._budget
        if self._stage is Stage.STARTING:
            return ComputeError(f"the child process was not prepared within {budget.start_s:g} s")
        return OutOfTimeBudget(f"the check did not end within {budget.timeout_s:g} s")

    def _weigh(self) -> None:
        """Look at memory and at the length of the log. Raises OutOfMemoryBudget, ReportInvalid."""
        starting = self._stage is Stage.STARTING
        allowed = self._budget.start_memory_mb if starting else self._budget.memory_mb
        memory = self.child.memory_mb()
        if memory > allowed:
            raise OutOfMemoryBudget(f"the check used {memory:.0f} MB of memory; {allowed} allowed")
        self.child.trim_stderr()
        if self.child.silent:
            if self._silent_since is None:
                self._silent_since = time.monotonic()
            elif time.monotonic() - self._silent_since > LEAVE_S:
                raise ReportInvalid("the child closed its pipe without a result, and went on")
