"""`ifcbase validate`: a model against IDS files, directly or submitted to the queue."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ifcbase.cli import reports, running
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
)
from ifcbase.errors import RequestInvalid
from ifcbase.files.naming import stream_name
from ifcbase.ifc.opening import check_file
from ifcbase.jobs.registry import check_named
from ifcbase.tester import handover, summary
from ifcbase.tester.summary import Summary

if TYPE_CHECKING:
    from ifcbase.exchange.report import Report
    from ifcbase.tester.request import ReportType

CHECK = "tester"
#: What the child of a direct run calls: nothing of it is recorded.
RUN = "ifcbase.tester.run:run_unrecorded"


def validate(
    model: Annotated[Path, typer.Argument(metavar="MODEL.ifc", help="The model.")],
    rules: Annotated[list[Path], typer.Argument(metavar="RULES.ids...", help="IDS files.")],
    strict_version: Annotated[
        bool,
        typer.Option(
            "--strict-version",
            help="A specification for another IFC version makes the check inconclusive.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write the report (IfcTester's JSON) here."),
    ] = None,
    report: reports.ReportOption = None,
    bcf: reports.BcfOption = "2.1",
    submit_: Annotated[
        bool, typer.Option("--submit", help="Run it by a worker and keep the result.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="With --submit: wait for the result.")] = True,
    stream: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="With --submit: the model the file is a version of."
        ),
    ] = None,
    project: Annotated[str | None, typer.Option(help="With --submit: the project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a model by the specifications of one or several IDS files.

    Exit code: 0 all passed, 1 a specification failed, 2 bad input or failure, 3 inconclusive.
    """
    check_output(output, [model, *rules])
    if not submit_ and (stream is not None or project is not None):
        raise RequestInvalid(
            f"{'--model' if stream is not None else '--project'} goes with --submit"
        )
    wanted = reports.wanted(report, bcf, [model, *rules, output])
    check_file(model)
    paths = {str(path): path for path in (model, *_once(rules))}
    names = running.short_names(paths)
    request: dict[str, Any] = {
        "ifc_filename": names[str(model)],
        "ids_filename": [names[str(path)] for path in _once(rules)],
        "strict_version": strict_version,
    }
    inputs = {names[name]: path for name, path in paths.items()}
    if submit_:
        code = _submit(request, inputs, stream, project, wait, output, wanted, as_json)
    else:
        code = _run(request, inputs, output, wanted, as_json)
    raise typer.Exit(code)


def _once(rules: list[Path]) -> list[Path]:
    """Each IDS once, by whichever name it was given."""
    found: dict[Path, Path] = {}
    for path in rules:
        found.setdefault(path.resolve(), path)
    return list(found.values())


def _run(
    request: dict[str, Any],
    inputs: dict[str, Path],
    output: Path | None,
    wanted: reports.Wanted,
    as_json: bool,
) -> int:
    with running.computed(running.settings_if_any(), CHECK, request, inputs, RUN) as folder:
        found = summary.read(folder / summary.FILE)
        if output:
            put_in_place(folder / handover.OUTPUT, output)
        # Printed last: what fails before it is the only document on standard output.
        written = (
            reports.write_all(_neutral(folder / handover.REPORT), wanted) if wanted.paths else []
        )
        if as_json:
            print_json(json.loads((folder / handover.OUTPUT).read_text(encoding="utf-8")))
    if not as_json:
        show(found)
        if output:
            console().say(f"report written to {output}")
        reports.say(written)
    return found.exit_code


def _neutral(report: Path) -> Report:
    # Here and not above: mostly no report is asked for.
    from ifcbase.exchange.from_ids import from_ids

    found = handover.read(report)
    return from_ids(found, datetime.now(UTC), model=stream_name(Path(found.model.name).name))


def _submit(
    request: dict[str, Any],
    inputs: dict[str, Path],
    stream: str | None,
    project: str | None,
    wait: bool,
    output: Path | None,
    wanted: reports.Wanted,
    as_json: bool,
) -> int:
    # Here and not above: a check that runs here needs no database.
    from ifcbase.jobs.submit import Given
    from ifcbase.settings import get_settings
    from ifcbase.tester.request import parse_request

    model = request["ifc_filename"]
    for name, path in inputs.items():
        if name != model:
            check_named(CHECK).look(path)
    asked, fetch = _asked(wanted, output, wait)
    document = parse_request(request | asked).model_dump(mode="json")
    given = {name: Given(path, stream if name == model else None) for name, path in inputs.items()}
    return running.submitted(
        get_settings(),
        CHECK,
        document,
        given,
        project=project,
        wait=wait,
        fetch=fetch,
        as_json=as_json,
    )


def _asked(
    wanted: reports.Wanted, output: Path | None, wait: bool
) -> tuple[dict[str, Any], dict[str, Path]]:
    """What the request says of the report a worker makes, and where it then goes."""
    paths = [*wanted.paths, *([output] if output else [])]
    if not paths:
        return {}, {}
    if len(paths) > 1 or not wait:
        raise RequestInvalid(
            "a submitted check makes one report, and -o or --report waits for it",
            hint="Give one of them; `ifcbase export RESULT --check tester` writes others from the ledger.",
        )
    from ifcbase.tester.request import ReportType

    kind = ReportType.JSON if output else _kind_of(paths[0])
    if kind is ReportType.BCF and wanted.bcf != "2.1":
        raise RequestInvalid(
            f"a submitted check writes BCF 2.1, not {wanted.bcf}",
            hint="Write it afterwards with `ifcbase export RESULT --check tester`.",
        )
    return {"report_type": kind, "output_filename": paths[0].name}, {paths[0].name: paths[0]}


def _kind_of(path: Path) -> ReportType:
    from ifcbase.tester.request import ReportType

    suffix = path.suffix.lower().removeprefix(".")
    try:
        return ReportType({"bcfzip": "bcf", "htm": "html"}.get(suffix, suffix))
    except ValueError:
        known = ", ".join(f".{each}" for each in ReportType)
        raise RequestInvalid(
            f"{path.name}: a submitted check makes no such report",
            hint=f"Let the name end in one of {known}; or `ifcbase export RESULT --check tester` afterwards.",
        ) from None


def show(found: Summary) -> None:
    """A report for people: every specification, then what failed first."""
    out = console()
    failed = f"{found.fail_count} of {counted(len(found.specifications), 'specification')} failed"
    out.say(f"{found.model}: {failed}, {found.verdict}")
    rows = [
        (
            shortened(each.name),
            each.usage,
            each.applicable,
            each.applicable - each.failed,
            each.failed,
            each.verdict,
        )
        for each in found.specifications
    ]
    columns = ["specification", "usage", "applies to", "passed", "failed", "verdict"]
    out.print(table("", columns, rows, right=["applies to", "passed", "failed"]))
    for warning in found.warnings:
        out.say(f"warning: {warning}")
    if found.coverage < 1:
        out.say(f"only {percent(found.coverage)} of what was asked could be judged")
    if found.failures:
        listed = [(shortened(each.specification, 40), each.element, each.reason)
                  for each in found.failures]  # fmt: skip
        out.print(table("Failed", ["specification", "element", "reason"], listed))
    if found.failures_in_all > len(found.failures):
        out.say(f"… and {found.failures_in_all - len(found.failures)} more (-o FILE for all)")
