"""After every outcome nothing is left: no process, folder, descriptor or thread."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ifcbase.errors import ComputeError, IfcbaseError, JobCancelled, LeaseLost, NativeCrash
from ifcbase.jobs import leftovers
from ifcbase.jobs.sandbox import Sandbox
from tests.integration.sandbox.conftest import (
    RUNS,
    children_folders,
    is_alive,
    job,
    offspring,
    result_of,
)


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("name", ["hang", "hang_in_c", "hang_ignoring_sigterm"])
def test_cancel_frees_the_child_within_two_seconds(
    sandbox: Sandbox, folder: Path, name: str
) -> None:
    cancelled = threading.Event()
    asked: list[float] = []

    def cancel_when_running(phase: str, fraction: float, note: str = "") -> None:
        asked.append(time.monotonic())
        cancelled.set()

    with pytest.raises(JobCancelled) as caught:
        sandbox.run(job(name, folder), on_progress=cancel_when_running, cancelled=cancelled)
    assert time.monotonic() - asked[0] < 2
    assert caught.value.facts is not None
    assert caught.value.facts.signal == (
        "SIGKILL" if name == "hang_ignoring_sigterm" else "SIGTERM"
    )


def test_cancel_works_before_the_child_is_prepared(sandbox: Sandbox, folder: Path) -> None:
    with pytest.raises(JobCancelled):
        sandbox.run(job("normal", folder), cancelled=lambda: True)
    assert not (folder / "result.json").exists()


@pytest.mark.parametrize("then", ["end", "crash", "hang"])
def test_grandchildren_are_killed_wherever_they_hide(
    sandbox: Sandbox, folder: Path, then: str
) -> None:
    cancelled = threading.Event()

    def cancel(phase: str, fraction: float, note: str = "") -> None:
        if then == "hang":
            cancelled.set()

    try:
        sandbox.run(
            job("grandchildren", folder, then=then), on_progress=cancel, cancelled=cancelled
        )
        ended = "end"
    except NativeCrash:
        ended = "crash"
    except JobCancelled:
        ended = "hang"
    assert ended == then
    pids = result_of(folder)["pids"]
    assert len(pids) == 3
    assert [pid for pid in pids if is_alive(pid)] == []


def test_a_forked_copy_that_holds_the_pipe_does_not_delay_the_end(
    sandbox: Sandbox, folder: Path
) -> None:
    result = sandbox.run(job("forked_pipe_holder", folder, timeout_s=30))
    assert result.seconds < 5


def test_what_the_callbacks_raise_passes_through_after_the_child_is_gone(
    sandbox: Sandbox, folder: Path, work: Path
) -> None:
    def lose(phase: str, fraction: float, note: str = "") -> None:
        raise LeaseLost

    with pytest.raises(LeaseLost):
        sandbox.run(job("hang", folder), on_progress=lose)
    assert children_folders(work) == []

    def fail() -> bool:
        raise ConnectionError("database gone")

    with pytest.raises(ConnectionError):
        sandbox.run(job("hang", folder), cancelled=fail)
    assert children_folders(work) == []


def test_a_folder_that_resists_is_removed(sandbox: Sandbox, folder: Path, work: Path) -> None:
    sandbox.run(job("hide_folder", folder))
    assert children_folders(work) == []
    assert folder.is_dir()


def test_thirty_runs_leak_nothing(work: Path, tmp_path: Path) -> None:
    me = psutil.Process()
    names = ["normal", "abort", "typed_error", "leave_with", "hang", "garbage"]

    def run_all(times: int) -> None:
        with Sandbox([RUNS], work_folder=work, memory_mb=512) as sandbox:
            for i in range(times):
                name = names[i % len(names)]
                task = job(
                    name,
                    tmp_path / str(i),
                    timeout_s=0.3 if name == "hang" else 60,
                    code=0,
                    line="x\n",
                )
                try:
                    sandbox.run(task)
                    assert name == "normal"
                except IfcbaseError:
                    assert name != "normal"
            assert len(children_folders(work)) == 1  # the spare child's

    run_all(1)
    descriptors, threads = me.num_fds(), threading.active_count()
    run_all(30)
    assert me.num_fds() == descriptors
    assert threading.active_count() == threads
    assert offspring() == []
    assert children_folders(work) == []
    assert {path.name for path in work.iterdir()} <= {"cores"}


def test_close_kills_the_spare_child_and_refuses_more_jobs(work: Path, folder: Path) -> None:
    sandbox = Sandbox([RUNS], work_folder=work, memory_mb=512)
    spare = sandbox.spare_pid
    assert spare is not None
    assert is_alive(spare)
    sandbox.close()
    sandbox.close()
    assert not is_alive(spare)
    assert sandbox.spare_pid is None
    assert children_folders(work) == []
    with pytest.raises(ComputeError, match="closed"):
        sandbox.run(job("normal", folder))


def test_close_cancels_the_job_of_another_thread(work: Path, folder: Path) -> None:
    sandbox = Sandbox([RUNS], work_folder=work, memory_mb=512)
    running = threading.Event()
    caught: list[BaseException] = []

    def listen(phase: str, fraction: float, note: str = "") -> None:
        running.set()

    def work_on() -> None:
        try:
            sandbox.run(job("hang", folder), on_progress=listen)
        except IfcbaseError as error:
            caught.append(error)

    thread = threading.Thread(target=work_on)
    thread.start()
    assert running.wait(20)
    sandbox.close()
    thread.join(5)
    assert not thread.is_alive()
    assert [type(error) for error in caught] == [JobCancelled]


def test_a_forgotten_sandbox_kills_its_spare_child(work: Path) -> None:
    sandbox = Sandbox([RUNS], work_folder=work, memory_mb=512)
    spare = sandbox.spare_pid
    assert spare is not None
    del sandbox
    assert wait_for(lambda: not is_alive(spare))
    assert children_folders(work) == []


PARENT = """
import json, sys, threading
from pathlib import Path
from ifcbase.jobs.sandbox import Sandbox
from tests.integration.sandbox.conftest import RUNS, job

def tell(phase, fraction, note=""):
    print(json.dumps({"spare": sandbox.spare_pid}), flush=True)

folder = Path(sys.argv[1])
sandbox = Sandbox([RUNS], work_folder=folder / "work", memory_mb=512)
if sys.argv[2] == "leave":
    tell("", 0)
else:
    sandbox.run(job(sys.argv[2], folder / "out", **json.loads(sys.argv[3])), on_progress=tell)
"""


def start_parent(folder: Path, name: str, **request: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder), name, json.dumps(request)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )


def children_of(parent: subprocess.Popen[str]) -> list[int]:
    return [child.pid for child in psutil.Process(parent.pid).children(recursive=True)]


@pytest.mark.parametrize("name", ["hang", "hang_in_c"])
def test_children_die_with_a_parent_that_is_killed(tmp_path: Path, name: str) -> None:
    with start_parent(tmp_path, name) as parent:
        assert parent.stdout is not None
        assert json.loads(parent.stdout.readline())["spare"] in (children := children_of(parent))
        assert len(children) == 2
        parent.kill()
        parent.wait()
    assert wait_for(lambda: not any(is_alive(pid) for pid in children), 5)


def test_the_next_sandbox_sweeps_what_a_killed_worker_left(tmp_path: Path) -> None:
    with start_parent(tmp_path, "grandchildren", then="hang") as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        # The third one wiped its environment: with its session's leader gone, nothing marks it.
        *orphans, unmarked = result_of(tmp_path / "out")["pids"]
        parent.kill()
        parent.wait()
    os.kill(unmarked, signal.SIGKILL)
    work = tmp_path / "work"
    left = children_folders(work)
    assert len(left) == 2
    assert leftovers.sweep(work) == 0, "folders this young may be in the making"
    for folder in left:
        os.utime(folder, (0, 0))
    with Sandbox([RUNS], work_folder=work, memory_mb=512, spare=False):
        assert children_folders(work) == []
    assert wait_for(lambda: not any(is_alive(pid) for pid in orphans), 5)


def test_the_sweep_spares_the_folders_of_living_workers(work: Path) -> None:
    with Sandbox([RUNS], work_folder=work, memory_mb=512) as sandbox:
        (folder,) = children_folders(work)
        os.utime(folder, (0, 0))
        assert leftovers.sweep(work) == 0
        assert folder.is_dir()
        assert sandbox.spare_pid is not None
        assert is_alive(sandbox.spare_pid)


def test_a_parent_that_ends_without_close_leaves_nothing(tmp_path: Path) -> None:
    with start_parent(tmp_path, "leave") as parent:
        output, _ = parent.communicate(timeout=30)
    assert parent.returncode == 0
    assert wait_for(lambda: not is_alive(json.loads(output)["spare"]), 5)
    assert children_folders(tmp_path / "work") == []


def test_a_forked_copy_cannot_use_or_end_the_sandbox(work: Path, folder: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from ifcbase.errors import ComputeError
from ifcbase.jobs.sandbox import Sandbox
from tests.integration.sandbox.conftest import RUNS, is_alive, job
sandbox = Sandbox([RUNS], work_folder=Path(sys.argv[1]), memory_mb=512)
copy = os.fork()
if copy == 0:
    try:
        sandbox.run(job("normal", Path(sys.argv[2])))
    except ComputeError:
        sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == 7
assert is_alive(sandbox.spare_pid)
sandbox.run(job("normal", Path(sys.argv[2])))
sandbox.close()
"""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(work), str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        timeout=60,
    )
    assert result_of(folder)["pid"]


def test_sigterm_to_the_childs_group_is_told_as_such(sandbox: Sandbox, folder: Path) -> None:
    def terminate(phase: str, fraction: float, note: str = "") -> None:
        for child in offspring():
            os.kill(child.pid, signal.SIGTERM)

    with pytest.raises(NativeCrash, match="SIGTERM"):
        sandbox.run(job("hang", folder), on_progress=terminate)
