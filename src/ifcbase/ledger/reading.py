"""Reading results: headers with their coverage, contacts, documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase.errors import NotFound
from ifcbase.ledger.connect import MAX_NUMBER, translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "read.sql")
Connection = psycopg.Connection[tuple[Any, ...]]


def list_results(
    connection: Connection, project: str, *, clash_set: str | None = None, limit: int = 20
) -> list[dict[str, Any]]:
    """Headers of the latest clash results, newest first, each with what its sides tested."""
    return _rows(connection, "results", project=project, set=clash_set, id=None, limit=limit)


def show_result(connection: Connection, project: str, result: int) -> dict[str, Any]:
    """One header. Raises NotFound."""
    rows = []
    if abs(result) <= MAX_NUMBER:
        rows = _rows(connection, "results", project=project, set=None, id=result, limit=1)
    if not rows:
        raise NotFound(
            f"there is no finished result {result} in project {project!r}",
            hint="List them with `ifcbase results list`.",
        )
    return rows[0]


def contacts(
    connection: Connection,
    result: int,
    *,
    pairs: Sequence[int] | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """The contacts of a result with what their elements were then, deepest first."""
    chosen = None if pairs is None else list(pairs)
    return _rows(connection, "contacts", id=result, pairs=chosen, limit=limit)


def left_out(connection: Connection, result: int) -> list[dict[str, Any]]:
    """The elements a result selected but did not test, each with the reason."""
    return _rows(connection, "left_out", id=result)


def pairs_of(connection: Connection, result: int) -> set[int]:
    """The lasting pairs seen in a result."""
    return {row["pair_id"] for row in _rows(connection, "pairs_of", id=result)}


def document(connection: Connection, result: int) -> Any:
    """The document of a result in ifcclash's shape. Raises NotFound."""
    rows = _rows(connection, "document", id=result)
    if not rows:
        raise NotFound(f"there is no finished result {result}")
    return rows[0]["clash_data"]


def _rows(connection: Connection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()
