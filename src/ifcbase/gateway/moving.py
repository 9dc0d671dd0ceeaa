"""What moves while the gateway serves: the hub, the deliverer of webhooks, the reaper, the broom."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI, Request

from ifcbase.errors import IfcbaseError
from ifcbase.files.local import LocalFiles
from ifcbase.files.store import FileStore
from ifcbase.gateway.arriving import Arrivals
from ifcbase.gateway.hub import Hub
from ifcbase.gateway.state import Gateway
from ifcbase.jobs.reaper import reap_until
from ifcbase.webhooks.deliver import Deliverer

_LOG = logging.getLogger(__name__)
#: Threads that deliver webhooks: a slow endpoint holds one of them.
DELIVERERS = 2
_SWEEP_S = 900.0


@asynccontextmanager
async def moving(app: FastAPI, gateway: Gateway) -> AsyncIterator[None]:
    """Everything moves while the block lasts."""
    settings = gateway.settings
    app.state.arrivals = Arrivals(settings)
    app.state.hub = hub = Hub(gateway.dsn)
    hub.start()
    stop = threading.Event()
    # Workers that reach the ledger over REST only cannot look for lost jobs themselves.
    reaper = threading.Thread(
        target=reap_until,
        args=(gateway.dsn, gateway.engine, stop),
        kwargs={"every_s": settings.reap_s},
        name="reaper",
        daemon=True,
    )
    reaper.start()
    threads = [reaper]
    if settings.webhooks:
        threads += Deliverer.of(settings, gateway.dsn).start(stop, DELIVERERS)
    broom = asyncio.create_task(_sweep(app.state.arrivals, gateway.files), name="broom")
    try:
        yield
    finally:
        stop.set()
        broom.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await broom
        await hub.stop()
        for each in threads:
            await to_thread.run_sync(each.join, settings.webhook_s + 5)


async def _sweep(arrivals: Arrivals, files: FileStore) -> None:
    while True:
        try:
            await to_thread.run_sync(arrivals.sweep)
            if isinstance(files, LocalFiles):
                await to_thread.run_sync(files.sweep)
        except (IfcbaseError, OSError):
            _LOG.exception("what lies about could not be swept up")
        await asyncio.sleep(_SWEEP_S)


def hub_of(request: Request) -> Hub:
    """The hub of the gateway that serves a request."""
    found: Hub = request.app.state.hub
    return found
