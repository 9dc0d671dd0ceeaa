"""`ifcbase plan`: what a rule or another tolerance would change, without changing it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from ifcbase.cli import context
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
    reason: Annotated[str | None, typer.Option(help="Why it ignores.")] = None,
    classes: Annotated[
        str | None, typer.Option(help="Classes of the two, as IfcWall,IfcPipeSegment.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Only this contact kind.")] = None,
    min_depth: Annotated[float | None, typer.Option(help="Only from this depth on (m).")] = None,
    max_depth: Annotated[float | None, typer.Option(help="Only up to this depth (m).")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many pairs to list.")] = 50,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Try a decision rule or a tolerance on the last result; nothing is changed."""
    if (tolerance is None) == (action is None):
        raise RequestInvalid("give --tolerance METRES, or --action and what it applies to")
    if action is not None and action not in {"reviewed", "approved", "ignored"}:
        raise RequestInvalid(f"a rule cannot decide {action!r}")
    with context.ledger_connection() as (settings, connection):
        found = chains.set_named(
            connection, context.project_name(connection, settings, project), clash_set
        )
        if found["result_id"] is None:
            raise NotFound(f"{clash_set!r} has no result yet", hint="Run its check first.")
        if tolerance is not None:
            rows = chains.plan_tolerance(connection, found["result_id"], tolerance)
        else:
            one, _, other = (classes or "").partition(",")
            rule = {
                "name": "plan", "action": action, "reason": reason,
                "one_class": one or None, "other_class": other or None,
                "kind": chains.kind_number(connection, kind) if kind else None,
                "min_distance": min_depth, "max_distance": max_depth, "set_id": found["id"],
            }  # fmt: skip
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
