"""What Postgres refuses in a document must not cost a result or hide an error."""

from __future__ import annotations

import pytest

from ifcbase.jobs.submit import show_job
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.world import World, coverage, finish_empty, footer, header, start

#: What refuses a whole jsonb document: NUL, a lone surrogate, numbers JSON does not have.
UNCLEAN = {
    "stderr_tail": "before \x00 after",
    "half a \ud800": ["\udfff", {"peak": float("nan"), "most": float("inf")}],
}
CLEAN = {
    "stderr_tail": "before \ufffd after",
    "half a \ufffd": ["\ufffd", {"peak": None, "most": None}],
}


def test_a_computed_result_was_thrown_away_for_a_nul_on_stderr(
    any_busy: World, any_store: PostgresLedger
) -> None:
    job = any_busy.job({"A": "a"})
    with any_store.writing(start(any_store, job).token) as writer:
        result = writer.open_result(header("nothing") | {"output_filename": "a\x00.json"})
        rows = [coverage(0, "a", "A.ifc", 0) | {"more \x00": "\ud800"}]
        writer.append_rows(result, "coverage", rows)
        writer.finish_result(result, footer(0, warnings=["a wall \ud800"]))
        writer.finish_job({"note": "\x00"}, UNCLEAN)
    shown = show_job(any_busy.connection, job.id)
    assert shown["state"] == "finished"
    assert shown["outcome"] == {"note": "\ufffd"}
    assert shown["attempts"][0]["facts"] == CLEAN


def test_the_true_error_was_lost_for_a_nul_in_its_message(
    any_busy: World, any_store: PostgresLedger
) -> None:
    job = any_busy.job({"A": "a"}, attempts=1)
    state = any_store.fail_attempt(
        start(any_store, job).token,
        outcome="failed",
        error={"code": "native-crash", "message": "it broke \x00", "detail": "\ud800"},
        may_retry=True,
        facts=UNCLEAN,
    )
    assert state == "failed"
    shown = show_job(any_busy.connection, job.id)
    assert shown["error"]["message"] == "it broke \ufffd"
    assert shown["error"]["code"] == "native-crash"
    assert shown["attempts"][0]["facts"] == CLEAN


@pytest.mark.parametrize("note", ["wall \x00", "wall \ud800"], ids=["NUL", "surrogate"])
def test_a_progress_note_with_a_nul_stopped_the_heartbeat(
    busy: World, store: PostgresLedger, note: str
) -> None:
    job = busy.job({"A": "a"})
    attempt = start(store, job)
    progress = {"phase": "testing", "fraction": 0.5, "note": note, "eta_s": float("inf")}
    assert store.heartbeat(attempt.token, progress) is False
    shown = show_job(busy.connection, job.id)
    assert shown["progress"] == {
        "phase": "testing", "fraction": 0.5, "note": "wall \ufffd", "eta_s": None,
    }  # fmt: skip


def test_a_lease_that_lapses_while_writing_is_kept_without_savepoints(
    busy: World, store: PostgresLedger
) -> None:
    """The database knows the writer's transaction by its number, which a savepoint would change."""
    job = busy.job({"A": "a"})
    attempt = start(store, job, lease_s=0.2)
    with store.writing(attempt.token) as writer:
        result = writer.open_result(header("nothing"))
        busy.sql("select pg_sleep(0.5)")
        writer.append_rows(result, "coverage", [coverage(0, "a", "A.ifc", 0)])
        writer.finish_result(result, footer(0))
        writer.finish_job({}, {})
    assert busy.state(job) == "finished"
    again = busy.job({"A": "a"})
    with store.writing(start(store, again).token) as writer:
        finish_empty(writer, {})
