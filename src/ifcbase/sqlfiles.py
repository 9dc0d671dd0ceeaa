"""Named queries kept in ``.sql`` files.

A file holds blocks that start with ``-- name: sentence``; the name is the key, the sentence says
what the query is for. Reading a file without a sentence, or with a name twice, is an error.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import LiteralString

_HEAD = re.compile(r"^-- ([a-z_]+): (\S.*)$", re.MULTILINE)
_BARE = re.compile(r"^-- ([a-z_]+):?\s*$", re.MULTILINE)


@cache
def queries(package: str, file: str) -> dict[str, LiteralString]:
    """All queries of ``<package>/sql/<file>`` by name."""
    text = (resources.files(package) / "sql" / file).read_text(encoding="utf-8")
    heads = list(_HEAD.finditer(text))
    if bare := _BARE.search(text):
        raise ValueError(f"{file} does not say what {bare.group(1)} is for")
    if not heads:
        raise ValueError(f"{file} holds no query")
    found: dict[str, LiteralString] = {}
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        name = head.group(1)
        if name in found:
            raise ValueError(f"{file} names the query {name} twice")
        body = text[head.end() : following.start() if following else len(text)].strip()
        found[name] = body
    return found
