"""What is Procrastinate's own: its entries lie in our Postgres. The contract is in test_engines."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from ifcbase.errors import LedgerUnavailable
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from tests.integration.jobs.hands import QUEUE, Hands, deliver, some, until, working
from tests.integration.servers import Database
from tests.integration.world import World

Queue = tuple[World, ProcrastinateEngine]


@pytest.fixture
def any_queue(any_ledger: Database) -> Iterator[Queue]:
    """The engine on each major version."""
    world = World(any_ledger.dsn)
    engine = ProcrastinateEngine(any_ledger.dsn, poll_s=0.3)
    engine.install(world.connection)
    yield world, engine
    world.close()


def entries(world: World) -> int:
    return int(world.value("select count(*) from procrastinate.procrastinate_jobs"))


def test_ids_arrive_in_order_and_leave_no_entry(any_queue: Queue) -> None:
    world, engine = any_queue
    ids, later = some(3), some(1)
    deliver(world, engine, *ids)
    hands = Hands()
    with working(engine, hands):
        until(lambda: len(hands.got) == 3)
        deliver(world, engine, *later)
        until(lambda: len(hands.got) == 4)
    assert hands.got == ids + later
    assert entries(world) == 0


def test_installing_twice_is_harmless(any_queue: Queue) -> None:
    world, engine = any_queue
    deliver(world, engine, *some(1))
    engine.install(world.connection)
    assert entries(world) == 1
    assert world.value("show search_path") == '"$user", public', "the session keeps its path"
    for role in ("anon", "authenticated", "ifc_worker"):
        assert not world.value("select has_schema_privilege(%s, 'procrastinate', 'usage')", role)
    assert world.value("select to_regclass('public.procrastinate_jobs')") is None


def test_the_entry_in_living_hands_stays(any_queue: Queue) -> None:
    world, engine = any_queue
    deliver(world, engine, *some(2))
    hands = Hands()
    hands.free.clear()
    with working(engine, hands):
        until(hands.busy.is_set)
        engine.tidy(world.connection)
        assert entries(world) == 2


def test_entries_of_dead_workers_are_removed(any_queue: Queue) -> None:
    world, engine = any_queue
    first, second, third = some(3)
    deliver(world, engine, first, second, third)
    silent = world.value(
        "insert into procrastinate.procrastinate_workers (last_heartbeat) values (now() - interval '5 min')"
        " returning id"
    )
    lively = world.value(
        "insert into procrastinate.procrastinate_workers default values returning id"
    )
    take = (
        "update procrastinate_jobs set status = 'doing', worker_id = %s where args ->> 'job' = %s"
    )
    with world.connection.transaction():
        world.sql("set local search_path = procrastinate")
        world.sql(take, silent, first)
        world.sql(take, lively, second)
    engine.tidy(world.connection)
    left = {
        row[0] for row in world.sql("select args ->> 'job' from procrastinate.procrastinate_jobs")
    }
    assert left == {second, third}


def test_a_queue_that_goes_away_is_an_error_of_ours(ledger: Database) -> None:
    wrong = psycopg.conninfo.make_conninfo(ledger.dsn, port=1, connect_timeout=2)
    with pytest.raises(LedgerUnavailable):
        ProcrastinateEngine(wrong).work([QUEUE], Hands(), threading.Event(), "w")
