"""The findings of a report as rows of a table: one column list for CSV, XLSX and HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ifcbase.exchange.report import Element, Finding, Section
from ifcbase.exchange.text import cell, moment

Value = str | float | None


class Column(NamedTuple):
    """A column: its heading, width in characters, and how a row's value is found."""

    name: str
    width: int
    value: Callable[[Section, Finding], Value]


def _first(finding: Finding, at: int) -> Element | None:
    return finding.elements[at] if at < len(finding.elements) else None


def _of(at: int, name: str) -> Callable[[Section, Finding], Value]:
    def value(_: Section, finding: Finding) -> Value:
        element = _first(finding, at)
        return None if element is None else cell(getattr(element, name))

    return value


def _axis(number: int) -> Callable[[Section, Finding], Value]:
    def value(_: Section, finding: Finding) -> Value:
        # Micrometres: more digits are noise of the arithmetic.
        return None if finding.point is None else round(finding.point[number], 6)

    return value


def _reasoned(word: str | None, reason: str | None) -> str:
    return cell(f"{word}: {reason}" if word and reason else word or "")


def columns(findings: Sequence[Finding], series: str) -> list[Column]:
    """The columns that these findings use; a column nobody uses is left out. ``series`` is what a
    section is called ("clash set")."""
    two = any(len(each.elements) > 1 for each in findings)
    more = any(len(each.elements) > 2 for each in findings)
    made = [
        Column(series, 24, lambda s, _: cell(s.name)),
        Column("finding", 48, lambda _, f: cell(f.title)),
        Column("kind", 14, lambda _, f: cell(f.kind)),
        _when(findings, "distance", Column("distance (mm)", 13, _distance)),
        _when(findings, "measured", Column("measured", 12, lambda _, f: cell(f.measured))),
        _when(
            findings, "state", Column("state", 14, lambda _, f: _reasoned(f.state, f.state_reason))
        ),
        _when(
            findings,
            "review",
            Column("review", 14, lambda _, f: _reasoned(f.review, f.review_reason)),
        ),
        _when(findings, "priority", Column("priority", 10, lambda _, f: cell(f.priority))),
        _when(findings, "assigned_to", Column("assigned to", 18, lambda _, f: cell(f.assigned_to))),
        _when(findings, "due", Column("due", 11, lambda _, f: f.due.isoformat() if f.due else "")),
        _when(findings, "group", Column("group", 8, lambda _, f: cell(f.group))),
        _when(findings, "details", Column("reason", 48, lambda _, f: cell(f.details))),
        _when(findings, "storey", Column("storey", 16, lambda _, f: cell(f.storey))),
    ]
    for at in range(2 if two else 1):
        letter = " " + "ab"[at] if two else ""
        made += [
            Column("model" + letter, 18, _of(at, "model")),
            Column("class" + letter, 20, _of(at, "ifc_class")),
            Column("name" + letter, 30, _of(at, "name")),
            Column("GlobalId" + letter, 25, _of(at, "global_id")),
        ]
    if more:
        made.append(Column("elements", 10, lambda _, f: float(len(f.elements))))
    if any(each.point is not None for each in findings):
        made += [Column(f"{axis} (m)", 12, _axis(i)) for i, axis in enumerate("xyz")]
    made += [
        _when(findings, "created", Column("since", 20, _created)),
        _when(findings, "comments", Column("comments", 40, _comments)),
    ]
    return [each for each in made if each is not _UNUSED]


_UNUSED = Column("", 0, lambda _, __: None)


def _when(findings: Sequence[Finding], attribute: str, column: Column) -> Column:
    used = any(getattr(each, attribute) not in (None, "", ()) for each in findings)
    return column if used else _UNUSED


def _distance(_: Section, finding: Finding) -> Value:
    return None if finding.distance is None else round(finding.distance * 1000, 3)


def _created(_: Section, finding: Finding) -> Value:
    return moment(finding.created) if finding.created else ""


def _comments(_: Section, finding: Finding) -> Value:
    return cell(" | ".join(f"{c.author}: {c.text}" for c in finding.comments))


def series_word(check: str) -> str:
    """What a section of a check's report is called."""
    return {"clash": "clash set", "tester": "specification", "diff": "comparison"}.get(
        check, "series"
    )
