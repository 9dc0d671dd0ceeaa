"""`ifcbase trend`: a clash set over time, as a chart of plain characters."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, print_json, table, when
from ifcbase.ledger import chains

#: What is still a clash, as far as anybody knows, and the sign it is drawn with.
SIGNS = {"new": "n", "reopened": "r", "persisting": "#", "untested": "?"}
WIDTH = 50


def trend(
    clash_set: Annotated[str, typer.Option("--set", help="Name of the clash set.")],
    limit: Annotated[int, typer.Option(min=1, help="The last results.")] = 20,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """How many pairs are in each state after each result."""
    with context.ledger_connection() as (settings, connection):
        found = chains.set_named(
            connection, context.project_name(connection, settings, project), clash_set
        )
        rows = chains.trend(connection, found["id"])[-limit:]
    if as_json:
        print_json(rows)
        return
    columns = ["result", "finished", "new", "reopened", "persisting", "untested", "resolved",
               "removed", "n new, r reopened, # persisting, ? untested"]  # fmt: skip
    lines = [
        (r["result_id"], when(r["finished_at"]),
         *(r[state] for state in columns[2:8]), bar)
        for r, bar in zip(rows, bars(rows), strict=True)
    ]  # fmt: skip
    console().print(table(clash_set, columns, lines, right=columns[2:8]))


def bars(rows: list[dict[str, Any]], width: int = WIDTH) -> list[str]:
    """One bar for each result, all to the same scale; what is there is at least one sign long."""
    most = max((sum(row[state] for state in SIGNS) for row in rows), default=0)
    return [
        "".join(
            sign * (max(1, round(row[state] / most * width)) if row[state] else 0)
            for state, sign in SIGNS.items()
        )
        for row in rows
    ]
