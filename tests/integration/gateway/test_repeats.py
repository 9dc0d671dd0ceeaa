"""Idempotency-Key on every POST: done once, answered alike, and nobody meets another's key."""

from __future__ import annotations

import json
import threading
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from ifcbase.gateway.routes import ROUTERS
from tests.integration.gateway.conftest import Served
from tests.integration.ledger.filled import Filled

HOOK = {"url": "https://hooks.example.com/"}
FORM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\na;b\r\n--b--\r\n'


def keyed(served: Served, who: str = "admin", key: str | None = None) -> dict[str, str]:
    return served.headers(who) | {"Idempotency-Key": key or uuid.uuid4().hex}


def stored(served: Served) -> str:
    return json.dumps(served.sql("select body from core.answers"), default=str)


def test_every_post_takes_the_key() -> None:
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and "POST" in (route.methods or ()):
                headers = {each.alias for each in route.dependant.header_params}
                assert "Idempotency-Key" in headers, route.path


@pytest.fixture
def hook(served: Served) -> Any:
    made = served.client.post("/v1/webhooks", json=HOOK, headers=served.headers("admin")).json()
    yield made["id"]
    served.sql("delete from core.webhooks where id = %s", made["id"])


def test_a_webhook_is_added_once_and_its_secret_is_nowhere_in_clear(served: Served) -> None:
    headers = keyed(served)
    first, again = (
        served.client.post("/v1/webhooks", json=HOOK, headers=headers) for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() | {"secret": None} == again.json()
    assert first.json()["secret"].startswith("whsec_")
    assert first.json()["secret"] not in stored(served)
    other = served.client.post("/v1/webhooks", json=HOOK | {"description": "x"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    served.sql("delete from core.webhooks where id = %s", first.json()["id"])


def test_a_secret_is_rotated_once(served: Served, hook: str) -> None:
    headers = keyed(served)
    first, again = (
        served.client.post(f"/v1/webhooks/{hook}/secret", json={}, headers=headers).json()
        for _ in range(2)
    )
    assert first["secret"].startswith("whsec_")
    assert again == {"secret": None}
    assert first["secret"] not in stored(served)
    (current,) = served.sql(
        "select secret from core.webhook_secrets where webhook_id = %s and ends_at is null", hook
    )
    assert current == (first["secret"],), "the repetition rotated it again"


def test_a_ping_is_sent_once(served: Served, hook: str) -> None:
    headers = keyed(served)
    path = f"/v1/webhooks/{hook}/ping"
    first, again = (served.client.post(path, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    deliveries = served.client.get(f"/v1/webhooks/{hook}/deliveries", headers=headers).json()
    assert len(deliveries["deliveries"]) == 1


def test_a_link_is_made_once_and_its_token_is_nowhere_in_clear(
    served: Served, building: Path
) -> None:
    headers = keyed(served, "viewer")
    first, again = (
        served.client.post(
            "/create_download_link", json={"file_path": "walls.ifc"}, headers=headers
        )
        for _ in range(2)
    )
    token = first.json()["token"]
    assert served.client.get(f"/download/{token}").status_code == 200
    assert again.json()["token"] is None
    assert again.json()["expiry"] == first.json()["expiry"]
    assert token not in stored(served)


def test_a_job_is_cancelled_and_requeued_once_per_key(served: Served, building: Path) -> None:
    made = served.client.post(
        "/v1/jobs/conversion", headers=served.headers(),
        json={"input_filename": "walls.ifc", "output_filename": "repeat.glb"},
    )  # fmt: skip
    job = made.json()["job_id"]
    cancelling, waking = keyed(served, "editor"), keyed(served, "editor")
    for _ in range(2):
        answer = served.client.post(f"/v1/jobs/{job}/cancel", headers=cancelling)
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    for _ in range(2):
        # The second would be refused: a job that waits cannot be requeued.
        assert served.client.post(f"/jobs/{job}/requeue", headers=waking).status_code == 200
    crossed = served.client.post(f"/v1/jobs/{job}/cancel", headers=waking)
    assert (crossed.status_code, crossed.json()["code"]) == (422, "idempotency-key-reused")
    served.sql("update core.jobs set state = 'cancelled' where id = %s", job)


def test_a_submission_with_the_key_of_another_is_refused(served: Served, building: Path) -> None:
    headers = keyed(served, "editor")
    request = {"input_filename": "walls.ifc", "output_filename": "key.glb"}
    first, again = (
        served.client.post("/ifcconvert", json=request, headers=headers) for _ in range(2)
    )
    assert first.json() == again.json()
    other = served.client.post(
        "/ifcconvert", json=request | {"output_filename": "other.glb"}, headers=headers
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    served.sql("update core.jobs set state = 'cancelled' where id = %s", first.json()["job_id"])


def test_an_upload_is_noted_once_and_other_bytes_are_refused(served: Served) -> None:
    name = f"{uuid.uuid4().hex}.csv"
    headers = keyed(served, "editor") | {"Content-Type": "multipart/form-data; boundary=b"}
    body = FORM % name.encode()
    first, again = (
        served.client.post("/upload/csv", content=body, headers=headers) for _ in range(2)
    )
    assert first.status_code == 200, first.text
    assert first.json() == again.json()
    assert served.sql("select count(*) from core.uploads where path = %s", f"uploads/{name}") == [
        (1,)
    ]
    other = served.client.post("/upload/csv", content=body.replace(b"a;b", b"c;d"), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


def test_a_resumable_upload_is_begun_once(served: Served) -> None:
    headers = keyed(served, "editor") | {
        "Tus-Resumable": "1.0.0", "Upload-Length": "4",
        "Upload-Metadata": "filename YS5jc3Y=,kind Y3N2",
    }  # fmt: skip
    first, again = (served.client.post("/v1/uploads", headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.headers["Location"] == again.headers["Location"]


def test_of_requests_with_one_key_at_once_one_is_done(served: Served) -> None:
    headers, answers = keyed(served), []

    def ask() -> None:
        answers.append(served.client.post("/v1/keys", headers=headers, json={"name": "at once"}))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert {each.status_code for each in answers} == {201}
    assert len({each.json()["id"] for each in answers}) == 1
    assert sum(each.json()["key"] is not None for each in answers) == 1


def test_callers_do_not_meet_each_others_keys(served: Served) -> None:
    """A reader could else plant an answer, or block the key of somebody else."""
    key = uuid.uuid4().hex
    ours, theirs = (
        served.client.post("/v1/keys", headers=keyed(served, who, key), json={"name": who}).json()
        for who in ("admin", "other")
    )
    assert (ours["name"], theirs["name"]) == ("admin", "other")
    mine = keyed(served, "viewer", key)
    answer = served.client.post(
        "/create_download_link", headers=mine, json={"file_path": "nothing.ifc"}
    )
    assert answer.status_code == 404, "met the answer to another caller's request"


def test_a_decision_rule_is_added_once(served: Served, filled: Filled) -> None:
    headers = keyed(served, "own editor")
    rule = {"name": uuid.uuid4().hex, "action": "ignored", "reason": "small overlap",
            "max_distance": 0.01, "kind": "pierce"}  # fmt: skip
    first, again = (served.client.post("/v1/rules", json=rule, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()) == (201, again.json()), first.text
    number = first.json()["id"]
    taken = served.client.post("/v1/rules", json=rule, headers=served.headers("own editor"))
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
    off: httpx.Response = served.client.patch(
        f"/v1/rules/{number}", json={"active": False}, headers=served.headers("own editor")
    )
    assert off.json()["active"] is False
    listed = served.client.get("/v1/rules", headers=served.headers("own viewer")).json()
    assert [each["active"] for each in listed if each["id"] == number] == [False]
    audit = served.client.get("/v1/audit?limit=2", headers=served.headers("own admin")).json()
    assert [each["action"] for each in audit["items"]] == ["switch rule", "add rule"]
    for wrong in ({"group_name": "near/1"}, {"action": "open"}, {"set_id": 10**12}):
        refused = served.client.post(
            "/v1/rules", json=rule | {"name": "w"} | wrong, headers=served.headers("own editor")
        )
        assert refused.status_code in {404, 422}, refused.text
