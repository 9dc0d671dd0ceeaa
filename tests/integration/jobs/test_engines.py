"""The contract of queue engines, kept by each of them: it delivers ids, at least once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ifcbase.jobs.engine import Engine
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.jobs.rq_engine import RqEngine
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.jobs.brokers import Broker
from tests.integration.jobs.hands import QUEUE, Hands, deliver, some, until, working
from tests.integration.servers import Database
from tests.integration.world import World, finish_empty

Queue = tuple[World, Engine]


@pytest.fixture(params=["procrastinate", "rq"])
def queue(ledger: Database, broker: Broker, request: pytest.FixtureRequest) -> Iterator[Queue]:
    """Each engine, with nothing in it."""
    world = World(ledger.dsn)
    engine: Engine = (
        RqEngine(broker.empty())
        if request.param == "rq"
        else ProcrastinateEngine(ledger.dsn, poll_s=0.3)
    )
    engine.install(world.connection)
    yield world, engine
    world.close()


def test_an_id_is_delivered_with_the_callers_commit_or_not_at_all(
    queue: Queue,
) -> None:
    world, engine = queue
    (kept,) = some(1)
    with world.connection.transaction(force_rollback=True):
        engine.deliver(world.connection, QUEUE, some(1)[0])
    deliver(world, engine, kept)
    hands = Hands()
    with working(engine, hands):
        until(lambda: hands.got)
        (last,) = some(1)
        deliver(world, engine, last)
        until(lambda: last in hands.got)
    assert hands.got == [kept, last]


def test_stopping_waits_for_the_job_in_hand(queue: Queue) -> None:
    world, engine = queue
    first, second = some(2)
    hands = Hands()
    hands.free.clear()
    deliver(world, engine, first, second)
    with working(engine, hands) as stop:
        until(hands.busy.is_set)
        stop.set()
        assert hands.got == []
        hands.free.set()
        until(lambda: hands.got[:1] == [first])
    # The second may have been taken before the worker looked; nothing is in between.
    assert {*hands.got, *engine.waiting(world.connection, [first, second])} == {first, second}


def test_two_workers_share(queue: Queue) -> None:
    world, engine = queue
    ids = some(6)
    one, two = Hands(), Hands()
    one.free.clear()
    with working(engine, one, "one"):
        deliver(world, engine, *ids)
        until(one.busy.is_set)
        with working(engine, two, "two"):
            until(lambda: len(two.got) == 5)
        one.free.set()
        until(lambda: len(one.got) == 1)
    assert sorted(one.got + two.got) == sorted(ids)


def test_only_the_named_queues_are_served(queue: Queue) -> None:
    world, engine = queue
    mine, other = some(2)
    deliver(world, engine, other)
    hands = Hands()
    with working(engine, hands, queue="ifctester"):
        deliver(world, engine, mine, queue="ifctester")
        until(lambda: hands.got == [mine])
    assert engine.waiting(world.connection, [mine, other]) == {other}


def test_a_job_delivered_twice_is_run_once(queue: Queue) -> None:
    world, engine = queue
    job = world.job({"A": "a"})
    store = PostgresLedger(world.dsn)
    done: list[bool] = []

    def handle(job_id: str) -> None:
        attempt = store.start_attempt(job_id, worker="w", host="h", lease_s=60)
        done.append(attempt is not None)
        if attempt:
            with store.writing(attempt.token) as writer:
                finish_empty(writer, {})

    for _ in range(3):
        deliver(world, engine, job.id)
    stop = threading.Event()
    thread = threading.Thread(target=engine.work, args=([QUEUE], handle, stop, "w"))
    thread.start()
    try:
        until(lambda: len(done) == 3)
    finally:
        stop.set()
        thread.join(30)
        store.close()
    assert sorted(done) == [False, False, True]
    assert world.state(job) == "finished"


def test_a_failing_handle_does_not_stop_the_worker_and_is_not_retried(
    queue: Queue,
) -> None:
    world, engine = queue
    bad, good = some(2)
    seen: list[str] = []

    class Failing(Hands):
        def __call__(self, job_id: str) -> None:
            seen.append(job_id)
            if job_id == bad:
                raise RuntimeError("a defect")
            super().__call__(job_id)

    hands = Failing()
    deliver(world, engine, bad, good)
    with working(engine, hands):
        until(lambda: hands.got == [good])
        (last,) = some(1)
        deliver(world, engine, last)
        until(lambda: hands.got == [good, last])
    assert seen == [bad, good, last]
    assert engine.waiting(world.connection, seen) == set(), "its status is never read"


def test_what_waits_is_told_from_what_is_in_hand(queue: Queue) -> None:
    world, engine = queue
    first, second = some(2)
    deliver(world, engine, first, second)
    assert engine.waiting(world.connection, [first, second, *some(1)]) == {first, second}
    assert engine.waiting(world.connection, []) == set()
    hands = Hands()
    hands.free.clear()
    with working(engine, hands):
        until(hands.busy.is_set)
        assert engine.waiting(world.connection, [first, second]) == {second}
        engine.tidy(world.connection)
        hands.free.set()
        until(lambda: hands.got == [first, second])
