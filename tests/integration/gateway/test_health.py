"""Health, readiness, and what every answer carries."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.gateway.conftest import Served
from tests.unit.jobs.test_readiness import put


def test_a_gateway_that_serves_is_alive_ready_and_healthy(served: Served) -> None:
    assert served.client.get("/healthz").json() == {"status": "ok"}
    ready = served.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert set(ready.json()["checks"].values()) == {"ok"}
    assert served.client.get("/health").json()["status"] == "healthy"


def test_a_result_in_the_spool_warns_and_requests_are_served(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served.client.get("/readyz").json()["warnings"] == {}
    monkeypatch.setattr(served.gateway.settings, "home", tmp_path)
    (tmp_path / "files").mkdir()
    put(tmp_path)
    answer = served.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert "1 result is not stored yet" in answer.json()["warnings"]["spool"]


@pytest.mark.parametrize("address", ["/nothing", "/healthz/", "/v1/nothing/at/all"])
def test_an_address_without_anything_is_a_problem(served: Served, address: str) -> None:
    answer = served.client.get(address)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/not-found"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_a_wrong_method_is_a_problem_that_names_the_right_one(served: Served) -> None:
    answer = served.client.post("/healthz")
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET"


def test_a_request_keeps_its_id_if_that_is_one(served: Served) -> None:
    given = served.client.get("/healthz", headers={"X-Request-Id": "from-the-client-1"})
    assert given.headers["X-Request-Id"] == "from-the-client-1"
    broken = served.client.get("/healthz", headers={"X-Request-Id": 'a"; {evil}'})
    assert len(broken.headers["X-Request-Id"]) == 32
