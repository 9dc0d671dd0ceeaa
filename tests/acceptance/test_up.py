"""`ifcbase up` serves the HTTP API, and makes a key once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil
import pytest

from tests.acceptance.stand import Stand

#: What a loaded machine may need for what takes a second or two.
PATIENCE_S = 120.0


@dataclass
class Up:
    """A running `ifcbase up` and what it said until it was ready."""

    process: subprocess.Popen[str]
    said: list[str]

    def after(self, words: str) -> str | None:
        """The first word after these in what was said."""
        for line in self.said:
            if words in line:
                return line.split(words)[1].split()[0].rstrip(",")
        return None

    def line(self, words: str) -> None:
        """Wait until it says a line with these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if words in line:
                return
        pytest.fail(f"it ended without saying {words!r}")


@contextmanager
def up(stand: Stand) -> Iterator[Up]:
    process = subprocess.Popen(
        [sys.executable, "-m", "ifcbase", "up", "--workers", "1", "--port", "0"],
        env=stand.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        said = []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.startswith("ready:"):
                break
        assert said[-1].startswith("ready:"), said
        yield Up(process, said)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()


def gateway_of(found: Up) -> psutil.Process:
    for child in psutil.Process(found.process.pid).children():
        if "gateway" in child.cmdline():
            return child
    raise AssertionError("no gateway runs")


def test_up_serves_its_api_with_the_key_it_made_once(embedded: Stand) -> None:
    with up(embedded) as first:
        address, key = first.after("HTTP API at "), first.after("shown this once: ")
        assert address is not None
        assert key is not None
        with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
            assert client.get("/readyz").json()["status"] == "ready"
            headers = {"X-API-Key": key}
            (project,) = client.get("/v1/projects", headers=headers).json()
            assert project["verbs"] == ["read", "write", "decide", "admin"]
            assert client.get("/v1/projects").status_code == 401
        # A gateway that dies is started again at the same address; who asks meanwhile waits.
        os.kill(gateway_of(first).pid, signal.SIGKILL)
        first.line("the HTTP API had ended and was started again")
        again = httpx.get(f"{address}/v1/projects", headers=headers, timeout=PATIENCE_S)
        assert again.status_code == 200
    with up(embedded) as second:
        assert second.after("HTTP API at ") is not None
        assert second.after("shown this once: ") is None
        address = second.after("HTTP API at ")
        found = httpx.get(f"{address}/v1/projects", headers=headers, timeout=PATIENCE_S)
        assert found.status_code == 200
    log = (embedded.home / "logs" / "gateway-1.log").read_text(encoding="utf-8")
    assert key not in log
    assert key.split("_")[1] in log
