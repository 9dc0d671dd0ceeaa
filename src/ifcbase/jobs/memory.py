"""Room in this machine's memory, shared by all workers on it.

A job starts when what it is expected to need fits beside what the running ones were given. A job
that is alone always starts: what it may take at most is the sandbox's business. What to expect is
learned from the jobs before it, by check and size of the input.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

if sys.platform != "win32":
    import fcntl

_LOG = logging.getLogger(__name__)
#: Before anything was learned: what a child needs by itself, in MB, and per MB of its input. The
#: largest that was seen among the real models the engine is measured on, rounded up.
BASE_MB = 400
PER_INPUT_MB = 12
#: What was seen is not what will be: this much more is expected.
MARGIN = 1.25
#: How often somebody who waits looks again, in seconds.
LOOK_S = 0.25
_CGROUP = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def machine_mb() -> int:
    """Memory that this machine, or the container this runs in, has (MB)."""
    total = psutil.virtual_memory().total
    for path in _CGROUP:
        with suppress(OSError, ValueError):
            # "max" is no number: no limit.
            total = min(total, int(path.read_text(encoding="ascii")))
    return total >> 20


@dataclass(frozen=True, slots=True)
class HostMemory:
    """What workers share: ``folder`` is the same for all of them on this machine."""

    folder: Path
    capacity_mb: int

    def expected_mb(self, check: str, input_mb: float, budget_mb: int) -> int:
        """What a job of this check on inputs of this size is expected to need, its budget at most."""
        seen = self._seen(check)
        nearest = min(seen, key=lambda size: (abs(size - _size(input_mb)), -size), default=None)
        if nearest is None:
            guess = BASE_MB + PER_INPUT_MB * input_mb
        else:
            # Twice the input takes twice the memory at most; half of it may take as much.
            guess = seen[nearest] * MARGIN * 2 ** max(0, _size(input_mb) - nearest)
        return max(1, min(budget_mb, math.ceil(guess)))

    def learn(self, check: str, input_mb: float, peak_mb: float) -> None:
        """Remember what a job needed. What cannot be remembered is learned from the next one."""
        if not peak_mb > 0 or not math.isfinite(peak_mb):
            return
        seen, size = self._seen(check), _size(input_mb)
        # Slow to forget: one small job says little about the next large one.
        known = seen.get(size, 0.0)
        value = peak_mb if peak_mb >= known else known * 0.9 + peak_mb * 0.1
        if abs(value - known) < 1:
            return
        document = json.dumps({str(each): round(mb) for each, mb in {**seen, size: value}.items()})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, made = tempfile.mkstemp(dir=self.folder, prefix=".learned-")
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(document)
            Path(made).replace(self._learned(check))
        except OSError as error:
            _LOG.warning("what a job needed was not noted: %s", error)

    @contextmanager
    def room(
        self, mb: int, *, ended: Callable[[], bool], waiting: Callable[[int], None]
    ) -> Iterator[None]:
        """Hold room for a job, waiting until there is some or ``ended`` says to give up waiting.

        ``waiting`` is told how much is taken by others (MB) while there is none.
        """
        if sys.platform == "win32":
            yield
            return
        places = self.folder / "places"
        places.mkdir(parents=True, exist_ok=True)
        mine = places / f"{os.getpid()}-{time.monotonic_ns()}"
        handle = -1
        try:
            while True:
                with _alone(self.folder / "lock"):
                    taken = _taken(places)
                    if not taken or taken + mb <= self.capacity_mb:
                        handle = os.open(mine, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
                        os.write(handle, str(mb).encode())
                        fcntl.flock(handle, fcntl.LOCK_EX)
                        break
                if ended():
                    break
                waiting(taken)
                time.sleep(LOOK_S)
            yield
        finally:
            if handle >= 0:
                mine.unlink(missing_ok=True)
                os.close(handle)

    def _learned(self, check: str) -> Path:
        return self.folder / f"{check}.json"

    def _seen(self, check: str) -> dict[int, float]:
        """Peaks in MB by size of the input. What cannot be read was not learned."""
        try:
            document = json.loads(self._learned(check).read_text(encoding="ascii"))
            return {int(size): float(mb) for size, mb in document.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}


def _size(input_mb: float) -> int:
    """Sizes of inputs in steps of two."""
    return round(math.log2(max(input_mb, 0.01)))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _taken(places: Path) -> int:
    """What running jobs hold (MB). A place whose lock nobody holds is of a worker that was killed."""
    total = 0
    for place in places.iterdir():
        try:
            handle = os.open(place, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            total += int(os.read(handle, 20) or 0)
        else:
            place.unlink(missing_ok=True)
        finally:
            os.close(handle)
    return total
