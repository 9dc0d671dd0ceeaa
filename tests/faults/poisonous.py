"""`python -m tests.faults.poisonous worker`: the command line with a clash check whose child misbehaves
as the name of the first clash set says; other names are checked as they are.
"""

from __future__ import annotations

import ctypes
import signal
import sys
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
    """The clash check, or a poison."""
    name = request["clash_sets"][0]["name"]
    poison = POISONS.get(name)
    if poison is None:
        clash.run(
            request, {key: str(path) for key, path in inputs.items()}, folder, progress, **options
        )
        return
    sys.stderr.write(f"about to {name}\n")
    sys.stderr.flush()
    poison(folder)


def segfault(_: Path) -> None:
    ctypes.string_at(0)


def hog(_: Path) -> None:
    kept = []
    while True:
        kept.append(b"x" * (8 << 20))


def hang(_: Path) -> None:
    """Deaf to being asked to end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        time.sleep(600)


def fill(folder: Path) -> None:
    """Write until the disk is full."""
    with (folder / "output.json").open("wb") as writer:
        while True:
            writer.write(b"x" * (1 << 20))


POISONS = {"segfault": segfault, "hog": hog, "hang": hang, "fill": fill}


if __name__ == "__main__":
    from ifcbase.cli.main import run as command_line
    from ifcbase.jobs import registry

    assert isinstance(registry.CHECKS, dict)
    registry.CHECKS["clash"] = replace(registry.CHECKS["clash"], run="tests.faults.poisonous:run")
    command_line()
