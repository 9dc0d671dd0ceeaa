"""Locks on folders, and folders that are hard to remove."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from ifcbase.jobs import leftovers


def aged(folder: Path) -> Path:
    folder.mkdir(parents=True)
    os.utime(folder, (0, 0))
    return folder


def test_a_folder_is_locked_once(tmp_path: Path) -> None:
    held = leftovers.lock_folder(tmp_path)
    with pytest.raises(BlockingIOError):
        leftovers.lock_folder(tmp_path)
    os.close(held)
    os.close(leftovers.lock_folder(tmp_path))


def test_the_sweep_takes_only_unlocked_folders_of_children(tmp_path: Path) -> None:
    left = aged(tmp_path / "child-a")
    used = aged(tmp_path / "child-b")
    other = aged(tmp_path / "precious")
    held = leftovers.lock_folder(used)
    assert leftovers.sweep(tmp_path) == 1
    os.close(held)
    assert (left.exists(), used.exists(), other.exists()) == (False, True, True)
    assert leftovers.sweep(tmp_path / "absent") == 0


def test_removing_a_folder_does_not_follow_links_out_of_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o750)
    (outside / "file").write_text("kept", encoding="utf-8")
    folder = tmp_path / "child-a"
    closed = folder / "a" / "b"
    closed.mkdir(parents=True)
    (folder / "link").symlink_to(outside)
    (closed / "file").write_text("x", encoding="utf-8")
    closed.chmod(0)
    leftovers.remove_folder(folder)
    assert not folder.exists()
    assert outside.stat().st_mode & 0o777 == 0o750
    assert (outside / "file").read_text(encoding="utf-8") == "kept"


def test_a_folder_that_cannot_be_removed_is_said_aloud(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        leftovers.remove_folder(tmp_path / "absent")
    assert "could not be removed" in caplog.text
