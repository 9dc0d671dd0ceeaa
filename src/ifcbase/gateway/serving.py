"""The server, which ends streams of events before it waits for requests to end."""

from __future__ import annotations

import socket
from typing import Any

import uvicorn
from fastapi import FastAPI


def configured(app: FastAPI, **more: Any) -> uvicorn.Config:
    """How an application is served. Who sends a request is who holds the connection: uvicorn by
    itself believes what a client on this machine says of that."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        **more,
    )


class Server(uvicorn.Server):
    """Serves an application of ours."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._served = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn.Server. Who listens to events would listen for ever."""
        if (hub := getattr(self._served.state, "hub", None)) is not None:
            await hub.stop()
        await super().shutdown(sockets)
