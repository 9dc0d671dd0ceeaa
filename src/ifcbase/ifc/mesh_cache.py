"""Meshes kept by content: what a file gave once need not be made again.

The sandboxed child reads entries and stages new ones in its own folder; only the parent, which
checks them first, moves them in. Cold runs read their meshes from the staged file, so that a warm
run sees the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.meshing.entry import FORMAT, read_entry, write_entry
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshing.mesher import Wanted
from ifcbase.ifc.reading import ReadModel, read_reading, write_reading
from ifcbase.ifc.signatures import Signatures
from ifcbase.ifc.signed import read_signed, write_signed

T = TypeVar("T")

#: Folder in the job's own where new cache entries wait for the parent to admit them.
STAGE = "meshes"
SUFFIX = ".mesh"
#: Models as read lie beside the meshes and live and go like them.
READING = ".reading"
#: And so do signatures.
SIGNED = ".signed"
#: Temporary files older than this were left by somebody who died (seconds).
ABANDONED_S = 3600.0


def entry_key(file_sha256: str, wanted: Wanted, engine: dict[str, Any]) -> str:
    """The key of a file's meshes: its bytes, the elements, and all that decides the result."""
    document = {
        "file": file_sha256,
        "elements": hashlib.sha256(wanted.step_ids.astype("<i8").tobytes()).hexdigest(),
        "engine": engine,
        "format": FORMAT,
    }
    words = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(words.encode()).hexdigest()


def stage(folder: Path, key: str, meshes: FileMeshes) -> Path:
    """Write an entry into a folder of the caller's own, for the parent to admit."""
    path = folder / (key + SUFFIX)
    write_entry(meshes, key, path)
    return path


def stage_reading(folder: Path, key: str, model: ReadModel) -> Path:
    """Write a model as read into a folder of the caller's own, for the parent to admit."""
    path = folder / (key + READING)
    write_reading(model, key, path)
    return path


def stage_signed(folder: Path, key: str, signatures: Signatures) -> Path:
    """Write signatures into a folder of the caller's own, for the parent to admit."""
    path = folder / (key + SIGNED)
    write_signed(signatures, key, path)
    return path


class MeshCache:
    """A folder of entries, at most ``limit`` bytes; safe for several processes at once.

    ``others`` are kinds of entries that other rooms keep here, by suffix: each reads an entry and
    raises ReportInvalid if it does not hold together.
    """

    def __init__(
        self, folder: Path, limit: int, others: Mapping[str, Callable[[Path, str], object]] = {}
    ) -> None:
        self.folder = folder
        self.limit = limit
        self._readers: dict[str, Callable[[Path, str], object]] = {
            SUFFIX: lambda path, key: read_entry(path, key, distrust=True),
            READING: read_reading,
            SIGNED: lambda path, key: read_signed(path, key, None),
            **others,
        }

    def path(self, key: str, suffix: str = SUFFIX) -> Path:
        return self.folder / key[:2] / (key + suffix)

    def get(self, key: str) -> FileMeshes | None:
        """The meshes of a key, mapped read-only; None if there are none that hold together.

        A damaged entry is removed, so that it is made again.
        """
        return self._get(self.path(key), key, read_entry)

    def get_reading(self, key: str) -> ReadModel | None:
        """The model as read of a key; None as in ``get``."""
        return self._get(self.path(key, READING), key, read_reading)

    def get_signed(self, key: str, inventory: Inventory) -> Signatures | None:
        """The signatures of a key, of the elements of an inventory; None as in ``get``."""
        path = self.path(key, SIGNED)
        return self._get(path, key, lambda path, key: read_signed(path, key, inventory))

    def get_other(self, key: str, suffix: str, read: Callable[[Path, str], T]) -> T | None:
        """An entry of another kind; None as in ``get``."""
        return self._get(self.path(key, suffix), key, read)

    @staticmethod
    def _get(path: Path, key: str, read: Callable[[Path, str], T]) -> T | None:
        try:
            found = read(path, key)
        except FileNotFoundError:  # nothing is kept: the caller makes it
            return None
        except (OSError, ReportInvalid):
            # Whoever may not write here (the sandboxed child) leaves the removal to others.
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):  # as above: a missing touch only ages the entry
            os.utime(path)
        return found

    def admit(self, staged: Path) -> None:
        """Check what a child staged and move it in.

        Raises ReportInvalid if the entry does not hold together; then nothing is kept.
        """
        self.clean(keep={self._admit(staged)})

    def _admit(self, staged: Path) -> Path:
        key, suffix = staged.stem, staged.suffix
        target = self.path(key, suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Our own copy is checked, not the child's file, which something of its may still change.
        copy = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        try:
            shutil.copyfile(staged, copy)
            self._readers[suffix](copy, key)
            copy.replace(target)
        finally:
            copy.unlink(missing_ok=True)
        return target

    def admit_all(self, folder: Path) -> list[Path]:
        """Admit every staged entry of a folder; gives those that were refused."""
        admitted, refused = set(), []
        for staged in sorted(p for p in folder.glob("*") if p.suffix in self._readers):
            try:
                admitted.add(self._admit(staged))
            except ReportInvalid:
                refused.append(staged)
        if admitted:
            self.clean(keep=admitted)
        return refused

    def clean(self, keep: Collection[Path] = ()) -> int:
        """Remove the entries used longest ago until the rest fits; gives how many went.

        Those to keep go only when nothing else is left to go.
        """
        entries = sorted(self._entries(), key=lambda entry: (entry[2] in keep, *entry[1:]))
        total = sum(size for size, _, _ in entries)
        removed = 0
        for size, _, path in entries:
            if total <= self.limit:
                break
            if path in keep and removed >= len(entries) - 1:
                break  # the last one may be larger than all that is allowed
            path.unlink(missing_ok=True)
            total -= size
            removed += 1
        return removed

    def _entries(self) -> Iterator[tuple[int, float, Path]]:
        now = time.time()
        for path in self.folder.glob("??/*"):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue  # another process cleans too
            if path.suffix in self._readers:
                yield state.st_size, state.st_mtime, path
            elif now - state.st_mtime > ABANDONED_S:
                path.unlink(missing_ok=True)
