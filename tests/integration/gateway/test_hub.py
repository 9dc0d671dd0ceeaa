"""The hub: whoever listens to a project hears all of its events, once, however they are committed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from ifcbase.gateway import hub as hub_module
from ifcbase.gateway.hub import Event, Hub, Subscription, is_position
from ifcbase.sqlfiles import queries
from tests.integration.servers import Database, Server
from tests.integration.world import World

_SQL = queries("ifcbase.gateway", "hub.sql")
#: Longer than anything takes on a busy machine.
PATIENCE = 60.0


@pytest.fixture
def world(server: Server, standing: Callable[[Server, str], Database]) -> Iterator[World]:
    """A project of its own in a database of events."""
    found = World(standing(server, "events").dsn)
    found.project = found.value(
        "insert into core.projects (name) values (%s) returning id", f"p{secrets.token_hex(6)}"
    )
    yield found
    found.close()


def emit(world: World, n: int) -> None:
    """An event that can be told from others."""
    write(world.connection, world.project, n)


def write(connection: psycopg.Connection[Any], project: int, n: int) -> None:
    connection.execute(
        "insert into core.events (project_id, type, data) values (%s, 'job.queued', %s::jsonb)",
        [project, f'{{"n": {n}}}'],
    )


async def heard(subscription: Subscription, count: int) -> list[Event]:
    """So many events, however long they take."""
    found: list[Event] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            event = await subscription.next(1.0)
            if event is not None:
                found.append(event)
            assert event is not None or not subscription.dropped
    return found


def numbers(events: list[Event]) -> list[int]:
    return [event.data["n"] for event in events]


Using = Callable[[Hub], Coroutine[Any, Any, None]]


def with_hub(world: World, use: Using, **how: Any) -> None:
    """Run something while a hub listens."""

    async def run() -> None:
        hub = Hub(world.dsn, **how)
        hub.start()
        try:
            await use(hub)
        finally:
            await hub.stop()

    asyncio.run(run())


@pytest.mark.parametrize("how", [{}, {"poll": True, "poll_s": 0.05}], ids=["listens", "polls"])
def test_who_listens_hears_the_events_of_the_project(world: World, how: dict[str, Any]) -> None:
    other = world.value(
        "insert into core.projects (name) values (%s) returning id", f"p{secrets.token_hex(6)}"
    )

    async def use(hub: Hub) -> None:
        async with hub.subscription(world.project) as subscription:
            write(world.connection, other, 0)
            for n in range(1, 4):
                emit(world, n)
            events = await heard(subscription, 3)
        assert numbers(events) == [1, 2, 3]
        assert {event.type for event in events} == {"job.queued"}
        assert events[0].data == {"n": 1}
        assert len(hub) == 0

    with_hub(world, use, **how)


def test_a_hundred_listen_at_once(world: World) -> None:
    async def one(hub: Hub, ready: asyncio.Semaphore) -> list[int]:
        async with hub.subscription(world.project) as subscription:
            ready.release()
            return numbers(await heard(subscription, 20))

    async def use(hub: Hub) -> None:
        ready = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(one(hub, ready)) for _ in range(100)]
        for _ in tasks:
            await ready.acquire()
        for n in range(20):
            emit(world, n)
        assert await asyncio.gather(*tasks) == [list(range(20))] * 100

    with_hub(world, use)


def test_an_event_committed_after_later_ones_is_heard(world: World) -> None:
    """Ids are given when rows are written; a long transaction commits a low one late."""

    async def use(hub: Hub) -> None:
        with psycopg.connect(world.dsn) as slow:
            async with hub.subscription(world.project) as subscription:
                write(slow, world.project, 1)
                emit(world, 2)
                assert numbers(await heard(subscription, 1)) == [2]
                emit(world, 3)
                assert numbers(await heard(subscription, 1)) == [3]
                slow.commit()
                assert numbers(await heard(subscription, 1)) == [1]

    with_hub(world, use)


def test_who_comes_back_is_told_what_was_missed(world: World) -> None:
    """Positions: from any event's on, all that followed is there, late commits included."""

    async def use(hub: Hub) -> None:
        with psycopg.connect(world.dsn) as slow:
            async with hub.subscription(world.project) as subscription:
                write(slow, world.project, 1)
                emit(world, 2)
                (last,) = await heard(subscription, 1)
            emit(world, 3)
            slow.commit()
        assert last.position is not None
        assert is_position(last.position)
        until = world.value("select pg_current_snapshot()::text")
        with world.connection.cursor(row_factory=dict_row) as cursor:
            asked = {"project": world.project, "position": last.position, "until": until}
            rows = cursor.execute(_SQL["missed"], {**asked, "most": 100}).fetchall()
        assert sorted(row["data"]["n"] for row in rows) == [1, 3]

    with_hub(world, use)


def test_progress_is_heard_while_it_is_news(world: World) -> None:
    job = world.accept("clash", [])
    world.sql("update core.jobs set state = 'running' where id = %s", job)

    async def use(hub: Hub) -> None:
        async with hub.subscription(world.project) as subscription:
            for share in (0.5, 0.5, 1.0):
                world.sql(
                    "update core.jobs set progress = jsonb_build_object('share', %s::float8)"
                    " where id = %s", share, job,
                )  # fmt: skip
                world.sql("select core.tell(%s, 'progress', %s)", world.project, job)
                if share == 0.5:
                    continue
            shares = []
            while 1.0 not in shares:
                (event,) = await heard(subscription, 1)
                assert event.type == "job.progress"
                assert (event.data["job_id"], event.position) == (job, None)
                shares.append(event.data["progress"]["share"])
            assert shares in ([0.5, 1.0], [1.0])

    with_hub(world, use)


def test_the_hub_comes_back_when_its_connection_is_lost(world: World) -> None:
    async def use(hub: Hub) -> None:
        async with hub.subscription(world.project) as subscription:
            emit(world, 1)
            assert numbers(await heard(subscription, 1)) == [1]
            world.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where (query like 'listen %' or query like '%pg_visible_in_snapshot%')"
                " and pid <> pg_backend_pid() and datname = current_database()"
            )
            # While it is away, too.
            for n in (2, 3):
                emit(world, n)
            assert numbers(await heard(subscription, 2)) == [2, 3]

    with_hub(world, use)


def test_notifications_of_strangers_do_no_harm(world: World) -> None:
    async def use(hub: Hub) -> None:
        async with hub.subscription(world.project) as subscription:
            for words in ("", "{", "[]", '{"topic": "progress", "id": "x"}', '{"topic": 1}'):
                world.sql("select pg_notify('ifcbase', %s)", words)
            emit(world, 1)
            assert numbers(await heard(subscription, 1)) == [1]

    with_hub(world, use)


def test_who_does_not_keep_up_is_let_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def use(hub: Hub) -> None:
        async with (
            hub.subscription(world.project) as slow,
            hub.subscription(world.project) as quick,
        ):
            for n in range(hub_module.MOST_BEHIND + 10):
                emit(world, n)
                if n % 100 == 99:
                    await heard(quick, 100)
            await heard(quick, (hub_module.MOST_BEHIND + 10) % 100)
            assert slow.dropped
            assert not quick.dropped
            assert len(hub) == 1
            # What it had got by then it may still read, and then it is told no more.
            await heard(slow, hub_module.MOST_BEHIND)
            assert await slow.next(60) is None

    monkeypatch.setattr(hub_module, "MOST_BEHIND", 250)
    with_hub(world, use)


def test_stopping_wakes_who_listens(world: World) -> None:
    async def use(hub: Hub) -> None:
        async with hub.subscription(world.project) as subscription:
            waiting = asyncio.create_task(subscription.next(PATIENCE))
            await asyncio.sleep(0)
            await hub.stop()
            assert await waiting is None
            assert subscription.dropped

    with_hub(world, use)


@pytest.mark.parametrize("text", ["", "1", "1:2", "1:2:;drop", "a:b:c", "1:2:3,", "9" * 30 + "::"])
def test_what_is_no_position(text: str) -> None:
    assert not is_position(text)
