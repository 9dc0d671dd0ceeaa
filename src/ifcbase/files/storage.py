"""The files backend on Supabase Storage: private buckets, objects named by their SHA-256."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Final
from urllib.parse import quote

from ifcbase.errors import FileMissing, FilesDamaged
from ifcbase.files.local import LocalFiles
from ifcbase.files.storage_http import StorageHttp
from ifcbase.files.store import MODELS, StoredFile

#: Where a file may be: inputs, and the outputs of each check. All private.
BUCKETS: Final = (
    MODELS, "clash-results", "conversion-results", "tester-results", "diff-results",
)  # fmt: skip
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def object_name(project: str, sha256: str) -> str:
    """``<project>/<first two>/<sha256>``, which the policies on ``storage.objects`` take apart."""
    if not _PROJECT.fullmatch(project):
        raise ValueError(f"not a project name: {project!r}")
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"not a SHA-256: {sha256!r}")
    return f"{project}/{sha256[:2]}/{sha256}"


class SupabaseFiles:
    """Files in Storage, with copies of what was used last in a local folder of bounded size."""

    def __init__(
        self, http: StorageHttp, cache: Path, *, cache_mb: int = 20_480, spare_s: float = 3600.0
    ) -> None:
        """Copies used within ``spare_s`` seconds stay, however many: a job may be reading them."""
        self._http = http
        self._near = LocalFiles(cache)
        self._cache = cache
        self._cache_bytes = cache_mb * 1024 * 1024
        self._spare_s = spare_s

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def put(self, project: str, source: Path, bucket: str = MODELS) -> StoredFile:
        """Store a file. What is sent is a copy of ours that nobody changes meanwhile.

        Raises FileMissing, FileUnreadable, FilesUnavailable, FilesRefused."""
        stored = self._near.put(project, source)
        name = object_name(project, stored.sha256)
        if not self._http.exists(bucket, name):
            with self._near.fetch(project, stored.sha256).open("rb") as copy:
                kind = content_type(copy.read(16))
                copy.seek(0)
                self._http.upload(bucket, name, copy, stored.size, kind)
        self._trim()
        return stored

    def fetch(self, project: str, sha256: str, bucket: str = MODELS) -> Path:
        """A local copy whose hash was verified. Looks in ``bucket`` first, then in the others.

        Raises FileMissing, FilesUnavailable, FilesRefused, FilesDamaged."""
        try:
            near = self._near.fetch(project, sha256)
        except FileMissing:
            near = self._bring(project, sha256, bucket)
            self._trim()
        os.utime(near)
        return near

    def link(
        self, project: str, sha256: str, name: str, *, bucket: str = MODELS, seconds: int = 1800
    ) -> str:
        """A path below Supabase's public address from which anybody may download it, under this
        name, for so many seconds. Raises FileMissing, FilesUnavailable, FilesRefused."""
        path = self._http.sign(bucket, object_name(project, sha256), seconds)
        return f"{path}&download={quote(name, safe='')}"

    def _bring(self, project: str, sha256: str, first: str) -> Path:
        missing: FileMissing | None = None
        for bucket in sorted(BUCKETS, key=lambda each: each != first):
            try:
                return self._download(project, sha256, bucket)
            except FileMissing as error:
                missing = missing or error
        assert missing is not None  # noqa: S101 (there are buckets)
        raise missing

    def _download(self, project: str, sha256: str, bucket: str) -> Path:
        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._cache, prefix=".coming-") as draft:

            def restart() -> None:
                draft.seek(0)
                draft.truncate()

            self._http.download(bucket, object_name(project, sha256), draft.write, restart)
            draft.flush()
            came = hashed(Path(draft.name))
            if came != sha256:
                raise FilesDamaged(
                    f"what Storage holds in the bucket {bucket} as {sha256[:12]}… is something else"
                )
            self._near.put(project, Path(draft.name))
        return self._near.fetch(project, sha256)

    def _trim(self) -> None:
        """Remove the copies used longest ago until the rest fits."""
        found = []
        for path in self._cache.rglob("*"):
            try:
                facts = path.stat()
            except FileNotFoundError:  # another worker trims, too
                continue
            if path.is_file() and _SHA256.fullmatch(path.name):
                found.append((facts.st_mtime, facts.st_size, path))
        total = sum(size for _, size, _ in found)
        spared = time.time() - self._spare_s
        for used, size, path in sorted(found):
            if total <= self._cache_bytes or used > spared:
                return
            path.unlink(missing_ok=True)
            total -= size


def hashed(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_type(start: bytes) -> str:
    """What browsers are told; never what one would run."""
    if start.startswith(b"ISO-10303-21"):
        return "application/x-step"
    if start.startswith(b"glTF"):
        return "model/gltf-binary"
    return "application/octet-stream"
