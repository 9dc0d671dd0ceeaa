"""Rows in chunks of a size that a request may have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ifcbase.ledger.copying import SIGHTING_COLUMNS
from ifcbase.ledger.interface import Columns

#: Bytes of JSON that are sent at a time: far from what gateways and an 8 s statement limit allow.
CHUNK_BYTES = 1_000_000
#: At most, of a sighting as JSON: fourteen names, and numbers of up to 24 characters.
_SIGHTING_BYTES = 400

Row = Mapping[str, Any]


def chunked(rows: Iterable[Row], limit: int = CHUNK_BYTES) -> Iterator[list[Row]]:
    """The rows in lists whose JSON stays under a limit of bytes; a larger row goes alone."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        # Measured with what cleaning may replace: neither NaN nor a surrogate is an error here.
        more = len(json.dumps(row, default=str)) + 1
        if chunk and size + more > limit:
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += more
    if chunk:
        yield chunk


def sighting_chunks(columns: Columns, limit: int = CHUNK_BYTES) -> Iterator[list[Row]]:
    """Sightings as rows, some at a time: all of them at once would fill the memory."""
    step = max(1, limit // _SIGHTING_BYTES)
    for start in range(0, len(columns["a"]), step):
        lists = [columns[name][start : start + step].tolist() for name in SIGHTING_COLUMNS]
        yield [dict(zip(SIGHTING_COLUMNS, row, strict=True)) for row in zip(*lists, strict=True)]
