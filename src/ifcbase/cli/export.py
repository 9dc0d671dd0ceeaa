"""`ifcbase export`: what the ledger keeps as a file in other people's formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ifcbase.cli import context, reports
from ifcbase.cli.findings import Check, Review, State
from ifcbase.errors import RequestInvalid
from ifcbase.exchange.recorded import findings_report, result_report
from ifcbase.exchange.report import grouped
from ifcbase.ledger import findings


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
            made = result_report(connection, name, check or Check.CLASH, result)
        else:
            made = findings_report(
                connection, name, check=check, discipline=discipline,
                states=findings.THERE if state is None else [state],
                review=review or Review.OPEN, assigned=assigned,
            )  # fmt: skip
    reports.say(reports.write_all(grouped(made) if by_group else made, wanted))
