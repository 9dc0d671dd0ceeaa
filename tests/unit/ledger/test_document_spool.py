"""Documents that wait may be sent by another process at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from ifcbase.ledger.rest.calls import Calls
from ifcbase.ledger.rest.documents import DocumentSpool


class Taken:
    """The other process: what is sent here it has sent already, and removed with all the others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sent: list[str] = []

    def call(self, _function: str, parameters: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.sent.append(parameters["key"])
        for path in self.folder.glob("*.json"):
            path.unlink()
        return {"id": 1}


def test_documents_that_another_process_sends_meanwhile_are_no_failure(tmp_path: Path) -> None:
    spool = DocumentSpool(tmp_path / "documents", 1)
    for key in ("one", "two"):
        spool.put(key, {"clash_set_name": key})
    other = Taken(spool.folder)
    assert spool.flush(cast(Calls, other)) == 0
    assert len(other.sent) == 1
    assert list(spool.folder.glob("*.json")) == []


def test_a_document_is_kept_while_another_process_sends_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = DocumentSpool(tmp_path / "documents", 1)
    gone = spool.put("one", {"clash_set_name": "one"})
    real = Path.stat

    def stat(self: Path, **more: Any) -> Any:
        if self == gone:
            gone.unlink(missing_ok=True)
        return real(self, **more)

    monkeypatch.setattr(Path, "stat", stat)
    kept = spool.put("two", {"clash_set_name": "two"})
    assert spool.waiting() == [kept]
