"""Lists in pages, and documents with their ETag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Header, Path, Query, Response
from pydantic import BaseModel, Field

from ifcbase.ledger.connect import MAX_NUMBER

Item = TypeVar("Item")
#: Pages begin no later than here: who wants more wants an export.
FARTHEST = 1_000_000

Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
Start = Annotated[
    int, Query(ge=0, le=FARTHEST, description="How many to pass over; `next` of the page before.")
]
Number = Annotated[int, Path(ge=1, le=MAX_NUMBER, description="Its number.")]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=200, description="Do it only if this is still its ETag."),
]
IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", max_length=1000, description="Answer 304 if this is its ETag."),
]


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: int | None = Field(description="`start` of the next page; null on the last one.")


def page(found: Sequence[Any], start: int, limit: int) -> dict[str, Any]:
    """A page of rows of which ``start + limit + 1`` at most were read from the first on."""
    more = len(found) > start + limit
    return {"items": list(found[start : start + limit]), "next": start + limit if more else None}


def reach(start: int, limit: int) -> int:
    """How many rows to read for a page and whether there is another."""
    return start + limit + 1


def etag_of(document: Any) -> str:
    """The ETag of a document."""
    text = json.dumps(document, sort_keys=True, default=_plain, separators=(",", ":"))
    return f'"{hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'


def matches(header: str, etag: str) -> bool:
    """Whether a header If-Match or If-None-Match names this ETag."""
    if header.strip() == "*":
        return True
    return etag in {each.strip().removeprefix("W/") for each in header.split(",")}


def unchanged(response: Response, document: Any, header: str | None) -> Response | None:
    """Put the ETag of a document on the answer; an empty 304 if the client has it already."""
    etag = etag_of(document)
    response.headers["ETag"] = etag
    # Kept by nobody but the client itself, which asks each time.
    response.headers["Cache-Control"] = "private, no-cache"
    if header is not None and matches(header, etag):
        return Response(status_code=304, headers=dict(response.headers))
    return None


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else str(value)
