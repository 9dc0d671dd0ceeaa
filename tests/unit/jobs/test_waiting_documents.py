"""A worker that cannot store what scripts left says so, and tries no further than it must."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from ifcbase.errors import LedgerSlow, LedgerUnavailable
from ifcbase.jobs.documents import WaitingDocuments
from ifcbase.ledger.rest.calls import Calls
from ifcbase.ledger.rest.documents import DocumentSpool
from ifcbase.settings import Settings


def test_a_worker_without_the_service_key_says_once_that_documents_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(home=tmp_path, supabase_url=None, supabase_service_key=None)
    documents = WaitingDocuments(settings)
    assert documents.flush() == 0
    assert caplog.text == ""
    DocumentSpool(settings.spool_folder / "documents", 1).put("one", {"clash_set_name": "one"})
    assert [documents.flush(), documents.flush()] == [1, 1]
    assert caplog.text.count("SUPABASE_SERVICE_KEY") == 1
    documents.close()


class Troubled:
    """Calls that fail as they are told, by the order of documents."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.asked: list[str] = []

    def call(self, _: str, parameters: dict[str, Any], **__: Any) -> dict[str, Any]:
        self.asked.append(parameters["key"])
        error = self.errors.pop(0)
        if error is not None:
            raise error
        return {"id": 1}


def three(folder: Path) -> DocumentSpool:
    spool = DocumentSpool(folder, 1)
    for key in ("one", "two", "three"):
        spool.put(key, {"clash_set_name": key})
    return spool


def test_while_nothing_can_be_reached_one_try_is_enough(tmp_path: Path) -> None:
    """A hundred documents made a round of a hundred time-outs."""
    spool, away = three(tmp_path), Troubled(LedgerUnavailable("away"))
    assert spool.flush(cast(Calls, away)) == 3
    assert len(away.asked) == 1


def test_a_document_that_takes_too_long_does_not_keep_back_the_others(tmp_path: Path) -> None:
    spool, slow = three(tmp_path), Troubled(LedgerSlow(), None, None)
    assert spool.flush(cast(Calls, slow)) == 1
    assert len(slow.asked) == 3
    assert len(spool.waiting()) == 1
