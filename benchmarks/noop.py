"""A check that does nothing, in the seat of the clash check: what is left is the path of a job.

`python -m benchmarks.noop worker --check clash` is a worker that serves it. It is no check of the
product: only this program and `benchmarks.jobs` put it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ifcbase.jobs import registry
from ifcbase.progress import Progress


class Nothing(BaseModel):
    """A clash request without a set: its job ends without a result."""

    clash_sets: list[dict[str, Any]] = []


def run(
    request: Mapping[str, Any],
    inputs: Mapping[str, Path],
    folder: Path,
    progress: Progress,
    **options: Any,
) -> None:
    """What the child does: nothing."""


def record(*_: Any) -> dict[str, Any]:
    """What is stored: nothing."""
    return {}


def install() -> None:
    """Put it into the registry of this process. The child still loads what a clash check needs."""
    assert isinstance(registry.CHECKS, dict)
    registry.CHECKS["clash"] = replace(
        registry.CHECKS["clash"],
        parse=Nothing.model_validate,
        models=lambda _: [],
        run="benchmarks.noop_child:run",
        record=record,
    )


if __name__ == "__main__":
    from ifcbase.cli.main import run as command_line

    install()
    command_line()
