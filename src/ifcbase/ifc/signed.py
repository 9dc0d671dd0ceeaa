"""Signatures of a model as bytes, kept beside its meshes: a checksum, the key, then the columns."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import MEASURES, Signatures
from ifcbase.ifc.versions import installed

#: Raised whenever the same file may be signed otherwise than before: part of the key.
SIGNING_VERSION = 1
_DIGEST = 32
_KEY = 64
#: Every column has eight bytes per value.
_ROW = 8 * sum(width for _, width in MEASURES.values())


def signing_key(file_sha256: str, mesher: str) -> str:
    """The key of a file's signatures: its bytes, who read it and who made the shapes."""
    words = f"{file_sha256}\n{installed('ifcopenshell')}\n{mesher}\n{SIGNING_VERSION}"
    return hashlib.sha256(words.encode()).hexdigest()


def write_signed(signatures: Signatures, key: str, path: Path) -> None:
    """Write signatures, whole or not at all."""
    columns = (
        np.ascontiguousarray(getattr(signatures, name), dtype=np.dtype(kind).newbyteorder("<"))
        for name, (kind, _) in MEASURES.items()
    )
    body = key.encode() + b"".join(column.tobytes() for column in columns)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(hashlib.sha256(body).digest() + body)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_signed(path: Path, key: str, inventory: Inventory | None) -> Signatures | None:
    """Read what ``write_signed`` wrote of this inventory; without one, only check the bytes.

    Raises ReportInvalid for anything amiss, OSError if absent.
    """
    raw = path.read_bytes()
    body = raw[_DIGEST:]
    _check(hashlib.sha256(body).digest() == raw[:_DIGEST], "checksum")
    _check(body[:_KEY] == key.encode(), "key")
    rows, rest = divmod(len(body) - _KEY, _ROW)
    _check(rest == 0, "length")
    if inventory is None:
        return None
    _check(rows == len(inventory), "length")
    columns: dict[str, npt.NDArray[Any]] = {}
    at = _KEY
    for name, (kind, width) in MEASURES.items():
        dtype = np.dtype(kind).newbyteorder("<")
        column: npt.NDArray[Any] = np.frombuffer(body, dtype, rows * width, at).astype(kind)
        columns[name] = column.reshape(rows, width) if width > 1 else column
        at += 8 * rows * width
    return Signatures.of(inventory, columns)


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ReportInvalid(f"signatures as kept do not hold together: {what}")
