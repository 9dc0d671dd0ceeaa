"""Where folders go and who may reach them; the tests that change owners need root."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ifcbase.errors import StackError
from ifcbase.stack import placement
from ifcbase.stack.binaries import Binaries, find_binaries
from ifcbase.stack.placement import (
    ServerUser,
    folders_left_behind,
    make_home,
    programs_for,
    reachable,
    server_folder,
    server_user,
)
from tests.integration.servers import open_folder

STRANGER = ServerUser("nobody", 65534, 65534)
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder everybody may pass through, also on the way to it."""
    with open_folder() as path:
        yield path


@pytest.fixture
def store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(placement, "ROOT_STORE", folder / "store")
    return folder / "store"


@pytest.mark.parametrize("mode", [0o700, 0o701, 0o710, 0o711, 0o755, 0o044, 0o001])
@root_only
def test_reachable_agrees_with_the_system(folder: Path, mode: int) -> None:
    inner = folder / "outer" / "inner"
    inner.mkdir(parents=True)
    (folder / "outer").chmod(mode)
    for owner in (0, STRANGER.uid):
        for group in (0, STRANGER.gid):
            os.chown(folder / "outer", owner, group)
            entered = subprocess.run(
                ["ls", "-d", f"{inner}/."],
                user=STRANGER.uid,
                group=STRANGER.gid,
                extra_groups=[],
                capture_output=True,
                check=False,
            )
            assert reachable(inner, STRANGER) == (entered.returncode == 0)


def test_everything_is_reachable_for_ourselves(tmp_path: Path) -> None:
    assert reachable(tmp_path, None)


def test_the_home_of_an_ordinary_user_is_private(tmp_path: Path) -> None:
    made = make_home(tmp_path / "home", None)
    assert made == tmp_path / "home" / "postgres"
    assert made.stat().st_mode & 0o777 == 0o700
    assert made.parent.stat().st_mode & 0o777 == 0o700
    assert server_folder(tmp_path / "home", None) == made


def test_an_existing_home_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o750)
    make_home(tmp_path / "home", STRANGER)
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o750


def test_making_a_home_at_once_from_many_threads(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def make() -> Path:
        start.wait()
        return make_home(tmp_path / "a" / "b", None)

    with ThreadPoolExecutor(8) as pool:
        made = {future.result() for future in [pool.submit(make) for _ in range(8)]}
    assert made == {tmp_path / "a" / "b" / "postgres"}


@root_only
def test_an_open_home_keeps_the_data_a_closed_one_sends_it_elsewhere(
    folder: Path, store: Path
) -> None:
    assert server_folder(folder / "open", STRANGER) == folder / "open" / "postgres"
    assert not store.exists()
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    first = server_folder(closed / "home", STRANGER)
    second = server_folder(closed / "home", STRANGER)
    assert first.parent == store
    assert first != second, "a home that begins anew must not find old data"
    assert reachable(first, STRANGER)
    assert first.stat().st_mode & 0o022 == 0
    assert folders_left_behind(closed / "home") == sorted([first, second])
    assert folders_left_behind(closed) == []


@root_only
def test_the_server_user_is_unprivileged_and_owns_what_exists(tmp_path: Path) -> None:
    user = server_user()
    assert user is not None
    assert user.name in ("postgres", "nobody")
    assert user.uid != 0
    data = tmp_path / "pg-18"
    assert server_user(data) == user
    data.mkdir()
    assert server_user(data) == user, "a folder of root's decides nothing"
    os.chown(data, 65534, 65534)
    owner = server_user(data)
    assert owner is not None
    assert owner.uid == 65534
    os.chown(data, 54321, 54321)
    assert server_user(data) == ServerUser("54321", 54321, 54321)


def test_programs_stay_where_they_are_for_ourselves() -> None:
    found = find_binaries()
    assert programs_for(found, None) is found


@pytest.fixture
def closed_package(folder: Path) -> Binaries:
    """Programs in a folder that only root may enter, installed under a strict umask."""
    base = folder / "venv"
    parts = ("pack/pginstall", "pack.libs")
    for part, name in ((parts[0] + "/bin", "initdb"), (parts[0] + "/bin", "postgres")):
        (base / part).mkdir(parents=True, exist_ok=True)
        (base / part / name).write_text("#!/bin/sh\ncat $(dirname $0)/../share/postgres.bki\n")
        (base / part / name).chmod(0o700)
    for file in (base / parts[0] / "share/postgres.bki", base / parts[1] / "libpq.so.5"):
        file.parent.mkdir(parents=True)
        file.write_text("content")
        file.chmod(0o600)
    base.chmod(0o700)
    return Binaries(base / parts[0] / "bin", 18, "pack", "18.6.3", base, parts)


@root_only
def test_programs_in_a_closed_folder_are_copied_once_and_run(
    closed_package: Binaries, store: Path
) -> None:
    copy = programs_for(closed_package, STRANGER)
    assert copy.bindir == store / "binaries" / "pack-18.6.3" / "pack/pginstall/bin"
    assert (copy.bindir / "../../../pack.libs/libpq.so.5").read_text() == "content"
    done = subprocess.run(
        [copy.tool("postgres")],
        user=STRANGER.uid,
        group=STRANGER.gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "content"
    for path in store.rglob("*"):
        assert path.stat().st_uid == 0
        assert path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH) == 0
    before = copy.bindir.stat().st_mtime_ns
    assert programs_for(closed_package, STRANGER) == copy
    assert copy.bindir.stat().st_mtime_ns == before
    assert [path.name for path in (store / "binaries").iterdir()] == ["pack-18.6.3"]


@root_only
def test_an_open_folder_with_private_files_is_copied_too(
    closed_package: Binaries, store: Path
) -> None:
    """What pip leaves behind under umask 077."""
    assert closed_package.base is not None
    for path in (closed_package.base, *closed_package.base.rglob("*")):
        if path.is_dir() or path.parent == closed_package.bindir:
            path.chmod(0o755)
    assert programs_for(closed_package, STRANGER).bindir.is_relative_to(store)
    (closed_package.bindir.parent / "share" / "postgres.bki").chmod(0o644)
    assert programs_for(closed_package, STRANGER) is closed_package


@root_only
def test_copying_at_once_and_copying_half(closed_package: Binaries, store: Path) -> None:
    assert closed_package.base is not None
    broken = closed_package.base / "pack.libs" / "broken"
    broken.symlink_to("nowhere")
    with pytest.raises(StackError, match="could not be copied"):
        programs_for(closed_package, STRANGER)
    broken.unlink()
    assert list((store / "binaries").iterdir()) == []
    start = threading.Barrier(4)

    def copy() -> Path:
        start.wait()
        return programs_for(closed_package, STRANGER).bindir

    with ThreadPoolExecutor(4) as pool:
        found = {future.result() for future in [pool.submit(copy) for _ in range(4)]}
    assert len(found) == 1
    assert [path.name for path in (store / "binaries").iterdir()] == ["pack-18.6.3"]


@root_only
def test_a_local_installation_out_of_reach_is_named(folder: Path, store: Path) -> None:
    (folder / "closed" / "bin").mkdir(parents=True)
    (folder / "closed").chmod(0o700)
    with pytest.raises(StackError, match="the user nobody cannot reach"):
        programs_for(Binaries(folder / "closed" / "bin", 18, "local"), STRANGER)
