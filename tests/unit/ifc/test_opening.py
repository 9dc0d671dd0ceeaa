"""Files that are not whole IFC models are refused with the error that says what they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ifcbase.errors import (
    FileEmpty,
    FileMissing,
    FileUnreadable,
    IfcbaseError,
    IfcTruncated,
    IfcUnparsable,
    NotIfc,
    SchemaUnsupported,
)
from ifcbase.ifc.opening import check_file, family_of, open_model
from tests.ifc_builder import IfcBuilder


@pytest.fixture
def text() -> str:
    builder = IfcBuilder()
    for number in range(5):
        builder.box(f"wall {number}", (2 * number, 0, 0))
    return str(builder.file.to_string())


def written(folder: Path, content: str | bytes, name: str = "model.ifc") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_facts_of_a_good_file(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    facts = check_file(path)
    assert facts.path == path
    assert facts.size == len(text.encode())
    assert facts.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert (facts.schema, facts.declared_schema) == ("IFC4", "IFC4")
    assert len(open_model(path, facts).by_type("IfcWall")) == 5


def test_hash_of_a_file_of_several_blocks(tmp_path: Path, text: str) -> None:
    content = text.replace("DATA;", "DATA;\n/* " + "x" * (3 << 20) + " */").encode()
    facts = check_file(written(tmp_path, content))
    assert facts.sha256 == hashlib.sha256(content).hexdigest()


def test_a_nul_byte_inside_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    """It was "model.ifc: token", and the rest of the text was lost."""
    content = text.replace("'wall 3'", "'wa\0ll 3'").encode()
    where = content.index(b"\0")
    with pytest.raises(IfcUnparsable, match=rf"^model\.ifc holds a NUL byte at offset {where}, "):
        check_file(written(tmp_path, content))
    # In a later block, the first of two.
    late = text.replace("DATA;", "DATA;\n/* " + "x" * (2 << 20) + " */\n").encode()
    where = late.index(b"'wall 3'") + 1
    late = late[:where] + b"\0a\0" + late[where:]
    with pytest.raises(IfcUnparsable, match=f"NUL byte at offset {where},"):
        check_file(written(tmp_path, late))


def test_nul_bytes_behind_the_end_do_no_harm(tmp_path: Path, text: str) -> None:
    content = text.encode() + b"\r\n" + b"\0" * (2 << 20) + b"\n"
    assert check_file(written(tmp_path, content)).size == len(content)
    cut = written(tmp_path, text.encode()[:-40] + b"\0" * 4096)
    with pytest.raises(IfcTruncated):
        check_file(cut)


@pytest.mark.parametrize("schema", ["IFC2X3", "IFC4", "IFC4X3_ADD2"])
def test_supported_schemas_open(tmp_path: Path, schema: str) -> None:
    builder = IfcBuilder(schema)
    builder.box("w")
    path = builder.write(tmp_path / "m.ifc")
    assert check_file(path).schema == family_of(schema)
    assert len(open_model(path).by_type("IfcWall")) == 1


@pytest.mark.parametrize("declared", ["IFC4X3", "IFC4X3_ADD1", "ifc4x3_tc1"])
def test_published_steps_of_ifc4x3_are_read(tmp_path: Path, declared: str) -> None:
    builder = IfcBuilder("IFC4X3_ADD2")
    builder.box("FILE_SCHEMA(('IFC4X3_ADD2'))")
    text = builder.file.to_string()
    path = written(tmp_path, text.replace("(('IFC4X3_ADD2'));", f"(('{declared}'));", 1))
    facts = check_file(path)
    assert (facts.schema, facts.declared_schema) == ("IFC4X3", declared.upper())
    (wall,) = open_model(path).by_type("IfcWall")
    assert wall.Name == "FILE_SCHEMA(('IFC4X3_ADD2'))"


def test_copy_for_the_library_is_removed(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path = written(tmp_path, b"\xef\xbb\xbf" + text.encode())
    assert open_model(path).by_type("IfcWall")
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "before", ["\ufeff", "\r\n \t\n", "/* exported; by /x */\n", "\ufeff/* a */ /* b */\n"]
)
def test_what_may_stand_before_the_first_line(tmp_path: Path, text: str, before: str) -> None:
    path = written(tmp_path, before + text)
    assert len(open_model(path).by_type("IfcWall")) == 5


@pytest.mark.parametrize(
    "after", ["", "\r\n\r\n  ", "\0" * 300_000, "/* done */\n", "\n/* END */ /* of it */\0", "\x1a"]
)
def test_what_may_stand_after_the_last_line(tmp_path: Path, text: str, after: str) -> None:
    assert check_file(written(tmp_path, text.rstrip() + after)).schema == "IFC4"


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r"nowhere\.ifc"):
        check_file(tmp_path / "nowhere.ifc")
    with pytest.raises(FileMissing):
        open_model(tmp_path / "nowhere.ifc")


def test_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable):
        check_file(tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    with pytest.raises(FileEmpty):
        check_file(written(tmp_path, b""))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello", "does not begin"),
        (b"\n\n", "does not begin"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"<?xml version='1.0'?><ifcXML/>", "XML"),
        ("ISO-10303-21;".encode("utf-16"), "UTF-16"),
        (b"/* ISO-10303-21; */ nothing", "does not begin"),
    ],
)
def test_not_an_ifc_says_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(NotIfc, match=said):
        check_file(written(tmp_path, content))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_file_is_never_opened(tmp_path: Path, text: str, share: float) -> None:
    cut = text.rstrip()[: int(len(text.rstrip()) * share)]
    with pytest.raises(IfcTruncated, match="END-ISO-10303-21"):
        open_model(written(tmp_path, cut))


def test_closing_line_in_a_comment_does_not_close(tmp_path: Path, text: str) -> None:
    cut = text.replace("END-ISO-10303-21;", "/* END-ISO-10303-21; */")
    with pytest.raises(IfcTruncated):
        check_file(written(tmp_path, cut))


def test_schema_in_a_comment_or_text_is_not_the_schema(tmp_path: Path, text: str) -> None:
    fooled = text.replace(
        "FILE_SCHEMA",
        "/* FILE_SCHEMA(('IFC2X2')); */\nFILE_NAME('FILE_SCHEMA((''X''))');FILE_SCHEMA",
    )
    assert check_file(written(tmp_path, fooled)).schema == "IFC4"


@pytest.mark.parametrize("schema", ["IFC2X2_FINAL", "IFC4X1", "IFC4X3_RC4", "AUTOMOTIVE_DESIGN"])
def test_other_schemas_are_named(tmp_path: Path, text: str, schema: str) -> None:
    with pytest.raises(SchemaUnsupported, match=schema):
        check_file(written(tmp_path, text.replace("'IFC4'", f"'{schema}'", 1)))


def test_header_without_schema(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotIfc, match="FILE_SCHEMA"):
        check_file(written(tmp_path, text.replace("FILE_SCHEMA", "FILE_SCHEMER")))


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


@pytest.mark.parametrize("comment", ["", "/* the exporter's remark */\n"])
def test_record_cut_inside_is_never_a_shorter_model(
    tmp_path: Path, text: str, comment: str
) -> None:
    """IfcOpenShell opens most of these, with half a wall, and says nothing."""
    lines = _lines(text)
    at = [i for i, line in enumerate(lines) if "=IFCWALL(" in line][2]
    whole = lines[at].rstrip(";\n")
    for length in range(1, len(whole)):
        cut = f"{''.join(lines[:at])}{comment}{whole[:length]}\nENDSEC;\nEND-ISO-10303-21;\n"
        with pytest.raises(IfcUnparsable):
            open_model(written(tmp_path, cut))


def test_quotation_marks_in_comments_and_comments_in_texts_do_no_harm(tmp_path: Path) -> None:
    builder = IfcBuilder()
    builder.box("it's /* no comment")
    text = builder.file.to_string().replace("DATA;", "DATA;\n/* don't */")
    (wall,) = open_model(written(tmp_path, text)).by_type("IfcWall")
    assert wall.Name == "it's /* no comment"


def test_instances_missing_in_the_middle_are_an_error(tmp_path: Path, text: str) -> None:
    lines = _lines(text)
    (first, *_) = [i for i, line in enumerate(lines) if "=IFCEXTRUDEDAREASOLID(" in line]
    with pytest.raises(IfcUnparsable, match="not found") as caught:
        open_model(written(tmp_path, "".join(lines[:first] + lines[first + 1 :])))
    assert "Instance reference" in (caught.value.detail or "")


def test_unknown_class_is_an_error_not_a_missing_element(tmp_path: Path, text: str) -> None:
    with pytest.raises(IfcUnparsable, match="IFCWALLX"):
        open_model(written(tmp_path, text.replace("=IFCWALL(", "=IFCWALLX(", 1)))


def test_step_id_given_twice_is_an_error(tmp_path: Path, text: str) -> None:
    lines = _lines(text)
    walls = [line for line in lines if "=IFCWALL(" in line]
    doubled = text.replace(walls[1], walls[0].split("=")[0] + "=" + walls[1].split("=", 1)[1])
    with pytest.raises(IfcUnparsable):
        open_model(written(tmp_path, doubled))


def test_broken_quotes_are_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(IfcUnparsable):
        open_model(written(tmp_path, text.replace("'wall 3'", "'wall 3", 1)))


def test_every_error_has_a_hint(tmp_path: Path) -> None:
    with pytest.raises(IfcbaseError) as caught:
        check_file(written(tmp_path, b"x"))
    assert caught.value.hint
    assert str(tmp_path) not in caught.value.message
