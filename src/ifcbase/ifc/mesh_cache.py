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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.meshing.entry import FORMAT, read_entry, write_entry
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshing.mesher import Wanted

SUFFIX = ".mesh"
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


class MeshCache:
    """A folder of entries, at most ``limit`` bytes; safe for several processes at once."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit

    def path(self, key: str) -> Path:
        return self.folder / key[:2] / (key + SUFFIX)

    def get(self, key: str) -> FileMeshes | None:
        """The meshes of a key, mapped read-only; None if there are none that hold together.

        A damaged entry is removed, so that it is made again.
        """
        path = self.path(key)
        try:
            meshes = read_entry(path, key)
        except FileNotFoundError:
            return None
        except (OSError, ReportInvalid):
            # Whoever may not write here (the sandboxed child) leaves the removal to others.
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):  # as above: a missing touch only ages the entry
            os.utime(path)
        return meshes

    def admit(self, staged: Path) -> None:
        """Check what a child staged and move it in.

        Raises ReportInvalid if the entry does not hold together; then nothing is kept.
        """
        key = staged.name.removesuffix(SUFFIX)
        target = self.path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Our own copy is checked, not the child's file, which something of its may still change.
        copy = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        try:
            shutil.copyfile(staged, copy)
            with copy.open("r+b") as file:
                os.fsync(file.fileno())
            read_entry(copy, key, distrust=True)
            copy.replace(target)
        finally:
            copy.unlink(missing_ok=True)
        self.clean(keep=target)

    def admit_all(self, folder: Path) -> list[Path]:
        """Admit every staged entry of a folder; gives those that were refused."""
        refused = []
        for staged in sorted(folder.glob("*" + SUFFIX)):
            try:
                self.admit(staged)
            except ReportInvalid:
                refused.append(staged)
        return refused

    def clean(self, keep: Path | None = None) -> int:
        """Remove the entries used longest ago until the rest fits; gives how many went."""
        entries = sorted(self._entries(), key=lambda entry: entry[1:])
        total = sum(size for size, _, _ in entries)
        removed = 0
        for size, _, path in entries:
            if total <= self.limit:
                break
            if path == keep:
                continue
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
            if path.suffix == SUFFIX:
                yield state.st_size, state.st_mtime, path
            elif now - state.st_mtime > ABANDONED_S:
                path.unlink(missing_ok=True)
