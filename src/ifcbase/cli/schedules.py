"""`ifcbase schedules`: what is done by itself, and doing it by hand."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, counted, errors_console, print_json, table, when
from ifcbase.exchange.period import write_period
from ifcbase.files.backend import remover
from ifcbase.ledger import operations

app = typer.Typer(help="Schedules: list, set, retention, report.", no_args_is_help=True)

AgeOption = Annotated[str, typer.Option(help="How old results must be, such as `180 days`.")]
KeepOption = Annotated[int, typer.Option(min=1, help="How many of each set are spared.")]


@app.command("list")
def list_schedules(as_json: JsonOption = False) -> None:
    """What is done by itself, how often, when next, and who is the clock."""
    with context.ledger_connection() as (_, connection):
        found = operations.schedules(connection)
    if as_json:
        print_json(found)
        return
    rows = [
        (s["name"], "on" if s["active"] else "off", s["every"], when(s["next_at"]),
         ", ".join(f"{k} {v}" for k, v in s["settings"].items()))
        for s in found
    ]  # fmt: skip
    console().print(table("Schedules", ["name", "", "every", "next", "settings"], rows))
    console().say(f"clock: {found[0]['clock']}")


@app.command("set")
def set_schedule(
    name: Annotated[str, typer.Argument(help="retention or report.")],
    on: Annotated[bool | None, typer.Option("--on/--off", help="Switch it.")] = None,
    every: Annotated[str | None, typer.Option(help="Time between two runs.")] = None,
    age: Annotated[str | None, typer.Option(help="Retention: how old results must be.")] = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Retention: how many of each set are spared.")
    ] = None,
) -> None:
    """Switch a schedule on or off, or change it."""
    settings = {k: v for k, v in {"age": age, "keep": keep}.items() if v is not None}
    with context.ledger_connection() as (_, connection):
        if age is not None:
            operations.thinnable(connection, age, keep or 1)
        operations.set_schedule(connection, name, active=on, every=every, settings=settings)
    console().say(f"{name} changed")


@app.command("retention")
def retention(
    age: AgeOption = "180 days",
    keep: KeepOption = 2,
    apply: Annotated[bool, typer.Option("--apply", help="Thin them; else only shown.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Results in one transaction.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Thin old results: sightings, documents and files go; states, counts and decisions stay."""
    with context.ledger_connection() as (settings, connection):
        if apply:
            found = []
            while rows := operations.thin(connection, age, keep, batch):
                found += rows
            files = remover(settings)
            if files:
                with closing(files):
                    while operations.remove_unwanted(connection, files):
                        pass
            if found and files is None:
                errors_console().say(
                    "their files stay in Storage: removing them needs SUPABASE_SERVICE_KEY"
                )
            elif found and files and files.careful:
                errors_console().say("their files leave Storage after a day, by a worker")
            if found:
                operations.note(connection, "retention", {"thinned": len(found), "caller": "hand"})
        else:
            found = operations.thinnable(connection, age, keep)
    if as_json:
        print_json({"applied": apply, "results": found})
        return
    rows_shown = [(r["check"], r["result_id"], r["name"], when(r["finished_at"])) for r in found]
    columns = ["check", "result", "name", "finished"]
    console().print(table(counted(len(found), "result"), columns, rows_shown))
    console().say("thinned" if apply else "nothing was changed; with --apply they are thinned")


@app.command("report")
def report(
    folder: Annotated[Path | None, typer.Option("-o", "--output", help="Folder for it.")] = None,
    period: Annotated[str, typer.Option(help="How far back it looks.")] = "7 days",
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What became new, solved, open and untested, by check and discipline; now."""
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        document = operations.period_report(connection, name, period)
        target = folder or settings.reports
    if as_json:
        print_json(document)
        return
    for path in write_period(document, target):
        console().say(str(path))
