"""Many files at once: one process per core, one file at a time in each, costliest first."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from ifcbase.errors import IfcbaseError, ReportInvalid
from ifcbase.ifc.mesh_cache import MeshCache, entry_key
from ifcbase.ifc.meshing.build import default_meshers, engine_facts
from ifcbase.ifc.meshing.entry import read_entry
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshing.mesher import Wanted
from ifcbase.ifc.meshing.process import COMMAND, Worker
from ifcbase.progress import Progress, silent

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
    command: Sequence[str] = COMMAND,
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
        with Worker(pool.command) as worker:
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

    def mesh(self, i: int, worker: Worker) -> None:
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
        except ReportInvalid as error:
            result.error = error
            return
        except OSError as error:
            result.error = ReportInvalid(
                "the meshes are not where they should be", detail=str(error)
            )
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
