"""`ifcbase export`: what the ledger keeps as a file in other people's formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ifcbase.cli import context, reports
from ifcbase.cli.findings import Check, Review, State
from ifcbase.errors import RequestInvalid
from ifcbase.exchange.from_findings import from_clash_result, from_findings
from ifcbase.exchange.from_results import from_diff_result, from_ids_result
from ifcbase.exchange.report import Comment, Report, grouped
from ifcbase.jobs.engine import Connection
from ifcbase.ledger import diffs, findings, ids, reading, results
from ifcbase.ledger import export as ledger


def export(
    output: Annotated[
        list[Path],
        typer.Option("-o", "--output", help="The file: .html, .xlsx, .csv, .bcf or .md; repeat."),
    ],
    result: Annotated[
        int | None, typer.Argument(help="Number of a result; none: the open findings.")
    ] = None,
    by_group: Annotated[
        bool, typer.Option("--by-group", help="One entry per group of clashes.")
    ] = False,
    bcf: reports.BcfOption = "2.1",
    check: Annotated[
        Check | None,
        typer.Option(help="The check of the result (clash); without one, findings of it only."),
    ] = None,
    discipline: Annotated[
        str | None, typer.Option(help="Findings that concern this discipline only.")
    ] = None,
    state: Annotated[
        State | None,
        typer.Option(help="Findings in this state only; if not given, what is there."),
    ] = None,
    review: Annotated[
        Review | None, typer.Option(help="Findings in this review state only; open if not given.")
    ] = None,
    assigned: Annotated[
        str | None, typer.Option(help="Findings assigned to this name only.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Project.")] = None,
) -> None:
    """Write a result, or the open findings of all checks, as BCF, XLSX, CSV, HTML or Markdown.

    Topics of the same finding have the same id in every file.
    """
    wanted = reports.wanted(output, bcf, [])
    chosen = {"--discipline": discipline, "--state": state, "--review": review,
              "--assigned": assigned}  # fmt: skip
    given = [name for name, value in chosen.items() if value is not None]
    if result is not None and given:
        raise RequestInvalid(f"{given[0]} chooses among findings; a result is exported whole")
    with context.ledger_connection() as (settings, connection):
        name = context.project_name(connection, settings, project)
        if result is not None:
            made = _RESULTS[check or Check.CLASH](connection, name, result)
        else:
            rows = findings.list_findings(
                connection, name, check=check, discipline=discipline,
                states=findings.THERE if state is None else [state],
                review=review or Review.OPEN, assigned=assigned,
            )  # fmt: skip
            made = from_findings(
                rows,
                datetime.now(UTC),
                project=name,
                namespace=ledger.project_identity(connection, name),
                comments=_comments(connection, [row["finding_id"] for row in rows]),
            )
    reports.say(reports.write_all(grouped(made) if by_group else made, wanted))


def _clash_result(connection: Connection, project: str, result: int) -> Report:
    header = reading.show_result(connection, project, result)
    judged = ledger.judged(connection, result)
    return from_clash_result(
        header,
        reading.contacts(connection, result),
        datetime.now(UTC),
        judged=judged,
        left_out=reading.left_out(connection, result),
        comments=_comments(connection, [row["finding_id"] for row in judged.values()]),
        project=project,
        namespace=ledger.project_identity(connection, project),
    )


def _ids_result(connection: Connection, project: str, result: int) -> Report:
    header = results.show_other(connection, project, Check.TESTER, result)
    judged = ledger.judged_findings(connection, Check.TESTER, result)
    return from_ids_result(
        header,
        ids.read(connection, result, None),
        datetime.now(UTC),
        judged=judged,
        comments=_comments(connection, [row["lasting_id"] for row in judged.values()]),
        project=project,
        namespace=ledger.project_identity(connection, project),
    )


def _diff_result(connection: Connection, project: str, result: int) -> Report:
    header = results.show_other(connection, project, Check.DIFF, result)
    judged = ledger.judged_findings(connection, Check.DIFF, result)
    return from_diff_result(
        header,
        diffs.show_changes(connection, result, None),
        datetime.now(UTC),
        judged=judged,
        comments=_comments(connection, [row["lasting_id"] for row in judged.values()]),
        project=project,
        namespace=ledger.project_identity(connection, project),
    )


_RESULTS = {
    Check.CLASH: _clash_result,
    Check.TESTER: _ids_result,
    Check.DIFF: _diff_result,
}


def _comments(connection: Connection, numbers: Sequence[int]) -> Mapping[int, Sequence[Comment]]:
    found: dict[int, list[Comment]] = {}
    for row in ledger.decisions(connection, numbers):
        author = f"rule {row['rule']}" if row["rule"] else row["decided_by"] or "unknown"
        comment = Comment(row["created_at"], author, decision_text(row))
        found.setdefault(row["finding_id"], []).append(comment)
    return found


def decision_text(row: Mapping[str, Any]) -> str:
    """A decision as a line: "ignored (not a problem): as agreed on site"."""
    what = {"assigned": f"assigned to {row['assigned_to'] or 'nobody'}",
            "due": f"due {row['due'] or 'at no date'}",
            "comment": ""}.get(row["action"], row["action"])  # fmt: skip
    reason = f" ({row['reason']})" if row["reason"] else ""
    return _joined([what + reason, row["comment"] or ""])


def _joined(parts: Iterable[str]) -> str:
    return ": ".join(part for part in parts if part)
