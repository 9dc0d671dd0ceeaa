"""Files on their way in: from the request to the disk, from there into the project."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeVar

from anyio import CancelScope, to_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from ifcbase.errors import Busy, Conflict, FileTooLarge, RequestInvalid
from ifcbase.files.addresses import Policy
from ifcbase.files.fetch import Fetcher
from ifcbase.files.receive import Received, Receiver, keep
from ifcbase.files.resumable import Pending, Uploads
from ifcbase.gateway import files
from ifcbase.gateway.caller import Caller
from ifcbase.gateway.repeats import once_done
from ifcbase.gateway.state import rows
from ifcbase.jobs.engine import Connection
from ifcbase.settings import Settings
from ifcbase.sqlfiles import queries

P = ParamSpec("P")
T = TypeVar("T")

_SQL = queries("ifcbase.gateway", "arriving.sql")
#: Bytes that are written at a time.
BLOCK = 1 << 20
#: Files that are fetched from elsewhere at a time.
MOST_FETCHES = 4


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that is in the project now. ``model``, ``number``, ``is_new``: the version it is."""

    received: Received
    path: str
    model: str | None = None
    number: int | None = None
    version_id: int | None = None
    is_new: bool | None = None


class Arrivals:
    """Where files arrive: folders, limits, who may be asked for them."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigError."""
        self.limit = settings.upload_max_mb << 20
        self.folder = settings.home / "incoming"
        self.uploads = Uploads(
            settings.home / "uploads", limit=self.limit, keep_s=settings.upload_keep_s
        )
        self.fetcher = Fetcher(Policy.of(settings.fetch_private, settings.fetch_hosts))
        self.keep_s = settings.upload_keep_s
        self._fetches = threading.Semaphore(MOST_FETCHES)

    def receiver(self, kind: str, name: str) -> Receiver:
        """Takes one file. Raises RequestInvalid, UploadNameInvalid."""
        return Receiver(self.folder, kind=kind, name=name, limit=self.limit)

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """While a file is fetched. Raises Busy if too many are."""
        if not self._fetches.acquire(blocking=False):
            raise Busy("too many files are being fetched just now")
        try:
            yield
        finally:
            self._fetches.release()

    def sweep(self) -> None:
        """Remove what crashes and clients that never came back left behind."""
        self.uploads.sweep()
        for each in self.folder.glob("incoming-*") if self.folder.is_dir() else []:
            if time.time() - each.stat().st_mtime > self.keep_s:
                shutil.rmtree(each, ignore_errors=True)


def arrivals_of(request: Request) -> Arrivals:
    """The arrivals of the gateway that serves a request."""
    found: Arrivals = request.app.state.arrivals
    return found


def refuse_announced(request: Request, limit: int, beside: int = 0) -> None:
    """Refuse a body that says it is too large before it comes. Raises FileTooLarge."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit + beside:
        raise FileTooLarge(f"files of at most {limit >> 20} MiB are taken")


async def pour(request: Request, take: Callable[[bytes], None]) -> bool:
    """Give the body to ``take`` in blocks, in a thread; False if the client went away before its
    end. What had come by then was given."""
    block = bytearray()
    whole = True
    try:
        async for chunk in request.stream():
            block += chunk
            if len(block) >= BLOCK:
                await to_thread.run_sync(take, bytes(block))
                block.clear()
    except ClientDisconnect:
        whole = False
    if block:
        await to_thread.run_sync(take, bytes(block))
    return whole


async def pour_whole(request: Request, take: Callable[[bytes], None]) -> None:
    """The same for who can do nothing with a part. Raises RequestInvalid."""
    if not await pour(request, take):
        raise RequestInvalid("body: the client went away before its end")


def admit(
    caller: Caller, received: Received, model: str | None = None, key: str | None = None
) -> Arrived:
    """Keep a file that arrived, under its name, and as the next version of ``model`` if one is
    named; once per idempotency key. Raises Forbidden, RequestInvalid, IdempotencyKeyReused."""
    stored = keep(caller.gateway.files, caller.project, received)
    with caller.transaction() as connection:

        def do() -> dict[str, Any]:
            path = files.note_upload(caller, connection, received.name, stored)
            if model is None:
                return {"path": path}
            version = give_version(caller, connection, model, stored.sha256, received.name)
            return {"path": path, "model": model, **version}

        asked = ["upload", received.kind, received.name, stored.sha256, model]
        done, _ = once_done(caller, connection, key, asked, do)
    return Arrived(received, **done)


def give_version(
    caller: Caller, connection: Connection, model: str, sha256: str, file_name: str
) -> dict[str, Any]:
    """The version of a model that a file of the project is: its latest if that has the same bytes,
    else the next. Gives number, version_id, is_new."""
    given = {"project": caller.project_id, "model": model, "sha256": sha256, "name": file_name}
    version = rows(connection, _SQL["give_version"], given)[0]
    caller.note(connection, "add model version", f"{model}@{version['number']}")
    return version


def known_file(caller: Caller, sha256: str) -> dict[str, Any] | None:
    """Name and size of a file whose bytes are in the project already."""
    with caller.transaction() as connection:
        found = rows(connection, _SQL["file"], {"project": caller.project_id, "sha256": sha256})
    if not found:
        return None
    caller.gateway.files.fetch(caller.project, sha256)
    return found[0]


def complete(arrivals: Arrivals, caller: Caller, pending: Pending) -> Pending:
    """Make a whole upload a file of the project. Raises what the file is refused for."""
    with arrivals.uploads.held(pending) as now:
        if now.offset != now.length:
            raise Conflict("the upload is not whole yet")
        if now.result is None:
            arrived = admit(caller, arrivals.uploads.judge(now), now.model)
            arrivals.uploads.done(now, document_of(arrived))
    return arrivals.uploads.find(pending.id, project=caller.project)


def document_of(arrived: Arrived) -> dict[str, Any]:
    """What clients are told of a file that arrived."""
    found: dict[str, Any] = {
        "path": f"/{arrived.path}",
        "name": arrived.received.name,
        "kind": arrived.received.kind,
        "sha256": arrived.received.sha256,
        "size_bytes": arrived.received.size,
        "version": None,
    }
    if arrived.model is not None:
        found["version"] = {
            "model": arrived.model,
            "number": arrived.number,
            "version_id": arrived.version_id,
            "is_new": arrived.is_new,
        }
    return found


async def in_thread(function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Await something that blocks."""
    return await to_thread.run_sync(partial(function, *given, **named))


@asynccontextmanager
async def threaded(held: AbstractContextManager[T]) -> AsyncIterator[T]:
    """A context whose beginning and end block: both run in a thread, the end also when this is
    cancelled."""
    entered = await to_thread.run_sync(held.__enter__)
    try:
        yield entered
    except BaseException as error:
        with CancelScope(shield=True):
            if not await in_thread(held.__exit__, type(error), error, error.__traceback__):
                raise
    else:
        with CancelScope(shield=True):
            await in_thread(held.__exit__, None, None, None)
