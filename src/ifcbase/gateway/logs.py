"""Request ids, and a line of JSON for every request and everything else the gateway logs."""

from __future__ import annotations

import logging
import re
import sys
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ifcbase.gateway.limits import header
from ifcbase.loglines import JsonLines

HEADER = "X-Request-Id"
_FORM = re.compile(r"[A-Za-z0-9._-]{8,64}")
_LOG = logging.getLogger("ifcbase.gateway")


def request_id_of(scope: Scope) -> str:
    """The id of a request."""
    return str(scope.get("state", {}).get("request_id", ""))


class Requests:
    """The outermost layer: gives each request an id and a line in the log, and answers what failed
    unforeseen."""

    def __init__(self, app: ASGIApp, unknown: Callable[[Scope], ASGIApp]) -> None:
        self._app = app
        self._unknown = unknown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = header(scope, b"x-request-id", b"").decode("latin-1")
        request_id = given if _FORM.fullmatch(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        began, status = time.perf_counter(), 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("Content-Security-Policy", "default-src 'none'; sandbox")
                headers.setdefault("Referrer-Policy", "no-referrer")
            await send(message)

        try:
            await self._app(scope, receive, tell)
        except Exception:  # noqa: BLE001 - whatever it was, the client gets a problem, the log the rest
            _LOG.exception("unforeseen", extra={"request_id": request_id, "path": scope["path"]})
            if not status:
                await self._unknown(scope)(scope, receive, tell)
        finally:
            route = scope.get("route")
            _LOG.info(
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    # The route and not the address: a link's token is a key.
                    "path": getattr(route, "path", "-"),
                    "status": status,
                    "seconds": round(time.perf_counter() - began, 4),
                    "caller": state.get("caller"),
                },
            )


def setup(level: str) -> None:
    """Everything this process logs as JSON lines on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("procrastinate", "psycopg.pool", "httpx"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
