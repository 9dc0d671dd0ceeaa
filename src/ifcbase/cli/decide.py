"""`ifcbase decide`: what people say about pairs."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, counted, print_json
from ifcbase.cli.pairs import pairs_table
from ifcbase.errors import RequestInvalid
from ifcbase.ledger import chains


def decide(
    pairs: Annotated[list[int], typer.Argument(metavar="PAIR...", help="Numbers of pairs.")],
    approve: Annotated[bool, typer.Option("--approve", help="Accept it as it is now.")] = False,
    ignore: Annotated[
        str | None,
        typer.Option(
            help="Reason: valid interface, valid penetration, small overlap, flexible item, "
            "model inaccuracy, fix on site, or other with --comment."
        ),
    ] = None,
    review: Annotated[bool, typer.Option("--review", help="Seen, and to be solved.")] = False,
    open_: Annotated[bool, typer.Option("--open", help="Take the decision back.")] = False,
    comment: Annotated[str | None, typer.Option(help="A text to go with it.")] = None,
    assign: Annotated[str | None, typer.Option(help="Who is to deal with it.")] = None,
    due: Annotated[str | None, typer.Option(help="By when, as 2026-12-24.")] = None,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Approve, ignore, review or reopen pairs; assign them; say something about them."""
    asked = {"approved": approve, "ignored": ignore is not None, "reviewed": review, "open": open_}
    actions = [action for action, wanted in asked.items() if wanted]
    if len(actions) > 1:
        raise RequestInvalid("only one of --approve, --ignore, --review and --open")
    if not actions and not (comment or assign or due):
        raise RequestInvalid("say what is decided: --approve, --ignore REASON, --review, --open, …")
    if due:
        try:
            date.fromisoformat(due)
        except ValueError as error:
            raise RequestInvalid(f"{due!r} is no date", hint="Write 2026-12-24.") from error
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        with connection.transaction():
            for action in actions:
                chains.decide(connection, name, pairs, action, reason=ignore, comment=comment)
            if assign:
                chains.decide(connection, name, pairs, "assigned", assigned_to=assign)
            if due:
                chains.decide(connection, name, pairs, "due", due=due)
            if comment and not actions:
                chains.decide(connection, name, pairs, "comment", comment=comment)
        now = [chains.show_pair(connection, name, pair) for pair in pairs]
    if as_json:
        print_json(now)
        return
    console().print(pairs_table(f"Decided about {counted(len(pairs), 'pair')}", now))
