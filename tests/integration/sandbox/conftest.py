"""A sandbox in a folder of its own, and a short way to run one of our run functions in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from ifcbase.jobs.sandbox import Sandbox, SandboxJob

RUNS = "tests.integration.sandbox.runs"
Launcher = Callable[..., Any]


def job(
    name: str,
    folder: Path,
    *,
    timeout_s: float = 60,
    memory_mb: int = 512,
    inputs: dict[str, Path] | None = None,
    **request: Any,
) -> SandboxJob:
    return SandboxJob(
        run=f"{RUNS}:{name}",
        request=request,
        inputs=inputs or {},
        folder=folder,
        timeout_s=timeout_s,
        memory_mb=memory_mb,
    )


def result_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return found


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


#: Children of the suite that were there before the test: servers of the session and their guards.
_others: set[psutil.Process] = set()


@pytest.fixture(autouse=True)
def _know_the_others() -> None:
    _others.clear()
    _others.update(psutil.Process().children())


def offspring() -> list[psutil.Process]:
    """Processes of ours that this test has started, and theirs."""
    started = [each for each in psutil.Process().children() if each not in _others]
    found = list(started)
    for each in started:
        try:
            found += each.children(recursive=True)
        except psutil.NoSuchProcess:
            # It ended between the two looks.
            continue
    return found


def children_folders(work: Path) -> list[Path]:
    return sorted(work.glob("child-*"))


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def sandbox(work: Path) -> Iterator[Sandbox]:
    """A sandbox that leaves nothing behind, which is asserted after every test that uses it."""
    with Sandbox([RUNS], work_folder=work, memory_mb=512, spare=False) as made:
        yield made
    assert children_folders(work) == []
    assert offspring() == []
