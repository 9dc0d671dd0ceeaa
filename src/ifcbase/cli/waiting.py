"""Waiting for a job, with its progress shown, and the exit code its outcome means."""

from __future__ import annotations

import logging
import time
from typing import Any

from ifcbase.cli import context
from ifcbase.cli.output import (
    console,
    counted,
    errors_console,
    partly_tested,
    progress_line,
    say_error,
)
from ifcbase.errors import ConfigError, IfcbaseError, LedgerUnavailable, StackError, from_dict
from ifcbase.jobs.engine import Connection
from ifcbase.jobs.submit import show_job
from ifcbase.ledger.connect import connect
from ifcbase.settings import Settings, get_settings

_LOG = logging.getLogger(__name__)

#: How long a database that does not answer is waited for, in seconds.
PATIENCE_S = 60.0
ENDED = {"finished", "failed", "cancelled"}
#: What the verdicts of the checks mean to a program that waits.
EXIT_CODES = {
    "clean": 0,
    "passed": 0,
    "converted": 0,
    "unchanged": 0,
    "found": 1,
    "failed": 1,
    "changed": 1,
    "inconclusive": 3,
}


def wait_for(
    connection: Connection,
    job_id: str,
    *,
    poll_s: float = 0.25,
    settings: Settings | None = None,
    goes_on: bool = True,
    patience_s: float = PATIENCE_S,
) -> dict[str, Any]:
    """Wait until the job has ended; gives the job. Ctrl-C ends the waiting, not the job, which is
    said where ``goes_on``. A database that goes away is waited for, ``patience_s`` seconds.

    Raises IfcbaseError with ``job_id``; LedgerUnavailable when the database stays away."""
    short = job_id[:8]
    ledger = _Ledger(connection, settings, patience_s)
    try:
        with progress_line() as line:
            while (job := ledger.job(job_id))["state"] not in ENDED:
                progress = job["progress"] or {}
                line(
                    str(progress.get("phase") or job["state"]),
                    float(progress.get("fraction") or 0.0),
                    str(progress.get("note") or ""),
                )
                time.sleep(poll_s)
    except KeyboardInterrupt:
        if goes_on:
            errors_console().say(
                f"job {short} goes on: `ifcbase jobs wait {short}` or `ifcbase jobs cancel {short}`"
            )
        raise
    except LedgerUnavailable as error:
        given_up = LedgerUnavailable(
            f"job {short} is submitted, but the database did not come back in "
            f"{patience_s:g} s: {error.message}",
            hint=f"When it is up again: `ifcbase jobs wait {short}`.",
        )
        given_up.job_id = job_id
        raise given_up from error
    except IfcbaseError as error:
        error.job_id = job_id
        raise
    finally:
        ledger.close()
    return job


class _Ledger:
    """A connection that was given, and another one in its place when it is lost."""

    def __init__(
        self, connection: Connection, settings: Settings | None, patience_s: float
    ) -> None:
        self._connection = connection
        self._own: Connection | None = None
        self._settings = settings
        self._patience_s = patience_s

    def job(self, job_id: str) -> dict[str, Any]:
        """The job, once the database answers. Raises NotFound, LedgerUnavailable."""
        deadline, pause = time.monotonic() + self._patience_s, 0.1
        while True:
            try:
                return show_job(self._own or self._connection, job_id)
            except LedgerUnavailable:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 2.0)
            self._reconnect()

    def _reconnect(self) -> None:
        """Another connection, if there is one to be had yet; the next try tells what is missing."""
        settings = self._settings or get_settings()
        try:
            context.revive(settings)
            found = connect(context.database(settings))
        except (LedgerUnavailable, StackError, ConfigError) as error:
            # Starting up, or being started by somebody else; whoever waits asks again.
            _LOG.debug("no connection yet: %s", error.message)
            return
        self.close()
        self._own = found

    def close(self) -> None:
        """Close what this object opened; the connection that was given is its giver's."""
        if self._own is not None:
            self._own.close()
            self._own = None


def report(job: dict[str, Any], *, quiet: bool = False) -> int:
    """Say how a job ended; gives the exit code."""
    short = job["id"][:8]
    if job["state"] != "finished":
        error = from_dict(job["error"]) if job["error"] else None
        if not quiet and error:
            say_error(f"job {short} is {job['state']}: {error.message}", error.hint)
        elif not quiet:
            say_error(f"job {short} is {job['state']}", f"See `ifcbase jobs show {short}`.")
        return error.exit_code if error else 2
    outcome = job["outcome"]
    if not quiet:
        ids = outcome["db_ids"]
        results = f"result{'s' if len(ids) != 1 else ''} {', '.join(str(i) for i in ids)}"
        console().say(f"job {short} is finished: {results}")
        _show_results(job["check"], outcome)
    return EXIT_CODES[outcome["verdict"]]


def results_of(outcome: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of a finished job as its outcome lists them."""
    if "results" in outcome:
        return list(outcome["results"])
    # Jobs that were finished before checks other than clash existed.
    return [
        {"summary": counted(each["clash_count"], "clash"), **each}
        for each in outcome.get("sets", [])
    ]


def in_words(outcome: dict[str, Any]) -> str:
    """A finished job in a few words."""
    found = results_of(outcome)
    if len(found) == 1:
        return f"{found[0]['summary']}, {found[0]['verdict']}"
    if "clash_count" in outcome:
        return f"{counted(outcome['clash_count'], 'clash')}, {outcome['verdict']}"
    return str(outcome["verdict"])


def _show_results(check: str, outcome: dict[str, Any]) -> None:
    """One line for each result, and below it why it says no more than it does."""
    out = console()
    results = results_of(outcome)
    for each in results:
        out.say(f"{each['name']}: {each['summary']}, {each['verdict']}")
        own = f"{each['name']}: "
        for warning in outcome.get("warnings", []):
            if warning.startswith(own) or len(results) == 1:
                out.say(f"warning: {warning.removeprefix(own)}")
        if check == "clash":
            if each["coverage"] < 1:
                out.say(partly_tested(each["coverage"]))
            elif each["verdict"] == "inconclusive":
                out.say("a side or a model of it had no element that could be tested")
        option = "" if check == "clash" else f" --check {check}"
        out.say(f"see `ifcbase results show {each['id']}{option}`")
