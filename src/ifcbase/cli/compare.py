"""`ifcbase compare`: two results of a clash set, pair by pair."""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Any

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, millimetres, print_json, table
from ifcbase.errors import RequestInvalid
from ifcbase.ledger import chains, reading

_UNITS = {"h": 3600, "d": 86400, "w": 604800}
#: Depths that differ by less are the same to the eye.
SAME_M = 0.0005


def compare(
    results: Annotated[
        list[int] | None, typer.Argument(metavar="A B", help="Numbers of two results.")
    ] = None,
    clash_set: Annotated[
        str | None, typer.Option("--set", help="The last result of this set and the one before.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="With --set: against the result of then, as 7d, 12h or 2w.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many pairs to list.")] = 50,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What appeared, what is gone and why, what became deeper or shallower."""
    if bool(clash_set) == bool(results) or (results and len(results) != 2):
        raise RequestInvalid(
            "name two results, or --set NAME", hint="`ifcbase results list` shows their numbers."
        )
    if since and not clash_set:
        raise RequestInvalid("--since goes with --set", hint="Name the clash set by --set NAME.")
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        if clash_set:
            chosen = chains.set_named(connection, name, clash_set)["id"]
            a, b = chains.results_to_compare(connection, chosen, seconds(since) if since else None)
        else:
            a, b = results or (0, 0)
            for each in (a, b):
                reading.show_result(connection, name, each)
        found = chains.compare(connection, a, b)
    if as_json:
        print_json(found)
        return
    _show(found, limit)


def seconds(text: str) -> float:
    """ "7d" in seconds. Raises RequestInvalid."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", text)
    if not match:
        raise RequestInvalid(f"{text!r} is no span of time", hint="Write 7d, 12h or 2w.")
    return float(match[1]) * _UNITS[match[2]]


def _show(found: dict[str, Any], limit: int) -> None:
    out = console()
    pairs = found["pairs"]
    counts = Counter(_word(pair) for pair in pairs)
    summary = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    out.print(f"result {found['a']} to {found['b']}: {summary or 'no clashes'}", markup=False)
    if found["a_version"] != found["b_version"]:
        more = "looks for all that the first did" if found["stricter"] else "looks for less or else"
        out.print(f"the definition changed: version {found['a_version']} to "
                  f"{found['b_version']}, which {more}")  # fmt: skip
    if not found["measured_alike"]:
        out.print(f"they were measured in different ways: {found['a_measure']} and "
                  f"{found['b_measure']}", markup=False)  # fmt: skip
    rows = [
        (
            p["pair_id"],
            _word(p),
            *("" if p[d] is None else millimetres(p[d]) for d in ("a_distance", "b_distance")),
            p["b_kind"] or p["a_kind"],
            p["one_global_id"],
            p["other_global_id"],
        )
        for p in pairs
        if _word(p) != "unchanged"
    ]
    columns = ["pair", "what", "then", "now", "kind", "one", "other"]
    if rows:
        out.print(table("", columns, rows[:limit], right=["pair", "then", "now"]))
    if len(rows) > limit:
        out.print(f"… and {len(rows) - limit} more (--limit)")


def _word(pair: dict[str, Any]) -> str:
    """What became of a pair; gone is never solved unless it was found to be resolved."""
    if pair["change"] == "gone":
        reason = f" ({pair['reason']})" if pair["reason"] else ""
        return f"{pair['state'] or 'gone'}{reason}"
    if pair["change"] == "appeared":
        return "reopened" if pair["state"] == "reopened" else "appeared"
    if abs(pair["difference"]) < SAME_M:
        return "unchanged"
    gap = pair["a_kind"] == pair["b_kind"] == "clearance"
    if pair["difference"] > 0:
        return "wider" if gap else "deeper"
    return "closer" if gap else "shallower"
