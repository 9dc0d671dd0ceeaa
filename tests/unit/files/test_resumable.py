"""Uploads go on where they were interrupted, and nobody else's."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from ifcbase.errors import (
    ChecksumMismatch,
    Conflict,
    FileTooLarge,
    NotFound,
    NotIfc,
    RequestInvalid,
    UploadBusy,
)
from ifcbase.files import resumable
from ifcbase.files.resumable import Pending, Uploads
from tests.unit.files import made

MIB = 1 << 20
OURS = {"project": "p"}


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path, limit=MIB, keep_s=3600)


def begun(uploads: Uploads, length: int = 10, kind: str = "other") -> Pending:
    return uploads.create(kind=kind, name="a.ifc", length=length, **OURS)


def sha256_of(content: bytes) -> str:
    return "sha256 " + base64.b64encode(hashlib.sha256(content).digest()).decode()


def test_an_upload_goes_on_after_an_interruption(uploads: Uploads, tmp_path: Path) -> None:
    content = made.step(5000)
    pending = begun(uploads, len(content), "ifc")
    with pytest.raises(ConnectionError), uploads.writing(pending) as part:
        part.write(content[:2000])
        raise ConnectionError
    again = Uploads(tmp_path, limit=MIB, keep_s=3600).find(pending.id, **OURS)
    assert again.offset == 2000
    with uploads.writing(again) as part:
        part.at(2000)
        part.write(content[2000:])
    received = uploads.judge(again)
    assert received.sha256 == hashlib.sha256(content).hexdigest()
    uploads.done(again, {"sha256": received.sha256})
    found = uploads.find(pending.id, **OURS)
    assert (found.offset, found.result) == (len(content), {"sha256": received.sha256})
    assert not (tmp_path / pending.id / "data").exists()


def test_a_part_elsewhere_is_refused(uploads: Uploads) -> None:
    pending = begun(uploads)
    with pytest.raises(Conflict, match="at byte 0, not 3"), uploads.writing(pending) as part:
        part.at(3)


def test_more_than_announced_is_refused(uploads: Uploads) -> None:
    pending = begun(uploads, 4)
    with pytest.raises(FileTooLarge), uploads.writing(pending) as part:
        part.write(b"12345")
    with pytest.raises(FileTooLarge):
        begun(uploads, MIB + 1)
    with pytest.raises(RequestInvalid):
        begun(uploads, 0)


def test_a_part_with_a_wrong_checksum_is_taken_back(uploads: Uploads) -> None:
    pending = begun(uploads)
    with uploads.writing(pending) as part:
        part.expect(sha256_of(b"123"))
        part.write(b"123")
    with pytest.raises(ChecksumMismatch), uploads.writing(pending) as part:
        part.expect(sha256_of(b"456"))
        part.write(b"457")
    with pytest.raises(ConnectionError), uploads.writing(pending) as part:
        part.expect(sha256_of(b"456"))
        part.write(b"4")
        raise ConnectionError
    assert uploads.find(pending.id, **OURS).offset == 3


@pytest.mark.parametrize("given", ["crc32 AAAA", "sha256", "sha256 !!", ""])
def test_checksums_we_cannot_check_are_refused(uploads: Uploads, given: str) -> None:
    pending = begun(uploads)
    with pytest.raises((RequestInvalid, ChecksumMismatch)), uploads.writing(pending) as part:
        part.expect(given)


def test_two_do_not_write_at_once(uploads: Uploads) -> None:
    pending = begun(uploads)
    with uploads.writing(pending), pytest.raises(UploadBusy), uploads.writing(pending):
        pytest.fail("both were let in")


def test_uploads_of_other_projects_are_not_found(uploads: Uploads) -> None:
    with pytest.raises(NotFound):
        uploads.find(begun(uploads).id, project="q")


@pytest.mark.parametrize("upload_id", ["", "..", "../../etc", "0" * 32, "Z" * 32])
def test_strange_ids_are_not_found(uploads: Uploads, upload_id: str) -> None:
    with pytest.raises(NotFound):
        uploads.find(upload_id, **OURS)


def test_a_refused_upload_is_forgotten(uploads: Uploads, tmp_path: Path) -> None:
    pending = begun(uploads, 4, "ifc")
    with uploads.writing(pending) as part:
        part.write(b"%PDF")
    with pytest.raises(NotIfc):
        uploads.judge(pending)
    assert not list(tmp_path.iterdir())


def test_untouched_uploads_expire(uploads: Uploads, tmp_path: Path) -> None:
    old, young = begun(uploads), begun(uploads)
    note = tmp_path / old.id / "note.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"expires": 1.0}))
    assert uploads.sweep() == 1
    assert [each.id for each in uploads] == [young.id]


def test_a_project_has_a_bounded_number_of_them(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumable, "MOST_PENDING", 2)
    begun(uploads)
    begun(uploads)
    with pytest.raises(Conflict, match="unfinished"):
        begun(uploads)
