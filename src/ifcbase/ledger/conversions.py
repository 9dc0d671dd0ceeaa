"""Reading what conversions wrote and what they left out."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase.ledger.connect import translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "conversions.sql")
Connection = psycopg.Connection[tuple[Any, ...]]


def read(connection: Connection, result: int, limit: int | None) -> dict[str, Any]:
    """The facts of a result, and the elements it left out (up to ``limit``)."""
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        facts = cursor.execute(_SQL["facts"], {"id": result}).fetchone()
        left_out = cursor.execute(_SQL["left_out"], {"id": result, "limit": limit}).fetchall()
    return {"facts": facts or {}, "left_out": left_out}
