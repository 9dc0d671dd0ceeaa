"""Events of a project as they happen: server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse
from starlette.types import Send

from ifcbase.errors import Busy, RequestInvalid
from ifcbase.gateway.arriving import in_thread
from ifcbase.gateway.caller import Caller, Reader
from ifcbase.gateway.hub import Event, Subscription, event_of, is_position
from ifcbase.gateway.moving import hub_of
from ifcbase.gateway.problems import responses
from ifcbase.gateway.state import rows
from ifcbase.sqlfiles import queries

router = APIRouter(tags=["events"])
_SQL = queries("ifcbase.gateway", "hub.sql")
#: A sign of life is sent, and the caller's rights are looked at again, this often (seconds).
HEARTBEAT_S = 15.0
#: Seconds a client may leave what is sent to it unread.
STUCK_S = 30.0
#: Events that are told afterwards to who was away.
MOST_MISSED = 1000
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events without end. `event` is the type, `data` the document that webhooks "
        "get too, `id` where to go on from. `reset` says that what was missed is not known any more, "
        "`dropped` that the client did not keep up: it may connect again.",
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": "event: job.finished\nid: 751:751:\n"
                'data: {"id":12,"type":"job.finished","timestamp":"2026-11-22T20:00:00+00:00",'
                '"data":{"job_id":"0b2d3f6e-9a57-4b0e-8a68-5a1a2f3c4d5e","check":"clash",'
                '"state":"finished"}}\n\n',
            }
        },
    }
}


class EventStream(StreamingResponse):
    """Lets go of a client that reads nothing. ``over`` is called when it has ended."""

    over: Callable[[], None]

    async def stream_response(self, send: Send) -> None:
        """See StreamingResponse."""

        async def in_time(message: Any) -> None:
            async with asyncio.timeout(STUCK_S):
                await send(message)

        try:
            await super().stream_response(in_time)
        finally:
            # However it ended: who is told nothing more must not stay in the hub.
            self.over()


@router.get(
    "/v1/events",
    response_class=EventStream,
    responses={**responses(401, 403, 404, 422, 429, 503), **STREAM},
)
async def events(
    request: Request,
    caller: Reader,
    last_event_id: Annotated[
        str | None, Header(max_length=4000, description="Where to go on: what came since is told.")
    ] = None,
    types: Annotated[
        str | None,
        Query(
            max_length=500,
            description="Only these types, comma-separated.",
            examples=["job.finished"],
        ),
    ] = None,
) -> EventStream:
    """Listen to the events of the project: states and progress of jobs, results. Ids only: what they
    name is read through the other routes."""
    if last_event_id and not is_position(last_event_id):
        raise RequestInvalid("Last-Event-ID: it is not one of ours", hint="Leave it out.")
    hub = hub_of(request)
    if len(hub) >= caller.gateway.settings.event_listeners:
        raise Busy("too many listen already")
    wanted = {each.strip() for each in types.split(",")} if types else None
    # Before the answer begins, so that nothing is missed and a failure still is a problem.
    subscription = await hub.subscribe(caller.project_id)
    try:
        missed = await in_thread(_missed, caller, last_event_id, subscription.position)
    except BaseException:
        hub.unsubscribe(subscription)
        raise
    stream = EventStream(
        _told(caller, subscription, missed, wanted),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
    stream.over = partial(hub.unsubscribe, subscription)
    return stream


async def _told(
    caller: Caller,
    subscription: Subscription,
    missed: list[Event] | None,
    wanted: set[str] | None,
) -> AsyncIterator[str]:
    def written(events: Iterable[Event]) -> str:
        return "".join(each.text for each in events if wanted is None or each.type in wanted)

    yield ": listening\nretry: 2000\n\n"
    if missed is None:
        yield "event: reset\ndata: {}\n\n"
    if before := written(missed or []):
        yield before
    looked = time.monotonic()
    while True:
        event_or_none = await subscription.next(HEARTBEAT_S)
        if event_or_none is not None:
            # With all that wait already: what is sent costs by the piece.
            if told := written([event_or_none, *subscription.waiting()]):
                yield told
        elif subscription.dropped:
            yield "event: dropped\ndata: {}\n\n"
            return
        else:
            yield ": alive\n\n"
        if time.monotonic() - looked >= HEARTBEAT_S:
            looked = time.monotonic()
            if not await in_thread(may_still, caller):
                return


def _missed(caller: Caller, position: str | None, until: str) -> list[Event] | None:
    """What a caller may know of what happened since a position; None if that is not known."""
    if not position:
        return []
    asked = {"position": position, "until": until, "project": caller.project_id}
    with caller.transaction() as connection:
        known = rows(connection, _SQL["known"], asked)[0]
        found = rows(connection, _SQL["missed"], {**asked, "most": MOST_MISSED + 1})
    if not next(iter(known.values())) or len(found) > MOST_MISSED:
        return None
    # Who is interrupted within them gets all of them again.
    return [event_of(row, until if row is found[-1] else position) for row in found]


def may_still(caller: Caller) -> bool:
    """Whether who listens may still read: not if the key ended, the token or the membership."""
    ends = caller.claims.get("exp")
    if isinstance(ends, int | float) and ends < time.time():
        return False
    if prefix := caller.claims.get("ifcbase_key"):
        with caller.gateway.connection() as connection:
            held = rows(connection, _SQL["key_holds"], {"prefix": prefix})
        if not next(iter(held[0].values())):
            return False
    with caller.transaction() as connection:
        row = rows(connection, _SQL["may_still"], {"project": caller.project_id})[0]
    return bool(next(iter(row.values())))
