"""The chain most tests of states start from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.ledger.chains import Chain
from tests.integration.servers import Database
from tests.integration.world import World


@pytest.fixture
def chain(ledger: Database) -> Iterator[Chain]:
    """Two models of three elements each, in a database of their own."""
    world, store = World(ledger.dsn), PostgresLedger(ledger.dsn)
    made = Chain(world, store)
    made.revise("arc", ["w1", "w2", "w3"])
    made.revise("mep", ["p1", "p2", "p3"])
    yield made
    store.close()
    world.close()
