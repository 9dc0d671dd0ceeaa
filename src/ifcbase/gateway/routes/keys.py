"""API keys of a project."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ifcbase.gateway.caller import Admin
from ifcbase.gateway.paging import Number
from ifcbase.gateway.problems import responses
from ifcbase.gateway.repeats import IdempotencyKey, once
from ifcbase.ledger import keys

router = APIRouter(prefix="/v1/keys", tags=["keys"])
Verb = Literal["read", "write", "decide", "admin"]


class Key(BaseModel):
    """An API key, without what it is made of."""

    id: int
    name: str
    prefix: str = Field(description="The part of the key that names it.")
    verbs: list[Verb]
    state: Literal["valid", "expired", "revoked"]
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    made_by: str
    created_at: datetime


class NewKey(BaseModel):
    """A key to be made. Its verbs are at most those of who makes it."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*\S[^\x00-\x1f]*$")
    ] = Field(examples=["n8n"])
    verbs: Annotated[list[Verb], Field(min_length=1, max_length=4)] = Field(
        default=["read", "write"], examples=[["read", "write"]]
    )
    expires_at: AwareDatetime | None = Field(default=None, examples=["2030-01-01T00:00:00Z"])


class MadeKey(Key):
    """A new key."""

    key: str | None = Field(
        description="The key itself, shown this once: null if the request was repeated."
    )


@router.get("", responses=responses(401, 403, 404, 422, 429, 503))
def list_keys(caller: Admin) -> list[Key]:
    """The API keys of the project, living ones first."""
    with caller.transaction() as connection:
        return [Key(**each) for each in keys.list_keys(connection, caller.project_id)]


@router.post(
    "", status_code=201, response_model=MadeKey,
    responses=responses(401, 403, 404, 409, 413, 422, 429, 503),
)  # fmt: skip
def make_key(caller: Admin, wanted: NewKey, idempotency_key: IdempotencyKey = None) -> JSONResponse:
    """Make an API key for the project."""
    with caller.transaction() as connection:

        def make() -> MadeKey:
            made = keys.make_key(
                connection, caller.project_id, wanted.name, wanted.verbs,
                expires_at=wanted.expires_at,
            )  # fmt: skip
            caller.note(connection, "make API key", made.prefix)
            row = keys.show_key(connection, caller.project_id, made.id)
            return MadeKey(**row, key=made.key)

        asked = ["make key", wanted]
        return once(caller, connection, idempotency_key, asked, make, status=201, kept=_without)


def _without(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"key": None}


@router.get("/{number}", responses=responses(401, 403, 404, 422, 429, 503))
def show_key(caller: Admin, number: Number) -> Key:
    """One API key."""
    with caller.transaction() as connection:
        return Key(**keys.show_key(connection, caller.project_id, number))


@router.delete("/{number}", status_code=204, responses=responses(401, 403, 404, 422, 429, 503))
def revoke_key(caller: Admin, number: Number) -> None:
    """End an API key for good, from its next request on."""
    with caller.transaction() as connection:
        keys.revoke_key(connection, caller.project_id, number)
        caller.note(connection, "revoke API key", number)
