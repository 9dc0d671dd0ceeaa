"""Fixtures of the ledger's tests: a migrated database, its owner's view, and the ledger on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.migrated import any_ledger, ledger, template
from tests.integration.servers import Database
from tests.integration.world import World

__all__ = ["any_ledger", "ledger", "template"]


@pytest.fixture
def world(ledger: Database) -> Iterator[World]:
    """The migrated database of the default major version."""
    found = World(ledger.dsn)
    yield found
    found.close()


@pytest.fixture
def any_world(any_ledger: Database) -> Iterator[World]:
    """The migrated database of each major version."""
    found = World(any_ledger.dsn)
    yield found
    found.close()


@pytest.fixture
def store(ledger: Database) -> Iterator[PostgresLedger]:
    """The ledger as a worker has it."""
    found = PostgresLedger(ledger.dsn)
    yield found
    found.close()


@pytest.fixture
def any_store(any_ledger: Database) -> Iterator[PostgresLedger]:
    """The same on each major version."""
    found = PostgresLedger(any_ledger.dsn)
    yield found
    found.close()
