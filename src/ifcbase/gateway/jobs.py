"""Jobs of a caller's project: as our own clients see them, and as existing clients do."""

from __future__ import annotations

import uuid
from typing import Any

from ifcbase.errors import NotFound
from ifcbase.gateway import names
from ifcbase.gateway.caller import Caller
from ifcbase.gateway.repeats import once_done
from ifcbase.gateway.state import rows
from ifcbase.jobs import submit
from ifcbase.ledger import reading
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.gateway", "jobs.sql")

#: The states of jobs in the words of existing clients. They stop asking at "finished" and "failed"
#: only: a cancelled job is one that failed, and says why.
OLD_STATES = {
    "queued": "queued",
    "running": "started",
    "computed": "started",
    "finished": "finished",
    "failed": "failed",
    "cancelled": "failed",
}
#: Clashes up to which the answer to a finished job holds the whole report: people poll for it.
REPORTED_WHOLE = 1000
#: What people and some clients look for in the words of a crash.
SIGNALS = {"SIGSEGV": 11, "SIGABRT": 6, "SIGKILL": 9, "SIGBUS": 7, "SIGILL": 4, "SIGFPE": 8}


def show(caller: Caller, job_id: str) -> dict[str, Any]:
    """All a reader may know of a job. Raises NotFound."""
    return _one(caller, "show", job_id)


def _one(caller: Caller, query: str, job_id: str) -> dict[str, Any]:
    try:
        wanted = str(uuid.UUID(job_id))
    except ValueError:
        raise NotFound(f"{job_id!r} is not the id of a job") from None
    with caller.transaction() as connection:
        found = rows(connection, _SQL[query], {"job": wanted, "project": caller.project_id})
    if not found:
        raise NotFound(f"there is no job {job_id} in the project")
    return found[0]


def page(
    caller: Caller, *, state: str | None, check: str | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Jobs of the project, latest first."""
    with caller.transaction() as connection:
        return rows(
            connection,
            _SQL["list"],
            {"project": caller.project_id, "state": state, "check": check, "before": before,
             "limit": limit},
        )  # fmt: skip


def cancel(caller: Caller, job_id: str, key: str | None = None) -> str:
    """Cancel a job: "cancelled" at once while it waits, else "cancelling"; once per idempotency key.

    Raises NotFound, Conflict, IdempotencyKeyReused."""
    with caller.transaction() as connection:

        def do() -> str:
            caller.note(connection, "cancel job", job_id)
            return submit.cancel_job(connection, job_id)

        return str(once_done(caller, connection, key, ["cancel", job_id], do)[0])


def requeue(caller: Caller, job_id: str, key: str | None = None) -> None:
    """Let a failed or cancelled job try again; once per idempotency key.

    Raises NotFound, Conflict, IdempotencyKeyReused."""
    with caller.transaction() as connection:

        def do() -> None:
            caller.note(connection, "requeue job", job_id)
            submit.requeue_job(connection, caller.gateway.engine, job_id)

        once_done(caller, connection, key, ["requeue", job_id], do)


def status(caller: Caller, job_id: str) -> dict[str, Any]:
    """The state of a job in the words of existing clients. Raises NotFound."""
    job = _one(caller, "status", job_id)
    cancelled = job["state"] == "cancelled"
    result = old_result(job) if job["state"] == "finished" else None
    if result is not None and job["check"] == "clash":
        result["result"] = _report(caller, result)
    return {
        "job_id": job["id"],
        "status": OLD_STATES[job["state"]],
        "result": result,
        "error": "The job was cancelled." if cancelled else _old_error(job["error"]),
        "progress": job["progress"],
        "execution_time_seconds": job["seconds"],
        "created_at": job["created_at"],
        "started_at": job["started_at"],
        "ended_at": job["ended_at"],
        # Ours, beside theirs.
        "state": job["state"],
        "check": job["check"],
    }


def old_result(job: dict[str, Any]) -> dict[str, Any]:
    """What a finished job found, with the keys existing clients read."""
    outcome = dict(job["outcome"] or {})
    if "output_path" in outcome:
        outcome["output_path"] = names.output_path(job["check"], outcome["output_path"])
    outcome.setdefault("message", None)
    # They show it in red: what was not tested, and why.
    outcome["warning"] = bool(outcome.get("warnings"))
    outcome["execution_time"] = job["seconds"]
    return outcome


def _report(caller: Caller, result: dict[str, Any]) -> list[Any] | None:
    """The sets of a finished clash job in ifcclash's shape; None if they are many, or thinned: then
    the file that ``output_path`` names is what there is. None, too, where the outcome
    names no results."""
    if "db_ids" not in result or int(result["clash_count"]) > REPORTED_WHOLE:
        return None
    with caller.transaction() as connection:
        documents = [reading.document(connection, number) for number in result["db_ids"]]
    return None if None in documents else [each for sets in documents for each in sets]


def _old_error(error: dict[str, Any] | None) -> str | None:
    if error is None:
        return None
    words = f"{error.get('title')}: {error.get('message')}. {error.get('hint')}"
    for name, number in SIGNALS.items():
        if name in words:
            return f"{words} (signal {number})"
    return words
