"""Clash detection from files to a report: selection, coverage and pairs around an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ifcbase.clash.engine import (
    Engine,
    LoadedModel,
    Members,
    ModelFile,
    Undecided,
    nothing_read,
)
from ifcbase.clash.group import is_coarse, smart_groups
from ifcbase.clash.pairs import take, to_clashes, to_pairs, worst_first
from ifcbase.clash.report import (
    LIST_CUT,
    Clashes,
    ClashReport,
    FileReport,
    IntArray,
    LeftOut,
    SetReport,
    SideFile,
)
from ifcbase.clash.request import ENGINES, ClashFile, ClashRequest, ClashSet, SelectMode
from ifcbase.errors import FileMissing, IfcbaseError, RequestInvalid
from ifcbase.ifc.opening import file_sha256
from ifcbase.ifc.reading import Selection
from ifcbase.ifc.selectors import unknown_classes
from ifcbase.ifc.text import clean
from ifcbase.progress import Progress, silent

#: Share of the whole work that reading and meshing are, roughly.
_LOADED = 0.9
#: Stands for the hash of a file that could not be read at all.
_NO_SHA256 = "0" * 64
#: So many undecided pairs are named in a warning; the rest is counted.
_NAMED = 3


def make_engine(name: str, **options: Any) -> Engine:
    """The engine of a name, with its own keywords. Raises RequestInvalid."""
    if name == "solid":
        from ifcbase.clash.solid import SolidEngine

        return SolidEngine(**options)
    if name == "reference":
        from ifcbase.clash.reference import ReferenceEngine

        return ReferenceEngine(**options)
    raise RequestInvalid(f"there is no clash engine {name!r}; there are: {', '.join(ENGINES)}")


def detect(
    request: ClashRequest,
    files: Mapping[str, Path],
    *,
    engine: Engine | str = "solid",
    keep_going: bool = False,
    progress: Progress = silent,
) -> ClashReport:
    """Run all clash sets of a request; ``files`` says where each file the request names lies.

    Raises FileMissing, NotIfc, SelectorInvalid and their like for inputs that cannot be used; with
    ``keep_going`` the others are still tested, and sets that lack a file are inconclusive unless
    they find something. Nothing selected, or nothing that has a shape, is in the coverage.
    """
    if isinstance(engine, str):
        engine = make_engine(engine)
    names = request.files()
    inputs, broken = _inputs(request, files)
    if broken and (not keep_going or len(broken) == len(names)):
        raise next(iter(broken.values()))

    def loading(phase: str, fraction: float, note: str = "") -> None:
        progress(phase, _LOADED * fraction, note)

    loaded = iter(engine.load(inputs, loading))
    models = {each.name: next(loaded) for each in inputs}
    failures = broken | {n: m.failure for n, m in models.items() if m.failure is not None}
    if failures and (not keep_going or len(failures) == len(names)):
        raise failures[next(name for name in names if name in failures)]
    # The engine knows only the files that could be opened; the report has all of them.
    selections = _selections(request)
    everything = [
        models.get(name) or LoadedModel(nothing_read(selections[name]), failure=broken[name])
        for name in names
    ]
    report = ClashReport(
        files=[
            FileReport(
                name,
                next((each.sha256 for each in inputs if each.name == name), _NO_SHA256),
                one.model.inventory,
                one.signatures,
                _sentence(one.failure),
            )
            for name, one in zip(names, everything, strict=True)
        ],
        sets=[],
        engine=engine.describe(),
    )
    known = {name: at for at, name in enumerate(each.name for each in inputs)}
    translate = np.array([known.get(name, -1) for name in names], np.int32)
    for i, clash_set in enumerate(request.clash_sets):
        progress("finding", _LOADED + (1 - _LOADED) * i / len(request.clash_sets), clash_set.name)
        one_set = _run_set(clash_set, everything, report.files, engine, translate)
        report.sets.append(one_set)
        if request.smart_grouping:
            clashes = one_set.clashes
            clashes.group = smart_groups(clashes, request.max_cluster_distance)
            if is_coarse(clashes):
                one_set.warnings.append(
                    f"{len(clashes)} clashes are too many to cluster: each group is a cube of "
                    f"{request.max_cluster_distance:g} m"
                )
    progress("finding", 1.0)
    return report


def _selections(request: ClashRequest) -> dict[str, tuple[Selection, ...]]:
    """What all sets together select of each file."""
    found: dict[str, dict[Selection, None]] = {name: {} for name in request.files()}
    for each in request.clash_sets:
        for source in each.a + each.b:
            found[source.file][_selection(source)] = None
    return {name: tuple(chosen) for name, chosen in found.items()}


def _selection(source: ClashFile) -> Selection:
    return source.mode.value, source.selector if source.mode is not SelectMode.ALL else None


def _inputs(
    request: ClashRequest, files: Mapping[str, Path]
) -> tuple[list[ModelFile], dict[str, IfcbaseError]]:
    """The files that are there, and why others are not. Raises FileMissing for one not given."""
    found, broken = [], {}
    for name, selections in _selections(request).items():
        if name not in files:
            raise FileMissing(f"{name} was not given")
        try:
            found.append(ModelFile(name, files[name], file_sha256(files[name]), selections))
        except IfcbaseError as error:
            broken[name] = error
    return found, broken


def _sentence(failure: IfcbaseError | None) -> str | None:
    return None if failure is None else clean(failure.message)[:1000]


def _members(sides: Sequence[SideFile]) -> Members:
    """Every element of a side that can be tested, once, in order of file and element."""
    rows = sorted({(s.file, e) for s in sides for e in s.selected.tolist() if e not in s.left_out})
    table = np.array(rows, np.int32).reshape(-1, 2)
    return Members(table[:, 0], table[:, 1])


def _run_set(
    clash_set: ClashSet,
    models: Sequence[LoadedModel],
    files: Sequence[FileReport],
    engine: Engine,
    translate: IntArray,
) -> SetReport:
    """One set; ``translate`` gives the engine's number of each file, -1 for those it never saw."""
    number = {file.name: i for i, file in enumerate(files)}
    a, b = (
        [_side(source, number[source.file], models) for source in sources]
        for sources in (clash_set.a, clash_set.b)
    )
    report = SetReport(clash_set, a, b, Clashes.empty())
    report.warnings = _warnings(clash_set, a, b, files)
    in_a = _members(a)
    in_b = in_a if clash_set.is_self_clash else _members(b)
    if len(in_a) and len(in_b):
        found = engine.find(clash_set, _renumbered(in_a, translate), _renumbered(in_b, translate))
        back = np.flatnonzero(translate >= 0).astype(np.int32)
        contacts = replace(found, x_model=back[found.x_model], y_model=back[found.y_model])
        report.touching = contacts.touching
        sizes = [len(one.model.inventory) for one in models]
        report.clashes, related = to_clashes(
            contacts,
            in_a,
            in_b,
            sizes,
            [one.model.relations for one in models],
            clash_set.include_related,
        )
        left = [((back[x[0]], x[1]), (back[y[0]], y[1])) for x, y in contacts.related]
        report.related = to_pairs(
            _joined(Members(related.a_file, related.a), [x for x, _ in left]),
            _joined(Members(related.b_file, related.b), [y for _, y in left]),
            in_a,
            in_b,
            sizes,
        )
        report.undecided = to_pairs(
            _joined(_NOBODY, [(back[each.x[0]], each.x[1]) for each in contacts.undecided]),
            _joined(_NOBODY, [(back[each.y[0]], each.y[1]) for each in contacts.undecided]),
            in_a,
            in_b,
            sizes,
        )
        report.warnings += _undecided(contacts.undecided, [files[i] for i in back.tolist()])
        _cut(report)
    return report


def _cut(report: SetReport) -> None:
    """Keep no more clashes than asked for, the worst of them, and say so."""
    found, longest = len(report.clashes), report.definition.max_clashes
    if longest is None or found <= longest:
        return
    kept = np.sort(worst_first(report.clashes)[:longest])
    report.clashes = take(report.clashes, kept)
    report.incomplete = LIST_CUT
    report.warnings.append(
        f"the list of clashes was cut: {found} were found, and the {longest} worst are kept "
        "(max_clashes)"
    )


def _side(source: ClashFile, file: int, models: Sequence[LoadedModel]) -> SideFile:
    selected = models[file].model.selected[_selection(source)]
    known = models[file].left_out
    left_out = {e: known[e] for e in selected.tolist() if e in known}
    return SideFile(file, source.mode, source.selector, selected, left_out)


_NOBODY = Members(np.zeros(0, np.int32), np.zeros(0, np.int32))


def _joined(members: Members, more: Sequence[tuple[int, int]]) -> Members:
    table = np.array(more, np.int32).reshape(-1, 2)
    return Members(
        np.concatenate([members.model, table[:, 0]]),
        np.concatenate([members.element, table[:, 1]]),
    )


def _renumbered(members: Members, translate: IntArray) -> Members:
    return Members(translate[members.model], members.element)


def _undecided(pairs: Sequence[Undecided], files: Sequence[FileReport]) -> list[str]:
    """Sentences on the pairs nobody could judge, by reason."""
    reasons: dict[str, list[Undecided]] = {}
    for each in pairs:
        reasons.setdefault(each.reason, []).append(each)

    def named(model: int, index: int) -> str:
        element = files[model].inventory.elements[index]
        return f"{element.ifc_class} {element.global_id}"

    return [
        f"{len(found)} pairs could not be judged ({reason}), first "
        + ", ".join(f"{named(*each.x)} with {named(*each.y)}" for each in found[:_NAMED])
        for reason, found in sorted(reasons.items())
    ]


def _warnings(
    clash_set: ClashSet, a: list[SideFile], b: list[SideFile], files: Sequence[FileReport]
) -> list[str]:
    """Sentences on everything that makes the result say less than a reader might think."""
    sentences = clash_set.warnings()
    for letter, sides in (("a", a), ("b", b)):
        for side in sides:
            model = files[side.file]
            where = f"side {letter}, {model.name}"
            if model.failure:
                sentences.append(f"{where}: not tested, because the file failed: {model.failure}")
                continue
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
        if files[file].sha256 != _NO_SHA256:
            by_bytes.setdefault(files[file].sha256, []).append(files[file].name)
    for names in by_bytes.values():
        if len(names) > 1:
            sentences.append(f"{' and '.join(names)} are the same file, byte for byte")
    return sentences
