"""Reading the documents of requests, with nothing in them that Postgres cannot keep."""

from __future__ import annotations

import json
from typing import Annotated, Any, NoReturn

from fastapi import Depends, Request

from ifcbase.errors import RequestInvalid

DEEPEST = 40


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object that is the body of a request. Raises RequestInvalid."""
    body = await request.body()
    try:
        document = json.loads(body, parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        if isinstance(error, RequestInvalid):
            raise
        raise RequestInvalid("body: it is not JSON", detail=str(error)) from error
    if not isinstance(document, dict):
        raise RequestInvalid("body: it is not a JSON object")
    _refuse_unclean(document, 0)
    return document


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _refuse_unclean(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise RequestInvalid("body: it is nested too deeply")
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
            raise RequestInvalid("body: a text holds a NUL or half a character")
    elif isinstance(value, dict):
        for name, each in value.items():
            _refuse_unclean(name, depth + 1)
            _refuse_unclean(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _refuse_unclean(each, depth + 1)


JsonObject = Annotated[dict[str, Any], Depends(read_object)]
