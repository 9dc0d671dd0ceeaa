"""A stream of jobs while everything they need is killed at random; afterwards everything is counted.

`python -m tests.faults.storm --jobs 1000 --kills 50` (`make test-faults`) writes what happened into
benchmarks/RESULTS.md. All of it is real, on this machine, and dies by kill -9. What is asked
afterwards is asked of the tables, the disk and the operating system.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from ifcbase.client import Client
from ifcbase.errors import IfcbaseError
from ifcbase.files.local import LocalFiles
from ifcbase.ledger.spool import Spool
from tests.faults.storm_count import (
    HEAD,
    Report,
    bytes_without_row,
    counted,
    derived_states_differ,
    descriptors,
    left_behind,
)
from tests.faults.storm_questions import Question, models, questions
from tests.faults.storm_stand import COMBINATIONS, Stand
from tests.integration.servers import open_folder

#: How long nothing may end before it is called stuck, in seconds.
STUCK_S = 240.0
#: Jobs that are under way at most: so the gateway is killed early and late.
UNDER_WAY = 24
_ENDED = "select count(*) from core.jobs where state in ('finished', 'failed')"


class Storm:
    """One combination under fire. ``seed`` decides who dies when."""

    def __init__(
        self, combination: str, home: Path, jobs: int, kills: int, seed: int = 1, workers: int = 2
    ) -> None:
        self.combination, self.home = combination, home
        self.jobs, self.kills = jobs, kills
        self.random = random.Random(seed)  # noqa: S311 (to be repeated, not to be secret)
        self.stand = Stand(combination, home, seed, workers)
        self.killed: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.accepted: dict[int, str] = {}
        self.ended = 0
        self._stop = threading.Event()

    def run(self, folder: Path) -> Report:
        """Let it happen and count; ``folder`` takes the models. Raises AssertionError when nothing
        ends any more."""
        with self.stand.standing():
            with Client(self.stand.url, self.stand.key) as client:
                asked = questions(client, models(folder))
                began = time.monotonic()
                submitting = threading.Thread(target=self._submit_all, args=(client, asked))
                submitting.start()
                try:
                    self._until_all_ended(submitting)
                finally:
                    self._stop.set()
                    submitting.join()
            seconds = time.monotonic() - began
            self._wait_until_quiet()
            report = self._count(seconds)
        report.left += left_behind(self.home, {"cores"}.__contains__)
        return report

    def _submit_all(self, client: Client, asked: list[Question]) -> None:
        """Submit all jobs, each until it is accepted: a lost answer is asked for again with the
        same key."""
        for number in range(self.jobs):
            question = asked[number % len(asked)]
            while self._too_early(number) and not self._stop.wait(0.05):
                pass
            while not self._stop.is_set():
                try:
                    self.accepted[number] = client.submit(
                        question.check, question.request, idempotency_key=f"storm-{number}"
                    )
                except IfcbaseError as error:
                    self.refused[error.code] += 1
                    self._stop.wait(0.3)
                else:
                    break

    def _too_early(self, number: int) -> bool:
        """Whether a job has to wait: for others to end, and the last one for the last kill."""
        last = number == self.jobs - 1 and self.killed.total() < self.kills
        return last or number - self.ended >= UNDER_WAY

    def _until_all_ended(self, submitting: threading.Thread) -> None:
        moved = time.monotonic()
        next_kill = moved + self.random.uniform(1, 4)
        while submitting.is_alive() or self.ended < self.jobs:
            time.sleep(0.2)
            now = self._look()
            if now != self.ended:
                self.ended, moved = now, time.monotonic()
            assert time.monotonic() - moved < STUCK_S, (
                f"stuck: {self.ended} of {self.jobs} have ended, killed so far: {self.killed}, "
                f"refused: {self.refused}\n{self.stand.logs()}"
            )
            # Kills are spread over the jobs, so that the last ones are hit like the first.
            done = self.killed.total()
            due = done < self.kills and (self.ended + 1) * self.kills >= done * self.jobs
            if due and time.monotonic() >= next_kill:
                self._kill_one()
                next_kill = time.monotonic() + self.random.uniform(0.2, 3)

    def _kill_one(self) -> None:
        """Kill something, chosen by chance."""
        victims = self.stand.victims()
        name = self.random.choice(sorted(victims))
        if victims[name](self.random):
            self.killed[name] += 1

    def _look(self) -> int:
        try:
            return int(self.stand.value(_ENDED))
        except psycopg.OperationalError:
            # Killed a moment ago; it is asked again.
            return self.ended

    def _wait_until_quiet(self) -> None:
        """Wait until attempts that lost their lease left nothing half written, and nothing waits
        in a spool."""
        spool, end = Spool(self.home / "spool", 1), time.monotonic() + STUCK_S
        while True:
            try:
                counts, _, _ = counted(self.stand.postgres.dsn())
                entries = sum(not each.refused for each in spool.entries())
                waits = counts["writing"] + counts["open_attempts"] + entries
            except psycopg.OperationalError:
                waits = 1
            if not waits:
                return
            assert time.monotonic() < end, f"not quiet: {counts}\n{self.stand.logs()}"
            time.sleep(0.5)

    def _count(self, seconds: float) -> Report:
        dsn = self.stand.postgres.ensure_running()
        counts, errors, checks = counted(dsn)
        left = derived_states_differ(dsn)
        left += bytes_without_row(dsn, LocalFiles(self.home / "files"))
        lived = [*self.stand.processes("worker"), *self.stand.processes("gateway")]
        left += descriptors(lived, self.home / "work")
        logs = "".join(each.read_text() for each in (self.home / "logs").glob("worker-*.log"))
        return Report(
            combination=self.combination,
            asked=self.jobs,
            seconds=seconds,
            killed=dict(self.killed),
            refused=dict(self.refused),
            accepted=len(set(self.accepted.values())),
            counts=counts,
            errors=errors,
            checks=checks,
            spooled=logs.count("spool: job "),
            left=left,
        )


def storm(
    combination: str, folder: Path, jobs: int, kills: int, seed: int, workers: int = 2
) -> Report:
    """One storm in a home below ``folder``."""
    made = Storm(combination, folder / "home", jobs, kills, seed, workers)
    return made.run(folder / "models")


def main() -> int:
    """Run all combinations and write the section of RESULTS.md."""
    # Machine code is compiled once for all homes.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(Path("~/.ifcbase/cache").expanduser()))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=COMBINATIONS, action="append")
    parser.add_argument("--keep", type=Path, help="where the logs go")
    chosen = parser.parse_args()
    wrong = list[str]()
    for combination in chosen.only or COMBINATIONS:
        with open_folder() as folder:
            try:
                report = storm(
                    combination, folder, chosen.jobs, chosen.kills, chosen.seed, chosen.workers
                )
            finally:
                if chosen.keep:
                    _keep(folder / "home" / "logs", chosen.keep / combination.replace(" ", ""))
        found = report.faults()
        wrong += [f"{combination}: {fault}" for fault in found]
        _write(report, f"{chosen.seed}; {chosen.workers} workers", found)
        print(report.row(), flush=True)  # noqa: T201 (a command)
    for each in wrong:
        print(each, file=sys.stderr)  # noqa: T201 (a command)
    return 1 if wrong else 0


def _write(report: Report, how: str, faults: list[str]) -> None:
    """The section of RESULTS.md with this combination's row anew; others stay as they were."""
    from benchmarks.measuring import RESULTS, machine, write_section

    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    section = text.partition("\n## faults\n")[2].partition("\n## ")[0].splitlines()
    rows = {name: line for line in section for name in COMBINATIONS if f"| {name} |" in line}
    when, load = f"{datetime.now(UTC):%Y-%m-%d %H:%M}", f"{os.getloadavg()[2]:.0f}"
    said = "; ".join(faults).replace("|", "/") or "none"
    rows[report.combination] = f"{report.row()} {said} | {when}; seed {how}; load {load} |"
    head = [
        "`make test-faults`: kill -9 at random during a stream of jobs on small models, then everything",
        "is counted. Times of day are UTC; load is the average of the last 15 minutes.",
        "",
        *machine({})[1:3],
        "",
        *HEAD.split("\n"),
    ]
    kept = [rows[name] for name in COMBINATIONS if name in rows]
    write_section(RESULTS, "faults", [*head, *kept])


def _keep(logs: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for each in logs.glob("*.log"):
        (target / each.name).write_bytes(each.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
