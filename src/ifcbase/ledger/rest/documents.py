"""Clash documents that something else computed: sent once in effect, kept on disk until they are."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ifcbase.errors import (
    IfcbaseError,
    KeyRefused,
    LedgerSlow,
    LedgerUnavailable,
    SpoolDamaged,
    SpoolFull,
)
from ifcbase.ledger.payloads import clean_payload
from ifcbase.ledger.rest.calls import Calls

_LOG = logging.getLogger(__name__)
_ENDING = ".document.json"
_REFUSED = ".refused.json"


def new_key() -> str:
    """What a document is known by, however often it is sent."""
    return str(uuid.uuid4())


def insert_document(calls: Calls, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Store a row of clash_results; the record without the document. Raises LedgerError."""
    found: dict[str, Any] = calls.call(
        "insert_clash_document", {"key": key, "document": row}, long=True
    )
    return found


@dataclass(frozen=True, slots=True)
class DocumentSpool:
    """Documents that wait, beside the results that do: a file each, written beside and renamed."""

    folder: Path
    most_mb: int

    def put(self, key: str, row: Mapping[str, Any]) -> Path:
        """Keep a document durably. Raises SpoolFull, OSError."""
        text = json.dumps({"key": key, "row": clean_payload(row)})
        data = json.dumps({"sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text})
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        used = sum(size for size, _ in _seen(self.folder.glob("*.json")).values())
        if used + len(data) > self.most_mb << 20:
            raise SpoolFull(f"the spool has no room for {len(data) >> 20} MB more")
        path = self.folder / f"{key}{_ENDING}"
        made = path.with_name(f".{path.name}")
        with made.open("w", encoding="utf-8") as writer:
            os.fchmod(writer.fileno(), 0o600)
            writer.write(data)
            writer.flush()
            os.fsync(writer.fileno())
        made.replace(path)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return path

    def waiting(self) -> list[Path]:
        """Those that wait, oldest first."""
        found = _seen(self.folder.glob(f"*{_ENDING}"))
        return sorted(found, key=lambda path: found[path][1])

    def flush(self, calls: Calls) -> int:
        """Send what waits; how many still do. What the database refuses is kept under another name."""
        left = 0
        waiting = self.waiting()
        for number, path in enumerate(waiting):
            try:
                key, row = _read(path)
                record = insert_document(calls, key, row)
            except FileNotFoundError:
                _LOG.info("%s was sent by another process", path.name)
            except (LedgerUnavailable, KeyRefused) as error:
                _LOG.info("%s waits: %s", path.name, error.message)
                if not isinstance(error, LedgerSlow):
                    # Those behind it would wait for the same, each as long as this one did.
                    return left + len(waiting) - number
                left += 1
            except IfcbaseError as error:
                _LOG.error("%s is refused: %s", path.name, error.message)
                with suppress(FileNotFoundError):
                    path.rename(path.with_name(path.name.removesuffix(_ENDING) + _REFUSED))
            else:
                _LOG.info("%s is stored as %s", path.name, record["id"])
                with suppress(FileNotFoundError):  # another process had it, too
                    path.unlink()
        return left


def _seen(paths: Iterable[Path]) -> dict[Path, tuple[int, float]]:
    """Size and time of files; those that another process has sent meanwhile are not among them."""
    found = {}
    for path in paths:
        with suppress(FileNotFoundError):
            status = path.stat()
            found[path] = (status.st_size, status.st_mtime)
    return found


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    """Raises SpoolDamaged, FileNotFoundError if another process has sent it meanwhile."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        text = document["text"]
        if hashlib.sha256(text.encode()).hexdigest() != document["sha256"]:
            raise SpoolDamaged(f"{path.name} is not what was written")
        held = json.loads(text)
        return held["key"], held["row"]
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpoolDamaged(f"{path.name} cannot be read: {error}") from error
