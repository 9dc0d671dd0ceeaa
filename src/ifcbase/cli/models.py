"""`ifcbase models`: the streams of revisions, and of what discipline they are."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, print_json, table
from ifcbase.errors import RequestInvalid
from ifcbase.ledger import models as ledger

app = typer.Typer(help="Models: list, discipline.", no_args_is_help=True)

ProjectOption = Annotated[str | None, typer.Option(help="Project.")]


@app.command("list")
def list_(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """The models of a project with their latest versions and disciplines."""
    with context.ledger_connection() as (settings, connection):
        found = ledger.list_models(connection, context.project_name(connection, settings, project))
    if as_json:
        print_json(found)
        return
    if not found:
        console().say("no models yet")
        return
    console().print(_table(found))


@app.command("discipline")
def discipline(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    given: Annotated[
        str | None, typer.Argument(metavar="[DISCIPLINE]", help="What it is: structure, say.")
    ] = None,
    guess: Annotated[
        bool, typer.Option("--guess", help="Guess it from the classes of its latest version.")
    ] = False,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Correct the discipline of a model; findings are counted by it from then on."""
    if (given is not None) == guess:
        raise RequestInvalid("name a discipline, or say --guess")
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        found = ledger.set_discipline(connection, name, model, given)
    if as_json:
        print_json(found)
    else:
        console().print(_table([found]))


def _table(found: list[dict[str, Any]]) -> Any:
    """Models in one line each."""
    rows = [
        (m["model"], m["discipline"] or "unknown", m["source"] if m["discipline"] else "",
         m["version"], m["file_name"], m["elements"])
        for m in found
    ]  # fmt: skip
    columns = ["model", "discipline", "", "version", "file", "elements"]
    return table("Models", columns, rows, right=["version", "elements"])
