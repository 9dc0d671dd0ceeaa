"""`python -m tests.acceptance.faulty worker`: the command line with a clash check that can be held in
the middle and made to fail for real, inside its child process.

The file ``fault`` in the home (or beside a model that is checked directly) says what is to happen.
Without it the check is the real one, and that is what runs before and after being held, too.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ifcbase.clash import run as clash
from ifcbase.progress import Progress


def run(
    request: Mapping[str, Any],
    inputs: Mapping[str, Path],
    folder: Path,
    progress: Progress,
    **options: Any,
) -> None:
    """The clash check, and in its middle whatever ``fault`` says."""
    places = [folder.parents[2], *(path.parent for path in inputs.values())]
    found = [place / "fault" for place in places if (place / "fault").exists()]
    paths = {name: str(path) for name, path in inputs.items()}
    if not found:
        clash.run(request, paths, folder, progress, **options)
        return
    misbehave = _Fault(found[0], progress)
    clash.run(request, paths, folder, misbehave, **options)
    assert misbehave.happened, "the check was over before its middle"


class _Fault:
    """A ``Progress`` that misbehaves once shapes are being made."""

    def __init__(self, fault: Path, progress: Progress) -> None:
        self._fault = fault
        self._progress = progress
        self.happened = False

    def __call__(self, phase: str, fraction: float, note: str = "") -> None:
        self._progress(phase, fraction, note)
        if self.happened or fraction < 0.1:
            return
        self.happened = True
        getattr(self, self._fault.read_text(encoding="ascii"))()

    def hold(self) -> None:
        mark = self._fault.with_name(f"held-{os.getpid()}")
        mark.touch()
        self._progress("held", 0.5)
        while self._fault.exists():
            time.sleep(0.05)
        mark.unlink()

    def segfault(self) -> None:
        ctypes.string_at(0)

    def hog(self) -> None:
        kept = []
        while True:
            kept.append(b"x" * (8 << 20))

    def hang(self) -> None:
        time.sleep(600)


if __name__ == "__main__":
    from ifcbase.cli.main import run as command_line
    from ifcbase.jobs import registry

    assert isinstance(registry.CHECKS, dict)
    registry.CHECKS["clash"] = replace(registry.CHECKS["clash"], run="tests.acceptance.faulty:run")
    command_line()
