"""The local files backend: what a killed process left goes, what is coming stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from ifcbase.files.local import LocalFiles

#: Puts a file and is killed while it writes.
_KILLED = """
import os, signal, sys
from pathlib import Path
from ifcbase.files.local import LocalFiles
real = os.fsync
def fsync(descriptor):
    os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync
LocalFiles(Path(sys.argv[1])).put("default", Path(sys.argv[2]))
"""


def test_what_a_killed_process_had_half_written_is_swept_when_it_is_old(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("some bytes")
    store = LocalFiles(tmp_path / "files")
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(store.folder), str(source)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == -9
    (half,) = (store.folder / "default").iterdir()
    stored = store.put("default", source)
    assert store.sweep() == 0, "somebody may be writing it just now"
    assert half.exists()
    old = time.time() - 2 * 24 * 3600
    os.utime(half, (old, old))
    path = store.fetch("default", stored.sha256)
    os.utime(path, (old, old))
    assert store.sweep() == 1
    assert not half.exists()
    assert path.read_text() == "some bytes", "what is whole stays, however old it is"


def test_an_empty_store_has_nothing_to_sweep(tmp_path: Path) -> None:
    assert LocalFiles(tmp_path / "not made yet").sweep() == 0
