"""Reading recorded diffs, and verifying what was derived from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase.ledger.connect import translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "diffs.sql")
Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]


#: Kinds of rows that a result has.
PARTS = ("changes", "matches", "not_compared")


def show_changes(
    connection: Connection, result: int, limit: int | None, parts: Sequence[str] = PARTS
) -> dict[str, Any]:
    """Counts of a diff result and its rows: changes, matches and what was not compared. Raises
    Thinned where changes are asked for and gone."""
    (counts,) = _rows(connection, "facets", id=result)
    return counts | {name: _rows(connection, name, id=result, limit=limit) for name in parts}


def list_series(connection: Connection, project: str) -> list[Row]:
    """Id and name of every series of diffs of a project."""
    return _rows(connection, "series", project=project)


def verify(connection: Connection, series: int, *, repair: bool = False) -> list[Row]:
    """Every difference between the stored states of a series and those that follow from its rows.

    With ``repair`` the derived ones are kept.
    """
    with translated(), connection.transaction(force_rollback=not repair):
        return _rows(connection, "verify", id=series)


def _rows(connection: Connection, query: str, **parameters: Any) -> list[Row]:
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()
