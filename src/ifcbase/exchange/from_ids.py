"""An IDS check's report in the neutral form: one finding per requirement and failed element."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from ifcbase.exchange import report as neutral
from ifcbase.exchange.text import percent
from ifcbase.tester.ids.usage import Usage
from ifcbase.tester.report import (
    RequirementReport,
    Row,
    SpecificationReport,
    TesterReport,
    Verdict,
)


def from_ids(
    report: TesterReport,
    created: datetime,
    *,
    model: str | None = None,
    title: str | None = None,
) -> neutral.Report:
    """The report of an IDS check. ``model`` is the model's lasting name: the same failure in the
    next revision then has the same id in other programs."""
    name = model or report.model.name
    titles = " + ".join(dict.fromkeys(each.title for each in report.ids))
    warnings = [str(each) for each in report.findings]
    if not report.specifications:
        warnings.append("The IDS holds no specification: nothing was tested.")
    return neutral.Report(
        check="tester",
        title=title or f"{titles}: {name}"[:250],
        created=created,
        verdict=str(report.verdict),
        sections=[_section(report, each, name) for each in report.specifications],
        models=[
            neutral.Model(name, report.model.name, report.model.sha256, report.model.schema),
            *(neutral.Model(each.title, each.name, each.sha256, "IDS") for each in report.ids),
        ],
        facts=[
            ("specifications", _score(report)),
            *((f"engine: {key}", str(value)) for key, value in sorted(report.engine.items())),
        ],
        warnings=warnings,
    )


def _score(report: TesterReport) -> str:
    parts = [f"{report.pass_count} passed", f"{report.fail_count} failed"]
    if report.inconclusive_count:
        parts.append(f"{report.inconclusive_count} inconclusive")
    if report.nothing_applicable:
        parts.append(f"{len(report.nothing_applicable)} applied to no element")
    return ", ".join(parts)


def _section(report: TesterReport, each: SpecificationReport, model: str) -> neutral.Section:
    warnings = []
    if not each.elements:
        warnings.append("It applies to no element of the model: nothing was tested.")
    if not each.version_matches:
        versions = ", ".join(each.ifc_versions)
        warnings.append(f"It is written for {versions}; the model is {report.model.schema}.")
    if each.unjudged:
        warnings.append(
            f"Of {len(each.unjudged)} elements it could not be judged whether it applies to them."
        )
    facts = [("usage", str(each.usage)), ("applies to", "; ".join(each.applicability) or "nothing")]
    facts += [("IDS", report.ids[each.ids].title)] if len(report.ids) > 1 else []
    facts += [("description", each.description)] if each.description else []
    facts += [("instructions", each.instructions)] if each.instructions else []
    return neutral.Section(
        name=each.name,
        verdict=str(each.verdict),
        sentence=_sentence(each),
        findings=list(_findings(report, each, model)),
        facts=facts,
        tested=[
            neutral.Tested(
                part="applicable",
                model=model,
                selection="; ".join(each.applicability),
                selected=each.applicable + len(each.unjudged),
                tested=each.applicable,
                left_out=Counter(_NOT_JUDGED for _ in each.unjudged),
            )
        ],
        requirements=list(_requirements(each)),
        left_out=list(_left_out(report, each, model)),
        warnings=warnings,
    )


_NOT_JUDGED = "not judged"


def _sentence(each: SpecificationReport) -> str:
    if not each.elements:
        end = {
            Usage.REQUIRED: "but there must be some: failed.",
            Usage.OPTIONAL: "and need not: nothing was tested.",
            Usage.PROHIBITED: "and there must be none: passed.",
        }[each.usage]
        return f"It applies to no element, {end}"
    passed = each.applicable - len(each.failed_elements)
    share = percent(passed / each.applicable, neutral.NOTHING_TESTED)
    text = f"{passed} of {each.applicable} elements pass ({share})."
    if each.verdict is Verdict.INCONCLUSIVE:
        text += " Something could not be judged: inconclusive."
    return text


def _requirements(each: SpecificationReport) -> Iterator[neutral.Requirement]:
    if each.usage is Usage.PROHIBITED:
        failed = len(each.failures)
        yield neutral.Requirement(
            "There must be no such element.", each.applicable, each.applicable - failed, failed
        )
    for rule in each.requirements:
        yield neutral.Requirement(
            rule.description, rule.evaluated, rule.passed, rule.failed, len(rule.unjudged)
        )


def _findings(
    report: TesterReport, each: SpecificationReport, model: str
) -> Iterator[neutral.Finding]:
    ids = report.ids[each.ids].title
    if each.misses:
        yield neutral.Finding(
            key=("ids", ids, each.name, "occurrence", model),
            title=f"{each.name}: no element it requires is there",
            kind="occurrence",
            elements=(),
            details="There must be one.",
            priority="Normal",
        )
    for row in each.failures:
        yield _finding(report, each, (ids, each.name, "prohibited"), "prohibited", row, model)
    for rule in each.requirements:
        key = (ids, each.name, rule.facet, rule.description)
        for row in rule.failures:
            yield _finding(report, each, key, rule.facet, row, model, rule)


def _finding(
    report: TesterReport,
    each: SpecificationReport,
    key: tuple[str, ...],
    kind: str,
    row: Row,
    model: str,
    rule: RequirementReport | None = None,
) -> neutral.Finding:
    element = _element(report, row, model)
    called = element.name or f"{element.ifc_class} {element.global_id}"
    asked = rule.description if rule else "There must be no such element."
    return neutral.Finding(
        # An element without a GlobalId has no lasting name: its step id holds for this file.
        key=("ids", *key, model, element.global_id),
        title=f"{called}: {row.reason}",
        kind=kind.lower(),
        elements=(element,),
        details=asked if rule is None or not rule.instructions else f"{asked} {rule.instructions}",
        priority="Normal" if each.usage is not Usage.OPTIONAL else "Low",
    )


def _element(report: TesterReport, row: Row, model: str) -> neutral.Element:
    element = report.elements[row.element]
    identity = element.global_id or f"~#{element.step_id}"
    return neutral.Element(model, identity, element.ifc_class, element.name)


def _left_out(
    report: TesterReport, each: SpecificationReport, model: str
) -> Iterator[neutral.LeftOut]:
    for row in each.unjudged:
        yield neutral.LeftOut(_element(report, row, model), "applicability", row.reason)
    for rule in each.requirements:
        for row in rule.unjudged:
            yield neutral.LeftOut(_element(report, row, model), rule.description, row.reason)
