"""Whatever dies in the middle of a job, the job ends once and has exactly one result per clash set."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from ifcbase.samples import Sample
from tests.acceptance.stand import Stand, Worker, alive, eventually, two_sided


def submit(stand: Stand, sample: Sample, **settings: Any) -> str:
    """A check of two clash sets, so that half of the results would be noticed."""
    architecture, structure = sample.files["Architecture"], sample.files["Structure"]
    services = sample.files["Services"]
    request = two_sided(architecture, services)
    request["clash_sets"] += two_sided(structure, services)["clash_sets"]
    return stand.submit(request, architecture, structure, services, **settings)


def assert_stored_once(stand: Stand, job: str, sample: Sample, *, alone: bool = True) -> None:
    """The job is finished, with the planted clashes, each of them once. ``alone``: no other job has
    results in this database."""
    found = stand.job(job)
    assert found["state"] == "finished", found
    assert found["error"] is None
    assert [attempt["number"] for attempt in found["attempts"]] == list(
        range(1, len(found["attempts"]) + 1)
    )
    results = stand.query("select * from clash.results where job_id = %s order by id", job)
    assert [row["state"] for row in results] == ["finished", "finished"]
    assert [row["id"] for row in results] == found["outcome"]["db_ids"]
    assert len({row["set_id"] for row in results}) == 2
    wanted = {
        "Sample_Architecture_rev-A vs Sample_Services_rev-A": {"Architecture", "Services"},
        "Sample_Structure_rev-A vs Sample_Services_rev-A": {"Structure", "Services"},
    }
    for row in results:
        deep = {
            frozenset((planted.global_id_a, planted.global_id_b))
            for planted in sample.truth
            if {planted.model_a, planted.model_b} == wanted[row["clash_set_name"]]
            and planted.kind in {"clash", "contained", "duplicate"}
            and planted.depth_or_gap_m > 0.02
        }
        assert deep
        contacts = stand.query(
            """
            select a.global_id as a, b.global_id as b from clash.sightings s
              join clash.pairs p on p.id = s.pair_id
              join core.elements a on a.id = p.a_element
              join core.elements b on b.id = p.b_element
             where s.result_id = %s
            """,
            row["id"],
        )
        seen = [frozenset((each["a"], each["b"])) for each in contacts]
        assert len(seen) == len(set(seen)) == row["clash_count"]
        assert deep <= set(seen)
    if alone:
        total = sum(row["clash_count"] for row in results)
        assert stand.count("clash.sightings") == total
        assert stand.count("clash.results") == 2
    assert stand.count("core.incoming_elements") == 0


def assert_nothing_left(stand: Stand, pids: list[int]) -> None:
    """No process and no temporary folder of what was killed."""
    eventually(lambda: not any(map(alive, pids)), "the processes are gone", lambda: pids)
    kept = [path.name for path in (stand.home / "work").iterdir() if path.name != "cores"]
    assert kept == []


def age_folders(stand: Stand) -> None:
    """As if what lies in the work folder had been there for two minutes."""
    for path in (stand.home / "work").iterdir():
        before = time.time() - 120
        os.utime(path, (before, before))


@contextmanager
def stopped(process: psutil.Process | int) -> Iterator[None]:
    """A process that sleeps and does not know it."""
    pid = process if isinstance(process, int) else process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def everyone(worker: Worker) -> list[int]:
    return [worker.pid, *(child.pid for child in worker.children())]


def test_a_killed_worker_costs_an_attempt_and_nothing_else(stand: Stand, sample: Sample) -> None:
    """No worker has to be started: the reaper of another one takes the job."""
    stand.fault("hold")
    with stand.worker(faulty=True) as first:
        job = submit(stand, sample)
        stand.wait_held(job)
        with stand.worker() as second:
            pids = everyone(first)
            assert len(pids) >= 2
            first.kill()
            eventually(lambda: not any(map(alive, pids)), "its children are gone", lambda: pids)
            stand.no_fault()
            age_folders(stand)
            stand.ended(job)
            pids += everyone(second)
    assert stand.outcomes(job) == ["lost", "finished"]
    lost, _ = stand.job(job)["attempts"]
    assert lost["error"]["code"] == "attempts-lost"
    assert f"-{first.pid}" in lost["error"]["message"]
    assert_stored_once(stand, job, sample)
    assert_nothing_left(stand, pids)


def test_a_killed_child_is_a_crash_with_its_signal_and_tried_again(
    stand: Stand, sample: Sample
) -> None:
    stand.fault("hold")
    with stand.worker(faulty=True) as worker:
        job = submit(stand, sample)
        child = stand.wait_held(job)
        stand.no_fault()
        os.kill(child, signal.SIGKILL)
        stand.ended(job)
        assert worker.process.poll() is None
        pids = [child, *everyone(worker)]
    assert stand.outcomes(job) == ["failed", "finished"]
    failed, _ = stand.job(job)["attempts"]
    assert failed["error"]["code"] == "native-crash"
    assert failed["facts"]["signal"] == "SIGKILL"
    assert failed["facts"]["peak_memory_mb"] > 10
    assert_stored_once(stand, job, sample)
    assert_nothing_left(stand, pids)


def test_children_that_keep_dying_end_the_job_with_the_reason(stand: Stand, sample: Sample) -> None:
    stand.fault("segfault")
    with stand.worker(faulty=True):
        job = submit(stand, sample, job_attempts=2)
        found = stand.ended(job)
        assert found["state"] == "failed"
        assert [each["outcome"] for each in found["attempts"]] == ["failed", "failed"]
        assert [each["facts"]["signal"] for each in found["attempts"]] == ["SIGSEGV", "SIGSEGV"]
        assert "faulty.py" in found["attempts"][0]["facts"]["stderr_tail"]
        assert found["error"]["code"] == "native-crash"
        assert stand.count("clash.results") == 0
        # The worker lives, and the job is not lost: once the cause is gone it can be done.
        stand.no_fault()
        assert stand.cli("jobs", "requeue", job[:8]).code == 0
        stand.ended(job)
    assert stand.outcomes(job) == ["failed", "failed", "finished"]
    assert_stored_once(stand, job, sample)


def kill_postgres(stand: Stand) -> int:
    """Kill the server process as a machine without memory would; gives its process id."""
    (file,) = stand.home.glob("postgres/pg-*/postmaster.pid")
    pid = int(file.read_text(encoding="utf-8").splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_killed_postgres_is_started_again_and_the_job_goes_on(
    embedded: Stand, sample: Sample
) -> None:
    embedded.fault("hold")
    with embedded.worker(faulty=True) as worker:
        job = submit(embedded, sample)
        embedded.wait_held(job)
        pid = kill_postgres(embedded)
        eventually(lambda: not alive(pid), "the server is gone")
        eventually(lambda: "no heartbeat" in worker.log(), "it is missed", worker.log)
        embedded.no_fault()
        eventually(lambda: "stored" in worker.log(), "the job is stored", worker.log)
        embedded.ended(job)
        again = submit(embedded, sample)
        embedded.ended(again)
        pids = everyone(worker)
    # The lease outlived the outage: the attempt that was computing did the storing.
    assert embedded.outcomes(job) == ["finished"]
    assert embedded.outcomes(again) == ["finished"]
    for each in (job, again):
        assert embedded.query(
            "select count(*) as n from clash.results where job_id = %s", each
        ) == [{"n": 2}]
    assert_nothing_left(embedded, pids)


def test_a_postgres_killed_while_a_result_is_stored_leaves_none_and_then_one(
    embedded: Stand, sample: Sample
) -> None:
    with embedded.worker() as worker:
        with embedded.connection() as blocker, blocker.transaction(force_rollback=True):
            blocker.execute("lock table clash.coverage in exclusive mode")
            job = submit(embedded, sample)
            waits_for_us(embedded)
            kill_postgres(embedded)
            eventually(lambda: blocker.broken or _dead(blocker), "the server is gone")
            blocker.close()
        eventually(lambda: "not stored yet" in worker.log(), "the failure is told", worker.log)
        eventually(lambda: ": stored" in worker.log(), "the job is stored", worker.log)
        embedded.ended(job)
        pids = everyone(worker)
    assert embedded.outcomes(job) == ["finished"]
    assert_stored_once(embedded, job, sample)
    assert_nothing_left(embedded, pids)


def _dead(connection: Any) -> bool:
    try:
        connection.execute("select 1")
    except Exception:  # noqa: BLE001 - whatever it says, it is dead
        return True
    return False


def waits_for_us(stand: Stand) -> int:
    """Wait until somebody waits for our lock; gives their backend's process id."""
    waiting = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    eventually(lambda: bool(stand.query(waiting)), "a writer waits for the lock")
    return int(stand.query(waiting)[0]["pid"])


def test_a_worker_that_slept_past_its_lease_cannot_write(stand: Stand, sample: Sample) -> None:
    stand.fault("hold")
    with stand.worker(faulty=True) as sleeper:
        job = submit(stand, sample)
        stand.wait_held(job)
        with stopped(sleeper.pid):
            # Its child is not stopped and computes the whole result meanwhile.
            stand.no_fault()
            with stand.worker() as other:
                stand.ended(job)
                assert "stored" in other.log()
            before = stand.query("select * from public.clash_results order by id")
        eventually(lambda: "lease was lost" in sleeper.log(), "it notices", sleeper.log)
        assert "stored" not in sleeper.log()
        assert stand.query("select * from public.clash_results order by id") == before
        assert stand.outcomes(job) == ["lost", "finished"]
        assert_stored_once(stand, job, sample)
        # It is a good worker again.
        assert stand.ended(submit(stand, sample))["state"] == "finished"
        pids = everyone(sleeper)
    assert_nothing_left(stand, pids)


def test_a_worker_that_falls_asleep_while_storing_loses_its_transaction(
    stand: Stand, sample: Sample
) -> None:
    """Its open transaction locks the attempt; the server ends it, so that others get the job."""
    with stand.worker(IFCBASE_LEASE_S="1.5") as sleeper:
        with stand.connection() as blocker, blocker.transaction(force_rollback=True):
            blocker.execute("lock table clash.coverage in exclusive mode")
            job = submit(stand, sample)
            waits_for_us(stand)
            os.kill(sleeper.pid, signal.SIGSTOP)
        with stand.worker():
            stand.ended(job)
        os.kill(sleeper.pid, signal.SIGCONT)
        eventually(lambda: "lease was lost" in sleeper.log(), "it notices", sleeper.log)
    assert stand.outcomes(job) == ["lost", "finished"]
    assert_stored_once(stand, job, sample)


def test_a_worker_told_to_stop_hands_its_job_back(stand: Stand, sample: Sample) -> None:
    stand.fault("hold")
    with stand.worker(faulty=True) as first:
        # A job that may be tried once only: handing it back does not count.
        job = submit(stand, sample, job_attempts=1)
        stand.wait_held(job)
        pids = everyone(first)
        first.process.terminate()
        assert first.process.wait(10) == 0
    assert_nothing_left(stand, pids)
    assert stand.job(job)["state"] == "queued"
    stand.no_fault()
    with stand.worker():
        stand.ended(job)
    assert stand.outcomes(job) == ["released", "finished"]
    assert_stored_once(stand, job, sample)


@pytest.mark.slow
def test_no_job_is_lost_when_workers_die_at_arbitrary_moments(stand: Stand, sample: Sample) -> None:
    """Real checks, and a worker killed three times wherever it happens to be."""
    jobs = [submit(stand, sample, job_attempts=10) for _ in range(3)]
    for pause in (0.2, 0.9, 1.7):
        with stand.worker() as victim:
            time.sleep(pause)
            victim.kill()
    with stand.worker():
        for job in jobs:
            stand.ended(job)
    for job in jobs:
        *lost, last = stand.outcomes(job)
        assert set(lost) <= {"lost"}
        assert last == "finished"
        assert_stored_once(stand, job, sample, alone=False)
