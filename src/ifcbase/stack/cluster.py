"""One data folder and the programs of its major version: make, start, stop, clear after a crash.

Nothing here knows passwords of the application or who asked; that is ``embedded``.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ifcbase.errors import StackError
from ifcbase.stack.binaries import Binaries
from ifcbase.stack.placement import ServerUser, own

ADMIN = "ifcbase_admin"
HOST = "127.0.0.1"
#: Below the range from which any system takes ports for outgoing connections, so that a stopped
#: server finds its port free again.
_PORTS = range(20000, 32000)
_PORT_TRIES = 20
_KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "TEMP", "TMP", "TZDIR")


def locale_options(major: int) -> list[str]:
    """initdb's options for the locale C.UTF-8, which older versions take from the C library."""
    options = ["--encoding=UTF8"]
    options.append("--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C")
    if major >= 17:
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return options


def free_port(preferred: int | None = None) -> int:
    """A port on 127.0.0.1 nobody listens on: the preferred one if it is free."""
    for attempt in range(_PORT_TRIES):
        port = preferred if attempt == 0 and preferred else secrets.choice(_PORTS)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            if sys.platform != "win32":
                # As Postgres does; without it a port is refused for a minute after a stop.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                probe.listen(1)
            except OSError:  # taken: the next is tried, and no free one is an error
                continue
            return port
    raise StackError(f"no free port was found on {HOST}", hint="Close programs and try again.")


def label_of(folder: Path) -> str:
    """The ``cluster_name`` of servers in a folder: by it a client knows which copy of a home it
    talks to."""
    return "ifcbase " + hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:16]


def major_of(data: Path) -> int | None:
    """The major version that made a data folder; None if it is none."""
    try:
        text = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):  # the answer: it is no data folder
        return None
    return int(text)


def postmaster_of(data: Path) -> int | None:
    """The server process of a data folder: the recorded one, if it is one of those at work there.
    The number alone may belong to a zombie or a stranger."""
    pid = _recorded(data, 0)
    return pid if pid is not None and pid in {p.pid for p in _processes(data)} else None


def _recorded(data: Path, line: int) -> int | None:
    """A number of the server's pid file (it is being written while the server starts)."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:  # no server, or one that has just begun or ended
        return None
    number = lines[line].strip() if len(lines) > line else ""
    return int(number) if re.fullmatch(r"\d+", number) else None


def _processes(data: Path) -> list[psutil.Process]:
    """The living processes of a server: those named postgres that work in its data folder."""
    folder = os.path.realpath(data)
    found = []
    for process in psutil.process_iter():
        try:
            if not process.name().startswith("postgres") or process.cwd() != folder:
                continue
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue  # ended meanwhile, or somebody else's
    return found


@dataclass(frozen=True)
class Cluster:
    """A data folder ``folder/name`` with its logs in ``folder/log``, run as ``user``."""

    binaries: Binaries
    folder: Path
    name: str
    user: ServerUser | None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / self.name

    @property
    def label(self) -> str:
        """What the running server calls itself."""
        return label_of(self.folder)

    @property
    def log(self) -> Path:
        """The folder of the server's logs, one file per weekday."""
        return self.folder / "log"

    def create(self, admin_password: str) -> None:
        """Make the data folder with its superuser. It must not exist yet or be empty."""
        for path in (self.data, self.log):
            path.mkdir(exist_ok=True)
            own(path, self.user, 0o700)
        handle, password_file = tempfile.mkstemp(dir=self.log, prefix=".password-")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(admin_password + "\n")
            own(Path(password_file), self.user, 0o600)
            self.run(
                "initdb",
                f"--pgdata={self.name}",
                f"--username={ADMIN}",
                "--auth-local=scram-sha-256",
                "--auth-host=scram-sha-256",
                f"--pwfile={Path(password_file).relative_to(self.folder)}",
                "--data-checksums",
                "--no-instructions",
                *locale_options(self.binaries.major),
                *(["--no-sync"] if self.settings.get("fsync") == "off" else []),
            )
        finally:
            Path(password_file).unlink()
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
            stream.write("\n# ifcbase writes this file at every start; change a setting with\n")
            stream.write("# ALTER SYSTEM instead, which wins over it.\n")
            stream.write("include_if_exists = 'ifcbase.conf'\n")

    def start(self, port: int, *, timeout_s: int) -> None:
        """Start the server in a session of its own and wait until it accepts connections.

        Raises StackError with the last lines of its log."""
        log = self.log / "start.log"
        try:
            self._write_settings(port)
            log.touch()
            own(log, self.user, 0o600)
            before = log.stat().st_size
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise StackError(
                f"the settings of the database server could not be written: {error}",
                hint="The disk is full: make room on it."
                if full
                else f"Check that {self.data} and {self.log} can be written.",
            ) from error
        try:
            self.run(
                "pg_ctl", "start", "-D", self.name, "-l", "log/start.log", "-s", "-w",
                "-t", str(timeout_s), timeout_s=timeout_s + 30,
            )  # fmt: skip
        except StackError as error:
            error.detail = "\n".join(filter(None, (error.detail, self._log_tail(log, before))))
            raise

    def stop(self, *, timeout_s: int = 60) -> bool:
        """Stop the server orderly, disconnecting its clients; False if none ran. A server that
        does not end in time is stopped at once, which its next start repairs from the log."""
        if self.postmaster() is None:
            return False
        try:
            self._stop("fast", timeout_s)
        except StackError:
            if self.postmaster() is not None:
                self._stop("immediate", 10)
        return True

    def _stop(self, mode: str, timeout_s: int) -> None:
        self.run(
            "pg_ctl", "stop", "-D", self.name, "-m", mode, "-s", "-w", "-t", str(timeout_s),
            timeout_s=timeout_s + 30,
        )  # fmt: skip

    def postmaster(self) -> int | None:
        """The process that runs this data folder, or None. It may not answer."""
        return postmaster_of(self.data)

    def port(self) -> int | None:
        """The port the running server was started with."""
        return _recorded(self.data, 3)

    def clear_leftovers(self) -> None:
        """After the server process was killed: wait for its children, end those that stay, and
        remove its pid file, whose number may by now belong to a stranger or a zombie. Does nothing
        while the server process lives."""
        deadline = time.monotonic() + 2
        while self.postmaster() is None:
            remaining = _processes(self.data)
            if not remaining:
                (self.data / "postmaster.pid").unlink(missing_ok=True)
                return
            if time.monotonic() > deadline:
                for process in remaining:
                    process.kill()
                deadline = time.monotonic() + 2
            time.sleep(0.02)

    def run(self, program: str, *arguments: str, timeout_s: float = 300) -> None:
        """Run one of the programs as the server's user, in the folder of the data folder (pg_ctl
        hands paths to a shell; relative ones cannot hold anything it would interpret)."""
        identity = (
            {}
            if self.user is None
            else {"user": self.user.uid, "group": self.user.gid, "extra_groups": []}
        )
        # A file, not a pipe: the server inherits it, and a pipe would stay open as long as it runs.
        with tempfile.TemporaryFile() as output:
            try:
                done = subprocess.run(
                    [str(self.binaries.tool(program)), *arguments],
                    cwd=self.folder,
                    env=self.environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=timeout_s,
                    check=False,
                    **identity,  # type: ignore[call-overload]  # absent where users do not exist
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise StackError(
                    f"{program} of Postgres {self.binaries.major} could not be run: {error}"
                ) from error
            output.seek(0)
            text = output.read().decode("utf-8", "replace").strip()
        if done.returncode != 0:
            raise StackError(
                f"{program} of Postgres {self.binaries.major} failed",
                hint=f"The server's log is in {self.log}",
                detail=text[-4000:],
            )

    def environment(self) -> dict[str, str]:
        """The environment of Postgres programs: nothing of ours but where programs are."""
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        kept |= {"LC_ALL": "C", "LANG": "C"}
        icu = self.binaries.bindir.parent / "share" / "icu"
        if icu.is_dir():
            kept["ICU_DATA"] = str(icu)
        return kept

    def _write_settings(self, port: int) -> None:
        settings = {
            "cluster_name": self.label,
            "listen_addresses": HOST,
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": "100",
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
            "logging_collector": "on",
            "log_directory": "../log",
            "log_filename": "postgres-%a.log",
            "log_rotation_age": "1d",
            "log_rotation_size": "0",
            "log_truncate_on_rotation": "on",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %u@%d ",
        }
        if sys.platform == "linux" and self.user is None:
            # systemd removes an ordinary user's shared memory objects at logout (RemoveIPC).
            settings["dynamic_shared_memory_type"] = "mmap"
        settings |= self.settings
        lines = [
            f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()
        ]
        path = self.data / "ifcbase.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        own(path, self.user, 0o600)

    def _log_tail(self, log: Path, offset: int) -> str:
        """What was logged since a start that failed, at most 4000 characters."""
        tail = log.read_bytes()[offset:]
        days = sorted(self.log.glob("postgres-*.log"), key=lambda path: path.stat().st_mtime)
        if days:
            tail += days[-1].read_bytes()[-4000:]
        return tail.decode("utf-8", "replace")[-4000:]
