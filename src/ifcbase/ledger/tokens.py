"""Tokens of workers that are refused although they have not expired."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

from ifcbase.ledger.connect import translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "tokens.sql")


def revoke(
    connection: psycopg.Connection[tuple[Any, ...]],
    token: str,
    reason: str | None = None,
    expires: datetime | None = None,
) -> bool:
    """Refuse a token by its id (the claim jti) from now on; false if it was refused already."""
    with translated(), connection.transaction():
        row = connection.execute(
            _SQL["revoke"], {"token": token, "reason": reason, "expires": expires}
        ).fetchone()
        # What has expired is refused by the gateway itself.
        connection.execute(_SQL["forget"])
    return row is not None and bool(row[0])
