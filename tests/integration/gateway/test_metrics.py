"""Figures: in Prometheus' form, of bounded size, for this machine."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ifcbase.gateway import metrics as metrics_module
from tests.integration.gateway.conftest import Served


def figures(served: Served) -> dict[str, dict[tuple[str, ...], float]]:
    answer = served.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_every_part_has_its_figures(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "HOLDS_S", 0.0)
    served.sql(
        "select core.accept_job(%s, 'diff', '{}', '[]', 60, 512, 1)", served.projects["beta"]
    )
    found = figures(served)
    assert found["ifcbase_database_up"] == {(): 1}
    assert found["ifcbase_jobs"]["diff", "queued"] >= 1
    assert found["ifcbase_queue_oldest_seconds"]["diff",] >= 0
    for name in (
        "ifcbase_attempts_running", "ifcbase_webhook_outbox", "ifcbase_spool_results",
        "ifcbase_spool_bytes", "ifcbase_spool_oldest_seconds", "ifcbase_cache_bytes", "ifcbase_storage_files",
        "ifcbase_storage_bytes", "ifcbase_storage_free_bytes", "ifcbase_database_bytes",
        "ifcbase_event_listeners", "ifcbase_build_info",
    ):  # fmt: skip
        assert found[name], name
    assert found["ifcbase_database_bytes"][()] > 1e6


def test_requests_are_counted_by_route_and_never_by_address(served: Served) -> None:
    def count(status: str, route: str) -> float:
        return figures(served)["ifcbase_http_requests_total"].get(("GET", route, status), 0)

    before, unknown = count("404", "/v1/uploads/known/{sha256}"), count("404", "none")
    for n in range(3):
        served.client.get(f"/v1/uploads/known/{n:064x}", headers=served.headers())
        served.client.get(f"/nothing/{n}")
    assert count("404", "/v1/uploads/known/{sha256}") == before + 3
    assert count("404", "none") == unknown + 3
    text = served.client.get("/metrics").text
    assert not re.search(r"[0-9a-f]{32}", text)
    assert "alpha" not in text
    assert 'status="200"' in text


def test_a_strange_method_makes_no_label(served: Served) -> None:
    served.client.request("BREW", "/healthz")
    assert "BREW" not in served.client.get("/metrics").text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_who_comes_through_a_proxy_is_not_of_this_machine(served: Served, header: str) -> None:
    answer = served.client.get("/metrics", headers={header: "203.0.113.9"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_setting_opens_them(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.gateway.settings, "metrics_public", True)
    assert served.client.get("/metrics", headers={"X-Forwarded-For": "x"}).status_code == 200
