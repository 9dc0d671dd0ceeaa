"""The interface of a files backend: bytes by project and SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredFile:
    sha256: str
    size: int


class FileStore(Protocol):
    """Where bytes live. Putting the same bytes twice stores them once."""

    def put(self, project: str, source: Path) -> StoredFile:
        """Store a copy of a file, whole or not at all; gives its hash and size in bytes."""
        ...

    def fetch(self, project: str, sha256: str) -> Path:
        """A local path to read the bytes from. Raises FileMissing if they are not there."""
        ...
