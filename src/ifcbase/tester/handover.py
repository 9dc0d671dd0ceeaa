"""The report as a file between the child process that computes and the parent that records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ifcbase.errors import ReportInvalid
from ifcbase.tester.ids.usage import Usage
from ifcbase.tester.output import listed
from ifcbase.tester.report import SpecificationReport, TesterReport

#: What the child leaves: what clients download, what is recorded, and how a report in another format
#: that was asked for begins.
OUTPUT: Final = "output.json"
REPORT: Final = "report.json"
ASKED: Final = "asked"

#: How many elements each list of the document that is recorded holds; the file has all of them.
LISTED: Final = 200


def write(report: TesterReport, path: Path) -> None:
    """Write the report as JSON; of the instances' texts only those that are recorded."""
    kept = listed(report, LISTED)
    document = _plain(report)
    document["elements"] = [
        _plain(each) if number in kept else _plain(each) | _NO_TEXTS
        for number, each in enumerate(report.elements)
    ]
    encoder = json.JSONEncoder(default=_plain, allow_nan=False, separators=(",", ":"))
    path.write_text(encoder.encode(document), encoding="ascii")


_NO_TEXTS: Final = {"text": "", "type_text": None}


def _plain(part: Any) -> dict[str, Any]:
    """A part of the report as the fields it is made of."""
    return {name: getattr(part, name) for name in part.__slots__}


def read(path: Path) -> TesterReport:
    """The report, if it holds together; else ReportInvalid. Trusts nothing that it reads."""
    # Here and not above: the child only writes, and this takes longer to load than a small model.
    from pydantic import TypeAdapter, ValidationError

    try:
        report = TypeAdapter(TesterReport).validate_json(path.read_bytes())
    except OSError as error:
        raise ReportInvalid("The check left no report.", detail=str(error)) from error
    except ValidationError as error:
        raise ReportInvalid("The report is not of the expected form.", detail=str(error)) from error
    faults = list(_faults(report))
    if faults:
        raise ReportInvalid(
            f"The report contradicts itself: {faults[0]}.", detail="\n".join(faults)
        )
    return report


def _faults(report: TesterReport) -> Iterator[str]:
    step_ids = [element.step_id for element in report.elements]
    if len(set(step_ids)) != len(step_ids):
        yield "an element is listed twice"
    if not report.ids:
        yield "no IDS is named"
    for number, specification in enumerate(report.specifications, 1):
        if not 0 <= specification.ids < len(report.ids):
            yield f"specification {number} is of no listed IDS"
        for fault in _specification_faults(specification, len(step_ids)):
            yield f"specification {number}: {fault}"


def _specification_faults(specification: SpecificationReport, elements: int) -> Iterator[str]:
    applicable = set(specification.elements)
    if len(applicable) != len(specification.elements):
        yield "an element is applicable twice"
    if any(not 0 <= index < elements for index in applicable):
        yield "an applicable element is not listed"
    if any(not 0 <= row.element < elements for row in specification.unjudged):
        yield "an unjudged element is not listed"
    if specification.usage is Usage.PROHIBITED:
        if [row.element for row in specification.failures] != specification.elements:
            yield "it is prohibited, and not every element it applies to failed"
        return
    if specification.failures:
        yield "it is not prohibited and cannot fail by elements being there"
    for requirement in specification.requirements:
        rows = [row.element for row in (*requirement.failures, *requirement.unjudged)]
        if len(set(rows)) != len(rows) or not applicable.issuperset(rows):
            yield "a row is of an element it does not apply to, or an element has two"
        if requirement.evaluated + len(requirement.unjudged) != len(applicable):
            yield "elements were lost between applicable and judged"
