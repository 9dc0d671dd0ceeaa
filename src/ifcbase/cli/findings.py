"""`ifcbase findings`: what is open, over all checks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, counted, print_json, shortened, table, when
from ifcbase.ledger import findings as ledger


class Check(StrEnum):
    """Checks that have findings."""

    CLASH = "clash"
    TESTER = "tester"
    DIFF = "diff"


class State(StrEnum):
    """Detection states."""

    NEW = "new"
    PERSISTING = "persisting"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    REMOVED = "removed"
    UNTESTED = "untested"


class Review(StrEnum):
    """Review states."""

    OPEN = "open"
    REVIEWED = "reviewed"
    APPROVED = "approved"
    IGNORED = "ignored"


def findings(
    check: Annotated[Check | None, typer.Option(help="Only this check.")] = None,
    discipline: Annotated[
        str | None, typer.Option(help="Only those that concern this discipline, on either side.")
    ] = None,
    storey: Annotated[
        str | None, typer.Option(help="Only those on this storey, as the models name it.")
    ] = None,
    state: Annotated[
        State | None,
        typer.Option(
            help="Only this state; if not given, what is there: new, persisting, reopened."
        ),
    ] = None,
    review: Annotated[
        Review | None, typer.Option(help="Only this review state; open if not given.")
    ] = None,
    assigned: Annotated[str | None, typer.Option(help="Only those assigned to this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 50,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What is open, over all checks: clashes, IDS failures, changes."""
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        ledger.require_discipline(connection, name, discipline)
        found = ledger.list_findings(
            connection,
            name,
            check=check,
            discipline=discipline,
            storey=storey,
            states=ledger.THERE if state is None else [state],
            review=review or Review.OPEN,
            assigned=assigned,
            limit=limit,
        )
        counts = ledger.count_open(connection, name)
        disciplines = ledger.count_open_by_discipline(connection, name)
        storeys = ledger.count_open_by_storey(connection, name)
    if as_json:
        print_json({"findings": found, "open": counts, "by_discipline": disciplines,
                    "by_storey": storeys})  # fmt: skip
        return
    out = console()
    if found:
        out.print(findings_table(found))
        if len(found) == limit:
            out.say("there may be more (--limit)")
    else:
        out.say("no such findings")
    if disciplines:
        rows = [(d["discipline"] or "unknown", d["check"], d["open"], d["untested"])
                for d in disciplines]  # fmt: skip
        columns = ["discipline", "check", "open", "untested"]
        out.print(table("Open by discipline", columns, rows, right=["open", "untested"]))
    if storeys:
        rows = [(s["storey"] or "none", s["check"], s["open"], s["untested"]) for s in storeys]
        columns = ["storey", "check", "open", "untested"]
        out.print(table("Open by storey", columns, rows, right=["open", "untested"]))
    untested = sum(each["untested"] for each in counts)
    out.say(
        f"{counted(sum(each['open'] for each in counts), 'open finding')} in all"
        + (f"; {untested} more could not be tested (--state untested)" if untested else "")
    )


def findings_table(found: list[dict[str, Any]]) -> Any:
    """Findings in one line each."""
    rows = [
        (
            f["finding_id"],
            f["check"],
            shortened(f["series"], 30),
            f["title"],
            f["state"] + (f": {f['reason']}" if f["reason"] else ""),
            f["review"] + (f": {f['review_reason']}" if f["review_reason"] else ""),
            f["storey"],
            " / ".join(dict.fromkeys(d for d in (f["discipline"], f["other_discipline"]) if d)),
            when(f["since"]),
            f["assigned_to"],
            f["due"],
        )
        for f in found
    ]  # fmt: skip
    columns = ["finding", "check", "of", "what", "state", "review", "storey", "discipline", "since",
               "owner", "due"]  # fmt: skip
    return table("Findings", columns, rows, right=["finding"])
