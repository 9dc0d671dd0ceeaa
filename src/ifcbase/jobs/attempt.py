"""One attempt at a job: take the lease, compute in the sandbox, store, and always say how it ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ifcbase.errors import (
    FULL,
    ComputeError,
    DiskFull,
    IfcbaseError,
    InputError,
    JobCancelled,
    LeaseLost,
    LedgerError,
    LedgerFull,
    LedgerUnavailable,
    SpoolFull,
)
from ifcbase.files.store import FileStore
from ifcbase.jobs.memory import HostMemory
from ifcbase.jobs.meshes import KeptMeshes
from ifcbase.jobs.registry import check_named
from ifcbase.jobs.sandbox import Sandbox, SandboxJob, SandboxResult
from ifcbase.jobs.workfolder import job_folder
from ifcbase.ledger.interface import Attempt, Ledger
from ifcbase.ledger.payloads import clean_payload
from ifcbase.ledger.spool import Spool
from ifcbase.loglines import about

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Runner:
    """Handles ids of jobs, one at a time. ``again`` delivers an id once more; ``revive`` is called
    when the database does not answer (the embedded one is started again)."""

    ledger: Ledger
    files: FileStore
    sandbox: Sandbox
    work_folder: Path
    worker: str
    host: str
    lease_s: float
    heartbeat_s: float
    stop: threading.Event
    again: Callable[[str], None]
    revive: Callable[[], None] = field(default=lambda: None)
    meshes: KeptMeshes | None = None
    memory: HostMemory | None = None
    #: Where a result goes that cannot be stored for so long, or while being stopped.
    spool: Spool | None = None
    spool_after_s: float = 15.0
    spool_silence_s: float = 3600.0

    def handle(self, job_id: str) -> None:
        """Run one attempt if the job waits for one. Failures end up on the job, not here."""
        attempt = self.ledger.start_attempt(
            job_id, worker=self.worker, host=self.host, lease_s=self.lease_s
        )
        if attempt is None:
            _LOG.info("job %s: nothing to do, it does not wait", job_id)
            return
        with about(request_id=attempt.request_id, job_id=job_id):
            _LOG.info("job %s: attempt %d of check %s", job_id, attempt.number, attempt.check)
            try:
                self._attempt(attempt)
            except LeaseLost:
                # Somebody else has the job now: whatever this attempt did is not to be stored.
                _LOG.warning("job %s: the lease was lost, the attempt is dropped", job_id)

    def _attempt(self, attempt: Attempt) -> None:
        try:
            # The lease is kept while storing, too: reading a large report takes its time.
            with (
                job_folder(self.work_folder, attempt.job_id) as folder,
                _Lease(self, attempt) as lease,
            ):
                result = self._compute(attempt, folder, lease)
                waits = self._store(attempt, folder, result, lease)
            if waits:
                # After the last heartbeat, whose note would take the place of this one.
                self._hold(attempt, waits)
        except LeaseLost:
            raise
        except IfcbaseError as error:
            self._fail(attempt, error)
        except OSError as error:
            if error.errno not in FULL:
                _LOG.exception("job %s: unexpected failure", attempt.job_id)
                self._fail(attempt, ComputeError(detail=repr(error)))
            else:
                self._fail(attempt, DiskFull(f"no room for the job's files: {error.strerror}"))
        except Exception as error:  # noqa: BLE001 (an error of ours must end the attempt, not the worker)
            _LOG.exception("job %s: unexpected failure", attempt.job_id)
            self._fail(attempt, ComputeError(detail=repr(error)))

    def _compute(self, attempt: Attempt, folder: Path, lease: _Lease) -> SandboxResult:
        check = check_named(attempt.check)
        inputs: dict[str, Path] = {}
        for number, given in enumerate(attempt.inputs):
            # A name of our own: the child needs the suffix, and no name a client chose.
            suffix = Path(given.name).suffix.lower()
            link = folder / f"input-{number}{suffix if suffix.isascii() else ''}"
            link.symlink_to(self.files.fetch(attempt.project, given.sha256))
            inputs[given.name] = link
        output = folder / "output"
        output.mkdir()
        options = self.meshes.options() if self.meshes and check.uses_meshes else {}
        job = SandboxJob(
            run=(attempt.number > 1 and check.run_again) or check.run,
            request=attempt.request,
            inputs=inputs,
            folder=output,
            timeout_s=attempt.timeout_s,
            memory_mb=attempt.memory_mb,
            options=options,
        )
        try:
            with self._room(attempt, inputs, lease):
                result = self.sandbox.run(job, on_progress=lease.progress, cancelled=lease.ended)
        except JobCancelled:
            if lease.lost.is_set():
                raise LeaseLost from None
            raise
        except IfcbaseError as error:
            if error.facts:
                self._learn(attempt, inputs, error.facts.peak_memory_mb)
            # People know their files by the names they gave them.
            for name, link in inputs.items():
                error.message = error.message.replace(link.name, Path(name).name)
            raise
        else:
            self._learn(attempt, inputs, result.peak_memory_mb)
            return result
        finally:
            # Also after a failure: the other files' meshes are good, and the next try needs them.
            if self.meshes and check.uses_meshes:
                self.meshes.admit(output)

    def _room(
        self, attempt: Attempt, inputs: Mapping[str, Path], lease: _Lease
    ) -> AbstractContextManager[None]:
        """Room in this machine's memory for what the job is expected to need."""
        if self.memory is None:
            return nullcontext()
        mb = self.memory.expected_mb(attempt.check, _size_mb(inputs), attempt.memory_mb)

        def waiting(taken_mb: int) -> None:
            lease.progress(
                "waiting for memory", 0.0, f"needs about {mb} MB, others hold {taken_mb} MB"
            )

        return self.memory.room(mb, ended=lease.ended, waiting=waiting)

    def _learn(self, attempt: Attempt, inputs: Mapping[str, Path], peak_mb: float) -> None:
        if self.memory:
            self.memory.learn(attempt.check, _size_mb(inputs), peak_mb)

    def _store(
        self, attempt: Attempt, folder: Path, result: SandboxResult, lease: _Lease
    ) -> IfcbaseError | None:
        """Store the results, trying again while the database is away; after a while, or when the
        lease is over, they go into the spool: gives the reason then."""
        check = check_named(attempt.check)
        pause, began = 0.2, time.monotonic()
        while True:
            try:
                with self.ledger.writing(attempt.token) as writer:
                    outcome = check.record(writer, attempt, folder / "output", self.files)
                    writer.finish_job(outcome, _facts(result))
            except LedgerUnavailable as error:
                _LOG.warning("job %s: not stored yet: %s", attempt.job_id, error.message)
                lease.progress("not stored yet", 1.0, f"not stored yet: {error.message}")
                if lease.cancelled.is_set():
                    raise JobCancelled from error
                over = lease.lost.is_set() or self.stop.is_set()
                late = time.monotonic() - began >= self.spool_after_s
                if (over or late) and self._spooled(attempt, folder, result, error):
                    return error
                if lease.lost.is_set():
                    raise LeaseLost from error
                pause = self._wait_for_database(pause, error)
            except (LeaseLost, JobCancelled):
                raise
            except (LedgerError, InputError) as error:
                # The job fails; what was computed is kept for whoever mends the reason.
                self._spooled(attempt, folder, result, error, refused=True)
                raise
            else:
                _LOG.info("job %s: stored", attempt.job_id)
                return None

    def _spooled(
        self,
        attempt: Attempt,
        folder: Path,
        result: SandboxResult,
        error: IfcbaseError,
        *,
        refused: bool = False,
    ) -> bool:
        """Put what was computed into the spool, if there is one with room; whether that was done."""
        if self.spool is None:
            return False
        try:
            entry = self.spool.put(
                attempt,
                folder / "output",
                _facts(result),
                host=self.host,
                reason=error.message,
                refused=refused,
            )
        except (SpoolFull, OSError) as full:
            _LOG.error("job %s: not put into the spool: %s", attempt.job_id, full)
            return False
        _LOG.warning("job %s: in the spool as %s: %s", attempt.job_id, entry.name, error.message)
        return True

    def _hold(self, attempt: Attempt, error: IfcbaseError) -> None:
        """Let the job say that its result waits here."""
        try:
            self.ledger.hold(attempt.token, silence_s=self.spool_silence_s, note=error.message)
        except IfcbaseError as away:
            _LOG.info("job %s: nobody could be told: %s", attempt.job_id, away.message)

    def _fail(self, attempt: Attempt, error: IfcbaseError) -> None:
        """End the attempt; a job that may try again is delivered again at once."""
        released = isinstance(error, JobCancelled) and self.stop.is_set()
        cancelled = isinstance(error, JobCancelled) and not released
        outcome = "released" if released else "cancelled" if cancelled else "failed"
        _LOG.warning("job %s: attempt %s: %s", attempt.job_id, outcome, error.message)
        document, facts = error.to_dict(), _facts(error.facts)
        pause, refused = 0.2, False
        while True:
            try:
                state = self.ledger.fail_attempt(
                    attempt.token,
                    outcome=outcome,
                    error=document,
                    may_retry=error.retryable,
                    facts=facts,
                )
            except LedgerUnavailable as away:
                pause = self._wait_for_database(pause, away)
                continue
            except LeaseLost:
                raise
            except Exception:
                # Whatever is wrong with the record, what happened must not be lost with it.
                if refused:
                    raise
                _LOG.exception("job %s: the record of its failure was refused", attempt.job_id)
                refused, facts = True, {}
                document = type(error)(clean_payload(str(error.message))).to_dict()
                continue
            if state == "queued":
                self.again(attempt.job_id)
            return

    def _wait_for_database(self, pause: float, error: LedgerUnavailable) -> float:
        """Wait before the next try; gives the next pause. Raises LeaseLost when told to stop."""
        if self.stop.is_set():
            # Nobody waits for an outage to end while being stopped: the reaper takes the job.
            raise LeaseLost
        if not isinstance(error, LedgerFull):
            self.revive()
        self.stop.wait(pause)
        return min(pause * 2, 5.0)


class _Lease:
    """Keeps a lease alive while the child computes, and notices cancellation and loss."""

    def __init__(self, runner: Runner, attempt: Attempt) -> None:
        self._runner = runner
        self._attempt = attempt
        self._done = threading.Event()
        self._progress: dict[str, Any] | None = None
        self._began = time.monotonic()
        self.cancelled = threading.Event()
        self.lost = threading.Event()
        self._thread = threading.Thread(
            # What it logs is about the same job and request.
            target=copy_context().run,
            args=[self._keep],
            name="lease",
            daemon=True,
        )

    def __enter__(self) -> _Lease:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def progress(self, phase: str, fraction: float, note: str = "") -> None:
        """Noted here, sent with the next heartbeat; the rest is expected to go at the same pace."""
        seconds = time.monotonic() - self._began
        eta = seconds / fraction * (1 - fraction) if fraction > 0.02 else None
        self._progress = {
            "phase": phase,
            "fraction": round(fraction, 3),
            "note": note,
            "eta_s": None if eta is None else round(eta, 1),
        }

    def ended(self) -> bool:
        """Whether the child is to be stopped."""
        return self.cancelled.is_set() or self.lost.is_set() or self._runner.stop.is_set()

    def _keep(self) -> None:
        try:
            self._renew()
        except LeaseLost:
            self.lost.set()
        except Exception:  # noqa: BLE001 (logged; see below)
            # A thread that ends unnoticed lets the child compute for a lease that nobody renews.
            _LOG.exception("job %s: the lease is no longer renewed", self._attempt.job_id)
            self.lost.set()

    def _renew(self) -> None:
        renewed = time.monotonic()
        while not self._done.wait(self._runner.heartbeat_s):
            try:
                if self._beat():
                    self.cancelled.set()
                renewed = time.monotonic()
            except LeaseLost:
                raise
            except IfcbaseError as error:
                _LOG.warning("job %s: no heartbeat: %s", self._attempt.job_id, error.message)
                # With a spool the child goes on: a result of a lease that lapsed unnoticed counts if
                # nobody computes the job again.
                lapsed = time.monotonic() - renewed > self._runner.lease_s
                if lapsed and self._runner.spool is None:
                    raise LeaseLost from error
                if not isinstance(error, LedgerFull):
                    self._runner.revive()

    def _beat(self) -> bool:
        """One heartbeat; without the progress if that is what the database refuses."""
        ledger, token, progress = self._runner.ledger, self._attempt.token, self._progress
        try:
            return ledger.heartbeat(token, progress)
        except LedgerError as error:
            away = isinstance(error, LedgerUnavailable) and not isinstance(error, LedgerFull)
            if progress is None or away or isinstance(error, LeaseLost):
                raise
            _LOG.warning("job %s: progress not noted: %s", self._attempt.job_id, error.message)
            return ledger.heartbeat(token, None)


def _size_mb(inputs: Mapping[str, Path]) -> float:
    return sum(path.stat().st_size for path in inputs.values()) / 2**20


def _facts(source: SandboxResult | object | None) -> Mapping[str, Any]:
    """What is known of how a child ended, as JSON."""
    if source is None:
        return {}
    names = getattr(source, "__slots__", None) or vars(source).keys()
    values = {name: getattr(source, name) for name in names}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, str | int | float | bool | dict | None)
    }
