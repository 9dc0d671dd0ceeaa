"""What a worker does by itself now and then: what is due, files nobody needs, reports to a folder."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from ifcbase.errors import IfcbaseError
from ifcbase.exchange.period import write_period
from ifcbase.files.local import LocalFiles
from ifcbase.files.store import Remover
from ifcbase.ledger import operations
from ifcbase.ledger.connect import connect

_LOG = logging.getLogger(__name__)


def tend_once(dsn: str, files: Remover | None, reports: Path) -> list[str]:
    """One round; a line for each thing done. Where pg_cron is the clock only files are written and
    removed, which no database can do. Without a remover the bytes stay, and are counted."""
    with connect(dsn) as connection:
        done = []
        if operations.take_clock(connection) == "worker":
            done += operations.run_due(connection)
        if files and (removed := operations.remove_unwanted(connection, files)):
            done.append(f"files: {removed} removed")
        if isinstance(files, LocalFiles) and (halves := files.sweep()):
            done.append(f"files: {halves} half written ones removed")
        with connection.transaction():
            for report in operations.unwritten_reports(connection):
                written = write_period(report["document"], reports)
                operations.report_written(connection, report["id"], written)
                done.append(f"report: {written[0]}")
    return done


def tend_until(
    dsn: str, files: Remover | None, reports: Path, stop: threading.Event, *, every_s: float
) -> None:
    """Rounds until told to stop; a failing round is logged and tried again."""
    while not stop.wait(every_s):
        try:
            for line in tend_once(dsn, files, reports):
                _LOG.info("%s", line)
        except IfcbaseError as error:
            _LOG.warning("schedules: %s", error.message)
        except Exception:  # noqa: BLE001 (logged; see below)
            # Without this thread nothing that is due is done any more, and nobody hears of it.
            _LOG.exception("schedules failed")
