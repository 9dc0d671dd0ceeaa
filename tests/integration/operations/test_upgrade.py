"""A worker that runs while the database is upgraded goes on, or ends and says why; no job is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ifcbase.files.local import LocalFiles
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.jobs.submit import Given, show_job, submit
from ifcbase.settings import Settings
from tests.integration.servers import Database
from tests.integration.world import World
from tests.unit.cli.calling import Caller
from tests.unit.diff import house as building
from tests.unit.diff.house import house

NEWER = "insert into supabase_migrations.schema_migrations (version, name) values (%s, 'newer')"
TAKES = "public.start_attempt(uuid, text, text, double precision)"
LIMIT_S = 200


@pytest.fixture
def world_there(ledger: Database) -> Iterator[World]:
    world = World(ledger.dsn)
    ProcrastinateEngine(ledger.dsn).install(world.connection)
    yield world
    world.close()


@contextmanager
def a_worker(dsn: str, home: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("IFCBASE", "DATABASE"))}
    environment |= {
        "PYTHONPATH": os.pathsep.join(sys.path), "IFCBASE_HOME": str(home), "DATABASE_URL": dsn,
    }  # fmt: skip
    with log.open("wb") as told:
        worker = subprocess.Popen(
            [sys.executable, "-m", "ifcbase", "worker", "--check", "diff", "--until-eof"],
            env=environment, stdin=subprocess.PIPE, stdout=told, stderr=told, cwd=home,
        )  # fmt: skip
        try:
            yield worker
        finally:
            assert worker.stdin is not None
            worker.stdin.close()
            try:
                worker.wait(timeout=60)
            finally:
                worker.kill()


def a_job(world: World, home: Path, number: int) -> str:
    old, new = house(3), house(3)
    building.deleted(new, number - 1)
    given = {}
    for name, made in (("old.ifc", old), ("new.ifc", new)):
        folder = home / f"{number}-{name}"
        folder.mkdir()
        given[name] = Given(made.write(folder / "House.ifc"), "House")
    return submit(
        world.connection, ProcrastinateEngine(world.dsn), LocalFiles(home / "files"),
        Settings(home=home), "diff", {"old_file": "old.ifc", "new_file": "new.ifc"}, given,
        project="default",
    ).job_id  # fmt: skip


def test_an_old_worker_goes_on_until_the_database_has_nothing_for_it(
    world_there: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    world, log = world_there, tmp_path / "log"
    with a_worker(world.dsn, tmp_path, log) as worker:
        first = a_job(world, tmp_path, 1)
        _until(world, first, "finished", worker, log)
        world.sql(NEWER, "29990101000000")
        second = a_job(world, tmp_path, 2)
        _until(world, second, "finished", worker, log)

        # Started anew it refuses.
        monkeypatch.setenv("DATABASE_URL", world.dsn)
        monkeypatch.setenv("IFCBASE_HOME", str(tmp_path))
        refused = Caller(monkeypatch, capsys)("worker", "--check", "diff")
        assert refused.code == 2
        assert "29990101000000" in refused.err
        assert "Install the ifcbase release" in refused.err

        # A function it calls is not there any more: it ends, and the job waits for a newer worker.
        with psycopg.connect(world.dsn) as connection:
            connection.execute(f"alter function {TAKES} rename to start_attempt_anew")
        third = a_job(world, tmp_path, 3)
        assert worker.wait(timeout=LIMIT_S) == 2, log.read_text()
        told = log.read_text()
        assert "29990101000000" in told
        assert "Install the ifcbase release" in told
    found = show_job(world.connection, third)
    assert (found["state"], found["attempts"]) == ("queued", [])


def test_a_worker_refuses_a_database_that_is_older(
    ledger: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with psycopg.connect(ledger.dsn) as connection:
        connection.execute(
            "delete from supabase_migrations.schema_migrations where version ="
            " (select max(version) from supabase_migrations.schema_migrations)"
        )
    monkeypatch.setenv("DATABASE_URL", ledger.dsn)
    monkeypatch.setenv("IFCBASE_HOME", str(tmp_path))
    refused = Caller(monkeypatch, capsys)("worker", "--check", "diff")
    assert refused.code == 2
    assert "ifcbase db migrate" in refused.err


def _until(world: World, job: str, state: str, worker: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + LIMIT_S
    while (found := show_job(world.connection, job))["state"] != state:
        assert worker.poll() is None, log.read_text()
        assert found["state"] != "failed", found
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
