"""A worker process: takes ids from the queue engine, runs attempts, survives a lost database."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ifcbase.errors import IfcbaseError, LedgerFull, LedgerUnavailable, SchemaOutdated
from ifcbase.files.backend import file_store, remover
from ifcbase.jobs import kernels
from ifcbase.jobs.attempt import Runner
from ifcbase.jobs.documents import WaitingDocuments
from ifcbase.jobs.engine import Engine
from ifcbase.jobs.flushing import Flusher
from ifcbase.jobs.memory import HostMemory, machine_mb
from ifcbase.jobs.meshes import KeptMeshes
from ifcbase.jobs.reaper import reap_until
from ifcbase.jobs.registry import CHECKS, check_named
from ifcbase.jobs.sandbox import Sandbox
from ifcbase.jobs.schedules import tend_until
from ifcbase.jobs.submit import deliver_again
from ifcbase.ledger.connect import connect
from ifcbase.ledger.opening import open_ledger
from ifcbase.ledger.spool import Spool
from ifcbase.settings import Settings

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from ifcbase.jobs.metrics import WorkerMetrics

_LOG = logging.getLogger(__name__)


def work(
    settings: Settings,
    dsn: str | None,
    engine: Engine,
    *,
    checks: Sequence[str] = (),
    stop: threading.Event,
    revive: Callable[[], None] = lambda: None,
) -> None:
    """Work until told to stop. ``checks``: which to serve (all by default). Without a DSN the ledger
    is reached over Supabase's REST door, and looking for lost jobs is left to who has one.

    Raises SchemaOutdated where the database was changed meanwhile so that no job can be taken."""
    served = [check_named(name) for name in checks] or list(CHECKS.values())
    # Broken code shows now, not with a job; and nothing is imported while a record is being made.
    for check in served:
        check.load()
    if any(check.name == "clash" for check in served):
        if not kernels.is_ready(settings.clash_engine):
            _LOG.info("preparing the clash kernels (once, about a minute)")
        kernels.prepare(settings.clash_engine)
    # Here and not above: its library is needed where somebody asks for figures only.
    metrics, answering = _metrics(settings, dsn)
    host = socket.gethostname()
    name = f"{host}-{os.getpid()}"
    sandbox = Sandbox(
        [check.run.partition(":")[0] for check in served],
        work_folder=settings.work_folder,
        memory_mb=settings.job_memory_mb,
        cores=settings.job_cores,
    )
    ledger, files = open_ledger(settings, dsn), file_store(settings)
    spool = Spool(settings.spool_folder, settings.spool_mb) if settings.spool_mb else None
    runner = Runner(
        ledger=ledger,
        files=files,
        sandbox=sandbox,
        work_folder=settings.work_folder,
        worker=name,
        host=host,
        lease_s=settings.lease_s,
        heartbeat_s=settings.heartbeat_s,
        stop=stop,
        again=lambda job_id: _again(dsn, engine, job_id),
        revive=_careful(revive),
        meshes=KeptMeshes.of(settings),
        memory=HostMemory(
            settings.cache_folder / "memory", settings.host_memory_mb or machine_mb() * 9 // 10
        ),
        spool=spool,
        spool_after_s=settings.spool_after_s,
        spool_silence_s=settings.spool_silence_s,
    )
    beside = []
    unwanted = remover(settings) if dsn is not None else None
    if dsn is not None:
        beside += [
            _beside("reaper", reap_until, dsn, engine, stop, every_s=settings.reap_s),
            _beside(
                "schedules",
                tend_until,
                dsn,
                unwanted,
                settings.reports,
                stop,
                every_s=settings.tend_s,
            ),
        ]
    documents = WaitingDocuments(settings)
    if spool:
        flusher = Flusher(
            ledger, files, spool, settings.lease_s, settings.spool_silence_s, documents.flush
        )
        beside.append(_beside("flusher", flusher.flush_until, stop, every_s=settings.spool_retry_s))
    for each in beside:
        each.start()
    _LOG.info("worker %s serves %s", name, ", ".join(check.name for check in served))
    try:
        # Over REST the same is said while the door reads the tables anew: that passes.
        handle = _Ending(runner.handle, stop if dsn is not None else None)
        _work_until(stop, engine, [check.worker for check in served], runner, handle, name, metrics)
        if handle.error is not None:
            raise handle.error
    finally:
        stop.set()
        if answering is not None:
            answering.shutdown()
            answering.server_close()
        sandbox.close()
        ledger.close()
        documents.close()
        for each in beside:
            each.join(timeout=10)
        if unwanted is not None:
            unwanted.close()


def _beside(
    name: str, target: Callable[..., None], *arguments: object, **options: object
) -> threading.Thread:
    return threading.Thread(target=target, args=arguments, kwargs=options, name=name, daemon=True)


def _work_until(
    stop: threading.Event,
    engine: Engine,
    queues: list[str],
    runner: Runner,
    handle: Callable[[str], None],
    name: str,
    metrics: WorkerMetrics | None,
) -> None:
    """The restart loop: a queue engine gives up when its database goes away; a worker does not."""
    pause = 0.5
    while not stop.is_set():
        try:
            if metrics:
                metrics.readiness.asks()
            engine.work(queues, _logged(handle, metrics), stop, name)
            pause = 0.5
        except LedgerUnavailable as error:
            if metrics:
                metrics.readiness.away(error)
            _LOG.warning("%s; trying again in %.1f s", error.message, pause)
            if not isinstance(error, LedgerFull):
                runner.revive()
            stop.wait(pause)
            pause = min(pause * 2, 10.0)


def _metrics(settings: Settings, dsn: str | None) -> tuple[WorkerMetrics | None, WSGIServer | None]:
    """What counts for monitoring and what answers for it, where the settings want them."""
    if not settings.metrics_port:
        return None, None
    from ifcbase.jobs.metrics import WorkerMetrics

    metrics = WorkerMetrics(dsn, settings)
    return metrics, metrics.serve(settings)


class _Ending:
    """Hands jobs on; tells the worker to stop where the database has none of the tables it needs."""

    def __init__(self, handle: Callable[[str], None], stop: threading.Event | None) -> None:
        self._handle = handle
        self._stop = stop
        self.error: SchemaOutdated | None = None

    def __call__(self, job_id: str) -> None:
        try:
            self._handle(job_id)
        except SchemaOutdated as error:
            if self._stop is not None:
                self.error = error
                self._stop.set()
            raise


def _logged(handle: Callable[[str], None], metrics: WorkerMetrics | None) -> Callable[[str], None]:
    """A delivery that fails is logged; the job itself waits in core.jobs and is delivered again."""

    def safely(job_id: str) -> None:
        failed = True
        if metrics:
            metrics.begin()
        try:
            handle(job_id)
            failed = False
        except IfcbaseError as error:
            _LOG.warning("job %s: %s", job_id, error.message)
        finally:
            if metrics:
                metrics.end(failed=failed)

    return safely


def _careful(revive: Callable[[], None]) -> Callable[[], None]:
    """Reviving may fail too; the caller tries again anyway."""

    def safely() -> None:
        try:
            revive()
        except IfcbaseError as error:
            _LOG.warning("the database could not be started again: %s", error.message)
        except Exception:  # noqa: BLE001 (logged; see below)
            # The caller may be the thread that keeps a lease: it must outlive whatever this is.
            _LOG.exception("the database could not be started again")

    return safely


def _again(dsn: str | None, engine: Engine, job_id: str) -> None:
    """Deliver an id again; if that fails, the reaper of any worker will."""
    if dsn is None:
        return
    try:
        with connect(dsn) as connection:
            with connection.transaction():
                deliver_again(connection, engine, [job_id])
            engine.committed(connection)
    except IfcbaseError as error:
        _LOG.warning("job %s: not delivered again yet: %s", job_id, error.message)
