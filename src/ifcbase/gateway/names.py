"""The names by which clients speak of files, and nothing else: no name reaches a file system.

A name is ``model.ifc``, ``uploads/model.ifc``, ``/output/clash/report.json`` or
``s3://ifcpipeline/uploads/model.ifc``; all are keys of the project's files. ``model:NAME`` and
``model:NAME@3`` are versions of models.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ifcbase.errors import RequestInvalid
from ifcbase.ifc.text import is_clean

#: The bucket that existing clients put before a key; a name in any other is somebody else's file.
BUCKET = "ifcpipeline"
UPLOADS = "uploads"
#: Folders of outputs by check, as existing clients know them.
OUTPUTS = {"clash": "clash", "tester": "ids", "diff": "diff", "conversion": "converted"}
#: What file systems and columns hold.
LONGEST, LONGEST_PART = 1024, 255
_VERSION = re.compile(r"model:(?P<model>.{1,255}?)(?:@(?P<number>[1-9][0-9]{0,8}))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class VersionName:
    """A version of a model; the latest if no number is given."""

    model: str
    number: int | None


def parse(name: str) -> str | VersionName:
    """The key of a file, or the version of a model. Raises RequestInvalid."""
    if name.startswith("model:"):
        found = _VERSION.fullmatch(name)
        if found is None or not is_clean(name):
            raise _refused(name, "write model:NAME or model:NAME@3")
        number = found["number"]
        return VersionName(found["model"], None if number is None else int(number))
    return key_of(name)


def key_of(name: str) -> str:
    """The key under which a project has a file: "uploads/model.ifc". Raises RequestInvalid."""
    text = unicodedata.normalize("NFC", name)
    if text.startswith("s3://"):
        bucket, _, text = text.removeprefix("s3://").partition("/")
        if bucket != BUCKET:
            raise _refused(name, f"files of other buckets than {BUCKET} are not here")
    parts = _parts(name, text.removeprefix("/"))
    return "/".join(parts if len(parts) > 1 else [UPLOADS, *parts])


def output_name(check: str, name: str) -> str:
    """The name of an output within the folder of its check: "/output/clash/a.json" is "a.json".

    Raises RequestInvalid."""
    text = unicodedata.normalize("NFC", name)
    if text.startswith("s3://"):
        bucket, _, text = text.removeprefix("s3://").partition("/")
        if bucket != BUCKET:
            raise _refused(name, f"outputs go into no other bucket than {BUCKET}")
    parts = _parts(name, text.removeprefix("/"))
    folder = ["output", OUTPUTS[check]]
    return "/".join(parts[2:] if parts[:2] == folder and len(parts) > 2 else parts)


def output_path(check: str, name: str) -> str:
    """The path that a client downloads an output by."""
    return f"/output/{OUTPUTS[check]}/{name}"


def upload_key(name: str) -> str:
    """The key of an upload with this file name. Raises RequestInvalid."""
    parts = _parts(name, unicodedata.normalize("NFC", name))
    if len(parts) != 1:
        raise _refused(name, "a file name has no folders in it")
    return f"{UPLOADS}/{parts[0]}"


def _parts(name: str, text: str) -> list[str]:
    if not text or not is_clean(text) or any(unicodedata.category(each) == "Cc" for each in text):
        raise _refused(name, "it is empty or holds control characters")
    if len(text) > LONGEST:
        raise _refused(name, f"it is longer than {LONGEST} characters")
    if "\\" in text:
        raise _refused(name, "folders are separated by /")
    parts = text.split("/")
    for part in parts:
        if part in {"", ".", ".."} or part != part.strip():
            raise _refused(name, "a part of it is empty, a dot or two, or begins or ends blank")
        if len(part.encode()) > LONGEST_PART:
            raise _refused(name, f"a part of it is longer than {LONGEST_PART} bytes")
    return parts


def _refused(name: str, why: str) -> RequestInvalid:
    shown = name if len(name) <= 60 else f"{name[:59]}…"
    return RequestInvalid(f"{shown!r} is no name of a file: {why}")
