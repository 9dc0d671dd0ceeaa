"""Files of `-o`: there whole or not at all, and where they were asked for."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from pathlib import Path

import pytest

from ifcbase.cli.output import put_in_place
from ifcbase.errors import FileUnwritable


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "made" / "output.json"
    path.parent.mkdir()
    path.write_bytes(b"new report")
    return path


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_report_cut_short_leaves_the_one_before(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(_: Path, target: Path) -> None:
        target.write_bytes(b"new")
        raise OSError(28, "No space left on device", str(target))

    (tmp_path / "report.json").write_bytes(b"old report")
    monkeypatch.setattr(shutil, "copyfile", cut_short)
    for name in ("report.json", "other.json"):
        with pytest.raises(FileUnwritable, match=rf"{name} cannot be written: No space left"):
            put_in_place(source, tmp_path / name)
    assert listed(tmp_path) == ["made", "report.json"]
    assert (tmp_path / "report.json").read_bytes() == b"old report"


def test_a_new_report_has_the_rights_of_any_new_file(source: Path, tmp_path: Path) -> None:
    put_in_place(source, tmp_path / "report.json")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "report.json").read_bytes() == b"new report"
    modes = [(tmp_path / name).stat().st_mode for name in ("report.json", "plain")]
    assert modes[0] == modes[1]
    assert listed(tmp_path) == ["made", "plain", "report.json"]


def test_a_link_and_the_rights_of_its_file_stay(source: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    kept.write_bytes(b"old")
    kept.chmod(0o640)
    link = tmp_path / "made" / "link.json"
    link.symlink_to(kept)
    put_in_place(source, link)
    assert link.is_symlink()
    assert kept.read_bytes() == b"new report"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640


def test_a_pipe_is_written_into_and_not_replaced(source: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    put_in_place(source, pipe)
    reader.join(10)
    assert got == [b"new report"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_full_device_is_named_and_stays(source: Path) -> None:
    with pytest.raises(FileUnwritable, match="/dev/full cannot be written: No space left"):
        put_in_place(source, Path("/dev/full"))
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)
