"""Connecting to Postgres, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from ifcbase.errors import (
    Forbidden,
    IfcbaseError,
    LedgerBusy,
    LedgerError,
    LedgerFull,
    LedgerUnavailable,
    SchemaOutdated,
    error_classes,
)
from ifcbase.stack.address import parts, unreachable

#: The largest number a row can have.
MAX_NUMBER = 2**63 - 1
#: Port of Supabase's transaction pooler, where prepared statements and LISTEN do not work.
TRANSACTION_POOLER_PORT = "6543"

#: How long the other end of a connection may not answer the network itself, in seconds.
SILENCE_S = 30


def connection_options(dsn: str) -> dict[str, Any]:
    """Keyword arguments for psycopg that suit the server behind the DSN."""
    options: dict[str, Any] = {
        "connect_timeout": 10,
        "application_name": "ifcbase",
        # A network that swallows what is sent would else hold a caller for a quarter of an hour, and
        # nobody would hear that a result is not stored.
        "tcp_user_timeout": SILENCE_S * 1000,
        "keepalives_idle": SILENCE_S // 2,
        "keepalives_interval": SILENCE_S // 6,
        "keepalives_count": 3,
    }
    if through_transaction_pooler(dsn):
        options["prepare_threshold"] = None
    return options


def through_transaction_pooler(dsn: str) -> bool:
    """Whether sessions are shared, so that nothing may outlive a transaction."""
    return str(parts(dsn).get("port")) == TRANSACTION_POOLER_PORT


def connect(dsn: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A new connection on which transactions are opened explicitly.

    Raises LedgerUnavailable, ConfigError."""
    options = connection_options(dsn)
    with translated():
        try:
            return psycopg.connect(dsn, autocommit=True, **options)
        except psycopg.OperationalError as error:
            if type(ours := _ours(error)) is LedgerUnavailable:
                ours = LedgerUnavailable(unreachable(dsn, error))
            raise ours from error


@contextmanager
def translated() -> Iterator[None]:
    """Turn database errors into ours: our own refusals by their code, lost connections, old schema."""
    try:
        yield
    except psycopg.Error as error:
        raise _ours(error) from error


def _ours(error: psycopg.Error) -> IfcbaseError:
    state, diag = error.sqlstate or "", error.diag
    if state.startswith("PT"):
        known = error_classes().get(diag.message_detail or "", LedgerError)
        return known(diag.message_primary, hint=diag.message_hint or None)
    if state in {"42P01", "42883", "3F000"}:
        return SchemaOutdated(detail=str(error))
    if state == "42501":
        return Forbidden(f"the database refused: {_first_line(error)}", detail=str(error))
    # Serialization failure, deadlock, lock timeout: the same transaction may succeed next time.
    if state in {"40001", "40P01", "55P03"}:
        return LedgerBusy(detail=str(error))
    if state == "53100":
        return LedgerFull(f"the database's disk is full: {_first_line(error)}")
    # Class 53: too many connections, not enough memory; 08: connection; 57P: shutdown and crash;
    # 25P03: the server ended an idle transaction.
    if isinstance(error, psycopg.OperationalError) and (
        not state or state[:2] in {"08", "53"} or state[:3] == "57P"
    ):
        return LedgerUnavailable(f"the database cannot be reached: {_first_line(error)}")
    if isinstance(error, psycopg.InterfaceError) or state == "25P03":
        return LedgerUnavailable(f"the connection was lost: {_first_line(error)}")
    return LedgerError(f"the database refused: {_first_line(error)}", detail=str(error))


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
