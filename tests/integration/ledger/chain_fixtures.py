"""The chain most tests of states start from."""

from __future__ import annotations

import pytest

from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.ledger.chains import Chain
from tests.integration.world import World


@pytest.fixture
def chain(world: World, store: PostgresLedger) -> Chain:
    """Two models of three elements each."""
    made = Chain(world, store)
    made.revise("arc", ["w1", "w2", "w3"])
    made.revise("mep", ["p1", "p2", "p3"])
    return made
