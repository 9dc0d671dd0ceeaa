"""What holds after every fault, asked from outside: of the tables, of the disk, of the processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from tests.acceptance.stand import Stand, Worker, alive, eventually, two_sided

ENDED = ("finished", "failed", "cancelled")


@dataclass(frozen=True)
class Boxes:
    """Two models that clash once."""

    walls: Path
    pipes: Path

    def request(self, **rules: Any) -> dict[str, Any]:
        return two_sided(self.walls, self.pipes, **rules)

    def submit(self, stand: Stand, **settings: Any) -> str:
        return stand.submit(self.request(), self.walls, self.pipes, **settings)


def assert_whole(stand: Stand, jobs: Sequence[str]) -> None:
    """Each of the jobs, and no other, ended once: with one complete result, or with a typed error."""
    rows = stand.query("select id::text as id, state, error ->> 'code' as code from core.jobs")
    assert sorted(row["id"] for row in rows) == sorted(jobs)
    for row in rows:
        assert row["state"] in ENDED, row
        results = stand.query(
            "select state, clash_count, (select count(*) from clash.sightings s where s.result_id = r.id)"
            " as sightings from clash.results r where job_id = %s",
            row["id"],
        )
        if row["state"] == "finished":
            assert results == [{"state": "finished", "clash_count": 1, "sightings": 1}], row
        else:
            assert results == [], row
            assert row["state"] == "cancelled" or row["code"], row
    attempts = stand.query("select count(*) as n from core.attempts where ended_at is null")
    assert attempts == [{"n": 0}]
    assert stand.count("core.incoming_elements") == 0


def assert_nothing_left(home: Path, pids: Sequence[int] = ()) -> None:
    """No process of what ended, no folder of a job, nothing half written."""
    eventually(lambda: not any(map(alive, pids)), "the processes are gone", lambda: pids)
    left = [each.name for each in (home / "work").iterdir() if each.name != "cores"]
    assert left == []
    for folder in ("files", "spool"):
        assert [path for path in (home / folder).rglob(".*") if path.is_file()] == []
    spool = home / "spool"
    assert not spool.is_dir() or list(spool.iterdir()) == []


def everyone(worker: Worker) -> list[int]:
    """A worker and its children."""
    return [worker.pid, *(child.pid for child in worker.children())]


def until_fenced_off(worker: Worker) -> None:
    """Wait until a worker that lost its lease has noticed: what it computed is dropped at once, or
    when its spool asks whether it is still wanted."""
    eventually(
        lambda: "lease was lost" in worker.log() or "is dropped" in worker.log(),
        "it is fenced off",
        worker.log,
    )


def descriptors(worker: Worker) -> int:
    """How many files, pipes and sockets a worker holds open."""
    return psutil.Process(worker.pid).num_fds()


def unable(reason: str) -> NoReturn:
    """This machine cannot induce the fault: a skip, in CI a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
