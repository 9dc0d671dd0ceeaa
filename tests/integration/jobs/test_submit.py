"""Accepting jobs: all or nothing, once per idempotency key, delivered with the job's own commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ifcbase.errors import (
    Conflict,
    FileMissing,
    FileUnreadable,
    IdempotencyKeyReused,
    LedgerBusy,
    LedgerUnavailable,
    NotFound,
    NotIfc,
    RequestInvalid,
)
from ifcbase.files.local import LocalFiles
from ifcbase.files.store import StoredFile
from ifcbase.jobs import submit as submitting
from ifcbase.jobs.engine import Connection
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.jobs.reaper import reap_once
from ifcbase.jobs.submit import Given, Submitted, cancel_job, requeue_job, submit
from ifcbase.ledger.postgres import PostgresLedger
from ifcbase.settings import Settings
from tests.integration.servers import Database
from tests.integration.world import World

IFC = """ISO-10303-21;
HEADER;
FILE_DESCRIPTION((''),'2;1');
FILE_NAME('{}','',(''),(''),'','','');
FILE_SCHEMA(('IFC4'));
ENDSEC;
DATA;
ENDSEC;
END-ISO-10303-21;
"""
REQUEST: dict[str, Any] = {
    "clash_sets": [{"name": "A x B", "a": [{"file": "A.ifc"}], "b": [{"file": "B.ifc"}]}],
    "mode": "intersection",
    "tolerance": 0.01,
}


@dataclass
class Desk:
    """Where requests are handed in."""

    world: World
    engine: ProcrastinateEngine
    folder: Path
    files: LocalFiles
    settings: Settings = field(default_factory=lambda: Settings(job_attempts=2))

    def given(self, **contents: str) -> dict[str, Given]:
        found = {}
        for name, content in contents.items():
            path = self.folder / content / f"{name}.ifc"
            path.parent.mkdir(exist_ok=True)
            path.write_text(IFC.format(content), encoding="ascii")
            found[path.name] = Given(path)
        return found

    def submit(self, key: str | None = None, **more: Any) -> Submitted:
        given = more.pop("given", None) or self.given(A="a1", B="b1")
        request = more.pop("request", REQUEST)
        connection = more.pop("connection", self.world.connection)
        return submit(
            connection, self.engine, self.files, self.settings, "clash", request, given,
            idempotency_key=key, **more,
        )  # fmt: skip

    def counts(self) -> dict[str, int]:
        tables = (
            "core.jobs", "core.job_inputs", "core.model_versions", "core.files",
            "procrastinate.procrastinate_jobs",
        )  # fmt: skip
        return {t.split(".")[1]: self.world.value(f"select count(*) from {t}") for t in tables}

    def lose(self, all_but: str = "") -> None:
        """Let the queue forget."""
        with self.world.connection.transaction():
            self.world.sql("set local search_path = procrastinate")
            self.world.sql("delete from procrastinate_jobs where args ->> 'job' <> %s", all_but)

    def entries(self) -> list[str]:
        return [
            row[0]
            for row in self.world.sql(
                "select args ->> 'job' from procrastinate.procrastinate_jobs order by id"
            )
        ]


@pytest.fixture
def desk(ledger: Database, tmp_path: Path) -> Iterator[Desk]:
    world = World(ledger.dsn)
    engine = ProcrastinateEngine(ledger.dsn)
    engine.install(world.connection)
    yield Desk(world, engine, tmp_path, LocalFiles(tmp_path / "files"))
    world.close()


def test_an_accepted_job_its_versions_and_its_delivery(desk: Desk) -> None:
    first = desk.submit()
    assert first.is_new
    assert first.versions == {"A.ifc": ("A", 1), "B.ifc": ("B", 1)}
    second = desk.submit(given=desk.given(A="a2", B="b1"))
    assert second.versions == {"A.ifc": ("A", 2), "B.ifc": ("B", 1)}
    assert desk.entries() == [first.job_id, second.job_id]
    queue = desk.world.value("select min(queue_name) from procrastinate.procrastinate_jobs")
    assert queue == "ifcclash"
    row = desk.world.sql(
        "select state, attempts_allowed, timeout_s, memory_mb from core.jobs where id = %s",
        first.job_id,
    )
    assert row == [("queued", 2, 3600.0, 6144)]


def test_streams_can_be_given(desk: Desk) -> None:
    given = {
        name: Given(g.path, model=f"Tower {name[0]}")
        for name, g in desk.given(A="a", B="b").items()
    }
    assert desk.submit(given=given).versions == {"A.ifc": ("Tower A", 1), "B.ifc": ("Tower B", 1)}


def test_nothing_is_left_when_the_delivery_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: Connection, worker: str, job_id: str) -> None:
        connection.execute("select 1 / 0")

    before = desk.counts()
    monkeypatch.setattr(desk.engine, "deliver", broken)
    with pytest.raises(Exception, match="division by zero"):
        desk.submit()
    assert desk.counts() == before


def test_nothing_is_left_when_the_callers_transaction_is_undone(desk: Desk) -> None:
    before = desk.counts()
    with desk.world.connection.transaction(force_rollback=True):
        desk.submit()
        assert desk.counts() != before
    assert desk.counts() == before


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda desk: {"given": desk.given(A="a")}, RequestInvalid),
        (lambda _: {"request": REQUEST | {"tolerance": -1}}, RequestInvalid),
        (lambda _: {"project": "nowhere"}, NotFound),
        (lambda desk: {"given": desk.given(A="a") | {"B.ifc": Given(desk.folder / "no.ifc")}}, FileMissing),
        (
            lambda desk: {"given": {n: Given(g.path, "one") for n, g in desk.given(A="a", B="b").items()}},
            RequestInvalid,
        ),
    ],
    ids=["file not given", "tolerance", "project", "file missing", "two files of one model"],
)  # fmt: skip
def test_a_wrong_request_leaves_nothing(
    desk: Desk, wrong: Callable[[Desk], dict[str, Any]], error: type[Exception]
) -> None:
    before = desk.counts()
    with pytest.raises(error):
        desk.submit(**wrong(desk))
    assert desk.counts() == before


def test_a_file_that_is_no_model_leaves_nothing(desk: Desk) -> None:
    given = desk.given(A="a", B="b")
    given["B.ifc"].path.write_text("hello", encoding="ascii")
    before = desk.counts()
    with pytest.raises(NotIfc):
        desk.submit(given=given)
    assert desk.counts() == before


def test_a_file_that_is_being_written_leaves_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is what is stored."""
    given = desk.given(A="a", B="b")
    put = desk.files.put

    def late(project: str, source: Path) -> StoredFile:
        source.write_text(source.read_text(encoding="ascii")[:-20], encoding="ascii")
        return put(project, source)

    monkeypatch.setattr(desk.files, "put", late)
    before = desk.counts()
    with pytest.raises(FileUnreadable, match=r"A\.ifc changed"):
        desk.submit(given=given)
    assert desk.counts() == before


# --- idempotency ---------------------------------------------------------------------------------


def test_the_same_key_is_the_same_job(desk: Desk) -> None:
    first = desk.submit("key")
    again = desk.submit("key")
    assert (again.job_id, again.is_new) == (first.job_id, False)
    assert desk.entries() == [first.job_id]
    assert desk.submit("another key").is_new
    assert desk.submit().is_new
    assert desk.submit().is_new, "no key is not a key"


def test_a_key_of_any_length_is_a_key(desk: Desk) -> None:
    keys = ["k" * 10_000, "k" * 9_999 + "l", "ключ 🔑"]
    ids = [desk.submit(key).job_id for key in keys]
    assert len(set(ids)) == 3
    assert [desk.submit(key).job_id for key in keys] == ids


@pytest.mark.parametrize("what", ["request", "file"])
def test_the_same_key_for_something_else_is_refused(desk: Desk, what: str) -> None:
    """The bytes belong to the request: another revision under the same name is another job."""
    desk.submit("key")
    before = desk.counts()
    with pytest.raises(IdempotencyKeyReused, match="another request"):
        if what == "request":
            desk.submit("key", request=REQUEST | {"tolerance": 0.5})
        else:
            desk.submit("key", given=desk.given(A="a2", B="b1"))
    assert desk.counts() == before


def test_a_repeated_request_makes_no_new_revision(desk: Desk) -> None:
    """An old request sent again after a new revision once made its old files the newest one."""
    first = desk.submit("monday")
    desk.submit("tuesday", given=desk.given(A="a2", B="b1"))
    before = desk.counts()
    again = desk.submit("monday")
    assert again == Submitted(first.job_id, False, first.versions)
    assert desk.counts() == before
    number = desk.world.value(
        "select max(v.number) from core.model_versions v join core.models m on m.id = v.model_id "
        "where m.name = 'A'"
    )
    assert number == 2


def test_a_key_used_by_many_at_once_is_one_job(desk: Desk) -> None:
    ready = threading.Barrier(6)
    given = desk.given(A="a1", B="b1")

    def send(_: int) -> Submitted:
        with psycopg.connect(desk.world.dsn, autocommit=True) as connection:
            ready.wait(30)
            return desk.submit("key", given=given, connection=connection)

    with ThreadPoolExecutor(6) as pool:
        sent = list(pool.map(send, range(6)))
    assert len({each.job_id for each in sent}) == 1
    assert sum(each.is_new for each in sent) == 1
    assert all(each.versions == sent[0].versions for each in sent)
    assert desk.counts()["jobs"] == 1
    assert desk.entries() == [sent[0].job_id]


def test_one_key_in_two_projects_is_two_jobs(desk: Desk) -> None:
    desk.world.sql("insert into core.projects (name) values ('tower')")
    assert desk.submit("key").job_id != desk.submit("key", project="tower").job_id


# --- several at once -----------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True], ids=["new models", "known models"])
def test_requests_with_the_same_models_in_another_order_waited_in_a_circle(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Each locked the models in its own order, and the database ended one of them."""
    monkeypatch.setattr(submitting, "_TRIES", 1)
    models = [f"M{i}" for i in range(8)]
    if known:
        desk.submit(**_of(desk, models, "before"))
    ready = threading.Barrier(4)

    def send(worker: int) -> list[Submitted]:
        sent = []
        with psycopg.connect(desk.world.dsn, autocommit=True) as connection:
            for turn in range(8):
                order = models if worker % 2 else models[::-1]
                asked = _of(desk, order, f"w{worker}t{turn}" if known else f"t{turn}")
                ready.wait(30)
                sent.append(desk.submit(**asked, connection=connection))
        return sent

    with ThreadPoolExecutor(4) as pool:
        sent = [each for found in pool.map(send, range(4)) for each in found]
    assert len({each.job_id for each in sent}) == 32
    assert desk.counts()["model_versions"] == 8 * (33 if known else 8)


def _of(desk: Desk, models: list[str], content: str) -> dict[str, Any]:
    """A request about these models in this order."""
    sides = [{"file": f"{model}.ifc"} for model in models]
    request = REQUEST | {"clash_sets": [{"name": "all", "a": sides, "b": sides[::-1]}]}
    return {"request": request, "given": desk.given(**dict.fromkeys(models, content))}


def test_a_request_that_gave_way_is_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver, tries = desk.engine.deliver, []

    def disturbed(connection: Connection, worker: str, job_id: str) -> None:
        tries.append(job_id)
        if len(tries) < 3:
            raise psycopg.errors.DeadlockDetected("somebody else's turn")
        deliver(connection, worker, job_id)

    monkeypatch.setattr(submitting, "_PAUSE_S", 0.01)
    monkeypatch.setattr(desk.engine, "deliver", disturbed)
    sent = desk.submit()
    assert desk.entries() == [sent.job_id] == tries[2:]
    assert desk.counts() == {
        "jobs": 1, "job_inputs": 2, "model_versions": 2, "files": 2, "procrastinate_jobs": 1,
    }  # fmt: skip
    assert sent.versions == {"A.ifc": ("A", 1), "B.ifc": ("B", 1)}


def test_a_request_that_always_gives_way_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disturbed(*_: Any) -> None:
        raise psycopg.errors.DeadlockDetected("somebody else's turn")

    before = desk.counts()
    monkeypatch.setattr(submitting, "_PAUSE_S", 0.01)
    monkeypatch.setattr(desk.engine, "deliver", disturbed)
    with pytest.raises(LedgerBusy):
        desk.submit()
    assert desk.counts() == before


# --- delivering again ----------------------------------------------------------------------------


def test_what_waits_in_the_queue_is_not_delivered_again(desk: Desk) -> None:
    """A sweep over many waiting jobs must not double the queue each time."""
    ids = [desk.submit().job_id for _ in range(5)]
    for _ in range(3):
        assert reap_once(desk.world.dsn, desk.engine, undelivered_after_s=0) == []
    assert desk.entries() == ids


def test_what_the_queue_lost_is_delivered_again_once(desk: Desk) -> None:
    ids = [desk.submit().job_id for _ in range(3)]
    desk.lose(all_but=ids[1])
    assert reap_once(desk.world.dsn, desk.engine, undelivered_after_s=60) == [], "not yet"
    again = reap_once(desk.world.dsn, desk.engine, undelivered_after_s=0)
    assert set(again) == {ids[0], ids[2]}
    assert sorted(desk.entries()) == sorted(ids)
    assert reap_once(desk.world.dsn, desk.engine, undelivered_after_s=0) == []


def test_a_reaped_job_is_delivered_again_in_the_same_round(desk: Desk) -> None:
    job_id = desk.submit().job_id
    desk.lose()
    store = PostgresLedger(desk.world.dsn)
    try:
        for expected in ([job_id], []):
            attempt = store.start_attempt(job_id, worker="w", host="h", lease_s=60)
            assert attempt is not None
            desk.world.lapse(attempt.token)
            assert reap_once(desk.world.dsn, desk.engine) == expected
    finally:
        store.close()
    assert desk.entries() == [job_id], "after the last allowed attempt it is not"
    assert desk.world.value("select state from core.jobs") == "failed"


def test_one_job_of_an_unknown_check_stopped_the_reaper_for_all(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """A newer worker's check among the queued jobs undid every round of every older worker."""
    strange, silent, lost = (desk.submit().job_id for _ in range(3))
    store = PostgresLedger(desk.world.dsn)
    attempt = store.start_attempt(silent, worker="w", host="h", lease_s=60)
    store.close()
    assert attempt is not None
    desk.world.lapse(attempt.token)
    desk.lose()
    _of_another_check(desk, strange)
    again = reap_once(desk.world.dsn, desk.engine, undelivered_after_s=0)
    assert sorted(again) == sorted([silent, lost])
    assert sorted(desk.entries()) == sorted([silent, lost])
    assert f"job {strange}: not delivered again" in caplog.text
    states = desk.world.sql("select distinct state from core.jobs")
    assert states == [("queued",)], "it waits for a worker that knows it"
    # What an older worker cannot deliver it did not deliver: a newer one finds it at once, and not
    # fifteen seconds after the last round of any older one.
    given = desk.world.value("select delivered_at from core.jobs where id = %s", strange)
    assert reap_once(desk.world.dsn, desk.engine, undelivered_after_s=0) == []
    assert desk.world.value("select delivered_at from core.jobs where id = %s", strange) == given
    known = desk.world.sql("select core.undelivered(0, '{clash,tomorrow}')::text")
    assert (strange,) in known
    assert desk.world.value("select delivered_at from core.jobs where id = %s", strange) > given


def _of_another_check(desk: Desk, job_id: str) -> None:
    """As a newer release, with one more check, would have written the job."""
    desk.world.sql("alter table core.jobs drop constraint if exists jobs_check_name_check")
    desk.world.sql("update core.jobs set check_name = 'tomorrow' where id = %s", job_id)


def test_an_id_the_queue_refuses_does_not_keep_the_others_waiting(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = (desk.submit().job_id for _ in range(2))
    desk.lose()
    deliver = desk.engine.deliver

    def choosy(connection: Connection, worker: str, job_id: str) -> None:
        if job_id == bad:
            connection.execute("select 1 / 0")
        deliver(connection, worker, job_id)

    with monkeypatch.context() as patched:
        patched.setattr(desk.engine, "deliver", choosy)
        assert reap_once(desk.world.dsn, desk.engine, undelivered_after_s=0) == [good]
    assert "division by zero" in caplog.text
    assert desk.entries() == [good]
    assert reap_once(desk.world.dsn, desk.engine, undelivered_after_s=0) == [bad]


def test_what_was_taken_back_stays_so_when_the_queue_is_gone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delivering is a matter of the next round; a lapsed lease is not given back."""
    job_id = desk.submit().job_id
    desk.lose()
    store = PostgresLedger(desk.world.dsn)
    attempt = store.start_attempt(job_id, worker="w", host="h", lease_s=60)
    store.close()
    assert attempt is not None
    desk.world.lapse(attempt.token)

    def gone(*_: Any) -> None:
        raise psycopg.OperationalError("the queue is gone")

    with monkeypatch.context() as patched:
        patched.setattr(desk.engine, "deliver", gone)
        with pytest.raises(LedgerUnavailable):
            reap_once(desk.world.dsn, desk.engine)
    assert desk.world.value("select state from core.jobs") == "queued"
    assert reap_once(desk.world.dsn, desk.engine, undelivered_after_s=0) == [job_id]


def test_two_reapers_at_once_deliver_once(desk: Desk) -> None:
    for _ in range(10):
        desk.submit()
    desk.lose()
    ready = threading.Barrier(3)

    def sweep(_: int) -> list[str]:
        ready.wait(30)
        return reap_once(desk.world.dsn, desk.engine, undelivered_after_s=0.5)

    desk.world.sql("select pg_sleep(0.6)")
    with ThreadPoolExecutor(3) as pool:
        swept = [job for found in pool.map(sweep, range(3)) for job in found]
    assert len(swept) == len(set(swept)) == 10
    assert len(desk.entries()) == 10


def test_a_requeued_job_is_delivered(desk: Desk) -> None:
    job_id = desk.submit().job_id
    assert cancel_job(desk.world.connection, job_id) == "cancelled"
    desk.lose()
    requeue_job(desk.world.connection, desk.engine, job_id)
    assert desk.entries() == [job_id]
    with pytest.raises(Conflict):
        requeue_job(desk.world.connection, desk.engine, job_id)
    assert desk.entries() == [job_id]
