"""Recording a diff: from the folder a child left to rows of the ledger, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ifcbase.diff import handover, output
from ifcbase.diff.facets import facets_of
from ifcbase.diff.report import DiffReport
from ifcbase.diff.request import parse_request
from ifcbase.errors import ReportInvalid
from ifcbase.files.store import FileStore
from ifcbase.ifc.inventory import Element
from ifcbase.ledger.interface import Attempt, Writer
from ifcbase.ledger.recording import (
    inputs_of,
    outcome,
    output_name,
    result_line,
    store_models,
    store_output,
)

#: Keys of the client's document whose rows are tables of their own.
_IN_ROWS = frozenset({"changes", "reidentified", "doubtful", "not_compared", "engine"})


def record(writer: Writer, attempt: Attempt, folder: Path, files: FileStore) -> dict[str, Any]:
    """Store what the child left: inventories, the output file, the result and its changes.

    Gives the job's outcome with the keys existing clients read. Raises ReportInvalid if the report
    does not belong to the request.
    """
    report = handover.read(folder)
    if report.request != parse_request(attempt.request):
        raise ReportInvalid("the report is about another request")
    inputs = inputs_of(attempt)
    store_models(writer, inputs, [report.old, report.new])
    name = output_name(report.request.output_file, attempt, ".json")
    stored = store_output(writer, attempt, files, folder / "output.json", name)

    result = writer.open_result(
        {
            "old_file": report.request.old_file,
            "new_file": report.request.new_file,
            "settings": report.request.model_dump(mode="json", exclude={"old_file", "new_file"}),
            "facets": sorted(facets_of(report.request.relationships)),
        }
    )
    writer.append_rows(result, "changes", list(_changes(report)))
    writer.append_rows(result, "matches", list(_matches(report)))
    writer.append_rows(result, "not_compared", list(_not_compared(report)))
    document = output.document(report)
    summary = report.summary
    id_ = writer.finish_result(
        result,
        {
            "diff_count": report.diff_count,
            "document": {k: v for k, v in document.items() if k not in _IN_ROWS},
            "counts": summary | {"selected_old": report.old.selected,
                                 "selected_new": report.new.selected},
            "facets": report.by_facet,
            "verdict": report.verdict,
            "coverage": report.coverage,
            "warnings": report.warnings,
            "engine": report.engine,
            "output_sha256": stored.sha256,
        },
    )  # fmt: skip
    line = result_line(
        id_,
        f"{report.request.old_file} to {report.request.new_file}",
        f"{summary['added']} added, {summary['deleted']} deleted, {summary['changed']} changed",
        report.verdict,
        report.coverage,
    )
    return outcome(
        report.verdict,
        [line],
        report.warnings,
        message="The models were compared.",
        diff_count=report.diff_count,
        summary=summary,
        output_path=name,
        output_sha256=stored.sha256,
    )


def _key(side: str, element: Element) -> dict[str, Any]:
    return {"side": side, "global_id": element.global_id, "n": element.n}


def _changes(report: DiffReport) -> Iterator[dict[str, Any]]:
    for change in report.changes:
        side = "old" if change.new is None else "new"
        told = {"facet": change.facet, "before": change.before, "after": change.after}
        yield _key(side, output.element_of(report, change)) | told


def _matches(report: DiffReport) -> Iterator[dict[str, Any]]:
    """What was found again under another id, and what perhaps was."""
    for each in report.reidentified:
        new = report.new.element(each.new)
        yield _key("old", report.old.element(each.old)) | {
            "new_global_id": new.global_id, "new_n": new.n, "verdict": "same",
            "method": each.method.name.lower(), "confidence": each.confidence,
        }  # fmt: skip
    for doubt in report.doubtful:
        found = None if doubt.new is None else report.new.element(doubt.new)
        yield _key("old", report.old.element(doubt.old)) | {
            "new_global_id": found.global_id if found else None, "new_n": found.n if found else None,
            "verdict": "doubtful", "method": "nearest", "confidence": doubt.confidence,
        }  # fmt: skip


def _not_compared(report: DiffReport) -> Iterator[dict[str, Any]]:
    for row in report.unjudged:
        told = {"facet": row.facet, "reason": row.reason}
        yield _key("new", report.new.element(row.new)) | told
