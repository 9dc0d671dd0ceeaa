"""Wall clock, processor time and peak memory of a command and of all it starts."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Seconds between looks at the memory.
EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Cost:
    """One run: seconds, processor seconds, mebibytes; ``code`` is its exit code."""

    wall: float
    cpu: float
    memory_mb: float
    code: int


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each number."""
    return Cost(
        statistics.median(c.wall for c in costs),
        statistics.median(c.cpu for c in costs),
        statistics.median(c.memory_mb for c in costs),
        costs[-1].code,
    )


def run(
    command: Sequence[str],
    environment: dict[str, str] | None = None,
    accepted: frozenset[int] = frozenset({0}),
) -> Cost:
    """Run a command to its end. Raises RuntimeError with what it printed for other exit codes."""
    with tempfile.TemporaryFile() as printed:
        began = time.perf_counter()
        process = subprocess.Popen(
            list(command), env=environment, stdout=printed, stderr=subprocess.STDOUT
        )
        peak = _Peak(process.pid)
        # Processor time of descendants is in it, as each was waited for by its parent.
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        memory = peak.end()
        if process.returncode not in accepted:
            printed.seek(0)
            tail = printed.read()[-3000:].decode("utf-8", "replace")
            raise RuntimeError(f"{Path(command[0]).name} ended with {process.returncode}: {tail}")
    return Cost(wall, used.ru_utime + used.ru_stime, memory, process.returncode)


class _Peak:
    """Looks at the resident memory of a process tree until told to end, shared pages counted in each."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> float:
        self._stop.set()
        self._thread.join()
        return self._peak / (1 << 20)

    def _watch(self) -> None:
        while not self._stop.wait(EVERY_S):
            try:
                root = psutil.Process(self._pid)
                tree = [root, *root.children(recursive=True)]
            except psutil.Error:
                continue
            self._peak = max(self._peak, sum(map(_resident, tree)))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0  # it ended while we looked
