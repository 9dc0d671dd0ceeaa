"""Taking a file in piece by piece: written to disk, counted and hashed as it comes."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ifcbase.errors import FileTooLarge, SystemRefused
from ifcbase.files import sniff, zipped
from ifcbase.files.local import LocalFiles
from ifcbase.files.naming import upload_name
from ifcbase.files.store import FileStore, StoredFile

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Received:
    """A file that arrived whole and is what it was said to be; ``size`` in bytes.

    ``name`` is the name to keep it under, ``original`` the one it came with; they differ where an
    ifcZIP was unpacked or the name was cleaned."""

    path: Path
    kind: str
    name: str
    original: str
    sha256: str
    size: int


class Receiver:
    """One file on its way in, in a folder of its own; what was not kept goes when it is closed.

    Memory does not grow with the file. Calls block on the disk: run them in a thread."""

    def __init__(self, folder: Path, *, kind: str, name: str, limit: int) -> None:
        """``limit``: the most bytes taken. Raises UploadNameInvalid, RequestInvalid."""
        self.kind = sniff.kind_named(kind)
        self.name = upload_name(name)
        self.limit = limit
        self.size = 0
        self._original = name
        self._digest = hashlib.sha256()
        self._head = b""
        self._judged = False
        with refusals():
            folder.mkdir(parents=True, exist_ok=True)
            self._folder = tempfile.TemporaryDirectory(dir=folder, prefix="incoming-")
            self._path = Path(self._folder.name) / "data"
            self._file = self._path.open("wb")

    def __enter__(self) -> Receiver:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, chunk: bytes) -> None:
        """Take the next bytes. Raises FileTooLarge, and what the first bytes are refused for."""
        self.size += len(chunk)
        if self.size > self.limit:
            raise FileTooLarge(f"{self.name} is larger than {self.limit >> 20} MiB")
        if not self._judged:
            self._head += chunk[: sniff.HEAD]
            if len(self._head) >= sniff.HEAD:
                sniff.check_head(self.kind, self.name, self._head)
                self._judged = True
        self._digest.update(chunk)
        with refusals():
            self._file.write(chunk)

    def finish_as(self, kind: str, name: str) -> Received:
        """The same for a file whose kind and name came with it."""
        self.kind, self.name = sniff.kind_named(kind), upload_name(name)
        self._original = name
        return self.finish()

    def finish(self) -> Received:
        """All bytes are there: judge them. Raises the errors of ``sniff.check_whole``."""
        with refusals():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return judged(
            self._path,
            kind=self.kind,
            name=self.name,
            original=self._original,
            limit=self.limit,
            known=StoredFile(self._digest.hexdigest(), self.size),
        )

    def close(self) -> None:
        """Throw away what was not moved elsewhere."""
        self._file.close()
        self._folder.cleanup()


def judged(
    path: Path, *, kind: str, name: str, original: str, limit: int, known: StoredFile | None = None
) -> Received:
    """A file that has arrived, judged; an ifcZIP is unpacked beside it. ``known``: its hash and
    size, if they were counted already. Raises the errors of ``sniff.check_whole``."""
    if kind == "ifc" and path.stat().st_size and sniff.is_zip(path):
        inner = path.with_name("unpacked")
        zipped.unpack_model(path, name, inner, limit)
        stem = Path(name).stem
        name = stem if stem.lower().endswith(".ifc") else f"{stem}.ifc"
        path, known = inner, None
    sniff.check_whole(kind, name, path)
    stored = known or _counted(path)
    return Received(path, kind, name, original, stored.sha256, stored.size)


def keep(files: FileStore, project: str, received: Received) -> StoredFile:
    """Put a received file into the files backend, without copying where both lie on one disk."""
    stored = StoredFile(received.sha256, received.size)
    if isinstance(files, LocalFiles):
        files.adopt(project, received.path, stored)
        return stored
    return files.put(project, received.path)


def _counted(path: Path) -> StoredFile:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return StoredFile(digest.hexdigest(), size)


class refusals:  # noqa: N801 - used as a word: `with refusals():`
    """Turns what the disk refuses into SystemRefused."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            raise SystemRefused(
                "the file could not be kept: " + (error.strerror or "the disk refused"),
                hint="The operator has to look at the disk that IFCBASE_HOME is on.",
                detail=str(error),
            ) from error
