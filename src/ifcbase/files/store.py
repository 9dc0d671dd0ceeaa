"""The interface of a files backend: bytes by project and SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

#: The bucket of what people give us; outputs have one for each check.
MODELS: Final = "models"


@dataclass(frozen=True, slots=True)
class StoredFile:
    sha256: str
    size: int


class FileStore(Protocol):
    """Where bytes live. Putting the same bytes twice stores them once. ``bucket`` says what kind of
    file it is, for backends that keep kinds apart."""

    def put(self, project: str, source: Path, bucket: str = MODELS) -> StoredFile:
        """Store a copy of a file, whole or not at all; gives its hash and size in bytes."""
        ...

    def fetch(self, project: str, sha256: str, bucket: str = MODELS) -> Path:
        """A local path to read the bytes from. Raises FileMissing if they are not there."""
        ...


class Remover(Protocol):
    """Removes bytes nobody needs. ``careful``: it cannot tell bytes that came again meanwhile."""

    careful: bool

    def remove(self, project: str, sha256: str, unwanted_s: float) -> bool:
        """Remove bytes nobody has wanted for so many seconds; False if they stay."""
        ...

    def close(self) -> None:
        """Give connections back, if there are any."""
        ...


def bucket_of(check: str) -> str:
    """The bucket of a check's outputs."""
    return f"{check}-results"
