"""Recording a conversion: from the folder a child left to a result of the ledger, all or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ifcbase.conversion import handover
from ifcbase.conversion.report import ConversionReport
from ifcbase.conversion.request import ConversionRequest, parse_request
from ifcbase.errors import ReportInvalid
from ifcbase.files.store import FileStore
from ifcbase.ledger.interface import Attempt, Writer
from ifcbase.ledger.recording import (
    inputs_of,
    outcome,
    result_line,
    store_models,
    store_output,
)

#: Rows sent at once.
CHUNK = 10_000


def record(writer: Writer, attempt: Attempt, folder: Path, files: FileStore) -> dict[str, Any]:
    """Store what the child left: the inventory, the output files, one result with what is not in it.

    Gives the job's outcome with the keys existing clients read. Raises ReportInvalid if the report
    does not belong to the request.
    """
    report = handover.read(folder)
    request = parse_request(attempt.request)
    _belongs(report, request)
    inputs = inputs_of(attempt)
    store_models(writer, inputs, [report])
    for output in report.outputs:
        stored = store_output(writer, attempt, files, folder / output.file, output.name)
        if stored.sha256 != output.sha256:
            raise ReportInvalid(f"{output.file} changed while it was stored")
    verdict = report.verdict(request.min_coverage)
    result = writer.open_result(
        {
            "input_filename": request.input_filename,
            "output_filename": request.output_filename,
            "conversion_options": request.options(),
        }
    )
    rows = _left_out(report)
    for start in range(0, len(rows), CHUNK):
        writer.append_rows(result, "left_out", rows[start : start + CHUNK])
    output = report.outputs[0]
    result = writer.finish_result(
        result,
        {
            "verdict": verdict,
            "coverage": report.coverage,
            "warnings": report.warnings,
            "engine": report.engine | {"local_origin": report.origin},
            "output_sha256": output.sha256,
            "selected": len(report.selected),
            "converted": report.converted,
            "left_out_counts": report.left_out_counts(),
            "counts": report.counts,
        },
    )
    summary = f"{report.converted} of {len(report.selected)} elements"
    name = f"{request.input_filename} to {request.output_filename}"
    given = inputs[request.input_filename]
    return outcome(
        verdict,
        [result_line(result, name, summary, verdict, report.coverage)],
        report.warnings,
        message="Conversion successful" if report.converted else "Nothing was converted",
        output_path=output.name,
        output_sha256=output.sha256,
        outputs=[{"name": o.name, "sha256": o.sha256, "size": o.size} for o in report.outputs],
        log_file=request.log_file,
        input_size_bytes=given.size,
        output_size_bytes=output.size,
        converted=report.converted,
        left_out=report.left_out_counts(),
        counts=report.counts,
    )


def _belongs(report: ConversionReport, request: ConversionRequest) -> None:
    """Refuse a report on another model or on other outputs than were asked for."""
    if report.name != request.input_filename or report.format is not request.format:
        raise ReportInvalid("the report is not about the conversion that was asked for")
    asked = [request.output_filename]
    asked += [name for name in (request.side_file, request.log_file) if name is not None]
    if [output.name for output in report.outputs] != asked:
        raise ReportInvalid("the report lists other files than were asked for")


def _left_out(report: ConversionReport) -> list[dict[str, Any]]:
    rows = []
    for index, reason in report.left_out.items():
        element = report.inventory.elements[index]
        rows.append(
            {
                "input": report.name,
                "global_id": element.global_id,
                "n": element.n,
                "reason": reason,
                "detail": report.reasons.get(index),
            }
        )
    return rows
