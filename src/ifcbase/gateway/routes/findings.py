"""Findings of all checks, and what people decide about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ifcbase.errors import NotFound, PreconditionFailed
from ifcbase.gateway.caller import Caller, Decider, Reader
from ifcbase.gateway.paging import (
    IfMatch,
    IfNoneMatch,
    Limit,
    Number,
    Page,
    Start,
    etag_of,
    matches,
    page,
    unchanged,
    window,
)
from ifcbase.gateway.problems import responses
from ifcbase.gateway.repeats import IdempotencyKey, once
from ifcbase.gateway.routes.sets import PairState, Review, named
from ifcbase.gateway.state import rows
from ifcbase.jobs.engine import Connection
from ifcbase.ledger import chains, findings, rules
from ifcbase.ledger import export as ledger
from ifcbase.ledger.connect import MAX_NUMBER
from ifcbase.sqlfiles import queries

router = APIRouter(prefix="/v1", tags=["findings"])
_SQL = queries("ifcbase.gateway", "findings.sql")
_FINDINGS = queries("ifcbase.ledger", "findings.sql")
Words = Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00]*$")]
Name = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")]


class Finding(BaseModel):
    """What people deal with: a pair, an IDS failure of an element, a change."""

    model_config = ConfigDict(extra="allow")

    finding_id: int
    check: str = Field(examples=["clash"])
    series: str | None = Field(description="The clash set, IDS file or model it belongs to.")
    title: str | None
    state: str = Field(examples=["new"])
    reason: str | None
    since: datetime | None
    model: str | None
    storey: str | None
    global_id: str | None
    review: str = Field(examples=["open"])
    review_reason: str | None
    assigned_to: str | None
    due: date | None


class Decision(BaseModel):
    """What is decided. Ignoring needs a reason of the list, "other" and a comment need a text."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["open", "reviewed", "approved", "ignored", "assigned", "due", "comment"] = (
        Field(examples=["ignored"])
    )
    reason: (
        Literal["valid interface", "valid penetration", "small overlap", "flexible item",
                "model inaccuracy", "fix on site", "other"] | None
    ) = Field(default=None, examples=["fix on site"])  # fmt: skip
    comment: Words | None = None
    assigned_to: Name | None = None
    due: date | None = Field(default=None, examples=["2030-12-24"])


class Decisions(Decision):
    """The same about several findings."""

    findings: Annotated[
        list[Annotated[int, Field(ge=1, le=MAX_NUMBER)]], Field(min_length=1, max_length=10_000)
    ] = Field(examples=[[12, 13]])


class GroupDecision(Decision):
    """The same about all pairs of a group, as they are now."""

    group: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f]*$")] = Field(
        examples=["class/IfcDuctSegment+IfcWall"]
    )


class Decided(BaseModel):
    """The findings that were decided about."""

    findings: list[int]


class Open(BaseModel):
    """How many findings nobody has decided about."""

    by_check: list[dict[str, Any]]
    by_discipline: list[dict[str, Any]]


@router.get("/findings", responses=responses(401, 403, 404, 422, 429, 503))
def list_findings(
    caller: Reader,
    check: Literal["clash", "tester", "diff"] | None = None,
    state: Annotated[list[PairState] | None, Query(max_length=6, description="Repeat.")] = None,
    review: Review | None = None,
    discipline: Annotated[str | None, Query(max_length=200)] = None,
    storey: Annotated[str | None, Query(max_length=1000, pattern=r"^[^\x00]*$")] = None,
    assigned: Annotated[str | None, Query(max_length=200)] = None,
    start: Start = 0,
    limit: Limit = 100,
) -> Page[Finding]:
    """The findings of all checks, those that changed last first."""
    with caller.transaction() as connection:
        given = {"project": caller.project, "check": check, "discipline": discipline,
                 "storey": storey, "states": state, "review": review, "assigned": assigned,
                 "limit": None}  # fmt: skip
        findings.require_discipline(connection, caller.project, discipline)
        found = window(connection, _FINDINGS["findings"], start, limit, given)
    return Page[Finding](**page(found, start, limit))


@router.get("/findings/open", responses=responses(401, 403, 404, 422, 429, 503))
def count_open(caller: Reader) -> Open:
    """How many findings are undecided, and how many of those untested, by check and discipline."""
    with caller.transaction() as connection:
        return Open(
            by_check=findings.count_open(connection, caller.project),
            by_discipline=findings.count_open_by_discipline(connection, caller.project),
        )


@router.get(
    "/findings/{number}", response_model=Finding,
    responses={304: {"description": "Not changed"}, **responses(401, 403, 404, 422, 429, 503)},
)  # fmt: skip
def show_finding(
    response: Response, caller: Reader, number: Number, if_none_match: IfNoneMatch = None
) -> Finding | Response:
    """One finding with what was decided about it; its ETag goes with a decision."""
    with caller.transaction() as connection:
        found = _shown(caller, connection, number)
    return unchanged(response, found, if_none_match) or Finding(**found)


@router.get("/pairs/{number}", response_model=dict[str, Any],
            responses={304: {"description": "Not changed"},
                       **responses(401, 403, 404, 422, 429, 503)})  # fmt: skip
def show_pair(
    response: Response, caller: Reader, number: Number, if_none_match: IfNoneMatch = None
) -> dict[str, Any] | Response:
    """A clash pair: states, every time it was seen, every decision."""
    with caller.transaction() as connection:
        found = chains.show_pair(connection, caller.project, number)
    return unchanged(response, found, if_none_match) or found


@router.post(
    "/findings/{number}/decisions", status_code=201, response_model=Decided,
    responses=responses(401, 403, 404, 409, 412, 413, 422, 429, 503),
)  # fmt: skip
def decide(
    caller: Decider, number: Number, decision: Decision, if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:  # fmt: skip
    """Decide about a finding. With If-Match only if nobody decided meanwhile and its state is the same."""
    with caller.transaction() as connection:
        _wait_for(connection, [number])

        def do() -> Decided:
            now = _shown(caller, connection, number)
            if if_match is not None and not matches(if_match, etag_of(now)):
                raise PreconditionFailed(f"finding {number} changed since it was read")
            return _decided(caller, connection, [number], decision)

        asked = ["decide", number, decision]
        return once(caller, connection, idempotency_key, asked, do, status=201)


@router.post(
    "/decisions", status_code=201, response_model=Decided,
    responses=responses(401, 403, 404, 409, 413, 422, 429, 503),
)  # fmt: skip
def decide_many(
    caller: Decider, decision: Decisions, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Decide the same about several findings: all of them, or none."""
    with caller.transaction() as connection:
        _wait_for(connection, decision.findings)

        def do() -> Decided:
            return _decided(caller, connection, decision.findings, decision)

        asked = ["decide many", decision]
        return once(caller, connection, idempotency_key, asked, do, status=201)


@router.post(
    "/sets/{number}/decisions", status_code=201, response_model=Decided,
    responses=responses(401, 403, 404, 409, 413, 422, 429, 503),
)  # fmt: skip
def decide_group(
    caller: Decider, number: Number, decision: GroupDecision,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:  # fmt: skip
    """Decide about every pair that is in a group of a clash set now."""
    with caller.transaction() as connection:
        named(caller, connection, number)

        def do() -> Decided:
            pairs = rules.decide_group(
                connection, number, decision.group, decision.action, **_said(decision)
            )
            caller.note(connection, f"decide {decision.action}", f"group {decision.group}")
            return Decided(findings=pairs)

        asked = ["decide group", number, decision]
        return once(caller, connection, idempotency_key, asked, do, status=201)


def _decided(
    caller: Caller, connection: Connection, chosen: Sequence[int], decision: Decision
) -> Decided:
    distinct = sorted(set(chosen))
    chains.decide(connection, caller.project, distinct, decision.action, **_said(decision))
    shown = ", ".join(map(str, distinct[:20])) + (", …" if len(distinct) > 20 else "")
    caller.note(connection, f"decide {decision.action}", f"finding {shown}")
    return Decided(findings=distinct)


def _said(decision: Decision) -> dict[str, Any]:
    return {
        "reason": decision.reason,
        "comment": decision.comment,
        "assigned_to": decision.assigned_to,
        "due": decision.due.isoformat() if decision.due else None,
    }


def _wait_for(connection: Connection, numbers: Sequence[int]) -> None:
    rows(connection, _SQL["lock"], {"findings": list(numbers)})


def _shown(caller: Caller, connection: Connection, number: int) -> dict[str, Any]:
    given = {"project": caller.project_id, "finding": number}
    found = rows(connection, _SQL["show"], given)
    if not found:
        raise NotFound(f"there is no finding {number} in the project", hint="See /v1/findings.")
    said = ledger.decisions(connection, [number])
    return found[0] | {"decisions": said}
