"""Whether a worker takes jobs, and what warns: its `/readyz`, beside `/metrics` on the same port."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from ifcbase.errors import LedgerUnavailable
from ifcbase.ledger.spooled import spooled

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_LOG = logging.getLogger(__name__)
#: A queue that was away and is asked again may need so long to be away again, in seconds.
DOUBTFUL_S = 15.0


class Readiness:
    """Ready is a worker that takes jobs. What lies in its spool warns and no more: it can take the
    next job all the same, and whoever restarts it for that would not get the result stored."""

    def __init__(self, spool: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._spool = spool
        self._clock = clock
        self._away: LedgerUnavailable | None = None
        self._asked_at = clock()

    def asks(self) -> None:
        """The worker asks the queue for jobs, for the first time or again."""
        self._asked_at = self._clock()

    def works(self) -> None:
        """A job came: the queue is there."""
        self._away = None

    def away(self, error: LedgerUnavailable) -> None:
        """The queue, or the database, went away."""
        self._away = error

    def document(self) -> dict[str, Any]:
        """As the gateway's `/readyz` says it: status, checks and warnings by name."""
        away = self._away
        if away is not None and self._clock() - self._asked_at > DOUBTFUL_S:
            away = None
        warnings = {}
        try:
            if said := spooled(self._spool).warning():
                warnings["spool"] = said
        except OSError as error:
            warnings["spool"] = f"it cannot be read: {error.strerror}"
        return {
            "status": "ready" if away is None else "not ready",
            "checks": {"queue": "ok" if away is None else away.code},
            "warnings": warnings,
        }


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """A line for each look of a monitor would hide the others."""


def listen(host: str, port: int, registry: CollectorRegistry, readiness: Readiness) -> WSGIServer:
    """Answer in a thread of its own until ``shutdown``. Raises OSError."""
    figures = make_wsgi_app(registry)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/readyz":
            answer: Iterable[bytes] = figures(environ, start_response)
            return answer
        document = readiness.document()
        status = "200 OK" if document["status"] == "ready" else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(document).encode()]

    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    kind = type("_Server", (_Server,), {"address_family": family})
    server: WSGIServer = make_server(str(address[0]), port, app, kind, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
