"""The local files backend: a folder in which a file's name is its SHA-256."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from ifcbase.errors import FULL, FileMissing, FilesFull, FileUnreadable
from ifcbase.files.store import MODELS, StoredFile

_CHUNK = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_INCOMING = ".incoming-"
#: No file takes so long to come in, in seconds.
_COMES_WITHIN_S = 24 * 3600.0
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class LocalFiles:
    """``<folder>/<project>/<first two>/<sha256>``; shared by all processes of this machine."""

    #: Who stores the same bytes again is seen by ``remove``.
    careful = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, project: str, source: Path, bucket: str = MODELS) -> StoredFile:  # noqa: ARG002
        """Copy a file in: all kinds into one folder. Raises FileMissing, FileUnreadable, FilesFull."""
        home = self._project(project)
        digest, size = hashlib.sha256(), 0
        try:
            home.mkdir(parents=True, exist_ok=True)
            with (
                source.open("rb") as reader,
                tempfile.NamedTemporaryFile(dir=home, prefix=_INCOMING, delete=False) as writer,
            ):
                held = Path(writer.name)
                try:
                    while chunk := reader.read(_CHUNK):
                        digest.update(chunk)
                        size += len(chunk)
                        writer.write(chunk)
                    writer.flush()
                    os.fsync(writer.fileno())
                    target = self._path(project, digest.hexdigest())
                    target.parent.mkdir(exist_ok=True)
                    held.chmod(0o640)
                    held.replace(target)
                except BaseException:
                    held.unlink(missing_ok=True)
                    raise
        except FileNotFoundError as error:
            raise FileMissing(f"{source} does not exist") from error
        except (IsADirectoryError, PermissionError) as error:
            raise FileUnreadable(f"{source} cannot be read: {error.strerror}") from error
        except OSError as error:
            if error.errno in FULL:
                raise FilesFull(f"no room for {source.name}: {error.strerror}") from error
            raise
        _sync_folder(target.parent)
        return StoredFile(digest.hexdigest(), size)

    def adopt(self, project: str, source: Path, stored: StoredFile) -> None:
        """Move a file in whose hash and size were counted while it came, for who wrote it alone.

        Bytes that are there already stay, as of now: see ``remove``."""
        target = self._path(project, stored.sha256)
        try:
            # Who removes what nobody wants sees by this that they came again.
            os.utime(target)
        except (FileNotFoundError, PermissionError):
            # Also where they are another user's: what came takes their place.
            pass
        else:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        source.chmod(0o640)
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self.put(project, source)
        _sync_folder(target.parent)

    def fetch(self, project: str, sha256: str, bucket: str = MODELS) -> Path:  # noqa: ARG002
        """The path of stored bytes. Raises FileMissing."""
        path = self._path(project, sha256)
        if not path.is_file():
            raise FileMissing(
                f"the bytes of {sha256[:12]}… are not in the files folder",
                hint="Upload the file again, or check IFCBASE_HOME. Hosts that share no folder keep "
                "their files in Storage: IFCBASE_FILES_BACKEND=supabase.",
            )
        return path

    def remove(self, project: str, sha256: str, unwanted_s: float) -> bool:
        """Remove bytes that nobody has wanted for so many seconds; False if they were put there
        since, which keeps them. Gone already is removed."""
        path = self._path(project, sha256)
        held = path.with_name(f".removing-{sha256}")
        try:
            # Taken out of the way first, so that the look at it and its end are of the same file.
            path.rename(held)
        except FileNotFoundError:
            return True
        if _age_s(held) < unwanted_s:
            held.replace(path)
            return False
        held.unlink()
        _sync_folder(path.parent)
        return True

    def close(self) -> None:
        """Nothing is held open."""

    def sweep(self, *, older_than_s: float = _COMES_WITHIN_S) -> int:
        """Remove what processes that were killed had half written; returns how many files."""
        removed = 0
        for each in self.folder.glob(f"*/{_INCOMING}*"):
            # Another may sweep, too.
            with suppress(FileNotFoundError):
                if time.time() - each.stat().st_mtime > older_than_s:
                    each.unlink()
                    removed += 1
        return removed

    def _project(self, project: str) -> Path:
        if not _PROJECT.fullmatch(project):
            raise ValueError(f"not a project name: {project!r}")
        return self.folder / project

    def _path(self, project: str, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"not a SHA-256: {sha256!r}")
        return self._project(project) / sha256[:2] / sha256


def _age_s(path: Path) -> float:
    """How old a file is by the clock that stamped it: the disk may be another machine's, and neither
    need agree with the database about what time it is."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".clock-") as now:
        return os.fstat(now.fileno()).st_mtime - path.stat().st_mtime


def _sync_folder(folder: Path) -> None:
    """Make a rename durable, where the system lets folders be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
