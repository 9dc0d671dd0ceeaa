"""Is this file a whole IFC model, and opening it: every way to fail is a typed error."""

from __future__ import annotations

import hashlib
import mmap
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ifcbase.errors import (
    FileEmpty,
    FileMissing,
    FileUnreadable,
    IfcTruncated,
    IfcUnparsable,
    NotIfc,
    SchemaUnsupported,
)
from ifcbase.ifc.text import clean

if TYPE_CHECKING:
    import ifcopenshell

_BLOCK = 1 << 20
#: How much of the beginning is searched for the schema; headers are a few hundred bytes.
_HEADER = 1 << 20
_BOM = b"\xef\xbb\xbf"
_FIRST = b"ISO-10303-21;"
_LAST = b"END-ISO-10303-21;"

#: Schema names found in files, and the name under which IfcOpenShell reads them. The published
#: steps of IFC4 and IFC4X3 differ in corrections only; drafts (IFC4X3_RC4, IFC4X1) are others.
_READ_AS = {
    "IFC2X3": "IFC2X3",
    "IFC2X3_TC1": "IFC2X3",
    "IFC4": "IFC4",
    "IFC4_ADD1": "IFC4",
    "IFC4_ADD2": "IFC4",
    "IFC4_ADD2_TC1": "IFC4",
    "IFC4X3": "IFC4X3_ADD2",
    "IFC4X3_TC1": "IFC4X3_ADD2",
    "IFC4X3_ADD1": "IFC4X3_ADD2",
    "IFC4X3_ADD2": "IFC4X3_ADD2",
}


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a model file without parsing it; ``schema`` is IFC2X3, IFC4 or IFC4X3."""

    path: Path
    size: int
    sha256: str
    schema: str
    declared_schema: str


def family_of(schema_identifier: str) -> str:
    """IFC4X3 for IFC4X3_ADD2: the schema as people name it."""
    return schema_identifier.upper().split("_")[0]


def file_sha256(path: Path | str) -> str:
    """SHA-256 of a file's bytes, as hex. Raises FileMissing and FileUnreadable."""
    path = Path(path)
    if not path.exists():
        raise FileMissing(f"{path} does not exist")
    if not path.is_file():
        raise FileUnreadable(f"{path} is not a file")
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read", detail=str(error)) from error


def check_file(path: Path | str) -> FileFacts:
    """Size, SHA-256 and schema of an IFC file in STEP form, without native code.

    Raises FileMissing, FileUnreadable, FileEmpty, NotIfc, IfcTruncated, SchemaUnsupported, and
    IfcUnparsable where a text never ends: IfcOpenShell would take the rest of the file for it.
    """
    path = Path(path)
    if not path.exists():
        raise FileMissing(f"{path} does not exist")
    if not path.is_file():
        raise FileUnreadable(f"{path} is not a file")
    digest = hashlib.sha256()
    head = last = b""
    size = quotes = 0
    first_nul = -1
    comments = False
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                if size < _HEADER:
                    head += block
                digest.update(block)
                if first_nul < 0 and (found := block.find(b"\0")) >= 0:
                    first_nul = size + found
                size += len(block)
                quotes += block.count(b"'")
                comments = comments or b"/*" in last + block
                last = block[-1:]
            tail = _tail(stream, size)
            nul_inside = first_nul >= 0 and _goes_on(stream, first_nul)
            texts_end = _texts_end(stream) if comments else quotes % 2 == 0
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read", detail=str(error)) from error
    if size == 0:
        raise FileEmpty(f"{path} has no bytes in it")
    if not _blank_stripped(head).upper().startswith(_FIRST):
        raise NotIfc(f"{path.name} is not an IFC file in STEP form{_what_it_is(head)}")
    if not _ends_well(tail):
        raise IfcTruncated(f"{path.name} does not end with {_LAST.decode()}")
    if nul_inside:
        raise IfcUnparsable(
            f"{path.name} holds a NUL byte at offset {first_nul}, which no IFC file may: "
            "it was damaged on its way, or is not text",
            hint="Export or upload it again.",
        )
    if not texts_end:
        raise IfcUnparsable(f"{path.name} is cut inside: a text in quotation marks never ends")
    declared = _declared_schema(head[:_HEADER])
    if declared is None:
        raise NotIfc(f"{path.name} does not name its schema (FILE_SCHEMA) in its header")
    if declared not in _READ_AS:
        raise SchemaUnsupported(f"{path.name} is written in schema {declared}")
    return FileFacts(path, size, digest.hexdigest(), family_of(_READ_AS[declared]), declared)


def open_model(path: Path | str, facts: FileFacts | None = None) -> ifcopenshell.file:
    """The parsed model. Raises what ``check_file`` raises, and IfcUnparsable for anything lost.

    IfcOpenShell opens a file although records are cut, of unknown classes or refer to nothing,
    and only logs it: here that is an error, because elements would be missing silently.
    """
    import ifcopenshell

    facts = facts or check_file(path)
    wrapper = ifcopenshell.ifcopenshell_wrapper
    log = wrapper.logger()
    log.output_format(log.FMT_INMEMORY)
    log.verbosity(log.LOG_WARNING)
    failure = None
    with _as_the_library_reads_it(facts) as readable:
        try:
            model = ifcopenshell.open(readable, format=".ifc", logger=log)
        except (ifcopenshell.Error, ifcopenshell.SchemaError, OSError, RuntimeError) as error:
            failure = error
    problems = [_problem(message) for message in log.log_messages() if _loses_data(message)]
    if failure is not None or problems:
        first = "; ".join(dict.fromkeys(problems[:3])) or clean(str(failure))
        more = f" (and {len(problems) - 3} more problems)" if len(problems) > 3 else ""
        raise IfcUnparsable(
            f"{facts.path.name}: {first}{more}", detail="\n".join(problems[:200])
        ) from failure
    return model


# --- the two ends of the file --------------------------------------------------------------------


def _blank_stripped(text: bytes) -> bytes:
    """The bytes without a BOM, blanks and comments before the first token."""
    text = text.removeprefix(_BOM)
    return re.sub(rb"\A(?:\s+|/\*.*?\*/)*", b"", text, count=1, flags=re.DOTALL)


def _tail(stream: Any, size: int) -> bytes:
    """The end of the file from the last block that holds more than blanks and NULs."""
    at, tail = size, b""
    while at > 0:
        step = min(1 << 16, at)
        at -= step
        stream.seek(at)
        tail = stream.read(step) + tail
        if len(tail.rstrip(b"\0 \t\r\n")) >= 1024:
            break
        tail = tail.rstrip(b"\0 \t\r\n")
    return tail


def _goes_on(stream: Any, offset: int) -> bool:
    """Whether more than blanks and NULs, with which some programs fill a file up, follows."""
    stream.seek(offset)
    while block := stream.read(_BLOCK):
        if block.strip(b"\0 \t\r\n\x1a"):
            return True
    return False


def _ends_well(tail: bytes) -> bool:
    while True:
        tail = tail.rstrip(b"\0 \t\r\n\x1a")
        start = tail.rfind(b"/*") if tail.endswith(b"*/") else -1
        if start < 0:
            return tail.upper().endswith(_LAST)
        tail = tail[:start]


_LEXEMES = re.compile(rb"/\*.*?\*/|'[^']*'|(?P<open>'|/\*)", re.DOTALL)


def _texts_end(stream: Any) -> bool:
    """Whether all texts and comments end, where quotation marks in comments do not count."""
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return not any(match["open"] for match in _LEXEMES.finditer(content))


def _what_it_is(head: bytes) -> str:
    start = head[:2000].lstrip(_BOM + b" \t\r\n")
    if start.startswith(b"PK\x03\x04"):
        return ": it is a ZIP archive; unpack it first"
    if start.startswith(b"<"):
        return ": it is XML; export it as .ifc"
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ": it is in UTF-16; export it again"
    return f": it does not begin with {_FIRST.decode()}"


_TOKEN = re.compile(rb"/\*.*?\*/|'(?:[^']|'')*'|(?P<data>\bDATA\s*[;(])", re.DOTALL)


def _declared_schema(head: bytes) -> str | None:
    """The first schema of FILE_SCHEMA, looked for outside of comments and other texts."""
    texts: list[bytes] = []
    skeleton, at = [], 0
    for match in _TOKEN.finditer(head):
        skeleton.append(head[at : match.start()])
        at = match.end()
        if match["data"]:
            at = len(head)  # nothing of the elements is looked at
            break
        if match.group().startswith(b"/*"):
            skeleton.append(b" ")
        else:
            skeleton.append(b"'%d'" % len(texts))
            texts.append(match.group()[1:-1])
    skeleton.append(head[at:])
    found = re.search(rb"\bFILE_SCHEMA\s*\(\s*\(\s*'(\d+)'", b"".join(skeleton), re.IGNORECASE)
    if not found:
        return None
    return clean(texts[int(found[1])].decode("latin-1").strip().upper())


# --- opening -------------------------------------------------------------------------------------


@contextmanager
def _as_the_library_reads_it(facts: FileFacts) -> Iterator[Path]:
    """The file itself, or a copy without BOM and with the schema under the library's name."""
    with facts.path.open("rb") as source:
        head = source.read(_HEADER)
        wanted = _READ_AS[facts.declared_schema]
        begins = head.upper().startswith(_FIRST)
        if begins and facts.declared_schema == wanted:
            yield facts.path
            return
        head = _renamed(_blank_stripped(head), facts.declared_schema, wanted)
        handle, name = tempfile.mkstemp(suffix=".ifc")
        copy = Path(name)
        try:
            with os.fdopen(handle, "wb") as target:
                target.write(head)
                shutil.copyfileobj(source, target, _BLOCK)
            yield copy
        finally:
            copy.unlink()


def _renamed(head: bytes, declared: str, wanted: str) -> bytes:
    pattern = rb"(FILE_SCHEMA\s*\(\s*\(\s*'\s*)" + re.escape(declared.encode()) + rb"(\s*')"
    found = list(re.finditer(pattern, head, re.IGNORECASE))
    if not found:
        return head
    # An earlier match could only be inside a text of the header; the real one comes last.
    last = found[-1]
    return head[: last.end(1)] + wanted.encode() + head[last.start(2) :]


def _loses_data(message: Any) -> bool:
    """True if an instance is lost: remarks about single values carry a code and keep it."""
    document = message.to_dict()
    text = str(document["message"])
    if document["severity"] != "ERROR":
        return text.startswith("Overwriting instance")
    # An instance whose GlobalId is missing stays; the inventory gives it a key.
    return not document["code"] and not text.startswith("Requested type")


def _problem(message: Any) -> str:
    return clean(str(message.to_dict()["message"]).strip())
