"""Decision rules: what is decided by itself, without a person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ifcbase.errors import NotFound
from ifcbase.gateway.caller import Caller, Decider, Reader
from ifcbase.gateway.paging import Number
from ifcbase.gateway.problems import responses
from ifcbase.gateway.repeats import IdempotencyKey, once
from ifcbase.gateway.routes.findings import Name, Words
from ifcbase.jobs.engine import Connection
from ifcbase.ledger import chains, rules
from ifcbase.ledger.connect import MAX_NUMBER

router = APIRouter(prefix="/v1/rules", tags=["decision rules"])
_READ = responses(401, 403, 404, 422, 429, 503)
_WRITE = responses(401, 403, 404, 409, 413, 422, 429, 503)
Action = Literal["reviewed", "approved", "ignored"]
Metres = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
RuleNumber = Annotated[Number, Path(description="Its number.")]


class Rule(BaseModel):
    """A rule that decides about pairs; never over a person."""

    model_config = ConfigDict(extra="allow")

    id: int
    name: str
    active: bool
    clash_set: str | None = Field(validation_alias="set", serialization_alias="set")
    action: str
    reason: str | None
    comment: str | None
    created_at: datetime
    decided: int = Field(description="How many pairs it decides about now.")


class NewRule(BaseModel):
    """Which pairs, and what is decided about them. Ignoring needs a reason of the list."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")
    ]
    action: Action = Field(examples=["ignored"])
    reason: Name | None = Field(default=None, examples=["valid penetration"])
    comment: Words | None = None
    set_id: Annotated[int, Field(ge=1, le=MAX_NUMBER)] | None = Field(
        default=None, description="Only in this clash set."
    )
    one_class: Name | None = Field(default=None, examples=["IfcWall"])
    other_class: Name | None = Field(default=None, examples=["IfcPipeSegment"])
    kind: Name | None = Field(default=None, description="Only this contact kind.")
    min_distance: Metres | None = Field(default=None, description="Only from this depth on (m).")
    max_distance: Metres | None = Field(default=None, description="Only up to this depth (m).")
    group_name: (
        Annotated[
            str, Field(max_length=1000, pattern=r"^(element|class|storey|model)/[^\x00-\x1f]+$")
        ] | None
    ) = Field(default=None, examples=["class/IfcDuctSegment+IfcWall"])  # fmt: skip


class Switch(BaseModel):
    """Whether it decides."""

    model_config = ConfigDict(extra="forbid")

    active: bool = Field(examples=[False])


@router.get("", responses=_READ)
def list_rules(caller: Reader) -> list[Rule]:
    """The rules in their order: of several that fit a pair the first decides."""
    with caller.transaction() as connection:
        return [Rule(**each) for each in rules.list_rules(connection, caller.project)]


@router.post("", status_code=201, response_model=Rule, responses=_WRITE)
def add_rule(
    caller: Decider, wanted: NewRule, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Add a rule, the last in order; it decides from the next result on."""
    with caller.transaction() as connection:

        def add() -> dict[str, Any]:
            rule = wanted.model_dump()
            if wanted.kind is not None:
                rule["kind"] = chains.kind_number(connection, wanted.kind)
            number = rules.add_rule(connection, caller.project, rule)
            caller.note(connection, "add rule", wanted.name)
            return _one(caller, connection, number).model_dump(by_alias=True)

        return once(caller, connection, idempotency_key, ["add rule", wanted], add, status=201)


@router.get("/{number}", responses=_READ)
def show_rule(caller: Reader, number: RuleNumber) -> Rule:
    """One rule."""
    with caller.transaction() as connection:
        return _one(caller, connection, number)


@router.patch("/{number}", responses=_WRITE)
def switch_rule(caller: Decider, number: RuleNumber, wanted: Switch) -> Rule:
    """Switch a rule on or off: the next result takes back what it decided, or says it again."""
    with caller.transaction() as connection:
        found = _one(caller, connection, number)
        rules.switch_rule(connection, caller.project, found.name, active=wanted.active)
        caller.note(connection, "switch rule", f"{found.name} {'on' if wanted.active else 'off'}")
        return _one(caller, connection, number)


def _one(caller: Caller, connection: Connection, number: int) -> Rule:
    for each in rules.list_rules(connection, caller.project):
        if each["id"] == number:
            return Rule(**each)
    raise NotFound(f"there is no rule {number} in the project", hint="See /v1/rules.")
