"""Takes jobs back from workers that fell silent, and delivers ids again that a queue lost."""

from __future__ import annotations

import logging
import threading

from ifcbase.errors import IfcbaseError
from ifcbase.jobs.engine import Engine
from ifcbase.jobs.submit import deliver_again
from ifcbase.ledger.connect import connect, translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.jobs", "jobs.sql")
_LOG = logging.getLogger(__name__)


def reap_once(dsn: str, engine: Engine, *, undelivered_after_s: float = 15.0) -> list[str]:
    """One round; gives the ids that were delivered again."""
    with connect(dsn) as connection, translated(), connection.transaction():
        again = [row[0] for row in connection.execute(_SQL["reap"])]
        older = {"older_than_s": undelivered_after_s}
        quiet = [row[0] for row in connection.execute(_SQL["undelivered"], older)]
        waiting = engine.waiting(connection, quiet) if quiet else set()
        again += [job_id for job_id in quiet if job_id not in waiting and job_id not in again]
        deliver_again(connection, engine, again)
        engine.tidy(connection)
    if again:
        _LOG.info("delivered again: %s", ", ".join(again))
    return again


def reap_until(dsn: str, engine: Engine, stop: threading.Event, *, every_s: float) -> None:
    """Rounds until told to stop; a failing round is logged and tried again."""
    while not stop.wait(every_s):
        try:
            reap_once(dsn, engine)
        except IfcbaseError as error:
            _LOG.warning("looking for lost jobs failed: %s", error.message)
