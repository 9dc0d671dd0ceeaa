"""Events reach endpoints: signed, in the end, never twice at once, never behind the wall."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest
from standardwebhooks.webhooks import Webhook

from ifcbase.files.addresses import Policy
from ifcbase.files.fetch import Fetcher
from ifcbase.ledger.connect import connect
from ifcbase.webhooks import signing
from ifcbase.webhooks.deliver import WAITS_S, Deliverer
from tests.integration.world import World

PATIENCE = 60


class Endpoint(BaseHTTPRequestHandler):
    """Keeps what it is sent and answers with the next of the wanted statuses (then 204)."""

    def do_POST(self) -> None:
        site: Site = self.server  # type: ignore[assignment]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with site.lock:
            site.got.append((dict(self.headers), body))
            status = site.answers.pop(0) if site.answers else 204
        site.entered.release()
        site.gate.wait(PATIENCE)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/other")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Site(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Endpoint)
        self.lock = threading.Lock()
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()
    thread = threading.Thread(target=served.serve_forever, args=[0.05])
    thread.start()
    yield served
    served.gate.set()
    served.shutdown()
    thread.join()
    served.server_close()


@dataclass
class Hooked:
    """A project with a webhook at the site."""

    world: World
    site: Site
    secret: str = field(default_factory=signing.new_secret)
    id: str = ""

    def add(self, url: str | None = None, types: list[str] | None = None) -> str:
        return str(self.world.value(
            "select core.add_webhook(%s, %s, %s, null, %s)",
            self.world.project, url or self.site.url, types, self.secret,
        ))  # fmt: skip

    def finish_job(self) -> str:
        """A job that is queued and then finished: two events."""
        job = self.world.accept("clash", [])
        self.world.sql("update core.jobs set state = 'finished' where id = %s", job)
        return job

    def deliver(self, deliverer: Deliverer | None = None) -> int:
        """Deliver everything that is due; how many attempts."""
        deliverer = deliverer or deliverer_of(self.world)
        with connect(self.world.dsn) as connection:
            for count in range(100):
                if not deliverer.deliver_one(connection):
                    return count
        raise AssertionError("it never ends")

    def outbox(self) -> list[tuple[Any, ...]]:
        return self.world.sql(
            "select state, attempts from core.outbox where project_id = %s order by id",
            self.world.project,
        )

    def make_due(self) -> None:
        self.world.sql(
            "update core.outbox set next_at = now() where project_id = %s", self.world.project
        )


def deliverer_of(world: World, **more: Any) -> Deliverer:
    return Deliverer(world.dsn, Fetcher(Policy.of("127.0.0.1")), answer_s=20, **more)


@pytest.fixture
def hooked(busy: World, site: Site) -> Iterator[Hooked]:
    found = Hooked(busy, site)
    found.id = found.add(types=["job.finished"])
    yield found
    # Others share the database: nothing may wait there for a site that has gone.
    busy.sql("delete from core.projects where id = %s", busy.project)


def test_an_event_arrives_signed(hooked: Hooked) -> None:
    job = hooked.finish_job()
    assert hooked.deliver() == 1
    ((headers, body),) = hooked.site.got
    document = Webhook(hooked.secret).verify(body, headers)
    assert document == json.loads(body)
    assert document["type"] == "job.finished"
    assert document["data"]["job_id"] == job
    assert document["data"]["state"] == "finished"
    assert headers["Content-Type"] == "application/json"
    assert hooked.outbox() == [("delivered", 1)]
    log = hooked.world.sql(
        "select status, error from core.deliveries where project_id = %s", hooked.world.project
    )
    assert log == [(204, None)]


def test_without_types_it_is_told_of_all_events(hooked: Hooked) -> None:
    hooked.world.sql("update core.webhooks set types = '{}' where id = %s", hooked.id)
    hooked.finish_job()
    hooked.deliver()
    types = [json.loads(body)["type"] for _, body in hooked.site.got]
    assert types == ["job.queued", "job.finished"]


def test_what_is_rolled_back_is_not_told(hooked: Hooked) -> None:
    job = hooked.world.accept("clash", [])
    with hooked.world.connection.transaction(force_rollback=True):
        hooked.world.sql("update core.jobs set state = 'finished' where id = %s", job)
    assert hooked.deliver() == 0
    assert hooked.outbox() == []


def test_a_failing_endpoint_is_tried_again_later_with_the_same_id(hooked: Hooked) -> None:
    hooked.site.answers = [500, 302]
    hooked.finish_job()
    for attempt in (1, 2):
        assert hooked.deliver() == 1
        assert hooked.outbox() == [("waiting", attempt)]
        ((wait,),) = hooked.world.sql(
            "select extract(epoch from next_at - clock_timestamp())::float8 from core.outbox"
            " where project_id = %s", hooked.world.project,
        )  # fmt: skip
        assert wait <= WAITS_S[attempt - 1] * 1.2
        hooked.make_due()
    assert hooked.deliver() == 1
    assert hooked.outbox() == [("delivered", 3)]
    assert len({headers["webhook-id"] for headers, _ in hooked.site.got}) == 1
    log = hooked.world.sql(
        "select status from core.deliveries where project_id = %s order by id", hooked.world.project
    )
    assert log == [(500,), (302,), (204,)]
    assert hooked.world.value(
        "select failing_since is null from core.webhooks where id = %s", hooked.id
    )


def test_it_is_given_up_in_the_end_and_can_be_sent_again(hooked: Hooked) -> None:
    hooked.site.answers = [500, 500]
    hooked.finish_job()
    impatient = deliverer_of(hooked.world, waits_s=(0.0,))
    assert hooked.deliver(impatient) == 2
    assert hooked.outbox() == [("failed", 2)]
    entry = hooked.world.value(
        "select id from core.outbox where project_id = %s", hooked.world.project
    )
    hooked.world.sql("select core.redeliver(%s)", entry)
    assert hooked.deliver() == 1
    assert hooked.outbox() == [("delivered", 1)]


def test_an_endpoint_that_failed_for_long_is_switched_off(hooked: Hooked) -> None:
    hooked.site.answers = [500, 500]
    hooked.finish_job()
    assert hooked.deliver() == 1
    hooked.world.sql(
        "update core.webhooks set failing_since = now() - interval '6 days' where id = %s",
        hooked.id,
    )
    hooked.finish_job()
    hooked.make_due()
    hooked.deliver()
    active, reason = hooked.world.sql(
        "select active, disabled_reason from core.webhooks where id = %s", hooked.id
    )[0]
    assert not active
    assert "long time" in reason
    assert {state for state, _ in hooked.outbox()} == {"failed"}
    # It is told nothing more, until somebody switches it on.
    hooked.finish_job()
    assert len(hooked.outbox()) == 2
    hooked.world.sql("select core.change_webhook(%s, null, null, null, true)", hooked.id)
    hooked.finish_job()
    assert hooked.deliver() == 1
    assert hooked.world.sql(
        "select active, disabled_reason, failing_since from core.webhooks where id = %s", hooked.id
    ) == [(True, None, None)]


def test_an_endpoint_that_is_gone_is_switched_off_at_once(hooked: Hooked) -> None:
    hooked.site.answers = [410]
    hooked.finish_job()
    hooked.deliver()
    assert not hooked.world.value("select active from core.webhooks where id = %s", hooked.id)


def test_nobody_is_told_behind_the_wall(hooked: Hooked) -> None:
    hooked.finish_job()
    strict = Deliverer(hooked.world.dsn, Fetcher(Policy()))
    assert hooked.deliver(strict) == 1
    assert not hooked.site.got
    assert hooked.outbox() == [("waiting", 1)]
    (error,) = hooked.world.sql(
        "select error from core.deliveries where project_id = %s", hooked.world.project
    )[0]
    assert "public" in error


def test_the_same_delivery_is_never_made_twice_at_once(hooked: Hooked) -> None:
    """A second deliverer, in a process of its own, passes by what the first is just sending."""
    hooked.site.gate.clear()
    hooked.finish_job()
    failures: list[BaseException] = []

    def first() -> None:
        try:
            hooked.deliver()
        except BaseException as error:  # noqa: BLE001 (shown by the test)
            failures.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert hooked.site.entered.acquire(timeout=PATIENCE)
        with connect(hooked.world.dsn) as connection:
            assert not deliverer_of(hooked.world).deliver_one(connection)
    finally:
        hooked.site.gate.set()
        thread.join(PATIENCE)
    assert not failures
    assert len(hooked.site.got) == 1
    assert hooked.outbox() == [("delivered", 1)]


def test_switching_off_and_a_failing_delivery_do_not_wait_for_each_other(hooked: Hooked) -> None:
    """A deadlock ended one of them: the change, or what was known of the delivery."""
    hooked.site.gate.clear()
    hooked.site.answers = [500]
    hooked.finish_job()
    failures: list[BaseException] = []

    def run(call: Callable[[], object]) -> threading.Thread:
        def guarded() -> None:
            try:
                call()
            except BaseException as error:  # noqa: BLE001 (shown by the test)
                failures.append(error)

        thread = threading.Thread(target=guarded)
        thread.start()
        return thread

    def switch_off() -> None:
        with connect(hooked.world.dsn) as connection:
            connection.execute(
                "select core.change_webhook(%s, null, null, null, false)", [hooked.id]
            )

    delivery = run(hooked.deliver)
    try:
        assert hooked.site.entered.acquire(timeout=PATIENCE)
        change = run(switch_off)
        for _ in range(10 * PATIENCE):
            if hooked.world.value(
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
                " and datname = current_database() and query like '%%change_webhook%%'"
            ):
                break
            threading.Event().wait(0.1)
    finally:
        hooked.site.gate.set()
        delivery.join(PATIENCE)
    change.join(PATIENCE)
    assert not failures
    assert hooked.world.sql(
        "select status from core.deliveries where project_id = %s", hooked.world.project
    ) == [(500,)]
    assert hooked.outbox() == [("failed", 1)]


def test_a_deliverer_that_dies_leaves_it_to_others(hooked: Hooked) -> None:
    hooked.finish_job()
    deliverer = deliverer_of(hooked.world)
    with pytest.raises(ZeroDivisionError), connect(hooked.world.dsn) as connection:
        deliverer.fetcher = Dying()  # type: ignore[assignment]
        deliverer.deliver_one(connection)
    assert hooked.outbox() == [("waiting", 0)]
    assert hooked.deliver() == 1


class Dying:
    """A fetcher in whose hands the process dies."""

    def post(self, *_: object) -> None:
        raise ZeroDivisionError


def test_a_rotated_secret_signs_beside_the_old_one_for_a_while(hooked: Hooked) -> None:
    fresh = signing.new_secret()
    hooked.world.sql("select core.rotate_webhook_secret(%s, %s, 3600)", hooked.id, fresh)
    hooked.finish_job()
    hooked.deliver()
    ((headers, body),) = hooked.site.got
    for each in (fresh, hooked.secret):
        assert Webhook(each).verify(body, headers)
    hooked.world.sql(
        "update core.webhook_secrets set ends_at = now() where webhook_id = %s"
        " and ends_at is not null", hooked.id,
    )  # fmt: skip
    hooked.finish_job()
    hooked.deliver()
    assert len(hooked.site.got[1][0]["webhook-signature"].split()) == 1


def test_it_runs_in_the_background_until_told_to_stop(hooked: Hooked) -> None:
    stop = threading.Event()
    threads = deliverer_of(hooked.world).start(stop, threads=2)
    hooked.finish_job()
    assert hooked.site.entered.acquire(timeout=PATIENCE)
    stop.set()
    for each in threads:
        each.join(PATIENCE)
        assert not each.is_alive()
    assert hooked.outbox() == [("delivered", 1)]


def test_a_worker_without_the_secrets_leaves_it_to_others(hooked: Hooked) -> None:
    with connect(hooked.world.dsn) as connection, connection.transaction():
        deliverer = deliverer_of(hooked.world)
        assert deliverer.may(connection)
        for role in (b"ifc_worker", b"service_role", b"authenticated", b"anon"):
            connection.execute(b"set local role " + role)
            assert not deliverer.may(connection)
            connection.execute("reset role")


def test_old_events_are_forgotten_with_their_deliveries(hooked: Hooked) -> None:
    hooked.finish_job()
    hooked.deliver()
    hooked.world.sql(
        "update core.events set at = now() - interval '8 days' where project_id = %s"
        " and type = 'job.finished'", hooked.world.project,
    )  # fmt: skip
    stop = threading.Event()
    threads = deliverer_of(hooked.world).start(stop)
    hooked.finish_job()
    hooked.site.entered.acquire(timeout=PATIENCE)
    hooked.site.entered.acquire(timeout=PATIENCE)
    stop.set()
    threads[0].join(PATIENCE)
    assert hooked.outbox() == [("delivered", 1)]


@pytest.mark.parametrize(
    ("url", "types"),
    [
        ("ftp://a.test/", None), ("https://a b/", None), ("https://a.test/", ["nonsense"]),
        ("https://a.test/", ["ping"]), (None, None), ("https://a.test/" + "x" * 2048, None),
    ],
)  # fmt: skip
def test_what_is_no_webhook_is_refused(
    busy: World, url: str | None, types: list[str] | None
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        busy.sql(
            "select core.add_webhook(%s, %s, %s, null, %s)",
            busy.project, url, types, signing.new_secret(),
        )  # fmt: skip
    assert caught.value.sqlstate == "PT422"


def test_events_are_written_on_every_server(any_busy: World) -> None:
    job = any_busy.accept("diff", [])
    for state in ("running", "running", "failed"):
        any_busy.sql(
            "update core.jobs set state = %s, error = '{\"code\": \"native-crash\"}' where id = %s",
            state, job,
        )  # fmt: skip
    found = any_busy.sql(
        "select type, data ->> 'error' from core.events where project_id = %s order by id",
        any_busy.project,
    )
    assert found == [("job.queued", None), ("job.running", None), ("job.failed", "native-crash")]


@pytest.mark.parametrize("room", ["clash", "conversion", "tester", "diff"])
def test_a_result_is_an_event_of_its_check(busy: World, room: str) -> None:
    rows = {
        "clash": "clash_results (clash_set_name, output_filename, clash_count, clash_data, project_id)"
        " values ('s', 'o.json', 0, '[]', %s)",
        "conversion": "conversion_results (input_filename, output_filename, conversion_options,"
        " project_id) values ('a.ifc', 'a.glb', '{}', %s)",
        "tester": "tester_results (ifc_filename, ids_filename, test_results, pass_count, fail_count,"
        " project_id) values ('a.ifc', 'a.ids', '{}', 1, 0, %s)",
        "diff": "diff_results (old_file, new_file, diff_count, diff_data, project_id)"
        " values ('a.ifc', 'b.ifc', 0, '{}', %s)",
    }
    result = busy.value(f"insert into public.{rows[room]} returning id", busy.project)
    assert busy.sql(
        "select type, data ->> 'check', (data ->> 'result_id')::bigint from core.events"
        " where project_id = %s", busy.project,
    ) == [("result.finished", room, result)]  # fmt: skip
