"""The cache: kept by content, bounded, safe against damage and against each other."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import ifcbase
from ifcbase.errors import ReportInvalid
from ifcbase.ifc.mesh_cache import MeshCache, entry_key, stage
from ifcbase.ifc.meshing.entry import write_entry
from ifcbase.ifc.meshing.mesher import Wanted
from tests.unit.meshing.samples import ENGINE, file_meshes, same


def wanted(*steps: int) -> Wanted:
    n = len(steps)
    return Wanted(np.array(steps, np.int64), ("g",) * n, ("IfcWall",) * n)


def key_of(number: int) -> str:
    return entry_key(f"{number:064x}", wanted(11, 12, 40, 41, 99), ENGINE)


def keep(cache: MeshCache, folder: Path, number: int) -> str:
    key = key_of(number)
    folder.mkdir(exist_ok=True)
    cache.admit(stage(folder, key, file_meshes(number)))
    return key


def test_what_is_staged_and_admitted_is_found_again(tmp_path: Path) -> None:
    cache = MeshCache(tmp_path / "cache", 10**9)
    assert cache.get(key_of(1)) is None
    key = keep(cache, tmp_path / "stage", 1)
    found = cache.get(key)
    assert found is not None
    assert same(found, file_meshes(1))
    assert cache.get(key_of(2)) is None


def test_the_key_holds_all_that_decides_the_result() -> None:
    base = entry_key("0" * 64, wanted(1, 2), ENGINE)
    assert base == entry_key("0" * 64, wanted(1, 2), dict(ENGINE))
    others = {
        entry_key("1" * 64, wanted(1, 2), ENGINE),
        entry_key("0" * 64, wanted(1, 3), ENGINE),
        entry_key("0" * 64, wanted(1), ENGINE),
        entry_key("0" * 64, wanted(2, 1), ENGINE),
        entry_key("0" * 64, wanted(1, 2), {**ENGINE, "versions": ["1", "2", "3"]}),
        entry_key("0" * 64, wanted(1, 2), {**ENGINE, "build": 2}),
    }
    assert base not in others
    assert len(others) == 6


def test_a_damaged_entry_is_removed_and_made_again(tmp_path: Path) -> None:
    cache = MeshCache(tmp_path / "cache", 10**9)
    key = keep(cache, tmp_path / "stage", 1)
    path = cache.path(key)
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    assert cache.get(key) is None
    assert not path.exists()
    keep(cache, tmp_path / "stage", 1)
    assert cache.get(key) is not None


def test_a_damaged_entry_that_cannot_be_removed_is_still_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandboxed child may read the cache, not write it."""
    cache = MeshCache(tmp_path / "cache", 10**9)
    key = keep(cache, tmp_path / "stage", 1)
    cache.path(key).write_bytes(b"short")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read only")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert cache.get(key) is None


def test_reading_without_the_right_to_touch_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = MeshCache(tmp_path / "cache", 10**9)
    key = keep(cache, tmp_path / "stage", 1)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read only")

    monkeypatch.setattr(os, "utime", refuse)
    assert cache.get(key) is not None


def test_a_staged_entry_that_does_not_hold_together_is_refused(tmp_path: Path) -> None:
    cache = MeshCache(tmp_path / "cache", 10**9)
    bad = file_meshes(1)
    bad.meshes.faces[0] = 99
    good_key, bad_key = key_of(1), key_of(2)
    stage(tmp_path, good_key, file_meshes(1))
    staged = stage(tmp_path, bad_key, bad)
    with pytest.raises(ReportInvalid, match="faces"):
        cache.admit(staged)
    assert cache.admit_all(tmp_path) == [staged]
    assert cache.get(good_key) is not None
    assert cache.get(bad_key) is None


def test_a_staged_entry_under_a_false_name_is_refused(tmp_path: Path) -> None:
    """A child cannot give one file's meshes for another's."""
    cache = MeshCache(tmp_path / "cache", 10**9)
    staged = stage(tmp_path, key_of(1), file_meshes(1))
    false = staged.rename(staged.with_name(key_of(2) + ".mesh"))
    with pytest.raises(ReportInvalid, match="key"):
        cache.admit(false)


def test_changing_the_staged_file_afterwards_changes_nothing(tmp_path: Path) -> None:
    cache = MeshCache(tmp_path / "cache", 10**9)
    key = key_of(1)
    staged = stage(tmp_path, key, file_meshes(1))
    with staged.open("r+b") as held_open:
        cache.admit(staged)
        held_open.seek(-1000, os.SEEK_END)
        held_open.write(b"changed")
    found = cache.get(key)
    assert found is not None
    assert same(found, file_meshes(1))


def test_the_entries_used_longest_ago_go_first(tmp_path: Path) -> None:
    cache = MeshCache(tmp_path / "cache", 10**9)
    keys = [keep(cache, tmp_path / "stage", number) for number in range(4)]
    now = time.time()
    for age, key in zip((40, 30, 20, 10), keys, strict=True):
        os.utime(cache.path(key), (now - age, now - age))
    assert cache.get(keys[0]) is not None  # used now: the youngest again
    size = sum(cache.path(key).stat().st_size for key in keys)
    cache.limit = size // 2
    assert cache.clean() == 2
    assert [cache.path(key).exists() for key in keys] == [True, False, False, True]


def test_the_cache_stays_within_its_size(tmp_path: Path) -> None:
    size = stage(tmp_path, key_of(0), file_meshes(0)).stat().st_size
    cache = MeshCache(tmp_path / "cache", 3 * size + size // 2)
    for number in range(10):
        keep(cache, tmp_path / "stage", number)
        held = [p for p in cache.folder.rglob("*") if p.is_file()]
        assert sum(p.stat().st_size for p in held) <= cache.limit
        assert cache.path(key_of(number)) in held


def test_an_entry_larger_than_the_cache_is_still_given(tmp_path: Path) -> None:
    cache = MeshCache(tmp_path / "cache", 10)
    key = keep(cache, tmp_path / "stage", 1)
    found = cache.get(key)
    assert found is not None
    assert same(found, file_meshes(1))


def test_files_left_by_the_dead_are_swept_and_those_of_the_living_kept(tmp_path: Path) -> None:
    cache = MeshCache(tmp_path / "cache", 10**9)
    key = keep(cache, tmp_path / "stage", 1)
    old, new = (cache.path(key).with_name(n) for n in (".x.mesh.1.tmp", ".x.mesh.2.tmp"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    cache.clean()
    assert not old.exists()
    assert new.exists()


def test_an_entry_in_use_survives_its_removal(tmp_path: Path) -> None:
    cache = MeshCache(tmp_path / "cache", 10**9)
    key = keep(cache, tmp_path / "stage", 1)
    found = cache.get(key)
    assert found is not None
    cache.limit = 0
    assert cache.clean() == 1
    assert same(found, file_meshes(1))


_WRITER = """
import sys
from pathlib import Path
from ifcbase.ifc.mesh_cache import MeshCache
cache = MeshCache(Path(sys.argv[1]), int(sys.argv[4]))
staged = Path(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[3])):
    cache.admit(staged)
    cache.get(staged.name.removesuffix(".mesh"))
"""


def test_writers_and_cleaners_at_once_never_show_half_an_entry(tmp_path: Path) -> None:
    key = key_of(1)
    staged = stage(tmp_path, key, file_meshes(1))
    folder = tmp_path / "cache"
    source = str(Path(ifcbase.__file__).parent.parent)
    limit = str(staged.stat().st_size + 10)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder), str(staged), "40", limit],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": source},
        )
        for _ in range(2)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        MeshCache(folder, 10**9).admit(staged)
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        cache = MeshCache(folder, 10**9)
        expected = file_meshes(1)
        seen = 0
        while any(writer.poll() is None for writer in writers):
            found = cache.get(key)
            assert found is not None
            assert same(found, expected)
            seen += 1
        assert seen > 0
    finally:
        outcomes = [writer.communicate(timeout=60) for writer in writers]
    assert [w.returncode for w in writers] == [0, 0], outcomes


def test_writing_into_a_folder_that_is_gone_is_an_error_not_silence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_entry(file_meshes(), key_of(1), tmp_path / "nowhere" / "x.mesh")
