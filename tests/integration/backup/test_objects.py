"""Files in Supabase Storage are backed up, restored and removed through its API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from ifcbase.errors import FilesRefused, FilesUnavailable
from ifcbase.files.objects import StorageObjects
from ifcbase.files.storage import object_name
from ifcbase.files.storage_http import PART, StorageHttp
from ifcbase.ledger import operations
from ifcbase.ledger.connect import connect
from ifcbase.stack.backup.folder import Folder
from ifcbase.stack.backup.making import make_backup
from ifcbase.stack.backup.restoring import plan, restore, restore_objects
from ifcbase.stack.backup.source import Deployment
from ifcbase.stack.backup.verifying import verify
from tests.integration.backup.conftest import Stand
from tests.integration.backup.test_commands import call
from tests.integration.files.standin import KEY, Storage, running
from tests.unit.cli.calling import Caller

__all__ = ["call"]


@pytest.fixture
def service() -> Iterator[Storage]:
    with running() as found:
        yield found


@pytest.fixture
def objects(service: Storage) -> Iterator[StorageObjects]:
    found = StorageObjects(StorageHttp(service.url, KEY, service.token, pause_s=0.001, tries=3))
    yield found
    found.close()


@pytest.fixture
def target(stand: Stand, service: Storage, objects: StorageObjects) -> Deployment:
    """The stand with its files in Storage instead of a folder; one is a check's output."""
    for path in stand.files.glob("*/??/*"):
        project = path.parent.parent.name
        service.objects["models", object_name(project, path.name)] = path.read_bytes()
        path.unlink()
    with psycopg.connect(stand.database.dsn) as connection:
        job, attempt, project_id, project = connection.execute(
            "select j.id, a.id, j.project_id, p.name from core.attempts a"
            " join core.jobs j on j.id = a.job_id join core.projects p on p.id = j.project_id"
            " where p.name = 'own' and j.check_name = 'clash' limit 1"
        ).fetchone()  # type: ignore[misc]
        (sha,) = connection.execute(
            "select f.sha256 from core.files f where f.project_id = %s and not exists"
            " (select from core.job_outputs o where o.sha256 = f.sha256) order by 1 limit 1",
            [project_id],
        ).fetchone()  # type: ignore[misc]
        content = service.objects.get(("models", object_name(project, sha)))
        assert content is not None
        service.objects["clash-results", object_name(project, sha)] = content
        connection.execute(
            "insert into core.job_outputs (job_id, attempt_id, project_id, name, sha256)"
            " values (%s, %s, %s, 'out', %s)", [job, attempt, project_id, sha],
        )  # fmt: skip
    return replace(stand.deployment, objects=objects)


@pytest.mark.parametrize("passphrase", [None, "a long passphrase"], ids=["plain", "encrypted"])
def test_objects_come_back_equal_into_their_buckets(
    stand: Stand, target: Deployment, service: Storage, objects: StorageObjects,
    passphrase: str | None,
) -> None:  # fmt: skip
    folder = Folder(stand.folder.path, passphrase)
    before = dict(service.objects)
    made = make_backup(target, folder)
    assert len(before) == 10
    assert len(made.manifest.files) == 9
    assert verify(folder, made.name, stand.database.dsn).files == 9

    service.objects.clear()
    assert plan(folder, made.name, target, replace=True).new_files == 9
    restore(folder, made.name, target, replace=True)
    assert service.objects == {}
    assert restore_objects(folder, made.name, objects) == 9
    assert service.objects == before
    assert restore_objects(folder, made.name, objects) == 0
    assert plan(folder, made.name, target, replace=True).new_files == 0
    # Nothing was left in the folder that is not in use.
    assert list(stand.files.glob("*/??/*")) == []


def test_the_next_backup_asks_only_for_what_is_new(
    stand: Stand, target: Deployment, service: Storage
) -> None:
    make_backup(target, stand.folder)
    service.asked.clear()
    second = make_backup(target, stand.folder)
    assert [each for each in service.asked if each.startswith("GET") and "models" in each] == [
        # Only what is nowhere is looked for again, and named.
        each for each in service.asked
        if each.startswith("GET") and "models" in each and each.rpartition("/")[2] in
        {name.rpartition("/")[2] for name in second.manifest.missing}
    ]  # fmt: skip
    assert len(second.manifest.files) == 9


def test_a_damaged_object_is_named_and_not_taken(
    stand: Stand, target: Deployment, service: Storage
) -> None:
    victim = next(key for key in service.objects if key[0] == "models" and "foreign" in key[1])
    service.objects[victim] = b"something else"
    made = make_backup(target, stand.folder)
    project, _, sha = victim[1].split("/")
    assert f"{project}/{sha}" in made.manifest.missing
    assert len(made.manifest.files) == 8


def test_a_storage_that_does_not_answer_fails_the_backup_and_spares_the_earlier_one(
    stand: Stand, target: Deployment, service: Storage
) -> None:
    first = make_backup(target, stand.folder)
    objects = stand.folder.path / "objects"
    for path in objects.glob("??/*"):
        path.unlink()
    service.faults += [("GET", "/object/", "503")] * 3
    with pytest.raises(FilesUnavailable):
        make_backup(target, stand.folder)
    assert stand.folder.names() == [first.name]
    assert list(stand.folder.path.glob(".part-*")) == []


def test_large_objects_go_back_in_parts_over_what_was_lost(
    service: Storage, objects: StorageObjects, tmp_path: Path
) -> None:
    content = bytes(range(251)) * (2 * PART // 251 + 1)
    source = tmp_path / "big"
    source.write_bytes(content)
    sha = "ab" * 32
    # Known by name, and empty: its bytes were lost.
    service.objects["models", object_name("own", sha)] = b""
    objects.write("own", sha, "models", source)
    assert service.objects["models", object_name("own", sha)] == content


def test_the_commands_do_it_and_go_on_after_a_failure(
    stand: Stand, target: Deployment, service: Storage, call: Caller
) -> None:
    call.patch.setenv("IFCBASE_FILES_BACKEND", "supabase")
    call.patch.setenv("SUPABASE_URL", service.url)
    refused = call("backup", "create")
    assert refused.code == 2
    assert "SUPABASE_SERVICE_KEY" in refused.err
    # The stand-in wants this key as the gateway's and this token as the service's.
    service.token = KEY
    call.patch.setenv("SUPABASE_SERVICE_KEY", KEY)
    before = dict(service.objects)
    assert call("backup", "create").code == 3
    service.objects.clear()
    service.faults += [("POST", "/object/", "403")]
    failed = call("restore", "--apply", "--replace")
    assert failed.code == 2
    assert "--only-files --apply" in failed.err
    assert "would be written" in call("restore", "--only-files").out
    assert "written" in call("restore", "--only-files", "--apply").out
    assert service.objects == before
    call.patch.setenv("IFCBASE_FILES_BACKEND", "local")
    assert "files in Storage" in call("restore", "--only-files").err


def let_go(dsn: str, age: str) -> tuple[str, str]:
    """A file of a project that nobody works in, and nobody has needed for so long."""
    with psycopg.connect(dsn) as connection:
        connection.execute("update core.jobs set state = 'cancelled' where state in"
                           " ('running', 'computed')")  # fmt: skip
        sha = "cd" * 32
        connection.execute(
            "insert into core.files (project_id, sha256, size, name, unwanted_at) select id, %s, 3,"
            " 'old.bcf', clock_timestamp() - %s::interval from core.projects where name = 'own'",
            [sha, age],
        )
    return "own", sha


def removed(dsn: str, sha: str) -> bool:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "select removed_at is not null from core.files where sha256 = %s", [sha]
        ).fetchone()
    assert row is not None
    return bool(row[0])


def test_what_nobody_needs_leaves_storage_and_nothing_else_does(
    stand: Stand, target: Deployment, service: Storage, objects: StorageObjects
) -> None:
    dsn = stand.database.dsn
    project, sha = let_go(dsn, "2 days")
    before = dict(service.objects)
    for bucket in ("clash-results", "models"):
        service.objects[bucket, object_name(project, sha)] = b"old"
    with connect(dsn) as connection:
        assert operations.remove_unwanted(connection, objects) == 1
        assert operations.remove_unwanted(connection, objects) == 0
    assert service.objects == before
    assert removed(dsn, sha)


@pytest.mark.parametrize("why", ["an hour only", "somebody computes"])
def test_bytes_that_may_be_stored_again_just_now_stay(
    stand: Stand, target: Deployment, service: Storage, objects: StorageObjects, why: str
) -> None:
    dsn = stand.database.dsn
    project, sha = let_go(dsn, "1 hour" if why == "an hour only" else "2 days")
    service.objects["clash-results", object_name(project, sha)] = b"old"
    if why == "somebody computes":
        with psycopg.connect(dsn) as connection:
            connection.execute(
                "update core.jobs set state = 'running' where id = (select j.id from core.jobs j join"
                " core.projects p on p.id = j.project_id where p.name = 'own' limit 1)"
            )
    with connect(dsn) as connection:
        assert operations.remove_unwanted(connection, objects) == 0
    assert ("clash-results", object_name(project, sha)) in service.objects
    assert not removed(dsn, sha)


def test_a_key_that_may_not_remove_is_told_and_the_ledger_does_not_believe_it(
    stand: Stand, target: Deployment, service: Storage, objects: StorageObjects
) -> None:
    dsn = stand.database.dsn
    project, sha = let_go(dsn, "2 days")
    service.objects["models", object_name(project, sha)] = b"old"
    service.may_remove = False
    with connect(dsn) as connection, pytest.raises(FilesRefused, match="did not remove"):
        operations.remove_unwanted(connection, objects)
    assert not removed(dsn, sha)
