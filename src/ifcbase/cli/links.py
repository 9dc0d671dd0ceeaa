"""`ifcbase links`: which elements may have got another id, and what people say about it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, percent, print_json, table
from ifcbase.ledger import links

app = typer.Typer(
    help="Doubtful links between elements: list, confirm, reject.", no_args_is_help=True
)

LinkArgument = Annotated[int, typer.Argument(help="Number of the doubtful link.")]
NoteOption = Annotated[str | None, typer.Option(help="Why.")]
ProjectOption = Annotated[str | None, typer.Option(help="Project.")]


@app.command("list")
def list_(
    model: Annotated[str | None, typer.Option(help="Only elements of this model.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10000)] = 50,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Elements that vanished and may be there under another id; most important first."""
    with context.ledger_connection() as (settings, connection):
        found = links.open_doubts(connection, project or settings.project, model=model, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each["id"],
            f"{each['model']} v{each['number']}",
            _element(each, "from"),
            _element(each, "to") if each["to_element"] else "nobody stands out",
            _metres_apart(each),
            percent(each["confidence"]),
            each["pairs"],
        )
        for each in found
    ]
    columns = ["link", "missing in", "element", "may be", "moved (m)", "confidence", "pairs"]
    console().print(
        table("Doubtful links", columns, rows, right=["link", "moved (m)", "confidence", "pairs"])
    )


@app.command("confirm")
def confirm(
    link: LinkArgument,
    to: Annotated[
        str | None, typer.Option(help="GlobalId of the new element, if not the one proposed.")
    ] = None,
    n: Annotated[int, typer.Option(min=0, help="Which of several with that GlobalId.")] = 0,
    note: NoteOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """It is the same element: its pairs go on as one."""
    with context.ledger_connection() as (settings, connection):
        name = project or settings.project
        doubt = links.settle(connection, name, link, same=True, to_global_id=to, n=n, note=note)
    _say(doubt, "is the same element", as_json)


@app.command("reject")
def reject(
    link: LinkArgument,
    note: NoteOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """It is not the same element; the old one is gone if no other doubt is left."""
    with context.ledger_connection() as (settings, connection):
        doubt = links.settle(connection, project or settings.project, link, same=False, note=note)
    _say(doubt, "is not the same element", as_json)


def _say(doubt: dict[str, Any], verdict: str, as_json: bool) -> None:
    if as_json:
        print_json({"link": doubt["id"], "verdict": verdict, "doubt": doubt})
        return
    console().print(f"link {doubt['id']}: {_element(doubt, 'from')} {verdict}", markup=False)


def _element(each: dict[str, Any], side: str) -> str:
    words = [each[f"{side}_class"] or "", each[f"{side}_name"] or "", each[f"{side}_global_id"]]
    return " ".join(filter(None, words))


def _metres_apart(each: dict[str, Any]) -> str:
    ends = [[each[f"{side}_{axis}"] for axis in "xyz"] for side in ("from", "to")]
    if None in ends[0] or None in ends[1]:
        return ""
    return f"{sum((a - b) ** 2 for a, b in zip(*ends, strict=True)) ** 0.5:.3f}"
