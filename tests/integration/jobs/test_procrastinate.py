"""The contract of a queue engine, kept by Procrastinate: it delivers ids, at least once."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from ifcbase.errors import LedgerUnavailable
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.servers import Database
from tests.integration.world import World, finish_empty

QUEUE = "ifcclash"


class Hands:
    """A worker's handle: notes the ids it gets, and can be held."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.free = threading.Event()
        self.free.set()
        self.busy = threading.Event()

    def __call__(self, job_id: str) -> None:
        self.busy.set()
        assert self.free.wait(30)
        self.got.append(job_id)


Queue = tuple[World, ProcrastinateEngine]


@contextmanager
def opened(database: Database) -> Iterator[Queue]:
    world = World(database.dsn)
    engine = ProcrastinateEngine(database.dsn, poll_s=0.3)
    engine.install(world.connection)
    yield world, engine
    world.close()


@pytest.fixture
def queue(ledger: Database) -> Iterator[Queue]:
    """The engine on a database of its own."""
    with opened(ledger) as found:
        yield found


@pytest.fixture
def any_queue(any_ledger: Database) -> Iterator[Queue]:
    """The same on each major version."""
    with opened(any_ledger) as found:
        yield found


@contextmanager
def working(
    engine: ProcrastinateEngine, hands: Hands, name: str = "w", queue: str = QUEUE
) -> Iterator[threading.Event]:
    """A worker in a thread; stopped at the end, and its failure is ours."""
    stop, failures = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            engine.work([queue], hands, stop, name)
        except BaseException as error:  # noqa: BLE001 (handed to the test's thread)
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        hands.free.set()
        thread.join(30)
        assert not thread.is_alive()
        assert not failures


def until(condition: object, seconds: float = 20) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def deliver(world: World, engine: ProcrastinateEngine, *ids: str) -> None:
    with world.connection.transaction():
        for each in ids:
            engine.deliver(world.connection, QUEUE, each)


def entries(world: World) -> int:
    return int(world.value("select count(*) from procrastinate.procrastinate_jobs"))


def some(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


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
        time.sleep(0.5)
    assert hands.got == [kept]


def test_stopping_waits_for_the_job_in_hand(queue: Queue) -> None:
    world, engine = queue
    first, second = some(2)
    hands = Hands()
    hands.free.clear()
    deliver(world, engine, first, second)
    with working(engine, hands) as stop:
        until(hands.busy.is_set)
        stop.set()
        time.sleep(0.4)
        assert hands.got == []
        hands.free.set()
        until(lambda: hands.got == [first])
    assert hands.got == [first]
    assert engine.waiting(world.connection, [first, second]) == {second}


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
    deliver(world, engine, *some(1))
    hands = Hands()
    with working(engine, hands, queue="ifctester"):
        time.sleep(0.8)
    assert hands.got == []
    assert entries(world) == 1


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

    deliver(world, engine, job.id, job.id, job.id)
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
        time.sleep(0.5)
    assert seen == [bad, good]
    assert entries(world) == 0, "its status is never read: core.jobs knows"


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
        assert entries(world) == 2, "the entry in the hands of a living worker stays"


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
