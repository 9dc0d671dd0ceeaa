"""A TCP proxy that passes bytes on until it is told to cut, to stall, or to drop what comes next."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_REMEMBERED = 16_384


@dataclass
class Pair:
    """A connection and its other half. ``said``: the last that the client has sent."""

    client: socket.socket
    server: socket.socket
    said: bytes = b""
    #: The server's answers are thrown away, and both ends closed with the first of them.
    deaf: bool = False


@dataclass
class Wire:
    """What lies between. ``watch`` sees what a client has said lately and says now, before it goes on,
    and says what becomes of the connection: "" nothing, "cut" before it arrives, "half" when half of
    it has, "unheard" when all of it has and was answered, and the answer is lost."""

    target: tuple[str, int]
    address: str = "127.0.0.1"
    watch: Callable[[bytes, bytes], str] = field(default=lambda _, __: "")
    port: int = 0
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server((self.address, 0))
        self.port = self._listener.getsockname()[1]
        self._pairs: list[Pair] = []
        self._passing = threading.Event()
        self._passing.set()
        self._open = True
        self._stop = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="wire", daemon=True)

    def cut(self) -> None:
        """End all connections and refuse new ones."""
        with self._lock:
            self._open = False
            for pair in list(self._pairs):
                self._end(pair)

    def mend(self) -> None:
        """Pass everything on again."""
        self._open = True
        self._passing.set()

    def stall(self) -> None:
        """Keep connections and take what comes, but nothing arrives."""
        self._passing.clear()

    @contextmanager
    def running(self) -> Iterator[Wire]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop = True
            self._passing.set()
            self._thread.join(30)
            for pair in list(self._pairs):
                self._end(pair)
            self._listener.close()

    def _serve(self) -> None:
        while not self._stop:
            if not self._passing.wait(0.05):
                continue
            with self._lock, selectors.DefaultSelector() as selector:
                selector.register(self._listener, selectors.EVENT_READ)
                for pair in self._pairs:
                    selector.register(pair.client, selectors.EVENT_READ, pair)
                    selector.register(pair.server, selectors.EVENT_READ, pair)
                ready = selector.select(0.02)
                for key, _ in ready:
                    if key.data is None:
                        self._accept()
                    elif key.data in self._pairs:
                        self._pass_on(key.data, from_client=key.fileobj is key.data.client)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if not self._open:
            client.close()
            return
        try:
            self._pairs.append(Pair(client, socket.create_connection(self.target, timeout=10)))
        except OSError:
            client.close()

    def _pass_on(self, pair: Pair, *, from_client: bool) -> None:
        source, sink = (pair.client, pair.server) if from_client else (pair.server, pair.client)
        try:
            data = source.recv(1 << 16)
        except OSError:
            data = b""
        what = ""
        if from_client and data:
            what = self.watch(pair.said, data)
            pair.said = (pair.said + data)[-_REMEMBERED:]
        if what:
            self.seen.append(what)
        if not data or what == "cut" or (pair.deaf and not from_client):
            self._end(pair)
            return
        pair.deaf = pair.deaf or what == "unheard"
        try:
            sink.sendall(data[: len(data) // 2] if what == "half" else data)
        except OSError:
            what = "half"
        if what == "half":
            self._end(pair)

    def _end(self, pair: Pair) -> None:
        with suppress(ValueError):
            self._pairs.remove(pair)
        for each in (pair.client, pair.server):
            each.close()
