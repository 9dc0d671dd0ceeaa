"""The drill: fill, back up, destroy everything, restore; all is equal and the next run goes on."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from ifcbase.errors import BackupDamaged, BackupFailed, Conflict
from ifcbase.ledger.postgres import PostgresLedger
from ifcbase.stack import migrations
from ifcbase.stack.backup.facts import differences
from ifcbase.stack.backup.folder import Folder
from ifcbase.stack.backup.making import make_backup
from ifcbase.stack.backup.restoring import extract, plan, restore
from ifcbase.stack.backup.verifying import verify
from tests.integration.backup.conftest import Stand, deployment, everything
from tests.integration.ledger.filled import Filled, _write_rows
from tests.integration.servers import Server
from tests.integration.world import footer, start


def hashes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("passphrase", [None, "a long passphrase"], ids=["plain", "encrypted"])
def test_everything_is_equal_after_all_was_destroyed(
    stand: Stand, server: Server, passphrase: str | None, tmp_path: Path
) -> None:
    folder = Folder(stand.folder.path, passphrase)
    before, bytes_before = everything(stand.database.dsn), hashes(stand.files)
    made = make_backup(stand.deployment, folder)
    verified = verify(folder, made.name, stand.database.dsn)
    assert verified.rows > 100
    assert verified.files == len(bytes_before) == 9
    with psycopg.connect(server.state.admin_dsn(), autocommit=True) as connection:
        connection.execute(f'drop database "{stand.database.name}" with (force)')
        connection.execute(f'create database "{stand.database.name}" owner postgres')
    shutil.rmtree(stand.files)

    found = plan(folder, made.name, stand.deployment)
    assert (found.occupied, found.obstacles, found.new_files) == (False, [], 9)
    restore(Folder(stand.folder.path, passphrase), made.name, stand.deployment)

    assert differences(before, everything(stand.database.dsn)) == []
    assert hashes(stand.files) == bytes_before
    migrations.require_head(stand.database.dsn)
    if passphrase:
        written = b"".join(hashes(folder.path).values())
        assert b"own A" not in written
        assert b"PGDMP" not in written


def test_the_next_run_goes_on_with_the_chain(stand: Stand, server: Server, tmp_path: Path) -> None:
    made = make_backup(stand.deployment, stand.folder)
    with server.database() as fresh:
        restore(stand.folder, made.name, deployment(fresh, tmp_path / "new"))
        for dsn in (stand.database.dsn, fresh.dsn):
            with closing(Filled(dsn)) as world:
                _goes_on(world)


def _goes_on(world: Filled) -> None:
    world.project = world.value("select id from core.projects where name = 'own'")
    first = world.value(
        "select min(r.id) from clash.results r join clash.sets s on s.id = r.set_id"
        " where s.name = 'A x B' and r.project_id = %s", world.project,
    )  # fmt: skip
    pair = world.sql("select id from clash.pairs where project_id = %s", world.project)
    store = PostgresLedger(world.dsn)
    job = world.job({"A": "own A", "B": "own B"})
    with store.writing(start(store, job).token) as writer:
        result = _write_rows(writer, "A x B")
        writer.finish_result(result, footer(1, related_left_out=1))
        writer.finish_job({}, {})
    store.close()
    assert (
        world.value("select original_clash_id from public.clash_results where id = %s", result)
        == first
    )
    assert world.sql("select id from clash.pairs where project_id = %s", world.project) == pair
    (states,) = world.sql(
        "select array_agg(state order by pair_id) from clash.pair_states where set_id ="
        " (select set_id from clash.results where id = %s)", result,
    )  # fmt: skip
    assert states == (["persisting"],)
    assert ("comment", "a word") in world.sql(
        "select action, comment from core.decisions where project_id = %s", world.project
    )


def test_an_existing_ledger_is_replaced_only_when_that_is_said(
    stand: Stand, server: Server, tmp_path: Path
) -> None:
    before = everything(stand.database.dsn)
    made = make_backup(stand.deployment, stand.folder)
    with psycopg.connect(stand.database.dsn) as connection:
        connection.execute("update core.projects set title = 'another'")
        connection.execute("create function public.newer() returns int language sql as 'select 1'")
        connection.execute("create table core.newer (n int)")
        connection.execute("create table public.somebodys (n int)")
    with pytest.raises(Conflict, match="already"):
        restore(stand.folder, made.name, stand.deployment)
    with psycopg.connect(stand.database.dsn) as connection:
        connection.execute(
            "update core.attempts set lease_until = now() + interval '1 h' where ended_at is null"
        )
    with pytest.raises(Conflict, match="being worked on"):
        restore(stand.folder, made.name, stand.deployment, replace=True)
    with psycopg.connect(stand.database.dsn) as connection:
        connection.execute("update core.attempts set lease_until = now() where ended_at is null")
    restore(stand.folder, made.name, stand.deployment, replace=True)
    after = everything(stand.database.dsn)
    # What somebody else keeps in public stays; all else is as it was.
    assert all("somebodys" in line for line in differences(before, after))
    assert "rows public.somebodys" in after
    assert migrations.status(stand.database.dsn)[-1].applied


def test_a_restore_that_fails_halfway_changes_nothing(stand: Stand, tmp_path: Path) -> None:
    made = make_backup(stand.deployment, stand.folder)
    before = everything(stand.database.dsn)
    dump = stand.folder.path / made.name / "database.dump"
    whole = dump.read_bytes()
    dump.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises((BackupDamaged, BackupFailed)):
        restore(stand.folder, made.name, stand.deployment, replace=True)
    assert differences(before, everything(stand.database.dsn)) == []
    with pytest.raises((BackupDamaged, BackupFailed)):
        verify(stand.folder, made.name, stand.database.dsn)
    # Changed in the middle, as long as before: the rows are loaded and then taken back.
    middle = len(whole) // 2
    dump.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    with pytest.raises((BackupDamaged, BackupFailed)):
        restore(stand.folder, made.name, stand.deployment, replace=True)
    assert differences(before, everything(stand.database.dsn)) == []


def test_a_damaged_file_is_found_and_taken_again(stand: Stand) -> None:
    made = make_backup(stand.deployment, stand.folder)
    victim = next(stand.folder.path.glob("objects/??/*"))
    victim.write_bytes(b"rotten")
    with pytest.raises(BackupDamaged, match="1 of 9 files"):
        verify(stand.folder, made.name, stand.database.dsn)
    victim.unlink()
    again = make_backup(stand.deployment, stand.folder)
    assert verify(stand.folder, again.name, stand.database.dsn).files == 9


def test_files_that_are_nowhere_are_named(stand: Stand) -> None:
    victim = next(stand.files.glob("own/??/*"))
    victim.unlink()
    other = next(stand.files.glob("open/??/*"))
    other.write_bytes(b"not what its name says")
    made = make_backup(stand.deployment, stand.folder)
    assert f"own/{victim.name}" in made.manifest.missing
    assert f"open/{other.name}" in made.manifest.missing
    assert verify(stand.folder, made.name, stand.database.dsn).missing == len(made.manifest.missing)


def test_files_are_copied_once_and_go_with_the_last_set_that_needs_them(stand: Stand) -> None:
    first = make_backup(stand.deployment, stand.folder)
    objects = {p: p.stat().st_mtime_ns for p in stand.folder.path.glob("objects/??/*")}
    gone = next(stand.files.glob("own/??/*"))
    gone.unlink()
    second = make_backup(stand.deployment, stand.folder)
    assert {p: p.stat().st_mtime_ns for p in stand.folder.path.glob("objects/??/*")} == objects
    assert stand.folder.remove([first.name]) == 1
    assert stand.folder.names() == [second.name]
    verify(stand.folder, second.name, stand.database.dsn)


def test_secrets_are_only_in_a_backup_that_was_asked_for_them(stand: Stand, tmp_path: Path) -> None:
    password = stand.database.dsn.partition("postgres:")[2].partition("@")[0]
    for name, asked in (("without", False), ("with", True)):
        made = make_backup(stand.deployment, stand.folder, secrets=asked)
        parts = extract(stand.folder, made.name, tmp_path / name)
        assert {"database.dump", "globals.sql", "settings.json"} <= set(parts)
        assert (password in (tmp_path / name / "settings.json").read_text()) is asked
        assert ("SCRAM-SHA-256" in (tmp_path / name / "globals.sql").read_text()) is asked
    with pytest.raises(Conflict):
        extract(stand.folder, made.name, tmp_path / "with")


def test_roles_that_the_ledger_gives_rights_to_come_back(
    stand: Stand, server: Server, tmp_path: Path
) -> None:
    with psycopg.connect(stand.database.admin_dsn) as connection:
        connection.execute("create role ops_worker login in role ifc_worker")
        connection.execute("alter role ops_worker set statement_timeout = '7s'")
        connection.execute("grant select on core.projects to ops_worker")
    try:
        made = make_backup(stand.deployment, stand.folder)
        with psycopg.connect(stand.database.admin_dsn) as connection:
            connection.execute("drop owned by ops_worker")
            connection.execute("drop role ops_worker")
        with server.database() as fresh:
            target = deployment(fresh, tmp_path / "new")
            assert plan(stand.folder, made.name, target).new_roles == ["ops_worker"]
            restore(stand.folder, made.name, target)
            with psycopg.connect(fresh.dsn) as connection:
                assert connection.execute(
                    "select rolcanlogin, pg_has_role(oid, 'ifc_worker', 'member'), rolconfig"
                    " from pg_roles where rolname = 'ops_worker'"
                ).fetchall() == [(True, True, ["statement_timeout=7s"])]
    finally:
        with psycopg.connect(server.state.admin_dsn(), autocommit=True) as connection:
            connection.execute("drop role if exists ops_worker")


def test_a_whole_database_goes_into_an_empty_one_only(
    stand: Stand, server: Server, tmp_path: Path
) -> None:
    with psycopg.connect(stand.database.dsn) as connection:
        connection.execute("create schema elsewhere; create table elsewhere.t as select 1 as n")
    before = everything(stand.database.dsn)
    made = make_backup(stand.deployment, stand.folder, scope="whole")
    verify(stand.folder, made.name, stand.database.dsn)
    with pytest.raises(Conflict, match="empty one"):
        restore(stand.folder, made.name, stand.deployment, replace=True)
    with server.database() as fresh:
        restore(stand.folder, made.name, deployment(fresh, tmp_path / "new"))
        assert differences(before, everything(fresh.dsn)) == []


def test_an_encrypted_backup_needs_its_passphrase(stand: Stand) -> None:
    made = make_backup(stand.deployment, Folder(stand.folder.path, "right"))
    with pytest.raises(BackupDamaged, match="passphrase"):
        verify(Folder(stand.folder.path, "wrong"), made.name, stand.database.dsn)
    (stand.folder.path / "salt").unlink()
    with pytest.raises(BackupDamaged, match="salt"):
        make_backup(stand.deployment, Folder(stand.folder.path, "right"))
