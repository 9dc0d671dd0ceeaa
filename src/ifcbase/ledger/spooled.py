"""What lies in a host's spool, in figures and in a sentence: for monitoring, readiness and doctor."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ifcbase.ledger.rest.documents import DocumentSpool
from ifcbase.ledger.spool import Spool


@dataclass(frozen=True, slots=True)
class Part:
    """Entries of one kind: how many, their bytes, the age of the oldest in seconds (0 for none)."""

    results: int = 0
    size: int = 0
    oldest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Spooled:
    """What waits to be stored, and what was refused and is kept for people."""

    waiting: Part
    refused: Part

    def warning(self) -> str:
        """A sentence for people; empty where nothing lies in the spool."""
        said = []
        if self.waiting.results:
            said.append(
                f"{_counted(self.waiting.results)} not stored yet, "
                f"the oldest for {_span(self.waiting.oldest_s)}"
            )
        if self.refused.results:
            said.append(f"{_counted(self.refused.results)} refused and kept")
        return "; ".join(said)


def spooled(folder: Path) -> Spooled:
    """What the spool in this folder holds, results and documents of scripts. Raises OSError."""
    waiting: list[tuple[float, int]] = []
    refused: list[tuple[float, int]] = []
    for entry in Spool(folder, 0).entries():
        (refused if entry.refused else waiting).append((entry.written_at, entry.size))
    for path in DocumentSpool(folder / "documents", 0).waiting():
        try:
            facts = path.stat()
        except FileNotFoundError:  # it was stored meanwhile
            continue
        waiting.append((facts.st_mtime, facts.st_size))
    return Spooled(_part(waiting), _part(refused))


def _part(found: list[tuple[float, int]]) -> Part:
    if not found:
        return Part()
    # This host's clock wrote the moments; it may have been set back since.
    oldest_s = max(0.0, time.time() - min(written for written, _ in found))
    return Part(len(found), sum(size for _, size in found), oldest_s)


def _counted(results: int) -> str:
    return "1 result is" if results == 1 else f"{results} results are"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
