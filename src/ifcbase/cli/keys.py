"""`ifcbase keys`: API keys of the gateway."""

from __future__ import annotations

from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, print_json, table, when
from ifcbase.jobs.submit import project_named
from ifcbase.ledger import keys

app = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)

ProjectOption = Annotated[str | None, typer.Option(help="Project.")]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for: n8n, CI, …")],
    verb: Annotated[
        list[str] | None,
        typer.Option(
            "--verb", help="read, write, decide or admin; repeat. Read and write if none."
        ),
    ] = None,
    days: Annotated[
        float | None, typer.Option(help="For how many days it holds; if not given, until revoked.")
    ] = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an API key and print it, which happens only this once."""
    ends = keys.in_days(days)
    with context.ledger_connection() as (settings, connection):
        where = context.project_name(connection, settings, project)
        number = project_named(connection, where)
        made = keys.make_key(connection, number, name, verb or ["read", "write"], expires_at=ends)
        row = keys.show_key(connection, number, made.id)
    if as_json:
        print_json({**row, "project": where, "key": made.key})
        return
    out = console()
    out.say(made.key)
    until = f", until {when(ends)}" if ends else ""
    out.say(f"key {made.id} may {', '.join(row['verbs'])} in {where}{until}; it is not shown again")


@app.command("list")
def list_(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """The API keys of a project."""
    with context.ledger_connection() as (settings, connection):
        where = context.project_name(connection, settings, project)
        found = keys.list_keys(connection, project_named(connection, where))
    if as_json:
        print_json(found)
        return
    if not found:
        console().say(f"{where} has no API keys yet")
        return
    rows = [
        (
            each["id"],
            each["name"],
            each["prefix"],
            ", ".join(each["verbs"]),
            each["state"],
            when(each["expires_at"]) if each["expires_at"] else "",
            when(each["last_used_at"]) if each["last_used_at"] else "never",
        )
        for each in found
    ]
    columns = ["key", "name", "prefix", "verbs", "state", "expires", "last used"]
    console().print(table(f"API keys of {where}", columns, rows))


@app.command("revoke")
def revoke(
    key: Annotated[int, typer.Argument(help="Its number, as `ifcbase keys list` shows it.")],
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an API key for good, from its next request on."""
    with context.ledger_connection() as (settings, connection):
        where = context.project_name(connection, settings, project)
        number = project_named(connection, where)
        keys.revoke_key(connection, number, key)
        row = keys.show_key(connection, number, key)
    if as_json:
        print_json(row)
    else:
        console().say(f"key {key} ({row['name']}) is revoked")
