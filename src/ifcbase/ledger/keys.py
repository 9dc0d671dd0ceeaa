"""API keys: made, listed, revoked, and recognised.

A key is ``ifcb_<prefix>_<secret>``. The prefix names it in lists and logs; of the secret, 256 random
bits, only the SHA-256 is kept: there is nothing to guess, so that a slow hash would protect nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase.errors import NotFound, RequestInvalid
from ifcbase.ledger.connect import MAX_NUMBER, translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "keys.sql")
Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]

VERBS = ("read", "write", "decide", "admin")
_PREFIX = string.ascii_lowercase + string.digits
_FORM = re.compile(r"ifcb_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
#: What a secret is compared with where no key has the prefix, so that both take the same steps.
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key; ``key`` is the only copy of it."""

    id: int
    prefix: str
    key: str


def looks_like_key(text: str) -> bool:
    """Whether this has the form of an API key."""
    return _FORM.fullmatch(text) is not None


def make_key(
    connection: Connection,
    project: int,
    name: str,
    verbs: Sequence[str],
    *,
    expires_at: datetime | None = None,
) -> MadeKey:
    """Make a key for a project. Raises RequestInvalid, Forbidden for verbs the caller lacks."""
    chosen = [verb for verb in VERBS if verb in verbs]
    if unknown := sorted(set(verbs) - set(VERBS)):
        raise RequestInvalid(f"{unknown[0]!r} is no verb", hint=f"Verbs are {', '.join(VERBS)}.")
    if not name.strip() or not chosen:
        raise RequestInvalid("a key needs a name and at least one verb")
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise RequestInvalid("expires_at: a key cannot end before it begins")
    prefix = "".join(secrets.choice(_PREFIX) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    made = _rows(
        connection, "add", project=project, name=name, prefix=prefix, hash=_hash(secret),
        verbs=chosen, expires_at=expires_at,
    )  # fmt: skip
    return MadeKey(int(made[0]["id"]), prefix, f"ifcb_{prefix}_{secret}")


def list_keys(connection: Connection, project: int) -> list[Row]:
    """The keys of a project, without what they are made of."""
    return _rows(connection, "list", project=project, key=None)


def show_key(connection: Connection, project: int, key: int) -> Row:
    """One of them. Raises NotFound."""
    rows = []
    if abs(key) <= MAX_NUMBER:
        rows = _rows(connection, "list", project=project, key=key)
    if not rows:
        raise NotFound(f"the project has no API key {key}", hint="List the keys of the project.")
    return rows[0]


def revoke_key(connection: Connection, project: int, key: int) -> None:
    """End a key for good. Raises NotFound."""
    if abs(key) > MAX_NUMBER:
        raise NotFound(f"the project has no API key {key}", hint="List the keys of the project.")
    _rows(connection, "revoke", project=project, key=key)


def recognise(connection: Connection, key: str) -> Row | None:
    """What a key may do: project_id, project, verbs, name, prefix; None if it is not a living key.

    Needs a connection that may read the keys of all projects.
    """
    form = _FORM.fullmatch(key)
    rows = _rows(connection, "find", prefix=form.group(1)) if form else []
    given = _hash(form.group(2)) if form else _NOBODY
    same = hmac.compare_digest(given, rows[0]["hash"] if rows else _hash(_NOBODY))
    if not (rows and same):
        return None
    if rows[0]["stale"]:
        _rows(connection, "used", key=rows[0]["id"])
    return {name: value for name, value in rows[0].items() if name not in {"hash", "stale"}}


def in_days(days: float | None) -> datetime | None:
    """The moment so many days from now; none for none. Raises RequestInvalid."""
    if days is None:
        return None
    if not 0 < days <= 36_500:
        raise RequestInvalid("a key holds for more than 0 and at most 36500 days")
    return datetime.now(UTC) + timedelta(days=days)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _rows(connection: Connection, query: str, **parameters: Any) -> list[Row]:
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_SQL[query], parameters)
        return cursor.fetchall() if cursor.description else []
