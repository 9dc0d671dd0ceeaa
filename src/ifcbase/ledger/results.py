"""Results of all checks but clash, as headers and documents; clash results are in ``reading``."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase.errors import NotFound
from ifcbase.ledger.connect import MAX_NUMBER, translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "all.sql")
Connection = psycopg.Connection[tuple[Any, ...]]

#: The checks whose results are read here; clash has its own module.
OTHERS = ("conversion", "tester", "diff")
_DOCUMENTS = {
    "conversion": "conversion_document",
    "tester": "tester_document",
    "diff": "diff_document",
}


def list_others(
    connection: Connection, project: str, *, check: str | None = None, limit: int = 20
) -> list[dict[str, Any]]:
    """Headers of the latest results of one or all checks but clash, newest first."""
    return _rows(connection, "results", project=project, check=check, id=None, limit=limit)


def show_other(connection: Connection, project: str, check: str, result: int) -> dict[str, Any]:
    """One header. Raises NotFound."""
    rows = []
    if abs(result) <= MAX_NUMBER:
        rows = _rows(connection, "results", project=project, check=check, id=result, limit=1)
    if not rows:
        raise NotFound(
            f"there is no finished {check} result {result} in project {project!r}",
            hint="List them with `ifcbase results list`.",
        )
    return rows[0]


def document(connection: Connection, check: str, result: int) -> Any:
    """The document of a result as clients read it. Raises NotFound."""
    rows = _rows(connection, _DOCUMENTS[check], id=result)
    if not rows:
        raise NotFound(f"there is no finished {check} result {result}")
    return rows[0]["document"]


def _rows(connection: Connection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()
