"""How the gateway behaves: limits, errors, downloads, decisions, repeated requests."""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from ifcbase.gateway.app import create_app
from ifcbase.gateway.limits import LARGEST
from ifcbase.gateway.state import make_gateway
from ifcbase.settings import Settings
from tests.integration.gateway.conftest import JWT_SECRET, Served, listening
from tests.integration.ledger.filled import Filled


def test_who_sends_wrong_keys_has_to_wait(served: Served, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, auth_failures=3, jwt_secret=SecretStr(JWT_SECRET))
    with listening(create_app(make_gateway(settings, served.dsn))) as address:
        answers = [
            httpx.get(
                f"{address}/v1/jobs",
                # Whatever it says of where it is, it is the same client.
                headers={"X-API-Key": f"guess {i}", "X-Forwarded-For": f"198.51.100.{i}"},
                timeout=60,
            )
            for i in range(5)
        ]
        assert [each.status_code for each in answers] == [401, 401, 401, 429, 429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
        assert answers[-1].json()["code"] == "too-many-failures"
        # What needs no key is not closed with it.
        assert httpx.get(f"{address}/healthz", timeout=60).status_code == 200


def test_a_database_that_is_away_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    gateway = make_gateway(settings, "postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    # It was there when the gateway started.
    gateway.open = lambda: gateway.pool.open()  # type: ignore[method-assign]
    gateway.wait_s = 0.2
    with listening(create_app(gateway)) as address:
        key = f"ifcb_{'a' * 12}_{'b' * 43}"
        answer = httpx.get(f"{address}/v1/jobs", headers={"X-API-Key": key}, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (503, "ledger-unavailable")
        assert "127.0.0.1" not in answer.text
        assert "Traceback" not in answer.text
        ready = httpx.get(f"{address}/readyz", timeout=60)
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"] == "ledger-unavailable"
        assert httpx.get(f"{address}/health", timeout=60).json()["status"] == "unhealthy"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"{}x", b'{"a": NaN}', b'{"a": 1, "a": 2}', b'{"a": "\\u0000"}',
     b'{"a": "\\ud800"}', b"\xff\xfe", b"[" * 5000, b'{"a":' * 5000 + b"1" + b"}" * 5000],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/ifcclash", "/create_download_link", "/v1/keys"])
def test_a_body_that_is_none_is_a_problem(served: Served, path: str, body: bytes) -> None:
    headers = served.headers("admin") | {"Content-Type": "application/json"}
    answer = served.client.post(path, headers=headers, content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid"), answer.text


@pytest.mark.parametrize("path", ["/ifcclash", "/v1/keys"])
@pytest.mark.parametrize("says_so", [True, False])
def test_a_body_that_is_too_large_is_not_read(served: Served, path: str, says_so: bool) -> None:
    chunk = b"x" * 2**20
    sent = 0

    def chunks() -> Any:
        nonlocal sent
        for _ in range(LARGEST // len(chunk) + 2):
            sent += len(chunk)
            yield chunk

    headers = served.headers("admin") | {"Content-Type": "application/json"}
    if says_so:
        headers["Content-Length"] = str(LARGEST + 2 * len(chunk))
    try:
        answer = served.client.post(path, headers=headers, content=chunks())
    except httpx.WriteError:
        # It hung up while we were still sending.
        return
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "uploads/../x", "s3://other/x.ifc", "x\x00.ifc", "x" * 2000,
     "/proc/self/environ", "..%2f..%2fetc%2fpasswd", "file:///etc/passwd"],
)  # fmt: skip
def test_no_name_leads_out_of_the_project(served: Served, name: str) -> None:
    for answer in (
        served.client.post(
            "/create_download_link", headers=served.headers(), json={"file_path": name}
        ),
        served.client.post(
            "/ifcconvert", headers=served.headers(),
            json={"input_filename": name, "output_filename": "x.glb"},
        ),
        served.client.post("/v1/versions", headers=served.headers(), json={"file": name}),
    ):  # fmt: skip
        assert answer.status_code in {404, 422}, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert "root:" not in answer.text


@pytest.mark.usefixtures("building")
def test_a_link_in_the_files_folder_is_not_what_a_name_means(served: Served, home: Path) -> None:
    """Names are rows; nothing that lies in the folder of files is found by its name."""
    (home / "files" / "alpha" / "escape.ifc").symlink_to("/etc/passwd")
    answer = served.client.post(
        "/create_download_link", headers=served.headers(), json={"file_path": "escape.ifc"}
    )
    assert answer.status_code == 404


def test_a_download_is_kept_and_never_shown(served: Served, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<script>alert(1)</script>", encoding="utf-8")
    name = 'b"ad\u00e4\u0131; filename=x.exe.html'
    served.upload(page, name)
    link = served.client.post(
        "/create_download_link", headers=served.headers(), json={"file_path": name}
    ).json()
    for answer in (
        served.client.get(f"/download/{link['token']}"),
        served.client.get(f"/v1/files/uploads/{name}", headers=served.headers()),
    ):
        assert answer.content == page.read_bytes()
        headers = answer.headers
        assert headers["content-type"] == "application/octet-stream"
        assert headers["content-disposition"].startswith("attachment;")
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]
    # Only the link opens it, and only the file it was made for.
    assert served.client.get(f"/download/{link['token']}x").status_code == 404
    stored = served.sql("select hash from core.download_links")
    assert link["token"] not in str(stored)


def test_a_link_ends(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,b\n", encoding="utf-8")
    served.upload(file)
    link = served.client.post(
        "/create_download_link", headers=served.headers(), json={"file_path": "a.csv"}
    ).json()
    served.sql("update core.download_links set expires_at = now() - interval '1 s'")
    assert served.client.get(f"/download/{link['token']}").status_code == 404


# --- decisions ------------------------------------------------------------------------------------


@pytest.fixture
def pair(served: Served, filled: Filled) -> int:
    statement = "select pair_id from clash.pair_states where project_id = %s limit 1"
    return int(served.sql(statement, filled.ids["own"])[0][0])


def test_a_decision_on_what_changed_meanwhile_is_refused(served: Served, pair: int) -> None:
    editor = served.headers("own editor")
    seen = served.client.get(f"/v1/findings/{pair}", headers=editor)
    etag = seen.headers["ETag"]
    path = f"/v1/findings/{pair}/decisions"
    decision = {"action": "ignored", "reason": "fix on site", "comment": uuid.uuid4().hex}
    first = served.client.post(path, headers=editor | {"If-Match": etag}, json=decision)
    assert (first.status_code, first.json()) == (201, {"findings": [pair]})
    second = served.client.post(path, headers=editor | {"If-Match": etag}, json={"action": "open"})
    assert (second.status_code, second.json()["code"]) == (412, "precondition-failed")
    now = served.client.get(f"/v1/findings/{pair}", headers=editor)
    assert now.json()["review"] == "ignored"
    assert decision["comment"] in [each["comment"] for each in now.json()["decisions"]]
    same = served.client.get(
        f"/v1/findings/{pair}", headers=editor | {"If-None-Match": now.headers["ETag"]}
    )
    assert (same.status_code, same.content) == (304, b"")


def test_of_two_who_decide_at_once_with_one_etag_one_is_heard(served: Served, pair: int) -> None:
    editor = served.headers("own editor")
    etag = served.client.get(f"/v1/findings/{pair}", headers=editor).headers["ETag"]
    codes: list[int] = []

    def decide(number: int) -> None:
        answer = served.client.post(
            f"/v1/findings/{pair}/decisions", headers=editor | {"If-Match": etag},
            json={"action": "comment", "comment": f"word {number}"},
        )  # fmt: skip
        codes.append(answer.status_code)

    threads = [threading.Thread(target=decide, args=[number]) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [201, 412, 412, 412, 412]


def test_a_decision_repeated_with_its_key_is_made_once(served: Served, pair: int) -> None:
    headers = served.headers("own editor") | {"Idempotency-Key": uuid.uuid4().hex}
    word = uuid.uuid4().hex
    decision = {"action": "comment", "comment": word}
    path = f"/v1/findings/{pair}/decisions"
    first, again = (served.client.post(path, headers=headers, json=decision) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    count = "select count(*) from core.decisions where comment = %s and finding_id = %s"
    assert served.sql(count, word, pair) == [(1,)]
    other = served.client.post(path, headers=headers, json={"action": "open"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


def test_a_key_made_twice_with_one_idempotency_key_is_shown_once(served: Served) -> None:
    headers = served.headers("admin") | {"Idempotency-Key": uuid.uuid4().hex}
    first, again = (
        served.client.post("/v1/keys", headers=headers, json={"name": "n8n"}).json()
        for _ in range(2)
    )
    assert first["id"] == again["id"]
    assert first["key"].startswith("ifcb_")
    assert again["key"] is None
    assert first["key"] not in json.dumps(served.sql("select body from core.answers"), default=str)


def test_ignoring_without_a_reason_is_refused_with_what_is_missing(
    served: Served, pair: int
) -> None:
    answer = served.client.post(
        f"/v1/findings/{pair}/decisions", headers=served.headers("own editor"),
        json={"action": "ignored"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert "reason" in answer.json()["hint"]


# --- exports --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["html", "xlsx", "csv", "bcf", "md"])
def test_a_result_is_exported_in_every_format(
    served: Served, filled: Filled, form: str, home: Path
) -> None:
    result = filled.results["own"]
    answer = served.client.get(
        f"/v1/results/clash/{result}/export?format={form}", headers=served.headers("own viewer")
    )
    assert answer.status_code == 200, answer.text
    assert f'filename="clash-{result}.{form}"' in answer.headers["content-disposition"]
    assert len(answer.content) > 200


def test_pages_of_a_list_are_the_list(served: Served, filled: Filled) -> None:
    viewer = served.headers("own viewer")
    whole = served.client.get("/v1/results?limit=1000", headers=viewer).json()
    parts: list[Any] = []
    start: int | None = 0
    while start is not None:
        found = served.client.get(f"/v1/results?limit=2&start={start}", headers=viewer).json()
        parts += found["items"]
        start = found["next"]
    assert parts == whole["items"]
    assert len(parts) > 3


@pytest.mark.parametrize(
    ("path", "told"),
    [
        # FastAPI takes the last of them, and the gate of a pipeline would not see the first.
        ("/v1/sets/{set}/pairs?state=new&state=reopened", "'state' is given more than once"),
        ("/v1/sets/{set}/pairs?states=new", "no parameter 'states'"),
        ("/v1/jobs?satte=failed", "no parameter 'satte'"),
        ("/v1/findings?state=new&stat=reopened", "no parameter 'stat'"),
    ],
)
def test_a_filter_is_never_passed_over(
    served: Served, filled: Filled, path: str, told: str
) -> None:
    viewer = served.headers("own viewer")
    number = served.client.get("/v1/sets", headers=viewer).json()[0]["id"]
    answer = served.client.get(path.format(set=number), headers=viewer)
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
    assert told in answer.json()["detail"]
    repeated = served.client.get("/v1/findings?state=new&state=reopened", headers=viewer)
    assert repeated.status_code == 200, repeated.text
