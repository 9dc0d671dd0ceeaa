"""A backup that is interrupted leaves the earlier one as it was and says so by its exit code."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from ifcbase.errors import BackupFailed, Conflict, IfcbaseError, LedgerUnavailable
from ifcbase.stack.backup.folder import Folder
from ifcbase.stack.backup.making import Made, make_backup
from ifcbase.stack.backup.verifying import verify
from tests.integration.backup.conftest import Stand

pytestmark = pytest.mark.long

LIMIT_S = 60.0


def environment(stand: Stand, **more: str) -> dict[str, str]:
    home = stand.files.parent
    kept = {k: v for k, v in os.environ.items() if not k.startswith("IFCBASE_")}
    source = str(Path(__file__).resolve().parents[3] / "src")
    return kept | {
        "IFCBASE_HOME": str(home), "DATABASE_URL": stand.database.dsn, "PYTHONPATH": source, **more,
    }  # fmt: skip


def begin(
    stand: Stand, *words: str, limit: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ifcbase", *words], env=environment(stand), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limit,
    )  # fmt: skip


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@contextmanager
def held(stand: Stand) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Lock a table, so that pg_dump waits for it as long as the test wants."""
    with psycopg.connect(stand.database.dsn) as connection:
        connection.execute("lock table core.projects in access exclusive mode")
        yield connection


def waiting(stand: Stand) -> list[int]:
    """The sessions of pg_dump that wait for a lock."""
    with psycopg.connect(stand.database.admin_dsn, autocommit=True) as connection:
        rows = connection.execute(
            "select pid from pg_stat_activity where datname = current_database()"
            " and application_name = 'pg_dump' and wait_event_type = 'Lock'"
        ).fetchall()
    return [row[0] for row in rows]


def parts(stand: Stand) -> list[Path]:
    return list(stand.folder.path.glob(".part-*"))


def require_intact(stand: Stand, first: Made) -> None:
    assert stand.folder.names() == [first.name]
    verify(stand.folder, first.name, stand.database.dsn)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_backup_leaves_the_earlier_one(stand: Stand, number: signal.Signals) -> None:
    first = make_backup(stand.deployment, stand.folder)
    with held(stand):
        process = begin(stand, "backup", "create")
        wait_for(lambda: waiting(stand) and parts(stand), "pg_dump never waited")
        process.send_signal(number)
        process.communicate(timeout=LIMIT_S)
        # Killed, nothing can be cleared away; told to end, everything is.
        assert process.returncode == (-9 if number == signal.SIGKILL else 143)
        assert bool(parts(stand)) is (number == signal.SIGKILL)
        for pid in waiting(stand):
            with psycopg.connect(stand.database.admin_dsn, autocommit=True) as connection:
                connection.execute("select pg_terminate_backend(%s)", [pid])
    require_intact(stand, first)
    # The next one is not disturbed by what was left, and removes it.
    second = make_backup(stand.deployment, stand.folder)
    assert stand.folder.names() == [first.name, second.name]
    assert not parts(stand)
    assert not list(stand.folder.path.glob("objects/.part-*"))


def test_killed_at_any_moment_a_set_is_whole_or_absent(stand: Stand) -> None:
    make_backup(stand.deployment, stand.folder)
    process = begin(stand, "backup", "create")
    wait_for(lambda: parts(stand) or process.poll() is not None, "nothing began")

    def reached(name: str) -> bool:
        written = list(stand.folder.path.glob(f".part-*/{name}"))
        return bool(written) or process.poll() is not None or len(stand.folder.names()) > 1

    for name in ("database.dump", "globals.sql", "settings.json"):
        wait_for(partial(reached, name), name)
    process.kill()
    process.communicate(timeout=LIMIT_S)
    for name in stand.folder.names():
        verify(stand.folder, name, stand.database.dsn)


def small_files() -> None:
    """As on a disk that is full: nothing longer than this can be written."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_full_disk_is_told_and_leaves_the_earlier_one(stand: Stand) -> None:
    first = make_backup(stand.deployment, stand.folder)
    process = begin(stand, "backup", "create", "--json", limit=small_files)
    output, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    assert json.loads(output)["error"]["code"] in {"system", "backup-failed"}
    assert not parts(stand)
    require_intact(stand, first)


@contextmanager
def tiny_disk(folder: Path) -> Iterator[None]:
    """A disk of 300 kB, where the system lets us mount one."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip("mounting needs a right this machine does not give")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_small_disk_fills_up(stand: Stand, tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk"):
        folder = Folder(tmp_path / "disk" / "backups")
        with pytest.raises((OSError, IfcbaseError)) as caught:
            for _ in range(20):
                make_backup(stand.deployment, folder)
        assert "No space left" in str(caught.value)
        assert not list(folder.path.glob(".part-*"))
        for name in folder.names():
            folder.read(name)


def test_a_lost_connection_is_told_and_leaves_the_earlier_one(stand: Stand) -> None:
    first = make_backup(stand.deployment, stand.folder)
    for victim in ("the dump's", "ours"):
        caught: list[BaseException] = []

        def run(caught: list[BaseException] = caught) -> None:
            try:
                make_backup(stand.deployment, stand.folder)
            except IfcbaseError as error:
                caught.append(error)

        with held(stand) as connection:
            thread = threading.Thread(target=run)
            thread.start()
            wait_for(lambda: waiting(stand), "pg_dump never waited")
            with psycopg.connect(stand.database.admin_dsn, autocommit=True) as admin:
                condition = "=" if victim == "the dump's" else "<>"
                admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    f" where datname = current_database() and application_name {condition} 'pg_dump'"
                    " and pid not in (pg_backend_pid(), %s)",
                    [connection.info.backend_pid],
                )
        thread.join(timeout=LIMIT_S)
        assert not thread.is_alive()
        assert isinstance(caught[0], BackupFailed | LedgerUnavailable), caught
        assert not parts(stand)
    require_intact(stand, first)


def test_two_backups_at_once_do_not_mix(stand: Stand) -> None:
    with stand.folder.writing(), pytest.raises(Conflict, match="another backup"):
        make_backup(stand.deployment, stand.folder)
    assert stand.folder.names() == []
