"""Connection strings: whether they are ones, and what of them may be shown."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import conninfo

from ifcbase.errors import ConfigError


def parts(dsn: str) -> dict[str, Any]:
    """What a connection string says, by keyword of libpq. Raises ConfigError."""
    try:
        return dict(conninfo.conninfo_to_dict(dsn))
    except (psycopg.Error, UnicodeError):
        # Without its cause: libpq's message can quote the password.
        raise ConfigError(
            "DATABASE_URL is not a connection string",
            hint="It looks like postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with other signs "
            "than letters and digits in the password written as %XX.",
        ) from None


def unreachable(dsn: str, error: psycopg.Error) -> str:
    """A sentence with host, port and cause, never with the password."""
    known = parts(dsn)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = lines[0] if lines else "no reason given"
    tried = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    if tried:
        # One line for each address of the host; the others say the same of another one.
        cause = tried[-1]
    cause = cause.rpartition(" failed: ")[2]
    secret = known.get("password")
    if secret:
        cause = cause.replace(str(secret), "***")
    host = known.get("host") or known.get("hostaddr") or "the local socket"
    return f"the database at {host}, port {known.get('port') or 5432}, cannot be reached: {cause}"
