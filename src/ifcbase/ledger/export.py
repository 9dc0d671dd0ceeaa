"""Reading what reports carry beside findings: states, decisions, the project's identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase.ledger.connect import translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "export.sql")
Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]
_JUDGED = {"tester": "judged_tester", "diff": "judged_diff"}


def project_identity(connection: Connection, project: str) -> str:
    """A text that no project of another installation has; a restored backup keeps it."""
    (row,) = _rows(connection, "project", project=project)
    return f"{row['name']} {row['created_at'].isoformat()}"


def judged(connection: Connection, result: int) -> dict[int, Row]:
    """By pair of a clash result: its finding, its state as of that result, its review now."""
    return {row["pair_id"]: row for row in _rows(connection, "judged", result=result)}


def judged_findings(connection: Connection, check: str, result: int) -> dict[int, Row]:
    """By finding of an IDS or diff result: the lasting one, its state as of that result, its review
    now."""
    rows = _rows(connection, _JUDGED[check], result=result)
    return {row["finding_id"]: row for row in rows}


def decisions(connection: Connection, findings: Sequence[int]) -> list[Row]:
    """Decisions and comments about findings in the order in which they were made."""
    return _rows(connection, "comments", findings=list(findings))


def _rows(connection: Connection, query: str, **parameters: Any) -> list[Row]:
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()
