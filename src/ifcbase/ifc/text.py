"""Text from models made safe for JSON, Postgres and terminals."""

from __future__ import annotations

import re

#: Control characters but tab and line breaks, lone surrogates, and the two non-characters XML bars.
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def is_clean(text: str) -> bool:
    """True if ``clean`` would leave the text as it is."""
    return _UNSAFE.search(text) is None


def clean(text: str) -> str:
    """The text with every character that JSON, Postgres or XML refuse replaced by U+FFFD."""
    return _UNSAFE.sub("\ufffd", text)
