"""Rows of the ledger in the neutral form: findings of any check, and one clash result whole.

Topics made from either carry the same ids, for both go by the number of the finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ifcbase.clash.report import Measured
from ifcbase.exchange import report as neutral
from ifcbase.exchange.from_clash import (
    MEASURES,
    clash_title,
    plain_facts,
    priority_of,
    selection_words,
    sentence,
)
from ifcbase.exchange.text import percent

Row = Mapping[str, Any]
#: Detection states in which a finding is there.
_THERE = {"new", "persisting", "reopened"}
_WHAT = (
    "findings as the ledger knows them now; what was tested, and what not, is in the report of each "
    "result"
)


def from_findings(
    rows: Iterable[Row],
    created: datetime,
    *,
    project: str = "",
    namespace: str = "",
    title: str | None = None,
    comments: Mapping[int, Sequence[neutral.Comment]] | None = None,
) -> neutral.Report:
    """Findings with the columns of ``core.all_findings``, one section per series.

    Rows may carry more: ``point`` (x, y, z), ``kind``, ``distance``. What each result tested is in
    the report of that result, which the report says.
    """
    said = comments or {}
    series: dict[tuple[str, str], list[neutral.Finding]] = {}
    for row in rows:
        check = str(row.get("check") or row.get("check_name"))
        finding = _finding(row, check, said.get(row["finding_id"], ()))
        series.setdefault((check, str(row["series"])), []).append(finding)
    checks = {check for check, _ in series}
    return neutral.Report(
        check=checks.pop() if len(checks) == 1 else "findings",
        title=title or f"Findings of {project}",
        created=created,
        verdict="found" if any(series.values()) else "no findings",
        sections=[_series(check, name, each) for (check, name), each in sorted(series.items())],
        facts=[("what this is", _WHAT)],
        project=project,
        namespace=namespace,
    )


def _series(check: str, name: str, findings: list[neutral.Finding]) -> neutral.Section:
    there = sum(each.state in _THERE for each in findings)
    untested = sum(each.state == "untested" for each in findings)
    text = f"{len(findings)} findings, {there} of them there when they were last looked for."
    warnings = []
    if untested:
        warnings.append(
            f"{untested} were seen before and could not be tested since: they are not solved."
        )
    return neutral.Section(name, "", text, findings, facts=[("check", check)], warnings=warnings)


def _finding(row: Row, check: str, comments: Sequence[neutral.Comment]) -> neutral.Finding:
    element = neutral.Element(
        row["model"] or "", row["global_id"] or "", row["class"], None, row["storey"]
    )
    disciplines = [each for each in (row["discipline"], row["other_discipline"]) if each]
    return neutral.Finding(
        key=key_of(check, row["finding_id"]),
        title=str(row["title"]),
        kind=str(row.get("kind") or check),
        elements=(element,) if element.global_id else (),
        details=" and ".join(dict.fromkeys(disciplines)),
        point=row.get("point"),
        distance=row.get("distance"),
        state=row["state"],
        state_reason=row["reason"],
        review=row["review"],
        review_reason=row["review_reason"],
        assigned_to=row["assigned_to"],
        due=row["due"],
        created=row["first_seen"],
        comments=tuple(comments),
    )


def key_of(check: str, finding: int) -> tuple[str, ...]:
    """The lasting identity of a finding within its project."""
    return ("finding", check, str(finding))


def from_clash_result(
    header: Row,
    contacts: Iterable[Row],
    created: datetime,
    *,
    judged: Mapping[int, Row],
    left_out: Iterable[Row] = (),
    comments: Mapping[int, Sequence[neutral.Comment]] | None = None,
    project: str = "",
    namespace: str = "",
) -> neutral.Report:
    """One clash result: its header with sides, its contacts, and what is known of their pairs.

    ``judged`` maps a contact's ``pair_id`` to its finding, state and review.
    """
    said = comments or {}
    findings = []
    for row in contacts:
        known = judged.get(row["pair_id"], {})
        number = known.get("finding_id", row["pair_id"])
        findings.append(_contact(row, known, number, said.get(number, ())))
    verdict = header["verdict"] or "no verdict"
    warnings = list(header["warnings"] or [])
    if len(findings) < header["clash_count"]:
        warnings.append(
            f"The result counts {header['clash_count']} clashes; {len(findings)} of them are in the "
            "ledger's tables, because it was inserted from outside or thinned."
        )
    coverage = header["coverage"]
    if coverage is None:
        warnings.append("What it tested is not known: it was inserted from outside.")
    elif coverage < 1:
        share = percent(coverage, neutral.NOTHING_TESTED)
        warnings.append(f"Only {share} of the elements with geometry were tested.")
    section = neutral.Section(
        name=header["set"],
        verdict=verdict,
        sentence=sentence(header["clash_count"], verdict),
        findings=findings,
        facts=[("result", str(header["id"]))],
        tested=[_tested(side) for side in header["sides"]],
        left_out=[
            neutral.LeftOut(
                neutral.Element(each["model"], each["global_id"]), each["side"], each["reason"]
            )
            for each in left_out
        ],
        warnings=warnings,
    )
    return neutral.Report(
        check="clash",
        title=f"Clashes: {header['set']}, result {header['id']}",
        created=created,
        verdict=verdict,
        sections=[section],
        models=list(_models(header["sides"])),
        facts=[
            ("finished", str(header["finished_at"])),
            *((f"engine: {key}", text) for key, text in plain_facts(header["engine"] or {})),
        ],
        project=project,
        namespace=namespace,
    )


def _contact(
    row: Row, known: Row, number: int, comments: Sequence[neutral.Comment]
) -> neutral.Finding:
    one, other = (
        neutral.Element(
            row[f"{side}_model"],
            row[f"{side}_global_id"],
            row[f"{side}_class"],
            row[f"{side}_name"],
            row[f"{side}_storey"],
        )
        for side in "ab"
    )
    measured = Measured(row["measured"])
    distance = None if measured is Measured.NONE else float(row["distance"])
    group = row["smart_group"]
    return neutral.Finding(
        key=key_of("clash", number),
        title=clash_title(row["kind"], one, other),
        kind=row["kind"],
        elements=(one, other),
        point=(float(row["x"]), float(row["y"]), float(row["z"])),
        distance=distance,
        measured=MEASURES[measured.name.lower()],
        state=known.get("state"),
        state_reason=known.get("reason"),
        review=known.get("review"),
        review_reason=known.get("review_reason"),
        priority=priority_of(row["kind"], distance),
        assigned_to=known.get("assigned_to"),
        due=known.get("due"),
        group=str(group) if group is not None and group >= 0 else None,
        created=known.get("first_seen"),
        comments=tuple(comments),
    )


def _tested(side: Row) -> neutral.Tested:
    return neutral.Tested(
        part=f"side {side['side']}",
        model=side["model"] or side["file"],
        selection=selection_words(side["mode"], side["selector"]),
        selected=side["selected"],
        tested=side["tested"],
        left_out=side["left_out"] or {},
    )


def _models(sides: Iterable[Row]) -> Iterable[neutral.Model]:
    seen = set()
    for side in sides:
        model = side["model"] or side["file"]
        if (model, side["number"]) not in seen:
            seen.add((model, side["number"]))
            yield neutral.Model(model, side["file"], version=side["number"])
