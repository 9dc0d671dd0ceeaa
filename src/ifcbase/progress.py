"""How long work tells where it is. Plain functions take a ``Progress`` and call it; doors show it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with a phase ("meshing"), the done fraction of the whole work (0 to 1) and a note."""

    def __call__(self, phase: str, fraction: float, note: str = "") -> None: ...


def silent(phase: str, fraction: float, note: str = "") -> None:
    """The progress nobody looks at."""
