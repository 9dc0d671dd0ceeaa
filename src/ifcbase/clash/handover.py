"""A report as files: written by the child that computes, read by the parent that does not trust it.

``report.json`` holds what is said in words, ``report.npz`` the arrays; nothing in them is code.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from ifcbase.clash.report import (
    Clashes,
    ClashReport,
    FileReport,
    Kind,
    LeftOut,
    Measured,
    PairList,
    SetReport,
    SideFile,
)
from ifcbase.clash.request import ClashFile, ClashRequest, ClashSet
from ifcbase.errors import ReportInvalid
from ifcbase.ifc.arrays import BROKEN, Array, Arrays
from ifcbase.ifc.described import read_signatures
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import MEASURES
from ifcbase.ifc.text import is_clean

FORMAT = 2
WORDS = "report.json"
ARRAYS = "report.npz"

#: Budgets of what the parent reads: a report of a million clashes over 20 large models fits.
_MAX_WORDS = 2 << 30
_MAX_ARRAYS = 2 << 30
#: No building stands farther from the origin of its coordinates (metres).
_FARTHEST = 1e9

_REASONS = tuple(LeftOut)
#: Columns of Clashes: dtype and width.
_COLUMNS: dict[str, tuple[type, int]] = {
    "a_file": (np.int32, 1),
    "a": (np.int32, 1),
    "b_file": (np.int32, 1),
    "b": (np.int32, 1),
    "kind": (np.uint8, 1),
    "distance": (np.float64, 1),
    "measured": (np.uint8, 1),
    "p1": (np.float64, 3),
    "p2": (np.float64, 3),
    "group": (np.int32, 1),
}
#: Columns of PairList.
_PAIRS = ("a_file", "a", "b_file", "b")
#: More is no reason, but a text.
_LONGEST_REASON = 200


def write(report: ClashReport, folder: Path) -> None:
    """Write both files into an existing folder."""
    arrays: dict[str, Array] = {}
    for number, file in enumerate(report.files):
        if file.signatures is not None:
            for name in MEASURES:
                arrays[f"file{number}.{name}"] = getattr(file.signatures, name)
    sets = []
    for number, each in enumerate(report.sets):
        for name in _COLUMNS:
            arrays[f"{number}.{name}"] = getattr(each.clashes, name)
        for why, pairs in (("related", each.related), ("undecided", each.undecided)):
            for name in _PAIRS:
                arrays[f"{number}.{why}.{name}"] = getattr(pairs, name)
        sides = {}
        for letter, side in (("a", each.a), ("b", each.b)):
            sides[letter] = [source.file for source in side]
            for at, source in enumerate(side):
                left = sorted(source.left_out.items())
                key = f"{number}.{letter}{at}"
                arrays[f"{key}.selected"] = source.selected.astype(np.int32)
                arrays[f"{key}.left"] = np.array([i for i, _ in left], np.int32)
                arrays[f"{key}.reason"] = np.array([_REASONS.index(r) for _, r in left], np.uint8)
        sets.append(
            {
                "definition": each.definition.model_dump(mode="json"),
                "sides": sides,
                "touching": each.touching,
                "warnings": each.warnings,
                "incomplete": each.incomplete,
            }
        )
    words = {
        "format": FORMAT,
        "engine": report.engine,
        "files": [
            {
                "name": f.name,
                "sha256": f.sha256,
                "inventory": f.inventory.to_document(),
                "signed": f.signatures is not None,
                "failure": f.failure,
            }
            for f in report.files
        ],
        "sets": sets,
    }
    text = json.dumps(words, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    (folder / WORDS).write_text(text, encoding="ascii")
    with (folder / ARRAYS).open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def read(folder: Path, request: ClashRequest | None = None) -> ClashReport:
    """Read and check a report; with ``request``, also that it answers exactly that request.

    Raises ReportInvalid for anything that does not hold together.
    """
    words = _words(folder / WORDS)
    _check(isinstance(words, dict) and words.get("format") == FORMAT, "unknown format")
    engine = words.get("engine")
    _check(isinstance(engine, dict) and _is_plain(engine), "engine")
    files = [_file(each) for each in _list(words, "files")]
    _check(len({f.name for f in files}) == len(files), "two files have one name")
    documents = _list(words, "sets")
    try:
        with zipfile.ZipFile(folder / ARRAYS) as archive:
            arrays = Arrays(archive, _MAX_ARRAYS)
            for n, (each, document) in enumerate(zip(files, words["files"], strict=True)):
                if document.get("signed") is True:
                    each.signatures = read_signatures(each.inventory, f"file{n}", arrays)
            sets = [_set(each, n, files, arrays) for n, each in enumerate(documents)]
            _check(not arrays.unread, "arrays that belong to nothing")
    except BROKEN as error:
        raise ReportInvalid("the report's arrays cannot be read", detail=str(error)) from error
    if request is not None:
        _check(tuple(s.definition for s in sets) == request.clash_sets, "another request's sets")
        _check([f.name for f in files] == request.files(), "another request's files")
    return ClashReport(files=files, sets=sets, engine=engine)


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ReportInvalid(f"the report does not hold together: {what}")


# --- words ---------------------------------------------------------------------------------------


def _words(path: Path) -> Any:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is not JSON")

    try:
        _check(path.stat().st_size <= _MAX_WORDS, "it is too large")
        return json.loads(path.read_bytes(), parse_constant=refuse)
    except (OSError, ValueError, RecursionError) as error:
        raise ReportInvalid("the report's words cannot be read", detail=str(error)) from error


def _list(document: Any, key: str) -> list[Any]:
    values = document.get(key) if isinstance(document, dict) else None
    if not isinstance(values, list):
        raise ReportInvalid(f"the report does not hold together: {key}")
    return values


def _count(document: dict[str, Any], key: str) -> int:
    value = document.get(key)
    if type(value) is not int or not 0 <= value < 2**53:
        raise ReportInvalid(f"the report does not hold together: {key}")
    return value


def _is_plain(value: Any, depth: int = 6) -> bool:
    """True for JSON of printable texts and numbers that is not deep."""
    if depth == 0:
        return False
    if isinstance(value, dict):
        return all(is_clean(k) and _is_plain(v, depth - 1) for k, v in value.items())
    if isinstance(value, list):
        return all(_is_plain(v, depth - 1) for v in value)
    return is_clean(value) if isinstance(value, str) else True


def _file(document: Any) -> FileReport:
    _check(isinstance(document, dict), "a file")
    name, sha256 = document.get("name"), document.get("sha256")
    _check(isinstance(name, str) and 0 < len(name) <= 1024 and is_clean(name), "a file's name")
    good = isinstance(sha256, str) and len(sha256) == 64 and set(sha256) <= set("0123456789abcdef")
    _check(good, "a file's hash")
    failure = document.get("failure")
    is_text = isinstance(failure, str) and 0 < len(failure) <= 1000 and is_clean(failure)
    _check(failure is None or is_text, "a file's failure")
    inventory = Inventory.from_document(document.get("inventory"))
    return FileReport(name, sha256, inventory, failure=failure)


# --- arrays --------------------------------------------------------------------------------------


def _set(document: Any, number: int, files: list[FileReport], arrays: Arrays) -> SetReport:
    _check(isinstance(document, dict), "a set")
    try:
        definition = ClashSet.model_validate(document.get("definition"))
    except ValidationError as error:
        raise ReportInvalid("a set's definition is not valid", detail=str(error)) from error
    sides = document.get("sides")
    _check(isinstance(sides, dict), "sides")
    a = _side(_list(sides, "a"), definition.a, f"{number}.a", files, arrays)
    b = _side(_list(sides, "b"), definition.b, f"{number}.b", files, arrays)
    warnings = _list(document, "warnings")
    _check(all(isinstance(w, str) and is_clean(w) for w in warnings), "warnings")
    incomplete = document.get("incomplete")
    short = isinstance(incomplete, str) and 0 < len(incomplete) <= _LONGEST_REASON
    _check(incomplete is None or (short and is_clean(incomplete)), "why it is incomplete")
    clashes = _clashes(number, a, b or a, files, arrays)
    return SetReport(
        definition=definition,
        a=a,
        b=b,
        clashes=clashes,
        related=_pair_list("related", number, a, b or a, clashes, files, arrays),
        undecided=_pair_list("undecided", number, a, b or a, clashes, files, arrays),
        touching=_count(document, "touching"),
        warnings=warnings,
        incomplete=incomplete,
    )


def _side(
    file_numbers: list[Any],
    sources: tuple[ClashFile, ...],
    prefix: str,
    files: list[FileReport],
    arrays: Arrays,
) -> list[SideFile]:
    _check(len(file_numbers) == len(sources), "sides")
    side = []
    for at, (number, source) in enumerate(zip(file_numbers, sources, strict=True)):
        _check(type(number) is int and 0 <= number < len(files), "a side's file")
        _check(files[number].name == source.file, "a side's file")
        selected = arrays.take(f"{prefix}{at}.selected", np.int32)
        _check(_ascending(selected, len(files[number].inventory)), "selected")
        left = arrays.take(f"{prefix}{at}.left", np.int32)
        reason = arrays.take(f"{prefix}{at}.reason", np.uint8)
        _check(len(left) == len(reason), "left out")
        _check(_ascending(left, len(files[number].inventory)), "left out")
        _check(bool(np.isin(left, selected).all()), "left out, but not selected")
        _check(not len(reason) or int(reason.max()) < len(_REASONS), "reason")
        left_out = {i: _REASONS[r] for i, r in zip(left.tolist(), reason.tolist(), strict=True)}
        side.append(SideFile(number, source.mode, source.selector, selected, left_out))
    return side


def _ascending(indexes: Array, size: int) -> bool:
    if not len(indexes):
        return True
    return bool(indexes[0] >= 0 and indexes[-1] < size and np.all(np.diff(indexes) > 0))


def _clashes(
    number: int, a: list[SideFile], b: list[SideFile], files: list[FileReport], arrays: Arrays
) -> Clashes:
    columns = {
        name: arrays.take(f"{number}.{name}", dtype, width)
        for name, (dtype, width) in _COLUMNS.items()
    }
    clashes = Clashes(**columns)
    _check(len({len(column) for column in columns.values()}) == 1, "columns of different lengths")
    if not len(clashes):
        return clashes
    _pairs(clashes, a, b, files)
    _check(bool(np.isin(clashes.kind, list(Kind)).all()), "an unknown kind")
    _check(bool(np.isin(clashes.measured, list(Measured)).all()), "an unknown measure")
    finite = np.isfinite(clashes.distance) & (clashes.distance >= 0)
    _check(bool(finite.all()), "a distance")
    for points in (clashes.p1, clashes.p2):
        _check(bool(np.all(np.abs(points) <= _FARTHEST)), "a point")  # false for NaN, too
    _check(bool(clashes.group.min() >= -1), "a group")
    return clashes


def _pair_list(
    why: str,
    number: int,
    a: list[SideFile],
    b: list[SideFile],
    clashes: Clashes,
    files: list[FileReport],
    arrays: Arrays,
) -> PairList:
    columns = {name: arrays.take(f"{number}.{why}.{name}", np.int32) for name in _PAIRS}
    found = PairList(**columns)
    _check(len({len(column) for column in columns.values()}) == 1, "columns of different lengths")
    if len(found):
        left_out = _pairs(found, a, b, files)
        reported = _pairs(clashes, a, b, files) if len(clashes) else left_out[:0]
        both = np.concatenate([left_out, reported])
        _check(len(np.unique(both, axis=0)) == len(both), "a pair reported and left out")
    return found


def _pairs(
    found: Clashes | PairList, a: list[SideFile], b: list[SideFile], files: list[FileReport]
) -> npt.NDArray[np.int64]:
    """The two elements of each row (not none) as numbers over all files, smaller first; checked."""
    sizes = np.array([len(f.inventory) for f in files], np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    keys = []
    for file, element, side in ((found.a_file, found.a, a), (found.b_file, found.b, b)):
        _check(bool(file.min() >= 0 and file.max() < len(files)), "a clash's file")
        _check(bool(element.min() >= 0 and np.all(element < sizes[file])), "a clash's element")
        tested = np.zeros(int(offsets[-1]), np.bool_)
        for source in side:
            kept = np.setdiff1d(source.selected, np.array(list(source.left_out), np.int32))
            tested[offsets[source.file] + kept] = True
        keys.append(offsets[file] + element)
        _check(bool(tested[keys[-1]].all()), "a clash of an element that was not tested")
    _check(bool(np.all(keys[0] != keys[1])), "an element clashes with itself")
    pairs = np.stack([np.minimum(*keys), np.maximum(*keys)], axis=1)
    _check(len(np.unique(pairs, axis=0)) == len(pairs), "a pair twice")
    return pairs
