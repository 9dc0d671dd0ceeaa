"""Whole answers kept by content: the same request, the same bytes and the same program.

An entry holds the files that a run leaves, as they were. Whoever takes them out reads and checks
them as if a child had just written them.

    SHA-256 of the rest (32) | key (64) | length of the header (8, little endian) | header | files
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ifcbase.clash import handover, kept
from ifcbase.clash.request import ClashRequest
from ifcbase.errors import ReportInvalid
from ifcbase.ifc.mesh_cache import MeshCache
from ifcbase.ifc.versions import installed

SUFFIX = ".answer"
FORMAT = 1
OUTPUT = "output.json"
#: What an answer consists of, in the order of the entry.
FILES = (handover.WORDS, handover.ARRAYS, OUTPUT)
#: Larger ones (bytes) are computed again from kept contacts: they would push out too many meshes.
LARGEST = 64 << 20
_START = 32 + 64 + 8

#: Packages whose versions may change an answer.
_PACKAGES = ("ifcopenshell", "ifcfast", "manifold3d", "numba", "numpy", "scikit-learn")


def kept_in(folder: Path, limit: int) -> MeshCache:
    """The folder of kept meshes, contacts and answers, at most ``limit`` bytes."""
    return MeshCache(folder, limit, {kept.SUFFIX: kept.read_block, SUFFIX: read_answer})


def answer_key(request: ClashRequest, hashes: Mapping[str, str], options: Mapping[str, Any]) -> str:
    """The key of an answer: all that decides a byte of it; ``hashes`` are SHA-256 by file name."""
    document = {
        "request": request.model_dump(mode="json", exclude={"output_filename"}),
        "files": dict(hashes),
        "options": dict(options),
        "program": _program(),
        "versions": {name: installed(name) for name in _PACKAGES},
        "format": FORMAT,
    }
    words = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(words.encode()).hexdigest()


@lru_cache(maxsize=1)
def _program() -> str:
    """SHA-256 of all sources that read, mesh, test or report."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for room in ("clash", "ifc"):
        for source in sorted((package / room).rglob("*.py")):
            name = source.relative_to(package).as_posix()
            digest.update(name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def write_answer(folder: Path, key: str, path: Path) -> None:
    """Keep the files of a run so that readers see all of them or nothing; too large, none."""
    files = [(folder / name).read_bytes() for name in FILES]
    if sum(map(len, files)) > LARGEST:
        return
    header = json.dumps([len(each) for each in files]).encode()
    body = b"".join([key.encode(), len(header).to_bytes(8, "little"), header, *files])
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(hashlib.sha256(body).digest() + body)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_answer(path: Path, key: str) -> dict[str, memoryview]:
    """The files of an entry by name. Raises ReportInvalid for anything amiss, OSError if absent."""
    raw = memoryview(path.read_bytes())
    _check(len(raw) >= _START, "too short")
    _check(hashlib.sha256(raw[32:]).digest() == raw[:32], "checksum")
    _check(raw[32:96] == key.encode(), "key")
    start = _START + int.from_bytes(raw[96:_START], "little")
    _check(start <= len(raw), "header")
    try:
        sizes = json.loads(bytes(raw[_START:start]))
    except (ValueError, RecursionError) as error:
        raise ReportInvalid("an answer as kept has no readable header") from error
    _check(isinstance(sizes, list) and len(sizes) == len(FILES), "header")
    _check(all(type(size) is int and size >= 0 for size in sizes), "header")
    _check(start + sum(sizes) == len(raw), "length")
    found = {}
    for name, size in zip(FILES, sizes, strict=True):
        found[name] = raw[start : start + size]
        start += size
    return found


def take_out(cache: MeshCache, key: str, folder: Path) -> bool:
    """Put the files of a kept answer into a folder; False if there is none."""
    found = cache.get_other(key, SUFFIX, read_answer)
    if found is None:
        return False
    for name, content in found.items():
        (folder / name).write_bytes(content)
    return True


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ReportInvalid(f"an answer as kept does not hold together: {what}")
