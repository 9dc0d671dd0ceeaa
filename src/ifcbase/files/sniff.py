"""Is an uploaded file what it is said to be? Looked at in pieces, never as a whole in memory."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import DefusedXMLParser  # type: ignore[import-untyped]

from ifcbase.errors import (
    FileEmpty,
    IdsTooLarge,
    IdsUnsafe,
    IfcTruncated,
    NotBcf,
    NotCsv,
    NotIds,
    NotIfc,
    RequestInvalid,
)
from ifcbase.files import zipped

#: What people upload. ``other`` is kept as it is and never opened.
KINDS = ("ifc", "ids", "bcf", "csv", "other")
#: Bytes after which the beginning of a file is judged, so that a wrong one is refused early.
HEAD = 4096

_CHUNK = 1 << 20
_TAIL = 1 << 16
_MAX_IDS = 16 << 20
_IDS_ROOT = "{http://standards.buildingsmart.org/IDS}ids"
_STEP = b"ISO-10303-21;"
_STEP_END = b"END-ISO-10303-21;"
_ZIP = b"PK\x03\x04"
_KNOWN = {
    _ZIP: "a ZIP archive",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"<?xml": "XML",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"{": "JSON",
}


def kind_named(given: str) -> str:
    """The kind of upload, also written in capitals. Raises RequestInvalid."""
    kind = given.lower()
    if kind not in KINDS:
        raise RequestInvalid(
            f"there is no file type {given[:40]!r}", hint=f"The types are: {', '.join(KINDS)}."
        )
    return kind


def check_head(kind: str, name: str, head: bytes) -> None:
    """Judge the beginning of a file, of at least HEAD bytes or all there are.

    Raises NotIfc, NotIds, NotBcf, NotCsv."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if kind == "ifc" and start.startswith(_ZIP):
        return
    if kind == "ifc" and not start[: len(_STEP)].upper() == _STEP:
        raise NotIfc(f"{name} is not an IFC file in STEP form{_seen(start)}", hint=_ifc_hint(start))
    if kind == "ids" and not start.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
        raise NotIds(f"{name} is not XML{_seen(start)}")
    if kind == "bcf" and not start.startswith(_ZIP):
        raise NotBcf(f"{name} is not a ZIP archive{_seen(start)}")
    if kind == "csv" and (b"\0" in head or start.startswith((b"%PDF", _ZIP, b"\x89PNG"))):
        raise NotCsv(f"{name} is not text{_seen(start)}")


def check_whole(kind: str, name: str, path: Path) -> None:
    """Judge a file that has arrived; an archive's contents are judged where it is unpacked.

    Raises FileEmpty, NotIfc, IfcTruncated, NotIds, IdsUnsafe, IdsTooLarge, NotBcf, NotCsv,
    ArchiveUnsafe."""
    size = path.stat().st_size
    if size == 0:
        raise FileEmpty(f"{name} has no bytes in it")
    with path.open("rb") as stream:
        check_head(kind, name, stream.read(HEAD))
        stream.seek(0)
        if kind == "ifc":
            _check_step(name, stream, size)
        elif kind == "ids":
            _check_ids(name, stream, size)
        elif kind == "csv":
            _check_text(name, stream)
    if kind == "bcf":
        members = zipped.members(path, name, NotBcf)
        if not any(each.filename == "bcf.version" for each in members):
            raise NotBcf(f"{name} is a ZIP archive without bcf.version")


def is_zip(path: Path) -> bool:
    """Whether a file begins as a ZIP archive."""
    with path.open("rb") as stream:
        return stream.read(4) == _ZIP


def _check_step(name: str, stream: BinaryIO, size: int) -> None:
    stream.seek(max(0, size - _TAIL))
    if _STEP_END not in stream.read().upper():
        raise IfcTruncated(f"{name} ends without {_STEP_END.decode()}")


class _RootOnly:
    """Takes the events of a parser and keeps nothing but the name of the outermost element."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.depth = 0
        self.seen = False

    def start(self, tag: str, _: dict[str, str]) -> None:
        if not self.seen and tag != _IDS_ROOT:
            raise NotIds(f"{self.name} is XML, but its outermost element is {tag[:80]!r}")
        self.seen = True
        self.depth += 1
        if self.depth > 48:
            raise IdsUnsafe(f"{self.name} is nested deeper than an IDS can be")

    def end(self, _: str) -> None:
        self.depth -= 1

    def data(self, text: str) -> None:
        """Texts are not looked at."""

    def close(self) -> None:
        """Nothing was built."""


def _check_ids(name: str, stream: BinaryIO, size: int) -> None:
    if size > _MAX_IDS:
        raise IdsTooLarge(f"{name} is larger than {_MAX_IDS >> 20} MiB")
    parser = DefusedXMLParser(target=_RootOnly(name), forbid_dtd=True)
    try:
        while chunk := stream.read(_CHUNK):
            parser.feed(chunk)
        parser.close()
    except DefusedXmlException as error:
        raise IdsUnsafe(
            f"{name} declares a document type or entities", detail=str(error)
        ) from error
    except (ParseError, LookupError, ValueError) as error:
        raise NotIds(f"{name} is not well-formed XML: {error}") from error


def _check_text(name: str, stream: BinaryIO) -> None:
    while chunk := stream.read(_CHUNK):
        if b"\0" in chunk:
            raise NotCsv(f"{name} holds NUL bytes: it is not text in an encoding we read")


def _seen(start: bytes) -> str:
    for magic, what in _KNOWN.items():
        if start[:16].lower().startswith(magic.lower()):
            return f": it looks like {what}"
    return ""


def _ifc_hint(start: bytes) -> str | None:
    if b"ifcXML" in start or b"ifcxml" in start.lower():
        return "Export it in STEP form (.ifc); ifcXML is not read."
    return None
