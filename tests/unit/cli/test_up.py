"""One keeper of a home at a time, and nobody stops what it would start again."""

from __future__ import annotations

from pathlib import Path

from ifcbase.stack.locking import file_lock, is_locked
from tests.unit.cli.calling import Caller


def test_a_second_up_in_one_home_is_refused(ifcbase: Caller, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with file_lock(home / "up.lock", timeout_s=0):
        called = ifcbase("up")
    assert called.code == 2
    assert "error: `ifcbase up` is running already in" in called.err


def test_postgres_is_not_stopped_under_its_keeper(ifcbase: Caller, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with file_lock(home / "up.lock", timeout_s=0):
        called = ifcbase("db", "stop")
    assert called.code == 2
    assert "error: `ifcbase up` is running and would start Postgres again" in called.err
    # It was killed: its lock file stays, its lock does not.
    assert not is_locked(home / "up.lock")
    after = ifcbase("db", "stop")
    assert (after.code, after.out) == (0, "none was running\n")
