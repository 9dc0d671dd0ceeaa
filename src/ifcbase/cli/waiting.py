"""Waiting for a job, with its progress shown, and the exit code its outcome means."""

from __future__ import annotations

import time
from typing import Any

from ifcbase.cli.output import console, counted, errors_console, progress_line
from ifcbase.errors import from_dict
from ifcbase.jobs.engine import Connection
from ifcbase.jobs.submit import show_job

ENDED = {"finished", "failed", "cancelled"}
EXIT_CODES = {"clean": 0, "found": 1, "inconclusive": 3}


def wait_for(connection: Connection, job_id: str, *, poll_s: float = 0.25) -> dict[str, Any]:
    """Wait until the job has ended; gives the job."""
    with progress_line() as line:
        while (job := show_job(connection, job_id))["state"] not in ENDED:
            progress = job["progress"] or {}
            line(
                str(progress.get("phase") or job["state"]),
                float(progress.get("fraction") or 0.0),
                str(progress.get("note") or ""),
            )
            time.sleep(poll_s)
    return job


def report(job: dict[str, Any], *, quiet: bool = False) -> int:
    """Say how a job ended; gives the exit code."""
    if job["state"] != "finished":
        error = from_dict(job["error"]) if job["error"] else None
        if not quiet:
            errors_console().say(f"the job is {job['state']}")
            if error:
                errors_console().say(error.message)
                errors_console().say(error.hint, style="dim")
        return error.exit_code if error else 2
    outcome = job["outcome"]
    if not quiet:
        console().say(
            f"job {job['id'][:8]}: {counted(outcome['clash_count'], 'clash')}, {outcome['verdict']}; "
            f"results {', '.join(str(i) for i in outcome['db_ids'])}"
        )
    return EXIT_CODES[outcome["verdict"]]
