"""What waits in the spool is tried one by one: none keeps back those behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ifcbase.files.local import LocalFiles
from ifcbase.jobs.flushing import Flusher
from ifcbase.ledger.interface import Attempt, Claim, Ledger
from ifcbase.ledger.spool import Spool

FIRST = Attempt("first", 1, 1, "3a1f0000-0000-4000-8000-000000000001", 1, "default", "clash", {}, 1.0, 1, ())  # fmt: skip


class Odd:
    """A ledger with an error nobody foresaw for one of two results, which has the other already."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def claim(self, token: str, **_: Any) -> Claim:
        self.asked.append(token)
        if token == "first":
            raise OSError(28, "No space left on device")
        return Claim("stored", "")


def test_an_entry_with_an_unforeseen_error_does_not_keep_back_the_one_behind_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "output"
    output.mkdir()
    (output / "output.json").write_text("[]")
    spool, ledger = Spool(tmp_path / "spool", 1), Odd()
    # Entries are tried in the order of their names.
    first = spool.put(FIRST, output, {}, host="here", reason="away")
    first.folder.rename(first.folder.with_name("0-" + first.name))
    spool.put(replace(FIRST, token="second"), output, {}, host="here", reason="away")
    flusher = Flusher(cast(Ledger, ledger), LocalFiles(tmp_path / "files"), spool, 30.0, 600.0)
    assert flusher.flush_once() == 1
    assert ledger.asked == ["first", "second"]
    assert [each.attempt.token for each in spool.entries()] == ["first"]
    assert "No space left on device" in caplog.text
