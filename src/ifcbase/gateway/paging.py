"""Lists in pages, and documents with their ETag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Generic, LiteralString, TypeVar

from fastapi import Header, Path, Query, Response
from pydantic import BaseModel, Field

from ifcbase.gateway.state import rows
from ifcbase.jobs.engine import Connection
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
    """A page of rows that were read from ``start`` on, one more than its limit if there is another."""
    return {"items": list(found[:limit]), "next": start + limit if len(found) > limit else None}


def window(
    connection: Connection,
    query: LiteralString,
    start: int,
    limit: int,
    parameters: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The rows of an ordered query that are on a page, and one more. What is before is passed over in
    the database: it is neither sent nor held."""
    text = f"select * from (\n{query}\n) paged offset %(page_start)s limit %(page_most)s"  # noqa: S608 (a query of ours, by its type)
    given = {**parameters, "page_start": start, "page_most": limit + 1}
    return rows(connection, text, given)


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
