"""A report as the JSON document ifcclash writes, with what we know more beside its fields."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ifcbase.clash.group import positions
from ifcbase.clash.report import ClashReport, Kind, Measured, SetReport, SideFile
from ifcbase.clash.request import ClashFile
from ifcbase.ifc.inventory import Element
from ifcbase.ifc.text import clean, is_clean

#: Version of our additions; the fields of ifcclash keep their meaning whatever it is.
FORMAT = 1


def to_document(report: ClashReport, min_coverage: float = 1.0) -> list[dict[str, Any]]:
    """One object per clash set, safe for JSON and Postgres: finite numbers, printable texts.

    The order is the report's: by file and element. Clash keys are "<guidA>-<guidB>", as in
    ifcclash; where two clashes would share one, the second ends in "#2".
    """
    return [_clash_set(report, each, min_coverage) for each in report.sets]


def write_output(report: ClashReport, path: Path, min_coverage: float = 1.0) -> None:
    """Write ``to_document`` as UTF-8 JSON, one clash per line."""
    sets = [_lines(each) for each in to_document(report, min_coverage)]
    path.write_text("[\n" + ",\n".join(sets) + "\n]\n", encoding="utf-8")


def _lines(clash_set: dict[str, Any]) -> str:
    """A clash set as JSON. Not indented: that takes json's slow way, a second for 10 000 clashes."""
    fields = [
        f"{_json(name)}: {_json(value)}" for name, value in clash_set.items() if name != "clashes"
    ]
    rows = [f"  {_json(key)}: {_json(row)}" for key, row in clash_set["clashes"].items()]
    clashes = "{" + ("\n" + ",\n".join(rows) + "\n " if rows else "") + "}"
    return "{\n " + ",\n ".join([*fields, f'"clashes": {clashes}']) + "\n}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _clash_set(report: ClashReport, each: SetReport, min_coverage: float) -> dict[str, Any]:
    cleaner = _Cleaner()
    definition = each.definition
    document: dict[str, Any] = {
        "name": definition.name,
        "a": [_source(source) for source in definition.a],
        "b": [_source(source) for source in definition.b],
        "mode": definition.mode.value,
        "tolerance": definition.tolerance,
        "clearance": definition.clearance,
        "check_all": definition.check_all,
        "allow_touching": definition.allow_touching,
        "include_related": definition.include_related,
        "verdict": each.verdict(min_coverage).value,
        "coverage": {
            "share": each.coverage,
            "incomplete": each.incomplete,
            "a": [_side(report, side) for side in each.a],
            "b": [_side(report, side) for side in each.b],
        },
        "related_left_out": each.related_left_out,
        "touching": each.touching,
        "undecided": len(each.undecided),
        "warnings": each.warnings,
        "definition_hash": definition.definition_hash(),
        "engine": report.engine,
        "format": FORMAT,
    }
    cleaned: dict[str, Any] = cleaner.cleaned(document)
    cleaned["clashes"] = {key: cleaner.row(row) for key, row in _clashes(report, each).items()}
    names = sum(report.files[i].inventory.cleaned_names for i in _files(each))
    cleaned["cleaned_texts"] = names + cleaner.count
    return cleaned


def _files(each: SetReport) -> set[int]:
    return {side.file for side in each.a + each.b}


def _source(source: ClashFile) -> dict[str, Any]:
    row = {"file": source.file, "mode": source.mode.value}
    return row | ({"selector": source.selector} if source.selector else {})


def _side(report: ClashReport, side: SideFile) -> dict[str, Any]:
    file = report.files[side.file]
    left_out = [
        _element(file.inventory.elements[index]) | {"reason": reason.value}
        for index, reason in sorted(side.left_out.items())
    ]
    return {
        "file": file.name,
        "sha256": file.sha256,
        "schema": file.inventory.schema,
        "failure": file.failure,
        "mode": side.mode.value,
        "selector": side.selector,
        "selected": len(side.selected),
        "tested": side.tested,
        "gaps": side.gaps,
        "left_out": left_out,
    }


def _element(element: Element) -> dict[str, Any]:
    return {
        "global_id": element.global_id,
        "n": element.n,
        "step_id": element.step_id,
        "ifc_class": element.ifc_class,
        "name": element.name,
        "storey": element.storey,
    }


def _clashes(report: ClashReport, each: SetReport) -> dict[str, dict[str, Any]]:
    found = each.clashes
    grouped = bool(len(found)) and int(found.group.min()) >= 0
    middles = positions(found).tolist()
    rows: dict[str, dict[str, Any]] = {}
    repeats: dict[str, int] = {}
    columns: Iterable[Any] = zip(
        found.a_file.tolist(),
        found.a.tolist(),
        found.b_file.tolist(),
        found.b.tolist(),
        found.kind.tolist(),
        found.p1.tolist(),
        found.p2.tolist(),
        found.distance.tolist(),
        found.measured.tolist(),
        found.group.tolist(),
        middles,
        strict=True,
    )
    for a_file, a, b_file, b, kind, p1, p2, distance, measured, group, middle in columns:
        one = report.files[a_file].inventory.elements[a]
        two = report.files[b_file].inventory.elements[b]
        row = {
            "a_global_id": one.global_id,
            "b_global_id": two.global_id,
            "a_ifc_class": one.ifc_class,
            "b_ifc_class": two.ifc_class,
            "a_name": one.name,
            "b_name": two.name,
            "type": Kind(kind).word,
            "p1": p1,
            "p2": p2,
            "distance": distance,
            "measured": Measured(measured).name.lower(),
            "a_file": report.files[a_file].name,
            "b_file": report.files[b_file].name,
            "a_n": one.n,
            "b_n": two.n,
            "a_storey": one.storey,
            "b_storey": two.storey,
        }
        if grouped:
            row |= {"position": middle, "smart_group": group}
        key = clean(f"{one.global_id}-{two.global_id}")
        repeats[key] = repeats.get(key, 0) + 1
        rows[key if repeats[key] == 1 else f"{key}#{repeats[key]}"] = row
    return rows


class _Cleaner:
    """Replaces what Postgres and JSON refuse in texts, and counts the texts."""

    def __init__(self) -> None:
        self.count = 0
        self._clean: set[str] = set()

    def row(self, values: dict[str, Any]) -> dict[str, Any]:
        """One clash: its fields are texts, numbers and lists of numbers."""
        for name, value in values.items():
            if isinstance(value, str) and value not in self._clean:
                if is_clean(value):
                    self._clean.add(value)
                else:
                    values[name] = clean(value)
                    self.count += 1
        return values

    def cleaned(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {clean(str(key)): self.cleaned(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.cleaned(each) for each in value]
        if isinstance(value, str) and not is_clean(value):
            self.count += 1
            return clean(value)
        return value
