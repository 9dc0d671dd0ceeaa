"""Runs a check in a child process with budgets, and ends with its result or one typed error.

The rule of every outcome: the child and all it started are gone, its folder is removed, its
descriptors are closed, and the error (or the result) carries the facts of how it ended.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ifcbase.errors import ComputeError, IfcbaseError, JobCancelled, OutOfTimeBudget
from ifcbase.jobs.conversation import Budget, Conversation
from ifcbase.jobs.leftovers import sweep
from ifcbase.jobs.limits import Limits
from ifcbase.jobs.process import ChildProcess
from ifcbase.progress import Progress, silent

log = logging.getLogger(__name__)

#: How long a child that is told to end may take before it is killed, in seconds.
GRACE_S = 0.5
#: How long a child may take to prepare itself, in seconds.
START_S = 120.0
#: How long ``close`` waits for jobs in other threads to be cancelled, in seconds.
CLOSE_S = 15.0


@dataclass(frozen=True, slots=True)
class SandboxJob:
    """What a child is to do: call ``run`` ("module:function") as run(request, inputs, folder, progress).

    Results are the files that ``run`` leaves in ``folder``; ``request`` must be JSON, and so must
    ``options``, which ``run`` gets as keywords: what the worker and not the client decides.
    """

    run: str
    request: Mapping[str, Any]
    inputs: Mapping[str, Path]
    folder: Path
    timeout_s: float
    memory_mb: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SandboxResult:
    """What a finished job cost, from handing it over to its end. Memory is in mebibytes."""

    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    stderr_tail: str
    pid: int
    limits: dict[str, str]


class SpareLost(Exception):
    """A spare child died before it took the job: nothing has happened yet, take a fresh one."""


class Sandbox:
    """Runs jobs in children that have ``preload`` imported, one child per job.

    With ``spare``, one prepared child waits for the next job. ``run`` may be called from any
    thread, several at once. ``memory_mb`` is the budget while a child prepares itself; a job brings
    its own. Needs Linux or macOS.
    """

    def __init__(
        self,
        preload: Sequence[str] = (),
        *,
        work_folder: Path,
        memory_mb: int,
        cores: int = 1,
        spare: bool = True,
    ) -> None:
        if os.name != "posix":
            raise ComputeError(
                "checks run in child processes, which needs Linux or macOS",
                hint="On Windows use the container image or WSL.",
            )
        self._preload = tuple(preload)
        self._work_folder = work_folder
        self._limits = Limits(memory_mb=memory_mb, cores=cores)
        self._keep_spare = spare
        self._lock = threading.Condition()
        self._spare: list[ChildProcess] = []
        self._running = 0
        self._closed = threading.Event()
        # Linux kills a child when the thread that started it ends, so one thread starts them all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="sandbox-starter")
        sweep(work_folder)
        self._owner = os.getpid()
        self._finalizer = weakref.finalize(self, _abandon, self._owner, self._spare, self._starter)
        if spare:
            self._prepare_spare()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel what runs in other threads, kill the spare child, let go of everything."""
        self._closed.set()
        with self._lock:
            self._lock.wait_for(lambda: self._running == 0, timeout=CLOSE_S)
        self._finalizer()

    @property
    def spare_pid(self) -> int | None:
        """Process id of the child that waits for the next job."""
        with self._lock:
            return self._spare[0].pid if self._spare else None

    def run(
        self,
        job: SandboxJob,
        *,
        on_progress: Progress = silent,
        cancelled: Callable[[], bool] | threading.Event | None = None,
    ) -> SandboxResult:
        """Run a job to its end.

        Raises the error the check raised, NativeCrash, OutOfMemoryBudget, OutOfTimeBudget,
        JobCancelled, ReportInvalid (garbage instead of messages) or ComputeError (no child could
        be prepared), each with ``facts``. What ``on_progress`` and ``cancelled`` raise passes
        through, after the child is gone. Both are called between looks at clock and memory (the
        second about ten times a second), so they must not wait for anything.
        """
        message = _encode(job)
        job.folder.mkdir(parents=True, exist_ok=True)
        asked = cancelled.is_set if isinstance(cancelled, threading.Event) else cancelled

        def stop() -> bool:
            return self._closed.is_set() or (asked is not None and asked())

        with self._counted():
            # A worker that was restarted at once found its predecessor's folders too young.
            sweep(self._work_folder)
            child = self._take_spare()
            if child is not None:
                try:
                    return self._converse(child, job, message, on_progress, stop, was_spare=True)
                except SpareLost:  # it died while it waited, before it knew of the job
                    pass
            child = self._start()
            return self._converse(child, job, message, on_progress, stop, was_spare=False)

    # --- children ---

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            if self._closed.is_set() or os.getpid() != self._owner:
                raise ComputeError("the sandbox is closed, or belongs to another process")
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                self._lock.notify_all()

    def _start(self) -> ChildProcess:
        started = self._starter.submit(ChildProcess, self._preload, self._limits, self._work_folder)
        try:
            return started.result()
        except OSError as error:
            raise ComputeError(f"no child process could be started: {error}") from error

    def _prepare_spare(self) -> None:
        with self._lock:
            if not self._keep_spare or self._spare or self._closed.is_set():
                return
            try:
                self._spare.append(self._start())
            except ComputeError as error:
                # The job at hand does not need it; the next one starts its own child or says why.
                log.warning("no spare child process: %s", error)

    def _take_spare(self) -> ChildProcess | None:
        with self._lock:
            return self._spare.pop() if self._spare else None

    def _converse(
        self,
        child: ChildProcess,
        job: SandboxJob,
        message: bytes,
        on_progress: Progress,
        stop: Callable[[], bool],
        *,
        was_spare: bool,
    ) -> SandboxResult:
        """One child on one job, and the end of the child whatever happens."""
        budget = Budget(START_S, self._limits.memory_mb, job.timeout_s, job.memory_mb)
        conversation = Conversation(child, budget, on_progress)
        error: IfcbaseError | None = None
        grace_s = 0.0
        try:
            conversation.follow(message, stop, self._prepare_spare)
        except ComputeError as reason:
            error = reason
            if isinstance(reason, (JobCancelled, OutOfTimeBudget)):
                grace_s = GRACE_S
        except BaseException:
            child.end()
            raise
        facts = conversation.facts(child.end(grace_s))
        if error is None:
            if was_spare and not conversation.accepted:
                raise SpareLost
            error = conversation.error(facts)
        if error is not None:
            error.facts = facts
            error.detail = error.detail or facts.stderr_tail or None
            raise error
        return SandboxResult(
            seconds=facts.seconds,
            cpu_seconds=facts.cpu_seconds,
            peak_memory_mb=facts.peak_memory_mb,
            stderr_tail=facts.stderr_tail,
            pid=child.pid,
            limits=facts.limits,
        )


def _encode(job: SandboxJob) -> bytes:
    document = {
        "run": job.run,
        "request": dict(job.request),
        "inputs": {name: str(path.absolute()) for name, path in job.inputs.items()},
        "folder": str(job.folder.absolute()),
        "memory_mb": job.memory_mb,
        "options": dict(job.options),
    }
    return json.dumps(document).encode("ascii") + b"\n"


def _abandon(owner: int, spare: list[ChildProcess], starter: ThreadPoolExecutor) -> None:
    """Let go of a sandbox that is closed, forgotten, or alive at the end of the program."""
    if os.getpid() != owner:
        # A forked copy of the owner ends: the child is not its to kill.
        return
    while spare:
        spare.pop().end()
    starter.shutdown()
