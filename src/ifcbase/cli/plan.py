"""`ifcbase plan`: what a rule or another tolerance would change, without changing it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from ifcbase.cli import context, rules
from ifcbase.cli.output import JsonOption, console, millimetres, print_json, table
from ifcbase.errors import NotFound, RequestInvalid
from ifcbase.ledger import chains


def plan(
    clash_set: Annotated[str, typer.Option("--set", help="On the last result of this set.")],
    tolerance: Annotated[
        float | None, typer.Option(help="Another tolerance (or clearance), in metres.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(help="A rule that decides: reviewed, approved or ignored.")
    ] = None,
    reason: rules.ReasonOption = None,
    comment: rules.CommentOption = None,
    classes: rules.ClassesOption = None,
    kind: rules.KindOption = None,
    min_depth: rules.MinDepthOption = None,
    max_depth: rules.MaxDepthOption = None,
    group: rules.GroupOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many pairs to list.")] = 50,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Try a decision rule or a tolerance on the last result; nothing is changed."""
    if tolerance is not None and action is not None:
        raise RequestInvalid("give --tolerance METRES or --action, not both")
    with context.ledger_connection() as (settings, connection):
        found = chains.set_named(
            connection, context.project_name(connection, settings, project), clash_set
        )
        if found["result_id"] is None:
            raise NotFound(f"{clash_set!r} has no result yet", hint="Run its check first.")
        if tolerance is not None:
            rows = chains.plan_tolerance(connection, found["result_id"], tolerance)
        elif action is None:
            raise RequestInvalid(
                "there is nothing to try",
                hint="Give --tolerance METRES, or --action and what it applies to.",
            )
        else:
            rule = rules.document(
                connection, name="plan", action=action, set_id=found["id"], reason=reason,
                comment=comment, classes=classes, kind=kind, min_depth=min_depth,
                max_depth=max_depth, group=group,
            )  # fmt: skip
            rows = chains.plan_rule(connection, found["result_id"], rule)
    if as_json:
        print_json({"result": found["result_id"], "pairs": rows})
        return
    _show(found["result_id"], rows, limit)


def _show(result: int, rows: list[dict[str, Any]], limit: int) -> None:
    out = console()
    words = [r["outcome"] if "outcome" in r else f"{r['before']} to {r['action']}" for r in rows]
    counts = ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items()))
    out.print(f"on result {result}: {counts or 'nothing would change'}", markup=False)
    changing = [(row, word) for row, word in zip(rows, words, strict=True) if word != "stays"]
    shown = [(r["pair_id"], word, millimetres(r["distance"])) for r, word in changing[:limit]]
    if shown:
        out.print(table("", ["pair", "would be", "distance"], shown, right=["pair", "distance"]))
    if len(changing) > limit:
        out.print(f"… and {len(changing) - limit} more (--limit)")
