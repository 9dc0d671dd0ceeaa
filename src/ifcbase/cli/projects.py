"""`ifcbase projects`: the tenants."""

from __future__ import annotations

from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, print_json, table, when
from ifcbase.ledger import access

app = typer.Typer(help="Projects: list, create, public.", no_args_is_help=True)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """All projects."""
    with context.ledger_connection() as (_, connection):
        found = access.list_projects(connection)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each["name"],
            each["title"],
            "everybody" if each["public"] else "members",
            each["members"],
            each["clash_results"],
            when(each["created_at"]),
        )
        for each in found
    ]
    columns = ["project", "title", "read by", "members", "clash results", "created"]
    console().print(table("Projects", columns, rows, right=["members", "clash results"]))


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Letters a-z, digits, - and _.")],
    title: Annotated[str | None, typer.Option(help="Its name for people.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a project."""
    with context.ledger_connection() as (_, connection):
        made = access.create_project(connection, name, title=title)
    if as_json:
        print_json({"id": made, "name": name})
    else:
        console().print(f"project {name} is made (id {made})", markup=False)


@app.command("public")
def public(
    name: Annotated[str, typer.Argument(help="The project.")],
    off: Annotated[bool, typer.Option("--off", help="Members only again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let everybody read a project, without signing in."""
    with context.ledger_connection() as (_, connection):
        access.set_public(connection, name, public=not off)
    if as_json:
        print_json({"name": name, "public": not off})
    else:
        readers = "members only" if off else "everybody"
        console().print(f"project {name} is read by {readers}", markup=False)
