"""A diff's report in the neutral form: one finding per element and facet that changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from ifcbase.diff.facets import Facet
from ifcbase.diff.output import client_key, element_of
from ifcbase.diff.report import Change, DiffReport, FileReport
from ifcbase.diff.words import in_words
from ifcbase.exchange import report as neutral
from ifcbase.exchange.from_clash import plain_facts
from ifcbase.exchange.text import percent
from ifcbase.ifc.inventory import Element as Product


def from_diff(
    report: DiffReport,
    created: datetime,
    *,
    models: Mapping[str, str] | None = None,
    title: str | None = None,
) -> neutral.Report:
    """The report of a diff, in the order in which it lists its changes.

    ``models`` maps a file's name to its model's, by which a change keeps its id in other programs.
    """
    names = dict(models or {})
    old, new = report.old.name, report.new.name
    return neutral.Report(
        check="diff",
        title=(title or f"Changes: {old} to {new}")[:250],
        created=created,
        verdict=str(report.verdict),
        sections=[_section(report, names)],
        models=[
            neutral.Model(names.get(f.name, f.name), f.name, f.sha256, f.inventory.schema)
            for f in (report.old, report.new)
        ],
        facts=[(f"engine: {key}", text) for key, text in plain_facts(report.engine)],
    )


def _section(report: DiffReport, names: Mapping[str, str]) -> neutral.Section:
    request = report.request
    facts = [("compared", ", ".join(request.relationships)),
             ("tolerance", f"{request.tolerance:g} m")]  # fmt: skip
    facts += [("selector", request.filter_elements)] if request.filter_elements else []
    summary = report.summary
    facts += [(word, str(summary[word])) for word in ("reidentified", "doubtful", "unjudged")]
    lost = Counter(reason for _, reason in {(u.new, u.reason) for u in report.unjudged})
    unjudged = len({u.new for u in report.unjudged})
    return neutral.Section(
        name=f"{report.old.name} to {report.new.name}"[:250],
        verdict=str(report.verdict),
        sentence=_sentence(report),
        findings=[_finding(report, each, names) for each in report.changes],
        facts=facts,
        tested=[
            neutral.Tested(
                part="in both versions",
                model=names.get(report.new.name, report.new.name),
                selection=request.filter_elements or "all elements",
                selected=report.compared,
                tested=report.compared - unjudged,
                left_out=lost,
            )
        ],
        left_out=list(_left_out(report, names)),
        warnings=[*report.warnings, *_doubts(report)],
    )


def _sentence(report: DiffReport) -> str:
    counts = report.summary
    share = percent(report.coverage if report.compared else None, neutral.NOTHING_TESTED)
    return (
        f"{counts['added']} added, {counts['deleted']} deleted, {counts['changed']} changed, "
        f"{counts['unchanged']} unchanged; compared wholly: {share}."
    )


def _doubts(report: DiffReport) -> Iterator[str]:
    for doubt in report.doubtful:
        element = report.old.element(doubt.old)
        perhaps = "" if doubt.new is None else f", perhaps as {_key(report.new, doubt.new)}"
        yield (
            f"Nobody can say whether {_called(element)} ({client_key(element)}) is still "
            f"there{perhaps}."
        )


def _finding(report: DiffReport, change: Change, names: Mapping[str, str]) -> neutral.Finding:
    product = element_of(report, change)
    file = report.old if change.new is None else report.new
    element = _element(file, product, names)
    location = change.after.get("location") or change.before.get("location")
    x, y, z = location if location else (0.0, 0.0, 0.0)
    words = in_words(change.facet, change.before, change.after)
    whole = change.facet in (Facet.ADDED, Facet.DELETED)
    return neutral.Finding(
        key=("diff", element.model, element.global_id, str(change.facet)),
        title=f"{_called(product)}: {change.facet}{'' if whole else ' changed'}",
        kind=str(change.facet),
        elements=(element,),
        details=words,
        point=(x, y, z) if location else None,
    )


def _left_out(report: DiffReport, names: Mapping[str, str]) -> Iterator[neutral.LeftOut]:
    for row in report.unjudged:
        element = _element(report.new, report.new.element(row.new), names)
        yield neutral.LeftOut(element, str(row.facet), row.reason)


def _element(file: FileReport, product: Product, names: Mapping[str, str]) -> neutral.Element:
    model = names.get(file.name, file.name)
    key = client_key(product)
    return neutral.Element(model, key, product.ifc_class, product.name, product.storey)


def _key(file: FileReport, index: int) -> str:
    return client_key(file.element(index))


def _called(product: Product) -> str:
    return product.name or f"{product.ifc_class} {client_key(product)}"
