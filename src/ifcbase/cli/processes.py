"""Processes of `demo` and `up`, workers and gateway: started, watched, restarted, stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path


class Workers:
    """``count`` processes of `ifcbase worker`, their log in one file each.

    ``command`` makes them something else, named so in their logs; they inherit the ``files``.

    Each reads a pipe whose other end only this process holds: when it is gone, however it ended,
    the pipe ends, and with it the workers."""

    def __init__(
        self,
        count: int,
        log_folder: Path,
        environment: dict[str, str],
        *,
        command: Sequence[str] = ("worker",),
        files: Sequence[int] = (),
    ) -> None:
        self._command = command
        self._files = files
        self._count = count
        self._logs = log_folder
        self._environment = os.environ | environment
        self._processes: list[subprocess.Popen[bytes]] = []
        self._pipe: tuple[int, int] | None = None

    def start(self) -> None:
        """Start them; their logs grow in the log folder."""
        self._logs.mkdir(parents=True, exist_ok=True)
        self._pipe = os.pipe()
        for number in range(self._count):
            self._processes.append(self._spawn(number))

    def watch(self) -> list[int]:
        """Restart those that ended; gives their numbers."""
        restarted = []
        for number, process in enumerate(self._processes):
            if process.poll() is not None:
                self._processes[number] = self._spawn(number)
                restarted.append(number)
        return restarted

    def stop(self, *, grace_s: float = 15.0) -> None:
        """Ask them to hand their jobs back and end; kill those that do not."""
        try:
            running = [process for process in self._processes if process.poll() is None]
            for process in running:
                process.terminate()
            deadline = time.monotonic() + grace_s
            for process in running:
                try:
                    process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        finally:
            # Also when this is interrupted: then the end of the pipe is what ends them.
            for end in self._pipe or ():
                os.close(end)
            self._pipe = None
            self._processes.clear()

    def logs(self) -> Sequence[Path]:
        """Their log files."""
        return sorted(self._logs.glob(f"{self._command[0]}-*.log"))

    def _spawn(self, number: int) -> subprocess.Popen[bytes]:
        if self._pipe is None:
            raise ValueError("these workers are not started, or stopped")
        with (self._logs / f"{self._command[0]}-{number + 1}.log").open("ab") as log:
            # A session of its own: Ctrl-C in the terminal is for the one who stops them in order.
            return subprocess.Popen(
                [sys.executable, "-m", "ifcbase", *self._command, "--until-eof"],
                stdin=self._pipe[0],
                stdout=log,
                stderr=log,
                env=self._environment,
                pass_fds=tuple(self._files),
                start_new_session=True,
            )
