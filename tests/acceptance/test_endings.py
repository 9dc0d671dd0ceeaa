"""However a command ends, it leaves nothing that works on, and says how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ifcbase.samples import Sample
from tests.acceptance.stand import Stand, eventually

#: The workers end in order, of which the first moments of one are a part, on a busy machine.
GONE_S = 60.0


def processes(stand: Stand) -> list[psutil.Process]:
    """All processes that work for this home: its starter, workers, and their children."""
    found = []
    for process in psutil.process_iter():
        try:
            of_home = process.environ().get("IFCBASE_HOME") == str(stand.home)
            words = process.cmdline()
            if of_home and process.status() != psutil.STATUS_ZOMBIE and "ifcbase" in str(words):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def workers(stand: Stand) -> list[psutil.Process]:
    found = []
    for process in processes(stand):
        try:
            if "worker" in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def none_left(stand: Stand) -> None:
    eventually(
        lambda: not processes(stand), "nothing works on", lambda: processes(stand), within_s=GONE_S
    )


@contextmanager
def started(
    stand: Stand, *arguments: str | Path, stdout: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    """A command in the background with a folder of its own for what is temporary."""
    scratch = stand.home / "scratch"
    scratch.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "ifcbase", *map(str, arguments)],
        cwd=stand.home,
        env=stand.environment(TMPDIR=str(scratch)),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        left = processes(stand)
        process.kill()
        process.communicate()
        for each in left:
            if each.is_running():
                each.kill()


@contextmanager
def serving(stand: Stand, command: str = "up") -> Iterator[subprocess.Popen[bytes]]:
    """`up` or `demo`, once it has workers."""
    with started(stand, command) as process:
        eventually(lambda: len(workers(stand)) == 2, "two workers", lambda: process.poll())
        yield process


def test_up_whose_reader_has_gone_leaves_no_worker(stand: Stand) -> None:
    """`ifcbase up | true`"""
    reader, writer = os.pipe()
    os.close(reader)
    with started(stand, "up", stdout=writer) as process:
        os.close(writer)
        assert process.wait(GONE_S) == 141
        none_left(stand)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_up_that_is_told_to_end_stops_its_workers(stand: Stand, number: signal.Signals) -> None:
    with serving(stand) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=GONE_S)
        assert (process.returncode, err) == (0, b"")
        assert out.endswith(b"stopped\n")
        assert processes(stand) == []


def test_workers_end_with_a_starter_that_is_killed(stand: Stand) -> None:
    logs = stand.home / "logs"
    with serving(stand) as process:
        eventually(
            lambda: all(b" serves " in log.read_bytes() for log in logs.glob("worker-*.log")),
            "both workers serve",
        )
        process.kill()
        process.wait()
        none_left(stand)


def test_demo_that_is_told_to_end_leaves_nothing(stand: Stand) -> None:
    with serving(stand, "demo") as process:
        eventually(lambda: any((stand.home / "scratch").iterdir()), "the demo has its folder")
        process.terminate()
        _, err = process.communicate(timeout=GONE_S)
        assert (process.returncode, err) == (143, b"")
        assert processes(stand) == []
        assert list((stand.home / "scratch").iterdir()) == []


def test_ctrl_c_in_demo_is_one_line_and_leaves_nothing(stand: Stand) -> None:
    with serving(stand, "demo") as process:
        eventually(lambda: any((stand.home / "scratch").iterdir()), "the demo has its folder")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=GONE_S)
        assert (process.returncode, err) == (130, b"interrupted\n")
        assert processes(stand) == []
        assert list((stand.home / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [(signal.SIGINT, 130, b"interrupted\n"), (signal.SIGTERM, 143, b"")],
)
def test_ctrl_c_in_clash_is_one_line_and_ends_the_child(
    stand: Stand, sample: Sample, number: signal.Signals, code: int, told: bytes
) -> None:
    models: list[str | Path] = ["--a", sample.files["Structure"], "--b", sample.files["Services"]]
    with started(stand, "clash", *models, "--json") as process:
        child = psutil.Process(process.pid)
        eventually(lambda: bool(child.children()), "the check has its child", process.poll)
        process.send_signal(number)
        out, err = process.communicate(timeout=GONE_S)
        assert (process.returncode, out, err) == (code, b"", told)
        assert processes(stand) == []
        assert list((stand.home / "scratch").iterdir()) == []


def test_a_report_that_cannot_be_written_is_one_json_document(
    service: Stand, sample: Sample
) -> None:
    """There were two: the job, and after it the error."""
    models: list[str | Path] = ["--a", sample.files["Structure"], "--b", sample.files["Services"]]
    done = service.cli("clash", *models, "--submit", "--json", "-o", "/dev/full")
    assert done.code == 2, done
    error = json.loads(done.out)["error"]
    assert error["code"] == "file-unwritable"
    # The result is kept, and who asked can find it.
    job = service.job(error["job_id"])
    assert job["state"] == "finished"


def test_waiting_for_a_job_outlasts_an_outage(stand: Stand, sample: Sample) -> None:
    """Postgres restarts while a pipeline waits: it said "failed", and the job went on."""
    models: list[str | Path] = ["--a", sample.files["Structure"], "--b", sample.files["Services"]]
    with started(stand, "clash", *models, "--submit", "--json") as process:
        eventually(lambda: stand.count("core.jobs") == 1, "the job is there", process.poll)
        with stand.outage():
            time.sleep(2)
            assert process.poll() is None
        with stand.worker():
            out, err = process.communicate(timeout=120)
    assert process.returncode == 1, (out, err)
    assert json.loads(out)["state"] == "finished"
