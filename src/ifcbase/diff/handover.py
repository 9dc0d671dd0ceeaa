"""The report as a file between the child process that computes and the parent that records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ifcbase.diff.facets import Facet
from ifcbase.diff.report import Change, DiffReport, Doubt, FileReport, Reidentified, Unjudged
from ifcbase.diff.request import DiffRequest
from ifcbase.errors import ReportInvalid
from ifcbase.ifc.handing import model_document, read_model_document
from ifcbase.ifc.matching import Method
from ifcbase.ifc.text import is_clean

FORMAT = 1
REPORT = "report.json"
#: A report on two models of a million elements each fits.
_LARGEST = 2 << 30
#: No value of a model nests deeper in what is told of it.
_DEEPEST = 40

_Index = Annotated[int, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Text = Annotated[str, Field(min_length=1, max_length=100_000)]
_Values = dict[str, Any]


class _Words(BaseModel):
    """The report but its models."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    request: DiffRequest
    selected: tuple[_Index, _Index]
    compared: _Index
    shaped: _Index
    changes: list[tuple[Facet, _Index | None, _Index | None, _Values, _Values]]
    reidentified: list[tuple[_Index, _Index, Method, _Share]]
    doubtful: list[tuple[_Index, _Index | None, _Share]]
    unjudged: list[tuple[Facet, _Index, _Index, _Text]]
    warnings: list[_Text]
    engine: dict[str, Any]


def write(report: DiffReport, folder: Path) -> None:
    """Write the report as JSON into an existing folder."""
    words = _Words(
        request=report.request,
        selected=(report.old.selected, report.new.selected),
        compared=report.compared,
        shaped=report.shaped,
        changes=[(c.facet, c.old, c.new, c.before, c.after) for c in report.changes],
        reidentified=[(r.old, r.new, r.method, r.confidence) for r in report.reidentified],
        doubtful=[(d.old, d.new, d.confidence) for d in report.doubtful],
        unjudged=[(u.facet, u.old, u.new, u.reason) for u in report.unjudged],
        warnings=report.warnings,
        engine=report.engine,
    )
    document = {
        "format": FORMAT,
        "models": [
            model_document(f.name, f.sha256, f.inventory, f.signatures)
            for f in (report.old, report.new)
        ],
        "words": words.model_dump(mode="json"),
    }
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    (folder / REPORT).write_text(text, encoding="ascii")


def read(folder: Path) -> DiffReport:
    """The report, if it holds together; else ReportInvalid. Trusts nothing that it reads."""
    document = _document(folder / REPORT)
    models = document.get("models")
    if document.get("format") != FORMAT or not isinstance(models, list) or len(models) != 2:
        raise ReportInvalid("the report is not of the expected form")
    try:
        words = _Words.model_validate(document.get("words"))
    except ValidationError as error:
        raise ReportInvalid("the report is not of the expected form", detail=str(error)) from error
    old, new = (
        FileReport(name, sha256, inventory, selected, signatures)
        for (name, sha256, inventory, signatures), selected in zip(
            map(read_model_document, models), words.selected, strict=True
        )
    )
    report = DiffReport(
        request=words.request,
        old=old,
        new=new,
        compared=words.compared,
        shaped=words.shaped,
        changes=[Change(*row) for row in words.changes],
        reidentified=[Reidentified(*row) for row in words.reidentified],
        doubtful=[Doubt(*row) for row in words.doubtful],
        unjudged=[Unjudged(*row) for row in words.unjudged],
        warnings=words.warnings,
        engine=words.engine,
    )
    for fault in _faults(report):
        raise ReportInvalid(f"the report contradicts itself: {fault}")
    return report


def _document(path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is not JSON")

    try:
        if path.stat().st_size > _LARGEST:
            raise ReportInvalid("the report is too large")
        document = json.loads(path.read_bytes(), parse_constant=refuse)
    except (OSError, ValueError, RecursionError) as error:
        raise ReportInvalid("the check left no report", detail=str(error)) from error
    if not isinstance(document, dict):
        raise ReportInvalid("the report is not of the expected form")
    return document


def _faults(report: DiffReport) -> Iterator[str]:
    if (report.old.name, report.new.name) != (report.request.old_file, report.request.new_file):
        yield "it is about other files than its request"
    sizes = len(report.old.inventory), len(report.new.inventory)
    if report.old.selected > sizes[0] or report.new.selected > sizes[1]:
        yield "more elements were selected than there are"
    seen: set[tuple[Facet, int | None, int | None]] = set()
    changed: dict[int | None, int | None] = {}
    for change in report.changes:
        if not _within(change.old, sizes[0]) or not _within(change.new, sizes[1]):
            yield "a change is of an element that is not listed"
        if (change.old is None) != (change.facet is Facet.ADDED):
            yield "only what was added has no old element"
        if (change.new is None) != (change.facet is Facet.DELETED):
            yield "only what was deleted has no new element"
        key = (change.facet, change.old, change.new)
        if key in seen:
            yield "a facet of an element changed twice"
        seen.add(key)
        in_both = change.old is not None and change.new is not None
        if in_both and changed.setdefault(change.new, change.old) != change.old:
            yield "a new element is two old ones"
        if not _is_plain(change.before) or not _is_plain(change.after):
            yield "a value cannot be printed"
    if len(report.changed) > report.compared or report.shaped > report.compared:
        yield "more elements changed than were compared"
    rows = [(r.old, r.new) for r in report.reidentified]
    rows += [(u.old, u.new) for u in report.unjudged]
    for old, new in (*rows, *((d.old, d.new) for d in report.doubtful)):
        if not _within(old, sizes[0]) or not _within(new, sizes[1]):
            yield "a row is of an element that is not listed"
    if not all(is_clean(text) for text in report.warnings) or not _is_plain(report.engine):
        yield "a text cannot be printed"


def _within(index: int | None, size: int) -> bool:
    return index is None or index < size


def _is_plain(value: Any, depth: int = _DEEPEST) -> bool:
    """True for JSON of printable texts and numbers that is not deeper than any model's."""
    if depth == 0:
        return False
    if isinstance(value, dict):
        return all(is_clean(k) and _is_plain(v, depth - 1) for k, v in value.items())
    if isinstance(value, list):
        return all(_is_plain(v, depth - 1) for v in value)
    return is_clean(value) if isinstance(value, str) else True
