"""Recording an IDS report: from the folder a child left to rows of the ledger, all or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ifcbase.errors import ReportInvalid
from ifcbase.files.naming import stream_name
from ifcbase.files.store import FileStore
from ifcbase.ifc.described import DescribedModel, read_models
from ifcbase.ifc.inventory import Inventory
from ifcbase.ledger.interface import Attempt, JobInput, Writer
from ifcbase.ledger.recording import (
    inputs_of,
    outcome,
    output_name,
    refuse_other_bytes,
    result_line,
    store_models,
    store_output,
)
from ifcbase.tester import handover
from ifcbase.tester.output import document
from ifcbase.tester.report import TesterReport
from ifcbase.tester.request import ReportType, TesterRequest, parse_request
from ifcbase.tester.rows import Rows, chunks

#: How many warnings a result keeps; the last one says how many more there were.
WARNINGS = 100


def record(writer: Writer, attempt: Attempt, folder: Path, files: FileStore) -> dict[str, Any]:
    """Store what the child left: the model's inventory, the reports, one result with its rows.

    Gives the job's outcome with the keys existing clients read. Raises ReportInvalid if the report
    does not belong to the request.
    """
    request = parse_request(attempt.request)
    report = handover.read(folder / handover.REPORT)
    models = read_models(folder)
    inputs = inputs_of(attempt)
    _belongs(report, models, request, inputs)
    store_models(writer, inputs, models)

    main, outputs = _store_outputs(writer, attempt, folder, files, request)
    warnings = _bounded(report.warnings)
    result = write_result(writer, report, models[0].inventory, outputs[main], warnings)
    summary = f"{report.fail_count} of {len(report.specifications)} specifications failed"
    name = f"{', '.join(request.ids_filename)} on {request.ifc_filename}"
    return outcome(
        report.verdict,
        [result_line(result, name, summary, report.verdict, report.coverage)],
        warnings,
        total_specifications=len(report.specifications),
        passed_specifications=report.pass_count,
        failed_specifications=report.fail_count,
        output_path=main,
        output_sha256=outputs[main],
        outputs=[{"name": each, "sha256": sha256} for each, sha256 in outputs.items()],
    )


def series_names(ids: Sequence[str]) -> list[str]:
    """The series each IDS belongs to: its file's stem without revision; where that is the same for
    two of a job, the whole name."""
    stems = [stream_name(Path(name).name) for name in ids]
    often = Counter(stems)
    return [stem if often[stem] == 1 else name for stem, name in zip(stems, ids, strict=True)]


def _belongs(
    report: TesterReport,
    models: list[DescribedModel],
    request: TesterRequest,
    inputs: dict[str, JobInput],
) -> None:
    """Refuse a report on another model, other IDS files or other bytes than were asked for."""
    if [model.name for model in models] != [request.ifc_filename]:
        raise ReportInvalid("the report does not describe the model that was asked for")
    named = (report.model.name, *(ids.name for ids in report.ids))
    if named != (request.ifc_filename, *request.ids_filename):
        raise ReportInvalid("the report is not about the files that were asked for")
    refuse_other_bytes(inputs, report.model.name, report.model.sha256)
    for ids in report.ids:
        refuse_other_bytes(inputs, ids.name, ids.sha256)
    if not report.specifications:
        raise ReportInvalid("the report has no specification")


def _store_outputs(
    writer: Writer, attempt: Attempt, folder: Path, files: FileStore, request: TesterRequest
) -> tuple[str, dict[str, str]]:
    """Keep the JSON report and the one that was asked for; gives the name of the latter, and the
    hashes of all by name."""
    kind = request.report_type
    main = output_name(request.output_filename, attempt, f".{kind}")
    paths = {
        main: folder / (handover.OUTPUT if kind is ReportType.JSON else f"{handover.ASKED}.{kind}")
    }
    if kind is not ReportType.JSON:
        beside = f"{attempt.job_id}.json"
        paths[beside] = folder / handover.OUTPUT
    stored = {}
    for name, path in paths.items():
        if not path.is_file():
            raise ReportInvalid(f"the check did not leave its {kind} report")
        stored[name] = store_output(writer, attempt, files, path, name).sha256
    return main, stored


def _bounded(warnings: list[str]) -> list[str]:
    if len(warnings) <= WARNINGS:
        return warnings
    return [*warnings[: WARNINGS - 1], f"and {len(warnings) - WARNINGS + 1} more warnings"]


def write_result(
    writer: Writer, report: TesterReport, inventory: Inventory, sha256: str, warnings: list[str]
) -> int:
    """Write the rows of a report on a model whose elements are stored already; gives its result.

    ``sha256`` is that of the report file clients are led to."""
    rows = Rows(report, inventory)
    names = [ids.name for ids in report.ids]
    result = writer.open_result(
        {"ifc_filename": report.model.name, "ids_filename": ", ".join(names)}
    )
    writer.append_rows(result, "runs", rows.runs(series_names(names)))
    for chunk in chunks(rows.elements()):
        writer.append_rows(result, "elements", chunk)
    writer.append_rows(result, "specifications", rows.specifications())
    for some in rows.applicable():
        writer.append_rows(result, "applicable", some)
    failures = 0
    for chunk in chunks(rows.failures()):
        writer.append_rows(result, "failures", chunk)
        failures += len(chunk)
    for chunk in chunks(rows.left_out()):
        writer.append_rows(result, "left_out", chunk)
    return writer.finish_result(
        result,
        {
            "document": document(report, datetime.now(UTC), handover.LISTED),
            "pass_count": report.pass_count,
            "fail_count": report.fail_count,
            "inconclusive_count": report.inconclusive_count,
            "version_mismatches": report.version_mismatches,
            "failures": failures,
            "verdict": report.verdict,
            "coverage": report.coverage,
            "warnings": warnings,
            "engine": report.engine,
            "output_sha256": sha256,
        },
    )
