"""One child process as its parent holds it: start it, talk to it, weigh it, end it and all it left.

The child leads a session of its own and has a folder of its own, which is its HOME and TMPDIR. Both
identify what it started: the session, and for those that left it, the TMPDIR they inherited.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ifcbase import defaults
from ifcbase.errors import ReportInvalid
from ifcbase.ifc.text import clean
from ifcbase.jobs.leftovers import FOLDER_PREFIX, kill_marked, lock_folder, remove_folder
from ifcbase.jobs.limits import Limits

MAX_LINE = 1 << 20
STDERR_TAIL = 8 << 10
STDERR_MAX = 64 << 20
# How long the kernel may take to make a killed process disappear.
GONE_WITHIN_S = 5.0

PASSED_ON = frozenset(
    {"PATH", "LANG", "LANGUAGE", "TZ", "LOG_LEVEL", "LD_LIBRARY_PATH", "NUMBA_CACHE_DIR"}
)
THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
SECRET_NAME = re.compile(r"SECRET|PASSWORD|TOKEN|KEY|DSN|URL|_FILE$")


def child_environment(folder: Path, cores: int) -> dict[str, str]:
    """The variables a child gets: an allow-list, and our settings that are neither secret nor home.

    It does not learn ``IFCBASE_HOME``: what it may read and write is named in the job.
    """
    ours = _passed_settings(defaults.variables())
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.startswith("LC_") or name in ours
    }
    kept.update(dict.fromkeys(THREAD_COUNTS, str(cores)))
    # Kernels compiled once serve all children; their HOME of a moment holds none.
    kept.setdefault("NUMBA_CACHE_DIR", str(defaults.cache_folder()))
    kept["HOME"] = kept["TMPDIR"] = str(folder)
    kept["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    return kept


def _passed_settings(names: set[str]) -> set[str]:
    """Those of the names that are settings of ours and hold nothing secret."""
    candidates = {name for name in names if not SECRET_NAME.search(name)}
    if not candidates:
        return candidates
    # Here and not above: mostly there are none, and a direct check need not wait for it.
    from ifcbase import settings

    fields = settings.Settings.model_fields.items()
    return candidates & {
        settings.variable_of(name)
        for name, field in fields
        if "SecretStr" not in str(field.annotation)
    }


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended; ``status`` is negative for a signal and None when nobody can say."""

    status: int | None
    cpu_seconds: float
    stderr_tail: str

    @property
    def signal_name(self) -> str | None:
        if self.status is None or self.status >= 0:
            return None
        try:
            return signal.Signals(-self.status).name
        except ValueError:
            return f"signal {-self.status}"


class ChildProcess:
    """A started child. Whoever holds it must call ``end``."""

    def __init__(self, preload: Sequence[str], limits: Limits, work_folder: Path) -> None:
        work_folder.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=work_folder)).absolute()
        # The lock says "in use" to whoever looks for leftovers, and ends with this process.
        self._lock = lock_folder(self.folder)
        self._stderr = (self.folder / "stderr.log").open("a+b")
        self._cut_off = b""
        self.peak_memory_mb = 0.0
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._eof = False
        setup = {
            "parent": os.getpid(),
            "preload": list(preload),
            "limits": limits.to_dict(),
            "cores_folder": str(work_folder.absolute() / "cores"),
        }
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ifcbase.jobs.child", json.dumps(setup)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                bufsize=0,
                cwd=self.folder,
                env=child_environment(self.folder, limits.cores),
                start_new_session=True,
            )
        except BaseException:
            self._stderr.close()
            remove_folder(self.folder)
            os.close(self._lock)
            raise
        self.pid = self._process.pid
        assert self._process.stdin is not None  # noqa: S101 - we asked for pipes
        assert self._process.stdout is not None  # noqa: S101
        self._to, self._from = self._process.stdin, self._process.stdout
        os.set_blocking(self._to.fileno(), False)
        os.set_blocking(self._from.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._from, selectors.EVENT_READ)

    # --- talking ---

    def send(self, message: bytes) -> None:
        """Queue one line; ``receive`` writes it as fast as the child reads."""
        self._outgoing += message
        self._selector.register(self._to, selectors.EVENT_WRITE)

    def receive(self, wait_s: float) -> list[dict[str, Any]]:
        """Messages that arrived within ``wait_s``. Raises ReportInvalid for what is none."""
        if not self._selector.get_map():
            time.sleep(min(wait_s, 0.005))
            return []
        for key, _ in self._selector.select(wait_s):
            if key.fileobj is self._to:
                self._write()
            else:
                self._read()
        *lines, rest = self._incoming.split(b"\n")
        if len(rest) > MAX_LINE:
            raise ReportInvalid("the child wrote a line without end where messages belong")
        self._incoming = rest
        return [self._parse(bytes(line)) for line in lines]

    @property
    def silent(self) -> bool:
        """Whether the child has closed its side of the pipe."""
        return self._eof

    def _write(self) -> None:
        try:
            sent = os.write(self._to.fileno(), self._outgoing[: 1 << 16])
        except BlockingIOError:
            return
        except BrokenPipeError:
            # It is dead or dying; its exit tells more than this.
            self._outgoing.clear()
        else:
            del self._outgoing[:sent]
        if not self._outgoing:
            self._selector.unregister(self._to)

    def _read(self) -> None:
        # A bounded number of reads, so that a flood cannot keep us from watching the clock.
        for _ in range(16):
            try:
                chunk = os.read(self._from.fileno(), 1 << 16)
            except BlockingIOError:
                return
            if not chunk:
                self._eof = True
                self._selector.unregister(self._from)
                return
            self._incoming += chunk

    @staticmethod
    def _parse(line: bytes) -> dict[str, Any]:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ReportInvalid(
                "the child wrote something that is no message", detail=repr(line[:200])
            ) from error
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise ReportInvalid("the child wrote a message without a type", detail=repr(line[:200]))
        return message

    # --- watching ---

    def exited(self) -> bool:
        """Whether the child has ended. Its process id stays reserved until ``end``."""
        if self._process.returncode is not None:
            return True
        if not hasattr(os, "waitid"):
            return self._process.poll() is not None
        try:
            flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.pid, flags) is not None
        except ChildProcessError:
            return True

    def memory_mb(self) -> float:
        """Resident memory of the child and all of its session in mebibytes; keeps the peak."""
        total = 0
        for pid in self._session():
            with suppress(psutil.Error):
                total += psutil.Process(pid).memory_info().rss
        memory = total / (1 << 20)
        self.peak_memory_mb = max(self.peak_memory_mb, memory)
        return memory

    def trim_stderr(self) -> None:
        """Cut the child's log to its last lines when it is absurdly long."""
        log = self._stderr.fileno()
        if os.fstat(log).st_size > STDERR_MAX:
            self._cut_off = self._tail()
            # The child appends, so it goes on at the start.
            os.ftruncate(log, 0)

    def _session(self) -> list[int]:
        found = []
        for pid in psutil.pids():
            with suppress(OSError):
                if os.getsid(pid) == self.pid:
                    found.append(pid)
        return found

    # --- ending ---

    def end(self, grace_s: float = 0.0) -> Exit:
        """Kill the child and everything it started, remove its folder, close the pipes.

        With ``grace_s`` it is asked to end first, and shows on stderr where it was. The kill comes
        before the child is reaped: until then nobody else can get the numbers of its group and
        session.
        """
        if grace_s > 0 and not self.exited():
            self._signal_group(signal.SIGTERM)
            until = time.monotonic() + grace_s
            while not self.exited() and time.monotonic() < until:
                time.sleep(0.005)
        self._signal_group(signal.SIGKILL)
        self._kill_session()
        status, cpu_seconds = self._reap()
        kill_marked(self.folder)
        self._selector.close()
        self._to.close()
        self._from.close()
        tail = clean(self._tail().decode("utf-8", errors="replace")).strip()
        self._stderr.close()
        remove_folder(self.folder)
        os.close(self._lock)
        return Exit(status, cpu_seconds, tail)

    def _signal_group(self, number: signal.Signals) -> None:
        # macOS refuses to signal a group of which only the dead leader is left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _kill_session(self) -> None:
        """Kill what left the group but not the session, and wait until only dead ones are left."""
        until = time.monotonic() + GONE_WITHIN_S
        while time.monotonic() < until:
            alive = False
            for pid in self._session():
                with suppress(psutil.Error, ProcessLookupError):
                    if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                        alive = True
                        os.kill(pid, signal.SIGKILL)
            if not alive:
                return
            time.sleep(0.002)

    def _reap(self) -> tuple[int | None, float]:
        until = time.monotonic() + GONE_WITHIN_S
        while self._process.returncode is None:
            try:
                pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            except ChildProcessError:
                # Somebody else in this process waits for all children and got the answer.
                self._process.returncode = 0
                return None, 0.0
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                return self._process.returncode, usage.ru_utime + usage.ru_stime
            if time.monotonic() > until:
                # Stuck in the kernel (a dead network disk): it goes when that call returns.
                return -int(signal.SIGKILL), 0.0
            time.sleep(0.002)
        return self._process.returncode, 0.0

    def _tail(self) -> bytes:
        log = self._stderr.fileno()
        start = max(0, os.fstat(log).st_size - STDERR_TAIL)
        return (self._cut_off + os.pread(log, STDERR_TAIL, start))[-STDERR_TAIL:]
