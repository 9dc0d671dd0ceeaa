"""Disks that are full: of the work folder, the spool, the files and the database. What was accepted
waits or ends with an error that says so; what was computed is stored when there is room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ifcbase.errors import FilesFull
from tests.acceptance.stand import Stand, Worker, eventually
from tests.faults.disks import fill, small_disk
from tests.faults.whole import Boxes, assert_nothing_left, assert_whole, descriptors, everyone

pytestmark = pytest.mark.long


def test_a_full_work_folder_fails_the_job_and_not_the_worker(stand: Stand, boxes: Boxes) -> None:
    with (
        small_disk(stand.home / "work", 40) as disk,
        stand.worker(module="tests.faults.poisonous") as worker,
    ):
        good = boxes.submit(stand)
        stand.ended(good)
        before = descriptors(worker)
        # A child that fills it by itself, and gives it back when it is gone.
        filling = stand.submit(boxes.request(name="fill"), boxes.walls, boxes.pipes, job_attempts=2)
        found = stand.ended(filling)
        assert found["state"] == "failed"
        assert found["error"]["code"] == "disk-full"
        assert len(found["attempts"]) == 2
        # Somebody else fills it: there is not even room for the job's folder.
        filler = fill(disk)
        early = boxes.submit(stand, job_attempts=1)
        found = stand.ended(early)
        assert (found["state"], found["error"]["code"] in {"disk-full", "compute"}) == (
            "failed", True,
        ), found  # fmt: skip
        filler.unlink()
        assert stand.cli("jobs", "requeue", early).code == 0
        assert stand.ended(early)["state"] == "finished"
        assert descriptors(worker) <= before + 2
        pids = everyone(worker)
        worker.end()
        assert_whole(stand, [good, filling, early])
        assert_nothing_left(stand.home, pids)


@contextmanager
def refusing(stand: Stand) -> Iterator[None]:
    """The database takes everything but results, as one whose disk is full."""
    with stand.connection() as connection:
        connection.execute(
            "create function clash.no_room() returns trigger language plpgsql as"
            " $$ begin raise exception using errcode = '53100', message = 'no room'; end $$;"
            " create trigger no_room before insert on clash.results"
            " for each row execute function clash.no_room()"
        )
        try:
            yield
        finally:
            connection.execute("drop function clash.no_room() cascade")


def until_not_stored(stand: Stand, worker: Worker, job: str) -> None:
    """Wait until worker and job say that the result is not stored yet."""
    eventually(lambda: "not stored yet" in worker.log(), "the worker says so", worker.log)

    def said() -> bool:
        return (stand.job(job)["progress"] or {}).get("phase") == "not stored yet"

    eventually(said, "the job says so", worker.log)
    assert stand.job(job)["state"] == "running"


def test_a_full_spool_keeps_the_worker_until_the_result_is_stored(
    stand: Stand, boxes: Boxes
) -> None:
    with (
        small_disk(stand.home / "spool", 1) as disk,
        stand.worker(IFCBASE_SPOOL_AFTER_S="0", IFCBASE_SPOOL_RETRY_S="0.5") as worker,
    ):
        filler = fill(disk)
        with refusing(stand):
            job = boxes.submit(stand)
            eventually(lambda: "not put into the spool" in worker.log(), "it is told", worker.log)
            until_not_stored(stand, worker, job)
        assert stand.ended(job)["state"] == "finished"
        assert stand.outcomes(job) == ["finished"]
        pids = everyone(worker)
        worker.end()
        filler.unlink()
        assert_whole(stand, [job])
        assert_nothing_left(stand.home, pids)


def test_a_full_files_folder_refuses_the_request_and_keeps_the_result(
    stand: Stand, boxes: Boxes
) -> None:
    with (
        small_disk(stand.home / "files", 2) as disk,
        stand.worker(faulty=True, IFCBASE_SPOOL_AFTER_S="600") as worker,
    ):
        filler = fill(disk)
        with pytest.raises(FilesFull, match="no room"):
            boxes.submit(stand)
        assert stand.count("core.jobs") == 0
        assert stand.count("core.files") == 0
        assert [each for each in disk.rglob("*") if each.is_file()] == [filler]
        filler.unlink()
        # The models fit; what the check makes does not.
        stand.fault("hold")
        job = boxes.submit(stand)
        stand.wait_held(job)
        filler = fill(disk)
        stand.no_fault()
        until_not_stored(stand, worker, job)
        assert "no room for" in worker.log()
        filler.unlink()
        assert stand.ended(job)["state"] == "finished"
        assert stand.outcomes(job) == ["finished"], "nothing was computed twice"
        pids = everyone(worker)
        worker.end()
        assert_whole(stand, [job])
        assert_nothing_left(stand.home, pids)


@contextmanager
def on_a_small_disk(stand: Stand) -> Iterator[Path]:
    """The database lies in a tablespace on a disk that has 8 MB left."""
    name = str(conninfo_to_dict(stand.database())["dbname"])
    database, space = sql.Identifier(name), sql.Identifier(f"space_{name}")
    with psycopg.connect(stand.admin_dsn, autocommit=True) as admin:
        row = admin.execute(
            "select current_setting('data_directory'), pg_database_size(%s)", [name]
        ).fetchone()
        assert row is not None
        data, size = Path(row[0]), int(row[1])
        with small_disk(data.parent / f"small-{name}", (size >> 20) + 8) as disk:
            os.chown(disk, data.stat().st_uid, data.stat().st_gid)
            admin.execute(
                sql.SQL("create tablespace {} location {}").format(space, sql.Literal(str(disk)))
            )
            move = sql.SQL("alter database {} set tablespace {}")
            admin.execute(move.format(database, space))
            try:
                yield disk
            finally:
                admin.execute(move.format(database, sql.Identifier("pg_default")))
                admin.execute(sql.SQL("drop tablespace {}").format(space))


def test_a_full_database_keeps_the_result_until_there_is_room(stand: Stand, boxes: Boxes) -> None:
    with on_a_small_disk(stand) as disk:
        with stand.worker(faulty=True, IFCBASE_SPOOL_AFTER_S="600") as worker:
            stand.fault("hold")
            job = boxes.submit(stand)
            stand.wait_held(job)
            filler = fill(disk)
            stand.no_fault()
            eventually(lambda: "disk is full" in worker.log(), "the database says so", worker.log)
            assert stand.job(job)["state"] == "running"
            assert stand.count("clash.results") == 0, "nothing half stored is there to be read"
            filler.unlink()
            assert stand.ended(job)["state"] == "finished"
            pids = everyone(worker)
        assert stand.outcomes(job) == ["finished"], "nothing was computed twice"
        assert_whole(stand, [job])
        assert_nothing_left(stand.home, pids)
