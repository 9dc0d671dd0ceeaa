"""Operations on the ledger: schedules, retention, reports, figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ifcbase.errors import NotFound, RequestInvalid
from ifcbase.files.store import Remover
from ifcbase.ledger.connect import translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "operations.sql")

Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]


def note(connection: Connection, kind: str, details: Row) -> None:
    """Note that a backup was made or verified, for monitoring."""
    with translated():
        connection.execute(_SQL["note"], {"kind": kind, "details": Jsonb(details)})


def take_clock(connection: Connection) -> str:
    """Who calls what is due: ``pg_cron`` where it is installed and lets us, else ``worker``."""
    with translated(), connection.transaction():
        return str(connection.execute(_SQL["take_clock"]).fetchall()[0][0])


def run_due(connection: Connection) -> list[str]:
    """Do what is due, a batch of it; a line for each thing done, none where pg_cron does it."""
    with translated(), connection.transaction():
        return [row[0] for row in connection.execute(_SQL["run_due"])]


def schedules(connection: Connection) -> list[Row]:
    """What is done by itself: name, active, every, next_at, settings, clock."""
    return _rows(connection, "schedules")


def set_schedule(
    connection: Connection,
    name: str,
    *,
    active: bool | None = None,
    every: str | None = None,
    next_at: datetime | None = None,
    settings: Row | None = None,
) -> None:
    """Change a schedule; what is None stays. Raises NotFound, RequestInvalid."""
    try:
        found = _rows(
            connection, "set_schedule", name=name, active=active, every=every, next_at=next_at,
            settings=Jsonb(settings or {}),
        )  # fmt: skip
    except (psycopg.errors.DataError, psycopg.errors.CheckViolation) as error:
        raise RequestInvalid(f"{every} is no time between two runs, such as `1 day`") from error
    if not found:
        raise NotFound(f"there is no schedule {name}")


def thinnable(connection: Connection, age: str, keep: int) -> list[Row]:
    """The results that retention would thin: check, result_id, name, finished_at."""
    return _aged(connection, "thinnable", age=age, keep=keep)


def thin(connection: Connection, age: str, keep: int, batch: int) -> list[Row]:
    """Thin one batch, in a transaction of its own; no rows when there is nothing left."""
    with connection.transaction():
        return _aged(connection, "thin", age=age, keep=keep, batch=batch)


def remove_unwanted(connection: Connection, files: Remover, *, limit: int = 500) -> int:
    """Remove the bytes of files that retention left nobody in need of; gives how many. What came
    again and was not told to the ledger yet stays and does not count. A careful remover, who could
    not tell, waits for a day and until nobody computes in the project, and takes a few at a time."""
    removed = 0
    asked = {"limit": min(limit, 20) if files.careful else limit, "careful": files.careful}
    with translated(), connection.transaction():
        # Lengths of time, no moments: this machine's clock and the database's may differ.
        began = time.monotonic()
        found = connection.execute(_SQL["unwanted_files"], asked).fetchall()
        for name, project, sha256, unwanted_s in found:
            if files.remove(name, sha256, unwanted_s + time.monotonic() - began):
                connection.execute(_SQL["file_removed"], {"project": project, "sha256": sha256})
                removed += 1
    return removed


def unwritten_reports(connection: Connection) -> list[Row]:
    """Reports of which no files were made yet, locked to the end of the transaction."""
    return _rows(connection, "unwritten_reports")


def report_written(connection: Connection, report: int, files: Sequence[Path]) -> None:
    """These files were made of a report; webhooks are told."""
    with translated():
        connection.execute(_SQL["report_written"], {"id": report, "files": [str(f) for f in files]})


def period_report(connection: Connection, project: str, period: str) -> Row:
    """What became new, solved, open and untested in the period until now. Raises NotFound."""
    found = _aged(connection, "period_report", project=project, period=period)
    if not found:
        raise NotFound(f"there is no project {project}")
    document: Row = found[0]["document"]
    return document


def figures(connection: Connection) -> list[tuple[str, str, float]]:
    """Figures for monitoring: a name, the value of its only label ("" for none), a number."""
    with translated():
        return connection.execute(_SQL["figures"]).fetchall()


def _aged(connection: Connection, query: str, /, **parameters: Any) -> list[Row]:
    try:
        return _rows(connection, query, **parameters)
    except psycopg.errors.DataError as error:
        raise RequestInvalid(
            f"not a length of time: {parameters.get('age') or parameters.get('period')}",
            hint="Write it as `180 days` or `6 months`.",
        ) from error


def _rows(connection: Connection, query: str, /, **parameters: Any) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        try:
            return cursor.execute(_SQL[query], parameters).fetchall()
        except (psycopg.errors.DataError, psycopg.errors.CheckViolation):
            # A word of a person; the caller says which.
            raise
        except psycopg.Error as error:
            with translated():
                raise error from None
