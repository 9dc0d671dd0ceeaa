"""A stream of jobs while everything they need is killed at random; afterwards everything is counted.

`python -m tests.faults.storm --jobs 1000 --kills 50` (`make test-faults`) writes what happened into
benchmarks/RESULTS.md. The database, the broker and the workers are real, on this machine, and die by
kill -9. What is asked afterwards is asked of the tables and of the operating system.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

from ifcbase import samples
from ifcbase.cli.processes import Workers
from ifcbase.errors import IfcbaseError
from ifcbase.files.local import LocalFiles
from ifcbase.jobs.engines import engine_for
from ifcbase.jobs.leftovers import sweep
from ifcbase.jobs.submit import Given, submit
from ifcbase.jobs.workfolder import sweep_jobs
from ifcbase.settings import Settings
from ifcbase.stack import migrations
from ifcbase.stack.embedded import EmbeddedPostgres
from tests.integration.jobs.brokers import Broker
from tests.integration.servers import FAST

COMBINATIONS = ("postgres + Procrastinate", "postgres + RQ")
ROOT = Path(__file__).resolve().parents[2]
#: How long nothing may end before it is called stuck, in seconds.
STUCK_S = 240.0


@dataclass
class Storm:
    """One combination under fire. ``seed`` decides who dies when."""

    combination: str
    home: Path
    jobs: int
    kills: int
    seed: int = 1
    workers: int = 2
    killed: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 (to be repeated, not to be secret)
        # Leases that lapse while one waits for it; the ledger on disk as it is by default.
        self.variables = {
            "PYTHONPATH": str(ROOT / "src"),
            "IFCBASE_HOME": str(self.home),
            "IFCBASE_EMBEDDED": "1",
            "IFCBASE_LEASE_S": "5",
            "IFCBASE_HEARTBEAT_S": "0.5",
            "IFCBASE_REAP_S": "1",
            "IFCBASE_JOB_ATTEMPTS": "6",
        }
        self.postgres = EmbeddedPostgres(self.home, settings=FAST)
        self.broker: Broker | None = None
        if self.combination.endswith("RQ"):
            folder = self.home / "broker"
            folder.mkdir(parents=True)
            self.broker = Broker(folder)
            self.variables["REDIS_URL"] = self.broker.url
        self.settings = Settings(
            home=self.home,
            job_attempts=6,
            REDIS_URL=self.variables.get("REDIS_URL"),
        )
        self.accepted: list[str] = []

    # --- what runs ---

    @contextmanager
    def standing(self) -> Iterator[Workers]:
        """Database, broker and workers, ended at the end."""
        with ExitStack() as held:
            if self.broker:
                self.broker.start()
                held.callback(self.broker.kill)
            dsn = self.postgres.ensure_running()
            held.callback(self.postgres.stop)
            migrations.migrate(dsn)
            with psycopg.connect(dsn, autocommit=True) as connection:
                engine_for(self.settings, dsn).install(connection)
            workers = Workers(self.workers, self.home / "logs", self.variables)
            held.callback(workers.stop)
            workers.start()
            yield workers

    def submit_all(self, sample: samples.Sample, stop: threading.Event) -> None:
        """Submit all jobs, each until it is accepted: an answer that was lost is asked for again
        with the same key."""
        architecture, services = sample.files["Architecture"], sample.files["Services"]
        request = {
            "clash_sets": [
                {
                    "name": "storm",
                    "a": [{"file": architecture.name}],
                    "b": [{"file": services.name}],
                }
            ]
        }
        given = {path.name: Given(path) for path in (architecture, services)}
        files = LocalFiles(self.settings.files_folder)
        for number in range(self.jobs):
            while not stop.is_set():
                try:
                    dsn = self.postgres.ensure_running()
                    with psycopg.connect(dsn, autocommit=True) as connection:
                        done = submit(
                            connection, engine_for(self.settings, dsn), files, self.settings,
                            "clash", request, given, idempotency_key=f"storm-{number}",
                        )  # fmt: skip
                except (IfcbaseError, psycopg.OperationalError):
                    self.refused += 1
                    stop.wait(0.3)
                else:
                    self.accepted.append(done.job_id)
                    break

    # --- who dies ---

    def victims(self) -> dict[str, Callable[[], None]]:
        found = {
            "worker": self.kill_worker,
            "child": self.kill_child,
            "Postgres": self.kill_postgres,
        }
        if self.broker:
            found["Valkey"] = self.kill_broker
        return found

    def kill_one(self) -> None:
        """Kill something, chosen by chance."""
        name = self.random.choice(sorted(self.victims()))
        self.victims()[name]()
        self.killed[name] += 1

    def _ours(self, holds: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
        mine = psutil.Process().children(recursive=True)
        return [process for process in mine if _quietly(lambda p=process: holds(p))]  # type: ignore[misc]

    def kill_worker(self) -> None:
        workers = self._ours(lambda p: p.cmdline()[-2:-1] == ["worker"] or "worker" in p.cmdline())
        if workers:
            _quietly(self.random.choice(workers).kill)

    def kill_child(self) -> None:
        children = self._ours(lambda p: any("ifcbase.jobs.child" in part for part in p.cmdline()))
        if children:
            _quietly(self.random.choice(children).kill)

    def kill_postgres(self) -> None:
        data = self.postgres.status().data
        assert data is not None
        pid = int((data / "postmaster.pid").read_text().split()[0])
        _quietly(psutil.Process(pid).kill)

    def kill_broker(self) -> None:
        if self.broker:
            self.broker.kill()
            time.sleep(self.random.uniform(0.1, 2.0))
            self.broker.start()

    # --- the whole ---

    def run(self, sample: samples.Sample) -> Report:
        """Let it happen and count. Raises AssertionError when nothing ends any more."""
        began, stop = time.monotonic(), threading.Event()
        with self.standing() as workers:
            submitting = threading.Thread(target=self.submit_all, args=(sample, stop))
            submitting.start()
            try:
                self._until_all_ended(workers, submitting)
            finally:
                stop.set()
                submitting.join()
            ended_s = time.monotonic() - began
            self.wait_for_sweep()
            report = self.count(ended_s)
        report.left = self.left_behind()
        return report

    def _until_all_ended(self, workers: Workers, submitting: threading.Thread) -> None:
        ended, moved = -1, time.monotonic()
        done = 0
        next_kill = time.monotonic() + self.random.uniform(1, 4)
        while submitting.is_alive() or ended < self.jobs:
            time.sleep(0.2)
            workers.watch()
            now = self._ended()
            if now is not None and now != ended:
                ended, moved = now, time.monotonic()
            assert time.monotonic() - moved < STUCK_S, (
                f"stuck: {ended} of {self.jobs} have ended, killed so far: {self.killed}\n"
                + "\n".join(log.read_text()[-2000:] for log in workers.logs())
            )
            # Kills are spread over the jobs, so that the last ones are hit like the first.
            due = done < self.kills and (ended + 1) * self.kills >= done * self.jobs
            if due and time.monotonic() >= next_kill:
                self.kill_one()
                done += 1
                next_kill = time.monotonic() + self.random.uniform(0.2, 3)

    def _ended(self) -> int | None:
        try:
            return int(
                self._value("select count(*) from core.jobs where state in ('finished', 'failed')")
            )
        except (IfcbaseError, psycopg.OperationalError):
            # Killed a moment ago; it is asked again.
            return None

    def wait_for_sweep(self) -> None:
        """Wait until attempts that lost their lease left nothing half written."""
        end = time.monotonic() + STUCK_S
        while self._value("select count(*) from clash.results where state <> 'finished'"):
            assert time.monotonic() < end, "results are still being written"
            time.sleep(0.5)

    def _value(self, query: str) -> Any:
        with psycopg.connect(self.postgres.ensure_running(), autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None

    def count(self, seconds: float) -> Report:
        """What the tables say."""
        one = self._value
        return Report(
            combination=self.combination,
            seconds=seconds,
            killed=dict(self.killed),
            refused=self.refused,
            accepted=len(set(self.accepted)),
            jobs=one("select count(*) from core.jobs"),
            finished=one("select count(*) from core.jobs where state = 'finished'"),
            failed=one(
                "select count(*) from core.jobs where state = 'failed' and error ->> 'code' is not null"
            ),
            attempts=one("select count(*) from core.attempts"),
            without=one(
                "select count(*) from core.jobs j where state = 'finished' and not exists "
                "(select from clash.results r where r.job_id = j.id)"
            ),
            twice=one(
                "select count(*) from (select from clash.results group by job_id, set_id "
                "having count(*) > 1) d"
            ),
            unequal=one("select count(distinct clash_count) - 1 from clash.results"),
            of_failed=one(
                "select count(*) from clash.results r join core.jobs j on j.id = r.job_id "
                "where j.state <> 'finished'"
            ),
        )

    def left_behind(self) -> list[str]:
        """Processes that outlived their stand, and temporary folders that the sweep of the next worker
        would not remove."""
        left = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.pid != psutil.Process().pid and str(self.home) in " ".join(
                    [*process.cmdline(), *process.environ().values()]
                ):
                    left.append(f"process {process.pid}: {' '.join(process.cmdline())[:80]}")
        work = self.home / "work"
        if work.is_dir():
            sweep(work, older_than_s=0)
            sweep_jobs(work)
            left += [f"work/{each.name}" for each in work.iterdir() if each.name != "cores"]
        return left


@dataclass
class Report:
    """What was found afterwards."""

    combination: str
    seconds: float
    killed: dict[str, int]
    refused: int
    accepted: int
    jobs: int
    finished: int
    failed: int
    attempts: int
    without: int
    twice: int
    unequal: int
    of_failed: int
    left: list[str] = field(default_factory=list)

    def faults(self, jobs: int) -> list[str]:
        """What does not hold; nothing when all is well."""
        found = {
            "jobs that were accepted and are not there, or twice": self.jobs - self.accepted,
            "requests that were never accepted": jobs - self.accepted,
            "jobs that ended in no known way": self.jobs - self.finished - self.failed,
            "finished jobs without their result": self.without,
            "results stored twice": self.twice,
            "results that differ though the models do not": max(0, self.unequal),
            "results of jobs that are not finished": self.of_failed,
            "left behind": len(self.left),
        }
        return [f"{what}: {count}" for what, count in found.items() if count] + self.left

    def row(self) -> str:
        """A line of the table in RESULTS.md."""
        killed = ", ".join(f"{count} {name}" for name, count in sorted(self.killed.items()))
        return (
            f"| {self.combination} | {self.accepted} | {sum(self.killed.values())} ({killed}) "
            f"| {self.attempts} | {self.finished} | {self.failed} | {self.twice} "
            f"| {self.accepted - self.finished - self.failed} | {self.seconds:.0f} |"
        )


HEAD = (
    "| combination | jobs | kills | attempts | results | typed errors | duplicates | lost | seconds |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def _quietly(act: Callable[[], Any]) -> Any:
    """What is to be killed may have ended by itself."""
    with suppress(psutil.Error, FileNotFoundError):
        return act()
    return None


def storm(combination: str, folder: Path, jobs: int, kills: int, seed: int) -> Report:
    """One storm in a home below ``folder``."""
    sample = samples.build(folder / "sample", storeys=1, bays=(1, 1))
    return Storm(combination, folder / "home", jobs, kills, seed).run(sample)


def main() -> int:
    """Run all combinations and write the section of RESULTS.md."""
    from benchmarks.measuring import RESULTS, machine, write_section

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=COMBINATIONS, action="append")
    chosen = parser.parse_args()
    rows, wrong = [HEAD], list[str]()
    for combination in chosen.only or COMBINATIONS:
        folder = Path(tempfile.mkdtemp(prefix="storm-"))
        try:
            report = storm(combination, folder, chosen.jobs, chosen.kills, chosen.seed)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(report.row(), flush=True)  # noqa: T201 (a command)
        faults = report.faults(chosen.jobs)
        wrong += [f"{combination}: {fault}" for fault in faults]
        rows.append(report.row())
    for each in wrong:
        print(each, file=sys.stderr)  # noqa: T201 (a command)
    if not wrong:
        title = (
            f"`make test-faults`, seed {chosen.seed}: kill -9 at random during a stream of jobs."
        )
        write_section(
            RESULTS, "faults", [title, "", *machine({}), "", *"\n".join(rows).split("\n")]
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
