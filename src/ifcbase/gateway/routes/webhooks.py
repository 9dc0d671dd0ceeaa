"""Webhooks of a project: addresses that are told of its events, and what became of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from ifcbase.errors import NotFound, RequestInvalid
from ifcbase.files.fetch import parsed
from ifcbase.gateway.arriving import arrivals_of
from ifcbase.gateway.caller import Admin, Caller
from ifcbase.gateway.problems import responses
from ifcbase.gateway.repeats import IdempotencyKey, once
from ifcbase.gateway.state import rows
from ifcbase.ifc.text import is_clean
from ifcbase.sqlfiles import queries
from ifcbase.webhooks import signing

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
_SQL = queries("ifcbase.gateway", "webhooks.sql")
#: How long an old secret holds beside a new one, unless the request says otherwise (seconds).
KEEP_S = 86_400.0

EventType = Literal[
    "job.queued",
    "job.running",
    "job.computed",
    "job.finished",
    "job.failed",
    "job.cancelled",
    "result.finished",
    "report.weekly",
]
Url = Annotated[str, Field(min_length=8, max_length=2048, examples=["https://example.com/hook"])]
Secret = Annotated[
    str | None,
    Field(
        max_length=200,
        description="whsec_ and 24 to 64 random bytes in Base64; made here if left out.",
    ),
]
WebhookId = Annotated[UUID, Path(description="The id of a webhook.")]
DeliveryId = Annotated[int, Path(ge=1, le=2**63 - 1)]
_READ = responses(401, 403, 404, 422, 429, 503)
_WRITE = responses(401, 403, 404, 409, 413, 422, 429, 503)


class NewWebhook(BaseModel):
    """An address to be told, and of what; no types: of everything."""

    url: Url
    types: list[EventType] = Field(default_factory=list, max_length=20)
    description: str | None = Field(default=None, max_length=500)
    secret: Secret = None


class WebhookChange(BaseModel):
    """What is to be changed; the rest stays."""

    url: Url | None = None
    types: list[EventType] | None = Field(default=None, max_length=20)
    description: str | None = Field(default=None, max_length=500, examples=["Tells the chat."])
    active: bool | None = Field(
        default=None, description="Switching on forgets earlier failures; off drops what waits."
    )


class Rotation(BaseModel):
    """A new secret; events are signed with both for a while."""

    secret: Secret = None
    keep_s: float = Field(
        default=KEEP_S, ge=0, le=604_800, examples=[3600], description="Seconds the old one holds."
    )


class Webhook(BaseModel):
    """An address that is told of events. Its secret is never shown again."""

    id: UUID
    url: str
    description: str | None
    types: list[str]
    active: bool
    disabled_reason: str | None
    failing_since: datetime | None
    made_by: str
    created_at: datetime


class WebhookWithSecret(Webhook):
    """The only answer that shows the secret: null if the request was repeated."""

    secret: str | None


class ShownSecret(BaseModel):
    """The only answer that shows the secret: null if the request was repeated."""

    secret: str | None


class Attempt(BaseModel):
    """One attempt to deliver an event."""

    at: datetime
    seconds: float
    status: int | None
    error: str | None


class Delivery(BaseModel):
    """An event on its way to an endpoint, and every attempt so far."""

    id: int
    event_id: int
    type: str
    state: Literal["waiting", "delivered", "failed"]
    attempts: int
    event_at: datetime
    next_at: datetime | None
    ended_at: datetime | None
    log: list[Attempt]


class Deliveries(BaseModel):
    """Latest first; ``next`` is the value of ``before`` for the page after this."""

    deliveries: list[Delivery]
    next: int | None


class Sent(BaseModel):
    """A delivery that is on its way."""

    delivery: int


@router.get("", responses=_READ)
def list_webhooks(caller: Admin) -> list[Webhook]:
    """The webhooks of the project."""
    return [Webhook(**row) for row in _webhooks(caller, None)]


@router.post("", status_code=201, response_model=WebhookWithSecret, responses=_WRITE)
def add_webhook(
    request: Request, caller: Admin, wanted: NewWebhook, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Tell an address of events. The answer shows the secret they are signed with, this once."""
    _check(request, wanted.url, wanted.description)
    secret = signing.checked(wanted.secret) if wanted.secret else signing.new_secret()
    given = {
        "project": caller.project_id,
        "secret": secret,
        **wanted.model_dump(exclude={"secret"}),
    }
    with caller.transaction() as connection:

        def add() -> WebhookWithSecret:
            made = rows(connection, _SQL["add"], given)[0]["id"]
            caller.note(connection, "add webhook", made)
            listed = {"project": caller.project_id, "webhook": made}
            return WebhookWithSecret(**rows(connection, _SQL["list"], listed)[0], secret=secret)

        asked = ["add webhook", wanted]
        return once(caller, connection, idempotency_key, asked, add, status=201, kept=_without)


def _without(answer: dict[str, Any]) -> dict[str, Any]:
    return answer | {"secret": None}


@router.get("/{webhook}", responses=_READ)
def show_webhook(caller: Admin, webhook: WebhookId) -> Webhook:
    """One webhook."""
    return Webhook(**_one(caller, webhook))


@router.patch("/{webhook}", responses=_WRITE)
def change_webhook(
    request: Request, caller: Admin, webhook: WebhookId, wanted: WebhookChange
) -> Webhook:
    """Change a webhook, switch it off or on again."""
    _check(request, wanted.url, wanted.description)
    _one(caller, webhook)
    with caller.transaction() as connection:
        rows(connection, _SQL["change"], {"webhook": webhook, **wanted.model_dump()})
        caller.note(connection, "change webhook", webhook)
    return Webhook(**_one(caller, webhook))


@router.delete("/{webhook}", status_code=204, responses=_WRITE)
def remove_webhook(caller: Admin, webhook: WebhookId) -> None:
    """Tell it no more, and forget its secret and its log."""
    _one(caller, webhook)
    with caller.transaction() as connection:
        rows(connection, _SQL["remove"], {"webhook": webhook})
        caller.note(connection, "remove webhook", webhook)


@router.post("/{webhook}/secret", response_model=ShownSecret, responses=_WRITE)
def rotate_secret(
    caller: Admin, webhook: WebhookId, wanted: Rotation, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Give it a new secret; the old one holds for a while beside it."""
    _one(caller, webhook)
    secret = signing.checked(wanted.secret) if wanted.secret else signing.new_secret()
    given = {"webhook": webhook, "secret": secret, "keep_s": wanted.keep_s}
    with caller.transaction() as connection:

        def rotate() -> ShownSecret:
            rows(connection, _SQL["rotate"], given)
            caller.note(connection, "rotate webhook secret", webhook)
            return ShownSecret(secret=secret)

        asked = ["rotate secret", webhook, wanted]
        return once(caller, connection, idempotency_key, asked, rotate, kept=_without)


@router.post("/{webhook}/ping", status_code=202, response_model=Sent, responses=_WRITE)
def ping_webhook(
    caller: Admin, webhook: WebhookId, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Send it an event of the type `ping` that says nothing."""
    _one(caller, webhook)
    with caller.transaction() as connection:

        def ping() -> Sent:
            caller.note(connection, "ping webhook", webhook)
            return Sent(delivery=rows(connection, _SQL["ping"], {"webhook": webhook})[0]["id"])

        return once(caller, connection, idempotency_key, ["ping", webhook], ping, status=202)


@router.get("/{webhook}/deliveries", responses=_READ)
def list_deliveries(
    caller: Admin,
    webhook: WebhookId,
    state: Literal["waiting", "delivered", "failed"] | None = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Deliveries:
    """What was sent to it or waits to be, with every attempt; a week is kept."""
    _one(caller, webhook)
    found = _deliveries(caller, webhook, state=state, before=before, limit=limit)
    return Deliveries(deliveries=found, next=found[-1].id if len(found) == limit else None)


@router.post(
    "/{webhook}/deliveries/{delivery}/redeliver", status_code=202, response_model=Sent,
    responses=_WRITE,
)  # fmt: skip
def redeliver(
    caller: Admin, webhook: WebhookId, delivery: DeliveryId, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Send an event once more, whatever became of it. Its id stays the same."""
    _one(caller, webhook)
    if not _deliveries(caller, webhook, delivery=delivery):
        raise NotFound("the webhook has no such delivery")
    with caller.transaction() as connection:

        def send() -> Sent:
            rows(connection, _SQL["redeliver"], {"delivery": delivery})
            caller.note(connection, "redeliver event", delivery)
            return Sent(delivery=delivery)

        asked = ["redeliver", webhook, delivery]
        return once(caller, connection, idempotency_key, asked, send, status=202)


def _check(request: Request, url: str | None, description: str | None) -> None:
    """Refuse what could never be told; the address itself is judged anew at every delivery."""
    if description is not None and not is_clean(description):
        raise RequestInvalid("description: it holds control characters")
    if url is not None:
        arrivals_of(request).fetcher.policy.check_literal(str(parsed(url).hostname))


def _webhooks(caller: Caller, webhook: Any) -> list[dict[str, Any]]:
    with caller.transaction() as connection:
        return rows(connection, _SQL["list"], {"project": caller.project_id, "webhook": webhook})


def _one(caller: Caller, webhook: Any) -> dict[str, Any]:
    found = _webhooks(caller, webhook)
    if not found:
        raise NotFound("the project has no such webhook", hint="List them: GET /v1/webhooks.")
    return found[0]


def _deliveries(
    caller: Caller,
    webhook: UUID,
    *,
    state: str | None = None,
    before: int | None = None,
    delivery: int | None = None,
    limit: int = 1,
) -> list[Delivery]:
    asked = {"project": caller.project_id, "webhook": webhook, "state": state, "before": before}
    with caller.transaction() as connection:
        found = rows(
            connection, _SQL["deliveries"], {**asked, "delivery": delivery, "limit": limit}
        )
    return [Delivery(**row) for row in found]
