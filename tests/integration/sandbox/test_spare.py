"""The spare child: prepared, used once, replaced."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from ifcbase.errors import IfcbaseError, NativeCrash
from ifcbase.jobs.sandbox import Sandbox, SandboxJob, SandboxResult
from tests.integration.sandbox.conftest import RUNS, is_alive, job, offspring, result_of


def test_a_job_runs_in_the_spare_child_and_the_next_one_in_another(
    work: Path, tmp_path: Path
) -> None:
    with Sandbox([RUNS], work_folder=work, memory_mb=512) as sandbox:
        pids = []
        for i in range(3):
            waiting = sandbox.spare_pid
            result = sandbox.run(job("normal", tmp_path / str(i)))
            assert result.pid == waiting
            assert result_of(tmp_path / str(i))["pid"] == waiting
            pids.append(result.pid)
        assert len(set(pids)) == 3


def test_the_next_spare_is_started_while_the_job_runs(work: Path, folder: Path) -> None:
    with Sandbox([RUNS], work_folder=work, memory_mb=512) as sandbox:
        first = sandbox.spare_pid
        seen: list[int | None] = []

        def look(phase: str, fraction: float, note: str = "") -> None:
            seen.append(sandbox.spare_pid)

        sandbox.run(job("normal", folder), on_progress=look)
        assert seen[0] is not None
        assert seen[0] != first


def test_the_spare_child_has_imported_what_the_job_needs(work: Path, folder: Path) -> None:
    """Warm means imported before: the module's file may vanish and the job still runs."""
    package = work.parent / "warm_package"
    package.mkdir()
    module = package / "warm_module.py"
    module.write_text(
        "def run(request, inputs, folder, progress):\n    (folder / 'done').write_text('x')\n",
        encoding="utf-8",
    )
    sys.path.append(str(package))
    try:
        with Sandbox(["warm_module"], work_folder=work, memory_mb=512) as sandbox:
            assert sandbox.spare_pid is not None
            time.sleep(0.1)
            deadline = time.monotonic() + 20
            while not list(package.glob("__pycache__/*")) and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.1)
            module.unlink()
            for cached in package.glob("__pycache__/*"):
                cached.unlink()
            sandbox.run(SandboxJob("warm_module:run", {}, {}, folder, 60, 512))
        assert (folder / "done").exists()
    finally:
        sys.path.remove(str(package))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_spare_child_that_died_while_waiting_is_replaced(
    work: Path, folder: Path, number: signal.Signals
) -> None:
    with Sandbox([RUNS], work_folder=work, memory_mb=512) as sandbox:
        spare = sandbox.spare_pid
        assert spare is not None
        os.kill(spare, number)
        result = sandbox.run(job("normal", folder))
        assert result.pid != spare
        assert result_of(folder)["pid"] == result.pid
        assert sandbox.spare_pid is not None
        assert not is_alive(spare)


def test_a_crash_in_the_job_is_not_mistaken_for_a_lost_spare(work: Path, folder: Path) -> None:
    """Run twice, a crashing job would look like one that takes twice as long."""
    with Sandbox([RUNS], work_folder=work, memory_mb=512) as sandbox:
        spare = sandbox.spare_pid
        with pytest.raises(NativeCrash):
            sandbox.run(job("abort", folder))
        following = sandbox.spare_pid
        assert following not in (None, spare)
        assert sandbox.run(job("normal", folder)).pid == following


def test_without_spare_no_child_waits(work: Path, folder: Path) -> None:
    with Sandbox([RUNS], work_folder=work, memory_mb=512, spare=False) as sandbox:
        assert sandbox.spare_pid is None
        sandbox.run(job("normal", folder))
        assert sandbox.spare_pid is None
        assert offspring() == []


def test_the_spare_outlives_the_thread_that_asked_for_it(work: Path, tmp_path: Path) -> None:
    """The kernel ties a child's life to the thread that started it, not to the process."""
    with Sandbox([RUNS], work_folder=work, memory_mb=512) as sandbox:
        results: list[SandboxResult] = []

        def work_on() -> None:
            results.append(sandbox.run(job("normal", tmp_path / "a")))

        thread = threading.Thread(target=work_on)
        thread.start()
        thread.join()
        waiting = sandbox.spare_pid
        time.sleep(0.3)
        assert waiting is not None
        assert is_alive(waiting)
        assert sandbox.run(job("normal", tmp_path / "b")).pid == waiting
    assert results[0].pid != waiting


def test_two_sandboxes_and_several_threads_at_once(work: Path, tmp_path: Path) -> None:
    done: list[int] = []
    failed: list[IfcbaseError] = []

    def work_on(sandbox: Sandbox, name: str) -> None:
        for i in range(2):
            try:
                folder = tmp_path / f"{name}-{i}"
                result = sandbox.run(job("normal", folder, n=i))
                assert result_of(folder)["request"] == i
                done.append(result.pid)
            except IfcbaseError as error:
                failed.append(error)

    with (
        Sandbox([RUNS], work_folder=work, memory_mb=512) as one,
        Sandbox([RUNS], work_folder=work, memory_mb=512) as two,
    ):
        threads = [
            threading.Thread(target=work_on, args=(sandbox, name))
            for sandbox, name in [(one, "a"), (one, "b"), (two, "c"), (two, "d")]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    assert len(set(done)) == 8
