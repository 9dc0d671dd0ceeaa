"""`ifcbase pairs`: clashes as lasting things."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ifcbase.cli import context
from ifcbase.cli.findings import Review, State
from ifcbase.cli.output import JsonOption, console, millimetres, print_json, shortened, table, when
from ifcbase.ledger import chains, rules
from ifcbase.ledger.findings import require_discipline

app = typer.Typer(help="Pairs: list, show.", no_args_is_help=True)


@app.command("list")
def list_(
    clash_set: Annotated[str | None, typer.Option("--set", help="Only this clash set.")] = None,
    state: Annotated[State | None, typer.Option(help="Only this state.")] = None,
    review: Annotated[Review | None, typer.Option(help="Only this review state.")] = None,
    discipline: Annotated[
        str | None, typer.Option(help="Only those of which an element is of this discipline.")
    ] = None,
    storey: Annotated[
        str | None,
        typer.Option(
            help="Only those of which an element is on this storey, as the models name it."
        ),
    ] = None,
    remeasured: Annotated[
        bool, typer.Option("--remeasured", help="Only approved ones measured in another way since.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most, of each set.")] = 50,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Pairs with what the machine knows and what people decided."""
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        require_discipline(connection, name, discipline)
        sets = (
            [chains.set_named(connection, name, clash_set)]
            if clash_set
            else chains.list_sets(connection, name)
        )
        found = [
            pair
            for each in sets
            for pair in chains.list_pairs(
                connection,
                each["id"],
                state=state,
                review=review,
                discipline=discipline,
                storey=storey,
                limit=limit,
                remeasured=remeasured or None,
            )
        ]
    if as_json:
        print_json(found)
        return
    if not found:
        asked = state or review or discipline or storey or remeasured
        console().say("no such pairs" if asked else "no pairs yet")
        return
    console().print(pairs_table("Pairs", found))


def pairs_table(title: str, pairs: list[dict[str, Any]]) -> Any:
    """Pairs in one line each."""
    rows = [
        (
            p["pair_id"],
            shortened(p["set"]),
            p["state"] + (f": {p['reason']}" if p["reason"] else ""),
            p["review"] + (f": {p['review_reason']}" if p["review_reason"] else "")
            + (" (rule)" if p["by_rule"] else "") + _remeasured(p),
            p["kind"],
            "" if p["distance"] is None else millimetres(p["distance"]),
            element_text(p, "one"),
            element_text(p, "other"),
            p["assigned_to"],
        )
        for p in pairs
    ]  # fmt: skip
    columns = ["pair", "clash set", "state", "review", "kind", "distance", "one", "other", "owner"]
    return table(title, columns, rows, right=["pair", "distance"])


def element_text(pair: dict[str, Any], side: str) -> str:
    """What an element is for a reader: class and name, and the beginning of its GlobalId."""
    words = [pair[f"{side}_class"], shortened(pair[f"{side}_name"] or "", 40)]
    return " ".join([*filter(None, words), f"({pair[f'{side}_global_id'][:8]})"])


def _remeasured(pair: dict[str, Any]) -> str:
    """How much the depth of an approved pair differs, measured in another way."""
    if not pair["remeasured"]:
        return ""
    return f" (remeasured: {pair['difference'] * 1000:+.1f} mm)"


@app.command("groups")
def groups(
    clash_set: Annotated[str, typer.Option("--set", help="Of this clash set.")],
    by: Annotated[
        str,
        typer.Option(help="near (smart groups of the last result), element, class, storey, model."),
    ] = "element",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most.")] = 50,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Pairs that may have one cause, together; `ifcbase decide --group` decides about all."""
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        chain = chains.set_named(connection, name, clash_set)["id"]
        found = rules.list_groups(connection, chain, by, limit=limit)
    if as_json:
        print_json(found)
        return
    if not found:
        console().say("no such groups")
        return
    rows = [
        (g["group_name"], shortened(g["label"] or ""), g["pairs"], g["open"], g["unseen"],
         "" if g["deepest"] is None else millimetres(g["deepest"]))
        for g in found
    ]  # fmt: skip
    columns = ["group", "what", "pairs", "open", "untested", "deepest"]
    console().print(table("Groups", columns, rows, right=columns[2:]))


@app.command("show")
def show(
    pair: Annotated[int, typer.Argument(help="Number of the pair.")],
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """One pair: every change of its state, every sighting, every decision."""
    with context.ledger_connection() as (settings, connection):
        found = chains.show_pair(
            connection, context.project_name(connection, settings, project), pair
        )
    if as_json:
        print_json(found)
        return
    out = console()
    out.print(pairs_table(f"Pair {found['pair_id']}", [found]))
    if found["remeasured"]:
        change = millimetres(found["difference"])
        out.print(f"measured in another way since it was approved: {change} difference")
    history = [(h["result_id"], when(h["finished_at"]), h["state"], h["reason"])
               for h in found["history"]]  # fmt: skip
    out.print(table("States", ["result", "finished", "state", "reason"], history))
    seen = [(s["result_id"], when(s["finished_at"]), s["kind"], millimetres(s["distance"]))
            for s in found["sightings"]]  # fmt: skip
    out.print(table("Sightings", ["result", "finished", "kind", "distance"], seen))
    if found["decisions"]:
        rows = [
            (when(d["created_at"]), d["action"], d["reason"] or d["assigned_to"] or d["due"],
             d["comment"], d["group_name"], f"rule {d['rule']}" if d["rule"] else d["decided_by"])
            for d in found["decisions"]
        ]  # fmt: skip
        out.print(table("Decisions", ["when", "what", "", "comment", "through group", "by"], rows))
