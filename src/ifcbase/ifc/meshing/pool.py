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
from ifcbase.ifc.meshing.fast import FastMesher
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshing.mesher import Wanted
from ifcbase.ifc.meshing.process import COMMAND, Answer, Worker
from ifcbase.ifc.reading import ReadModel, Selection, read_reading, reading_key
from ifcbase.ifc.signatures import Signatures
from ifcbase.ifc.signed import read_signed, signing_key
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
    """A file, its SHA-256 and the elements wanted of it.

    Without ``wanted`` the file is read first, and what the ``selections`` take is meshed; with
    ``sign`` it is then signed, too.
    """

    path: Path
    sha256: str
    wanted: Wanted | None = None
    selections: tuple[Selection, ...] = ()
    sign: bool = False


@dataclass(slots=True)
class Meshing:
    """What came of one file: its meshes, or the error that stopped it; crashes by mesher."""

    meshes: FileMeshes | None = None
    model: ReadModel | None = None  # where selections were asked for, also if meshing failed
    signatures: Signatures | None = None  # where they were asked for and the model was read
    error: IfcbaseError | None = None
    from_cache: bool = False
    key: str | None = None  # of the meshes in the cache; none where a mesher was left out
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
    waiting: list[int] = []
    for i, file in enumerate(files):
        result = results[i]
        if cache is not None:
            if file.wanted is None:
                result.model = cache.get_reading(reading_key(file.sha256, file.selections))
                if file.sign and result.model is not None:
                    result.signatures = cache.get_signed(_signing_key(file), result.model.inventory)
            wanted = _wanted(file, result.model)
            if wanted is not None:
                result.key = entry_key(file.sha256, wanted, engine)
                result.meshes = cache.get(result.key)
        result.from_cache = result.meshes is not None
        if not result.from_cache or _unsigned(file, result):
            waiting.append(i)
    order = sorted(waiting, key=lambda i: (-estimated_cost(files[i].path), i))
    queue: SimpleQueue[int] = SimpleQueue()
    for i in order:
        queue.put(i)
    count = min(processes or os.cpu_count() or 1, len(waiting))
    pool = _Pool(files, engine, results, stage, timeout_s, tuple(command))
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


def _signing_key(file: FileToMesh) -> str:
    return signing_key(file.sha256, FastMesher().version)


def _unsigned(file: FileToMesh, result: Meshing) -> bool:
    return file.sign and file.wanted is None and result.signatures is None


def _wanted(file: FileToMesh, model: ReadModel | None) -> Wanted | None:
    """What is to be meshed of a file, as far as that is known."""
    if file.wanted is not None or model is None:
        return file.wanted
    return Wanted.of(model.inventory.elements[i] for i in model.union())


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
    engine: dict[str, Any]
    results: list[Meshing]
    stage: Path
    timeout_s: float | None
    command: tuple[str, ...]

    def mesh(self, i: int, worker: Worker) -> None:
        """Mesh file i, leaving out meshers that crash, until it is done or none is left."""
        file, result = self.files[i], self.results[i]
        names = [m.name for m in default_meshers()]
        folder = self.stage
        while True:
            answer = worker.ask(self._task(file, result, folder, names), self.timeout_s)
            try:
                self._take_reading(file, result, answer)
            except (ReportInvalid, OSError) as error:
                result.error = _untrusted(error)
                return
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
        if result.from_cache:
            return  # only signatures were missing
        wanted = _wanted(file, result.model)
        if wanted is None:
            result.error = ReportInvalid("meshes of a model that was not read")
            return
        try:
            key = entry_key(file.sha256, wanted, self.engine)
            result.meshes = read_entry(Path(answer.entry), key, distrust=True)
        except (ReportInvalid, OSError) as error:
            result.error = _untrusted(error)
            return
        result.error = None
        result.key = None if result.crashes else key
        if result.crashes:
            result.meshes.engine["crashes"] = dict(result.crashes)

    def _task(
        self, file: FileToMesh, result: Meshing, folder: Path, meshers: list[str]
    ) -> dict[str, Any]:
        task: dict[str, Any] = {
            "path": str(file.path.absolute()),
            "sha256": file.sha256,
            "selections": None,
            "sign": file.sign,
            "mesh": not result.from_cache,
            "stage": str(folder.absolute()),
            "key": None,
            "meshers": meshers,
        }
        wanted = _wanted(file, result.model)
        if wanted is None or _unsigned(file, result):
            return task | {"selections": file.selections}
        return task | {
            "step_ids": wanted.step_ids.tolist(),
            "global_ids": wanted.global_ids,
            "ifc_classes": wanted.ifc_classes,
            "key": entry_key(file.sha256, wanted, self.engine),
        }

    @staticmethod
    def _take_reading(file: FileToMesh, result: Meshing, answer: Answer) -> None:
        if answer.reading:
            key = reading_key(file.sha256, file.selections)
            result.model = read_reading(Path(answer.reading), key)
        if answer.signed and result.model is not None:
            inventory = result.model.inventory
            result.signatures = read_signed(Path(answer.signed), _signing_key(file), inventory)


def _untrusted(error: ReportInvalid | OSError) -> ReportInvalid:
    if isinstance(error, ReportInvalid):
        return error
    return ReportInvalid("what was made is not where it should be", detail=str(error))
