"""``Idempotency-Key``: the same request again gets the same answer, and is done once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Header
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from psycopg.types.json import Jsonb

from ifcbase.gateway.caller import Caller
from ifcbase.gateway.state import rows
from ifcbase.jobs.engine import Connection
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.gateway", "repeats.sql")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same key with the same request does it once. Kept for a day.",
    ),
]


def once_done(
    caller: Caller, connection: Connection, key: str | None, asked: Any, do: Callable[[], Any]
) -> tuple[Any, bool]:
    """What was done, and whether that was before: for answers that are no document.

    ``do`` gives something JSON can hold. Raises IdempotencyKeyReused for a key of another request.
    """
    if key is None:
        return do(), False
    given = _given(caller, key, asked)
    if found := rows(connection, _SQL["answered"], given):
        return found[0]["body"], True
    done = do()
    rows(connection, _SQL["note"], given | {"status": 200, "body": Jsonb(done)})
    return done, False


def before(caller: Caller, key: str | None, asked: Any) -> Any:
    """What was done for this request with ``once_done``, before anything is done; else None.

    Raises IdempotencyKeyReused."""
    if key is None:
        return None
    with caller.transaction() as connection:
        found = rows(connection, _SQL["answered"], _given(caller, key, asked))
    return found[0]["body"] if found else None


def once(
    caller: Caller,
    connection: Connection,
    key: str | None,
    asked: Any,
    do: Callable[[], Any],
    *,
    status: int = 200,
    kept: Callable[[Any], Any] = lambda answer: answer,
) -> JSONResponse:
    """The answer to a request, in the transaction that does what it asks; done once per key.

    ``asked``: what makes it the same request. ``kept``: what of the answer is repeated, if not all:
    secrets are not kept, and shown once even so. Raises IdempotencyKeyReused for a key of another
    request.
    """
    if key is None:
        return JSONResponse(jsonable_encoder(do()), status)
    given = _given(caller, key, asked)
    found = rows(connection, _SQL["answered"], given)
    if found:
        return JSONResponse(found[0]["body"], found[0]["status"], {"Idempotency-Replayed": "true"})
    answer = jsonable_encoder(do())
    rows(connection, _SQL["note"], given | {"status": status, "body": Jsonb(kept(answer))})
    return JSONResponse(answer, status)


def _given(caller: Caller, key: str, asked: Any) -> dict[str, Any]:
    mark = json.dumps(jsonable_encoder(asked), sort_keys=True)
    return {
        "project": caller.project_id,
        "key": key,
        "fingerprint": hashlib.sha256(mark.encode("utf-8", "surrogatepass")).hexdigest(),
    }
