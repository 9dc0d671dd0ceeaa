"""`ifcbase decide`: what people say about pairs."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, counted, print_json
from ifcbase.cli.pairs import pairs_table
from ifcbase.errors import RequestInvalid
from ifcbase.ledger import chains, rules


class Reason(StrEnum):
    """Why a clash is ignored."""

    VALID_INTERFACE = "valid interface"
    VALID_PENETRATION = "valid penetration"
    SMALL_OVERLAP = "small overlap"
    FLEXIBLE_ITEM = "flexible item"
    MODEL_INACCURACY = "model inaccuracy"
    FIX_ON_SITE = "fix on site"
    OTHER = "other"


def decide(
    pairs: Annotated[
        list[int] | None, typer.Argument(metavar="[PAIR]...", help="Numbers of pairs.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="All pairs of a group, as `ifcbase pairs groups` names it; with --set."),
    ] = None,
    clash_set: Annotated[
        str | None, typer.Option("--set", help="The clash set of the group.")
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Accept it as it is now.")] = False,
    ignore: Annotated[
        Reason | None, typer.Option(help="It is no problem, because; other goes with --comment.")
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
    if bool(pairs) == (group is not None):
        raise RequestInvalid(
            "name pairs by their numbers, or a group with --group and --set",
            hint="`ifcbase pairs list` and `ifcbase pairs groups` show them.",
        )
    if (group is None) != (clash_set is None):
        raise RequestInvalid(
            "--group and --set belong together", hint="Groups are those of one clash set."
        )
    asked = {"approved": approve, "ignored": ignore is not None, "reviewed": review, "open": open_}
    actions = [action for action, wanted in asked.items() if wanted]
    if len(actions) > 1:
        raise RequestInvalid(
            "only one of --approve, --ignore, --review and --open", hint="The last word holds."
        )
    if not actions and not (comment or assign or due):
        raise RequestInvalid(
            "nothing is decided",
            hint="Say --approve, --ignore REASON, --review or --open, or --comment, --assign, --due.",
        )
    if ignore is Reason.OTHER and not comment:
        raise RequestInvalid("the reason other says nothing by itself", hint="Add --comment TEXT.")
    if due:
        try:
            date.fromisoformat(due)
        except ValueError as error:
            raise RequestInvalid(f"{due!r} is no date", hint="Write 2026-12-24.") from error
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        said: list[tuple[str, dict[str, str | None]]] = [
            (action, {"reason": ignore, "comment": comment}) for action in actions
        ]
        if assign:
            said.append(("assigned", {"assigned_to": assign}))
        if due:
            said.append(("due", {"due": due}))
        if comment and not actions:
            said.append(("comment", {"comment": comment}))
        with connection.transaction():
            if group is not None and clash_set is not None:
                chain = chains.set_named(connection, name, clash_set)["id"]
                chosen = rules.pairs_of_group(connection, chain, group)
                for action, words in said:
                    rules.decide_group(connection, chain, group, action, **words)
            else:
                chosen = pairs or []
                for action, words in said:
                    chains.decide(connection, name, chosen, action, **words)
        now = [chains.show_pair(connection, name, pair) for pair in chosen]
    if as_json:
        print_json(now)
        return
    console().print(pairs_table(f"Decided about {counted(len(chosen), 'pair')}", now))
