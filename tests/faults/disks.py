"""A disk of a few megabytes that a test may fill."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.whole import unable


@contextmanager
def small_disk(at: Path, megabytes: int) -> Iterator[Path]:
    """A tmpfs, mounted by root for the block."""
    at.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "ifcbase-test", str(at)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        unable(f"needs root that may mount: {done.stderr.strip()}")
    try:
        yield at
    finally:
        # Lazily: who still looks into it keeps what he sees, and it is gone when he ends.
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def fill(disk: Path, *, leave: int = 0) -> Path:
    """Take all room but ``leave`` bytes; gives the file whose removal gives it back."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as writer:
        try:
            while True:
                writer.write(b"\0" * (64 << 10))
        except OSError:
            pass
        if leave:
            writer.truncate(writer.tell() - leave)
    return filler
