"""Many files in processes of their own: crashes, silence and errors stay with their file."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ifcbase.errors import ComputeError, NativeCrash, OutOfTimeBudget
from ifcbase.ifc.mesh_cache import MeshCache
from ifcbase.ifc.meshing.audit import Outcome, audit
from ifcbase.ifc.meshing.pool import PARTIAL, FileToMesh, estimated_cost, mesh_files
from tests.integration.meshing.models import Writer
from tests.unit.meshing.samples import same

#: A worker in which something happens while a file is meshed: WHERE is a mesher, WHAT is Python.
WORKER = """
import os, signal, sys, time
from ifcbase.ifc.meshing import build, worker
from ifcbase.ifc.meshing.fast import FastMesher
from ifcbase.ifc.meshing.geometry_library import GeometryLibraryMesher
where, name, what = sys.argv[1:]
for cls in (FastMesher, GeometryLibraryMesher):
    def mesh(self, source, wanted, _real=cls.mesh):
        if self.name in where and name in source.path.name:
            exec(what)
        return _real(self, source, wanted)
    cls.mesh = mesh
worker.main()
"""
CRASH = "os.kill(os.getpid(), signal.SIGSEGV)"


def worker(where: str, name: str, what: str) -> list[str]:
    return [sys.executable, "-c", WORKER, where, name, what]


@pytest.fixture
def files(tmp_path: Path) -> list[FileToMesh]:
    """Three files of two boxes each; their volumes are 1, 2, 3 and 10."""
    made = []
    for number in (1, 2, 3):
        writer = Writer()
        writer.box((0, 0, 0), (1, 1, number))
        writer.box((5, 0, 0), (1, 1, 10))
        path = tmp_path / f"model-{number}.ifc"
        wanted = writer.write(path)
        made.append(FileToMesh(path, hashlib.sha256(path.read_bytes()).hexdigest(), wanted))
    return made


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    folder = tmp_path / "stage"
    folder.mkdir()
    return folder


def test_files_come_back_in_their_order_with_their_own_meshes(
    files: list[FileToMesh], stage: Path
) -> None:
    told: list[float] = []

    def tell(phase: str, fraction: float, note: str = "") -> None:
        told.append(fraction)

    results = mesh_files(files, stage=stage, processes=2, progress=tell)
    assert [r.error for r in results] == [None, None, None]
    for number, result in enumerate(results, start=1):
        assert result.meshes is not None
        assert audit(result.meshes.meshes).volume == pytest.approx([number, 10], abs=1e-4)
    assert sorted(told) == pytest.approx([1 / 3, 2 / 3, 1])


def test_a_warm_run_gives_the_bytes_of_the_cold_one(
    files: list[FileToMesh], stage: Path, tmp_path: Path
) -> None:
    cache = MeshCache(tmp_path / "cache", 10**9)
    cold = mesh_files(files, stage=stage, cache=cache, processes=1)
    assert cache.admit_all(stage) == []
    warm = mesh_files(files, stage=stage, cache=cache, command=["/nowhere/no-worker"])
    for before, after in zip(cold, warm, strict=True):
        assert not before.from_cache
        assert after.from_cache
        assert before.meshes is not None
        assert after.meshes is not None
        assert same(before.meshes, after.meshes)


def test_one_file_revised_leaves_the_others_in_the_cache(
    files: list[FileToMesh], stage: Path, tmp_path: Path
) -> None:
    cache = MeshCache(tmp_path / "cache", 10**9)
    mesh_files(files, stage=stage, cache=cache, processes=1)
    cache.admit_all(stage)
    revised = [FileToMesh(files[0].path, "f" * 64, files[0].wanted), *files[1:]]
    found = mesh_files(revised, stage=stage, cache=cache, processes=1)
    assert [r.from_cache for r in found] == [False, True, True]


@pytest.mark.parametrize("mesher", ["fast", "hybrid"])
def test_a_crash_in_one_mesher_is_made_up_for_by_the_others(
    files: list[FileToMesh], stage: Path, tmp_path: Path, mesher: str
) -> None:
    """A segmentation fault of native code loses neither its file nor the others."""
    doubtful = Writer()
    same_id = "0123456789ABCDEFGHIJKL"  # makes the fast mesher pass both on
    doubtful.box((0, 0, 0), (1, 1, 2), global_id=same_id)
    doubtful.box((5, 0, 0), (1, 1, 10), global_id=same_id)
    path = tmp_path / "model-2.ifc"
    files[1] = FileToMesh(path, "2" * 64, doubtful.write(path))
    results = mesh_files(files, stage=stage, processes=2, command=worker(mesher, "model-2", CRASH))
    assert [r.error for r in results] == [None, None, None]
    assert [list(r.crashes) for r in results] == [[], [mesher], []]
    assert "SIGSEGV" in results[1].crashes[mesher]
    found = results[1].meshes
    assert found is not None
    assert audit(found.meshes).volume == pytest.approx([2, 10], abs=1e-4)
    assert mesher in found.engine["crashes"]
    # Made without one of its meshers: good for this run, not for the cache.
    assert len(list(stage.glob("*.mesh"))) == 2
    assert len(list((stage / PARTIAL).glob("*.mesh"))) == 1


def test_a_file_that_crashes_every_mesher_is_an_error_of_that_file(
    files: list[FileToMesh], stage: Path
) -> None:
    results = mesh_files(
        files,
        stage=stage,
        processes=1,
        command=worker(
            "fast hybrid opencascade", "model-2", "print('last words', flush=True);" + CRASH
        ),
    )
    error = results[1].error
    assert isinstance(error, NativeCrash)
    assert "model-2.ifc" in error.message
    assert "SIGSEGV" in error.message
    assert error.detail is not None
    assert "last words" in error.detail
    assert set(results[1].crashes) == {"fast", "hybrid", "opencascade"}
    assert results[0].meshes is not None
    assert results[2].meshes is not None


def test_a_mesher_that_hangs_is_left_out(files: list[FileToMesh], stage: Path) -> None:
    results = mesh_files(
        files,
        stage=stage,
        processes=1,
        timeout_s=10.0,
        command=worker("fast", "model-3", "time.sleep(60)"),
    )
    assert [r.error for r in results] == [None, None, None]
    assert results[2].crashes == {"fast": "no answer in time"}
    assert results[2].meshes is not None
    assert results[2].meshes.count(Outcome.SOLID) == 2


def test_a_file_that_takes_too_long_is_an_error_of_that_file(
    files: list[FileToMesh], stage: Path
) -> None:
    results = mesh_files(
        files[:1],
        stage=stage,
        timeout_s=1.0,
        command=[sys.executable, "-c", "import time; time.sleep(60)"],
    )
    assert isinstance(results[0].error, OutOfTimeBudget)
    assert "model-1.ifc" in results[0].error.message


def test_a_worker_killed_before_it_says_anything_is_an_error_not_a_hang(
    files: list[FileToMesh], stage: Path
) -> None:
    results = mesh_files(files, stage=stage, processes=2, command=[sys.executable, "-c", "exit(7)"])
    for result in results:
        assert isinstance(result.error, NativeCrash)
        assert "exit status 7" in result.error.message


def test_what_native_code_prints_does_not_disturb_the_answers(
    files: list[FileToMesh], stage: Path
) -> None:
    noise = 'os.write(1, b\'{"event": "done", "entry": "/etc/passwd"}\\n\')'
    results = mesh_files(files, stage=stage, processes=1, command=worker("fast", "model", noise))
    assert [r.error for r in results] == [None, None, None]
    assert all(r.meshes is not None and len(r.meshes) == 2 for r in results)


def test_an_exception_nobody_foresaw_is_typed_and_the_worker_lives_on(
    files: list[FileToMesh], stage: Path
) -> None:
    results = mesh_files(
        files, stage=stage, processes=1, command=worker("fast", "model-1", "raise KeyError('x')")
    )
    assert isinstance(results[0].error, ComputeError)
    assert "KeyError" in str(results[0].error.detail)
    assert results[1].meshes is not None


def test_a_file_that_is_no_model_is_an_error_of_that_file(
    files: list[FileToMesh], stage: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "garbage.ifc"
    bad.write_text("garbage")
    gone = FileToMesh(tmp_path / "gone.ifc", "1" * 64, files[0].wanted)
    results = mesh_files(
        [FileToMesh(bad, "0" * 64, files[0].wanted), files[1], gone], stage=stage, processes=1
    )
    assert isinstance(results[0].error, ComputeError)
    assert "garbage.ifc" in results[0].error.message
    assert results[1].meshes is not None
    assert results[1].meshes.count(Outcome.SOLID) == 2
    assert isinstance(results[2].error, ComputeError)


def test_it_works_with_hardly_any_environment(
    files: list[FileToMesh], stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandboxed child has no more than it needs."""
    for name in list(os.environ):
        if name not in {"TMPDIR"}:
            monkeypatch.delenv(name)
    results = mesh_files(files, stage=stage, processes=2)
    assert [r.error for r in results] == [None, None, None]


def test_no_process_is_left_behind(files: list[FileToMesh], stage: Path) -> None:
    import psutil

    before = set(psutil.Process().children(recursive=True))
    mesh_files(files, stage=stage, processes=2, command=worker("fast", "model-1", CRASH))
    deadline = time.monotonic() + 5
    while set(psutil.Process().children(recursive=True)) - before:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_no_files_at_all(stage: Path) -> None:
    assert mesh_files([], stage=stage) == []


def test_clipped_walls_cost_more_than_as_many_bytes_of_text(tmp_path: Path) -> None:
    """File size does not predict cost: 2 MB of half-space clippings took a minute."""
    clipped, plain = tmp_path / "clipped.ifc", tmp_path / "plain.ifc"
    clipped.write_bytes(b"#1=IFCBOOLEANCLIPPINGRESULT(.DIFFERENCE.,#2,#3);\n" * 1000)
    plain.write_bytes(b"#1=IFCCARTESIANPOINT((0.,0.,0.));\n" * 5000)
    assert estimated_cost(clipped) > 10 * estimated_cost(plain)
    assert estimated_cost(tmp_path / "missing.ifc") == 0.0
    assert np.isfinite(estimated_cost(plain))
