"""A ledger with rows in it goes on under later migrations: nothing is lost, nothing is said anew."""

from __future__ import annotations

from ifcbase.ledger.postgres import PostgresLedger
from ifcbase.stack.migrations import migrate
from tests.integration.ledger.chains import Chain, Clash, pair, thing
from tests.integration.ledger.test_decisions import decide, review
from tests.integration.servers import Database
from tests.integration.world import World

#: The last migration before selections knew what they matched.
BEFORE = "20261122130000"
ONE, TWO = "arc/w1 mep/p1", "arc/w2 mep/p2"


def test_a_chain_goes_on_where_it_was(any_database: Database) -> None:
    migrate(any_database.dsn, to=BEFORE)
    world, store = World(any_database.dsn), PostgresLedger(any_database.dsn)
    chain = Chain(world, store)
    chain.revise("arc", ["w1", "w2", "w3"])
    chain.revise("mep", ["p1", "p2", "p3"])
    walls = {"chosen_a": frozenset({thing("arc/w1"), thing("arc/w2")}), "selector": "IfcWall"}
    chain.run([ONE, TWO], **walls)
    chain.run([Clash(pair(ONE), 0.02)], **walls)
    decide(chain, ONE, "approved")
    states = world.sql("select * from clash.pair_states order by pair_id")
    changes = world.sql("select * from clash.state_changes order by pair_id, result_id")

    migrate(any_database.dsn)
    assert world.sql("select * from clash.pair_states order by pair_id") == states
    assert world.sql("select * from clash.state_changes order by pair_id, result_id") == changes
    assert chain.differences() == []
    assert review(chain, ONE) == ("approved", None, False)

    chain.run([ONE], **walls)
    assert world.value("select count(*) from core.selections") == 1  # known by what it matched
    chain.run([TWO], **(walls | {"chosen_a": frozenset({thing("arc/w2")})}))
    assert world.value("select count(*) from core.selections") == 2
    assert (chain.state(ONE), chain.state(TWO)) == ("untested: no longer selected", "reopened")
    assert chain.differences() == []
    store.close()
    world.close()
