"""`ifcbase ledger`: does what is stored follow from what was seen?"""

from __future__ import annotations

from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, counted, print_json, table
from ifcbase.ledger import chains, diffs, ids

app = typer.Typer(help="The ledger itself: verify.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The ledger itself."""


@app.command("verify")
def verify(
    clash_set: Annotated[str | None, typer.Option("--set", help="Only this clash set.")] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Keep the derived states instead of the stored.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many differences to list.")] = 50,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Derive all states anew from sightings, failures, coverage and links.

    Exit code: 0 they agree with what is stored, 2 they differ.
    """
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        sets = (
            [chains.set_named(connection, name, clash_set)]
            if clash_set
            else chains.list_sets(connection, name)
        )
        series = [] if clash_set else ids.list_series(connection, name)
        found = [
            {"set": each["set"], **row}
            for each in sets
            for row in chains.verify(connection, each["id"], repair=repair)
        ]
        found += [
            {"set": f"{each['ids']} on {each['model']}", "pair_id": row.pop("finding_id"), **row}
            for each in series
            for row in ids.verify(connection, each["id"], repair=repair)
        ]
        # A named clash set is all that is asked about then.
        compared = [] if clash_set else diffs.list_series(connection, name)
        found += [
            {"set": f"diff of {each['name']}", **row}
            for each in compared
            for row in diffs.verify(connection, each["id"], repair=repair)
        ]
        # Undone or kept, every state was written once more: without this the tables stay twice as long.
        chains.sweep(connection)
    if as_json:
        print_json({"sets": len(sets), "series": len(series), "differences": found})
    elif found:
        columns = ["set", "what", "pair_id", "result_id", "stored", "derived"]
        rows = [tuple(row[column] for column in columns) for row in found[:limit]]
        console().print(table(counted(len(found), "difference"), columns, rows))
        if repair:
            console().say(
                "the derived states are kept now; the rows they replaced were freed, and the tables "
                "keep that room for what comes"
            )
    else:
        verified = [counted(len(sets), "clash set")]
        if series:
            verified.append(counted(len(series), "IDS file") + " on their models")
        if compared:
            verified.append(counted(len(compared), "model") + " with diffs")
        console().say(f"{', '.join(verified)} verified: stored and derived agree")
    raise typer.Exit(2 if found else 0)
