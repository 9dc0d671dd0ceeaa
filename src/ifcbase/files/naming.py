"""What the name of a file says of the stream of revisions it belongs to."""

from __future__ import annotations

import re
from pathlib import Path

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
