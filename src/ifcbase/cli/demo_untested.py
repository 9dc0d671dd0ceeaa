"""The part of `ifcbase demo` that tests less than before: what is absent then is not solved."""

from __future__ import annotations

from pathlib import Path

from ifcbase.cli import waiting
from ifcbase.cli.output import console, counted
from ifcbase.cli.pairs import pairs_table
from ifcbase.errors import ComputeError
from ifcbase.files.backend import file_store
from ifcbase.jobs.engine import Connection
from ifcbase.jobs.engines import engine_for
from ifcbase.jobs.submit import Given, submit
from ifcbase.ledger import chains
from ifcbase.settings import Settings

#: A clash set of the demo whose second side is asked for without its pipes.
_SIDES = ("Structure", "Services")
_WITHOUT = "IfcPipeSegment"


def run(settings: Settings, connection: Connection, dsn: str, models: dict[str, Path]) -> None:
    """Check a clash set again with one class left out, and show what became of its pairs."""
    a, b = (models[side] for side in _SIDES)
    name = " vs ".join(_SIDES)
    narrowed = {
        "name": name,
        "a": [{"file": a.name}],
        "b": [{"file": b.name, "mode": "e", "selector": _WITHOUT}],
    }
    accepted = submit(
        connection,
        engine_for(settings, dsn),
        file_store(settings),
        settings,
        "clash",
        {"clash_sets": [narrowed], "mode": "intersection", "tolerance": 0.01},
        {path.name: Given(path) for path in (a, b)},
    )
    job = waiting.wait_for(connection, accepted.job_id)
    if job["state"] != "finished":
        waiting.report(job)
        raise ComputeError(f"the check without {_WITHOUT} is {job['state']}")
    chosen = chains.set_named(connection, job["project"], name)["id"]
    pairs = chains.list_pairs(connection, chosen, state="untested")
    found = job["outcome"]["clash_count"]
    out = console()
    out.say()
    out.print(
        pairs_table(
            f"{name} once more, without {_WITHOUT}: {counted(found, 'clash')}, "
            f"{len(pairs)} untested, none called solved",
            pairs,
        )
    )
