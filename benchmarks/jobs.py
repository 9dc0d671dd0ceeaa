"""The path of a job from submission to its end, with a check that does nothing, over both engines.

`python -m benchmarks.jobs DSN` on a migrated scratch database; Valkey and the workers are started here.
Everything runs on this machine, so that its clock and the database's are one. Exits with 1 if a target
is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from tests.integration.jobs.brokers import Broker

from benchmarks import noop
from benchmarks.measuring import RESULTS, surroundings, write_section
from ifcbase.files.local import LocalFiles
from ifcbase.jobs.engine import Connection, Engine
from ifcbase.jobs.engines import engine_for
from ifcbase.jobs.submit import submit
from ifcbase.ledger.connect import connect
from ifcbase.settings import Settings

#: What is to hold: milliseconds from submission to start, submissions a second, milliseconds that a
#: job in a warm child takes.
START_MS, A_SECOND, CHILD_MS = 50.0, 100, 150.0
SUBMITTERS = 4


class Way:
    """One engine, its settings, and a worker that serves the no-op check."""

    def __init__(self, dsn: str, home: Path, redis_url: str | None) -> None:
        self.dsn, self.home = dsn, home
        self.settings = Settings(home=home, REDIS_URL=redis_url)
        self.engine: Engine = engine_for(self.settings, dsn)
        self.files = LocalFiles(self.settings.files_folder)
        with connect(dsn) as connection:
            self.engine.install(connection)

    def submit(self, connection: Connection) -> str:
        """Submit one job; gives its id."""
        request: dict[str, Any] = {"clash_sets": []}
        return submit(
            connection, self.engine, self.files, self.settings, "clash", request, {}
        ).job_id

    @contextmanager
    def worker(self) -> Iterator[psutil.Process]:
        """A worker process; ready when the block begins."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("IFCBASE_")}
        environment |= {
            "DATABASE_URL": self.dsn,
            "IFCBASE_HOME": str(self.home),
            "IFCBASE_CLASH_ENGINE": "reference",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        if self.settings.redis_url:
            environment["REDIS_URL"] = self.settings.redis_url.get_secret_value()
        self.home.mkdir(parents=True, exist_ok=True)
        log = self.home / "worker.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.noop", "worker", "--check", "clash"],
                env=environment, stdout=stream, stderr=stream,
            )  # fmt: skip
        try:
            _until(lambda: " serves " in log.read_text(), "the worker did not start")
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(60)


def _until(holds: Callable[[], bool], otherwise: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(otherwise)
        time.sleep(0.01)


def one_by_one(path: Way, jobs: int, pause_s: float) -> list[dict[str, float]]:
    """Jobs for a worker that waits for one, with a warm child: their times in milliseconds."""
    found = []
    with path.worker(), connect(path.dsn) as connection:
        for number in range(jobs + 1):
            # The next child gets ready, and the worker has nothing else to do.
            time.sleep(pause_s)
            asked = time.time()
            job = path.submit(connection)
            accepted = time.time()
            _until(lambda job=job: _ended(connection, job), "the job did not end")  # type: ignore[misc]
            row = connection.execute(
                """
                select extract(epoch from started_at)::float8, extract(epoch from ended_at)::float8,
                       (facts ->> 'seconds')::float8
                  from core.attempts where job_id = %s
                """,
                [job],
            ).fetchone()
            assert row is not None
            if number:  # the first one loads what the worker has not loaded yet
                found.append(
                    {
                        "submitting": (accepted - asked) * 1000,
                        "start": (row[0] - asked) * 1000,
                        "child": row[2] * 1000,
                        "attempt": (row[1] - row[0]) * 1000,
                    }
                )
    return found


def _ended(connection: Connection, job: str) -> bool:
    row = connection.execute("select state from core.jobs where id = %s", [job]).fetchone()
    return row is not None and row[0] == "finished"


def flood(path: Way, seconds: float) -> tuple[float, list[float], float]:
    """Submissions a second by four submitters as fast as they can, how long each took in
    milliseconds, and the processor's seconds of this process for each."""
    took: list[float] = []
    ends = time.perf_counter() + seconds

    def ask() -> None:
        with connect(path.dsn) as connection:
            while (began := time.perf_counter()) < ends:
                path.submit(connection)
                took.append((time.perf_counter() - began) * 1000)

    threads = [threading.Thread(target=ask) for _ in range(SUBMITTERS)]
    cpu, began = time.process_time(), time.perf_counter()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    spent = time.perf_counter() - began
    return len(took) / spent, took, (time.process_time() - cpu) / len(took)


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("dsn")
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--pause", type=float, default=3.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    noop.install()
    table, missed = [], []
    with tempfile.TemporaryDirectory() as name:
        broker = Broker(Path(name))
        broker.start()
        try:
            for engine, url in (("Procrastinate", None), ("RQ", broker.url)):
                path = Way(given.dsn, Path(name) / engine, url)
                rate, took, cpu = flood(path, given.seconds)
                with connect(given.dsn) as connection:
                    forget(connection)
                broker.empty()
                single = one_by_one(path, given.jobs, given.pause)
                start = statistics.median(each["start"] for each in single)
                child = statistics.median(each["child"] for each in single)
                table += [
                    f"| {engine}: submit to start, median | {start:.0f} ms | {START_MS:.0f} ms |",
                    f"| {engine}: submit to start, 90 % | {_at([e['start'] for e in single], 0.9):.0f} ms | |",
                    f"| {engine}: of it submitting, median | {statistics.median(e['submitting'] for e in single):.0f} ms | |",
                    f"| {engine}: a job in the warm child, median | {child:.0f} ms | {CHILD_MS:.0f} ms |",
                    f"| {engine}: the whole attempt, stored, median | {statistics.median(e['attempt'] for e in single):.0f} ms | |",
                    f"| {engine}: submissions a second | {rate:.0f} | {A_SECOND} |",
                    f"| {engine}: one of them, median and 99 % | {_at(took, 0.5):.0f}, {_at(took, 0.99):.0f} ms | |",
                    f"| {engine}: CPU of the submitter for one | {cpu * 1000:.1f} ms | |",
                ]  # fmt: skip
                if start > START_MS or child > CHILD_MS or rate < A_SECOND:
                    missed.append(engine)
                with connect(given.dsn) as connection:
                    forget(connection)
        finally:
            broker.kill()
    with connect(given.dsn) as connection:
        lines = [*surroundings(connection), ""]
    said = (
        f"A check that does nothing. One at a time: {given.jobs} jobs, {given.pause:g} s apart, so "
        f"that the spare child is ready. Flood: {SUBMITTERS} connections, {given.seconds:g} s, no worker."
    )
    lines += [
        said, "", "| what | measured | target |", "|---|---|---|", *table,
    ]  # fmt: skip
    print("\n".join(lines))
    write_section(RESULTS, "jobs", lines)
    return 1 if missed else 0


def forget(connection: Connection) -> None:
    """Nothing waits any more: what the next measurement finds is its own."""
    with connection.transaction():
        connection.execute("set local search_path = procrastinate")
        connection.execute("delete from procrastinate_jobs")
    connection.execute("update core.jobs set state = 'cancelled' where state = 'queued'")


if __name__ == "__main__":
    raise SystemExit(main())
