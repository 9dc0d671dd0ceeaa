"""What is backed up, and where it is: database, files folder, configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psycopg

from ifcbase.errors import BackupFailed, LedgerUnavailable
from ifcbase.stack.address import unreachable
from ifcbase.stack.backup.facts import Connection


class Objects(Protocol):
    """Files that lie in an object store, by project, SHA-256 and bucket."""

    def has(self, project: str, sha256: str, bucket: str) -> bool:
        """Whether a bucket has a file."""
        ...

    def read(self, project: str, sha256: str, buckets: Sequence[str], target: Path) -> None:
        """Write a file to a path, its hash compared. Raises FileMissing, FilesDamaged."""
        ...

    def write(self, project: str, sha256: str, bucket: str, source: Path) -> None:
        """Store a file."""
        ...


@dataclass(frozen=True)
class Deployment:
    """``globals_dsn`` is the superuser's where we know one (the embedded server); ``settings`` what
    is kept of the configuration, ``private`` what only goes in when secrets are asked for;
    ``objects`` is where files lie if not in the folder ``files``."""

    dsn: str = field(repr=False)
    files: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    private: Mapping[str, str] = field(default_factory=dict, repr=False)
    globals_dsn: str | None = field(default=None, repr=False)
    objects: Objects | None = None


@contextmanager
def connected(dsn: str) -> Iterator[Connection]:
    """A connection that prepares nothing, on which transactions are opened explicitly. Raises
    LedgerUnavailable, and BackupFailed for what the database refuses."""
    try:
        connection = psycopg.connect(
            dsn, connect_timeout=15, prepare_threshold=None, client_encoding="utf8", autocommit=True
        )
    except psycopg.OperationalError as error:
        raise LedgerUnavailable(unreachable(dsn, error)) from error
    try:
        with connection:
            yield connection
    except psycopg.OperationalError as error:
        if connection.broken:
            raise LedgerUnavailable(f"the connection to the database was lost: {error}") from error
        raise BackupFailed(f"the database refused: {_first(error)}", detail=str(error)) from error
    except psycopg.Error as error:
        raise BackupFailed(f"the database refused: {_first(error)}", detail=str(error)) from error


def _first(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
