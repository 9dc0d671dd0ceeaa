"""Doubtful links between elements: reading them, and storing what a person says about them."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase.errors import NotFound, RequestInvalid
from ifcbase.ledger.connect import translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "links.sql")
Connection = psycopg.Connection[tuple[Any, ...]]


def open_doubts(
    connection: Connection, project: str, *, model: str | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Doubtful links that nobody settled with what is known of both elements; those whose element
    is part of most pairs first."""
    return _doubts(connection, project=project, model=model, id=None, limit=limit)


def settle(
    connection: Connection,
    project: str,
    link: int,
    *,
    same: bool,
    to_global_id: str | None = None,
    n: int = 0,
    note: str | None = None,
) -> dict[str, Any]:
    """Say whether the old element of an open doubt is its candidate, or ``to_global_id`` instead.

    States of all pairs follow at once. Gives the doubt. Raises NotFound, Conflict, RequestInvalid.
    """
    with translated(), connection.transaction():
        found = _doubts(connection, project=project, model=None, id=link, limit=1)
        if not found:
            raise NotFound(
                f"there is no open doubtful link {link} in project {project!r}",
                hint="List them with `ifcbase links list`.",
            )
        doubt = found[0]
        new = doubt["to_element"]
        if same and new is None and to_global_id is None:
            raise RequestInvalid(
                f"nobody was proposed for link {link}", hint="Name the new element: --to GLOBALID."
            )
        if to_global_id is not None:
            names = {"project": project, "model": doubt["to_model"] or doubt["model"]}
            row = connection.execute(
                _SQL["element_named"], names | {"global_id": to_global_id, "n": n}
            ).fetchone()
            if row is None:
                raise NotFound(f"the model {names['model']!r} never had an element {to_global_id}")
            new = row[0]
        connection.execute(
            _SQL["state_link"],
            {
                "old": doubt["from_element"],
                "new": new,
                "verdict": "same" if same else "different",
                "note": note,
            },
        )
    return doubt


def _doubts(connection: Connection, **parameters: Any) -> list[dict[str, Any]]:
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["open_doubts"], parameters).fetchall()
