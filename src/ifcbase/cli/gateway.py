"""`ifcbase gateway`: the HTTP API."""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.errors import ConfigError, IfcbaseError
from ifcbase.settings import get_settings
from ifcbase.stack import migrations

DEFAULT_PORT = 8123


def gateway(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")
    ] = DEFAULT_PORT,
    until_eof: Annotated[
        bool,
        typer.Option("--until-eof", help="Stop when standard input ends: with who started it."),
    ] = False,
) -> None:
    """Serve the HTTP API until told to stop."""
    # Here and not above: who asks for help need not wait for them.
    import uvicorn

    from ifcbase.gateway import logs
    from ifcbase.gateway.app import create_app
    from ifcbase.gateway.serving import Server
    from ifcbase.gateway.state import make_gateway

    settings = get_settings()
    logs.setup(settings.log_level)
    dsn = context.database(settings)
    migrations.require_head(dsn)
    app = create_app(make_gateway(settings, dsn))
    server = Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            # Longer than any answer but a download; those end when their client does.
            timeout_graceful_shutdown=10,
        ),
        app,
    )
    if until_eof:
        threading.Thread(target=_read_to_end, args=[server], name="starter", daemon=True).start()
    try:
        server.run()
    except SystemExit as error:
        raise ConfigError(
            f"the gateway cannot listen at {host}:{port}",
            hint="Another program may listen there: choose another --port.",
        ) from error
    if not server.started:
        raise IfcbaseError("the gateway could not start", hint="The log above says why.")


def _read_to_end(server: object) -> None:
    """Wait for whoever started this process to end: nobody else holds the other end of the pipe."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    logging.getLogger(__name__).info("who started this gateway has ended; it ends, too")
    server.should_exit = True  # type: ignore[attr-defined]  # uvicorn is loaded late
