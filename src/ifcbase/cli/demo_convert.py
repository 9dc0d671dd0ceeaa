"""The part of `ifcbase demo` that converts: the sample's architecture as GLB, through the queue."""

from __future__ import annotations

from pathlib import Path

from ifcbase.cli import waiting
from ifcbase.cli.output import console
from ifcbase.errors import ComputeError
from ifcbase.files.backend import file_store
from ifcbase.jobs.engine import Connection
from ifcbase.jobs.engines import engine_for
from ifcbase.jobs.submit import Given, submit
from ifcbase.settings import Settings


def begin(settings: Settings, connection: Connection, dsn: str, model: Path) -> str:
    """Submit the conversion; gives the job."""
    accepted = submit(
        connection,
        engine_for(settings, dsn),
        file_store(settings),
        settings,
        "conversion",
        {"input_filename": model.name, "output_filename": f"{model.stem}.glb"},
        {model.name: Given(model)},
    )
    return accepted.job_id


def finish(settings: Settings, connection: Connection, job_id: str) -> None:
    """Wait for the conversion and say what came of it and where it lies."""
    job = waiting.wait_for(connection, job_id, settings=settings, goes_on=False)
    if job["state"] != "finished":
        waiting.report(job)
        raise ComputeError(f"the conversion is {job['state']}")
    outcome = job["outcome"]
    made = file_store(settings).fetch(job["project"], outcome["output_sha256"])
    out = console()
    out.say()
    out.say("Conversion", style="bold")
    out.say(f"{outcome['output_path']}: {waiting.in_words(outcome)}, {made.stat().st_size} bytes")
    out.say(f"  {made}")
