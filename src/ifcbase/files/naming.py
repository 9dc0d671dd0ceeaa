"""Names of files: what they may be, and what they say of the stream of revisions they belong to."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path, PurePosixPath

from ifcbase.errors import UploadNameInvalid

#: What a file's name says of its revision and date, which is not part of the stream's name.
_REVISION = re.compile(
    r"""(?xi) (?: [ _.\-]+ | (?<=\S)(?=\() )
    \(? (?: (?: rev(?:ision)? | version | index ) [ _.\-]* (?: [a-z]? \d{1,4} (?: \.\d+ )* | [a-z] )
          | [vr] [ _.\-]* \d{1,4} (?: \.\d+ )*
          | (?:19|20)\d\d [ _.\-]? (?:0[1-9]|1[0-2]) [ _.\-]? (?:0[1-9]|[12]\d|3[01])
          | (?:0[1-9]|[12]\d|3[01]) [ _.\-] (?:0[1-9]|1[0-2]) [ _.\-] (?:19|20)\d\d
        ) \)? $"""
)


def stream_name(file_name: str) -> str:
    """The model stream a file name suggests: its stem without date and revision tokens."""
    stem = Path(file_name).stem.strip()
    while (shorter := _REVISION.sub("", stem).strip(" _.-")) and shorter != stem:
        stem = shorter
    return stem or file_name


#: Longest name of an uploaded file in bytes; file systems take 255, and we may add to it.
MAX_NAME = 200


def upload_name(given: str) -> str:
    """The name a file is kept under: the last part of what a browser or client sent, Unicode in its
    composed form. Raises UploadNameInvalid."""
    if "\0" in given:
        raise UploadNameInvalid("the file's name holds a NUL character")
    last = PurePosixPath(given.replace("\\", "/")).name
    name = unicodedata.normalize("NFC", last).strip()
    if name in {"", ".", ".."}:
        raise UploadNameInvalid("the file has no name")
    if any(unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for sign in name):
        raise UploadNameInvalid("the file's name holds signs that cannot be seen")
    if len(name.encode()) > MAX_NAME:
        raise UploadNameInvalid(f"the file's name is longer than {MAX_NAME} bytes")
    return name
