"""What monitoring hears of a worker: whether it takes jobs, and what waits in its host's spool."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ifcbase.cli import examine
from ifcbase.errors import LedgerUnavailable
from ifcbase.jobs.metrics import WorkerMetrics, spool_figures
from ifcbase.jobs.readiness import DOUBTFUL_S, Readiness
from ifcbase.ledger.rest.documents import DocumentSpool
from ifcbase.ledger.spool import Spool
from ifcbase.ledger.spooled import spooled
from ifcbase.settings import Settings
from ifcbase.stack.doctor.checks import State
from tests.unit.ledger.test_spool import ATTEMPT


def put(home: Path, number: int = 1, *, refused: bool = False) -> None:
    output = home / f"output-{number}"
    output.mkdir()
    (output / "output.json").write_bytes(b"x" * 1000)
    job = f"{number:08d}-0000-4000-8000-000000000001"
    Spool(home / "spool", 1).put(
        replace(ATTEMPT, job_id=job), output, {}, host="here", reason="away", refused=refused
    )


def figures(home: Path) -> dict[tuple[str, str], float]:
    return {
        (each.name, sample.labels["state"]): sample.value
        for each in spool_figures(home / "spool")
        for sample in each.samples
    }


def test_an_empty_spool_has_figures_and_no_warning(tmp_path: Path) -> None:
    assert set(figures(tmp_path).values()) == {0.0}
    assert len(figures(tmp_path)) == 6
    assert spooled(tmp_path / "spool").warning() == ""


def test_number_bytes_and_age_of_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        put(tmp_path, number)
    put(tmp_path, 3, refused=True)
    now = time.time()
    monkeypatch.setattr("ifcbase.ledger.spooled.time.time", lambda: now + 600)
    found = figures(tmp_path)
    assert found["ifcbase_spool_results", "waiting"] == 2
    assert found["ifcbase_spool_results", "refused"] == 1
    assert found["ifcbase_spool_bytes", "waiting"] == 2000
    assert 600 <= found["ifcbase_spool_oldest_seconds", "waiting"] < 660
    assert spooled(tmp_path / "spool").warning() == (
        "2 results are not stored yet, the oldest for 10 min; 1 result is refused and kept"
    )
    # A clock that was set back makes nothing older than it is.
    monkeypatch.setattr("ifcbase.ledger.spooled.time.time", lambda: now - 86400)
    assert figures(tmp_path)["ifcbase_spool_oldest_seconds", "waiting"] == 0


def test_documents_of_scripts_wait_in_the_same_figures(tmp_path: Path) -> None:
    path = DocumentSpool(tmp_path / "spool" / "documents", 1).put("k", {"clash_count": 1})
    os.utime(path, (time.time() - 50, time.time() - 50))
    found = figures(tmp_path)
    assert found["ifcbase_spool_results", "waiting"] == 1
    assert found["ifcbase_spool_bytes", "waiting"] == path.stat().st_size
    assert 49 <= found["ifcbase_spool_oldest_seconds", "waiting"] < 110


def test_doctor_warns_of_what_waits(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert examine.spool(settings)[0] is State.OK
    put(tmp_path)
    state, sentence, cure = examine.spool(settings)
    assert state is State.WARNING
    assert "1 result is not stored yet" in sentence
    assert "ifcbase spool flush" in cure


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[WorkerMetrics, str]]:
    """A worker without a DSN, as one that stores over REST is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = Settings(home=tmp_path, metrics_port=port)
    metrics = WorkerMetrics(None, settings)
    server = metrics.serve(settings)
    assert server is not None
    yield metrics, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def asked(address: str) -> tuple[int, dict[str, object]]:
    answer = httpx.get(f"{address}/readyz", timeout=30)
    return answer.status_code, answer.json()


def test_a_worker_is_ready_until_its_queue_goes_away(
    served: tuple[WorkerMetrics, str], tmp_path: Path
) -> None:
    metrics, address = served
    well = {"status": "ready", "checks": {"queue": "ok"}, "warnings": {}}
    assert asked(address) == (200, well)
    metrics.readiness.away(LedgerUnavailable())
    metrics.readiness.asks()
    # Asking again is no sign yet that it is back; a job is.
    code, said = asked(address)
    assert (code, said["checks"]) == (503, {"queue": LedgerUnavailable.code})
    metrics.begin()
    assert asked(address) == (200, well)
    # What waits in its spool is no reason to restart it.
    put(tmp_path)
    code, said = asked(address)
    assert (code, said["status"]) == (200, "ready")
    assert "not stored yet" in str(said["warnings"])


def test_without_a_database_the_figures_are_those_of_the_host(
    served: tuple[WorkerMetrics, str], tmp_path: Path
) -> None:
    put(tmp_path)
    text = httpx.get(f"{served[1]}/metrics", timeout=30).text
    assert 'ifcbase_spool_results{state="waiting"} 1.0' in text
    assert "ifcbase_disk_free_bytes" in text
    assert "ifcbase_ledger_up" not in text


def test_a_queue_that_is_asked_for_a_while_is_back(tmp_path: Path) -> None:
    now = 100.0
    readiness = Readiness(tmp_path, clock=lambda: now)
    readiness.away(LedgerUnavailable())
    readiness.asks()
    assert readiness.document()["status"] == "not ready"
    now += DOUBTFUL_S + 1
    assert readiness.document()["status"] == "ready"
    readiness.away(LedgerUnavailable())
    readiness.asks()
    assert readiness.document()["status"] == "not ready"
