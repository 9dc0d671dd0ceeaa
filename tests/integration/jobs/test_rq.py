"""What is RQ's own: a Redis that forgets, goes away, is not durable, or holds what is not ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from rq import Queue as Entries
from rq import Worker
from rq.serializers import JSONSerializer

from ifcbase.errors import ConfigError, LedgerUnavailable
from ifcbase.jobs import reaper
from ifcbase.jobs.rq_engine import RqEngine
from tests.integration.jobs.brokers import Broker
from tests.integration.jobs.hands import QUEUE, Hands, deliver, some, until, working
from tests.integration.servers import Database
from tests.integration.world import World

pytestmark = pytest.mark.long


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Broker]:
    """A Valkey that a test may kill."""
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def world(ledger: Database) -> Iterator[World]:
    made = World(ledger.dsn)
    yield made
    made.close()


def test_an_id_that_redis_forgot_is_delivered_again_by_the_reaper(
    world: World, broker: Broker
) -> None:
    engine = RqEngine(broker.empty())
    job = world.job({"A": "a"})
    deliver(world, engine, job.id)
    broker.empty()
    assert reaper.reap_once(world.dsn, engine, undelivered_after_s=0) == [job.id]
    assert engine.waiting(world.connection, [job.id]) == {job.id}
    assert reaper.reap_once(world.dsn, engine, undelivered_after_s=0) == [], "it waits"


def test_a_job_accepted_while_redis_is_away_is_delivered_when_it_is_back(
    world: World, own: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    engine = RqEngine(own.url)
    own.kill()
    job = world.job({"A": "a"})
    deliver(world, engine, job.id)
    assert "wait until Redis answers again" in caplog.text
    with pytest.raises(LedgerUnavailable):
        reaper.reap_once(world.dsn, engine, undelivered_after_s=0)
    own.start()
    assert reaper.reap_once(world.dsn, engine, undelivered_after_s=0) == [job.id]


def test_an_id_does_not_leave_before_the_outer_transaction_is_committed(
    world: World, broker: Broker
) -> None:
    """The gateway accepts a job within the transaction of its caller."""
    engine = RqEngine(broker.empty())
    (mine,) = some(1)
    with world.connection.transaction():
        deliver(world, engine, mine)
        assert engine.waiting(world.connection, [mine]) == set()
    engine.committed(world.connection)
    assert engine.waiting(world.connection, [mine]) == {mine}
    engine.committed(world.connection)
    hands = Hands()
    with working(engine, hands):
        until(lambda: hands.got)
    assert hands.got == [mine]


def test_what_waits_outlives_a_kill_of_redis(world: World, own: Broker) -> None:
    engine = RqEngine(own.url)
    ids = some(50)
    deliver(world, engine, *ids)
    until(lambda: redis.Redis.from_url(own.url).info("persistence")["aof_pending_bio_fsync"] == 0)
    own.kill()
    own.start()
    assert engine.waiting(world.connection, ids) == set(ids)


def test_a_worker_whose_redis_goes_away_says_so_and_stops_nothing(
    world: World, own: Broker
) -> None:
    engine = RqEngine(own.url)
    hands, stop, failures = Hands(), threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            engine.work([QUEUE], hands, stop, "w")
        except LedgerUnavailable as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    (first,) = some(1)
    deliver(world, engine, first)
    until(lambda: hands.got == [first])
    own.kill()
    thread.join(60)
    assert not thread.is_alive()
    assert failures, "the worker's loop tries again after this error"
    until(lambda: not any("PubSub" in type(each).__name__ for each in threading.enumerate()))
    own.start()
    (second,) = some(1)
    deliver(world, engine, second)
    with working(engine, hands):
        until(lambda: hands.got == [first, second])


def test_a_redis_that_forgets_is_warned_of_and_refused_in_production(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    forgetful = Broker(tmp_path, appendonly=False)
    forgetful.start()
    try:
        RqEngine(forgetful.url).install(world.connection)
        assert "append-only file is off" in caplog.text
        with pytest.raises(ConfigError, match="append-only file is off") as refused:
            RqEngine(forgetful.url, production=True).install(world.connection)
        assert "--appendonly yes" in str(refused.value.hint)
        with pytest.raises(ConfigError):
            RqEngine(forgetful.url, production=True).work([QUEUE], Hands(), threading.Event(), "w")
    finally:
        forgetful.kill()


@pytest.mark.parametrize("url", ["nonsense", "http://:secret@somewhere", ""])
def test_a_wrong_address_is_a_sentence_without_the_password(url: str) -> None:
    with pytest.raises(ConfigError, match="REDIS_URL") as refused:
        RqEngine(url)
    assert "secret" not in refused.value.message


def test_a_wrong_password_is_a_sentence(world: World, broker: Broker) -> None:
    with pytest.raises(ConfigError, match="password"):
        RqEngine(broker.url.replace(broker.password, "wrong")).install(world.connection)


def test_an_entry_naming_other_code_is_not_run(
    world: World, broker: Broker, tmp_path: Path
) -> None:
    """Whoever can write to Redis could otherwise call any function of any module in a worker."""
    engine = RqEngine(broker.empty())
    queue = Entries(QUEUE, connection=redis.Redis.from_url(broker.url), serializer=JSONSerializer)
    made = tmp_path / "made"
    queue.enqueue_call("os.mkdir", args=(str(made),))
    queue.enqueue_call("ifcbase.jobs.rq_engine.run", args=(7,))
    (ours,) = some(1)
    deliver(world, engine, ours)
    hands = Hands()
    with working(engine, hands):
        until(lambda: hands.got == [ours])
    assert not made.exists()


def test_a_worker_is_seen_with_its_name_and_what_it_serves(world: World, broker: Broker) -> None:
    engine = RqEngine(broker.empty())
    deliver(world, engine, *some(1))
    hands = Hands()
    hands.free.clear()
    with working(engine, hands, name="host-7"):
        until(hands.busy.is_set)
        (seen,) = Worker.all(connection=redis.Redis.from_url(broker.url))
        assert seen.name.startswith("host-7-")
        assert seen.queue_names() == [QUEUE]
        assert seen.get_state() == "busy"


def test_checks_take_turns(world: World, broker: Broker) -> None:
    """A worker that serves several checks does not let a long queue of one starve the others."""
    engine = RqEngine(broker.empty())
    many, (one,) = some(6), some(1)
    deliver(world, engine, *many)
    deliver(world, engine, one, queue="ifctester")
    hands, stop = Hands(), threading.Event()
    thread = threading.Thread(target=engine.work, args=([QUEUE, "ifctester"], hands, stop, "w"))
    thread.start()
    try:
        until(lambda: len(hands.got) == 7)
    finally:
        stop.set()
        thread.join(60)
    assert hands.got.index(one) <= 1
