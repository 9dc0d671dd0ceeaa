"""Many files at once: one process per core, one file at a time in each, costliest first."""

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
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import ifcbase
from ifcbase.errors import IfcbaseError, NativeCrash, OutOfTimeBudget, from_dict
from ifcbase.ifc.mesh_cache import MeshCache, entry_key
from ifcbase.ifc.meshing.build import default_meshers, engine_facts
from ifcbase.ifc.meshing.entry import read_entry
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshing.mesher import Wanted
from ifcbase.progress import Progress, silent

WORKER = (sys.executable, "-m", "ifcbase.ifc.meshing.worker")
#: Folder name for entries made while a mesher was left out: good for this run, not for the cache.
PARTIAL = "partial"
#: Rough seconds that each occurrence in the file text costs; only their order matters.
COSTS = {
    b"=IFCBOOLEAN": 4e-3,
    b"=IFCRELVOIDSELEMENT": 1e-3,
    b"=IFCFACETEDBREP": 1e-4,
    b"=IFCADVANCEDBREP": 1e-2,
}
SECONDS_PER_BYTE = 7e-8


@dataclass(frozen=True, slots=True)
class FileToMesh:
    """A file, its SHA-256 and the elements wanted of it."""

    path: Path
    sha256: str
    wanted: Wanted


@dataclass(slots=True)
class Meshing:
    """What came of one file: its meshes, or the error that stopped it; crashes by mesher."""

    meshes: FileMeshes | None = None
    error: IfcbaseError | None = None
    from_cache: bool = False
    crashes: dict[str, str] = field(default_factory=dict)


def estimated_cost(path: Path) -> float:
    """Seconds that meshing may take, from counting costly entities in the file's text."""
    try:
        text = path.read_bytes()
    except OSError:
        return 0.0  # the worker will say what is wrong with it
    return len(text) * SECONDS_PER_BYTE + sum(text.count(w) * s for w, s in COSTS.items())


def mesh_files(
    files: Sequence[FileToMesh],
    *,
    stage: Path,
    cache: MeshCache | None = None,
    processes: int | None = None,
    timeout_s: float | None = None,
    progress: Progress = silent,
    command: Sequence[str] = WORKER,
) -> list[Meshing]:
    """Meshes of each file, from the cache or made now; row i is file i.

    New entries lie in ``stage`` for the parent to admit. A file whose process crashes or takes
    longer than ``timeout_s`` is tried again without the mesher that did it; if none is left, its
    error says so, and the other files are not touched by it.
    """
    engine = engine_facts(default_meshers())
    results = [Meshing() for _ in files]
    keys = [entry_key(f.sha256, f.wanted, engine) for f in files]
    waiting: list[int] = []
    for i, key in enumerate(keys):
        meshes = cache.get(key) if cache is not None else None
        if meshes is None:
            waiting.append(i)
        else:
            results[i] = Meshing(meshes, from_cache=True)
    order = sorted(waiting, key=lambda i: (-estimated_cost(files[i].path), i))
    queue: SimpleQueue[int] = SimpleQueue()
    for i in order:
        queue.put(i)
    count = min(processes or os.cpu_count() or 1, len(waiting))
    pool = _Pool(files, keys, results, stage, timeout_s, tuple(command))
    done = len(files) - len(waiting)
    lock = threading.Lock()

    def work() -> None:
        nonlocal done
        with _Worker(pool.command) as worker:
            while True:
                try:
                    i = queue.get_nowait()
                except Empty:
                    return
                pool.mesh(i, worker)
                with lock:
                    done += 1
                    progress("meshing", done / len(files), files[i].path.name)

    _run_threads(work, count)
    return results


def _run_threads(work: Any, count: int) -> None:
    """Run the same work in some threads; the first exception of any of them is raised here."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  carried over to the calling thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, name=f"mesh-{n}") for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@dataclass(slots=True)
class _Pool:
    files: Sequence[FileToMesh]
    keys: list[str]
    results: list[Meshing]
    stage: Path
    timeout_s: float | None
    command: tuple[str, ...]

    def mesh(self, i: int, worker: _Worker) -> None:
        """Mesh file i, leaving out meshers that crash, until it is done or none is left."""
        file, result, key = self.files[i], self.results[i], self.keys[i]
        names = [m.name for m in default_meshers()]
        folder = self.stage
        while True:
            answer = worker.ask(self._task(file, key, folder, names), self.timeout_s)
            if answer.crash is None:
                break
            result.crashes[answer.mesher] = answer.crash
            result.error = answer.failure(file.path)
            if answer.mesher not in names or len(names) == 1:
                return
            names.remove(answer.mesher)
            folder = self.stage / PARTIAL
            folder.mkdir(exist_ok=True)
        if answer.error is not None:
            result.error = answer.error
            return
        try:
            result.meshes = read_entry(Path(answer.entry), key, distrust=True)
        except (IfcbaseError, OSError) as error:
            result.error = error if isinstance(error, IfcbaseError) else NativeCrash(str(error))
            return
        result.error = None
        if result.crashes:
            result.meshes.engine["crashes"] = dict(result.crashes)

    @staticmethod
    def _task(file: FileToMesh, key: str, folder: Path, meshers: list[str]) -> dict[str, Any]:
        return {
            "path": str(file.path.absolute()),
            "step_ids": file.wanted.step_ids.tolist(),
            "global_ids": file.wanted.global_ids,
            "ifc_classes": file.wanted.ifc_classes,
            "stage": str(folder.absolute()),
            "key": key,
            "meshers": meshers,
        }


@dataclass(slots=True)
class _Answer:
    """The end of one task: an entry, an error, or a crash of the process."""

    mesher: str = "start"
    entry: str = ""
    error: IfcbaseError | None = None
    crash: str | None = None
    timed_out: bool = False
    stderr: str = ""

    def failure(self, path: Path) -> IfcbaseError:
        cls = OutOfTimeBudget if self.timed_out else NativeCrash
        return cls(
            f"{path.name}: the mesher {self.mesher} ended with {self.crash}", detail=self.stderr
        )


class _Worker:
    """A worker process, started when there is something to do and again after a crash."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[str] | None = None
        self._errors: Any = None

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, task: dict[str, Any], timeout_s: float | None) -> _Answer:
        """Give one task and wait for its end."""
        process = self._started()
        answer = _Answer()
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
