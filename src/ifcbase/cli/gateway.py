"""`ifcbase gateway`: the HTTP API."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Annotated

import typer

from ifcbase.cli import context, ending
from ifcbase.errors import ConfigError, LedgerUnavailable
from ifcbase.settings import get_settings
from ifcbase.stack import migrations

DEFAULT_PORT = 8123
#: How long a gateway that is told to end goes on with the requests it has (seconds).
GRACE_S = 10


def gateway(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")
    ] = DEFAULT_PORT,
    fd: Annotated[int | None, typer.Option("--fd", hidden=True, help="A socket to serve.")] = None,
    until_eof: Annotated[
        bool,
        typer.Option("--until-eof", help="Stop when standard input ends: with who started it."),
    ] = False,
) -> None:
    """Serve the HTTP API until told to stop."""
    # Here and not above: who asks for help need not wait for them.
    from ifcbase.gateway import logs
    from ifcbase.gateway.app import create_app
    from ifcbase.gateway.serving import Server, configured
    from ifcbase.gateway.state import make_gateway

    settings = get_settings()
    logs.setup(settings.log_level)
    dsn = context.database(settings)
    migrations.require_head(dsn)
    app = create_app(make_gateway(settings, dsn))
    config = configured(app, timeout_graceful_shutdown=GRACE_S)

    class Told(Server):
        """One whose signals are ours."""

        def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
            """In place of uvicorn's own handling: the command's holds already."""
            return nullcontext()

    server = Told(config, app)

    def stop() -> None:
        server.should_exit = True

    if until_eof:
        threading.Thread(target=_read_to_end, args=[stop], name="starter", daemon=True).start()
    listener = listening(host, port) if fd is None else socket.socket(fileno=fd)
    with closing(listener), ending.told_to_end(lambda _: stop(), interrupt=True):
        logging.getLogger(__name__).info("listening at %s", url_of(*listener.getsockname()[:2]))
        try:
            server.run(sockets=[listener])
        except SystemExit as error:
            raise LedgerUnavailable(
                "the gateway could not start", hint="The log above says why."
            ) from error


def listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens; without a port at the default one, or a free one where that is taken.

    Raises ConfigError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host, DEFAULT_PORT if port is None else port), family=family, backlog=256
        )
    except OSError as error:
        if port is None:
            return listening(host, 0)
        raise ConfigError(
            f"nothing can listen at {host}, port {port}: {error.strerror or error}",
            hint="Another program may listen there: choose another --port.",
        ) from error


def url_of(host: str, port: int) -> str:
    """How a client on this machine reaches a socket."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _read_to_end(stop: Callable[[], None]) -> None:
    """Wait for whoever started this process to end: nobody else holds the other end of the pipe."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    logging.getLogger(__name__).info("who started this gateway has ended; it ends, too")
    stop()
    time.sleep(GRACE_S + 5)
    # Nobody is left who would kill what does not end.
    os._exit(1)
