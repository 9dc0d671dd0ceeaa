"""Errors of the database in our words."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from ifcbase.errors import (
    Forbidden,
    IfcbaseError,
    LedgerBusy,
    LedgerError,
    LedgerFull,
    LedgerUnavailable,
    SchemaOutdated,
)
from ifcbase.ledger.connect import (
    connect,
    connection_options,
    through_transaction_pooler,
    translated,
)


@pytest.mark.parametrize(
    ("error", "expected", "retryable"),
    [
        (psycopg.OperationalError("server closed the connection"), LedgerUnavailable, True),
        (psycopg.InterfaceError("the connection is closed"), LedgerUnavailable, True),
        (errors.AdminShutdown("terminating"), LedgerUnavailable, True),
        (errors.CannotConnectNow("starting up"), LedgerUnavailable, True),
        (errors.TooManyConnections("sorry"), LedgerUnavailable, True),
        (errors.DiskFull("no space"), LedgerFull, True),
        (errors.OutOfMemory("no memory"), LedgerUnavailable, True),
        (errors.IdleInTransactionSessionTimeout("idle"), LedgerUnavailable, True),
        (errors.DeadlockDetected("deadlock"), LedgerBusy, True),
        (errors.SerializationFailure("again"), LedgerBusy, True),
        (errors.LockNotAvailable("lock"), LedgerBusy, True),
        (errors.UndefinedTable("no table"), SchemaOutdated, False),
        (errors.UndefinedFunction("no function"), SchemaOutdated, False),
        (errors.InvalidSchemaName("no schema"), SchemaOutdated, False),
        (errors.UniqueViolation("twice"), LedgerError, False),
        (errors.InsufficientPrivilege("no"), Forbidden, False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_kind_of_error_has_its_class(
    error: psycopg.Error, expected: type[IfcbaseError], retryable: bool
) -> None:
    with pytest.raises(IfcbaseError) as raised, translated():
        raise error
    assert type(raised.value) is expected
    assert raised.value.retryable is retryable
    assert raised.value.__cause__ is error


def test_a_full_disk_was_called_a_server_that_cannot_be_reached() -> None:
    with pytest.raises(LedgerFull) as raised, translated():
        raise errors.DiskFull("could not extend file: No space left on device")
    assert raised.value.message.startswith("the database's disk is full: could not extend file")
    assert "room" in raised.value.hint


def test_what_is_no_error_of_the_database_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), translated():
        raise ZeroDivisionError


def test_an_error_without_a_text_has_a_sentence() -> None:
    with pytest.raises(LedgerUnavailable, match="no reason given"), translated():
        raise psycopg.OperationalError


def test_nothing_is_prepared_through_a_transaction_pooler() -> None:
    direct, pooled = "postgresql://u@h:5432/d", "host=h port=6543 dbname=d"
    assert not through_transaction_pooler(direct)
    assert "prepare_threshold" not in connection_options(direct)
    assert through_transaction_pooler(pooled)
    assert connection_options(pooled)["prepare_threshold"] is None


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(LedgerUnavailable, match="cannot be reached"):
        connect("host=127.0.0.1 port=1 dbname=d user=u")


def test_a_network_that_swallows_everything_is_noticed_within_the_minute() -> None:
    options = connection_options("postgresql://u@h/d")
    assert options["tcp_user_timeout"] <= 60_000
    idle, every, count = (options[f"keepalives_{name}"] for name in ("idle", "interval", "count"))
    assert idle + every * count <= 60
