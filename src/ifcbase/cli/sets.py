"""`ifcbase sets`: clash sets and where they stand."""

from __future__ import annotations

from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, print_json, shortened, table, when
from ifcbase.ledger import chains

app = typer.Typer(help="Clash sets: list, show.", no_args_is_help=True)
STATES = ["new", "persisting", "reopened", "resolved", "removed", "untested"]


@app.command("list")
def list_(
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The clash sets with the states of their pairs after the last result."""
    with context.ledger_connection() as (settings, connection):
        found = chains.list_sets(connection, context.project_name(connection, settings, project))
    if as_json:
        print_json(found)
        return
    if not found:
        console().say("no clash sets yet")
        return
    columns = ["clash set", "version", "results", *STATES, "last result"]
    rows = [
        (shortened(s["set"]), s["version"], s["results"], *(s[state] for state in STATES),
         when(s["finished_at"]))
        for s in found
    ]  # fmt: skip
    console().print(table("Clash sets", columns, rows, right=["version", "results", *STATES]))


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of the clash set.")],
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """One clash set: its states, why pairs are untested, its pairs by class, its versions."""
    with context.ledger_connection() as (settings, connection):
        found = chains.set_named(
            connection, context.project_name(connection, settings, project), name
        )
        more = chains.describe_set(connection, found["id"])
    if as_json:
        print_json(found | more)
        return
    out = console()
    states = ", ".join(f"{found[state]} {state}" for state in STATES if found[state])
    out.print(f"{name}, {found['results']} results: {states or 'no pairs'}", markup=False)
    for each in more["untested"]:
        out.print(f"untested, {each['reason']}: {each['pairs']}", markup=False)
    closed = more["time_to_close"]
    if closed["closed"]:
        days = closed["median_s"] / 86400
        out.print(f"resolved pairs took {days:.1f} days (median of {closed['closed']})")
    columns = ["one", "other", "state", "pairs"]
    rows = [(b["one"], b["other"], b["state"], b["pairs"]) for b in more["by_class"]]
    out.print(table("By class", columns, rows, right=["pairs"]))
    versions = [(v["number"], v["results"], when(v["created_at"]), _asked(v["definition"]))
                for v in more["versions"]]  # fmt: skip
    columns = ["version", "results", "since", "asks"]
    out.print(table("Versions", columns, versions, right=["version", "results"]))


def _asked(definition: dict[str, object]) -> str:
    """Mode and numbers; the sides are shown with each result."""
    return ", ".join(
        f"{key} {value}" for key, value in definition.items() if key not in {"a", "b", "format"}
    )
