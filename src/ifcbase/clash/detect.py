"""Clash detection from files to a report: selection, coverage and pairs around an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ifcbase.clash.engine import Engine, Members, OpenModel
from ifcbase.clash.group import is_coarse, smart_groups
from ifcbase.clash.pairs import to_clashes
from ifcbase.clash.report import (
    Clashes,
    ClashReport,
    FileReport,
    IntArray,
    LeftOut,
    SetReport,
    SideFile,
)
from ifcbase.clash.request import ClashFile, ClashRequest, ClashSet, SelectMode
from ifcbase.errors import FileMissing
from ifcbase.ifc.inventory import read_inventory
from ifcbase.ifc.opening import check_file, open_model
from ifcbase.ifc.relations import read_relations
from ifcbase.ifc.selectors import select, unknown_classes
from ifcbase.ifc.traits import read_signatures
from ifcbase.progress import Progress, silent

#: Shares of the whole work, roughly: opening, meshing, finding.
_OPENED, _MESHED = 0.1, 0.9


def detect(
    request: ClashRequest,
    files: Mapping[str, Path],
    *,
    engine: Engine | None = None,
    progress: Progress = silent,
) -> ClashReport:
    """Run all clash sets of a request; ``files`` says where each file the request names lies.

    Raises FileMissing, NotIfc, SelectorInvalid and their like for inputs that cannot be used.
    Nothing selected, or nothing that has a shape, is no error: it is in the coverage.
    """
    if engine is None:
        from ifcbase.clash.reference import ReferenceEngine

        engine = ReferenceEngine()
    names = request.files()
    models = _open_all(names, files, progress)
    signatures = [read_signatures(m.file, m.inventory, m.path) for m in models]
    number = {name: i for i, name in enumerate(names)}
    sides = [
        (_select_side(each.a, models, number), _select_side(each.b, models, number))
        for each in request.clash_sets
    ]
    wanted = [
        _union([side for pair in sides for s in pair for side in s], i) for i in number.values()
    ]

    def meshing(phase: str, fraction: float, note: str = "") -> None:
        progress(phase, _OPENED + (_MESHED - _OPENED) * fraction, note)

    left_out = engine.prepare(models, wanted, meshing)
    reports = []
    for i, (clash_set, (a, b)) in enumerate(zip(request.clash_sets, sides, strict=True)):
        progress("finding", _MESHED + (1 - _MESHED) * i / len(sides), clash_set.name)
        for side in a + b:
            known = left_out[side.file]
            side.left_out = {e: known[e] for e in side.selected.tolist() if e in known}
        reports.append(_run_set(clash_set, a, b, models, engine))
        if request.smart_grouping:
            clashes = reports[-1].clashes
            clashes.group = smart_groups(clashes, request.max_cluster_distance)
            if is_coarse(clashes):
                reports[-1].warnings.append(
                    f"{len(clashes)} clashes are too many to cluster: each group is a cube of "
                    f"{request.max_cluster_distance:g} m"
                )
    progress("finding", 1.0)
    return ClashReport(
        files=[
            FileReport(m.name, m.facts.sha256, m.inventory, signed)
            for m, signed in zip(models, signatures, strict=True)
        ],
        sets=reports,
        engine=engine.describe(),
    )


def _open_all(
    names: Sequence[str], files: Mapping[str, Path], progress: Progress
) -> list[OpenModel]:
    facts = []
    for name in names:  # all are checked before the first is parsed: fail early
        if name not in files:
            raise FileMissing(f"{name} was not given")
        facts.append(check_file(files[name]))
    models = []
    for i, (name, fact) in enumerate(zip(names, facts, strict=True)):
        progress("reading", _OPENED * i / len(names), name)
        file = open_model(fact.path, fact)
        inventory = read_inventory(file)
        models.append(
            OpenModel(name, fact.path, fact, file, inventory, read_relations(file, inventory))
        )
    return models


def _select_side(
    sources: Sequence[ClashFile], models: Sequence[OpenModel], number: Mapping[str, int]
) -> list[SideFile]:
    side = []
    for source in sources:
        model = models[number[source.file]]
        selected = select(model.file, model.inventory, source.mode.value, source.selector)
        side.append(SideFile(number[source.file], source.mode, source.selector, selected))
    return side


def _union(sides: Sequence[SideFile], file: int) -> IntArray:
    parts = [side.selected for side in sides if side.file == file]
    return np.unique(np.concatenate([np.zeros(0, np.int32), *parts])).astype(np.int32)


def _members(sides: Sequence[SideFile]) -> Members:
    """Every element of a side that can be tested, once, in order of file and element."""
    rows = sorted({(s.file, e) for s in sides for e in s.selected.tolist() if e not in s.left_out})
    table = np.array(rows, np.int32).reshape(-1, 2)
    return Members(table[:, 0], table[:, 1])


def _run_set(
    clash_set: ClashSet,
    a: list[SideFile],
    b: list[SideFile],
    models: Sequence[OpenModel],
    engine: Engine,
) -> SetReport:
    report = SetReport(clash_set, a, b, Clashes.empty())
    report.warnings = _warnings(clash_set, a, b, models)
    in_a = _members(a)
    in_b = in_a if clash_set.is_self_clash else _members(b)
    if len(in_a) and len(in_b):
        contacts = engine.find(clash_set, in_a, in_b)
        report.touching = contacts.touching
        report.clashes, report.related = to_clashes(
            contacts,
            in_a,
            in_b,
            [len(model.inventory) for model in models],
            [model.relations for model in models],
            clash_set.include_related,
        )
    return report


def _warnings(
    clash_set: ClashSet, a: list[SideFile], b: list[SideFile], models: Sequence[OpenModel]
) -> list[str]:
    """Sentences on everything that makes the result say less than a reader might think."""
    sentences = clash_set.warnings()
    for letter, sides in (("a", a), ("b", b)):
        for side in sides:
            model = models[side.file]
            where = f"side {letter}, {model.name}"
            used = side.selector if side.mode is not SelectMode.ALL else None
            if used:
                for name in unknown_classes(model.inventory.schema, used):
                    sentences.append(
                        f"{where}: {name} is not a class of {model.inventory.schema}, "
                        "so that part of the selector matches nothing"
                    )
            if len(side.selected) == 0:
                why = f"the selector {used!r} leaves" if used else "the model has"
                sentences.append(f"{where}: {why} no element to test")
            elif side.tested == 0:
                sentences.append(f"{where}: none of {len(side.selected)} elements has a shape")
            for reason in (LeftOut.NO_GEOMETRY, LeftOut.EMPTY):
                count = sum(1 for r in side.left_out.values() if r is reason)
                if count and side.tested:
                    sentences.append(
                        f"{where}: {count} of {len(side.selected)} elements not tested ({reason})"
                    )
    by_bytes: dict[str, list[str]] = {}
    for file in sorted({side.file for side in a + b}):
        by_bytes.setdefault(models[file].facts.sha256, []).append(models[file].name)
    for names in by_bytes.values():
        if len(names) > 1:
            sentences.append(f"{' and '.join(names)} are the same file, byte for byte")
    return sentences
