"""Recorded results of IDS checks and diffs in the neutral form, from the rows of the ledger.

Ids of topics go by the number of the finding, as in files of findings and of clash results.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ifcbase.diff.facets import Facet
from ifcbase.diff.words import in_words
from ifcbase.exchange import report as neutral
from ifcbase.exchange.from_clash import plain_facts
from ifcbase.exchange.from_findings import key_of
from ifcbase.exchange.text import percent

Row = Mapping[str, Any]
Comments = Mapping[int, Sequence[neutral.Comment]]


def from_ids_result(
    header: Row,
    details: Mapping[str, Sequence[Row]],
    created: datetime,
    *,
    judged: Mapping[int, Row],
    comments: Comments | None = None,
    project: str = "",
    namespace: str = "",
) -> neutral.Report:
    """One IDS result: its header, and its specifications, failures and left_out rows.

    ``judged`` maps a row's ``finding_id`` to the lasting finding, its state and review.
    """
    model = _model(header)
    findings: dict[int, list[neutral.Finding]] = defaultdict(list)
    for row in details["failures"]:
        made = _failure(row, judged.get(row["finding_id"], {}), model, comments or {})
        findings[row["specification_number"]].append(made)
    left_out: dict[int, list[neutral.LeftOut]] = defaultdict(list)
    for row in details["left_out"]:
        element = neutral.Element(model, row["global_id"])
        part = row["requirement"] or "applicability"
        left_out[row["specification_number"]].append(neutral.LeftOut(element, part, row["reason"]))
    sections = [
        _specification(row, model, findings[row["number"]], left_out[row["number"]])
        for row in details["specifications"]
    ]
    names = " + ".join(each["ids"] for each in details["series"]) or header["name"]
    report = _report(header, "tester", f"{names}: {model}", created, sections)
    listed = sum(len(each.findings) for each in sections)
    if header["count"] and not details["specifications"]:
        report.warnings = [*report.warnings, _NO_ROWS]
    report.facts = [("failures listed", str(listed)), *report.facts]
    report.project, report.namespace = project, namespace
    return report


_NO_ROWS = (
    "What it found is not in the ledger's tables: it was inserted from outside or thinned. Its "
    "document holds what there is."
)


def _specification(
    row: Row,
    model: str,
    findings: Sequence[neutral.Finding],
    left_out: Sequence[neutral.LeftOut],
) -> neutral.Section:
    applicable, failed = row["applicable"], row["failed"]
    warnings = []
    if not applicable:
        warnings.append("It applies to no element of the model: nothing was tested.")
    if not row["version_matches"]:
        versions = ", ".join(row["ifc_versions"])
        warnings.append(f"It is written for {versions}, which is not the model's schema.")
    selection = "; ".join(row["applicability"] or []) or "nothing"
    unknown = sum(each.part == "applicability" for each in left_out)
    share = percent((applicable - failed) / applicable if applicable else None, _NOTHING)
    return neutral.Section(
        name=row["name"],
        verdict=row["verdict"],
        sentence=f"{applicable - failed} of {applicable} elements pass ({share}).",
        findings=findings,
        facts=[("usage", row["usage"]), ("applies to", selection)],
        tested=[
            neutral.Tested(
                part="applicable",
                model=model,
                selection=selection,
                selected=applicable + unknown,
                tested=applicable,
                left_out={"not judged": unknown} if unknown else {},
            )
        ],
        requirements=[
            neutral.Requirement(
                each["description"],
                each["evaluated"],
                each["evaluated"] - each["failed"],
                each["failed"],
                each["unjudged"],
            )
            for each in row["requirements"] or []
        ],
        left_out=left_out,
        warnings=warnings,
    )


_NOTHING = neutral.NOTHING_TESTED


def _failure(row: Row, known: Row, model: str, comments: Comments) -> neutral.Finding:
    elements: tuple[neutral.Element, ...] = ()
    called = row["specification"]
    if row["global_id"] is not None:
        elements = (
            neutral.Element(model, row["global_id"], row["class"], row["name"], row["storey"]),
        )
        called = row["name"] or f"{row['class'] or 'element'} {row['global_id']}"
    return _finding(
        "tester", row, known, comments,
        title=f"{called}: {row['reason']}", kind=str(row["facet"]).lower(), elements=elements,
        details=row["requirement"],
        priority="Low" if row["usage"] == "optional" else "Normal",
    )  # fmt: skip


def from_diff_result(
    header: Row,
    details: Mapping[str, Any],
    created: datetime,
    *,
    judged: Mapping[int, Row],
    comments: Comments | None = None,
    project: str = "",
    namespace: str = "",
) -> neutral.Report:
    """One diff result: its header, and its counts, changes, matches and not_compared rows.

    ``judged`` as for IDS results.
    """
    model = _model(header)
    counts = details["counts"] or {}
    settings = details["settings"] or {}
    changes = [
        _change(row, judged.get(row["finding_id"], {}), model, comments or {})
        for row in details["changes"]
    ]
    lost = {row["global_id"]: row["reason"] for row in details["not_compared"]}
    compared = counts.get("changed", 0) + counts.get("unchanged", 0)
    warnings = [_doubt(row) for row in details["matches"] if row["verdict"] == "doubtful"]
    if header["count"] and not details["changes"]:
        warnings.append(_NO_ROWS)
    facts = [(name, _told(value)) for name, value in sorted(settings.items()) if value is not None]
    facts += [
        (word, str(counts[word]))
        for word in ("reidentified", "doubtful", "unjudged")
        if word in counts
    ]
    share = percent(header["coverage"] if compared else None, _NOTHING)
    section = neutral.Section(
        name=str(header["name"])[:250],
        verdict=header["verdict"] or "no verdict",
        sentence=", ".join(
            f"{counts.get(word, 0)} {word}" for word in ("added", "deleted", "changed", "unchanged")
        )
        + f"; compared wholly: {share}.",
        findings=changes,
        facts=facts,
        tested=[
            neutral.Tested(
                part="in both versions",
                model=model,
                selection=settings.get("filter_elements") or "all elements",
                selected=compared,
                tested=compared - len(lost),
                left_out=Counter(lost.values()),
            )
        ],
        left_out=[
            neutral.LeftOut(
                neutral.Element(model, each["global_id"]), each["facet"], each["reason"]
            )
            for each in details["not_compared"]
        ],
        warnings=warnings,
    )
    report = _report(header, "diff", f"Changes: {header['name']}", created, [section])
    report.project, report.namespace = project, namespace
    return report


def _change(row: Row, known: Row, model: str, comments: Comments) -> neutral.Finding:
    facet = str(row["facet"])
    whole = facet in (Facet.ADDED, Facet.DELETED)
    location = row["after"].get("location") or row["before"].get("location")
    x, y, z = location if location else (0.0, 0.0, 0.0)
    called = row["name"] or f"{row['class'] or 'element'} {row['global_id']}"
    return _finding(
        "diff", row, known, comments,
        title=f"{called}: {facet}{'' if whole else ' changed'}", kind=facet,
        elements=(
            neutral.Element(model, row["global_id"], row["class"], row["name"], row["storey"]),
        ),
        details=in_words(facet, row["before"], row["after"]),
        point=(x, y, z) if location else None,
    )  # fmt: skip


def _doubt(row: Row) -> str:
    perhaps = f", perhaps as {row['new_global_id']}" if row["new_global_id"] else ""
    return f"Nobody can say whether {row['old_global_id']} is still there{perhaps}."


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _finding(check: str, row: Row, known: Row, comments: Comments, **given: Any) -> neutral.Finding:
    """A finding with what the ledger knows of it beside what its check says."""
    number = known.get("lasting_id", row["finding_id"])
    return neutral.Finding(
        key=key_of(check, number),
        state=known.get("state"),
        state_reason=known.get("reason"),
        review=known.get("review"),
        review_reason=known.get("review_reason"),
        assigned_to=known.get("assigned_to"),
        due=known.get("due"),
        created=known.get("first_seen"),
        comments=tuple(comments.get(number, ())),
        **given,
    )


def _model(header: Row) -> str:
    """The model that findings are of: of two versions the newer one's."""
    models = header["models"]
    newest = max(models, key=lambda each: each["number"], default=None)
    return str(newest["model"]) if newest else str(header["name"])


def _report(
    header: Row, check: str, title: str, created: datetime, sections: Sequence[neutral.Section]
) -> neutral.Report:
    warnings = list(header["warnings"] or [])
    if header["coverage"] is not None and header["coverage"] < 1:
        share = percent(header["coverage"], _NOTHING)
        warnings.append(f"Only {share} of what was asked for could be judged.")
    return neutral.Report(
        check=check,
        title=f"{title[:220]}, result {header['id']}",
        created=created,
        verdict=header["verdict"] or "no verdict",
        sections=sections,
        models=[
            neutral.Model(each["model"], each["file"], version=each["number"])
            for each in header["models"]
        ],
        facts=[
            ("finished", str(header["finished_at"])),
            *((f"engine: {key}", text) for key, text in plain_facts(header["engine"] or {})),
        ],
        warnings=warnings,
    )
