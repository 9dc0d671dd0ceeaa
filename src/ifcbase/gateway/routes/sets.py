"""Clash sets over time: pairs, groups, trends, comparisons."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from ifcbase.errors import NotFound
from ifcbase.gateway.caller import Caller, Reader
from ifcbase.gateway.paging import Limit, Number, Page, Start, page, window
from ifcbase.gateway.problems import responses
from ifcbase.jobs.engine import Connection
from ifcbase.ledger import chains, findings, reading
from ifcbase.ledger.connect import MAX_NUMBER
from ifcbase.sqlfiles import queries

router = APIRouter(prefix="/v1", tags=["clash sets"])
_CHAINS, _GROUPS = queries("ifcbase.ledger", "chains.sql"), queries("ifcbase.ledger", "groups.sql")
PairState = Literal["new", "persisting", "reopened", "resolved", "removed", "untested"]
Review = Literal["open", "reviewed", "approved", "ignored"]
Grouping = Literal["near", "element", "class", "storey", "model"]
Span = Annotated[float | None, Query(gt=0, le=3_153_600_000, description="Seconds.")]
ResultNumber = Annotated[int, Query(ge=1, le=MAX_NUMBER)]


class SetLine(BaseModel):
    """A named rule, and how many of its pairs are in which state after its last result."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    id: int
    name: str = Field(validation_alias="set", examples=["Architecture x Structure"])
    version: int | None
    result_id: int | None = Field(description="Its last result.")
    finished_at: datetime | None
    clash_count: int | None
    new: int
    persisting: int
    reopened: int
    resolved: int
    removed: int
    untested: int
    results: int


class SetFacts(SetLine):
    """A clash set with its history."""

    versions: list[dict[str, Any]] = Field(description="What it looked for, version by version.")
    untested_reasons: list[dict[str, Any]] = Field(description="Why pairs could not be tested.")
    by_class: list[dict[str, Any]]
    time_to_close: dict[str, Any] = Field(description="Seconds until pairs were resolved.")


class Pair(BaseModel):
    """Two elements that clashed at least once in a clash set."""

    model_config = ConfigDict(extra="allow")

    pair_id: int
    state: str = Field(examples=["persisting"])
    reason: str | None
    review: str = Field(examples=["open"])
    assigned_to: str | None
    kind: str | None
    distance: float | None = Field(description="Depth, or the gap of a clearance, in metres.")
    one_global_id: str
    other_global_id: str


class Group(BaseModel):
    """Several pairs with one cause."""

    group_name: str = Field(examples=["class/IfcDuctSegment+IfcWall"])
    label: str | None
    pairs: int
    unseen: int = Field(description="Pairs that could not be tested last.")
    open: int
    deepest: float | None = Field(description="Metres.")


class TrendPoint(BaseModel):
    """How many pairs were in each state after a result."""

    model_config = ConfigDict(extra="allow")

    result_id: int
    finished_at: datetime | None
    clash_count: int | None
    new: int
    persisting: int
    reopened: int
    resolved: int
    removed: int
    untested: int


class Comparison(BaseModel):
    """Two results of a clash set, pair by pair."""

    model_config = ConfigDict(extra="allow")

    a: int
    b: int
    pairs: list[dict[str, Any]]


def named(caller: Caller, connection: Connection, number: int) -> dict[str, Any]:
    """The clash set with a number. Raises NotFound."""
    for each in chains.list_sets(connection, caller.project):
        if each["id"] == number:
            return each
    raise NotFound(f"there is no clash set {number} in the project", hint="See /v1/sets.")


@router.get("/sets", responses=responses(401, 403, 404, 422, 429, 503))
def list_sets(caller: Reader) -> list[SetLine]:
    """The clash sets of the project with where they stand."""
    with caller.transaction() as connection:
        return [SetLine(**each) for each in chains.list_sets(connection, caller.project)]


@router.get("/sets/{number}", responses=responses(401, 403, 404, 422, 429, 503))
def show_set(caller: Reader, number: Number) -> SetFacts:
    """One clash set with its versions, the reasons of untested pairs, pairs by class, time to close."""
    with caller.transaction() as connection:
        found = named(caller, connection, number)
        facts = chains.describe_set(connection, number)
    return SetFacts(**found, untested_reasons=facts.pop("untested"), **facts)


@router.get("/sets/{number}/pairs", responses=responses(401, 403, 404, 422, 429, 503))
def list_pairs(
    caller: Reader, number: Number, state: PairState | None = None, review: Review | None = None,
    discipline: Annotated[str | None, Query(max_length=200)] = None,
    storey: Annotated[str | None, Query(max_length=1000, pattern=r"^[^\x00]*$")] = None,
    remeasured: bool | None = None, start: Start = 0, limit: Limit = 100,
) -> Page[Pair]:  # fmt: skip
    """The pairs of a clash set with their states and last contacts, by state, deepest first. A
    discipline or storey means either element's."""
    with caller.transaction() as connection:
        named(caller, connection, number)
        findings.require_discipline(connection, caller.project, discipline)
        given = {"set": number, "state": state, "review": review, "discipline": discipline,
                 "storey": storey, "remeasured": remeasured, "pairs": None, "limit": None}  # fmt: skip
        found = window(connection, _CHAINS["pairs"], start, limit, given)
    return Page[Pair](**page(found, start, limit))


@router.get("/sets/{number}/groups", responses=responses(401, 403, 404, 422, 429, 503))
def list_groups(
    caller: Reader, number: Number, by: Grouping = "class", start: Start = 0, limit: Limit = 100
) -> Page[Group]:
    """The groups of a clash set's pairs, most pairs first."""
    with caller.transaction() as connection:
        named(caller, connection, number)
        given = {"set": number, "key": by, "limit": None}
        found = window(connection, _GROUPS["groups"], start, limit, given)
    return Page[Group](**page(found, start, limit))


@router.get("/sets/{number}/trend", responses=responses(401, 403, 404, 422, 429, 503))
def trend(caller: Reader, number: Number) -> list[TrendPoint]:
    """How many pairs were in each state after each result, in order."""
    with caller.transaction() as connection:
        named(caller, connection, number)
        return [TrendPoint(**each) for each in chains.trend(connection, number)]


@router.get("/sets/{number}/comparison", responses=responses(401, 403, 404, 409, 422, 429, 503))
def compare_latest(caller: Reader, number: Number, since: Span = None) -> Comparison:
    """The last result of a clash set against the one before, or against that of `since` seconds ago."""
    with caller.transaction() as connection:
        named(caller, connection, number)
        a, b = chains.results_to_compare(connection, number, since)
        return Comparison(**chains.compare(connection, a, b))


@router.get("/comparisons", responses=responses(401, 403, 404, 409, 422, 429, 503))
def compare(caller: Reader, a: ResultNumber, b: ResultNumber) -> Comparison:
    """Two results of one clash set: what appeared, what is gone and why, what became deeper."""
    with caller.transaction() as connection:
        for each in (a, b):
            reading.show_result(connection, caller.project, each)
        return Comparison(**chains.compare(connection, a, b))
