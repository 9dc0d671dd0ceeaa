"""A report as the rows the ledger keeps: specifications and requirements known by what they ask."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ifcbase.ifc.inventory import Inventory, number_repeats, synthetic_id
from ifcbase.tester.ids.usage import Usage
from ifcbase.tester.report import RequirementReport, SpecificationReport, TesterReport

#: Rows sent at a time, and elements named at a time.
CHUNK = 20_000
#: The number of what a specification asks by its elements being there or not.
OCCURRENCE = 0
NOTHING_THERE = "No element it requires is there"
#: Parts of a requirement's metadata that are for people.
_WORDS = frozenset({"@instructions", "@uri", "@cardinality"})
#: Parts that say what it is about, not what is asked of it.
_SUBJECT = frozenset({"name", "propertySet", "baseName", "system", "@relation", "entity"})

Row = dict[str, Any]


def digest(value: Any) -> str:
    """A hash of plain data that does not depend on the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def content_of(specification: SpecificationReport) -> str:
    """What decides to which elements it applies, and whether there must be any."""
    facets = sorted(digest(facet) for facet in specification.content)
    return digest([str(specification.usage), facets])


def asked_of(requirement: RequirementReport) -> str:
    """All that decides about an element."""
    asked = {key: value for key, value in requirement.metadata.items() if key not in _WORDS}
    return digest([requirement.facet, requirement.cardinality, asked])


def subject_of(requirement: RequirementReport) -> str:
    """What it is about: which property, which attribute, which classification system."""
    about = {key: value for key, value in requirement.metadata.items() if key in _SUBJECT}
    return digest([requirement.facet, about])


def chunks(rows: Iterable[Row], size: int = CHUNK) -> Iterator[list[Row]]:
    """The rows, some at a time."""
    rest = iter(rows)
    while chunk := list(islice(rest, size)):
        yield chunk


@dataclass(slots=True)
class Rows:
    """The rows of one report; elements are numbered as the report numbers them."""

    report: TesterReport
    inventory: Inventory

    def runs(self, names: Sequence[str]) -> list[Row]:
        """One row per IDS; ``names`` are those of the series."""
        return [
            {
                "position": position,
                "series": name,
                "input": self.report.model.name,
                "ids": ids.name,
                "sha256": ids.sha256,
                "title": ids.title,
            }
            for position, (name, ids) in enumerate(zip(names, self.report.ids, strict=True))
        ]

    def elements(self) -> Iterator[Row]:
        """All elements the report names: by the key their inventory gives them, or, where none
        lists them, by a key of their own with class and name."""
        known = self.inventory.elements
        position = {element.step_id: at for at, element in enumerate(known)}
        outside = []
        for ref, element in enumerate(self.report.elements):
            at = position.get(element.step_id)
            if at is None:
                outside.append(ref)
            else:
                yield {"ref": ref, "global_id": known[at].global_id, "n": known[at].n}
        ids = []
        for ref in outside:
            element = self.report.elements[ref]
            given = (element.global_id or "").strip()[:64]
            ids.append(
                given or synthetic_id(element.ifc_class, element.name, element.description, None)
            )
        # What inventories number comes first: a type with the id of a wall is its repeat.
        taken = [element.global_id for element in known]
        for ref, global_id, n in zip(
            outside, ids, number_repeats(taken + ids)[len(taken) :], strict=True
        ):
            element = self.report.elements[ref]
            yield {
                "ref": ref,
                "global_id": global_id,
                "n": n,
                "ifc_class": element.ifc_class,
                "name": None if element.name is None else element.name[:1000],
            }

    def specifications(self) -> list[Row]:
        """Every specification with its requirements and what was counted of them."""
        return [self._specification(at, each) for at, each in enumerate(self.report.specifications)]

    def applicable(self) -> Iterator[list[Row]]:
        """The elements every specification applied to, not too many at a time."""
        rows: list[Row] = []
        held = 0
        for at, each in enumerate(self.report.specifications):
            rows.append({"specification": at, "elements": each.elements})
            held += len(each.elements)
            if held > 10 * CHUNK:
                yield rows
                rows, held = [], 0
        if rows:
            yield rows

    def failures(self) -> Iterator[Row]:
        """Every failure of an element, and every missing one."""
        for at, each in enumerate(self.report.specifications):
            for row in each.failures:
                yield _row(at, OCCURRENCE, row.element, row.reason)
            if each.misses:
                yield _row(at, OCCURRENCE, None, NOTHING_THERE)
            for number, requirement in enumerate(each.requirements, 1):
                for row in requirement.failures:
                    yield _row(at, number, row.element, row.reason)

    def left_out(self) -> Iterator[Row]:
        """Every element that could not be judged."""
        for at, each in enumerate(self.report.specifications):
            for row in each.unjudged:
                yield _row(at, None, row.element, row.reason)
            for number, requirement in enumerate(each.requirements, 1):
                for row in requirement.unjudged:
                    yield _row(at, number, row.element, row.reason)

    def _specification(self, at: int, each: SpecificationReport) -> Row:
        content = content_of(each)
        requirements = [
            {
                "position": number,
                "facet": requirement.facet,
                "description": requirement.description[:2000],
                "cardinality": requirement.cardinality,
                "content": asked_of(requirement),
                "subject": subject_of(requirement),
                "evaluated": requirement.evaluated,
                "failed": requirement.failed,
                "unjudged": len(requirement.unjudged),
            }
            for number, requirement in enumerate(each.requirements, 1)
            if each.usage is not Usage.PROHIBITED
        ]
        if each.usage is not Usage.OPTIONAL:
            requirements.insert(0, _occurrence(each, content))
        return {
            "position": at,
            "ids": each.ids,
            "name": each.name[:1000],
            "identifier": each.identifier,
            "description": each.description,
            "usage": str(each.usage),
            "content": content,
            "whole": digest([content, sorted(row["content"] for row in requirements)]),
            "ifc_versions": each.ifc_versions,
            "version_matches": each.version_matches,
            "verdict": str(each.verdict),
            "applicability": each.applicability,
            "applicable": each.applicable,
            "failed": len(each.failed_elements),
            "unjudged": len(
                {row.element for row in each.unjudged}.union(
                    row.element for r in each.requirements for row in r.unjudged
                )
            ),
            "requirements": requirements,
        }


def _occurrence(specification: SpecificationReport, content: str) -> Row:
    prohibited = specification.usage is Usage.PROHIBITED
    failed = len(specification.failures) if prohibited else int(specification.misses)
    return {
        "position": OCCURRENCE,
        "facet": "Occurrence",
        "description": "No such element may be there" if prohibited else "There must be one",
        "cardinality": str(specification.usage),
        "content": content,
        "subject": "occurrence",
        "evaluated": specification.applicable if prohibited else 1,
        "failed": failed,
        "unjudged": len(specification.unjudged),
    }


def _row(specification: int, requirement: int | None, element: int | None, reason: str) -> Row:
    return {
        "specification": specification,
        "requirement": requirement,
        "element": element,
        "reason": reason,
    }
