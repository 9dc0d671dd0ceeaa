"""`ifcbase convert`: a model as another format, directly on files or submitted to the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ifcbase.cli import running
from ifcbase.cli.output import (
    JsonOption,
    check_output,
    console,
    left_out_text,
    percent,
    print_json,
    put_in_place,
)
from ifcbase.conversion import handover
from ifcbase.conversion.report import ConversionReport
from ifcbase.conversion.request import ConversionRequest, parse_request
from ifcbase.errors import RequestInvalid
from ifcbase.ifc.opening import check_file
from ifcbase.settings import Settings, get_settings

CHECK = "conversion"
#: Elements left out that are listed for people.
SHOWN = 10
#: Fields of the request that the command line has under another name.
_OPTIONS = {
    "output_filename": "OUT",
    "log_file": "--log",
    "include": "--include",
    "exclude": "--exclude",
    "min_coverage": "--min-coverage",
    "center_model": "--center",
    "y_up": "--y-up",
    "weld_vertices": "--weld",
    "convert_back_units": "--model-units",
    "section_height": "--section-height",
    "section_height_from_storeys": "--section-height",
    "scale": "--scale",
    "bounds": "--bounds",
}


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN.ifc", help="The model.")],
    output: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="What to write: .glb .obj .dae .svg .xlsx .csv"),
    ],
    include: Annotated[
        str | None, typer.Option(help="Only these elements: classes or a selector.")
    ] = None,
    exclude: Annotated[str | None, typer.Option(help="Without these elements.")] = None,
    center: Annotated[
        bool, typer.Option("--center", help="Positions about the model's local origin.")
    ] = False,
    y_up: Annotated[bool, typer.Option("--y-up", help="y upwards (.obj, .dae).")] = False,
    weld: Annotated[
        bool, typer.Option("--weld", help="Vertices of an element at one place as one.")
    ] = False,
    model_units: Annotated[
        bool, typer.Option("--model-units", help="Lengths in the model's unit (.obj, .dae).")
    ] = False,
    section_height: Annotated[
        float | None,
        typer.Option(help="Metres above each storey at which plans are cut (.svg; 1.2)."),
    ] = None,
    scale: Annotated[str | None, typer.Option(help="Scale of plans on paper, as 1:100.")] = None,
    bounds: Annotated[str | None, typer.Option(help="Size of plans in pixels, as 800x600.")] = None,
    log: Annotated[
        Path | None, typer.Option(help="Write what was left out, and why, here.")
    ] = None,
    min_coverage: Annotated[
        float | None, typer.Option(help="Share of elements that must be converted (1.0).")
    ] = None,
    submit_: Annotated[
        bool, typer.Option("--submit", help="Run it by a worker and keep the result.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="With --submit: wait for the result.")] = True,
    model: Annotated[
        str | None, typer.Option(help="With --submit: the model the file is a version of.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="With --submit: the project.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Convert a model to 3D formats, floor plans or tables.

    Exit code: 0 converted, 2 bad input or failure, 3 inconclusive: elements are missing.
    """
    fields: dict[str, Any] = {
        "input_filename": source.name,
        "output_filename": output.name,
        "log_file": log.name if log else None,
        "include": include,
        "exclude": exclude,
        "min_coverage": min_coverage,
        "center_model": center or None,
        "y_up": y_up or None,
        "weld_vertices": weld or None,
        "convert_back_units": model_units or None,
        "section_height": section_height,
        "section_height_from_storeys": True if section_height is not None else None,
        "scale": scale,
        "bounds": bounds,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    request = parse_request(given, lambda field: _OPTIONS.get(field, field))
    targets = _targets(request, output, log)
    for target in targets.values():
        check_output(target, [source])
    check_file(source)
    settings = get_settings()
    if submit_:
        # Here and not above: a conversion that runs here needs no database.
        from ifcbase.jobs.submit import Given

        code = running.submitted(
            settings,
            CHECK,
            request.model_dump(mode="json"),
            {request.input_filename: Given(source, model)},
            project=project,
            wait=wait,
            fetch=targets,
            as_json=as_json,
        )
    elif model is not None or project is not None:
        raise RequestInvalid(
            f"{'--model' if model is not None else '--project'} goes with --submit"
        )
    else:
        code = _run(settings, request, source, targets, as_json)
    raise typer.Exit(code)


def _targets(request: ConversionRequest, output: Path, log: Path | None) -> dict[str, Path]:
    """Where each file of the request goes; an OBJ finds its materials beside it."""
    targets = {request.output_filename: output}
    if request.side_file is not None:
        targets[request.side_file] = output.with_suffix(".mtl")
    if log is not None and request.log_file is not None:
        targets[request.log_file] = log
    return targets


def _run(
    settings: Settings,
    request: ConversionRequest,
    source: Path,
    targets: dict[str, Path],
    as_json: bool,
) -> int:
    document = request.model_dump(mode="json")
    with running.computed(settings, CHECK, document, {request.input_filename: source}) as folder:
        report = handover.read(folder)
        for output in report.outputs:
            put_in_place(folder / output.file, targets[output.name])
    verdict = report.verdict(request.min_coverage)
    if as_json:
        print_json(_document(report, request))
    else:
        _show(report, request, targets)
    return verdict.exit_code


def _document(report: ConversionReport, request: ConversionRequest) -> dict[str, Any]:
    elements = report.inventory.elements
    return {
        "input": report.name,
        "sha256": report.sha256,
        "format": report.format,
        "verdict": report.verdict(request.min_coverage),
        "coverage": report.coverage,
        "selected": len(report.selected),
        "converted": report.converted,
        "left_out": [
            {
                "global_id": elements[index].global_id,
                "n": elements[index].n,
                "step_id": elements[index].step_id,
                "ifc_class": elements[index].ifc_class,
                "name": elements[index].name,
                "reason": reason,
                "detail": report.reasons.get(index),
            }
            for index, reason in report.left_out.items()
        ],
        "counts": report.counts,
        "warnings": report.warnings,
        "local_origin": report.origin,
        "engine": report.engine,
        "outputs": [{"name": o.name, "sha256": o.sha256, "size": o.size} for o in report.outputs],
    }


def _show(report: ConversionReport, request: ConversionRequest, targets: dict[str, Path]) -> None:
    out = console()
    verdict = report.verdict(request.min_coverage)
    out.say(f"{report.converted} of {len(report.selected)} elements, {verdict}")
    held = [f"{value} {key.replace('_', ' ')}" for key, value in report.counts.items() if value]
    out.say(", ".join(held))
    if report.left_out:
        out.say(f"left out: {left_out_text(report.left_out_counts())}")
    gaps = [i for i, reason in report.left_out.items() if reason.counts_as_gap]
    for index in gaps[:SHOWN]:
        element = report.inventory.elements[index]
        name = f" {element.name}" if element.name else ""
        out.say(f"  {element.ifc_class} {element.global_id}{name}: {report.reasons.get(index)}")
    if len(gaps) > SHOWN:
        out.say(f"  … and {len(gaps) - SHOWN} more (--log FILE for all)")
    if gaps:
        out.say(f"only {percent(report.coverage)} of the elements with geometry were converted")
    for warning in report.warnings:
        out.say(f"warning: {warning}")
    for output in report.outputs:
        out.say(f"written: {targets[output.name]}")
