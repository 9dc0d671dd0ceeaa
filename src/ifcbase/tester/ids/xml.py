"""The first stage: bytes that are safe to hand to an XML library, or a clear refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import DefusedXMLParser  # type: ignore[import-untyped]

from ifcbase.errors import FileEmpty, FileMissing, FileUnreadable, IdsTooLarge, IdsUnsafe, NotIds

#: The largest IDS that is read, in bytes; the largest known in practice are below 3 MB.
MAX_BYTES = 16 * 1024 * 1024
#: A restriction inside a facet inside a specification is ten deep; documentation may add a few.
MAX_DEPTH = 48
MAX_ELEMENTS = 500_000

NAMESPACE = "http://standards.buildingsmart.org/IDS"


def read_xml(path: Path, name: str | None = None, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of an IDS whose XML is well formed, bounded, and free of document types.

    ``name`` is what messages call the file. Raises FileMissing, FileUnreadable, FileEmpty, IdsTooLarge, IdsUnsafe or NotIds.
    """
    name = name or path.name
    data = _bytes(path, name, max_bytes)
    _refuse_other_kinds(name, data)
    parser = DefusedXMLParser(target=_Bounded(name), forbid_dtd=True)
    try:
        parser.feed(data)
        root = parser.close()
    except DefusedXmlException as error:
        raise IdsUnsafe(
            f"{name} declares a document type or entities: refused unread.",
            detail=str(error),
        ) from error
    except (ParseError, LookupError, ValueError) as error:
        raise NotIds(f"{name} is not well-formed XML: {error}.") from error
    if root.tag != f"{{{NAMESPACE}}}ids":
        raise NotIds(
            f"{name} is XML, but its outermost element is {root.tag!r}, not 'ids' of {NAMESPACE}."
        )
    return data


def _bytes(path: Path, name: str, max_bytes: int) -> bytes:
    if not path.exists():
        raise FileMissing(f"There is no file {name}.")
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as error:
        raise FileUnreadable(f"{name} cannot be read: {error.strerror}.") from error
    if not data.strip():
        raise FileEmpty(f"{name} is empty.")
    if len(data) > max_bytes:
        raise IdsTooLarge(f"{name} is larger than {max_bytes / 1e6:.0f} MB.")
    return data


def _refuse_other_kinds(name: str, data: bytes) -> None:
    head = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"ISO-10303-21"):
        raise NotIds(f"{name} is an IFC model, not an IDS.", hint="Were model and IDS swapped?")
    if head.startswith(b"PK\x03\x04"):
        raise NotIds(f"{name} is a ZIP archive.", hint="Unpack it and give the IDS inside.")


class _Bounded(TreeBuilder):
    """Builds the tree and gives up when it grows deeper or larger than any IDS."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._depth = 0
        self._count = 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            raise IdsUnsafe(f"{self._name} nests its elements more than {MAX_DEPTH} deep.")
        if self._count > MAX_ELEMENTS:
            raise IdsTooLarge(f"{self._name} has more than {MAX_ELEMENTS} elements.")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)
