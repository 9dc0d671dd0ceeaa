"""The first two stages: what is refused before anything is believed."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from ifcbase.errors import (
    FileEmpty,
    FileMissing,
    FileUnreadable,
    IdsTooLarge,
    IdsUnsafe,
    IfcbaseError,
    NotIds,
)
from ifcbase.tester.ids import xml
from ifcbase.tester.ids.reading import read
from ifcbase.tester.ids.xml import read_xml
from tests.unit.tester.building import attribute, ids_text, specification, write_ids

SOUND = ids_text(specification(attribute("Name")))


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "given.ids"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def with_doctype(doctype: str, title: str) -> str:
    return SOUND.replace("?>\n", f"?>\n{doctype}\n", 1).replace("Rules", title)


def test_a_sound_ids_is_read(tmp_path: Path) -> None:
    document, findings = read(written(tmp_path, SOUND))
    assert findings == []
    assert document is not None
    assert document.title == "Rules"
    assert [s.name for s in document.specifications] == ["A rule"]


def test_a_byte_order_mark_and_utf_16_are_read(tmp_path: Path) -> None:
    for data in (
        b"\xef\xbb\xbf" + SOUND.encode(),
        SOUND.replace("UTF-8", "UTF-16").encode("utf-16"),
    ):
        document, findings = read(written(tmp_path, data))
        assert document is not None
        assert findings == []


def test_regression_an_entity_bomb_is_refused_unexpanded(tmp_path: Path) -> None:
    lines = "".join(f'<!ENTITY l{n} "{("&l" + str(n - 1) + ";") * 10}">' for n in range(1, 10))
    bomb = with_doctype(f'<!DOCTYPE ids [<!ENTITY l0 "lol">{lines}]>', "&l9;")
    started = time.monotonic()
    with pytest.raises(IdsUnsafe):
        read(written(tmp_path, bomb))
    assert time.monotonic() - started < 1.0


def test_regression_an_external_entity_does_not_show_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    doctype = f'<!DOCTYPE ids [<!ENTITY x SYSTEM "file://{secret}">]>'
    with pytest.raises(IdsUnsafe) as caught:
        read(written(tmp_path, with_doctype(doctype, "&x;")))
    assert "the secret" not in str(caught.value.to_dict())


def test_an_external_document_type_is_refused(tmp_path: Path) -> None:
    doctype = '<!DOCTYPE ids SYSTEM "http://example.invalid/ids.dtd">'
    with pytest.raises(IdsUnsafe):
        read(written(tmp_path, with_doctype(doctype, "x")))


def test_locations_named_in_the_file_are_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    hint = (
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:schemaLocation="http://example.invalid/other http://example.invalid/other.xsd" '
    )
    document, findings = read(written(tmp_path, SOUND.replace("<ids ", f"<ids {hint}")))
    assert document is not None
    assert findings == []


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    deep = SOUND.replace("Rules", "<a>" * 100_000 + "</a>" * 100_000)
    with pytest.raises(IdsUnsafe, match="deep"):
        read(written(tmp_path, deep))


def test_elements_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "MAX_ELEMENTS", 50)
    with pytest.raises(IdsTooLarge, match="50 elements"):
        read(written(tmp_path, SOUND.replace("Rules", "<a/>" * 51)))
    assert read(written(tmp_path, SOUND))[0] is not None


def test_a_huge_file_is_refused_by_its_size(tmp_path: Path) -> None:
    path = written(tmp_path, SOUND + " " * 2_000)
    with pytest.raises(IdsTooLarge):
        read_xml(path, max_bytes=2_000)
    assert read_xml(path, max_bytes=4_000)


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"", FileEmpty, "empty"),
        (b" \n ", FileEmpty, "empty"),
        (b"ISO-10303-21;\nHEADER;", NotIds, "IFC model"),
        (b"PK\x03\x04rest", NotIds, "ZIP"),
        (b"not xml", NotIds, "well-formed"),
        (b"<ids>", NotIds, "well-formed"),
        (b"\xff\xfe\x00\x01garbage", NotIds, "well-formed"),
        (b'<?xml version="1.0" encoding="no-such"?><ids/>', NotIds, "well-formed"),
        (b"<ids/>", NotIds, "outermost"),
        (b"<html><body/></html>", NotIds, "outermost"),
        (b"\x00" * 64, NotIds, "well-formed"),
    ],
)
def test_other_files_get_a_sentence_of_their_own(
    tmp_path: Path, content: bytes, error: type[IfcbaseError], says: str
) -> None:
    with pytest.raises(error) as caught:
        read(written(tmp_path, content))
    assert type(caught.value) is error
    assert says in caught.value.message


def test_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        read(tmp_path / "none.ids")
    with pytest.raises(FileUnreadable):
        read(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<simpleValue>Name</simpleValue>", "Name", "simpleValue"),
        ('ifcVersion="IFC4"', 'ifcVersion="IFC5"', "IFC5"),
        ('name="A rule" ', "", "name"),
        ("<attribute>", '<attribute cardinality="sometimes">', "sometimes"),
        ("</info>", "<author>nobody</author></info>", "pattern"),
    ],
)
def test_faults_against_the_schema_are_findings_with_a_place(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in SOUND
    document, findings = read(written(tmp_path, SOUND.replace(old, new)))
    assert document is None
    assert {f.code for f in findings} == {"ids-schema"}
    assert all(f.place.startswith("/") and f.ids == "given.ids" for f in findings)
    assert any(says in f.sentence for f in findings)


def test_the_list_of_faults_is_bounded(tmp_path: Path) -> None:
    bad = specification(attribute("Name")).replace('ifcVersion="IFC4"', 'ifcVersion="IFC5"')
    _, findings = read(write_ids(tmp_path, *[bad] * 100))
    assert len(findings) == 25
