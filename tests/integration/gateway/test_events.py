"""Streams of events: what a project's members may know, nothing missed, nobody waits for the slow."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from ifcbase.gateway.routes import events as events_module
from ifcbase.ledger import keys
from ifcbase.ledger.connect import connect
from ifcbase.sqlfiles import queries
from tests.integration.gateway.conftest import Served

PATIENCE = 60
#: As many streams at once as there are tests for.
CLIENT = httpx.Client(
    timeout=PATIENCE,
    limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
    verify=False,  # noqa: S501 (plain HTTP; it would read certificates for nothing)
)


class Stream:
    """The events of an open stream, one at a time."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def next(self) -> dict[str, str]:
        """The next event; comments are passed over."""
        found: dict[str, str] = {}
        for line in self._lines:
            if not line and "event" in found:
                return found
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                found[name] = value
        raise EOFError

    def until(self, **wanted: Any) -> dict[str, Any]:
        """The document of the next event with this data."""
        while True:
            document: dict[str, Any] = json.loads(self.next()["data"])
            if document.get("data", {}).items() >= wanted.items():
                return document


@contextmanager
def listening(
    served: Served,
    who: str = "viewer",
    last: str | None = None,
    key: str | None = None,
    **query: str,
) -> Iterator[Stream]:
    headers = {"X-API-Key": key} if key else served.headers(who)
    if last:
        headers["Last-Event-ID"] = last
    with CLIENT.stream(
        "GET", f"{served.client.base_url}/v1/events", headers=headers, params=query
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer)


def emit(served: Served, n: int, project: str = "alpha") -> None:
    served.sql(
        "insert into core.events (project_id, type, data)"
        " values (%s, 'job.queued', jsonb_build_object('n', %s::int))",
        served.projects[project], n,
    )  # fmt: skip


def test_a_member_hears_of_a_job_and_strangers_do_not(served: Served) -> None:
    with listening(served) as ours, listening(served, "other") as theirs:
        job = served.sql(
            "select job_id::text from core.accept_job(%s, 'clash', '{}', '[]', 60, 512, 1)",
            served.projects["alpha"],
        )[0][0]
        assert ours.until(job_id=job)["type"] == "job.queued"
        served.sql("update core.jobs set state = 'cancelled' where id = %s", job)
        document = ours.until(job_id=job)
        assert document["type"] == "job.cancelled"
        assert document["data"] == {"job_id": job, "check": "clash", "state": "cancelled"}
        assert document["id"]
        emit(served, 1, "beta")
        assert json.loads(theirs.next()["data"])["data"] == {"n": 1}


def test_only_the_types_that_were_asked_for(served: Served) -> None:
    with listening(served, types="result.finished, job.cancelled") as stream:
        job = served.sql(
            "select job_id::text from core.accept_job(%s, 'clash', '{}', '[]', 60, 512, 1)",
            served.projects["alpha"],
        )[0][0]
        served.sql("update core.jobs set state = 'cancelled' where id = %s", job)
        assert stream.next()["event"] == "job.cancelled"


def test_who_comes_back_hears_what_was_missed_and_then_goes_on(served: Served) -> None:
    with listening(served, "other") as stream:
        emit(served, 1, "beta")
        last = stream.next()["id"]
        for n in (2, 3):
            emit(served, n, "beta")
            # Once it is told the gateway knows of it: what is told later is not missed.
            stream.next()
    with listening(served, "other", last) as stream:
        missed = [stream.next(), stream.next()]
        emit(served, 4, "beta")
        missed.append(stream.next())
    assert [json.loads(each["data"])["data"]["n"] for each in missed] == [2, 3, 4]
    # Interrupted after the first of them, nothing of the rest is lost.
    with listening(served, "other", missed[0]["id"]) as stream:
        again = [json.loads(stream.next()["data"])["data"]["n"] for _ in range(3)]
    assert again == [2, 3, 4]


def test_who_was_away_for_too_long_is_told_to_look_anew(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(served, "other") as stream:
        emit(served, 1, "beta")
        last = stream.next()["id"]
        for n in range(3):
            emit(served, n, "beta")
            # Once it is told the gateway knows of it: what is told later is not missed.
            stream.next()
    monkeypatch.setattr(events_module, "MOST_MISSED", 2)
    with listening(served, "other", last) as stream:
        assert stream.next()["event"] == "reset"
    # A position of another database, from before a restore.
    with listening(served, "other", "99999999999:99999999999:") as stream:
        assert stream.next()["event"] == "reset"


def test_who_was_away_longer_than_events_are_kept_is_told_to_look_anew(served: Served) -> None:
    """What was forgotten meanwhile looked as if it had never been."""
    project = served.projects["beta"]
    with listening(served, "other") as stream:
        emit(served, 1, "beta")
        last = stream.next()["id"]
    for n in (2, 3):
        emit(served, n, "beta")
        # All that is there is older than a week, also what came before.
        served.sql(
            "update core.events set at = now() - interval '8 days' where project_id = %s", project
        )
    with connect(served.dsn) as connection:
        connection.execute(queries("ifcbase.webhooks", "deliver.sql")["forget"])
    kept = served.sql("select data ->> 'n' from core.events where project_id = %s", project)
    assert kept == [("3",)]
    with listening(served, "other", last) as stream:
        assert stream.next()["event"] == "reset"
        emit(served, 4, "beta")
        here = stream.next()["id"]
    # Who knows the last that was forgotten has missed nothing.
    emit(served, 5, "beta")
    with listening(served, "other", here) as stream:
        assert json.loads(stream.next()["data"])["data"]["n"] == 5


@pytest.mark.parametrize("last", ["x", "1:2", "1:2:3,", "5:1:", "1:2:9", "9" * 21 + ":1:"])
def test_a_position_that_is_none_is_a_problem(served: Served, last: str) -> None:
    answer = served.client.get("/v1/events", headers={**served.headers(), "Last-Event-ID": last})
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


def test_a_hundred_listen_at_once(served: Served) -> None:
    with ExitStack() as held:
        streams = [held.enter_context(listening(served, "other")) for _ in range(100)]
        emit(served, 77, "beta")
        assert [each.until(n=77)["type"] for each in streams] == ["job.queued"] * 100


def test_too_many_are_asked_to_come_later(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.gateway.settings, "event_listeners", 0)
    answer = served.client.get("/v1/events", headers=served.headers())
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert answer.headers["Retry-After"]


def test_a_revoked_key_hears_no_more(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "HEARTBEAT_S", 0.1)
    project = served.projects["beta"]
    with connect(served.dsn) as connection:
        made = keys.make_key(connection, project, "to be revoked", ["read"])
        with listening(served, key=made.key) as stream:
            emit(served, 5, "beta")
            stream.until(n=5)
            keys.revoke_key(connection, project, made.id)
            with pytest.raises(EOFError):
                while True:
                    stream.next()


def test_a_client_that_goes_away_is_forgotten(served: Served) -> None:
    hub = served.app.state.hub
    pause = threading.Event()
    with listening(served, "other") as stream:
        emit(served, 6, "beta")
        stream.until(n=6)
    for _ in range(600):
        if not len(hub):
            break
        pause.wait(0.1)
    assert len(hub) == 0


def test_a_client_that_reads_nothing_is_let_go(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "STUCK_S", 0.5)
    hub = served.app.state.hub
    url = served.client.base_url
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((url.host, url.port or 80))
        key = served.keys["other"]
        line.sendall(f"GET /v1/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n".encode())
        pause = threading.Event()
        for _ in range(600):
            if len(hub) == 1:
                break
            pause.wait(0.1)
        large = "x" * 200_000
        for _ in range(600):
            if not len(hub):
                break
            served.sql(
                "insert into core.events (project_id, type, data)"
                " values (%s, 'job.queued', jsonb_build_object('n', %s::text))",
                served.projects["beta"], large,
            )  # fmt: skip
            pause.wait(0.1)
        assert len(hub) == 0
