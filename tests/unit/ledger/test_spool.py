"""The spool: what is in it is whole or refused, whoever dies when, and it does not fill the disk."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ifcbase.errors import Conflict, NotFound, SpoolDamaged, SpoolFull
from ifcbase.jobs.flushing import Flusher
from ifcbase.ledger import spool as spools
from ifcbase.ledger.interface import Attempt, JobInput
from ifcbase.ledger.spool import Entry, Spool

ATTEMPT = Attempt(
    token="secret-token", attempt_id=7, number=2, job_id="3a1f0000-0000-4000-8000-000000000001",
    project_id=1, project="default", check="clash", request={"a": [1, None]}, timeout_s=1.5,
    memory_mb=100, inputs=(JobInput("A.ifc", "ab" * 32, 9, 4, "A", 1, True), JobInput("r.ids", "cd", 1)),
)  # fmt: skip


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """What a child left: files in a folder with a folder."""
    found = tmp_path / "output"
    (found / "meshes").mkdir(parents=True)
    (found / "output.json").write_text("[1, 2]")
    (found / "meshes" / "a.npz").write_bytes(bytes(range(256)) * 400)
    return found


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", most_mb=1)


class Nobody:
    """A ledger, or files, that nobody may ask anything."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def put(spool: Spool, output: Path, *, job: str | None = None, refused: bool = False) -> Entry:
    attempt = replace(ATTEMPT, job_id=job) if job else ATTEMPT
    return spool.put(
        attempt, output, {"peak_memory_mb": 3.5}, host="here", reason="away", refused=refused
    )


def test_what_was_put_is_there_after_the_worker_is_gone(spool: Spool, output: Path) -> None:
    made = put(spool, output)
    (found,) = Spool(spool.folder, 1).entries()
    assert found == made
    assert found.attempt == ATTEMPT
    assert found.facts == {"peak_memory_mb": 3.5}
    assert (found.host, found.reason, found.tries, found.refused) == ("here", "away", 1, False)
    assert (found.output / "meshes" / "a.npz").read_bytes() == bytes(range(256)) * 400
    assert found.size == 256 * 400 + 6
    found.verify()
    assert (output / "output.json").exists(), "the worker may try on with its own"


def test_the_token_is_nobody_elses_to_read(spool: Spool, output: Path) -> None:
    made = put(spool, output)
    assert spool.folder.stat().st_mode & 0o077 == 0
    assert made.folder.stat().st_mode & 0o077 == 0
    assert (made.folder / "entry.json").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(sys.platform != "linux", reason="names of descriptors are Linux's")
def test_files_are_on_disk_before_the_entry_has_its_name(
    spool: Spool, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_sync, real_rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        steps.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real_sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        steps.append(f"renamed to {target.name}")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    made = put(spool, output)
    named = steps.index(f"renamed to {made.name}")
    before = [Path(each).name for each in steps[:named]]
    assert {"output.json", "a.npz", "meshes", "output", f".incoming-{made.name}"} <= set(before)
    assert steps[named + 1 :] == [str(spool.folder)]


@pytest.mark.parametrize("step", ["_hash", "_keep", "_write", "_sync"])
def test_a_disk_that_fails_leaves_no_entry(
    spool: Spool, output: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spools, step, full)
    with pytest.raises(OSError, match="No space"):
        put(spool, output)
    monkeypatch.undo()
    assert spool.entries() == []
    assert not [each for each in spool.folder.glob("*") if not each.name.startswith(".")]
    assert not list(spool.folder.glob(".incoming-*"))


@pytest.mark.parametrize("file", ["output/output.json", "output/meshes/a.npz"])
@pytest.mark.parametrize("how", ["changed", "missing"])
def test_a_file_that_is_not_what_was_written_is_found(
    spool: Spool, output: Path, file: str, how: str
) -> None:
    made = put(spool, output)
    path = made.folder / file
    data = path.read_bytes()
    path.unlink()
    if how == "changed":
        path.write_bytes(data[:-1] + b"!")
    with pytest.raises(SpoolDamaged, match=Path(file).name):
        made.verify()


@pytest.mark.parametrize("damage", ["", "{", '{"entry": {}, "sha256": "x"}', "[]"])
def test_an_entry_that_cannot_be_read_is_shown_and_not_tried(
    spool: Spool, output: Path, damage: str
) -> None:
    made = put(spool, output)
    (made.folder / "entry.json").write_text(damage)
    (found,) = spool.entries()
    assert found.refused
    assert "entry.json" in found.reason
    assert found.name == made.name


@pytest.mark.parametrize("file", ["entry.json", "output/output.json"])
def test_what_cannot_be_read_just_now_is_no_damage_and_not_thrown_away(
    spool: Spool, output: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    (output / "large").write_bytes(bytes(600_000))
    made = put(spool, output)

    def tired(real: Callable[..., Any]) -> Callable[..., Any]:
        def act(self: Path, *given: Any, **more: Any) -> Any:
            if self == made.folder / file:
                raise OSError(errno.EIO, "Input/output error")
            return real(self, *given, **more)

        return act

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", tired(Path.read_text))
        patched.setattr(Path, "open", tired(Path.open))
        (found,) = spool.entries()
        assert (found.refused, found.known) == (False, file != "entry.json")
        with pytest.raises(OSError, match="Input/output"):
            found.verify()
        with pytest.raises(SpoolFull):
            put(spool, output)
        flusher = Flusher(cast(Any, Nobody()), cast(Any, Nobody()), spool, 1.0, 1.0)
        assert flusher.flush_once() == 1, "nobody is asked to store what cannot be read"
    (again,) = spool.entries()
    assert (again.attempt, again.refused) == (ATTEMPT, False)
    again.verify()


def test_one_refused_entry_that_cannot_go_does_not_keep_others_from_making_room(
    spool: Spool, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (output / "large").write_bytes(bytes(300_000))
    stays, goes = put(spool, output, refused=True), put(spool, output, refused=True)
    real = Entry.remove

    def remove(self: Entry) -> None:
        if self.name == stays.name:
            raise OSError(errno.EIO, "Input/output error")
        real(self)

    monkeypatch.setattr(Entry, "remove", remove)
    made = put(spool, output)
    assert {each.name for each in spool.entries()} == {stays.name, made.name}
    assert goes.name not in {stays.name, made.name}


def test_an_entry_of_another_version_is_kept_for_it(spool: Spool, output: Path) -> None:
    made = put(spool, output)
    document = json.loads((made.folder / "entry.json").read_text())
    document["entry"]["format"] = 99
    document["sha256"] = spools._checksum(document["entry"])
    (made.folder / "entry.json").write_text(json.dumps(document))
    (found,) = spool.entries()
    assert found.refused
    assert "another version" in found.reason


def test_what_became_of_it_is_remembered(spool: Spool, output: Path) -> None:
    made = put(spool, output).note("still away").note("refused: no", refused=True)
    (found,) = spool.entries()
    assert found == made
    assert (found.tries, found.reason, found.refused) == (3, "refused: no", True)


def test_a_note_that_was_cut_off_loses_no_entry(spool: Spool, output: Path) -> None:
    made = put(spool, output)
    (made.folder / "state.json").write_text("{")
    (found,) = spool.entries()
    assert (found.attempt, found.refused) == (ATTEMPT, False)


def test_entries_are_tried_in_the_order_they_came(spool: Spool, output: Path) -> None:
    names = []
    for i in range(3):
        made = put(spool, output, job=f"{i}b1f0000-0000-4000-8000-000000000001")
        names.append(made.folder.rename(made.folder.with_name(f"2026010{3 - i}T000000-x-{i}")).name)
    assert [each.name for each in spool.entries()] == sorted(names)


def test_an_entry_is_flushed_by_one_at_a_time(spool: Spool, output: Path) -> None:
    made = put(spool, output)
    with made.locked() as first, spool.entries()[0].locked() as second:
        assert (first, second) == (True, False)
    with made.locked() as again:
        assert again
        made.remove()
    with made.locked() as gone:
        assert not gone
    assert spool.entries() == []


def test_the_disk_is_not_filled(spool: Spool, output: Path) -> None:
    (output / "large").write_bytes(bytes(600_000))
    put(spool, output)
    with pytest.raises(SpoolFull, match="no room"):
        put(spool, output)
    assert len(spool.entries()) == 1
    assert not list(spool.folder.glob(".incoming-*"))


def test_what_was_refused_makes_room_for_what_waits(spool: Spool, output: Path) -> None:
    (output / "large").write_bytes(bytes(300_000))
    old, waits = put(spool, output, refused=True), put(spool, output)
    made = put(spool, output)
    assert {each.name for each in spool.entries()} == {waits.name, made.name}
    assert old.name not in {waits.name, made.name}


def test_an_entry_is_found_by_its_name_or_its_job(spool: Spool, output: Path) -> None:
    first = put(spool, output)
    second = put(spool, output, job="9b1f0000-0000-4000-8000-000000000001")
    assert spool.named("3a1f") == first
    assert spool.named(second.name) == second
    with pytest.raises(Conflict):
        spool.named("20")
    for beginning in ("x", ""):
        with pytest.raises(NotFound):
            spool.named(beginning)
