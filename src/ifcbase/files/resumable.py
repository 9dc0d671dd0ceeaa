"""Uploads that can be interrupted: parts on disk, each with a note of what it will be.

A folder per upload, named by a random id: ``data`` grows, ``note.json`` says what it is, ``lock`` is
held by who writes. Nothing is kept in memory, so that any process on the folder can go on.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ifcbase.errors import (
    ChecksumMismatch,
    Conflict,
    FileTooLarge,
    NotFound,
    RequestInvalid,
    UploadBusy,
)
from ifcbase.files import sniff
from ifcbase.files.naming import upload_name
from ifcbase.files.receive import Received, judged, refusals

_ID = re.compile(r"[0-9a-f]{32}")
CHECKSUMS = ("sha1", "sha256", "md5")
#: Unfinished uploads a project may have at a time.
MOST_PENDING = 64


@dataclass(frozen=True, slots=True)
class Pending:
    """An upload that was begun. ``length`` and ``offset`` in bytes; times in Unix seconds.

    ``result`` is what the door made of the file once it was whole, ``model`` the stream it shall
    become the next version of, if any."""

    id: str
    project: str
    kind: str
    name: str
    original: str
    length: int
    expires: float
    model: str | None = None
    metadata: str = ""
    offset: int = 0
    result: dict[str, Any] | None = None


class Uploads:
    """The pending uploads in a folder. Calls block on the disk: run them in a thread."""

    def __init__(self, folder: Path, *, limit: int, keep_s: float) -> None:
        """``limit``: most bytes of an upload; ``keep_s``: how long one may lie untouched."""
        self.folder = folder
        self.limit = limit
        self.keep_s = keep_s

    def create(
        self,
        *,
        project: str,
        kind: str,
        name: str,
        length: int,
        model: str | None = None,
        metadata: str = "",
    ) -> Pending:
        """Begin an upload. Raises RequestInvalid, UploadNameInvalid, FileTooLarge, Conflict."""
        if length > self.limit:
            raise FileTooLarge(f"{name[:80]} is larger than {self.limit >> 20} MiB")
        if length < 1:
            raise RequestInvalid("an upload has at least one byte")
        pending = Pending(
            id=secrets.token_hex(16),
            project=project,
            kind=sniff.kind_named(kind),
            name=upload_name(name),
            original=name,
            length=length,
            expires=time.time() + self.keep_s,
            model=model,
            metadata=metadata,
        )
        self.sweep()
        if sum(each.project == project and each.result is None for each in self) >= MOST_PENDING:
            raise Conflict(
                f"the project has {MOST_PENDING} unfinished uploads",
                hint="Finish or delete some; they are forgotten by themselves after a while.",
            )
        with refusals():
            home = self.folder / pending.id
            home.mkdir(parents=True)
            (home / "data").touch()
            (home / "lock").touch()
            self._note(pending)
        return pending

    def __iter__(self) -> Iterator[Pending]:
        for home in sorted(self.folder.glob("*")) if self.folder.is_dir() else []:
            if found := self._read(home.name):
                yield found

    def find(self, upload_id: str, *, project: str) -> Pending:
        """An upload of this project: its id is 128 random bits, which nobody is told but who began
        it. Raises NotFound, also for those of other projects."""
        found = self._read(upload_id) if _ID.fullmatch(upload_id) else None
        if found is None or found.project != project:
            raise NotFound("there is no such upload", hint="It may have expired: begin it again.")
        return found

    @contextmanager
    def held(self, pending: Pending) -> Iterator[Pending]:
        """Keep others from an upload, as it is now. Raises UploadBusy, NotFound."""
        try:
            handle = os.open(self.folder / pending.id / "lock", os.O_RDWR)
        except FileNotFoundError:
            raise NotFound("there is no such upload") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UploadBusy from None
            # What was known before the lock was had may be out of date.
            now = self._read(pending.id)
            if now is None:
                raise NotFound("there is no such upload")
            yield now
        finally:
            os.close(handle)

    @contextmanager
    def writing(self, pending: Pending) -> Iterator[Part]:
        """Hold an upload while a part is written. Raises UploadBusy, NotFound."""
        with self.held(pending) as now:
            with Part(self.folder / now.id / "data", now) as part:
                yield part
                part.end()
            if now.result is None:
                self._note(replace(now, expires=time.time() + self.keep_s))

    def judge(self, pending: Pending) -> Received:
        """The whole file, judged. Raises the errors of ``sniff.check_whole``, for good: an upload
        that is refused is forgotten."""
        path = self.folder / pending.id / "data"
        try:
            return judged(
                path,
                kind=pending.kind,
                name=pending.name,
                original=pending.original,
                limit=self.limit,
            )
        except Exception:
            self.remove(pending)
            raise

    def done(self, pending: Pending, result: dict[str, Any]) -> None:
        """Note what became of an upload, for who asks; its bytes go."""
        with refusals():
            self._note(replace(pending, result=result, expires=time.time() + self.keep_s))
            for name in ("data", "unpacked"):
                (self.folder / pending.id / name).unlink(missing_ok=True)

    def remove(self, pending: Pending) -> None:
        """Forget an upload and its bytes."""
        with refusals():
            shutil.rmtree(self.folder / pending.id, ignore_errors=True)

    def sweep(self) -> int:
        """Forget uploads nobody went on with; how many."""
        gone = [each for each in self if each.expires < time.time()]
        for each in gone:
            self.remove(each)
        # What a crash left between the file's moving on and the note of it.
        for home in self.folder.glob("*") if self.folder.is_dir() else []:
            if self._read(home.name) is None and _age(home) > self.keep_s:
                shutil.rmtree(home, ignore_errors=True)
        return len(gone)

    def _note(self, pending: Pending) -> None:
        note = self.folder / pending.id / "note.json"
        fresh = note.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(pending)), encoding="utf-8")
        fresh.replace(note)

    def _read(self, upload_id: str) -> Pending | None:
        home = self.folder / upload_id
        try:
            found = Pending(**json.loads((home / "note.json").read_text(encoding="utf-8")))
            size = found.length if found.result is not None else (home / "data").stat().st_size
        except (FileNotFoundError, NotADirectoryError):  # forgotten or never begun: no upload
            return None
        return replace(found, offset=size)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # somebody else swept it up: it is no older than anything
        return 0.0


class Part:
    """Bytes appended to an upload. With a checksum they are taken back unless it is met."""

    def __init__(self, path: Path, pending: Pending) -> None:
        self.pending = pending
        self.offset = pending.offset
        self._began = pending.offset
        self._path = path
        self._wanted: bytes | None = None
        self._digest: Any = None

    def __enter__(self) -> Part:
        self._file = self._path.open("ab") if self.pending.result is None else None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            if self._wanted is not None:
                # Not asked whether it is right: an interrupted part cannot be.
                os.truncate(self._path, self._began)

    def at(self, offset: int) -> None:
        """Go on from here. Raises Conflict if the upload is elsewhere."""
        if offset != self.offset:
            raise Conflict(
                f"the upload is at byte {self.offset}, not {offset}",
                hint="Ask for the offset (HEAD) and go on from there.",
            )

    def expect(self, checksum: str) -> None:
        """The checksum of this part, as "algorithm base64". Raises RequestInvalid."""
        algorithm, _, text = checksum.partition(" ")
        try:
            wanted = base64.b64decode(text, validate=True)
        except ValueError as error:
            raise RequestInvalid("Upload-Checksum is not Base64") from error
        if algorithm not in CHECKSUMS:
            raise RequestInvalid(
                f"there is no checksum {algorithm[:20]!r}", hint=f"Known: {', '.join(CHECKSUMS)}."
            )
        self._digest = hashlib.new(algorithm, usedforsecurity=False)
        self._wanted = wanted

    def write(self, chunk: bytes) -> None:
        """Append bytes. Raises FileTooLarge beyond the announced length."""
        if self.offset + len(chunk) > self.pending.length or self._file is None:
            raise FileTooLarge(
                "more bytes arrived than the upload announced",
                hint="Upload-Length must be the size of the whole file.",
            )
        with refusals():
            self._file.write(chunk)
        if self._digest is not None:
            self._digest.update(chunk)
        self.offset += len(chunk)

    def end(self) -> None:
        """All bytes of this part are there. Raises ChecksumMismatch, and takes them back."""
        if self._file is None:
            return
        with refusals():
            self._file.flush()
            os.fsync(self._file.fileno())
        if self._wanted is not None:
            if self._digest.digest() != self._wanted:
                raise ChecksumMismatch
            self._wanted = None
