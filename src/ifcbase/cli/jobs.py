"""`ifcbase jobs`: what waits, runs and has ended."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ifcbase.cli import context, waiting
from ifcbase.cli.output import JsonOption, console, print_json, shortened, table, when
from ifcbase.jobs import submit
from ifcbase.settings import get_settings

app = typer.Typer(help="Jobs: list, show, cancel, requeue, wait.", no_args_is_help=True)

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The id, or how it begins.")]


@app.command("list")
def list_(
    state: Annotated[
        str | None, typer.Option(help="queued, running, computed, finished, failed or cancelled.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The latest jobs, newest first."""
    with context.ledger_connection() as (settings, connection):
        jobs = submit.list_jobs(
            connection,
            context.project_name(connection, settings, project),
            state=state,
            limit=limit,
        )
    if as_json:
        print_json(jobs)
        return
    if not jobs:
        console().say(f"no {state} jobs" if state else "no jobs yet")
        return
    rows = [
        (
            job["id"][:8],
            job["check"],
            _about(job),
            job["state"],
            _how(job),
            job["attempts"],
            "" if job["seconds"] is None else f"{job['seconds']:.1f}",
            when(job["created_at"]),
        )
        for job in jobs
    ]
    columns = ["job", "check", "about", "state", "", "attempts", "seconds", "accepted"]
    console().print(table("Jobs", columns, rows, right=["attempts", "seconds"]))


def _about(job: dict[str, Any]) -> str:
    """The clash sets a job is asked for and the models it is about: "A x B: arc, mep"."""
    sets = shortened(", ".join(filter(None, job["sets"])), 40)
    return ": ".join(filter(None, [sets, shortened(", ".join(job["inputs"]), 60)]))


def _how(job: dict[str, Any]) -> str:
    """What there is to say in a few words."""
    if job["error"]:
        return str(job["error"].get("title", ""))
    if job["state"] == "finished" and job["outcome"]:
        return waiting.in_words(job["outcome"])
    if job["state"] == "computed":
        told = job["progress"] or {}
        return f"not stored yet, waits on {told.get('host', 'its worker')}: {told.get('note', '')}"
    if job["state"] == "running" and job["progress"]:
        return f"{job['progress']['phase']} {job['progress']['fraction']:.0%}"
    return ""


@app.command("show")
def show(job: JobArgument, as_json: JsonOption = False) -> None:
    """One job with its inputs, attempts and outcome."""
    with context.ledger_connection() as (_, connection):
        found = submit.show_job(connection, submit.full_id(connection, job))
    if as_json:
        print_json(found)
        return
    out = console()
    out.say(f"job {found['id']}: {found['check']}, {found['state']}", style="bold")
    if found["error"]:
        out.say(found["error"]["message"])
        out.say(found["error"]["hint"], style="dim")
    if found["state"] == "computed":
        out.say(_how(found))
    rows: list[tuple[Any, ...]] = [
        (i["name"], i["model"], i["number"], i["sha256"][:12]) for i in found["inputs"]
    ]
    out.print(table("Inputs", ["name", "model", "version", "sha256"], rows))
    rows = [
        (a["number"], a["worker"], a["outcome"] or "running", (a["error"] or {}).get("message"))
        for a in found["attempts"]
    ]
    out.print(table("Attempts", ["", "worker", "outcome", "error"], rows))
    if found["outcome"]:
        rows = [
            (each["id"], each["name"], each["summary"], each["verdict"])
            for each in waiting.results_of(found["outcome"])
        ]
        out.print(table("Results", ["result", "of", "found", "verdict"], rows))
    if found["outputs"]:
        rows = [(each["name"], each["sha256"][:12]) for each in found["outputs"]]
        out.print(table("Outputs", ["name", "sha256"], rows))


@app.command("cancel")
def cancel(job: JobArgument, as_json: JsonOption = False) -> None:
    """Cancel a job; a running one stops within two seconds."""
    with context.ledger_connection() as (_, connection):
        job_id = submit.full_id(connection, job)
        state = submit.cancel_job(connection, job_id)
    _changed(job_id, state, as_json)


@app.command("requeue")
def requeue(job: JobArgument, as_json: JsonOption = False) -> None:
    """Let a failed or cancelled job try again."""
    # Here and not above: only this one hands a job to the queue.
    from ifcbase.jobs.engines import engine_for

    settings = get_settings()
    engine = engine_for(settings, context.database(settings))
    with context.ledger_connection() as (_, connection):
        job_id = submit.full_id(connection, job)
        submit.requeue_job(connection, engine, job_id)
    _changed(job_id, "queued", as_json)


def _changed(job_id: str, state: str, as_json: bool) -> None:
    if as_json:
        print_json({"job_id": job_id, "state": state})
    else:
        console().say(f"the job is {state}")


@app.command("wait")
def wait(job: JobArgument, as_json: JsonOption = False) -> None:
    """Wait for a job to end; the exit code is that of its check."""
    with context.ledger_connection() as (_, connection):
        found = waiting.wait_for(connection, submit.full_id(connection, job))
    if as_json:
        print_json(found)
    raise typer.Exit(waiting.report(found, quiet=as_json))
