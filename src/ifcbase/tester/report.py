"""What an IDS check found and what it really tested; the hand-over from compute to record.

Elements are named by their index in ``TesterReport.elements``, which lists each applicable element
once; a GlobalId alone never identifies one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from ifcbase.tester.ids.finding import Finding
from ifcbase.tester.ids.usage import Usage


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        """What the command line returns for it."""
        return {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INCONCLUSIVE: 3}[self]


@dataclass(slots=True)
class Element:
    """An element a specification applies to, as the model names it."""

    step_id: int
    global_id: str | None
    ifc_class: str
    predefined_type: str | None = None
    name: str | None = None
    description: str | None = None
    tag: str | None = None
    #: The instance and its type as text, for the report clients download; not handed over.
    text: str = field(default="", compare=False, repr=False)
    type_text: str | None = field(default=None, compare=False, repr=False)


@dataclass(slots=True)
class Row:
    """One element that failed, or could not be judged, and why."""

    element: int
    reason: str


@dataclass(slots=True)
class RequirementReport:
    """One requirement over all elements its specification applies to."""

    facet: str
    label: str
    value: str
    description: str
    cardinality: str
    instructions: str | None
    metadata: dict[str, Any]
    evaluated: int = 0
    failures: list[Row] = field(default_factory=list)
    #: Elements on which the check itself failed: neither passed nor failed, never left out silently.
    unjudged: list[Row] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def passed(self) -> int:
        return self.evaluated - len(self.failures)


@dataclass(slots=True)
class SpecificationReport:
    """One specification; ``ids`` is the index of its file in the report."""

    ids: int
    name: str
    usage: Usage
    ifc_versions: list[str]
    version_matches: bool
    identifier: str | None = None
    description: str | None = None
    instructions: str | None = None
    applicability: list[str] = field(default_factory=list)
    #: The facets that decide to which elements it applies, as data.
    content: list[dict[str, Any]] = field(default_factory=list)
    #: The elements it applies to.
    elements: list[int] = field(default_factory=list)
    requirements: list[RequirementReport] = field(default_factory=list)
    #: Elements of which it could not be judged whether it applies to them.
    unjudged: list[Row] = field(default_factory=list)
    #: For a prohibited specification: the elements that should not be there.
    failures: list[Row] = field(default_factory=list)

    @property
    def applicable(self) -> int:
        return len(self.elements)

    @property
    def misses(self) -> bool:
        """True if it requires an element and there is none. Where it is not known of an element
        whether it is applicable, none is known to be missing."""
        return self.usage is Usage.REQUIRED and not self.elements and not self.unjudged

    @property
    def failed_elements(self) -> set[int]:
        """Elements that fail in at least one requirement, or by being there."""
        rows = list(self.failures)
        for requirement in self.requirements:
            rows.extend(requirement.failures)
        return {row.element for row in rows}

    @property
    def status(self) -> bool:
        """False if it is violated by what was judged."""
        if self.usage is Usage.REQUIRED and not self.elements:
            return False
        return not self.failed_elements

    @property
    def complete(self) -> bool:
        """True if everything it applies to was judged."""
        return not self.unjudged and not any(r.unjudged for r in self.requirements)

    @property
    def verdict(self) -> Verdict:
        """The declared IFC version has no part in it."""
        if not self.complete and (self.status or not self.failed_elements):
            return Verdict.INCONCLUSIVE
        return Verdict.PASSED if self.status else Verdict.FAILED


@dataclass(slots=True)
class ModelFile:
    name: str
    sha256: str
    schema: str


@dataclass(slots=True)
class IdsFile:
    name: str
    sha256: str
    title: str


@dataclass(slots=True)
class TesterReport:
    """One model against one or several IDS files."""

    __test__: ClassVar[bool] = False  # its name makes pytest take it for a test

    model: ModelFile
    ids: list[IdsFile]
    elements: list[Element]
    specifications: list[SpecificationReport]
    #: Warnings of the audit; an IDS with errors is never tested.
    findings: list[Finding]
    strict_version: bool
    engine: dict[str, Any]  # library versions and rules that decide verdicts

    def _count(self, verdict: Verdict) -> int:
        return sum(s.verdict is verdict for s in self.specifications)

    @property
    def pass_count(self) -> int:
        """Specifications that passed."""
        return self._count(Verdict.PASSED)

    @property
    def fail_count(self) -> int:
        """Specifications that failed."""
        return self._count(Verdict.FAILED)

    @property
    def inconclusive_count(self) -> int:
        """Specifications of which something could not be judged."""
        return self._count(Verdict.INCONCLUSIVE)

    @property
    def version_mismatches(self) -> int:
        """Specifications that declare other IFC versions than the model's."""
        return sum(not s.version_matches for s in self.specifications)

    @property
    def coverage(self) -> float:
        """Share of what was to be judged that could be judged; 1 if there was nothing to judge."""
        judged = lost = 0
        for specification in self.specifications:
            lost += len(specification.unjudged)
            judged += len(specification.failures)
            for requirement in specification.requirements:
                judged += requirement.evaluated
                lost += len(requirement.unjudged)
        return judged / (judged + lost) if lost else 1.0

    @property
    def warnings(self) -> list[str]:
        """What a reader of the verdict should know besides it."""
        found = [f"{finding.place}: {finding.sentence}".lstrip(": ") for finding in self.findings]
        for each in self.specifications:
            if not each.version_matches:
                declared = ", ".join(each.ifc_versions)
                found.append(f"{each.name}: is written for {declared}, not {self.model.schema}")
            if not each.elements:
                found.append(f"{each.name}: applies to no element of the model")
            lost = len(each.unjudged) + sum(len(r.unjudged) for r in each.requirements)
            if lost:
                found.append(f"{each.name}: {lost} times the check itself failed on an element")
        return found

    @property
    def nothing_applicable(self) -> list[SpecificationReport]:
        """Specifications that apply to no element of the model."""
        return [s for s in self.specifications if not s.elements]

    @property
    def verdict(self) -> Verdict:
        """Failures win over inconclusive; with ``strict_version`` a mismatch is inconclusive."""
        counted = [s for s in self.specifications if s.version_matches or not self.strict_version]
        if any(s.verdict is Verdict.FAILED for s in counted):
            return Verdict.FAILED
        if len(counted) < len(self.specifications) or not counted:
            return Verdict.INCONCLUSIVE
        if any(s.verdict is Verdict.INCONCLUSIVE for s in counted):
            return Verdict.INCONCLUSIVE
        return Verdict.PASSED
