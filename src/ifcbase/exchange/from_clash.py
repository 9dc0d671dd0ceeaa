"""A clash detection's report in the neutral form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from ifcbase.clash.group import positions
from ifcbase.clash.report import ClashReport, Kind, Measured, SetReport, SideFile, Verdict
from ifcbase.clash.request import ClashSet, Mode, SelectMode
from ifcbase.exchange import report as neutral
from ifcbase.exchange.text import millimetres, percent
from ifcbase.ifc.inventory import Element as Product

#: How a distance was measured, for people.
MEASURES = {"none": None, "reference": "reference", "exact": "exact", "bound": "at most"}
#: Deeper than this is not a matter of tolerances (metres).
DEEP = 0.1


def from_clash(
    report: ClashReport,
    created: datetime,
    *,
    min_coverage: float = 1.0,
    models: Mapping[str, str] | None = None,
    title: str | None = None,
) -> neutral.Report:
    """The report of a detection, deepest clashes first.

    ``models`` maps a file's name to its model's: the same clash found in the next revision then
    has the same id in other programs.
    """
    names = dict(models or {})
    sections = [_section(report, each, min_coverage, names) for each in report.sets]
    verdicts = [each.verdict(min_coverage) for each in report.sets]
    return neutral.Report(
        check="clash",
        title=title or _title([each.name for each in sections]),
        created=created,
        verdict=str(_worst(verdicts)),
        sections=sections,
        models=[
            neutral.Model(names.get(f.name, f.name), f.name, f.sha256, f.inventory.schema)
            for f in report.files
        ],
        facts=[(f"engine: {key}", text) for key, text in plain_facts(report.engine)],
    )


def _title(names: Sequence[str]) -> str:
    rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"Clashes: {names[0]}{rest}" if names else "Clashes"


def priority_of(kind: str, distance: float | None) -> str:
    """A first guess to sort by: one thing inside or on top of another, or deeper than 100 mm, is
    high; gaps and touches are low."""
    if kind in {"contained", "duplicate"} or (kind not in _SHALLOW and (distance or 0) > DEEP):
        return "High"
    return "Low" if kind in _SHALLOW else "Normal"


_SHALLOW = {"clearance", "touching"}


def clash_title(kind: str, one: neutral.Element, other: neutral.Element) -> str:
    """One short sentence a person understands."""
    verb = {
        "clearance": "too close to",
        "touching": "touches",
        "contained": "and one inside the other:",
        "duplicate": "twice in the same place:",
    }.get(kind, "clashes with")
    return f"{_called(one)} {verb} {_called(other)}"


def _called(element: neutral.Element) -> str:
    return element.name or f"{element.ifc_class or 'element'} {element.global_id}"


def plain_facts(engine: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the engine says of itself, one line per value."""
    for key, value in sorted(engine.items()):
        if isinstance(value, Mapping):
            yield key, ", ".join(f"{name} {each}" for name, each in sorted(value.items()))
        elif value is not None:
            yield key, str(value)


def _worst(verdicts: list[Verdict]) -> Verdict:
    for verdict in (Verdict.FOUND, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.CLEAN


def _section(
    report: ClashReport, each: SetReport, min_coverage: float, names: Mapping[str, str]
) -> neutral.Section:
    verdict = each.verdict(min_coverage)
    warnings = list(each.warnings)
    if each.empty_sides:
        warnings.append(f"Nothing was tested on side {' and '.join(each.empty_sides)}.")
    elif each.coverage < 1:
        share = percent(each.coverage, neutral.NOTHING_TESTED)
        warnings.append(f"Only {share} of the elements with geometry were tested.")
    sides = [("a", side) for side in each.a] + [("b", side) for side in each.b]
    return neutral.Section(
        name=each.definition.name,
        verdict=str(verdict),
        sentence=sentence(len(each.clashes), str(verdict)),
        findings=list(_findings(report, each, names)),
        facts=[*definition_facts(each.definition), *_counts(each)],
        tested=[_tested(report, letter, side, names) for letter, side in sides],
        left_out=[
            neutral.LeftOut(_element(report, side.file, index, names), letter, str(reason))
            for letter, side in sides
            for index, reason in sorted(side.left_out.items())
        ],
        warnings=warnings,
    )


def sentence(clashes: int, verdict: str) -> str:
    """What came out, without the claim that nothing is wrong where nothing was looked at."""
    if clashes:
        return "1 pair was found." if clashes == 1 else f"{clashes} pairs of elements were found."
    if verdict == Verdict.CLEAN:
        return "No clash was found among the tested elements."
    return "No clash was found, but not everything that should have been tested was: inconclusive."


def definition_facts(definition: ClashSet) -> list[tuple[str, str]]:
    """What was asked for, as label and value."""
    facts = [("mode", str(definition.mode))]
    if definition.mode is Mode.INTERSECTION:
        facts.append(("tolerance", millimetres(definition.tolerance)))
    if definition.mode is Mode.CLEARANCE:
        facts.append(("clearance", millimetres(definition.clearance)))
    if definition.mode is Mode.COLLISION:
        facts.append(("touching elements", "reported" if definition.allow_touching else "left out"))
    return facts


def _counts(each: SetReport) -> list[tuple[str, str]]:
    facts = []
    if each.related_left_out:
        facts.append(
            ("related pairs left out", f"{each.related_left_out} (hosts and fillings, assemblies)")
        )
    if each.touching:
        facts.append(("touching pairs", str(each.touching)))
    return facts


def selection_words(mode: SelectMode | str, selector: str | None) -> str:
    """Which elements a side takes, in words."""
    if not selector or mode == SelectMode.ALL:
        return "all elements"
    return f"all but {selector}" if mode == SelectMode.EXCLUDE else selector


def _tested(
    report: ClashReport, letter: str, side: SideFile, names: Mapping[str, str]
) -> neutral.Tested:
    file = report.files[side.file].name
    return neutral.Tested(
        part=f"side {letter}",
        model=names.get(file, file),
        selection=selection_words(side.mode, side.selector),
        selected=len(side.selected),
        tested=side.tested,
        left_out=Counter(str(reason) for reason in side.left_out.values()),
    )


def _product(report: ClashReport, file: int, index: int) -> Product:
    return report.files[file].inventory.elements[index]


def _element(
    report: ClashReport, file: int, index: int, names: Mapping[str, str]
) -> neutral.Element:
    product = _product(report, file, index)
    name = report.files[file].name
    return neutral.Element(
        names.get(name, name), product.global_id, product.ifc_class, product.name, product.storey
    )


def _findings(
    report: ClashReport, each: SetReport, names: Mapping[str, str]
) -> Iterator[neutral.Finding]:
    found = each.clashes
    middles = positions(found)
    gap = found.kind == Kind.CLEARANCE
    # Deepest first, then the tightest gaps; ties in the order of the report.
    order = np.lexsort((np.where(gap, found.distance, -found.distance), gap))
    for at in order.tolist():
        a_file, b_file = int(found.a_file[at]), int(found.b_file[at])
        a, b = int(found.a[at]), int(found.b[at])
        one, other = _element(report, a_file, a, names), _element(report, b_file, b, names)
        numbers = _product(report, a_file, a).n, _product(report, b_file, b).n
        kind = Kind(int(found.kind[at])).word
        measured = Measured(int(found.measured[at]))
        distance = float(found.distance[at]) if measured is not Measured.NONE else None
        ids = sorted(
            (e.model, e.global_id, str(n)) for e, n in zip((one, other), numbers, strict=True)
        )
        x, y, z = middles[at].tolist()
        group = int(found.group[at])
        yield neutral.Finding(
            key=("clash", each.definition.name, *ids[0], *ids[1]),
            title=clash_title(kind, one, other),
            kind=kind,
            elements=(one, other),
            point=(x, y, z),
            distance=distance,
            measured=MEASURES[measured.name.lower()],
            priority=priority_of(kind, distance),
            group=str(group) if group >= 0 else None,
        )
