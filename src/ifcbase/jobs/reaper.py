"""Takes jobs back from workers that fell silent, and delivers ids again that a queue lost."""

from __future__ import annotations

import logging
import threading

from ifcbase.errors import IfcbaseError, LedgerUnavailable
from ifcbase.jobs.engine import Connection, Engine
from ifcbase.jobs.submit import deliver_again
from ifcbase.ledger.connect import connect, translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.jobs", "jobs.sql")
_LOG = logging.getLogger(__name__)


def reap_once(dsn: str, engine: Engine, *, undelivered_after_s: float = 15.0) -> list[str]:
    """One round; gives the ids that were delivered again."""
    with connect(dsn) as connection, translated():
        # Committed by itself: what cannot be delivered must not keep lapsed leases alive. An id
        # that is not delivered below is found undelivered by a later round.
        with connection.transaction():
            reaped = [row[0] for row in connection.execute(_SQL["reap"])]
        with connection.transaction():
            older = {"older_than_s": undelivered_after_s}
            quiet = [row[0] for row in connection.execute(_SQL["undelivered"], older)]
            waiting = engine.waiting(connection, quiet) if quiet else set()
            lost = [job_id for job_id in quiet if job_id not in waiting and job_id not in reaped]
            again = [each for each in [*reaped, *lost] if _delivered(connection, engine, each)]
        engine.committed(connection)
        if again:
            _LOG.info("delivered again: %s", ", ".join(again))
        engine.tidy(connection)
    return again


def _delivered(connection: Connection, engine: Engine, job_id: str) -> bool:
    """Deliver one id within a savepoint. A job of a check that only newer workers know, or that the
    queue refuses, is left to them and must not keep the others waiting."""
    try:
        with translated(), connection.transaction():
            deliver_again(connection, engine, [job_id])
    except LedgerUnavailable:
        raise
    except IfcbaseError as error:
        _LOG.warning("job %s: not delivered again: %s", job_id, error.message)
        return False
    return True


def reap_until(dsn: str, engine: Engine, stop: threading.Event, *, every_s: float) -> None:
    """Rounds until told to stop; a failing round is logged and tried again."""
    while not stop.wait(every_s):
        try:
            reap_once(dsn, engine)
        except IfcbaseError as error:
            _LOG.warning("looking for lost jobs failed: %s", error.message)
        except Exception:  # noqa: BLE001 (logged; see below)
            # Without this thread nobody takes back what dead workers held.
            _LOG.exception("looking for lost jobs failed")
