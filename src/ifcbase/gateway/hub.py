"""One connection that listens to the database, and everybody who wants to hear of it.

Events are rows of ``core.events``; a notification only says that it is time to look. A position is a
Postgres snapshot: what was not visible in it and is now has happened since, whatever the order in
which transactions ended. Without notifications (a transaction pooler) the hub looks every second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase.errors import IfcbaseError, LedgerUnavailable
from ifcbase.ledger.connect import connection_options, through_transaction_pooler, translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.gateway", "hub.sql")
_LOG = logging.getLogger(__name__)
_POSITION = re.compile(r"\d{1,20}:\d{1,20}:(?:\d{1,20}(?:,\d{1,20})*)?")
_CHANNEL = "ifcbase"
#: Events somebody may be behind before the hub lets go of it.
MOST_BEHIND = 512
#: The shortest and the longest time between two looks, and between two tries to connect, in seconds.
_BREATH_S = 0.05
#: What each listener adds to the shortest: many are told less often, of more at once (seconds).
_EACH_S = 0.003
_LOOK_S = 15.0
_POLL_S = 1.0
_RETRY_S = 10.0

AsyncConnection = psycopg.AsyncConnection[dict[str, Any]]


@dataclass(frozen=True)
class Event:
    """Something that happened. ``position`` is where to go on from; ``id`` is None for progress,
    which is not kept."""

    project_id: int
    type: str
    data: dict[str, Any]
    position: str | None = None
    id: int | None = None
    at: datetime | None = None

    @cached_property
    def text(self) -> str:
        """The event as clients get it: a server-sent event, made once for all who hear it."""
        document = {
            "id": self.id,
            "type": self.type,
            "timestamp": self.at.isoformat() if self.at else None,
            "data": self.data,
        }
        place = f"id: {self.position}\n" if self.position else ""
        data = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return f"event: {self.type}\n{place}data: {data}\n\n"


@dataclass(eq=False)
class Subscription:
    """Somebody who listens to a project. ``position``: where the hub was when it began."""

    project_id: int
    position: str
    _queue: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(MOST_BEHIND))
    #: Set when it was too slow and hears no more.
    dropped: bool = False

    async def next(self, timeout_s: float) -> Event | None:
        """The next event, or None if none came in time or it was dropped."""
        if self.dropped and self._queue.empty():
            return None
        try:
            async with asyncio.timeout(timeout_s):
                return await self._queue.get()
        except TimeoutError:  # nothing happened, which is what None says
            return None

    def waiting(self) -> Iterator[Event]:
        """The events that wait already."""
        while not self._queue.empty():
            if (event := self._queue.get_nowait()) is not None:
                yield event

    def end(self) -> None:
        """Let it hear no more, and wake it."""
        self.dropped = True
        if not self._queue.full():
            self._queue.put_nowait(None)

    def offer(self, event: Event) -> bool:
        """Queue an event; False if too many wait already."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:  # it is told so, and connects again from where it was
            self.dropped = True
        return not self.dropped


class Hub:
    """Fans events out to subscriptions by project. Lives in one event loop."""

    def __init__(self, dsn: str, *, poll: bool | None = None, poll_s: float = _POLL_S) -> None:
        """``poll``: look every ``poll_s`` seconds instead of listening; by itself behind a pooler."""
        self._dsn = dsn
        self._polls = through_transaction_pooler(dsn) if poll is None else poll
        self._poll_s = poll_s
        self._subscriptions: set[Subscription] = set()
        self._position: str | None = None
        self._progress: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._stopped = False

    def start(self) -> None:
        """Begin to listen, in the running event loop."""
        self._task = asyncio.create_task(self._run(), name="hub")

    async def stop(self) -> None:
        """Stop listening; everybody hears no more."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for each in self._subscriptions:
            each.end()

    def __len__(self) -> int:
        """How many listen."""
        return len(self._subscriptions)

    async def subscribe(self, project_id: int) -> Subscription:
        """Listen to a project, until ``unsubscribe``. Raises LedgerUnavailable if the hub itself does
        not hear anything within ten seconds."""
        try:
            async with asyncio.timeout(10):
                await self._ready.wait()
        except TimeoutError as error:
            raise LedgerUnavailable("events cannot be heard just now") from error
        made = Subscription(project_id, self._position or "")
        self._subscriptions.add(made)
        if self._stopped:
            made.end()
        return made

    def unsubscribe(self, subscription: Subscription) -> None:
        """Hear no more."""
        self._subscriptions.discard(subscription)

    @contextlib.asynccontextmanager
    async def subscription(self, project_id: int) -> AsyncIterator[Subscription]:
        """Listen to a project while the block lasts. Raises LedgerUnavailable."""
        made = await self.subscribe(project_id)
        try:
            yield made
        finally:
            self.unsubscribe(made)

    async def _run(self) -> None:
        pause = 0.2
        while True:
            try:
                with translated():
                    connection = await self._connected()
                async with connection:
                    pause = 0.2
                    with translated():
                        await self._follow(connection)
            except IfcbaseError as error:
                _LOG.warning("events: %s; trying again in %.1f s", error.message, pause)
            except Exception:  # noqa: BLE001 (logged; without this task nobody hears anything)
                _LOG.exception("events: trying again in %.1f s", pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _RETRY_S)

    async def _connected(self) -> AsyncConnection:
        return await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, row_factory=dict_row, **connection_options(self._dsn)
        )

    async def _follow(self, connection: AsyncConnection) -> None:
        if not self._polls:
            await connection.execute(f"listen {_CHANNEL}")
        if self._position is None:
            cursor = await connection.execute(_SQL["now"])
            row = await cursor.fetchone()
            self._position = str(next(iter(row.values()))) if row else None
        self._ready.set()
        jobs: set[str] | None = None
        while True:
            began = time.monotonic()
            await self._look(connection, jobs)
            # Who writes much is not followed at every step.
            await asyncio.sleep(max(self._breath_s(), time.monotonic() - began))
            jobs = await self._woken(connection)

    def _breath_s(self) -> float:
        return min(1.0, _BREATH_S + _EACH_S * len(self))

    async def _woken(self, connection: AsyncConnection) -> set[str] | None:
        """Wait until it is time to look. The jobs whose progress was told of; None: look at all."""
        if self._polls:
            await asyncio.sleep(self._poll_s)
            return None
        jobs: set[str] = set()
        async for note in connection.notifies(timeout=_LOOK_S, stop_after=1):
            if job := _progressed(note.payload):
                jobs.add(job)
        return jobs

    async def _look(self, connection: AsyncConnection, jobs: set[str] | None) -> None:
        before = self._position
        cursor = await connection.execute(_SQL["since"], {"position": before})
        found = await cursor.fetchall()
        if found:
            self._position = str(found[0]["position"])
        events = [row for row in found if row["id"] is not None]
        for n, row in enumerate(events, 1):
            # Who loses the connection in the midst of these gets all of them again, not none.
            self._tell(event_of(row, self._position if n == len(events) else before))
        if jobs is None or jobs:
            await self._tell_progress(connection, jobs)

    async def _tell_progress(self, connection: AsyncConnection, jobs: set[str] | None) -> None:
        asked = None if jobs is None else sorted(jobs)
        cursor = await connection.execute(_SQL["progress"], {"jobs": asked})
        told: dict[str, Any] = {}
        for row in await cursor.fetchall():
            job = str(row["id"])
            told[job] = row["progress"]
            if self._progress.get(job) != row["progress"]:
                data = {"job_id": job, "check": row["check_name"], "progress": row["progress"]}
                self._tell(Event(row["project_id"], "job.progress", data))
        self._progress = told if jobs is None else {**self._progress, **told}
        if len(self._progress) > 10_000:
            self._progress = told

    def _tell(self, event: Event) -> None:
        for each in list(self._subscriptions):
            if each.project_id == event.project_id and not each.offer(event):
                self._subscriptions.discard(each)


def _progressed(payload: str) -> str | None:
    """The job whose progress a notification tells of. Whoever may log in may notify, of anything."""
    try:
        told = json.loads(payload)
        return str(uuid.UUID(told["id"])) if told["topic"] == "progress" else None
    except (ValueError, TypeError, KeyError, AttributeError):  # not ours: nobody is told of it
        return None


def event_of(row: dict[str, Any], position: str | None) -> Event:
    """The event of a row of core.events."""
    return Event(row["project_id"], row["type"], row["data"], position, row["id"], row["at"])


def is_position(text: str) -> bool:
    """Whether a text looks like a position a client was given."""
    return len(text) <= 4000 and _POSITION.fullmatch(text) is not None
