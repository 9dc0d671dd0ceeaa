"""A folder of backups: finished sets, the bytes they share, one writer at a time.

``<folder>/<name>/`` is a finished set, ``.part-…`` one being made; ``objects/`` holds the files of all
sets by their hash, once. A set is there whole or not at all: it is made under another name and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ifcbase.errors import BackupDamaged, BackupMissing, ConfigError, Conflict, StackError
from ifcbase.stack.backup.crypt import Key
from ifcbase.stack.backup.tools import pieces
from ifcbase.stack.locking import file_lock

_NAME = re.compile(r"ifcbase-(\d{8}T\d{6}Z)(?:-\d+)?")
_OBJECT = re.compile(r"[0-9a-f]{64}")
_MANIFEST = "manifest.json"
_SEAL = "manifest.seal"
_FORMAT = 1


@dataclass(frozen=True)
class Stored:
    """A file of a set: its size (bytes) and SHA-256 as it lies there."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Bytes:
    """A file of the files folder, by its path below it: the SHA-256 and size (bytes) of its content
    and the SHA-256 of the object that holds it."""

    sha256: str
    size: int
    object: str


@dataclass(frozen=True)
class Manifest:
    """What a set holds. ``facts`` are those of the database as it was dumped."""

    made_at: str
    program: str
    major: int
    head: str | None
    database: str
    owner: str
    scope: str
    schemas: list[str]
    encrypted: bool
    secrets: bool
    facts: dict[str, str]
    managed: dict[str, str] = field(default_factory=dict)
    roles: list[list[Any]] = field(default_factory=list)
    parts: dict[str, Stored] = field(default_factory=dict)
    files: dict[str, Bytes] = field(default_factory=dict)
    #: The buckets a file belongs to where files lie in an object store.
    buckets: dict[str, list[str]] = field(default_factory=dict)
    #: Files that the ledger knew and nobody had, as project/sha256.
    missing: list[str] = field(default_factory=list)
    format: int = _FORMAT

    @property
    def moment(self) -> datetime:
        """When the database was looked at."""
        return datetime.fromisoformat(self.made_at)


class Folder:
    """A folder of backups, with the passphrase if there is one."""

    def __init__(self, path: Path, passphrase: str | None = None) -> None:
        self.path = path
        self._passphrase = passphrase
        self._key: Key | None = None

    # --- looking -----------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Finished sets, the oldest first."""
        if not self.path.is_dir():
            return []
        return sorted(each.name for each in self.path.iterdir() if _NAME.fullmatch(each.name))

    def newest(self) -> str:
        """The name of the last set. Raises BackupMissing."""
        if not (names := self.names()):
            raise BackupMissing(f"there is no backup in {self.path}")
        return names[-1]

    def read(self, name: str) -> Manifest:
        """The manifest of a set, seal checked. Raises BackupMissing, BackupDamaged."""
        folder = self.path / name
        if not _NAME.fullmatch(name) or not folder.is_dir():
            raise BackupMissing(f"there is no backup {name} in {self.path}")
        try:
            text = (folder / _MANIFEST).read_bytes()
            seal = json.loads((folder / _SEAL).read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise BackupDamaged(f"the manifest of {name} cannot be read: {error}") from error
        if seal.get("sha256") != hashlib.sha256(text).hexdigest():
            raise BackupDamaged(f"the manifest of {name} is not what was written")
        document = json.loads(text)
        if document.get("format") != _FORMAT:
            raise BackupDamaged(
                f"{name} has the format {document.get('format')}; this program knows {_FORMAT}",
                hint="Use the ifcbase release that made it, or a later one.",
            )
        if document["encrypted"] and seal.get("seal") != self.key().seal(text):
            raise BackupDamaged(
                f"the manifest of {name} does not belong to this passphrase, or was changed"
            )
        document["parts"] = {k: Stored(**v) for k, v in document["parts"].items()}
        document["files"] = {k: Bytes(**v) for k, v in document["files"].items()}
        return Manifest(**document)

    def note(self, name: str, what: str) -> dict[str, Any] | None:
        """What was noted beside a set, for instance when it was verified."""
        path = self.path / name / f"{what}.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return found

    def open(self, path: Path, stored: Stored, *, encrypted: bool) -> Iterator[bytes]:
        """The plain content of a file, its checksum compared at the end. Raises BackupDamaged; what
        was given before that must not be kept."""
        digest = hashlib.sha256()
        try:
            with path.open("rb") as stream:
                if encrypted:
                    yield from self.key().decrypted(stream, path.name)
                    stream.seek(0)
                    digest = hashlib.file_digest(stream, "sha256")
                else:
                    for piece in pieces(stream):
                        digest.update(piece)
                        yield piece
        except FileNotFoundError as error:
            raise BackupDamaged(f"{path.name} is missing in the backup") from error
        if digest.hexdigest() != stored.sha256:
            raise BackupDamaged(f"{path.name} is not what was written")

    def object(self, digest: str) -> Path:
        """Where an object lies."""
        return self.path / "objects" / digest[:2] / digest

    # --- writing -----------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer; what an interrupted one left is removed first. Raises Conflict."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with file_lock(self.path / "lock", timeout_s=0):
                for left in [*self.path.glob(".part-*"), *self.path.glob(".gone-*")]:
                    shutil.rmtree(left)
                for left in self.path.glob("objects/.part-*"):
                    left.unlink()
                yield
        except StackError as error:
            if "another process" not in error.message:
                raise
            raise Conflict(
                f"another backup is being written to {self.path}",
                hint="Wait for it to end; one that was killed no longer holds the folder.",
            ) from error

    @contextmanager
    def new_set(self) -> Iterator[Path]:
        """A folder for a set being made, gone after the block if it was not ``finished``."""
        part = self.path / f".part-{secrets.token_hex(6)}"
        part.mkdir(mode=0o700)
        try:
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def store(self, folder: Path, name: str, content: Iterable[bytes], key: Key | None) -> Stored:
        """Write one file of a set, encrypted with the key if there is one, durably."""
        return _written(folder / name, key.encrypted(content) if key else content)

    def keep(self, source: Path, known: Bytes | None, key: Key | None) -> Bytes:
        """Put a file's content among the objects, unless it is there as ``known`` says."""
        if known is not None and self.object(known.object).is_file():
            return known
        digest = hashlib.sha256()
        size = 0

        def counted() -> Iterator[bytes]:
            nonlocal size
            with source.open("rb") as stream:
                for piece in pieces(stream):
                    digest.update(piece)
                    size += len(piece)
                    yield piece

        (self.path / "objects").mkdir(exist_ok=True)
        held = self.path / "objects" / f".part-{secrets.token_hex(6)}"
        try:
            stored = _written(held, key.encrypted(counted()) if key else counted())
            target = self.object(stored.sha256)
            target.parent.mkdir(exist_ok=True)
            held.replace(target)
        finally:
            held.unlink(missing_ok=True)
        sync(target.parent)
        return Bytes(digest.hexdigest(), size, stored.sha256)

    def finish(self, part: Path, manifest: Manifest) -> str:
        """Write the manifest, make everything durable, give the set its name."""
        text = json.dumps(asdict(manifest), indent=1, sort_keys=True).encode()
        seal = {"sha256": hashlib.sha256(text).hexdigest()}
        if manifest.encrypted:
            seal["seal"] = self.key().seal(text)
        _written(part / _MANIFEST, [text])
        _written(part / _SEAL, [json.dumps(seal).encode()])
        sync(part)
        stem = f"ifcbase-{manifest.moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        name, number = stem, 1
        while (self.path / name).exists():
            number += 1
            name = f"{stem}-{number}"
        part.rename(self.path / name)
        sync(self.path)
        return name

    def write_note(self, name: str, what: str, content: dict[str, Any]) -> None:
        """Note something beside a set, in one step."""
        held = self.path / name / f".{what}-{secrets.token_hex(4)}"
        _written(held, [json.dumps(content, indent=1).encode()])
        held.replace(self.path / name / f"{what}.json")
        sync(self.path / name)

    def remove(self, names: Iterable[str]) -> int:
        """Remove sets, then the objects that no set needs any more; gives how many of those."""
        for name in names:
            gone = self.path / f".gone-{secrets.token_hex(6)}"
            (self.path / name).rename(gone)
            sync(self.path)
            shutil.rmtree(gone)
        needed: set[str] = set()
        for name in self.names():
            files = self.read_plainly(name)["files"]
            needed |= {each["object"] for each in files.values()}
        removed = 0
        for path in self.path.glob("objects/*/*"):
            if _OBJECT.fullmatch(path.name) and path.name not in needed:
                path.unlink()
                removed += 1
        return removed

    def key(self) -> Key:
        """The key of this folder. Raises ConfigError without a passphrase."""
        if self._passphrase is None:
            raise ConfigError(
                "the backups in this folder are encrypted, and there is no passphrase",
                hint="Set IFCBASE_BACKUP_PASSPHRASE, or IFCBASE_BACKUP_PASSPHRASE_FILE.",
            )
        if self._key is None:
            self._key = Key(self._passphrase, self._salt())
        return self._key

    @property
    def encrypts(self) -> bool:
        """Whether new sets are encrypted."""
        return self._passphrase is not None

    def prepare(self) -> Key | None:
        """What new sets are encrypted with, made if this folder never had it; None without a
        passphrase. Raises BackupDamaged."""
        if self._passphrase is None:
            return None
        path = self.path / "salt"
        if not path.exists():
            if any(self.read_plainly(name)["encrypted"] for name in self.names()):
                raise _no_salt(path)
            (self.path / "objects").mkdir(exist_ok=True)
            held = self.path / "objects" / f".part-{secrets.token_hex(6)}"
            _written(held, [os.urandom(16)])
            held.replace(path)
            sync(self.path)
        return self.key()

    def read_plainly(self, name: str) -> dict[str, Any]:
        """The manifest of a set as it stands, nothing checked."""
        found: dict[str, Any] = json.loads((self.path / name / _MANIFEST).read_bytes())
        return found

    def _salt(self) -> bytes:
        path = self.path / "salt"
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise _no_salt(path) from error


def _no_salt(path: Path) -> BackupDamaged:
    return BackupDamaged(
        f"{path} is missing, and without it no encrypted backup here can be read",
        hint="Bring it back from a copy of the folder.",
    )


def _written(path: Path, content: Iterable[bytes]) -> Stored:
    """Write a new file, mode 0600, and wait until the disk has it."""
    digest, size = hashlib.sha256(), 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        for piece in content:
            stream.write(piece)
            digest.update(piece)
            size += len(piece)
        stream.flush()
        os.fsync(stream.fileno())
    return Stored(size, digest.hexdigest())


def sync(folder: Path) -> None:
    """Make the names in a folder durable, where the system lets folders be opened."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
