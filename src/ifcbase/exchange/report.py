"""The neutral form of a report: what every check found and tested, in words that files can hold.

Adapters make it from the reports of the checks or from rows of the ledger; writers read nothing
else. Lengths are metres, points are world coordinates in metres, moments carry their time zone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import NamedTuple

Point = tuple[float, float, float]

#: What "nothing was tested" looks like where a share is expected; never a percentage.
NOTHING_TESTED = "nothing tested"


class Element(NamedTuple):
    """An element as a reader finds it again; ``global_id`` starts with "~" where the file has none."""

    model: str
    global_id: str
    ifc_class: str | None = None
    name: str | None = None
    storey: str | None = None


class Comment(NamedTuple):
    """What somebody wrote or decided about a finding."""

    created: datetime
    author: str
    text: str


@dataclass(slots=True)
class Finding:
    """One finding. ``key`` is its lasting identity: files made at other times carry the same ids."""

    key: tuple[str, ...]
    title: str
    kind: str
    elements: tuple[Element, ...]
    details: str = ""
    point: Point | None = None
    #: Depth of penetration, or the gap of a clearance; with how it was measured.
    distance: float | None = None
    measured: str | None = None
    state: str | None = None
    state_reason: str | None = None
    review: str | None = None
    review_reason: str | None = None
    priority: str | None = None
    assigned_to: str | None = None
    due: date | None = None
    group: str | None = None
    created: datetime | None = None
    comments: tuple[Comment, ...] = ()

    @property
    def storey(self) -> str | None:
        """The first storey its elements have."""
        return next((each.storey for each in self.elements if each.storey), None)

    @property
    def class_pair(self) -> str:
        """The classes of its elements in alphabetical order: "IfcDuctSegment + IfcWall"."""
        return " + ".join(sorted(each.ifc_class for each in self.elements if each.ifc_class))


@dataclass(slots=True)
class Model:
    """A file that was read; ``version`` is its place in the model's stream."""

    name: str
    file: str = ""
    sha256: str = ""
    schema: str = ""
    version: int | None = None


@dataclass(slots=True)
class Tested:
    """What one part of a check really tested: a side of a clash set in one file, a requirement."""

    part: str
    model: str
    selection: str
    selected: int
    tested: int
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Requirement:
    """One requirement of an IDS over the elements its specification applies to."""

    text: str
    evaluated: int
    passed: int
    failed: int
    unjudged: int = 0

    @property
    def share(self) -> float | None:
        """The share that passed; None if no element was judged, which is no share at all."""
        return self.passed / self.evaluated if self.evaluated else None


class LeftOut(NamedTuple):
    """An element that should have been tested and was not, or that has nothing to test."""

    element: Element
    part: str
    reason: str


@dataclass(slots=True)
class Section:
    """One series of a report: a clash set, a specification, a comparison."""

    name: str
    verdict: str
    sentence: str
    findings: Sequence[Finding] = ()
    #: Label and value of what was asked for.
    facts: Sequence[tuple[str, str]] = ()
    tested: Sequence[Tested] = ()
    requirements: Sequence[Requirement] = ()
    left_out: Sequence[LeftOut] = ()
    warnings: Sequence[str] = ()


@dataclass(slots=True)
class Report:
    """A whole report. ``namespace`` keeps ids of other installations apart."""

    check: str
    title: str
    created: datetime
    verdict: str
    sections: Sequence[Section]
    models: Sequence[Model] = ()
    facts: Sequence[tuple[str, str]] = ()
    warnings: Sequence[str] = ()
    author: str = "ifcbase"
    project: str = ""
    namespace: str = ""

    def __post_init__(self) -> None:
        if self.created.tzinfo is None:
            raise ValueError("the moment of a report needs its time zone")

    @property
    def total(self) -> int:
        """How many findings there are in all sections."""
        return sum(len(each.findings) for each in self.sections)

    def findings(self) -> Iterator[tuple[Section, Finding]]:
        """Every finding with its section, in the order of the report."""
        for section in self.sections:
            for finding in section.findings:
                yield section, finding

    def counts(self, key: str) -> list[tuple[str, int]]:
        """How many findings share a value ("kind", "state", "storey", …), most frequent first."""
        found = Counter(
            str(value) for _, each in self.findings() if (value := getattr(each, key)) is not None
        )
        return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def grouped(report: Report) -> Report:
    """The same report with the findings of each group as one finding; single ones stay as they are.

    A group is at the mean of its points and lists what it is made of; it has the state, review and
    owner that all its members share, and none where they differ.
    """
    return replace(report, sections=[_grouped(each) for each in report.sections])


def _grouped(section: Section) -> Section:
    members: dict[str, list[Finding]] = {}
    for number, finding in enumerate(section.findings):
        name = f"group {finding.group}" if finding.group is not None else f"alone {number}"
        members.setdefault(name, []).append(finding)
    return replace(section, findings=[_merged(each) for each in members.values()])


def _merged(members: list[Finding]) -> Finding:
    first = members[0]
    if len(members) == 1:
        return first
    points = [each.point for each in members if each.point is not None]
    x, y, z = (
        (sum(axis) / len(points) for axis in zip(*points, strict=True)) if points else (0,) * 3
    )
    depths = [each.distance for each in members if each.distance is not None]
    kinds = {each.kind for each in members}
    return Finding(
        key=("group", *min(each.key for each in members)),
        title=f"{len(members)} findings together, first: {first.title}",
        kind=first.kind if len(kinds) == 1 else "mixed",
        elements=tuple(dict.fromkeys(e for each in members for e in each.elements)),
        details="\n".join(each.title for each in members),
        point=(x, y, z) if points else None,
        distance=None if not depths or len(kinds) > 1 else max(depths),
        state=_shared(each.state for each in members),
        review=_shared(each.review for each in members),
        priority=_shared(each.priority for each in members),
        assigned_to=_shared(each.assigned_to for each in members),
        group=first.group,
        created=min((each.created for each in members if each.created), default=None),
    )


def _shared(values: Iterator[str | None]) -> str | None:
    found = set(values)
    return found.pop() if len(found) == 1 else None
