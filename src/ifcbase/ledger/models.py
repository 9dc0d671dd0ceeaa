"""The models of a project, and of what discipline each is."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase.errors import NotFound, RequestInvalid
from ifcbase.ledger.connect import translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "models.sql")
Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]


def list_models(connection: Connection, project: str, model: str | None = None) -> list[Row]:
    """Models by name, each with its discipline, who said so (guessed or given), its latest version."""
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["models"], {"project": project, "model": model}).fetchall()


def set_discipline(connection: Connection, project: str, model: str, discipline: str | None) -> Row:
    """Say of what discipline a model is, whatever was guessed; None guesses it from its latest version.

    Raises NotFound, RequestInvalid."""
    if discipline is not None and not (discipline := discipline.strip()):
        raise RequestInvalid("a discipline needs a name", hint="For instance: structure.")
    given = {"project": project, "model": model, "discipline": discipline}
    with translated():
        found = connection.execute(_SQL["discipline"], given).rowcount
    if not found:
        raise NotFound(
            f"there is no model {model!r} in project {project!r}",
            hint="List them with `ifcbase models list`.",
        )
    return list_models(connection, project, model)[0]
