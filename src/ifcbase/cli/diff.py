"""`ifcbase diff`: what changed between two versions of a model, here or by a worker."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ifcbase.cli import reports, running
from ifcbase.cli.changes import changes_table, facets_table
from ifcbase.cli.output import (
    JsonOption,
    check_output,
    console,
    counted,
    partly_tested,
    print_json,
    put_in_place,
)
from ifcbase.diff import handover, output
from ifcbase.diff.report import DiffReport
from ifcbase.diff.request import DEFAULT_TOLERANCE, DiffRequest, parse_request
from ifcbase.errors import RequestInvalid
from ifcbase.exchange.from_diff import from_diff
from ifcbase.exchange.report import Report
from ifcbase.files.naming import stream_name
from ifcbase.ifc.opening import check_file
from ifcbase.settings import Settings, get_settings

CHECK = "diff"
SHOWN = 20


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD.ifc", help="The older version.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.ifc", help="The newer version.")],
    relationships: Annotated[
        str | None,
        typer.Option(
            help="What to compare, by commas: attributes, geometry, type, property, container, "
            "aggregate, classification, material (all)."
        ),
    ] = None,
    selector: Annotated[str | None, typer.Option(help="Compare these elements only.")] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(help=f"Distance that is no change, in metres ({DEFAULT_TOLERANCE:g})."),
    ] = None,
    min_coverage: Annotated[
        float | None, typer.Option(help="Share of elements that must be compared wholly (1.0).")
    ] = None,
    output_: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the report (ifcdiff's JSON) here.")
    ] = None,
    report: reports.ReportOption = None,
    bcf: reports.BcfOption = "2.1",
    submit_: Annotated[
        bool, typer.Option("--submit", help="Run it by a worker and keep the result.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="With --submit: wait for the result.")] = True,
    model: Annotated[
        str | None, typer.Option(help="With --submit: the model both files are versions of.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="With --submit: the project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what changed between two versions of a model.

    Exit code: 0 nothing changed, 1 changes, 2 bad input or failure, 3 inconclusive.
    """
    short = running.short_names({"old": old, "new": new})
    names = short["old"], short["new"]
    given = {
        "relationships": _words(relationships),
        "filter_elements": selector,
        "tolerance": tolerance,
        "min_coverage": min_coverage,
        "output_file": output_.name if output_ else None,
    }
    request = parse_request(
        {"old_file": names[0], "new_file": names[1], "is_shallow": False}
        | {key: value for key, value in given.items() if value is not None}
    )
    paths = dict(zip(names, (old, new), strict=True))
    check_output(output_, [old, new])
    wanted = reports.wanted(report, bcf, [old, new, output_])
    if submit_:
        reports.refuse_with_submit(
            wanted,
            hint="Submit without it, then `ifcbase export RESULT --check diff -o FILE`; or run it "
            "without --submit.",
        )
    for path in paths.values():
        check_file(path)
    settings = get_settings()
    if submit_:
        # Here and not above: a comparison that runs here needs no database.
        from ifcbase.jobs.submit import Given

        code = running.submitted(
            settings,
            CHECK,
            request.model_dump(mode="json"),
            {name: Given(path, model) for name, path in paths.items()},
            project=project,
            wait=wait,
            fetch={output_.name: output_} if output_ else {},
            as_json=as_json,
        )
    elif model is not None or project is not None:
        raise RequestInvalid(
            f"{'--model' if model is not None else '--project'} goes with --submit"
        )
    else:
        code = _run(settings, request, paths, output_, wanted, as_json)
    raise typer.Exit(code)


def _words(text: str | None) -> list[str] | None:
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise RequestInvalid("--relationships names nothing", hint="Leave it out to compare all.")
    return words


def _run(
    settings: Settings,
    request: DiffRequest,
    paths: dict[str, Path],
    target: Path | None,
    wanted: reports.Wanted,
    as_json: bool,
) -> int:
    with running.computed(settings, CHECK, request.model_dump(mode="json"), paths) as folder:
        report = handover.read(folder)
        if target:
            put_in_place(folder / "output.json", target)
    written = reports.write_all(_neutral(report), wanted) if wanted.paths else []
    if as_json:
        print_json(output.document(report))
    else:
        _show(report, target)
        reports.say(written)
    return report.verdict.exit_code


def _neutral(report: DiffReport) -> Report:
    names = {file.name: stream_name(Path(file.name).name) for file in (report.old, report.new)}
    return from_diff(report, datetime.now(UTC), models=names)


def _show(report: DiffReport, target: Path | None) -> None:
    out = console()
    summary = report.summary
    out.say(
        f"{report.request.old_file} to {report.request.new_file}: {summary['added']} added, "
        f"{summary['deleted']} deleted, {summary['changed']} changed, "
        f"{summary['unchanged']} unchanged; {report.verdict}"
    )
    if summary["reidentified"]:
        out.say(
            f"{counted(summary['reidentified'], 'element')} with another GlobalId than before "
            f"(least confidence {min(r.confidence for r in report.reidentified):.2f})"
        )
    if summary["doubtful"]:
        out.say(
            f"{counted(summary['doubtful'], 'element')} of the old model may be there under another "
            "GlobalId; nobody can say it for sure"
        )
    for warning in report.warnings:
        out.say(f"warning: {warning}")
    if report.coverage < 1:
        reasons = Counter(row.reason for row in report.unjudged)
        out.say(
            partly_tested(report.coverage).replace("with geometry were tested", "were compared")
        )
        for reason, count in reasons.most_common(3):
            out.say(f"  {count}: {reason}")
    if report.changes:
        rows: list[dict[str, Any]] = [output.row(report, change) for change in report.changes]
        out.say()
        out.print(facets_table(rows))
        out.say()
        out.print(changes_table(rows[:SHOWN]))
        if len(rows) > SHOWN:
            out.say(f"… and {len(rows) - SHOWN} more; -o FILE writes all of them")
    if target:
        out.say(f"report written to {target}")
