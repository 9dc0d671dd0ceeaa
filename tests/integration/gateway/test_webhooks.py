"""Webhooks through the API: managed by admins, secrets shown once, deliveries seen and repeated."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from ifcbase.files.addresses import Policy
from ifcbase.files.fetch import Fetcher
from ifcbase.ledger.connect import connect
from ifcbase.webhooks import signing
from ifcbase.webhooks.deliver import Deliverer
from tests.integration.gateway.conftest import Served


class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def endpoint() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.got = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(
    served: Served, method: str, path: str = "", who: str = "admin", status: int = 200, **given: Any
) -> Any:
    answer = served.client.request(
        method, f"/v1/webhooks{path}", headers=served.headers(who), **given
    )
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def add(served: Served, **given: Any) -> dict[str, Any]:
    body = {"url": f"https://{secrets.token_hex(4)}.example.com/hook", **given}
    found: dict[str, Any] = ask(served, "POST", status=201, json=body)
    return found


def test_a_webhook_is_made_seen_changed_and_removed(served: Served) -> None:
    made = add(served, types=["job.failed"], description="Wächter")
    assert made["secret"].startswith("whsec_")
    shown = ask(served, "GET", f"/{made['id']}")
    assert shown == {k: v for k, v in made.items() if k != "secret"}
    assert shown in ask(served, "GET")
    assert shown["types"] == ["job.failed"]
    changed = ask(served, "PATCH", f"/{made['id']}", json={"active": False, "types": []})
    assert (changed["active"], changed["types"], changed["description"]) == (False, [], "Wächter")
    ask(served, "POST", f"/{made['id']}/ping", status=409)
    ask(served, "DELETE", f"/{made['id']}", status=204)
    ask(served, "GET", f"/{made['id']}", status=404)


def test_the_secret_is_shown_once_and_never_again(served: Served) -> None:
    brought = signing.new_secret()
    made = add(served, secret=brought)
    assert made["secret"] == brought
    rotated = ask(served, "POST", f"/{made['id']}/secret", json={})["secret"]
    assert rotated != brought
    for path in ("", f"/{made['id']}", f"/{made['id']}/deliveries"):
        answer = served.client.get(f"/v1/webhooks{path}", headers=served.headers("admin"))
        assert brought not in answer.text
        assert rotated not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {}, {"url": "ftp://a.test/x"}, {"url": "https://"}, {"url": "http://user:pw@a.test/"},
        {"url": "https://a.test/", "types": ["ping"]}, {"url": "https://a.test/", "secret": "x"},
        {"url": "https://a.test/", "description": "a\u0000b"}, {"url": "https://a.test/\u0000"},
    ],
)  # fmt: skip
def test_what_is_no_webhook_is_refused(served: Served, body: dict[str, Any]) -> None:
    ask(served, "POST", status=422, json=body)


@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_only_admins_manage_webhooks(served: Served, who: str) -> None:
    made = add(served)
    ask(served, "GET", who=who, status=403)
    ask(served, "POST", who=who, status=403, json={"url": "https://a.test/"})
    ask(served, "DELETE", f"/{made['id']}", who=who, status=403)


def test_webhooks_of_other_projects_are_not_found(served: Served) -> None:
    made = add(served)
    for method, path, body in [
        ("GET", "", None), ("PATCH", "", {"active": False}), ("DELETE", "", None),
        ("POST", "/secret", {}), ("POST", "/ping", None), ("GET", "/deliveries", None),
        ("POST", "/deliveries/1/redeliver", None),
    ]:  # fmt: skip
        ask(served, method, f"/{made['id']}{path}", who="other", status=404, json=body)


def test_events_are_delivered_logged_and_delivered_again(
    served: Served, endpoint: ThreadingHTTPServer
) -> None:
    """The gateway's own deliverers must not be led to this machine: another one delivers."""
    made = add(served, url="https://later.example.com/", types=["job.cancelled"])
    served.sql(
        "update core.webhooks set url = %s where id = %s",
        f"http://127.0.0.1:{endpoint.server_port}/", made["id"],
    )  # fmt: skip
    sent = ask(served, "POST", f"/{made['id']}/ping", status=202)["delivery"]
    deliverer = Deliverer(served.dsn, Fetcher(Policy.of("127.0.0.1")), answer_s=20)
    got: list[Any] = endpoint.got  # type: ignore[attr-defined]
    with connect(served.dsn) as connection:
        while deliverer.deliver_one(connection):
            pass
    (seen,) = ask(served, "GET", f"/{made['id']}/deliveries")["deliveries"]
    assert (seen["id"], seen["type"], seen["state"]) == (sent, "ping", "delivered")
    assert [each["status"] for each in seen["log"]] == [200]
    assert Webhook(made["secret"]).verify(got[0][1], got[0][0])["type"] == "ping"
    ask(served, "POST", f"/{made['id']}/deliveries/{sent}/redeliver", status=202)
    with connect(served.dsn) as connection:
        while deliverer.deliver_one(connection):
            pass
    assert [headers["webhook-id"] for headers, _ in got] == [f"msg_{sent}"] * 2
    page = ask(served, "GET", f"/{made['id']}/deliveries", params={"limit": 1, "state": "failed"})
    assert page == {"deliveries": [], "next": None}
    ask(served, "POST", f"/{made['id']}/deliveries/999999999/redeliver", status=404)
    ask(served, "DELETE", f"/{made['id']}", status=204)
