"""What was measured between two models, as bytes: kept by content, so that it is measured once.

One entry holds all contacts of one model's elements with another's (or its own), whatever the
mode: tolerance and touching are looked at when a clash set is answered.

    SHA-256 of the rest (32) | key (64) | length of the header (8, little endian) | header | columns
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.clash.report import FloatArray, IntArray, Kind, Measured
from ifcbase.errors import ReportInvalid

SUFFIX = ".contacts"
FORMAT = 1
#: Name, type and width of the columns, in the order of the file.
COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("distance", "<f8", 1),
    ("p_x", "<f8", 3),
    ("p_y", "<f8", 3),
    ("x", "<i4", 1),
    ("y", "<i4", 1),
    ("kind", "|u1", 1),
    ("measured", "|u1", 1),
)
_ROW = sum(np.dtype(kind).itemsize * width for _, kind, width in COLUMNS)
_START = 32 + 64 + 8
#: No building stands farther from the origin of its coordinates (metres).
_FARTHEST = 1e9


@dataclass(slots=True)
class Block:
    """Contacts between elements of one model (x) and of another or the same (y).

    x and y are inventory indexes; points are world metres. ``related`` has pairs, ``undecided`` pairs and reasons.
    """

    x: IntArray
    y: IntArray
    kind: npt.NDArray[np.uint8]
    distance: FloatArray
    measured: npt.NDArray[np.uint8]
    p_x: FloatArray
    p_y: FloatArray
    related: tuple[tuple[int, int], ...] = ()
    undecided: tuple[tuple[int, int, str], ...] = ()

    def __len__(self) -> int:
        return len(self.x)


def key_of(facts: dict[str, Any]) -> str:
    """The key of a block: everything its contacts depend on."""
    words = json.dumps(facts | {"format": FORMAT}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(words.encode()).hexdigest()


def write_block(block: Block, key: str, path: Path) -> None:
    """Write a block so that readers see all of it or nothing."""
    header = json.dumps(
        {"rows": len(block), "related": block.related, "undecided": block.undecided},
        separators=(",", ":"),
    ).encode()
    columns = b"".join(
        np.ascontiguousarray(getattr(block, name), dtype=kind).tobytes()
        for name, kind, _ in COLUMNS
    )
    body = key.encode() + len(header).to_bytes(8, "little") + header + columns
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        temporary.write_bytes(hashlib.sha256(body).digest() + body)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_block(path: Path, key: str) -> Block:
    """Read what ``write_block`` wrote. Raises ReportInvalid for anything amiss, OSError if absent."""
    raw = path.read_bytes()
    _check(len(raw) >= _START, "too short")
    _check(hashlib.sha256(raw[32:]).digest() == raw[:32], "checksum")
    _check(raw[32:96] == key.encode(), "key")
    start = _START + int.from_bytes(raw[96:_START], "little")
    _check(start <= len(raw), "header")
    try:
        header = json.loads(raw[_START:start])
    except (ValueError, RecursionError) as error:
        raise ReportInvalid("contacts as kept have no readable header") from error
    _check(isinstance(header, dict), "header")
    rows = header.get("rows")
    _check(type(rows) is int and rows >= 0, "header")
    _check(len(raw) - start == rows * _ROW, "length")
    columns: dict[str, Any] = {}
    for name, kind, width in COLUMNS:
        column = np.frombuffer(raw, kind, rows * width, start)
        columns[name] = column.reshape(rows, width) if width > 1 else column
        start += column.nbytes
    block = Block(
        **columns,
        related=_related(header.get("related")),
        undecided=_undecided(header.get("undecided")),
    )
    _check(bool(np.isin(block.kind, list(Kind)).all()), "kind")
    _check(bool(np.isin(block.measured, list(Measured)).all()), "measured")
    # Numbers that a kernel failed on are for the engine's caller; nothing is beyond the world.
    for name in ("distance", "p_x", "p_y"):
        _check(not bool((np.abs(columns[name]) > _FARTHEST).any()), name)
    _check(bool((block.x >= 0).all() and (block.y >= 0).all()), "elements")
    return block


def _related(rows: Any) -> tuple[tuple[int, int], ...]:
    _check(isinstance(rows, list), "related")
    for row in rows:
        _check(isinstance(row, list) and [type(v) for v in row] == [int, int], "related")
        _check(min(row) >= 0, "related")
    return tuple((x, y) for x, y in rows)


def _undecided(rows: Any) -> tuple[tuple[int, int, str], ...]:
    _check(isinstance(rows, list), "undecided")
    for row in rows:
        _check(isinstance(row, list) and [type(v) for v in row] == [int, int, str], "undecided")
        _check(row[0] >= 0 and row[1] >= 0, "undecided")
    return tuple((x, y, why) for x, y, why in rows)


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ReportInvalid(f"contacts as kept do not hold together: {what}")
