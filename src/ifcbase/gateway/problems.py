"""Failures as RFC 9457 problems: every one has a type that stays, and says nothing of the inside."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from ifcbase.errors import (
    Conflict,
    Forbidden,
    GatewayError,
    IfcbaseError,
    InputError,
    LedgerSlow,
    MethodNotAllowed,
    NotFound,
    RequestInvalid,
    TooLarge,
    Unauthenticated,
    error_classes,
)
from ifcbase.gateway.logs import request_id_of
from ifcbase.ifc.text import clean

MEDIA_TYPE = "application/problem+json"
#: Addresses of problem types: this and the code. The gateway describes each of them there.
TYPES = "/problems/"
_LOG = logging.getLogger(__name__)
#: Fields that are named at most, of a request with many mistakes.
MOST_FIELDS = 20


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Where it is.", examples=["clash_sets[0].tolerance"])
    message: str = Field(description="What is wrong with it.", examples=["Field required"])


class Problem(BaseModel):
    """An RFC 9457 problem."""

    type: str = Field(
        description="Says which problem this is; it stays.", examples=["/problems/not-found"]
    )
    title: str = Field(description="The same for every problem of this type.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened in this case.")
    code: str = Field(description="The last part of the type.", examples=["not-found"])
    hint: str = Field(description="What to do about it.")
    retryable: bool = Field(description="Whether the same request may succeed later.")
    request_id: str = Field(description="Also in the gateway's log and the header X-Request-Id.")
    errors: list[FieldProblem] | None = Field(
        default=None, description="The fields that are wrong."
    )
    job_id: str | None = Field(default=None, description="The job this is about.")


def problem_type(code: str) -> str:
    """The address of a problem type."""
    return TYPES + code


def problem(
    error: IfcbaseError,
    request_id: str,
    *,
    fields: Sequence[FieldProblem] = (),
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The answer to a request that failed."""
    status = error.http_status
    # What failed inside is for the log: its words may name hosts, paths and statements.
    inside = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    document: dict[str, Any] = {
        "type": problem_type(error.code),
        "title": error.title,
        "status": status,
        "detail": error.title if inside else clean(error.message),
        "code": error.code,
        "hint": error.default_hint if inside else clean(error.hint),
        "retryable": error.retryable,
        "request_id": request_id,
    }
    if fields:
        document["errors"] = [each.model_dump() for each in fields[:MOST_FIELDS]]
    if error.job_id:
        document["job_id"] = error.job_id
    return JSONResponse(document, status, headers, media_type=MEDIA_TYPE)


#: Where the framework says a field is; clients know that themselves.
_PLACES = ("body", "query", "path", "header")


def field_name(location: Sequence[int | str]) -> str:
    """ "clash_sets[0].tolerance" of a place in a document; "body" for all of it."""
    where = ""
    for part in location:
        where += f"[{part}]" if isinstance(part, int) else f"{'.' if where else ''}{part}"
    return where or "body"


def _mistakes(error: RequestValidationError | ValidationError) -> list[FieldProblem]:
    framework = isinstance(error, RequestValidationError)
    found = []
    for each in error.errors():
        place = each["loc"]
        if framework and place and place[0] in _PLACES:
            place = place[1:]
        message = str(each["msg"]).removeprefix("Value error, ")
        found.append(FieldProblem(field=clean(field_name(place)), message=clean(message)))
    return found


def answer_invalid(request: Request, error: Exception) -> JSONResponse:
    """A request that is not what the route takes: 422 with the fields."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 (it is registered for these)
    fields = _mistakes(error)
    codes = {str(each["type"]) for each in error.errors()}
    known = error_classes()
    # A mistake that has a type of its own, as a selector nobody understands, keeps it.
    cls = known[codes.pop()] if len(codes) == 1 and codes <= set(known) else RequestInvalid
    shown = "; ".join(f"{each.field}: {each.message}" for each in fields[:3])
    more = f" (and {len(fields) - 3} more)" if len(fields) > 3 else ""
    return problem(cls(shown + more), request_id_of(request.scope), fields=fields)


def answer_known(request: Request, error: Exception) -> JSONResponse:
    """A failure of ours."""
    assert isinstance(error, IfcbaseError)  # noqa: S101 (it is registered for these)
    cause = error.__cause__
    if isinstance(cause, psycopg.errors.InsufficientPrivilege):
        # Its words name tables.
        error = Forbidden()
    if isinstance(cause, psycopg.errors.QueryCanceled):
        error = LedgerSlow(detail=error.detail or error.message)
    if isinstance(cause, psycopg.DataError) and not isinstance(error, InputError):
        # A number or text that no column holds: the fault is the request's.
        return problem(
            RequestInvalid("a value of the request is out of the range that can be stored"),
            request_id_of(request.scope),
        )
    if error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.error("%s: %s (%s)", error.code, error.message, error.detail or "", exc_info=error)
    fields: list[FieldProblem] = []
    if isinstance(cause, ValidationError) and isinstance(error, InputError):
        fields = _mistakes(cause)
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="ifcbase"'
    if error.http_status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        headers["Retry-After"] = str(getattr(error, "retry_after_s", 5))
    return problem(error, request_id_of(request.scope), fields=fields, headers=headers)


def answer_unspeakable(request: Request, error: Exception) -> JSONResponse:
    """A text with half a character in it, which neither Postgres nor JSON can hold."""
    _LOG.info("refused: %s", type(error).__name__)
    refusal = RequestInvalid("a text of the request holds half a character")
    return problem(refusal, request_id_of(request.scope))


_HTTP: dict[int, type[IfcbaseError]] = {
    404: NotFound,
    405: MethodNotAllowed,
    409: Conflict,
    413: TooLarge,
}


def answer_http(request: Request, error: Exception) -> JSONResponse:
    """What the framework itself refuses: addresses and methods there are not, broken bodies."""
    assert isinstance(error, HTTPException)  # noqa: S101 (it is registered for these)
    cls = _HTTP.get(error.status_code)
    if cls is NotFound:
        made: IfcbaseError = NotFound("there is nothing at this address", hint="See /docs.")
    elif cls is not None:
        made = cls()
    elif error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        made = RequestInvalid("the request cannot be read")
    else:
        made = GatewayError()
    return problem(made, request_id_of(request.scope), headers=dict(error.headers or {}))


def answer_unknown(scope: Any) -> JSONResponse:
    """A failure nobody foresaw; what it was is in the log."""
    return problem(IfcbaseError(), request_id_of(scope))


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems a route may answer with, for its description."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }
