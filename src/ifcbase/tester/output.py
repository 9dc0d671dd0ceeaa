"""The report clients download: IfcTester's JSON shape, extra keys after its own.

Written piece by piece: on large models it lists every element once per requirement.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ifcbase.tester.ids.usage import Usage
from ifcbase.tester.report import (
    Element,
    RequirementReport,
    Row,
    SpecificationReport,
    TesterReport,
)

#: Made once: on large models it writes each element by itself.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str)


def write(report: TesterReport, path: Path, date: datetime) -> None:
    """Write the whole document as JSON (UTF-8)."""
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(_pieces(report, date))


def document(report: TesterReport, date: datetime, most: int | None = None) -> dict[str, Any]:
    """The same document as a dictionary, each list of elements cut after ``most``; what is counted
    is counted in full, and ``listed_at_most`` says that something was cut."""
    loaded: dict[str, Any] = json.loads("".join(_pieces(report, date, most)))
    if most is not None and any(len(s.elements) > most for s in report.specifications):
        loaded["listed_at_most"] = most
    return loaded


def listed(report: TesterReport, most: int) -> set[int]:
    """The elements that a document cut after ``most`` names."""
    found: set[int] = set()
    for specification in report.specifications:
        found.update(specification.elements[:most])
        found.update(row.element for row in specification.failures[:most])
        for requirement in specification.requirements:
            found.update(_passed(specification, requirement)[:most])
            found.update(row.element for row in requirement.failures[:most])
            found.update(row.element for row in requirement.unjudged[:most])
    return found


def _pieces(report: TesterReport, date: datetime, most: int | None = None) -> Iterator[str]:
    entities = [_dumps(_entity(element)) for element in report.elements]
    yield _open(_totals(report, date), "specifications")
    for number, specification in enumerate(report.specifications):
        yield ", " if number else ""
        yield _open(_specification(report, specification), "applicable_entities")
        yield ", ".join(entities[index] for index in specification.elements[:most])
        yield '], "failed_entities": ['
        yield _rows(specification.failures[:most], entities)
        yield '], "requirements": ['
        for count, requirement in enumerate(specification.requirements):
            yield ", " if count else ""
            yield from _requirement_pieces(specification, requirement, entities, most)
        yield "]}"
    yield "]}\n"


def _requirement_pieces(
    specification: SpecificationReport,
    requirement: RequirementReport,
    entities: list[str],
    most: int | None,
) -> Iterator[str]:
    yield _open(_requirement(specification, requirement), "passed_entities")
    yield ", ".join(entities[index] for index in _passed(specification, requirement)[:most])
    yield '], "failed_entities": ['
    yield _rows(requirement.failures[:most], entities)
    yield '], "unjudged_entities": ['
    yield _rows(requirement.unjudged[:most], entities)
    yield "]}"


def _passed(specification: SpecificationReport, requirement: RequirementReport) -> list[int]:
    out = {row.element for row in (*requirement.failures, *requirement.unjudged)}
    return [index for index in specification.elements if index not in out]


def _open(head: dict[str, Any], key: str) -> str:
    """The object so far, left open inside the list of one more key."""
    return f'{_dumps(head)[:-1]}, "{key}": ['


def _rows(rows: Iterable[Row], entities: list[str]) -> str:
    return ", ".join(
        f'{{"reason": {_dumps(row.reason)}, {entities[row.element][1:]}' for row in rows
    )


def _dumps(value: Any) -> str:
    return _ENCODER.encode(value)


def _totals(report: TesterReport, date: datetime) -> dict[str, Any]:
    passed = sum(s.status for s in report.specifications)
    requirements = [
        _requirement_status(s, r) for s in report.specifications for r in s.requirements
    ]
    checks = [_checks(s) for s in report.specifications]
    return {
        "hide_skipped": False,
        "title": " + ".join(ids.title for ids in report.ids),
        "date": date.strftime("%Y-%m-%d %H:%M:%S"),
        "filepath": report.model.name,
        "filename": Path(report.model.name).name,
        "status": all(s.status for s in report.specifications),
        **_share("specifications", len(report.specifications), passed),
        **_share("requirements", len(requirements), sum(requirements)),
        **_share("checks", sum(c[0] for c in checks), sum(c[1] for c in checks)),
        "verdict": report.verdict,
        "ids": [{"name": i.name, "sha256": i.sha256, "title": i.title} for i in report.ids],
        "version_mismatches": report.version_mismatches,
        "warnings": [finding.to_dict() for finding in report.findings],
    }


def _specification(report: TesterReport, specification: SpecificationReport) -> dict[str, Any]:
    applicable = specification.applicable
    passed = applicable - len(specification.failed_elements)
    checks, checks_passed = _checks(specification)
    return {
        "name": specification.name,
        "description": specification.description or "",
        "instructions": specification.instructions or "",
        "status": specification.status,
        "is_skipped": specification.usage is Usage.OPTIONAL and applicable == 0,
        "is_ifc_version": specification.version_matches,
        "total_applicable": applicable,
        "total_applicable_pass": passed,
        "total_applicable_fail": applicable - passed,
        "percent_applicable_pass": _percent(applicable, passed),
        **_share("checks", checks, checks_passed),
        "cardinality": specification.usage,
        "applicability": specification.applicability,
        "identifier": specification.identifier,
        "ids": report.ids[specification.ids].name,
        "ifc_versions": specification.ifc_versions,
        "verdict": specification.verdict,
        "total_unjudged": len(specification.unjudged),
    }


def _requirement(
    specification: SpecificationReport, requirement: RequirementReport
) -> dict[str, Any]:
    return {
        "facet_type": requirement.facet,
        "metadata": requirement.metadata,
        "label": requirement.label,
        "value": requirement.value,
        "description": requirement.description,
        "status": _requirement_status(specification, requirement),
        "total_applicable": requirement.evaluated,
        "total_pass": requirement.passed,
        "total_fail": requirement.failed,
        "percent_pass": _percent(requirement.evaluated, requirement.passed),
        "instructions": requirement.instructions,
        "cardinality": requirement.cardinality,
    }


def _requirement_status(specification: SpecificationReport, requirement: RequirementReport) -> bool:
    missing = specification.usage is Usage.REQUIRED and not specification.elements
    return not requirement.failures and not missing


def _checks(specification: SpecificationReport) -> tuple[int, int]:
    """Checks made and passed; an element that should not be there is a check that failed."""
    if specification.usage is Usage.PROHIBITED:
        return specification.applicable, specification.applicable - len(specification.failures)
    requirements = specification.requirements
    return sum(r.evaluated for r in requirements), sum(r.passed for r in requirements)


def _share(name: str, total: int, passed: int) -> dict[str, Any]:
    return {
        f"total_{name}": total,
        f"total_{name}_pass": passed,
        f"total_{name}_fail": total - passed,
        f"percent_{name}_pass": _percent(total, passed),
    }


def _percent(total: int, passed: int) -> int | str:
    return 100 * passed // total if total else "N/A"


def _entity(element: Element) -> dict[str, Any]:
    return {
        "element": element.text,
        "element_type": element.type_text,
        "class": element.ifc_class,
        "predefined_type": element.predefined_type,
        "name": element.name,
        "description": element.description,
        "id": element.step_id,
        "global_id": element.global_id,
        "tag": element.tag,
    }
