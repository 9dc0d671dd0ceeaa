"""A save over REST through a way that breaks: no result lost, none twice, no row missing or doubled."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from ifcbase.errors import Conflict, KeyRefused, LeaseLost, LedgerUnavailable, SchemaOutdated
from ifcbase.ledger.rest import calls
from ifcbase.ledger.rest.client import Access
from ifcbase.ledger.rest.ledger import RestLedger
from ifcbase.ledger.rest.writer import RestWriter
from tests.integration.ledger.test_write_api import describe, refs, store_job, two_models
from tests.integration.rest.faulty import FaultyProxy
from tests.integration.rest.stack import RestStack, minted, rest_stack
from tests.integration.servers import Database, Server
from tests.integration.world import World, coverage, footer, header, sightings, start

PAIRS = [(a, b) for a in range(4) for b in range(4, 8)]


@pytest.fixture
def proxy(stack: RestStack) -> Iterator[FaultyProxy]:
    with FaultyProxy(stack.url).running() as found:
        yield found


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses as short as tests like them; how often is tried stays."""
    monkeypatch.setattr(calls, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(calls, "_LAST_PAUSE_S", 0.02)


@pytest.fixture
def shaken(proxy: FaultyProxy, worker_access: Access) -> Iterator[RestLedger]:
    """The ledger behind the proxy."""
    found = RestLedger(replace(worker_access, url=proxy.url), chunk_bytes=400)
    yield found
    found.close()


def write_rows(writer: RestWriter, world: World) -> int:
    """An open result with all its rows."""
    result = writer.open_result(header())
    sides = [coverage(0, "a", "A.ifc", 4), coverage(1, "b", "B.ifc", 4)]
    writer.append_rows(result, "coverage", sides)
    writer.append_rows(result, "elements", refs())
    writer.append_sightings(result, sightings(PAIRS))
    return result


def assert_stored_once(world: World, job: str) -> None:
    results = world.sql("select id, state, clash_count from clash.results where job_id = %s", job)
    assert [(state, count) for _, state, count in results] == [("finished", len(PAIRS))]
    counted = "select count(*) from clash.sightings where result_id = %s"
    assert world.value(counted, results[0][0]) == len(PAIRS)
    assert world.value("select state from core.jobs where id = %s", job) == "finished"
    tried = "select count(*) from core.attempts where job_id = %s and outcome <> 'released'"
    assert world.value(tried, job) == 1
    assert world.sql("select s.* from core.saves s join core.attempts a on a.id = s.attempt_id"
                     " where a.job_id = %s", job) == []  # fmt: skip


@pytest.mark.parametrize("fault", ["cut", "unheard", "503", "504 after"])
def test_every_call_fails_once_and_all_is_stored_once(
    busy: World, shaken: RestLedger, proxy: FaultyProxy, fault: str
) -> None:
    proxy.plan = lambda _, number: fault if number % 2 else "pass"
    job = two_models(busy)
    attempt = start(shaken, job)
    assert shaken.heartbeat(attempt.token) is False
    store_job(shaken, attempt, job, pairs=PAIRS)
    assert_stored_once(busy, job.id)
    assert {what for _, what in proxy.calls} == {fault, "pass"}
    done = [function for function, what in proxy.calls if what == "pass"]
    assert done.count("save_rows") > 10, "it was sent in many chunks"


@pytest.mark.parametrize("seed", range(2))
def test_faults_at_random_moments(
    busy: World, shaken: RestLedger, proxy: FaultyProxy, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secrets
    faults = ["cut", "unheard", "500", "503", "504", "504 after"]
    proxy.plan = lambda _, __: chance.choice(faults) if chance.random() < 0.4 else "pass"
    job = two_models(busy)
    store_job(shaken, start(shaken, job), job, pairs=PAIRS)
    assert_stored_once(busy, job.id)


def test_a_save_that_broke_off_is_begun_anew(
    busy: World, shaken: RestLedger, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first try had sent is neither kept beside nor counted twice."""
    monkeypatch.setattr(calls, "PATIENCE_S", 0.0)
    impatient = RestLedger(Access(proxy.url, minted("anon"), minted("ifc_worker", sub="w")),
                           chunk_bytes=400)  # fmt: skip
    impatient._calls._patience_s = 0.05
    job = two_models(busy)
    attempt = start(impatient, job)
    sent = 0

    def plan(function: str, _: int) -> str:
        nonlocal sent
        sent += function == "save_rows"
        return "cut" if sent > 6 else "pass"

    proxy.plan = plan
    with pytest.raises(LedgerUnavailable):
        store_job(impatient, attempt, job, pairs=PAIRS)
    rows = "select count(*) from clash.results where job_id = %s and state = 'writing'"
    assert busy.value(rows, job.id) == 1
    proxy.up()
    store_job(impatient, attempt, job, pairs=PAIRS)
    assert_stored_once(busy, job.id)
    impatient.close()


def test_a_call_of_an_older_save_arrives_too_late(busy: World, store: RestLedger) -> None:
    job = two_models(busy)
    attempt = start(store, job)
    with store.writing(attempt.token) as old:
        describe(old, job)
        result = old.open_result(header())
        with store.writing(attempt.token) as new:
            with pytest.raises(Conflict, match="begun anew"):
                old.append_rows(result, "elements", refs())
            describe(new, job)
            result = write_rows(new, busy)
            new.finish_result(result, footer(len(PAIRS)))
            new.finish_job({}, {})
    assert_stored_once(busy, job.id)


def test_chunks_that_take_too_long_are_sent_in_halves(
    busy: World, worker_access: Access, proxy: FaultyProxy
) -> None:
    """413 is what gateways say for what is too large; 57014 has the same cure."""
    large = RestLedger(replace(worker_access, url=proxy.url))
    job = two_models(busy)
    refused = 0

    def plan(function: str, _: int) -> str:
        nonlocal refused
        if function == "save_rows" and refused < 3:
            refused += 1
            return "413"
        return "pass"

    proxy.plan = plan
    store_job(large, start(large, job), job, pairs=PAIRS)
    assert_stored_once(busy, job.id)
    assert refused == 3
    large.close()


def test_a_job_whose_taking_went_unheard_is_not_lost_for_the_worker(
    busy: World, shaken: RestLedger, proxy: FaultyProxy
) -> None:
    unheard = iter(["unheard", "unheard"])
    proxy.plan = lambda _, __: next(unheard, "pass")
    job = two_models(busy)
    attempt = start(shaken, job)
    assert shaken.heartbeat(attempt.token) is False
    assert attempt.number == 3
    outcomes = "select outcome from core.attempts where job_id = %s order by number"
    assert busy.sql(outcomes, job.id) == [("released",), ("released",), (None,)]
    assert busy.value(
        "select count(*) from core.attempts where job_id = %s and token = %s::uuid",
        job.id, attempt.token,
    ) == 1  # fmt: skip


def test_an_unheard_failure_is_said_once(
    busy: World, shaken: RestLedger, proxy: FaultyProxy
) -> None:
    job = two_models(busy)
    attempt = start(shaken, job)
    unheard = iter(["unheard"])
    proxy.plan = lambda _, __: next(unheard, "pass")
    shaken.fail_attempt(
        attempt.token, outcome="failed", error={"code": "x"}, may_retry=False, facts={}
    )
    assert busy.state(job) == "failed"
    with pytest.raises(LeaseLost):
        shaken.fail_attempt(
            attempt.token, outcome="cancelled", error={"code": "y"}, may_retry=False, facts={}
        )


def test_keys_that_are_not_good_are_told_apart_from_a_server_that_is_away(
    stack: RestStack, busy: World
) -> None:
    for token in (
        minted("ifc_worker", sub="w", valid_s=-60),
        minted("ifc_worker", sub="w", secret="another-secret-of-at-least-32-bytes"),
        minted("nobody", sub="w"),
        minted("anon"),
        "no token",
    ):
        ledger = RestLedger(Access(stack.url, minted("anon"), token))
        with pytest.raises(KeyRefused):
            ledger.start_attempt(str(uuid.uuid4()), worker="w", host="h", lease_s=9)
        ledger.close()


def test_a_database_without_our_functions_is_told(store: RestLedger) -> None:
    with pytest.raises(SchemaOutdated):
        store._calls.call("no_such_function", {})


def test_an_answer_of_more_than_a_thousand_rows_is_whole(
    busy: World, store: RestLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgREST cuts rows at a thousand, without a word."""
    from tests.boxes import Box, model

    boxes = [Box(f"b{i}", (float(i), 0, 0)) for i in range(1300)]
    larger = RestLedger(Access(store._calls._client.supabase_url.human_repr(), minted("anon"),
                               minted("ifc_worker", sub="w")))  # fmt: skip
    for content, made in (("one", boxes), ("two", [])):
        job = busy.job({"A": f"{busy.project} {content}"})
        attempt = start(larger, job)
        with larger.writing(attempt.token) as writer:
            writer.inventory(job.versions["A.ifc"], *model(made))
            (due,) = writer.matching_due()
            if due.previous is not None:
                found = writer.unmatched(due.version)
                assert len(found.old_ids) == len(set(found.old_ids.tolist())) == 1300
                assert sorted(found.old.global_id.tolist()) == sorted(b.id for b in boxes)
    larger.close()


@pytest.fixture
def hurried(
    server: Server, template: Callable[[Server], str], short_folder: Path
) -> Iterator[tuple[World, RestStack, Database]]:
    """A database whose statements may take half a second."""
    with server.database(template(server)) as database:
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            name = f'alter role authenticator in database "{database.name}"'
            admin.execute(f"{name} set statement_timeout = '500ms'".encode())
        with rest_stack(database, short_folder / database.name[-6:]) as stack:
            world = World(database.dsn)
            yield world, stack, database
            world.close()


#: Whether a statement of PostgREST's waits for a lock, for longer than others may take.
WAITING = """select count(*) from pg_stat_activity
  where usename = 'authenticator' and datname = current_database() and wait_event_type = 'Lock'
    and clock_timestamp() - query_start > interval '800 ms'"""


def waits(database: Database) -> bool:
    """Whether there is one; another role's times only the administrator sees."""
    with psycopg.connect(database.admin_dsn) as admin:
        found = admin.execute(WAITING).fetchone()
    return found is not None and found[0] > 0


@contextmanager
def locked_until(database: Database, free: Callable[[], bool]) -> Iterator[None]:
    """Hold the locks of all clash sets until something has happened."""
    with psycopg.connect(database.dsn) as other:
        other.execute("select from clash.sets for update")

        def wait() -> None:
            for _ in range(6000):
                if free():
                    break
                time.sleep(0.01)
            other.rollback()

        thread = threading.Thread(target=wait)
        thread.start()
        try:
            yield
        finally:
            thread.join()


def test_a_statement_limit_stops_chunks_and_not_the_end_of_a_result(
    hurried: tuple[World, RestStack, Database], caplog: pytest.LogCaptureFixture
) -> None:
    """Rows wait for a lock longer than they may: sent again until they get through. Finishing has
    time of its own."""
    world, stack, database = hurried
    ledger = RestLedger(Access(stack.url, minted("anon"), minted("ifc_worker", sub="w")))
    job = two_models(world)
    attempt = start(ledger, job)
    caplog.set_level("INFO", logger="ifcbase.ledger.rest")
    with ledger.writing(attempt.token) as writer:
        describe(writer, job)
        result = write_rows(writer, world)
        with locked_until(database, lambda: "sent in halves" in caplog.text):
            # Sightings wait for the set's lock: each try is stopped after half a second.
            writer.append_sightings(result, sightings(PAIRS))
        assert "16 rows took too long: sent in halves" in caplog.text
        caplog.clear()
        with locked_until(database, lambda: waits(database)):
            writer.finish_result(result, footer(len(PAIRS)))
        assert caplog.text == "", "it was not stopped once"
        writer.finish_job({}, {})
    assert_stored_once(world, job.id)
    ledger.close()
