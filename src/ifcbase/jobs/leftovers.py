"""Processes and folders that outlived the one who should have ended them.

A child's folder is the TMPDIR of all it starts, so it marks its descendants, and the lock on it,
held by the worker, says whether the worker still lives.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

if sys.platform != "win32":
    import fcntl

FOLDER_PREFIX = "child-"
log = logging.getLogger(__name__)


def lock_folder(folder: Path) -> int:
    """Lock a folder for this process; returns the descriptor. BlockingIOError: another has it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def kill_marked(folder: Path, *, within_s: float = 5.0) -> None:
    """Kill the processes that inherited ``folder`` as their TMPDIR, whatever session they are in.

    Looks again until none is left, so that one started meanwhile does not get away.
    """
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        found = False
        for pid in psutil.pids():
            # Gone since, or not ours to look into: not a descendant of a child of ours.
            with suppress(psutil.Error, OSError):
                if pid == os.getpid() or not _is_marked(pid, folder):
                    continue
                process = psutil.Process(pid)
                if _is_marked(pid, folder):
                    process.kill()
                    found = True
        if not found:
            return
        time.sleep(0.005)


def _is_marked(pid: int, folder: Path) -> bool:
    """Whether a process inherited ``folder`` as its TMPDIR. Raises psutil.Error, OSError."""
    if sys.platform != "linux":
        return psutil.Process(pid).environ().get("TMPDIR") == str(folder)
    # All processes of the machine are looked at after every job: psutil takes ten times as long.
    mark = b"TMPDIR=" + os.fsencode(folder)
    environment = Path("/proc", str(pid), "environ").read_bytes()
    return mark in environment and mark in environment.split(b"\0")


def remove_folder(folder: Path) -> None:
    """Remove a child's folder, also where the child took the permissions off its own folders."""
    try:
        shutil.rmtree(folder)
    except OSError:
        for path, names, _ in os.walk(folder):
            for inner in (Path(path, name) for name in names):
                if not inner.is_symlink():
                    with suppress(OSError):
                        inner.chmod(0o700)
        try:
            shutil.rmtree(folder)
        except OSError as error:
            # The job's outcome stands; the next sweep of this folder tries again.
            log.warning("the temporary folder %s could not be removed: %s", folder, error)


def sweep(work_folder: Path, *, older_than_s: float = 60.0) -> int:
    """Kill and remove what workers left that were killed; returns the number of folders removed.

    A folder whose lock is held has a living owner. The age protects one that is being made.
    """
    removed = 0
    for folder in sorted(work_folder.glob(FOLDER_PREFIX + "*")):
        try:
            if time.time() - folder.stat().st_mtime < older_than_s:
                continue
            lock = lock_folder(folder)
        except OSError:
            # In use, or another worker swept it between our look and our step.
            continue
        try:
            kill_marked(folder.absolute())
            remove_folder(folder)
            removed += 1
        finally:
            os.close(lock)
    return removed
