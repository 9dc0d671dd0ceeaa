"""The spool: a folder in which results wait that could not be stored, over crashes and restarts.

What the disk says of an entry is told apart: a file that is missing or is another is damage; one that
cannot be read just now may be read the next time, and its entry waits.

An entry is a folder: ``entry.json`` (what is needed to store it, and the hash of every file),
``output/`` (what the child left) and ``state.json`` (what became of it so far). It is written beside
and renamed once all of it is on disk.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ifcbase.errors import Conflict, NotFound, SpoolDamaged, SpoolFull
from ifcbase.ledger.interface import Attempt, JobInput

_LOG = logging.getLogger(__name__)
_INCOMING = ".incoming-"
_FORMAT = 1
_CHUNK = 1 << 20
#: Nothing is in the making for so long, in seconds.
_MADE_WITHIN_S = 3600.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A result that waits, as its folder tells. ``refused``: it is kept for people, not tried again."""

    folder: Path
    attempt: Attempt
    facts: Mapping[str, Any]
    host: str
    written_at: float  # seconds since 1970
    size: int  # bytes
    refused: bool
    tries: int
    reason: str

    @property
    def name(self) -> str:
        """The id people name it by."""
        return self.folder.name

    @property
    def known(self) -> bool:
        """Whether it could be read whose it is."""
        return bool(self.attempt.token)

    @property
    def output(self) -> Path:
        """What the child left."""
        return self.folder / "output"

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Whether it is ours for the block: neither another worker's nor gone."""
        try:
            descriptor = os.open(self.folder, os.O_RDONLY)
        except FileNotFoundError:
            yield False
            return
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield self.folder.exists()
        finally:
            os.close(descriptor)

    def verify(self) -> None:
        """Raises SpoolDamaged if a file is not what was written, OSError if none can say."""
        document = _read(self.folder)
        for path, known in document["files"].items():
            try:
                found = _hash(self.output / path)
            except FileNotFoundError as error:
                raise SpoolDamaged(f"{self.name}: {path} is not there any more") from error
            if found != known["sha256"]:
                raise SpoolDamaged(f"{self.name}: {path} is not what was written")

    def note(self, reason: str, *, refused: bool = False) -> Entry:
        """Remember why it was not stored this time."""
        noted = replace(self, reason=reason, refused=refused, tries=self.tries + 1)
        state = {"reason": reason, "refused": refused, "tries": noted.tries}
        _write(self.folder / "state.json", state)
        return noted

    def remove(self) -> None:
        """It is stored, or nobody wants it any more."""
        gone = self.folder.with_name(f"{_INCOMING}gone-{self.folder.name}")
        self.folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


class Spool:
    """The entries of one home; several processes may use it."""

    def __init__(self, folder: Path, most_mb: int) -> None:
        self.folder = folder
        self._most_bytes = most_mb << 20

    def put(
        self,
        attempt: Attempt,
        output: Path,
        facts: Mapping[str, Any],
        *,
        host: str,
        reason: str,
        refused: bool = False,
    ) -> Entry:
        """Keep what a child left, durably; the original stays. Raises SpoolFull, OSError."""
        files: dict[str, dict[str, Any]] = {
            str(path.relative_to(output)): {"size": path.stat().st_size, "sha256": _hash(path)}
            for path in sorted(output.rglob("*"))
            if path.is_file()
        }
        size = sum(each["size"] for each in files.values())
        self._make_room(size)
        now = time.time()
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
        name = f"{stamp}-{attempt.job_id[:8]}-{secrets.token_hex(3)}"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = self.folder / f"{_INCOMING}{name}"
        made.mkdir(mode=0o700)
        try:
            for path in files:
                _keep(output / path, made / "output" / path)
            (made / "output").mkdir(exist_ok=True)
            entry = {
                "format": _FORMAT,
                "attempt": asdict(attempt),
                "facts": dict(facts),
                "host": host,
                "written_at": now,
                "files": files,
            }
            _write(made / "entry.json", {"entry": entry, "sha256": _checksum(entry)})
            _write(made / "state.json", {"reason": reason, "refused": refused, "tries": 1})
            for folder in [made, *(each for each in made.rglob("*") if each.is_dir())]:
                _sync(folder)
            kept = made.rename(self.folder / name)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        _sync(self.folder)
        return _entry(kept)

    def entries(self) -> list[Entry]:
        """All of them, oldest first, with the reason where one cannot be read: what is damaged is
        refused, what cannot be read just now waits without its job being known."""
        if not self.folder.is_dir():
            return []
        self._sweep()
        found = []
        for folder in sorted(self.folder.iterdir()):
            # Documents that scripts sent wait in a folder of their own.
            if folder.is_dir() and not folder.name.startswith(".") and folder.name != "documents":
                with suppress(FileNotFoundError):  # another worker has stored it meanwhile
                    found.append(_entry(folder))
        return found

    def named(self, beginning: str) -> Entry:
        """The entry whose name, or whose job's id, begins so. Raises NotFound, Conflict."""
        found = [
            each
            for each in self.entries()
            if beginning and beginning in (each.name[: len(beginning)], each.attempt.job_id[: len(beginning)])
        ]  # fmt: skip
        if not found:
            raise NotFound(
                f"there is no spool entry {beginning!r}",
                hint="List them with `ifcbase spool list`.",
            )
        if len(found) > 1:
            raise Conflict(
                f"several spool entries begin with {beginning!r}", hint="Give more of it."
            )
        return found[0]

    def _make_room(self, size: int) -> None:
        """Raises SpoolFull if there is none even without what was refused."""
        entries = self.entries()
        used = sum(each.size for each in entries)
        for each in entries:
            if used + size <= self._most_bytes:
                return
            if each.refused:
                try:
                    with each.locked() as ours:
                        if ours:
                            _LOG.warning("spool: %s goes, to make room: %s", each.name, each.reason)
                            each.remove()
                            used -= each.size
                except OSError as error:
                    # Others may go; whether that makes room enough is seen below.
                    _LOG.warning("spool: %s cannot go just now: %s", each.name, error)
        if used + size > self._most_bytes:
            raise SpoolFull(
                f"the spool holds {used >> 20} of {self._most_bytes >> 20} MB and has no room for "
                f"{(size >> 20) + 1} MB more"
            )

    def _sweep(self) -> None:
        """What crashes left half written or half removed."""
        for folder in self.folder.glob(f"{_INCOMING}*"):
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime > _MADE_WITHIN_S:
                    shutil.rmtree(folder)


def _entry(folder: Path) -> Entry:
    """Raises FileNotFoundError if the folder is gone."""
    try:
        document = _read(folder)
    except SpoolDamaged as error:
        return _unreadable(folder, str(error), refused=True)
    except FileNotFoundError:
        raise
    except OSError as error:
        return _unreadable(folder, f"it cannot be read just now: {error}", refused=False)
    attempt = dict(document["attempt"])
    inputs = tuple(JobInput(**given) for given in attempt.pop("inputs"))
    state: dict[str, Any] = {"reason": "", "refused": False, "tries": 0}
    with suppress(OSError, ValueError):
        state |= json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return Entry(
        folder=folder,
        attempt=Attempt(inputs=inputs, **attempt),
        facts=document["facts"],
        host=document["host"],
        written_at=document["written_at"],
        size=sum(each["size"] for each in document["files"].values()),
        refused=bool(state["refused"]),
        tries=int(state["tries"]),
        reason=str(state["reason"]),
    )


def _unreadable(folder: Path, reason: str, *, refused: bool) -> Entry:
    nothing = Attempt("", 0, 0, "unknown", 0, "", "unknown", {}, 0.0, 0, ())
    size = 0
    for path in folder.rglob("*"):
        # Gone since, or as unreadable as what was looked for: a size less is no reason to fail.
        with suppress(OSError):
            size += path.stat().st_size if path.is_file() else 0
    written = folder.stat().st_mtime
    return Entry(folder, nothing, {}, "", written, size, refused=refused, tries=0, reason=reason)


def _read(folder: Path) -> dict[str, Any]:
    """What ``put`` wrote. Raises SpoolDamaged, FileNotFoundError if the folder is gone, OSError."""
    try:
        document = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
        entry: dict[str, Any] = document["entry"]
        whole = document["sha256"] == _checksum(entry)
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        if not folder.exists():
            raise FileNotFoundError(folder) from error
        raise SpoolDamaged(f"{folder.name}: entry.json cannot be read: {error}") from error
    if not whole:
        raise SpoolDamaged(f"{folder.name}: entry.json is not what was written")
    if entry["format"] != _FORMAT:
        raise SpoolDamaged(f"{folder.name}: written by another version of ifcbase")
    return entry


def _checksum(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as reader:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _keep(source: Path, target: Path) -> None:
    """A second name for a file, where the disk can; else a copy. Its bytes are on disk after it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    with target.open("rb") as kept:
        os.fsync(kept.fileno())


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Write and rename, so that whoever reads sees all of it or what was there before."""
    made = path.with_name(f".{path.name}-{secrets.token_hex(3)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as writer:
        json.dump(document, writer)
        writer.flush()
        os.fsync(writer.fileno())
    made.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
