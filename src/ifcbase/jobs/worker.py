"""A worker process: takes ids from the queue engine, runs attempts, survives a lost database."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence

from ifcbase.errors import IfcbaseError, LedgerFull, LedgerUnavailable
from ifcbase.files.local import LocalFiles
from ifcbase.jobs import kernels
from ifcbase.jobs.attempt import Runner
from ifcbase.jobs.engine import Engine
from ifcbase.jobs.flushing import Flusher
from ifcbase.jobs.meshes import KeptMeshes
from ifcbase.jobs.reaper import reap_until
from ifcbase.jobs.registry import CHECKS, check_named
from ifcbase.jobs.sandbox import Sandbox
from ifcbase.jobs.submit import deliver_again
from ifcbase.ledger.connect import connect
from ifcbase.ledger.opening import open_ledger
from ifcbase.ledger.spool import Spool
from ifcbase.settings import Settings

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
    is reached over Supabase's REST door, and looking for lost jobs is left to who has one."""
    served = [check_named(name) for name in checks] or list(CHECKS.values())
    # Broken code shows now, not with a job; and nothing is imported while a record is being made.
    for check in served:
        check.load()
    if any(check.name == "clash" for check in served):
        if not kernels.is_ready(settings.clash_engine):
            _LOG.info("preparing the clash kernels (once, about a minute)")
        kernels.prepare(settings.clash_engine)
    host = socket.gethostname()
    name = f"{host}-{os.getpid()}"
    sandbox = Sandbox(
        [check.run.partition(":")[0] for check in served],
        work_folder=settings.work_folder,
        memory_mb=settings.job_memory_mb,
        cores=settings.job_cores,
    )
    ledger, files = open_ledger(settings, dsn), LocalFiles(settings.files_folder)
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
        spool=spool,
        spool_after_s=settings.spool_after_s,
        spool_silence_s=settings.spool_silence_s,
    )
    helpers = []
    if spool:
        flusher = Flusher(ledger, files, spool, settings.lease_s, settings.spool_silence_s)
        helpers.append(
            threading.Thread(
                target=flusher.flush_until,
                args=(stop,),
                kwargs={"every_s": settings.spool_retry_s},
                name="flusher",
                daemon=True,
            )
        )
    if dsn is not None:
        helpers.append(
            threading.Thread(
                target=reap_until,
                args=(dsn, engine, stop),
                kwargs={"every_s": settings.reap_s},
                name="reaper",
                daemon=True,
            )
        )
    for helper in helpers:
        helper.start()
    _LOG.info("worker %s serves %s", name, ", ".join(check.name for check in served))
    try:
        _work_until(stop, engine, [check.worker for check in served], runner, name)
    finally:
        stop.set()
        sandbox.close()
        ledger.close()
        for helper in helpers:
            helper.join(timeout=10)


def _work_until(
    stop: threading.Event, engine: Engine, queues: list[str], runner: Runner, name: str
) -> None:
    """The restart loop: a queue engine gives up when its database goes away; a worker does not."""
    pause = 0.5
    while not stop.is_set():
        try:
            engine.work(queues, _logged(runner.handle), stop, name)
            pause = 0.5
        except LedgerUnavailable as error:
            _LOG.warning("%s; trying again in %.1f s", error.message, pause)
            if not isinstance(error, LedgerFull):
                runner.revive()
            stop.wait(pause)
            pause = min(pause * 2, 10.0)


def _logged(handle: Callable[[str], None]) -> Callable[[str], None]:
    """A delivery that fails is logged; the job itself waits in core.jobs and is delivered again."""

    def safely(job_id: str) -> None:
        try:
            handle(job_id)
        except IfcbaseError as error:
            _LOG.warning("job %s: %s", job_id, error.message)

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
