"""Files are what they are said to be, or are refused with the reason."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from ifcbase.errors import (
    ArchiveUnsafe,
    FileEmpty,
    FileTooLarge,
    IdsTooLarge,
    IdsUnsafe,
    IfcbaseError,
    IfcTruncated,
    NotBcf,
    NotCsv,
    NotIds,
    NotIfc,
    RequestInvalid,
    UploadNameInvalid,
)
from ifcbase.files import sniff, zipped
from ifcbase.files.naming import upload_name
from tests.unit.files import made

MIB = 1 << 20


def judge(folder: Path, kind: str, content: bytes) -> None:
    path = folder / "upload"
    path.write_bytes(content)
    sniff.check_whole(kind, "the file", path)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("ifc", made.step()),
        ("ifc", b"\xef\xbb\xbf \r\n" + made.step()),
        ("ifc", made.step().lower()),
        ("ifc", made.step(300_000)),
        ("ids", made.IDS),
        ("ids", made.IDS.decode().replace("utf-8", "utf-16").encode("utf-16")),
        ("bcf", made.zipped({"bcf.version": b"<Version/>", "a/markup.bcf": b"<Markup/>"})),
        ("csv", "Name;Höhe\nWand;3\n".encode()),
        ("csv", "Name;Höhe\nWand;3\n".encode("latin-1")),
        ("other", b"\0\1\2anything"),
    ],
)
def test_files_of_their_kind_pass(tmp_path: Path, kind: str, content: bytes) -> None:
    judge(tmp_path, kind, content)


@pytest.mark.parametrize(
    ("kind", "content", "error"),
    [
        ("ifc", b"", FileEmpty),
        ("ids", b"", FileEmpty),
        ("ifc", b"%PDF-1.7 ...", NotIfc),
        ("ifc", b"<?xml version='1.0'?><ifcXML/>", NotIfc),
        ("ifc", made.step()[:-20], IfcTruncated),
        ("ids", made.step(), NotIds),
        ("ids", b"<bcf/>", NotIds),
        ("ids", made.IDS[:-5], NotIds),
        ("ids", b"<ids/>", NotIds),
        ("ids", b'<!DOCTYPE x [<!ENTITY a "b">]>' + made.IDS, IdsUnsafe),
        ("ids", made.IDS.replace(b"<title>t</title>", b"<d>" * 60 + b"</d>" * 60), IdsUnsafe),
        ("ids", made.IDS.replace(b"<title>", b"<title>" + b" " * (17 * MIB)), IdsTooLarge),
        ("bcf", made.step(), NotBcf),
        ("bcf", made.zipped({"markup.bcf": b""}), NotBcf),
        ("bcf", b"PK\x03\x04 and no more", NotBcf),
        ("bcf", made.zipped({"bcf.version": b"", "../../etc/x": b""}), ArchiveUnsafe),
        ("csv", b"a;b\0c", NotCsv),
        ("csv", b"a;b\n" * 400_000 + b"\0", NotCsv),
        ("csv", made.zipped({"a": b"b"}), NotCsv),
    ],
)
def test_files_of_another_kind_are_refused(
    tmp_path: Path, kind: str, content: bytes, error: type[IfcbaseError]
) -> None:
    with pytest.raises(error) as caught:
        judge(tmp_path, kind, content)
    assert type(caught.value) is error
    assert str(tmp_path) not in caught.value.message


def test_the_kinds_may_be_written_in_capitals() -> None:
    assert sniff.kind_named("IFC") == "ifc"
    with pytest.raises(RequestInvalid):
        sniff.kind_named("dwg")


# --- ifcZIP --------------------------------------------------------------------------------------


def unpack(folder: Path, content: bytes, limit: int = 64 * MIB) -> bytes:
    path, target = folder / "upload", folder / "unpacked"
    path.write_bytes(content)
    zipped.unpack_model(path, "model.ifczip", target, limit)
    return target.read_bytes()


def test_the_one_model_of_an_ifczip_is_unpacked(tmp_path: Path) -> None:
    model = made.step(100_000)
    assert unpack(tmp_path, made.zipped({"readme.txt": b"x", "Modell/HAUS.IFC": model})) == model


@pytest.mark.parametrize("members", [{}, {"a.txt": b""}, {"a.ifc": b"", "b.ifc": b""}])
def test_an_ifczip_holds_one_model(tmp_path: Path, members: dict[str, bytes]) -> None:
    with pytest.raises(NotIfc, match="IFC files in it"):
        unpack(tmp_path, made.zipped(members))


@pytest.mark.parametrize(
    "name", ["../a.ifc", "x/../../a.ifc", "/etc/a.ifc", "..\\a.ifc", "C:\\a.ifc", "\\\\host\\a.ifc"]
)
def test_zip_slip_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveUnsafe, match="outside"):
        unpack(tmp_path, made.zipped({"model.ifc": made.step(), name: b"x"}))


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("model.ifc")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ArchiveUnsafe, match="link"):
        unpack(tmp_path, out.getvalue())


def test_passwords_are_refused(tmp_path: Path) -> None:
    content = bytearray(made.zipped({"model.ifc": made.step()}, pack=zipfile.ZIP_STORED))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ArchiveUnsafe, match="password"):
        unpack(tmp_path, bytes(content))


def test_a_zip_bomb_that_tells_its_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveUnsafe, match="far more"):
        unpack(tmp_path, made.zipped({"model.ifc": bytes(8 * MIB)}))
    assert not (tmp_path / "unpacked").exists()


def test_a_zip_bomb_that_lies_about_its_size_is_stopped(tmp_path: Path) -> None:
    """The directory says 100 bytes; what comes out is counted."""
    content = bytearray(made.zipped({"model.ifc": bytes(8 * MIB)}))
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (100).to_bytes(4, "little")
    content[22:26] = (100).to_bytes(4, "little")
    with pytest.raises((ArchiveUnsafe, NotIfc)):
        unpack(tmp_path, bytes(content))
    written = tmp_path / "unpacked"
    assert not written.exists() or written.stat().st_size <= 2 * MIB


def test_an_archive_larger_inside_than_allowed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileTooLarge):
        content = made.zipped({"a.ifc": made.step(3 * MIB)}, pack=zipfile.ZIP_STORED)
        unpack(tmp_path, content, limit=2 * MIB)


def test_an_archive_of_far_too_many_files_is_refused(tmp_path: Path) -> None:
    many = {f"{i}": b"" for i in range(zipped.MAX_MEMBERS + 1)}
    with pytest.raises(ArchiveUnsafe, match="files"):
        unpack(tmp_path, made.zipped(many, pack=zipfile.ZIP_STORED))


def test_a_damaged_archive_is_a_sentence(tmp_path: Path) -> None:
    content = bytearray(made.zipped({"model.ifc": made.step(200_000, word=b"abcdefgh")}))
    content[60:90] = bytes(30)
    with pytest.raises(NotIfc, match="damaged"):
        unpack(tmp_path, bytes(content))


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Haus.IFC", "Haus.IFC"),
        ("Ma\u0308rz, Änderung 2.ifc", "M\u00e4rz, Änderung 2.ifc"),
        ("C:\\Users\\me\\a.ifc", "a.ifc"),
        ("/etc/passwd", "passwd"),
        ("../../a.ifc", "a.ifc"),
        ("建物.ifc", "建物.ifc"),
    ],
)
def test_names_are_kept_as_people_wrote_them(given: str, kept: str) -> None:
    assert upload_name(given) == kept


@pytest.mark.parametrize(
    "given", ["", "..", "a/..", ".", "a\0.ifc", "a\n.ifc", "a\u202e.ifc", "ä" * 101, "\ud800.ifc"]
)
def test_names_that_mislead_or_do_not_fit_are_refused(given: str) -> None:
    with pytest.raises(UploadNameInvalid):
        upload_name(given)
