"""What becomes of a job: the states and what leads from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ifcbase.errors import Conflict, LeaseLost, NotFound
from ifcbase.jobs.submit import cancel_job, full_id, list_jobs, show_job
from ifcbase.ledger.connect import translated
from ifcbase.ledger.interface import Attempt
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.world import Job, World, finish_empty, header, start

UNKNOWN = "b6f1d6a0-3f6c-4b9e-9d35-6c1f1c1f1c1f"
Step = Callable[[World, PostgresLedger, Job], Attempt | None]


def fail(
    store: PostgresLedger, attempt: Attempt, outcome: str = "failed", *, may_retry: bool = True
) -> str:
    return store.fail_attempt(
        attempt.token,
        outcome=outcome,
        error={"code": "native-crash", "message": "it broke"},
        may_retry=may_retry,
        facts={"signal": "SIGSEGV"},
    )


def queued(world: World, store: PostgresLedger, job: Job) -> None:
    return None


def running(world: World, store: PostgresLedger, job: Job) -> Attempt:
    return start(store, job)


def finished(world: World, store: PostgresLedger, job: Job) -> None:
    with store.writing(start(store, job).token) as writer:
        finish_empty(writer, {"clash_count": 0})


def failed(world: World, store: PostgresLedger, job: Job) -> None:
    assert fail(store, start(store, job), may_retry=False) == "failed"


def cancelled(world: World, store: PostgresLedger, job: Job) -> None:
    assert cancel_job(world.connection, job.id) == "cancelled"


def requeue(world: World, job: Job) -> None:
    with translated():
        world.sql("select core.requeue_job(%s)", job.id)


@pytest.mark.parametrize(
    ("step", "to_cancel", "to_requeue"),
    [
        (queued, "cancelled", Conflict),
        (running, "running", Conflict),
        (finished, Conflict, Conflict),
        (failed, Conflict, "queued"),
        (cancelled, Conflict, "queued"),
    ],
)
def test_what_can_be_done_to_a_job_in_each_state(
    busy: World, store: PostgresLedger, step: Step, to_cancel: Any, to_requeue: Any
) -> None:
    """The new state, or the refusal, which changes nothing."""
    actions: list[tuple[Any, Callable[[Job], object]]] = [
        (to_cancel, lambda job: cancel_job(busy.connection, job.id)),
        (to_requeue, lambda job: requeue(busy, job)),
    ]
    for expected, act in actions:
        job = busy.job({"A": "a"})
        step(busy, store, job)
        if isinstance(expected, str):
            act(job)
            assert busy.state(job) == expected
        else:
            before = show_job(busy.connection, job.id)
            with pytest.raises(expected):
                act(job)
            after = show_job(busy.connection, job.id)
            assert {k: v for k, v in after.items() if k != "seconds"} == {
                k: v for k, v in before.items() if k != "seconds"
            }
        taken = store.start_attempt(job.id, worker="w", host="h", lease_s=60)
        assert (taken is not None) == ((busy.state(job) in {"running"} and expected == "queued") or (
            step is queued and act is actions[1][1]
        ))  # fmt: skip


@pytest.mark.parametrize("job_id", [UNKNOWN, "not an id", ""])
def test_unknown_jobs(busy: World, job_id: str) -> None:
    for act in (show_job, cancel_job):
        with pytest.raises(NotFound):
            act(busy.connection, job_id)
    with pytest.raises(NotFound), translated():
        busy.sql("select core.requeue_job(%s)", UNKNOWN)


def test_a_running_job_is_cancelled_when_its_attempt_says_so(
    busy: World, store: PostgresLedger
) -> None:
    job = busy.job({"A": "a"})
    attempt = start(store, job)
    assert cancel_job(busy.connection, job.id) == "cancelling"
    assert cancel_job(busy.connection, job.id) == "cancelling", "asking twice is harmless"
    assert fail(store, attempt, "cancelled", may_retry=True) == "cancelled"
    shown = show_job(busy.connection, job.id)
    assert (shown["state"], shown["cancel_requested"]) == ("cancelled", True)
    assert shown["ended_at"] is not None


def test_a_cancelled_job_whose_worker_dies_is_not_tried_again(
    busy: World, store: PostgresLedger
) -> None:
    job = busy.job({"A": "a"})
    attempt = start(store, job)
    cancel_job(busy.connection, job.id)
    busy.lapse(attempt.token)
    assert busy.reap()[job.id] == "cancelled"


def test_a_result_that_is_stored_wins_over_a_late_cancel(
    busy: World, store: PostgresLedger
) -> None:
    job = busy.job({"A": "a"})
    attempt = start(store, job)
    cancel_job(busy.connection, job.id)
    with store.writing(attempt.token) as writer:
        finish_empty(writer, {"db_id": 1})
    assert busy.state(job) == "finished"


def test_lost_attempts_are_tried_again_up_to_the_allowed_number(
    any_busy: World, any_store: PostgresLedger
) -> None:
    job = any_busy.job({"A": "a"}, attempts=3)
    states = []
    for number in (1, 2, 3):
        attempt = start(any_store, job)
        assert attempt.number == number
        with any_store.writing(attempt.token) as writer:
            writer.open_result(header())
        any_busy.lapse(attempt.token)
        states.append(any_busy.reap()[job.id])
    assert states == ["queued", "queued", "failed"]
    assert any_store.start_attempt(job.id, worker="w", host="h", lease_s=9) is None
    shown = show_job(any_busy.connection, job.id)
    assert shown["error"]["code"] == "attempts-lost"
    assert [(a["number"], a["outcome"]) for a in shown["attempts"]] == [
        (1, "lost"),
        (2, "lost"),
        (3, "lost"),
    ]
    assert all("fell silent" in a["error"]["message"] for a in shown["attempts"])
    left = any_busy.value("select count(*) from clash.results where job_id = %s", job.id)
    assert left == 0, "the reaper sweeps what lost attempts had begun"


def test_the_reaper_takes_no_lease_that_lives(busy: World, store: PostgresLedger) -> None:
    job = busy.job({"A": "a"})
    attempt = start(store, job)
    assert job.id not in busy.reap()
    busy.lapse(attempt.token)
    assert job.id in busy.reap()
    assert job.id not in busy.reap(), "once is enough"


def test_a_failure_worth_a_retry_is_tried_again_and_another_is_not(
    busy: World, store: PostgresLedger
) -> None:
    job = busy.job({"A": "a"}, attempts=2)
    assert fail(store, start(store, job)) == "queued"
    assert show_job(busy.connection, job.id)["error"] is None, "it may still succeed"
    assert fail(store, start(store, job)) == "failed"
    shown = show_job(busy.connection, job.id)
    assert shown["error"]["code"] == "native-crash"
    assert [a["facts"] for a in shown["attempts"]] == [{"signal": "SIGSEGV"}] * 2
    hopeless = busy.job({"A": "a"}, attempts=3)
    assert fail(store, start(store, hopeless), may_retry=False) == "failed"


def test_released_attempts_do_not_count(busy: World, store: PostgresLedger) -> None:
    """A worker that is stopped gives its job back as often as it likes."""
    job = busy.job({"A": "a"}, attempts=1)
    for _ in range(4):
        assert fail(store, start(store, job), "released", may_retry=False) == "queued"
    assert fail(store, start(store, job)) == "failed"


def test_a_requeued_job_has_as_many_attempts_as_at_first(
    busy: World, store: PostgresLedger
) -> None:
    """The number once doubled with every requeue."""
    job = busy.job({"A": "a"}, attempts=2)
    for _ in range(4):
        assert fail(store, start(store, job)) == "queued"
        assert fail(store, start(store, job)) == "failed"
        requeue(busy, job)
        assert busy.state(job) == "queued"
    shown = show_job(busy.connection, job.id)
    assert shown["ended_at"] is None
    assert shown["error"] is None
    assert len(shown["attempts"]) == 8


@pytest.mark.parametrize("outcome", ["finished", "lost", "sleeping"])
def test_an_attempt_cannot_end_in_a_way_of_its_own(
    busy: World, store: PostgresLedger, outcome: str
) -> None:
    attempt = start(store, busy.job({"A": "a"}))
    with pytest.raises(Exception, match="an attempt fails, is cancelled or is released"):
        fail(store, attempt, outcome)
    assert store.heartbeat(attempt.token) is False


def test_an_ended_attempt_cannot_end_again(busy: World, store: PostgresLedger) -> None:
    attempt = start(store, busy.job({"A": "a"}))
    fail(store, attempt)
    with pytest.raises(LeaseLost):
        fail(store, attempt)


def test_jobs_are_listed_and_found_by_the_beginning_of_their_ids(
    busy: World, store: PostgresLedger
) -> None:
    jobs = [busy.job({"A": "a"}) for _ in range(3)]
    cancelled(busy, store, jobs[1])
    project = busy.value("select name from core.projects where id = %s", busy.project)
    assert [row["id"] for row in list_jobs(busy.connection, project)] == [j.id for j in jobs[::-1]]
    only = list_jobs(busy.connection, project, state="cancelled")
    assert [row["id"] for row in only] == [jobs[1].id]
    assert [row["id"] for row in list_jobs(busy.connection, project, limit=1)] == [jobs[2].id]
    assert full_id(busy.connection, jobs[0].id) == jobs[0].id
    for wrong in ("%", "____", "abc", jobs[0].id + "0", "ffff%"):
        with pytest.raises(NotFound):
            full_id(busy.connection, wrong)
    same = "aaaaaaaa-0000-4000-8000-00000000000"
    for digit in "12":
        busy.sql(
            "insert into core.jobs (id, project_id, check_name, request, timeout_s, memory_mb)"
            " values (%s, %s, 'clash', '{}', 1, 1)", same + digit, busy.project,
        )  # fmt: skip
    with pytest.raises(Conflict, match="several"):
        full_id(busy.connection, "aaaaaaaa-0000")
    assert full_id(busy.connection, same + "2") == same + "2"
