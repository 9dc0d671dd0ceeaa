"""Exports of what the ledger keeps: what both doors share, without a database."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from ifcbase.errors import RequestInvalid
from ifcbase.exchange import formats, recorded
from ifcbase.exchange.report import Report
from tests.unit.exchange.made import finding, report

NO_DATABASE = cast(Any, None)


def clashes(count: int, **more: object) -> Report:
    return report(*(finding(number, **more) for number in range(count)))


@pytest.mark.parametrize("form", [suffix.lstrip(".") for suffix in formats.SUFFIXES])
def test_every_format_has_a_media_type_and_a_file_of_its_own(tmp_path: Path, form: str) -> None:
    made = clashes(3)
    one, two = (recorded.write_report(made, tmp_path / "exports", form) for _ in range(2))
    assert one.path != two.path
    assert one.path.read_bytes()
    assert (one.listed, one.total) == (made.total, made.total)
    assert "/" in one.media_type


def test_clashes_of_a_group_are_written_as_one(tmp_path: Path) -> None:
    made = recorded.write_report(clashes(4, group="7"), tmp_path, "csv", by_group=True)
    assert (made.listed, made.total) == (1, 1)


def test_a_format_nobody_writes_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid, match="pdf"):
        recorded.write_report(clashes(1), tmp_path, "pdf")
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_fails_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(recorded, "write", full)
    with pytest.raises(KeyboardInterrupt):
        recorded.write_report(clashes(1), tmp_path, "csv")
    assert list(tmp_path.iterdir()) == []


def test_results_that_are_files_already_are_refused_with_a_way_out() -> None:
    with pytest.raises(RequestInvalid, match="conversion results are not exported") as told:
        recorded.result_report(NO_DATABASE, "default", "conversion", 1)
    assert "outputs" in (told.value.hint or "")
