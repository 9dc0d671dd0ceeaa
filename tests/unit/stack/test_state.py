"""``server.json`` and the lock beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import StackError
from ifcbase.stack.cluster import free_port, label_of, major_of
from ifcbase.stack.locking import file_lock
from ifcbase.stack.state import ServerState, read_state, write_state

STATE = ServerState("", "pg-18", 23456, "admin-secret", "secret")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "server.json"
    assert read_state(path) is None
    write_state(path, STATE)
    assert read_state(path) == STATE
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["server.json"]


def test_a_write_that_fails_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "server.json"
    write_state(path, STATE)

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_state(path, ServerState("x", "pg-19", 1, "a", "b", ready=True))
    assert read_state(path) == STATE
    assert [entry.name for entry in tmp_path.iterdir()] == ["server.json"]


@settings(deadline=None, max_examples=50)
@given(st.text("aZ0 /?#%&\"'=@:+\\äß墙😀", min_size=1, max_size=30))
def test_any_database_name_survives_the_connection_string(name: str) -> None:
    for dsn in (STATE.dsn(name), STATE.admin_dsn(name)):
        known = psycopg.conninfo.conninfo_to_dict(dsn)
        assert known["dbname"] == name
        assert str(known["port"]) == "23456"
        assert unquote(dsn.rsplit("/", 1)[1]) == name


def test_the_lock_keeps_others_out_until_its_holder_ends(tmp_path: Path) -> None:
    """However it ends: this one is killed."""
    path = tmp_path / "lock"
    program = (
        "import pathlib, sys, time; from ifcbase.stack.locking import file_lock\n"
        "with file_lock(pathlib.Path(sys.argv[1]), timeout_s=5):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    source = Path(__file__).resolve().parents[3] / "src"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        begun = time.monotonic()
        with (
            pytest.raises(StackError, match="another process"),
            file_lock(path, timeout_s=0.3),
        ):
            pass
        assert time.monotonic() - begun < 5
        holder.kill()
        holder.wait()
        with file_lock(path, timeout_s=5):
            assert path.stat().st_mode & 0o777 == 0o600


def test_a_lock_is_not_inherited_by_what_is_started_under_it(tmp_path: Path) -> None:
    """The server outlives its starter; it must not keep the lock."""
    path = tmp_path / "lock"
    with file_lock(path, timeout_s=1):
        child = subprocess.Popen(["sleep", "30"])
    try:
        with file_lock(path, timeout_s=1):
            pass
    finally:
        child.kill()
        child.wait()


def test_a_port_is_kept_if_it_is_free() -> None:
    port = free_port()
    assert 20000 <= port < 32000
    assert free_port(port) == port


def test_labels_tell_folders_apart_and_follow_links(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert label_of(tmp_path / "a") == label_of(tmp_path / "link")
    assert label_of(tmp_path / "a") != label_of(tmp_path / "b")


def test_the_major_of_what_is_no_data_folder(tmp_path: Path) -> None:
    assert major_of(tmp_path) is None
    (tmp_path / "PG_VERSION").write_text("17\n")
    assert major_of(tmp_path) == 17
    assert major_of(tmp_path / "PG_VERSION") is None
