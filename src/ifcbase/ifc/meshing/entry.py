"""One file's meshes as bytes: a checksummed header, then raw arrays that are mapped, not read.

    magic (8) | header length (8, little endian) | SHA-256 of the header (32) | header | arrays

The header is JSON; it names each array with its place, and the SHA-256 of everything behind it.
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

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.meshing.audit import Finding, Outcome
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshset import MeshSet

FORMAT = 1
MAGIC = b"IFCBMSH1"
ALIGN = 64
#: A reason is a sentence, not a log.
LONGEST_REASON = 1000
#: World coordinates beyond this (metres) are no building's.
FARTHEST = 1e9

#: Arrays in file order: name, dtype, shape behind the first axis.
COLUMNS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("vertices", "<f8", (3,)),
    ("faces", "<i4", (3,)),
    ("vertex_offset", "<i8", ()),
    ("face_offset", "<i8", ()),
    ("closed", "|u1", ()),
    ("step_ids", "<i8", ()),
    ("outcome", "|u1", ()),
    ("findings", "<u2", ()),
    ("mesher", "|u1", ()),
    ("origin", "<f8", ()),
)
_START = len(MAGIC) + 8 + 32


def write_entry(meshes: FileMeshes, key: str, path: Path) -> None:
    """Write an entry so that readers see all of it or nothing.

    After a power cut there may be half of it: its checksum tells, and it is made again.
    """
    blocks: list[bytes] = []
    places: list[list[Any]] = []
    at = 0
    for name, dtype, _ in COLUMNS:
        array = np.ascontiguousarray(_column(meshes, name), dtype=dtype)
        places.append([name, at, len(array)])
        raw = array.tobytes()
        blocks.append(raw + bytes(-len(raw) % ALIGN))
        at += len(blocks[-1])
    body = hashlib.sha256()
    for block in blocks:
        body.update(block)
    header = json.dumps(
        {
            "key": key,
            "arrays": places,
            "bytes": at,
            "sha256": body.hexdigest(),
            "engine": meshes.engine,
            "reasons": {str(row): text for row, text in meshes.reasons.items()},
        },
        sort_keys=True,
        separators=(",", ":"),
    ).encode()
    header += b" " * (-(_START + len(header)) % ALIGN)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(MAGIC)
            file.write(len(header).to_bytes(8, "little"))
            file.write(hashlib.sha256(header).digest())
            file.write(header)
            file.writelines(blocks)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_entry(path: Path, key: str, *, distrust: bool = False) -> FileMeshes:
    """Map an entry read-only. Raises ReportInvalid if a byte is not as written, OSError if absent.

    With ``distrust`` the arrays are also checked against each other, as for a file that
    somebody else wrote with right checksums.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        _check(size > _START, "too short")
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    view = memoryview(data)
    _check(bytes(view[: len(MAGIC)]) == MAGIC, "magic")
    length = int.from_bytes(view[len(MAGIC) : len(MAGIC) + 8], "little")
    _check(0 < length <= size - _START, "header length")
    header = view[_START : _START + length]
    _check(hashlib.sha256(header).digest() == bytes(view[_START - 32 : _START]), "header")
    try:
        facts = json.loads(bytes(header))
    except (ValueError, RecursionError) as error:
        raise ReportInvalid("a mesh cache entry has no readable header") from error
    start = _START + length
    _check(isinstance(facts, dict) and facts.get("key") == key, "key")
    _check(facts.get("bytes") == size - start, "length")
    _check(hashlib.sha256(view[start:]).hexdigest() == facts.get("sha256"), "content")
    arrays = _arrays(data, facts, start)
    reasons, engine = _reasons(facts), facts.get("engine")
    _check(isinstance(engine, dict), "engine")
    result = FileMeshes(
        meshes=MeshSet(
            arrays["vertices"],
            arrays["faces"],
            arrays["vertex_offset"],
            arrays["face_offset"],
            arrays["closed"].view(np.bool_),
        ),
        origin=arrays["origin"],
        step_ids=arrays["step_ids"],
        outcome=arrays["outcome"],
        findings=arrays["findings"],
        mesher=arrays["mesher"],
        reasons=reasons,
        engine=engine,
    )
    if distrust:
        validate(result, arrays["closed"])
    return result


def validate(found: FileMeshes, closed: npt.NDArray[np.uint8]) -> None:
    """Everything that users of the arrays rely on. Raises ReportInvalid naming what is wrong."""
    meshes, n = found.meshes, len(found.step_ids)
    for name, rows in (("vertex_offset", meshes.vertices), ("face_offset", meshes.faces)):
        offset = getattr(meshes, name)
        _check(len(offset) == n + 1 and offset[0] == 0 and offset[-1] == len(rows), name)
        _check(bool((np.diff(offset) >= 0).all()), name)
    for name in ("closed", "outcome", "findings", "mesher"):
        column = meshes.closed if name == "closed" else getattr(found, name)
        _check(len(column) == n, name)
    _check(bool((closed <= 1).all()), "closed")
    limit = np.repeat(np.diff(meshes.vertex_offset), np.diff(meshes.face_offset))
    inside = (meshes.faces >= 0) & (meshes.faces < limit[:, None])
    _check(bool(inside.all()), "faces")
    _check(bool((np.abs(meshes.vertices) <= FARTHEST).all()), "vertices")  # false for NaN too
    _check(len(found.origin) == 3 and bool((np.abs(found.origin) <= FARTHEST).all()), "origin")
    _check(bool((found.origin == np.rint(found.origin)).all()), "origin")
    steps = found.step_ids
    _check(bool((steps > 0).all()) and len(np.unique(steps)) == n, "step_ids")
    _check(bool(np.isin(found.outcome, list(Outcome)).all()), "outcome")
    _check(bool((found.findings < 2 * max(Finding)).all()), "findings")
    names = found.engine.get("meshers")
    _check(isinstance(names, list) and all(isinstance(m, str) for m in names), "meshers")
    known = (found.mesher < len(found.engine["meshers"])) | (found.mesher == 255)
    _check(bool(known.all()), "mesher")
    filled = np.diff(meshes.face_offset) > 0
    _check(bool((filled == found.usable).all()), "meshes and outcomes")
    _check(bool((meshes.closed == (found.outcome == Outcome.SOLID)).all()), "closed and outcomes")
    _check(all(0 <= row < n for row in found.reasons), "reasons")


def _column(meshes: FileMeshes, name: str) -> npt.NDArray[Any]:
    owner = meshes.meshes if hasattr(meshes.meshes, name) else meshes
    column: npt.NDArray[Any] = getattr(owner, name)
    return column


def _arrays(data: mmap.mmap, facts: dict[str, Any], start: int) -> dict[str, npt.NDArray[Any]]:
    places = facts.get("arrays")
    _check(isinstance(places, list) and len(places) == len(COLUMNS), "arrays")
    arrays: dict[str, npt.NDArray[Any]] = {}
    for (name, dtype, tail), place in zip(COLUMNS, facts["arrays"], strict=True):
        _check(isinstance(place, list) and len(place) == 3 and place[0] == name, "arrays")
        _check(all(type(x) is int and x >= 0 for x in place[1:]), "arrays")
        at, rows = place[1], place[2]
        count = rows * int(np.prod(tail, dtype=np.int64))
        _check(at % ALIGN == 0 and at + count * np.dtype(dtype).itemsize <= facts["bytes"], name)
        flat = np.frombuffer(data, dtype, count, start + at) if count else np.zeros(0, dtype)
        arrays[name] = flat.reshape(rows, *tail)
    return arrays


def _reasons(facts: dict[str, Any]) -> dict[int, str]:
    reasons = facts.get("reasons")
    _check(isinstance(reasons, dict), "reasons")
    found = {}
    for row, text in facts["reasons"].items():
        _check(row.isdecimal() and len(row) < 12 and isinstance(text, str), "reasons")
        found[int(row)] = text[:LONGEST_REASON]
    return found


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ReportInvalid(f"a mesh cache entry does not hold together: {what}")
