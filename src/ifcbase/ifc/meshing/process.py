"""Our side of a worker process: give it a task, hear its answer, notice how it died."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ifcbase
from ifcbase.errors import IfcbaseError, NativeCrash, OutOfTimeBudget, from_dict

COMMAND = (sys.executable, "-m", "ifcbase.ifc.meshing.worker")


@dataclass(slots=True)
class Answer:
    """The end of one task: an entry, an error, or a crash of the process."""

    mesher: str = "start"
    entry: str = ""
    reading: str = ""  # the model as read, staged before the meshing began
    signed: str = ""  # its signatures, staged likewise
    error: IfcbaseError | None = None
    crash: str | None = None
    timed_out: bool = False
    stderr: str = ""

    def failure(self, path: Path) -> IfcbaseError:
        cls = OutOfTimeBudget if self.timed_out else NativeCrash
        return cls(
            f"{path.name}: the mesher {self.mesher} ended with {self.crash}", detail=self.stderr
        )


class Worker:
    """A worker process, started when there is something to do and again after a crash."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[str] | None = None
        self._errors: Any = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, task: dict[str, Any], timeout_s: float | None) -> Answer:
        """Give one task and wait for its end."""
        process = self._started()
        answer = Answer()
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(timeout_s, expire) if timeout_s else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            assert process.stdin is not None  # noqa: S101  we asked for pipes
            assert process.stdout is not None  # noqa: S101
            with contextlib.suppress(BrokenPipeError):  # it died: its exit status tells
                process.stdin.write(json.dumps(task) + "\n")
                process.stdin.flush()
            for line in process.stdout:
                said = json.loads(line)
                if said["event"] == "start":
                    answer.mesher = said["mesher"]
                elif said["event"] == "read":
                    answer.reading = said["entry"]
                elif said["event"] == "signed":
                    answer.signed = said["entry"]
                elif said["event"] == "error":
                    answer.error = from_dict(said["error"])
                    return answer
                else:
                    answer.entry = said["entry"]
                    return answer
        finally:
            if timer:
                timer.cancel()
        status = process.wait()
        answer.timed_out = expired.is_set()
        answer.crash = "no answer in time" if answer.timed_out else _cause(status)
        answer.stderr = self._tail()
        self._end()
        return answer

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed in _end
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                env=_environment(),
            )
        return self._process

    def _tail(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 2000))
        return str(self._errors.read().decode("utf-8", "replace"))

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
        if self._errors is not None:
            self._errors.close()
            self._errors = None


def _environment() -> dict[str, str]:
    """Ours, so that the package is found again and libraries start no threads of their own."""
    source = str(Path(ifcbase.__file__).resolve().parent.parent)
    paths = [source, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    threads = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **dict.fromkeys(threads, "1")}


def _cause(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"signal {-status}"
