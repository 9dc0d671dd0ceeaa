"""No request makes the gateway hold more than a few megabytes: bodies are bounded before they are
read, but for the routes that stream them to disk and bound them themselves."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: A request names files and does not hold them: 500 clash sets of 1000 files each fit in.
LARGEST = 8 * 2**20
#: Routes that stream.
STREAMED = re.compile(r"/upload/[^/]*|/v1/uploads(?:/.*)?")


def header(scope: Scope, name: bytes, default: bytes) -> bytes:
    """A header of a request, without reading the others: this is asked of every one."""
    return next((value for each, value in scope["headers"] if each == name), default)


class BodyLimit:
    """Refuses bodies that are, or turn out to be, too large."""

    def __init__(self, app: ASGIApp, largest: int = LARGEST) -> None:
        self._app = app
        self._largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or STREAMED.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        said = header(scope, b"content-length", b"0")
        too_large = said.isdigit() and int(said) > self._largest
        read = 0

        async def bounded() -> Message:
            nonlocal read
            # Said where the framework listens for it: its answer is a problem like every other.
            if too_large:
                raise HTTPException(413)
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > self._largest:
                    raise HTTPException(413)
            return message

        await self._app(scope, bounded, send)
