"""The temporary folder of an attempt: made for it, gone after it, also when its worker was killed."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ifcbase.jobs.leftovers import lock_folder, remove_folder

#: A folder has this name only while (or after) its owner holds its lock.
PREFIX = "job-"
_UNFINISHED = f".{PREFIX}"
#: No folder is in the making for so long, in seconds.
_MADE_WITHIN_S = 60.0


@contextmanager
def job_folder(work_folder: Path, job_id: str) -> Iterator[Path]:
    """A folder for one attempt. Folders of workers that died are removed on the way."""
    work_folder.mkdir(parents=True, exist_ok=True)
    sweep_jobs(work_folder)
    made = Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{job_id[:8]}-", dir=work_folder))
    lock = lock_folder(made)
    try:
        # Renamed once it is locked, so that nobody takes it for one that was left behind.
        folder = made.rename(made.with_name(made.name.removeprefix(".")))
        try:
            yield folder
        finally:
            remove_folder(folder)
    finally:
        os.close(lock)


def sweep_jobs(work_folder: Path) -> int:
    """Remove the folders of workers that are gone; returns how many."""
    removed = 0
    for folder in sorted([*work_folder.glob(f"{PREFIX}*"), *work_folder.glob(f"{_UNFINISHED}*")]):
        try:
            if folder.name.startswith(".") and _age_s(folder) < _MADE_WITHIN_S:
                continue
            lock = lock_folder(folder)
        except OSError:
            # In use, or another worker swept it between our look and our step.
            continue
        try:
            remove_folder(folder)
            removed += 1
        finally:
            os.close(lock)
    return removed


def _age_s(folder: Path) -> float:
    return time.time() - folder.stat().st_mtime
