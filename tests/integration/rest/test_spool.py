"""Results that could not be stored: kept by the worker, shown as not stored yet, stored when that is
possible, once in effect, at their place in the chain. Over both transports."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ifcbase.clash import handover
from ifcbase.errors import LedgerFull, LedgerUnavailable
from ifcbase.files.local import LocalFiles
from ifcbase.jobs import submit
from ifcbase.jobs.attempt import Runner
from ifcbase.jobs.flushing import Flusher
from ifcbase.jobs.sandbox import SandboxJob, SandboxResult
from ifcbase.ledger import linking, recording
from ifcbase.ledger.interface import Ledger
from ifcbase.ledger.postgres import PostgresLedger
from ifcbase.ledger.rest import calls
from ifcbase.ledger.rest.client import Access
from ifcbase.ledger.rest.ledger import RestLedger
from ifcbase.ledger.spool import Spool
from tests.integration.rest.faulty import FaultyProxy
from tests.integration.rest.stack import RestStack
from tests.integration.world import Job, World, start
from tests.unit.clash.reports import inventory, report

RESULT = SandboxResult(1.0, 1.0, 10.0, "", 1, {})
PAIRS = [(0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 1, 0)]


class Refusing(PostgresLedger):
    """The postgres transport with a switch: while it is off, nothing can be stored."""

    error: Exception | None = None

    def writing(self, token: str) -> Any:
        if self.error:
            raise self.error
        return super().writing(token)

    def claim(self, token: str, **more: Any) -> Any:
        if self.error and not isinstance(self.error, LedgerFull):
            raise self.error
        return super().claim(token, **more)


class Files(LocalFiles):
    """Inputs of these tests are words, not models: nobody reads them."""

    def fetch(self, project: str, sha256: str, bucket: str = "") -> Path:  # noqa: ARG002 - the base's
        return self.folder


@dataclass
class Host:
    """A worker's host: computes what it is told by ``pairs``, and has a spool."""

    world: World
    ledger: Ledger
    folder: Path
    name: str = "here"
    pairs: list[tuple[int, int, int, int]] = field(default_factory=lambda: list(PAIRS))
    computed: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    again: list[str] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.files = Files(self.folder / "files")
        self.spool = Spool(self.folder / "spool", 100)
        self.flusher = Flusher(self.ledger, self.files, self.spool, 30.0, 600.0)

    def job(self, marker: str = "1") -> Job:
        """A job on two models of this revision."""
        contents = {f"f{i}": f"{self.world.project} f{i} {marker}" for i in range(2)}
        sets = [{"name": "s", "a": [{"file": "f0.ifc"}], "b": [{"file": "f1.ifc"}]}]
        return self.world.job(contents, request={"clash_sets": sets})

    def run(self, job: SandboxJob, **_: Any) -> SandboxResult:
        """What the child does."""
        self.computed += 1
        made = report(self.pairs, [inventory(3), inventory(2)])
        made.engine["measure_version"] = "1"
        for each in made.files:
            each.sha256 = self.hashes[each.name]
        handover.write(made, job.folder)
        (job.folder / "output.json").write_text("[]")
        return RESULT

    def work(self, job: Job, **more: Any) -> None:
        """Deliver the job to this worker."""
        self.hashes = dict(self.world.sql("select name, sha256 from core.job_inputs where job_id = %s",
                                          job.id))  # fmt: skip
        host: Any = self
        Runner(
            ledger=self.ledger, files=self.files, sandbox=host, work_folder=self.folder / "work",
            worker="w", host=self.name, lease_s=30.0, heartbeat_s=0.05, stop=self.stop,
            again=self.again.append, spool=self.spool, spool_after_s=0.0, spool_silence_s=600.0, **more,
        ).handle(job.id)  # fmt: skip

    def stored(self, job: Job) -> list[tuple[Any, ...]]:
        return self.world.sql(
            "select clash_count from clash.results where job_id = %s and state = 'finished'", job.id
        )


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(calls, "_LAST_PAUSE_S", 0.02)


@dataclass
class Site:
    """A host, and how its way to the database is broken and mended."""

    host: Host
    #: Nothing gets through; or everything but what stores (the database is reached, but refuses).
    down: Callable[[], None]
    refusing: Callable[[], None]
    up: Callable[[], None]
    ledger: Callable[[], Ledger]


@pytest.fixture(params=["postgres", "rest"])
def site(
    request: pytest.FixtureRequest,
    busy: World,
    stack: RestStack,
    worker_access: Access,
    tmp_path: Path,
) -> Iterator[Site]:
    if request.param == "postgres":
        store = Refusing(busy.dsn)

        def fail(error: Exception | None) -> None:
            store.error = error

        yield Site(
            Host(busy, store, tmp_path),
            down=lambda: fail(LedgerUnavailable("away")),
            refusing=lambda: fail(LedgerFull("no room")),
            up=lambda: fail(None),
            ledger=lambda: PostgresLedger(busy.dsn),
        )
        store.close()
        return
    with FaultyProxy(stack.url).running() as proxy:
        ledger = RestLedger(replace(worker_access, url=proxy.url), chunk_bytes=400)
        ledger._calls._patience_s = 0.1

        def plan(faulty: Callable[[str], str]) -> None:
            proxy.plan = lambda function, _: faulty(function)

        def stores(function: str) -> str:
            return "503" if function in {"begin_save", "save_rows", "conclude_result"} else "pass"

        # Jobs are taken before the way breaks.
        taking = {"take_job", "heartbeat"}
        yield Site(
            Host(busy, ledger, tmp_path),
            down=lambda: plan(lambda function: "pass" if function in taking else "cut"),
            refusing=lambda: plan(stores),
            up=proxy.up,
            ledger=lambda: RestLedger(worker_access),
        )
        ledger.close()


def assert_stored(host: Host, job: Job) -> None:
    assert host.world.state(job) == "finished"
    assert host.stored(job) == [(3,)]
    assert host.spool.entries() == []


def test_a_result_waits_while_the_database_is_away_and_is_stored_by_itself(site: Site) -> None:
    host = site.host
    job = host.job()
    site.down()
    host.work(job)
    (entry,) = host.spool.entries()
    assert entry.attempt.job_id == job.id
    assert host.stored(job) == []
    assert list((host.folder / "work").iterdir()) == [], "the worker is free for the next job"
    assert host.flusher.flush_once() == 1
    assert host.spool.entries()[0].tries > entry.tries
    site.up()
    thread = threading.Thread(target=host.flusher.flush_until, args=(host.stop,),
                              kwargs={"every_s": 0.05})  # fmt: skip
    thread.start()
    for _ in range(3000):
        if not host.spool.entries():
            break
        host.stop.wait(0.01)
    host.stop.set()
    thread.join()
    assert_stored(host, job)
    assert host.computed == 1


def test_the_job_says_that_it_is_not_stored_yet(site: Site) -> None:
    host = site.host
    job = host.job()
    site.refusing()
    host.work(job)
    found = submit.show_job(host.world.connection, job.id)
    assert found["state"] == "computed"
    assert found["progress"]["phase"] == "not stored yet"
    assert found["progress"]["host"] == "here"
    left = "select extract(epoch from lease_until - clock_timestamp()) from core.attempts where job_id = %s"
    assert host.world.value(left, job.id) > 500
    host.world.reap()
    assert host.world.state(job) == "computed", "its host is not silent yet"
    assert host.flusher.flush_once() == 1
    assert host.world.value(left, job.id) > 500
    site.up()
    assert host.flusher.flush_once() == 0
    assert_stored(host, job)


@pytest.mark.parametrize("fault", ["500", "503", "504", "cut"])
def test_a_save_that_broke_in_the_middle_waits_and_is_stored_once_by_itself(
    busy: World, stack: RestStack, worker_access: Access, tmp_path: Path, fault: str
) -> None:
    """Some chunks were taken, then the way broke: neither their rows nor the others are stored twice."""
    with FaultyProxy(stack.url).running() as proxy:
        ledger = RestLedger(replace(worker_access, url=proxy.url), chunk_bytes=400)
        ledger._calls._patience_s = 0.1
        host = Host(busy, ledger, tmp_path)
        job = host.job(fault)
        sent = 0

        def plan(function: str, _: int) -> str:
            nonlocal sent
            sent += function == "save_rows"
            return fault if sent > 3 and function == "save_rows" else "pass"

        proxy.plan = plan
        host.work(job)
        begun = "select count(*) from clash.results where job_id = %s and state = 'writing'"
        assert busy.value(begun, job.id) == 1, "it broke in the middle"
        found = submit.show_job(busy.connection, job.id)
        assert (found["state"], found["progress"]["phase"]) == ("computed", "not stored yet")
        assert host.flusher.flush_once() == 1
        proxy.up()
        thread = threading.Thread(target=host.flusher.flush_until, args=(host.stop,),
                                  kwargs={"every_s": 0.05})  # fmt: skip
        thread.start()
        for _ in range(6000):
            if not host.spool.entries():
                break
            host.stop.wait(0.01)
        host.stop.set()
        thread.join()
        ledger.close()
    assert_stored(host, job)
    assert host.computed == 1
    assert busy.value("select count(*) from clash.results where job_id = %s", job.id) == 1
    rows = "select count(*) from clash.sightings s join clash.results r on r.id = s.result_id where r.job_id = %s"
    assert busy.value(rows, job.id) == len(PAIRS)


def test_a_silent_host_is_not_waited_for_and_its_late_result_is_dropped(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    host = site.host
    job = host.job()
    site.refusing()
    host.work(job)
    token = host.world.value("select token::text from core.attempts where job_id = %s", job.id)
    host.world.lapse(token)
    host.world.reap()
    assert host.world.state(job) == "queued"
    site.up()
    elsewhere = site.ledger()
    there = Host(host.world, elsewhere, host.folder / "there", "there")
    there.work(job)
    assert there.stored(job) == [(3,)]
    results = host.world.sql("select id from clash.results where job_id = %s", job.id)
    assert host.flusher.flush_once() == 0
    assert "is dropped: the job is finished" in caplog.text
    assert host.spool.entries() == []
    assert host.world.sql("select id from clash.results where job_id = %s", job.id) == results
    elsewhere.close()


def test_a_result_whose_lease_lapsed_counts_if_nobody_computed_it_again(site: Site) -> None:
    host = site.host
    job = host.job()
    site.refusing()
    host.work(job)
    host.world.lapse(
        host.world.value("select token::text from core.attempts where job_id = %s", job.id)
    )
    host.world.reap()
    site.up()
    assert host.flusher.flush_once() == 0
    assert_stored(host, job)
    assert host.ledger.start_attempt(job.id, worker="w", host="h", lease_s=9) is None
    assert host.world.value("select count(*) from core.attempts where job_id = %s", job.id) == 1


def test_it_waits_while_another_computes_and_counts_if_that_fails(site: Site) -> None:
    host = site.host
    job = host.job()
    site.refusing()
    host.work(job)
    host.world.lapse(
        host.world.value("select token::text from core.attempts where job_id = %s", job.id)
    )
    host.world.reap()
    site.up()
    second = start(host.ledger, job)
    assert host.flusher.flush_once() == 1
    (entry,) = host.spool.entries()
    assert "computes the job again" in entry.reason
    host.world.lapse(second.token)
    host.world.reap()
    assert host.flusher.flush_once() == 0
    assert_stored(host, job)


def test_late_results_stand_at_their_place_in_the_chain(site: Site) -> None:
    host = site.host
    first, second = host.job("1"), host.job("2")
    site.refusing()
    host.work(first)
    site.up()
    host.pairs = PAIRS[:2]
    host.work(second)
    assert host.world.sql("select distinct state from clash.pair_states where project_id = %s",
                          host.world.project) == [("new",)]  # fmt: skip
    assert host.flusher.flush_once() == 0
    order = host.world.sql(
        "select r.job_id::text from clash.results r where r.project_id = %s order by r.accepted",
        host.world.project,
    )
    assert order == [(first.id,), (second.id,)]
    states = host.world.sql(
        "select state from clash.pair_states where project_id = %s order by state",
        host.world.project,
    )
    assert states == [("persisting",), ("persisting",), ("resolved",)]
    assert host.world.sql(
        "select v.* from clash.sets s cross join lateral clash.verify_chain(s.id) v"
        " where s.project_id = %s", host.world.project,
    ) == []  # fmt: skip


def test_a_cancelled_job_wants_no_late_result(site: Site) -> None:
    host = site.host
    job = host.job()
    site.refusing()
    host.work(job)
    assert submit.cancel_job(host.world.connection, job.id) == "cancelled"
    site.up()
    assert host.flusher.flush_once() == 0
    assert host.spool.entries() == []
    assert host.world.state(job) == "cancelled"
    assert host.stored(job) == []


def test_what_the_ledger_refuses_is_kept_with_the_reason_and_can_be_flushed(site: Site) -> None:
    host = site.host
    job = host.job()
    # The database refuses every new pair of the project.
    name = f"refuse_{host.world.project}"
    host.world.sql(f"create function clash.{name}() returns trigger language plpgsql as"
                   " $$ begin raise exception 'no pairs today'; end $$")  # fmt: skip
    host.world.sql(
        f"create trigger {name} before insert on clash.pairs for each row"
        f" when (new.project_id = {host.world.project}) execute function clash.{name}()"
    )
    try:
        host.work(job)
    finally:
        host.world.sql(f"drop function clash.{name}() cascade")
    assert host.world.state(job) == "failed"
    (entry,) = host.spool.entries()
    assert entry.refused
    assert "no pairs today" in entry.reason
    assert host.flusher.flush_once() == 0, "it is not tried by itself"
    assert host.flusher.flush(entry, refused=True) == "stored"
    assert_stored(host, job)
    assert host.world.value("select error from core.jobs where id = %s", job.id) is None


def test_a_damaged_entry_is_refused_and_its_job_computed_again(site: Site) -> None:
    host = site.host
    job = host.job()
    site.refusing()
    host.work(job)
    (entry,) = host.spool.entries()
    path = entry.output / "output.json"
    path.unlink()
    path.write_text("[0]")
    site.up()
    assert host.flusher.flush(entry) == "refused"
    (kept,) = host.spool.entries()
    assert kept.refused
    assert "is not what was written" in kept.reason
    error = "select error ->> 'code' from core.attempts where job_id = %s and number = 1"
    assert host.world.value(error, job.id) == "spool-damaged"
    assert host.world.state(job) == "queued"
    host.work(job)
    assert (host.computed, host.world.state(job), host.stored(job)) == (2, "finished", [(3,)])


def test_a_worker_that_is_told_to_stop_leaves_its_result_in_the_spool(site: Site) -> None:
    host = site.host
    job = host.job()
    site.down()
    real = host.run

    def told(job: SandboxJob, **more: Any) -> SandboxResult:
        done = real(job, **more)
        host.stop.set()
        return done

    host.run = told  # type: ignore[method-assign]
    host.work(job)
    assert len(host.spool.entries()) == 1
    site.up()
    # Its next start.
    assert host.flusher.flush_once() == 0
    assert_stored(host, job)


def test_an_answer_that_got_lost_after_the_job_was_finished_is_no_second_result(
    busy: World, stack: RestStack, worker_access: Access, tmp_path: Path
) -> None:
    with FaultyProxy(stack.url).running() as proxy:
        ledger = RestLedger(replace(worker_access, url=proxy.url))
        ledger._calls._patience_s = 0.05
        host = Host(busy, ledger, tmp_path)
        job = host.job()
        finished = False

        def plan(function: str, _: int) -> str:
            nonlocal finished
            if function == "finish_job" and not finished:
                finished = True
                return "unheard"
            return "503" if finished else "pass"

        proxy.plan = plan
        host.work(job)
        assert busy.state(job) == "finished"
        assert len(host.spool.entries()) == 1, "the worker cannot know"
        proxy.up()
        assert host.flusher.flush_once() == 0
        assert_stored(host, job)
        ledger.close()


def test_what_waits_is_listed_shown_and_flushed_by_command(
    busy: World,
    stack: RestStack,
    worker_access: Access,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from typer.testing import CliRunner

    from ifcbase.cli.spool import app
    from ifcbase.settings import get_settings

    assert worker_access.token is not None
    for name, value in {
        "IFCBASE_HOME": str(tmp_path), "SUPABASE_URL": stack.url,
        "SUPABASE_PUBLISHABLE_KEY": worker_access.key, "SUPABASE_WORKER_JWT": worker_access.token,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("IFCBASE_EMBEDDED", raising=False)
    get_settings.cache_clear()
    with FaultyProxy(stack.url).running() as proxy:
        ledger = RestLedger(replace(worker_access, url=proxy.url))
        ledger._calls._patience_s = 0.05
        host = Host(busy, ledger, tmp_path)
        job = host.job()
        proxy.plan = lambda function, _: "pass" if function == "take_job" else "503"
        host.work(job)
        ledger.close()

    def called(*arguments: str) -> Any:
        return CliRunner().invoke(app, arguments)

    (listed,) = json.loads(called("list", "--json").stdout)
    assert (listed["job"], listed["state"], listed["host"]) == (job.id, "waiting", "here")
    assert "503" in listed["reason"]
    (entry,) = host.spool.entries()
    for shown in (called("show", job.id[:8]), called("show", job.id[:8], "--json"), called("list")):
        assert shown.exit_code == 0
        assert entry.name in shown.stdout
        assert entry.attempt.token not in shown.stdout
    flushed = called("flush", "--json")
    assert (flushed.exit_code, json.loads(flushed.stdout)) == (0, {entry.name: "stored"})
    assert_stored(host, job)
    assert "empty" in called("list").stdout
    assert called("flush").exit_code == 0
    get_settings.cache_clear()


@pytest.mark.parametrize("site", ["rest"], indirect=True)
def test_versions_that_two_jobs_bring_at_once_are_matched_anew_and_fail_no_job(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, matching = site.host, linking.link_versions
    earlier, later = host.job("1"), host.job("2")
    other = site.ledger()
    there = Host(host.world, other, host.folder / "there", "there")
    calls_of = {"later": 0}

    def late(writer: Any) -> None:
        """Matching of the later job; the first time, the earlier versions come in between."""
        calls_of["later"] += 1
        if calls_of["later"] > 1:
            matching(writer)
            return
        due = writer.matching_due

        def looked() -> Any:
            found = due()
            monkeypatch.setattr(recording, "link_versions", matching)
            there.work(earlier)
            monkeypatch.setattr(recording, "link_versions", late)
            return found

        monkeypatch.setattr(writer, "matching_due", looked)
        matching(writer)

    monkeypatch.setattr(recording, "link_versions", late)
    host.work(later)
    assert host.world.state(earlier) == "finished"
    assert [each.refused for each in host.spool.entries()] == [False], "it is no failure of its own"
    assert host.flusher.flush_once() == 0
    assert_stored(host, later)
    assert calls_of["later"] == 2
    assert host.computed == 1
    other.close()
