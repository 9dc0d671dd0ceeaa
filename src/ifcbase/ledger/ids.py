"""Reading results of IDS checks, and verifying their series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase.ledger.connect import translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "ids.sql")
Connection = psycopg.Connection[tuple[Any, ...]]
Rows = list[dict[str, Any]]


#: Kinds of rows that a result has.
PARTS = ("series", "specifications", "failures", "left_out")


def read(
    connection: Connection, result: int, limit: int | None, parts: Sequence[str] = PARTS
) -> dict[str, Rows]:
    """The rows of a result by kind: series, specifications, failures, left_out (these two up to
    ``limit``). Raises Thinned where failures are asked for and gone."""
    return {part: _rows(connection, part, id=result, limit=limit) for part in parts}


def list_series(connection: Connection, project: str) -> Rows:
    """The series of a project: which IDS was asked of which model."""
    return _rows(connection, "all_series", project=project)


def verify(connection: Connection, series: int, *, repair: bool = False) -> Rows:
    """Derive the states of a series anew and list every difference; kept only if ``repair``."""
    with connection.transaction(force_rollback=not repair):
        return _rows(connection, "verify", series=series)


def _rows(connection: Connection, query: str, **parameters: Any) -> Rows:
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()
