"""Which statement of a SQL file stands where, so that an error can name its line."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>--[^\n]*)
    | (?P<block>/\*)
    | (?P<escaped>[eE]'(?:[^'\\]|''|\\.)*')
    | (?P<text>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*")
    | (?P<dollar>\$(?:[A-Za-z_]\w*)?\$)
    | (?P<end>;)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def statement_lines(text: str) -> list[int]:
    """The lines (from 1) on which the statements of a SQL text begin, in order.

    Quotes, dollar quotes, nested comments and the bodies of SQL-standard functions
    (``BEGIN ATOMIC … END``) are followed as the server's parser does.
    """
    lines: list[int] = []
    started = False
    depth = 0
    before = ""
    position = 0
    while match := _TOKEN.match(text, position):
        kind = match.lastgroup
        start, position = match.start(), match.end()
        if kind == "block":
            position = _end_of_comment(text, position)
        if kind in ("space", "comment", "block"):
            continue
        if kind == "end" and depth == 0:
            started = False
            before = ""
            continue
        if not started:
            lines.append(text.count("\n", 0, start) + 1)
            started = True
        if kind == "dollar":
            closing = text.find(match.group(), position)
            position = len(text) if closing < 0 else closing + len(match.group())
        word = match.group().upper() if kind == "word" else ""
        if (word == "ATOMIC" and before == "BEGIN") or (depth and word == "CASE"):
            depth += 1
        elif depth and word == "END":
            depth -= 1
        before = word
    return lines


def _end_of_comment(text: str, position: int) -> int:
    """The end of a block comment whose opening was read; they nest."""
    depth = 1
    for mark in re.finditer(r"/\*|\*/", text[position:]):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return position + mark.end()
    return len(text)
