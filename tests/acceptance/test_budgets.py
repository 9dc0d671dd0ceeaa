"""Jobs that need too much, crash, are cancelled or tried again: typed errors, and the queue goes on."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ifcbase.samples import Sample
from tests.acceptance.stand import Run, Stand, Worker, alive, eventually, two_sided


@pytest.fixture
def worker(stand: Stand) -> Iterator[Worker]:
    """A worker whose checks do what ``stand.fault`` says, with the heartbeat everybody has."""
    del stand.variables["IFCBASE_HEARTBEAT_S"]
    with stand.worker(faulty=True) as worker:
        yield worker


def request(sample: Sample) -> tuple[dict[str, object], Path, Path]:
    a, b = sample.files["Structure"], sample.files["Services"]
    return two_sided(a, b), a, b


def assert_usable(stand: Stand, sample: Sample) -> None:
    """The worker takes the next job and does it."""
    assert stand.ended(stand.submit(*request(sample)))["state"] == "finished"
    kept = [path.name for path in (stand.home / "work").glob("job-*")]
    assert kept == []


def test_a_job_that_needs_too_much_memory(stand: Stand, worker: Worker, sample: Sample) -> None:
    stand.fault("hog")
    job = stand.ended(stand.submit(*request(sample), job_memory_mb=512))
    assert job["state"] == "failed"
    assert job["error"]["code"] == "memory-budget"
    assert "IFCBASE_JOB_MEMORY_MB" in job["error"]["hint"]
    # More of the same memory would not help: no second attempt.
    (attempt,) = job["attempts"]
    assert 256 < attempt["facts"]["peak_memory_mb"] < 700
    stand.no_fault()
    assert_usable(stand, sample)


def test_a_job_that_takes_too_long(stand: Stand, worker: Worker, sample: Sample) -> None:
    stand.fault("hang")
    job = stand.ended(stand.submit(*request(sample), job_timeout_s=3))
    assert job["state"] == "failed"
    assert job["error"]["code"] == "time-budget"
    assert "IFCBASE_JOB_TIMEOUT_S" in job["error"]["hint"]
    (attempt,) = job["attempts"]
    assert attempt["outcome"] == "failed"
    assert 3 <= attempt["facts"]["seconds"] < 9
    stand.no_fault()
    assert_usable(stand, sample)


def directly(stand: Stand, sample: Sample, folder: Path, fault: str, **settings: str) -> Run:
    """A check without queue and database that fails in its child."""
    (folder / "fault").write_text(fault, encoding="ascii")
    models = []
    for option, model in (("--a", "Structure"), ("--b", "Services")):
        copy = folder / sample.files[model].name
        copy.write_bytes(sample.files[model].read_bytes())
        models += [option, str(copy)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.acceptance.faulty", "clash", *models, "--json"],
        env=stand.environment(**settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("fault", "settings", "code"),
    [
        ("segfault", {}, "native-crash"),
        ("hog", {"IFCBASE_JOB_MEMORY_MB": "400"}, "memory-budget"),
    ],
)
def test_a_direct_check_fails_with_a_typed_error(
    fault: str, settings: dict[str, str], code: str, stand: Stand, sample: Sample, tmp_path: Path
) -> None:
    done = directly(stand, sample, tmp_path, fault, **settings)
    assert done.code == 2, done
    assert done.json()["error"]["code"] == code
    assert "Traceback" not in done.err


def test_cancelling_frees_the_child_within_two_seconds(
    stand: Stand, worker: Worker, sample: Sample
) -> None:
    stand.fault("hold")
    job = stand.submit(*request(sample))
    child = stand.wait_held(job)
    behind = stand.submit(*request(sample))
    with stand.connection() as connection:
        began = time.monotonic()
        connection.execute("select core.cancel_job(%s)", [job])
        eventually(lambda: not alive(child), "the child is gone", every_s=0.01)
        seconds = time.monotonic() - began
    assert seconds < 2
    found = stand.ended(job)
    assert found["state"] == "cancelled"
    assert stand.outcomes(job) == ["cancelled"]
    assert found["error"]["code"] == "cancelled"
    assert stand.count("clash.results") == 0
    # The next one runs, and the cancelled one when it is wanted again.
    stand.wait_held(behind)
    stand.no_fault()
    assert stand.ended(behind)["state"] == "finished"
    again = stand.cli("jobs", "requeue", job)
    assert (again.code, again.out) == (0, "the job is queued\n")
    assert stand.ended(job)["state"] == "finished"
    assert stand.outcomes(job) == ["cancelled", "finished"]
    assert stand.count("clash.results") == 2


def test_cancel_and_requeue_on_the_command_line(stand: Stand, sample: Sample) -> None:
    """While nobody works: a waiting job is cancelled at once and never run."""
    job = stand.submit(*request(sample))
    done = stand.cli("jobs", "cancel", job[:8])
    assert (done.code, done.out) == (0, "the job is cancelled\n")
    assert stand.job(job)["state"] == "cancelled"
    waited = stand.cli("jobs", "wait", job)
    assert waited.code == 2
    assert "cancelled" in waited.err
    twice = stand.cli("jobs", "cancel", job, "--json")
    assert twice.code == 2
    assert twice.json()["error"]["code"] == "conflict"
    behind = stand.submit(*request(sample))
    with stand.worker():
        assert stand.ended(behind)["state"] == "finished"
        assert stand.job(job)["attempts"] == []
        refused = stand.cli("jobs", "requeue", behind)
        assert refused.code == 2
        assert "finished" in refused.err
        assert stand.cli("jobs", "requeue", job).code == 0
        assert stand.ended(job)["state"] == "finished"
    # The order of acceptance is the order of the chain, whenever a job was run.
    (first, second) = stand.query(
        "select id, job_id::text, original_clash_id from public.clash_results order by accepted"
    )
    assert [first["job_id"], second["job_id"]] == [job, behind]
    assert (first["original_clash_id"], second["original_clash_id"]) == (None, first["id"])


@pytest.mark.slow
def test_an_outage_longer_than_the_lease_costs_an_attempt_and_nothing_else(
    stand: Stand, worker: Worker, sample: Sample
) -> None:
    """The database refuses connections for a while, as behind a broken network."""
    stand.fault("hold")
    job = stand.submit(*request(sample))
    stand.wait_held(job)
    with stand.outage():
        eventually(lambda: "no heartbeat" in worker.log(), "it is missed", worker.log)
        time.sleep(float(stand.variables["IFCBASE_LEASE_S"]))
        stand.no_fault()
        eventually(lambda: not stand.held(), "the child goes on or is gone")
    found = stand.ended(job)
    assert found["state"] == "finished", worker.log()
    *lost, last = stand.outcomes(job)
    assert set(lost) <= {"lost"}
    assert last == "finished"
    assert stand.count("clash.results") == 1
    assert_usable(stand, sample)


@pytest.mark.slow
def test_a_worker_can_be_stopped_during_an_outage(
    stand: Stand, worker: Worker, sample: Sample
) -> None:
    stand.fault("hold")
    job = stand.submit(*request(sample))
    child = stand.wait_held(job)
    with stand.outage():
        worker.process.terminate()
        assert worker.process.wait(30) == 0
        assert not alive(child)
    stand.no_fault()
    with stand.worker():
        assert stand.ended(job)["state"] == "finished"
    assert stand.outcomes(job) == ["lost", "finished"]
