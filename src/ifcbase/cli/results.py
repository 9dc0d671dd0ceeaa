"""`ifcbase results`: what the checks found and what they tested."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from ifcbase.cli import context, other_results
from ifcbase.cli.clash_tables import contacts_table, coverage_table
from ifcbase.cli.output import (
    JsonOption,
    check_output,
    console,
    counted,
    percent,
    print_json,
    put_in_place,
    shortened,
    table,
    verdict_text,
    when,
)
from ifcbase.errors import RequestInvalid
from ifcbase.ledger import reading, results

app = typer.Typer(help="Results: list, show.", no_args_is_help=True)


@app.command("list")
def list_(
    check: Annotated[
        str | None, typer.Option(help="Only this check: clash, conversion, tester or diff.")
    ] = None,
    clash_set: Annotated[str | None, typer.Option("--set", help="Only this clash set.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The latest results of all checks, newest first."""
    if check is not None and other_results.known(check) != "clash" and clash_set:
        raise RequestInvalid("--set goes with clash results")
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        found: list[dict[str, Any]] = []
        if check in (None, "clash"):
            clashes = reading.list_results(connection, name, clash_set=clash_set, limit=limit)
            found += [{"check": "clash"} | each for each in clashes]
        if check != "clash" and not clash_set:
            found += results.list_others(connection, name, check=check, limit=limit)
    found = sorted(found, key=_recent, reverse=True)[:limit]
    if as_json:
        print_json(found)
        return
    if not found:
        console().say(
            "no results yet" + (f" of {clash_set or check}" if clash_set or check else "")
        )
        return
    columns = ["result", "check", "of", "found", "verdict", "tested", "models", "finished"]
    rows = [_line(each) for each in found]
    console().print(table("Results", columns, rows, right=["result", "tested"]))


def _recent(header: dict[str, Any]) -> tuple[Any, ...]:
    # Where a job stands in the order of acceptance is its results' place, too; rows that somebody
    # inserted have none.
    return header["accepted"] or 0, header["created_at"], header["id"]


def _line(each: dict[str, Any]) -> tuple[Any, ...]:
    if each["check"] == "clash":
        name, models = each["set"], _versions(each["sides"])
        found = counted(each["clash_count"], "clash")
    else:
        name, models = each["name"], other_results.models_of(each)
        found = other_results.found(each)
    verdict, tested = verdict_text(each["verdict"]), percent(each["coverage"])
    ended = when(each["finished_at"])
    return each["id"], each["check"], shortened(name), found, verdict, tested, models, ended


def _versions(sides: list[dict[str, Any]]) -> str:
    return ", ".join(
        dict.fromkeys(f"{s['model'] or s['file']} v{s['number']}" for s in sides if s["number"])
    )


@app.command("show")
def show(
    result: Annotated[int, typer.Argument(help="Number of the result.")],
    check: Annotated[
        str, typer.Option(help="Its check: clash, conversion, tester or diff.")
    ] = "clash",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write its document (ifcclash's JSON) here."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of its rows to list.")] = 50,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """One result: what was found, what was tested, what was left out."""
    check_output(output)
    if other_results.known(check) != "clash":
        _show_other(check, result, output, limit, project, as_json)
        return
    with context.ledger_connection() as (settings, connection):
        header = reading.show_result(
            connection, context.project_name(connection, settings, project), result
        )
        contacts = reading.contacts(connection, result, limit=None if as_json else limit)
        left_out = reading.left_out(connection, result)
        document = reading.document(connection, result) if output else None
    if output:
        _write(document, output)
    if as_json:
        print_json(header | {"contacts": contacts, "left_out_elements": left_out})
        return
    out = console()
    verdict = verdict_text(header["verdict"])
    out.say(
        f"result {header['id']} of {header['set']}: {counted(header['clash_count'], 'clash')}, "
        f"{verdict}"
    )
    if header["sides"]:
        out.print(coverage_table(header["sides"]))
    for line in not_reported(header):
        out.say(line)
    for warning in header["warnings"] or []:
        out.say(f"warning: {warning}")
    if contacts:
        out.print(contacts_table("Clashes", contacts))
    if len(contacts) == limit and header["clash_count"] > limit:
        out.say(f"… and {header['clash_count'] - limit} more (--limit, or -o for all)")
    elif header["clash_count"] and not contacts:
        out.say("its clashes are not in the ledger's tables; -o FILE writes what was inserted")
    if left_out:
        rows = [(e["side"], e["model"], e["global_id"], e["reason"]) for e in left_out[:limit]]
        out.print(table("Not tested", ["side", "model", "GlobalId", "reason"], rows))


def _show_other(
    check: str, result: int, output: Path | None, limit: int, project: str | None, as_json: bool
) -> None:
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        header = results.show_other(connection, name, check, result)
        details = other_results.detail(connection, check, result, None if as_json else limit)
        document = results.document(connection, check, result) if output else None
    if output:
        _write(document, output)
    if as_json:
        print_json(header | details)
    else:
        other_results.show(header, details)


def _write(document: Any, output: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ifcbase-") as folder:
        draft = Path(folder) / "document.json"
        draft.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
        put_in_place(draft, output)


def not_reported(header: dict[str, Any]) -> list[str]:
    """Sentences on pairs that are not in the list of clashes and might be missed there."""
    sentences = []
    if header["related_left_out"]:
        pairs = counted(header["related_left_out"], "pair")
        were = "was" if header["related_left_out"] == 1 else "were"
        sentences.append(
            f"{pairs} of a host and its filling or of one assembly {were} left out "
            "(--include-related brings them in)"
        )
    if header["undecided"]:
        sentences.append(f"{counted(header['undecided'], 'pair')} could not be judged")
    if header["incomplete"]:
        sentences.append(f"the list of clashes is not whole: {header['incomplete']}")
    return sentences
