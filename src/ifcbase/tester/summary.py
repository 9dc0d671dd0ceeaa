"""What a person is shown of a report: a small file beside the whole one, quick to make and to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from ifcbase.errors import ReportInvalid
from ifcbase.tester.report import Row, SpecificationReport, TesterReport, Verdict

#: What the child of a direct run leaves besides the report.
FILE: Final = "summary.json"
#: Failed elements that are listed for people.
SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Line:
    """One specification: to how many elements it applies, and how many of them failed."""

    name: str
    usage: str
    applicable: int
    failed: int
    verdict: str


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed element of one specification."""

    specification: str
    element: str
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A report without its rows; ``failures`` are the first of ``failures_in_all``."""

    model: str
    verdict: str
    fail_count: int
    coverage: float
    warnings: list[str]
    specifications: list[Line]
    failures: list[Failure]
    failures_in_all: int

    @property
    def exit_code(self) -> int:
        """What the verdict is for a shell."""
        return Verdict(self.verdict).exit_code


def summary_of(report: TesterReport) -> Summary:
    """The summary of a report."""
    rows = ((each, row) for each in report.specifications for row in _failures(each))
    failures = [
        Failure(each.name, _called(report, row.element), row.reason)
        for each, row in islice(rows, SHOWN)
    ]
    return Summary(
        model=report.model.name,
        verdict=report.verdict,
        fail_count=report.fail_count,
        coverage=report.coverage,
        warnings=report.warnings,
        specifications=[
            Line(each.name, each.usage, each.applicable, len(each.failed_elements), each.verdict)
            for each in report.specifications
        ],
        failures=failures,
        failures_in_all=len(failures) + sum(1 for _ in rows),
    )


def write(report: TesterReport, path: Path) -> None:
    """Write the summary of a report."""
    path.write_text(json.dumps(asdict(summary_of(report))), encoding="ascii")


def read(path: Path) -> Summary:
    """The summary a child left. Raises ReportInvalid if it is none."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        document["specifications"] = [Line(**each) for each in document["specifications"]]
        document["failures"] = [Failure(**each) for each in document["failures"]]
        summary = Summary(**document)
        _refuse_contradictions(summary)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ReportInvalid("The check left no summary that holds.", detail=str(error)) from error
    return summary


def _refuse_contradictions(summary: Summary) -> None:
    """Raises ValueError, or TypeError where something is of another kind."""
    counts = [summary.fail_count, summary.failures_in_all]
    texts = [summary.model, *summary.warnings]
    for line in summary.specifications:
        Verdict(line.verdict)
        counts += [line.applicable, line.failed, line.applicable - line.failed]
        texts += [line.name, line.usage]
    for failure in summary.failures:
        texts += [failure.specification, failure.element, failure.reason]
    verdict = Verdict(summary.verdict)
    failed = sum(Verdict(line.verdict) is Verdict.FAILED for line in summary.specifications)
    if any(not isinstance(text, str) for text in texts):
        raise TypeError("a text is none")
    if any(not isinstance(count, int) or count < 0 for count in counts):
        raise ValueError("a count is none, or more failed than there are")
    if not 0 <= summary.coverage <= 1:
        raise ValueError("the coverage is no share")
    if failed != summary.fail_count or (verdict is Verdict.FAILED and not failed):
        raise ValueError("the verdict is not that of the specifications")
    if len(summary.failures) != min(SHOWN, summary.failures_in_all):
        raise ValueError("the failures shown are not the first of all")


def _failures(each: SpecificationReport) -> Iterator[Row]:
    yield from each.failures
    for asked in each.requirements:
        yield from asked.failures


def _called(report: TesterReport, number: int) -> str:
    element = report.elements[number]
    return f"{element.ifc_class} {element.name or element.global_id or f'#{element.step_id}'}"
