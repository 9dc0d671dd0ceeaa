"""The client against answers made by hand: patience, errors, pages, parts that are interrupted."""

from __future__ import annotations

import base64
import hashlib
import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from ifcbase.client import Client, calls, transport
from ifcbase.errors import (
    ConfigError,
    Conflict,
    FileMissing,
    IfcbaseError,
    JobCancelled,
    LedgerUnavailable,
    NativeCrash,
    NotFound,
    OutOfTimeBudget,
    PreconditionFailed,
)

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses take no time; what they would have been."""
    taken: list[float] = []
    for module in (transport, calls):
        monkeypatch.setattr(module.time, "sleep", taken.append)
    return taken


def client_of(answer: Answer, **how: Any) -> Client:
    return Client("http://test", "key", transport=httpx.MockTransport(answer), **how)


def job(state: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "j", "check": "clash", "state": state, "outcome": None, "error": None,
        "progress": None, **more,
    }  # fmt: skip


def problem(status: int, code: str, **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": "It is so.", "hint": "Do.", **more})


def test_the_address_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IFCBASE_URL", raising=False)
    with pytest.raises(ConfigError):
        Client()
    monkeypatch.setenv("IFCBASE_URL", "http://elsewhere")
    monkeypatch.setenv("IFCBASE_API_KEY", "secret")
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=job("queued"))

    with Client(transport=httpx.MockTransport(answer), project="p") as client:
        client.job("j")
    assert str(seen[0].url) == "http://elsewhere/v1/jobs/j?project=p"
    assert seen[0].headers["Authorization"] == "Bearer secret"


def test_a_problem_is_raised_as_the_error_it_is() -> None:
    with (
        client_of(lambda _: problem(404, "not-found", request_id="r")) as client,
        pytest.raises(NotFound) as caught,
    ):
        client.job("j")
    assert (caught.value.message, caught.value.hint, caught.value.detail) == (
        "It is so.",
        "Do.",
        "r",
    )


def test_a_traceback_says_what_to_do() -> None:
    """Scripts in CI show the traceback and nothing else."""
    with (
        client_of(lambda _: problem(404, "not-found", request_id="r-1")) as client,
        pytest.raises(NotFound) as caught,
    ):
        client.job("0b2d3f6e-9a57-4b0e-8a68-5a1a2f3c4d5e")
    shown = "".join(traceback.format_exception(caught.value))
    assert "It is so." in shown
    assert f"not-found: {NotFound.title}" in shown
    assert "hint: Do." in shown
    assert "request: r-1" in shown


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"code": "of the future"}'])
def test_an_answer_nobody_understands_is_an_error(body: bytes) -> None:
    with (
        client_of(lambda _: httpx.Response(418, content=body)) as client,
        pytest.raises(IfcbaseError),
    ):
        client.job("j")


def test_what_changes_nothing_is_asked_again(no_pauses: list[float]) -> None:
    answers = iter(
        [
            problem(503, "ledger-unavailable"),
            httpx.Response(429, headers={"Retry-After": "7"}),
            httpx.Response(200, json=job("running")),
        ]
    )
    with client_of(lambda _: next(answers)) as client:
        assert client.job("j").state == "running"
    assert len(no_pauses) == 2
    assert no_pauses[1] == 7


def test_it_is_not_asked_for_ever() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody")

    with client_of(answer) as client, pytest.raises(LedgerUnavailable, match="nobody"):
        client.job("j")


def test_a_submission_is_repeated_with_the_same_key() -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            raise httpx.ReadError("lost")
        return httpx.Response(202, json={"job_id": "j"})

    with client_of(answer) as client:
        assert client.submit("clash", {}) == "j"
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_cancellation_is_not_repeated() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        raise httpx.ReadError("lost")

    with client_of(answer) as client, pytest.raises(LedgerUnavailable):
        client.cancel("j")
    assert len(asked) == 1


def test_waiting_tells_progress_once_each() -> None:
    half = {"phase": "meshing", "fraction": 0.5}
    states = iter(
        [job("queued"), job("running", progress=half), job("running", progress=half),
         job("finished", outcome={"clash_count": 3},
             outputs=[{"name": "r.json", "sha256": "0"}])]
    )  # fmt: skip
    told: list[dict[str, Any]] = []
    with client_of(lambda _: httpx.Response(200, json=next(states))) as client:
        done = client.wait("j", on_progress=told.append)
    assert told == [half]
    assert done.outcome == {"clash_count": 3}
    assert done.outputs == ["output/clash/r.json"]


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (job("failed", error={"code": "native-crash", "message": "It crashed."}), NativeCrash),
        (job("cancelled"), JobCancelled),
    ],
)
def test_waiting_raises_what_the_job_failed_with(
    document: dict[str, Any], error: type[IfcbaseError]
) -> None:
    with (
        client_of(lambda _: httpx.Response(200, json=document)) as client,
        pytest.raises(error) as caught,
    ):
        client.wait("j")
    assert caught.value.job_id == "j"


def test_waiting_ends_and_the_job_goes_on() -> None:
    with (
        client_of(lambda _: httpx.Response(200, json=job("running"))) as client,
        pytest.raises(OutOfTimeBudget) as caught,
    ):
        client.wait("j", timeout_s=0)
    assert caught.value.job_id == "j"


def test_lists_are_read_page_by_page() -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        start = int(asked[-1]["start"])
        items = [{"n": start}, {"n": start + 1}]
        return httpx.Response(200, json={"items": items, "next": start + 2 if start < 4 else None})

    with client_of(answer) as client:
        assert [each["n"] for each in client.findings(review="open")] == [0, 1, 2, 3, 4, 5]
    assert [each["review"] for each in asked] == ["open"] * 3


def test_a_decision_about_what_was_read_carries_its_etag() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"finding_id": 5}, headers={"ETag": '"e"'})
        assert request.headers["If-Match"] == '"e"'
        assert json.loads(request.content) == {"action": "ignored", "reason": "other"}
        return problem(412, "precondition-failed")

    with client_of(answer) as client, pytest.raises(PreconditionFailed):
        client.decide(client.finding(5), "ignored", reason="other")


class Tus:
    """A service that takes parts, and loses connections when told to."""

    def __init__(self, lose: set[int]) -> None:
        self.lose = lose
        self.bytes = b""
        self.length = 0
        self.parts = 0
        self.metadata = ""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        headers = {"Upload-Offset": str(len(self.bytes)), "Upload-Length": str(self.length)}
        if request.method == "POST":
            self.length = int(request.headers["Upload-Length"])
            self.metadata = request.headers["Upload-Metadata"]
            return httpx.Response(201, headers={"Location": "/v1/uploads/u?project=p"})
        if request.method == "HEAD":
            return httpx.Response(200, headers=headers)
        if request.method == "PATCH":
            self.parts += 1
            content = request.read()
            said = request.headers["Upload-Checksum"].removeprefix("sha256 ")
            assert base64.b64decode(said) == hashlib.sha256(content).digest()
            if int(request.headers["Upload-Offset"]) != len(self.bytes):
                return problem(409, "conflict")
            if self.parts in self.lose:
                self.bytes += content[: len(content) // 2]
                raise httpx.WriteError("lost")
            self.bytes += content
            headers = {"Upload-Offset": str(len(self.bytes))}
            return httpx.Response(204, headers=headers)
        name = base64.b64decode(self.metadata.split(",")[0].split()[1]).decode()
        return httpx.Response(200, json={"file": {
            "path": f"/uploads/{name}", "sha256": hashlib.sha256(self.bytes).hexdigest(),
            "size_bytes": len(self.bytes), "version": None,
        }})  # fmt: skip


def test_an_upload_goes_on_where_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "_PART", 1000)
    file = tmp_path / "Häuser.ifc"
    file.write_bytes(bytes(range(256)) * 17)
    service, seen = Tus({2, 4}), list[float]()
    with client_of(service) as client:
        done = client.upload(file, on_progress=seen.append)
    assert service.bytes == file.read_bytes()
    assert (done.path, done.size) == ("/uploads/Häuser.ifc", 4352)
    assert "kind aWZj" in service.metadata
    assert seen[-1] == 1.0
    assert seen == sorted(seen)


def test_an_upload_that_never_gets_through_is_given_up(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"a;b")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(201, headers={"Location": "/v1/uploads/u"})
        if request.method == "HEAD":
            return httpx.Response(200, headers={"Upload-Offset": "0", "Upload-Length": "3"})
        return problem(409, "conflict")

    with client_of(answer) as client, pytest.raises(Conflict):
        client.upload(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with client_of(lambda _: httpx.Response(500)) as client:
        for call in (client.upload, lambda path: client.add_version("m", path)):
            with pytest.raises(FileMissing):
                call(tmp_path / "nothing.ifc")


def test_a_download_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            yield b"half"
            raise httpx.ReadError("lost")

    with (
        client_of(lambda _: httpx.Response(200, stream=Broken())) as client,
        pytest.raises(LedgerUnavailable),
    ):
        client.download("uploads/a.ifc", tmp_path)
    assert not list(tmp_path.iterdir())


def test_events_go_on_after_an_interruption() -> None:
    first = (
        ": listening\nretry: 2000\n\nevent: job.queued\nid: 1:1:\n"
        'data: {"data": {"n": 1}}\n\nevent: job.progress\ndata: {"data": {"n": 2}}\n\n'
    )
    second = ': listening\n\nevent: job.finished\nid: 2:2:\ndata: {"data": {"n": 3}}\n\n'
    places: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        places.append(request.headers.get("Last-Event-ID"))
        if len(places) == 2:
            raise httpx.ReadError("lost")
        if len(places) == 3:
            # Behind a proxy a gateway that starts anew is told so.
            return httpx.Response(503, headers={"Retry-After": "0"})
        return httpx.Response(200, text=first if len(places) == 1 else second)

    with client_of(answer) as client:
        events = client.events("job.queued", "job.finished")
        found = [next(events) for _ in range(3)]
    assert [each.data["n"] for each in found] == [1, 2, 3]
    assert [each.position for each in found] == ["1:1:", None, "2:2:"]
    assert places == [None, "1:1:", "1:1:", "1:1:"]
