"""The server, which ends streams of events before it waits for requests to end."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI


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
