"""Objects in Supabase Storage as operations see them, with the service key: backed up, restored, removed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from ifcbase.errors import FileMissing, FilesDamaged, FilesRefused
from ifcbase.files.storage import BUCKETS, content_type, hashed, object_name
from ifcbase.files.storage_http import StorageHttp
from ifcbase.files.store import MODELS


class StorageObjects:
    """Files in Storage without local copies."""

    #: Who stores the same bytes again leaves an object that is there as it is: see ``remove_unwanted``.
    careful = True

    def __init__(self, http: StorageHttp) -> None:
        self._http = http

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def has(self, project: str, sha256: str, bucket: str) -> bool:
        """Whether a bucket has a file. Raises FilesUnavailable, FilesRefused."""
        return self._http.exists(bucket, object_name(project, sha256))

    def read(self, project: str, sha256: str, buckets: Sequence[str], target: Path) -> None:
        """Write a file to a path, looking in these buckets first, its hash compared.

        Raises FileMissing, FilesDamaged, FilesUnavailable, FilesRefused."""
        missing: FileMissing | None = None
        for bucket in dict.fromkeys([*buckets, *BUCKETS]):
            with target.open("w+b") as draft:

                def restart() -> None:
                    draft.seek(0)
                    draft.truncate()

                try:
                    self._http.download(bucket, object_name(project, sha256), draft.write, restart)
                except FileMissing as error:
                    missing = missing or error
                    continue
            if hashed(target) != sha256:
                raise FilesDamaged(
                    f"what Storage holds in the bucket {bucket} as {sha256[:12]}… is something else"
                )
            return
        assert missing is not None  # noqa: S101 (there are buckets)
        raise missing

    def write(self, project: str, sha256: str, bucket: str, source: Path) -> None:
        """Store a file, also where Storage knows it by name and has lost its bytes.

        Raises FilesUnavailable, FilesRefused."""
        with source.open("rb") as stream:
            kind = content_type(stream.read(16))
            stream.seek(0)
            size = source.stat().st_size
            name = object_name(project, sha256)
            self._http.upload(bucket, name, stream, size, kind, replace=True)

    def require_room(self, project: str, size: int) -> None:
        """Ask whether a file of so many bytes would be taken; none of it is sent.

        Raises FilesRefused where it would not, FilesUnavailable."""
        self._http.begin_only(MODELS, object_name(project, secrets.token_hex(32)), size)

    def remove(self, project: str, sha256: str, unwanted_s: float) -> bool:  # noqa: ARG002
        """Remove a file from every bucket. Raises FilesUnavailable, FilesRefused."""
        name = object_name(project, sha256)
        for bucket in BUCKETS:
            self._http.remove(bucket, name)
            if self._http.exists(bucket, name):
                raise FilesRefused(
                    f"Storage did not remove {sha256[:12]}… from the bucket {bucket}",
                    hint="SUPABASE_SERVICE_KEY has to be the key of the service.",
                )
        return True
