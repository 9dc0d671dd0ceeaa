"""The child's side of the sandbox: ``python -m ifcbase.jobs.child``, started by ``sandbox.py``.

Lines of JSON go both ways. In: one job. Out: ready, accepted, progress, and last ok or error.
Results go by files in the job's folder, never through the pipe.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import math
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from ifcbase.errors import FULL, ComputeError, DiskFull, IfcbaseError, OutOfMemoryBudget
from ifcbase.jobs import limits

PROGRESS_EVERY_S = 0.2
NOTE_LENGTH = 200
DETAIL_LENGTH = 16_000


class Channel:
    """Writes messages to the parent; safe to use from several threads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, kind: str, **fields: Any) -> None:
        line = json.dumps({"type": kind, **fields}).encode("ascii") + b"\n"
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except BrokenPipeError:
                # Nobody is left to work for.
                os._exit(1)


class Reporter:
    """The ``Progress`` that a check calls as often as it likes; the parent hears a few a second."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._phase = ""
        self._next = 0.0
        self._ended = False

    def __call__(self, phase: str, fraction: float, note: str = "") -> None:
        ends = fraction >= 1 and not self._ended
        now = time.monotonic()
        if now < self._next and phase == self._phase and not ends:
            return
        self._phase, self._next, self._ended = phase, now + PROGRESS_EVERY_S, fraction >= 1
        value = min(max(float(fraction), 0.0), 1.0) if math.isfinite(fraction) else 0.0
        self._channel.send(
            "progress", phase=str(phase), fraction=value, note=str(note)[:NOTE_LENGTH]
        )


def read_line(descriptor: int) -> bytes | None:
    """The next whole line, or None when the other side is gone."""
    found = bytearray()
    while not found.endswith(b"\n"):
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return None
        found += chunk
    return bytes(found)


def end_with(descriptor: int) -> None:
    """Kill the whole process group when the parent's end of the pipe closes."""

    def watch() -> None:
        while os.read(descriptor, 1 << 16):
            pass
        if sys.platform != "win32":
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def peak_memory_mb() -> float | None:
    """Highest resident memory of this process in mebibytes, where the system tells it."""
    # Not getrusage: after a fork and exec its value starts at the parent's.
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:  # only Linux has it; the parent watches memory in its own way
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None


def as_error(error: Exception) -> IfcbaseError:
    """The typed error for whatever a check raised; unexpected ones keep their traceback."""
    stack = "".join(traceback.format_exception(error))[-DETAIL_LENGTH:]
    if isinstance(error, IfcbaseError):
        return error
    if isinstance(error, OSError) and error.errno in FULL:
        return DiskFull(f"the check found no room for its files: {error.strerror}", detail=stack)
    # SWIG turns a failed C++ allocation into a RuntimeError that only its text tells apart.
    if isinstance(error, MemoryError) or "bad_alloc" in str(error):
        return OutOfMemoryBudget("the check asked for more memory than it could get", detail=stack)
    return ComputeError(
        f"the check failed in a way nobody foresaw ({type(error).__name__}: {str(error)[:500]})",
        detail=stack,
    )


def run_job(job: dict[str, Any], channel: Channel) -> None:
    """Import the run function and call it. Raises what it raises."""
    module, _, function = str(job["run"]).partition(":")
    run = getattr(importlib.import_module(module), function)
    inputs = {name: Path(path) for name, path in job["inputs"].items()}
    run(job["request"], inputs, Path(job["folder"]), Reporter(channel), **job["options"])


def leave(code: int) -> NoReturn:
    """End at once: destructors of native libraries are known to crash after the work is done."""
    for stream in (sys.stdout, sys.stderr):
        # Chatter past the limit on file size must not turn a finished job into a failed one.
        with suppress(OSError):
            stream.flush()
    os._exit(code)


def main() -> NoReturn:
    """Limit, import, say ready, do one job, leave."""
    setup = json.loads(sys.argv[1])
    # Native libraries print to descriptor 1 and may read 0: both are taken away from them.
    channel = Channel(os.dup(1))
    jobs = os.dup(0)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    faulthandler.enable()
    if sys.platform != "win32":
        # A hanging child that is told to end shows first where it hangs.
        faulthandler.register(signal.SIGTERM, all_threads=True, chain=True)
    granted = limits.Limits(**setup["limits"])
    facts = limits.apply(granted, int(setup["parent"]))
    try:
        for name in setup["preload"]:
            importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - the parent raises it, as the reason it gives
        reason = ComputeError(
            f"the child process could not be prepared: {type(error).__name__}: {error}",
            hint="The installation is incomplete or broken; the detail names the module.",
            detail="".join(traceback.format_exception(error))[-DETAIL_LENGTH:],
        )
        channel.send("error", error=reason.to_dict())
        leave(1)
    channel.send("ready", limits=facts)

    line = read_line(jobs)
    if line is None:
        leave(0)
    end_with(jobs)
    job = json.loads(line)
    facts["memory"] = limits.limit_memory(int(job["memory_mb"]), final=True)
    facts["cores"] = limits.claim_cores(granted.cores, Path(setup["cores_folder"]))
    channel.send("accepted", limits=facts, cpu_seconds=time.process_time())
    try:
        run_job(job, channel)
    except Exception as error:  # noqa: BLE001 - every failure crosses the border as a typed error
        channel.send("error", error=as_error(error).to_dict(), peak_memory_mb=peak_memory_mb())
        leave(1)
    channel.send("ok", peak_memory_mb=peak_memory_mb())
    leave(0)


if __name__ == "__main__":
    main()
