"""What a model says without its shapes: inventory, relations and selections, and that as bytes.

Reading a model takes longer than testing it, so it is done once per content, where it is meshed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ifcbase.errors import FileUnreadable, ReportInvalid
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.relations import Relations
from ifcbase.ifc.versions import installed

if TYPE_CHECKING:
    import ifcopenshell

    from ifcbase.ifc.selectors import SelectorMode

IntArray = npt.NDArray[np.int32]
#: Mode and selector of a side of a clash set.
Selection = tuple["SelectorMode", str | None]

FORMAT = 1
#: Raised whenever the same file may be read as something else than before: part of the key.
READING_VERSION = 1
_RELATIONS = ("assembly", "whole", "host", "opening")


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A model as read; ``selected`` has the inventory indexes that each selection takes."""

    inventory: Inventory
    relations: Relations
    selected: dict[Selection, IntArray]

    def union(self) -> IntArray:
        """Everything that any selection takes, ascending."""
        parts = [np.zeros(0, np.int32), *self.selected.values()]
        return np.unique(np.concatenate(parts)).astype(np.int32)


def read_model(
    path: Path, sha256: str, selections: Sequence[Selection]
) -> tuple[ReadModel, ifcopenshell.file]:
    """Open a model once and read all of it that is not shape; the open model for whoever goes on.

    Raises what ``check_file``, ``open_model`` and ``select`` raise, and FileUnreadable if the
    bytes are not those of ``sha256``.
    """
    from ifcbase.ifc.inventory import read_inventory
    from ifcbase.ifc.opening import check_file, open_model
    from ifcbase.ifc.relations import read_relations
    from ifcbase.ifc.selectors import select

    facts = check_file(path)
    if facts.sha256 != sha256:
        raise FileUnreadable(f"{path.name} was changed while it was read")
    file = open_model(path, facts)
    inventory = read_inventory(file)
    selected = {each: select(file, inventory, *each) for each in dict.fromkeys(selections)}
    return ReadModel(inventory, read_relations(file, inventory), selected), file


def reading_key(file_sha256: str, selections: Sequence[Selection]) -> str:
    """The key of a model as read: its bytes, what is selected, and who read it."""
    document = {
        "file": file_sha256,
        "selections": sorted({json.dumps(each) for each in selections}),
        "reader": installed("ifcopenshell"),
        "version": [FORMAT, READING_VERSION],
    }
    words = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(words.encode()).hexdigest()


def write_reading(model: ReadModel, key: str, path: Path) -> None:
    """Write a model as read, whole or not at all: a checksum, then JSON."""
    document = {
        "format": FORMAT,
        "key": key,
        "inventory": model.inventory.to_document(),
        "relations": {name: getattr(model.relations, name).tolist() for name in _RELATIONS},
        "selected": [[*each, rows.tolist()] for each, rows in model.selected.items()],
    }
    body = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_reading(path: Path, key: str) -> ReadModel:
    """Read what ``write_reading`` wrote. Raises ReportInvalid for anything amiss, OSError if absent."""
    checksum, _, body = path.read_bytes().partition(b"\n")
    _check(hashlib.sha256(body).hexdigest().encode() == checksum, "checksum")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ReportInvalid("a model as read is not JSON", detail=str(error)) from error
    _check(isinstance(document, dict) and document.get("format") == FORMAT, "format")
    _check(document.get("key") == key, "key")
    inventory = Inventory.from_document(document.get("inventory"))
    size = len(inventory)
    columns = document.get("relations")
    _check(isinstance(columns, dict) and set(columns) == set(_RELATIONS), "relations")
    relations = Relations(*(_indexes(columns[name], size, -1) for name in _RELATIONS))
    _check(all(len(getattr(relations, name)) == size for name in _RELATIONS), "relations")
    rows = document.get("selected")
    _check(isinstance(rows, list), "selected")
    selected: dict[Selection, IntArray] = {}
    for row in rows:
        _check(isinstance(row, list) and len(row) == 3 and row[0] in {"a", "i", "e"}, "selected")
        _check(row[1] is None or isinstance(row[1], str), "selected")
        taken = _indexes(row[2], size, 0)
        _check(bool(np.all(np.diff(taken) > 0)), "selected")
        selected[row[0], row[1]] = taken
    return ReadModel(inventory, relations, selected)


def _indexes(values: Any, size: int, least: int) -> IntArray:
    _check(isinstance(values, list) and set(map(type, values)) <= {int}, "indexes")
    _check(not values or (min(values) >= least and max(values) < size), "indexes")
    return np.array(values, np.int32)


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ReportInvalid(f"a model as read does not hold together: {what}")
