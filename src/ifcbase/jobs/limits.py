"""What a child process takes away from itself before it loads native code.

Standard library only, and called before the child has threads: some of it is impossible later.
What a machine does not allow is reported as a fact ("open: ..."), never as an error.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import fcntl
    import resource

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

# Libraries reserve far more addresses than they use: the budget proper is on resident memory and
# kept by the parent. This only stops a runaway faster than the parent can look.
ADDRESS_SPACE_FACTOR = 2
ADDRESS_SPACE_EXTRA_MB = 8192


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use. Memory and the size of one file are in mebibytes."""

    memory_mb: int
    cores: int = 1
    open_files: int = 1024
    file_mb: int = 8192
    network: bool = False

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def apply(limits: Limits, parent: int) -> dict[str, str]:
    """Apply all that can be applied before a job is known; ``parent`` is the parent's process id.

    A child that runs as root stays root: it must read the files root gave it. Run the worker as an
    ordinary user, as the container image does, to take that away too.
    """
    os.umask(0o077)
    facts = {"network": "allowed" if limits.network else _cut_network()}
    # After the namespaces: a change of credentials may clear it.
    facts["parent_death"] = _die_with_parent(parent)
    facts["privileges"] = _no_new_privileges()
    facts["core_dumps"] = _limit("RLIMIT_CORE", 0)
    facts["open_files"] = _limit("RLIMIT_NOFILE", limits.open_files)
    facts["file_size"] = _limit("RLIMIT_FSIZE", limits.file_mb << 20)
    facts["memory"] = limit_memory(limits.memory_mb)
    return facts


def limit_memory(memory_mb: int, *, final: bool = False) -> str:
    """Set the far backstop on addresses; only a ``final`` one cannot be raised again."""
    mebibytes = memory_mb * ADDRESS_SPACE_FACTOR + ADDRESS_SPACE_EXTRA_MB
    return _limit("RLIMIT_AS", mebibytes << 20, final=final)


def claim_cores(count: int, folder: Path) -> str:
    """Bind this process to ``count`` cores that no other child of the machine claims, if possible.

    A claim is a lock on a file in ``folder``, which ends with the process. Without it every child
    would sit on the first core. Where all are claimed, the rest is taken at random.
    """
    if sys.platform != "linux":
        return "open: no core affinity on this system"
    available = sorted(os.sched_getaffinity(0))
    if count >= len(available):
        return f"all {len(available)} cores"
    random.shuffle(available)
    claimed: list[int] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for core in available:
            lock = os.open(folder / f"core-{core}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                claimed.append(core)
            except BlockingIOError:
                os.close(lock)
            if len(claimed) == count:
                break
        chosen = (claimed + [core for core in available if core not in claimed])[:count]
        # Affinity belongs to threads, and libraries imported earlier may have started some.
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), chosen)
    except OSError as error:
        return f"open: {error}"
    return "cores " + ", ".join(str(core) for core in sorted(chosen))


def _limit(name: str, value: int, *, final: bool = True) -> str:
    if sys.platform == "win32" or not hasattr(resource, name):
        return "open: no such limit on this system"
    which = getattr(resource, name)
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(which, (value, value if final else hard))
    except (ValueError, OSError) as error:
        return f"open: {error}"
    return str(value)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _system_error() -> str:
    return f"open: {os.strerror(ctypes.get_errno())}"


def _die_with_parent(parent: int) -> str:
    """Ask the kernel to kill this process when the thread that started it ends."""
    if sys.platform != "linux":
        return "when its input closes"
    if _libc().prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        return _system_error()
    if os.getppid() != parent:
        # It died before we could ask.
        os._exit(0)
    return "killed"


def _no_new_privileges() -> str:
    if sys.platform != "linux":
        return "open: not on this system"
    if _libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return _system_error()
    return "no new ones"


def _cut_network() -> str:
    """Move into an empty network namespace: no interface is up there, not even the loopback.

    Unix sockets that have a path stay reachable; file permissions guard those.
    """
    if sys.platform != "linux":
        return "open: no network namespaces on this system"
    libc = _libc()
    if libc.unshare(CLONE_NEWNET) == 0:
        return "cut"
    user, group = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return _system_error()
    try:
        # Without the maps the process would not know its own user.
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    except OSError as error:
        return f"cut; user not mapped: {error}"
    return "cut"
