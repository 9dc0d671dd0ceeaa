"""Reading findings over all checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase.errors import RequestInvalid
from ifcbase.ledger.connect import translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "findings.sql")
Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]
#: States in which a finding is there.
THERE = ("new", "persisting", "reopened")


def list_findings(
    connection: Connection,
    project: str,
    *,
    check: str | None = None,
    discipline: str | None = None,
    storey: str | None = None,
    states: Sequence[str] | None = None,
    review: str | None = None,
    assigned: str | None = None,
    limit: int | None = None,
) -> list[Row]:
    """Findings that meet all that is given, newest state first. A discipline means either side's."""
    return _rows(
        connection, "findings", project=project, check=check, discipline=discipline,
        storey=storey, states=None if states is None else list(states), review=review, assigned=assigned,
        limit=limit,
    )  # fmt: skip


def require_discipline(connection: Connection, project: str, discipline: str | None) -> None:
    """Refuse a discipline that no model of the project has: its list would be empty for ever, and look
    like good news. Raises RequestInvalid."""
    if discipline is None:
        return
    known = [row["discipline"] for row in _rows(connection, "disciplines", project=project)]
    if discipline.lower() not in {each.lower() for each in known}:
        raise RequestInvalid(
            f"no model of the project is of the discipline {discipline!r}",
            hint=f"There are: {', '.join(known)}." if known else "None is known yet.",
        )


def count_open(connection: Connection, project: str) -> list[Row]:
    """By check and series: how many findings are undecided, and how many of those untested."""
    return _rows(connection, "open_by_check", project=project)


def count_open_by_discipline(connection: Connection, project: str) -> list[Row]:
    """The same by discipline and check; a finding between two disciplines counts for both."""
    return _rows(connection, "open_by_discipline", project=project)


def count_open_by_storey(connection: Connection, project: str) -> list[Row]:
    """The same by storey and check; storey None is that of elements in none."""
    return _rows(connection, "open_by_storey", project=project)


def _rows(connection: Connection, query: str, **parameters: Any) -> list[Row]:
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()
