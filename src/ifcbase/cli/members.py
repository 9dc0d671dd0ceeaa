"""`ifcbase members`: who may do what in a project."""

from __future__ import annotations

from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, print_json, table, when
from ifcbase.ledger import access

app = typer.Typer(help="Members of a project: list, add, remove.", no_args_is_help=True)

UserArgument = Annotated[str, typer.Argument(metavar="USER", help="The UUID in auth.users.")]
ProjectOption = Annotated[str | None, typer.Option(help="Project.")]


@app.command("list")
def list_(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """The members of a project."""
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        found = access.list_members(connection, name)
    if as_json:
        print_json(found)
        return
    if not found:
        console().say(f"{name} has no members yet")
        return
    rows = [(each["user"], each["role"], when(each["created_at"])) for each in found]
    console().print(table(f"Members of {name}", ["user", "role", "since"], rows))


@app.command("add")
def add(
    user: UserArgument,
    role: Annotated[str, typer.Option(help="viewer, editor or admin.")] = "viewer",
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a user a role in a project, instead of the one it has."""
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        access.add_member(connection, name, user, role)
    if as_json:
        print_json({"project": name, "user": user, "role": role})
    else:
        console().print(f"{user} is {role} of {name}", markup=False)


@app.command("remove")
def remove(user: UserArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Take a user out of a project."""
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        access.remove_member(connection, name, user)
    if as_json:
        print_json({"project": name, "user": user, "role": None})
    else:
        console().print(f"{user} is no member of {name} any more", markup=False)
