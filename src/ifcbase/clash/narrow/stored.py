"""Prepared solids as a file, so that a re-run cuts nothing: a checksummed header, then arrays.

    magic (8) | SHA-256 of the rest (32) | header length (8, little endian) | header | arrays

The meshes themselves are not in it: solids are read for the mesh set they were built from.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow.layout import COLUMN_TYPES, Pieces
from ifcbase.clash.narrow.solids import SOLIDS_VERSION, Solids
from ifcbase.errors import ReportInvalid
from ifcbase.ifc.meshset import MeshSet

MAGIC = b"IFCBSOL1"
ALIGN = 64
#: Columns that come from the meshes.
OF_MESHES = {"box", "vertices", "faces", "v_at", "f_at"}
#: Columns with more than one number in a row, and how many.
WIDTHS = {"pbox": 6, "pv": 3, "pp": 5, "pe": 4, "ev": 3, "ee": 2}

Arrays = dict[str, npt.NDArray[Any]]


def to_arrays(solids: Solids) -> Arrays:
    """The columns that do not come from the meshes, and which elements are approximate."""
    arrays: Arrays = {
        name: column for name, column in solids.pieces._asdict().items() if name not in OF_MESHES
    }
    arrays["approximate"] = np.array(sorted(solids.approximate), np.int64)
    arrays["hulls"] = solids.hulls
    return arrays


def from_arrays(arrays: Arrays, reasons: list[str], meshes: MeshSet) -> Solids:
    """The solids ``to_arrays`` was given, for the same meshes (``reasons`` in order of elements).

    Raises ReportInvalid if the arrays do not fit each other or the meshes: kernels check nothing.
    """
    _validate(arrays, meshes)
    columns: Arrays = arrays | {
        "box": meshes.aabb(),
        "vertices": meshes.vertices,
        "faces": meshes.faces,
        "v_at": meshes.vertex_offset,
        "f_at": meshes.face_offset,
    }
    pieces = Pieces(*(columns[name] for name in Pieces._fields))
    approximate = dict(zip(arrays["approximate"].tolist(), reasons, strict=True))
    return Solids(pieces, approximate, arrays["hulls"])


def save(solids: Solids, key: str, path: Path) -> None:
    """Write so that readers see all of it or nothing."""
    blocks: list[bytes] = []
    places: dict[str, tuple[int, int]] = {}
    at = 0
    for name, array in to_arrays(solids).items():
        raw = np.ascontiguousarray(array).tobytes()
        places[name] = at, len(array)
        blocks.append(raw + bytes(-len(raw) % ALIGN))
        at += len(blocks[-1])
    facts = {
        "version": SOLIDS_VERSION,
        "key": key,
        "arrays": places,
        "reasons": [solids.approximate[e] for e in sorted(solids.approximate)],
    }
    header = json.dumps(facts, sort_keys=True).encode()
    header += b" " * (-(48 + len(header)) % ALIGN)
    rest = b"".join([len(header).to_bytes(8, "little"), header, *blocks])
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.writelines([MAGIC, hashlib.sha256(rest).digest(), rest])
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path, key: str, meshes: MeshSet) -> Solids:
    """Map stored solids read-only. Raises OSError if absent, ReportInvalid if of another version,
    another key, other meshes, or damaged."""
    with path.open("rb") as file:
        _check(os.fstat(file.fileno()).st_size > 48, "too short")
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    view = memoryview(data)
    _check(bytes(view[:8]) == MAGIC, "magic")
    _check(hashlib.sha256(view[40:]).digest() == bytes(view[8:40]), "content")
    length = int.from_bytes(view[40:48], "little")
    facts = json.loads(bytes(view[48 : 48 + length]))
    _check(facts["version"] == SOLIDS_VERSION, "version")
    _check(facts["key"] == key, "key")
    types = {"approximate": "<i8", "hulls": "<i8"} | {
        name: f"<{dtype}" for name, (dtype, _) in zip(Pieces._fields, COLUMN_TYPES, strict=True)
    }
    arrays: Arrays = {}
    for name, (at, rows) in facts["arrays"].items():
        width = WIDTHS.get(name, 1)
        flat = np.frombuffer(data, types[name], rows * width, 48 + length + at)
        arrays[name] = flat.reshape(rows, width) if name in WIDTHS else flat
    return from_arrays(arrays, facts["reasons"], meshes)


def _validate(arrays: Arrays, meshes: MeshSet) -> None:
    n = len(meshes)
    _check(set(arrays) == set(Pieces._fields) - OF_MESHES | {"approximate", "hulls"}, "columns")
    _check(len(arrays["state"]) == n, "state")
    count = len(arrays["pbox"])
    for name, owners, rows in (
        ("piece", n, count),
        ("pv_at", count, len(arrays["pv"])),
        ("pp_at", count, len(arrays["pp"])),
        ("pe_at", count, len(arrays["pe"])),
        ("ev_at", n, len(arrays["ev"])),
        ("ee_at", n, len(arrays["ee"])),
    ):
        offset = arrays[name]
        _check(len(offset) == owners + 1 and offset[0] == 0 and offset[-1] == rows, name)
        _check(bool((np.diff(offset) >= 0).all()), name)
    for index, owner, at in (
        (arrays["pe"][:, :2], "pe_at", "pv_at"),
        (arrays["pe"][:, 2:], "pe_at", "pp_at"),
        (arrays["ee"], "ee_at", "ev_at"),
    ):
        limit = np.repeat(np.diff(arrays[at]), np.diff(arrays[owner]))
        _check(bool(((index >= 0) & (index < limit[:, None])).all()), f"{owner} into {at}")
    for name, rows in (("approximate", n), ("hulls", count)):
        _check(bool(((arrays[name] >= 0) & (arrays[name] < rows)).all()), name)


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ReportInvalid(f"stored solids do not hold together: {what}")


__all__ = ["from_arrays", "load", "save", "to_arrays"]
