"""Load on a gateway of its own: clients that poll, submissions, listeners, and one large upload.

`python -m benchmarks.gateway DSN [--seconds 60] [--upload-mb 2048]` on a migrated scratch database.
Everything runs on this machine over the loopback. Exits with 1 if a request failed or the gateway
grew beyond 150 MB while it took the upload.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.measuring import RESULTS, surroundings, write_section
from ifcbase.ledger import keys
from ifcbase.ledger.access import create_project
from ifcbase.ledger.connect import connect

EVERY_S = 2.0
MODEL = (
    b"ISO-10303-21;\nHEADER;\nFILE_SCHEMA(('IFC4'));\nENDSEC;\nDATA;\nENDSEC;\nEND-ISO-10303-21;\n"
)


@dataclass(frozen=True, slots=True)
class Size:
    """How many poll, how many submissions come in a second, how many listen."""

    pollers: int = 200
    a_second: int = 50
    listeners: int = 100


class Line:
    """A client's connection, which it keeps. No more than the load needs: a client that thinks would
    take the processor from the gateway it measures."""

    def __init__(self, address: str, key: str) -> None:
        self._host, _, port = address.removeprefix("http://").partition(":")
        self._port = int(port)
        self._head = f"Host: {self._host}\r\nX-API-Key: {key}\r\n"
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError, EOFError."""
        if self._streams is not None and self._streams[0].at_eof():
            # The gateway lets go of connections on which nothing was asked for a while.
            await self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\n{self._head}"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = re.search(rb"\r\ncontent-length: (\d+)", answer)
        got = await reader.readexactly(int(length[1])) if length else b""
        if b"\r\nconnection: close" in answer:
            await self.close()
        return int(answer[9:12]), got

    async def listen(self, path: str) -> AsyncIterator[bytes]:
        """What comes without end."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        self._streams = (reader, writer)
        writer.write(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())
        while part := await reader.read(2**16):
            yield part

    async def close(self) -> None:
        """Let go of it."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


class Load:
    """What is asked, and how long each kind of question took."""

    def __init__(self, address: str, key: str, seconds: float, size: Size) -> None:
        self.size = size
        self._address, self._key = address, key
        self.ends = time.perf_counter() + seconds
        self.took: dict[str, list[float]] = {"poll": [], "submit": []}
        self.failures: list[str] = []
        self.heard = 0
        self.job = ""
        self._idle: list[Line] = []

    def line(self) -> Line:
        """A new connection."""
        return Line(self._address, self._key)

    async def ask(
        self, line: Line, kind: str, method: str, path: str, body: bytes = b""
    ) -> bytes | None:
        began = time.perf_counter()
        try:
            status, answer = await line.ask(method, path, body)
        except (OSError, EOFError) as error:
            self.failures.append(f"{kind}: {error!r}")
            await line.close()
            return None
        self.took[kind].append(time.perf_counter() - began)
        if status >= 300:
            self.failures.append(f"{kind}: {status} {answer[:200]!r}")
            return None
        return answer

    async def poll(self, n: int) -> None:
        await asyncio.sleep(EVERY_S * n / self.size.pollers)
        line = self.line()
        while time.perf_counter() < self.ends:
            await self.ask(line, "poll", "GET", f"/jobs/{self.job}/status")
            await asyncio.sleep(EVERY_S)
        await line.close()

    async def submit(self, n: int) -> None:
        request = {"input_filename": "m.ifc", "output_filename": f"{n}.glb"}
        line = self._idle.pop() if self._idle else self.line()
        answer = await self.ask(line, "submit", "POST", "/ifcconvert", json.dumps(request).encode())
        self._idle.append(line)
        if answer is not None:
            self.job = json.loads(answer)["job_id"]

    async def submissions(self) -> None:
        tasks, n, began = [], 0, time.perf_counter()
        while self.size.a_second and time.perf_counter() < self.ends:
            tasks.append(asyncio.create_task(self.submit(n)))
            n += 1
            await asyncio.sleep(max(0.0, began + n / self.size.a_second - time.perf_counter()))
        await asyncio.gather(*tasks)
        for line in self._idle:
            await line.close()

    async def listen(self) -> None:
        line = self.line()
        try:
            async for part in line.listen("/v1/events"):
                # A name that two parts share is missed, which is one in thousands.
                self.heard += part.count(b"event: job.")
        finally:
            await line.close()


async def run(
    address: str, key: str, seconds: float, upload_mb: int, pid: int, size: Size
) -> tuple[Load, int]:
    """The load, and the largest memory of the gateway while it took the upload."""
    headers = {"X-API-Key": key}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client:
        (await client.post("/upload/ifc", files={"file": ("m.ifc", MODEL)})).raise_for_status()
        largest = await upload(client, upload_mb, pid)
    load = Load(address, key, seconds, size)
    await load.submit(-1)
    listeners = [asyncio.create_task(load.listen()) for _ in range(size.listeners)]
    pollers = [load.poll(n) for n in range(size.pollers)]
    await asyncio.gather(load.submissions(), *pollers)
    for each in listeners:
        each.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)
    return load, largest


async def upload(client: httpx.AsyncClient, size_mb: int, pid: int) -> int:
    """Upload a model of this size that never is as a whole anywhere; the gateway's largest memory."""
    process, largest = psutil.Process(pid), 0
    block = (b"/* " + b"x" * 1017 + b" */\n") * 1024

    async def body() -> AsyncIterator[bytes]:
        nonlocal largest
        yield MODEL.partition(b"ENDSEC;\nEND-")[0]
        for _ in range(size_mb):
            yield block
            largest = max(largest, process.memory_info().rss)
        yield b"ENDSEC;\nEND-ISO-10303-21;\n"

    answer = await client.post(
        "/v1/uploads/models/large", params={"file_name": "l.ifc"}, content=body(), timeout=600
    )
    answer.raise_for_status()
    return max(largest, process.memory_info().rss)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("dsn")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--upload-mb", type=int, default=2048)
    parser.add_argument("--pollers", type=int, default=200)
    parser.add_argument("--a-second", type=int, default=50, help="submissions")
    parser.add_argument("--listeners", type=int, default=100)
    given = parser.parse_args()
    size = Size(given.pollers, given.a_second, given.listeners)
    with connect(given.dsn) as connection:
        project = create_project(connection, "bench")
        key = keys.make_key(connection, project, "bench", ["read", "write"]).key
        facts = surroundings(connection)
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "DATABASE_URL": given.dsn, "IFCBASE_HOME": home}
        environment.pop("IFCBASE_EMBEDDED", None)
        log = (Path(home) / "log").open("w")
        server = subprocess.Popen(
            [sys.executable, "-m", "ifcbase", "gateway", "--port", "8987"],
            env=environment, stderr=log,
        )  # fmt: skip
        try:
            address = "http://127.0.0.1:8987"
            wait_for(address)
            load, largest = asyncio.run(
                run(address, key, given.seconds, given.upload_mb, server.pid, size)
            )
            cpu, own = psutil.Process(server.pid).cpu_times(), os.times()
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
            log.close()
    lines = [*facts, ""]
    lines.append(
        f"{size.pollers} clients polling every {EVERY_S:.0f} s, {size.a_second} submissions a second, "
        f"{size.listeners} listeners, for {given.seconds:.0f} s; client and server on this machine."
    )
    lines += ["", "| | requests | p50 | p99 | worst |", "|---|---|---|---|---|"]
    for kind, took in load.took.items():
        if not took:
            continue
        took.sort()
        at = [took[int(len(took) * share)] * 1000 for share in (0.5, 0.99)]
        lines.append(
            f"| {kind} | {len(took)} | {at[0]:.0f} ms | {at[1]:.0f} ms | {took[-1] * 1000:.0f} ms |"
        )
    lines += [
        "",
        (
            f"Failed requests: {len(load.failures)}. Events heard: {load.heard}. CPU of the gateway: "
            f"{cpu.user + cpu.system:.1f} s, of the clients: {own.user + own.system:.1f} s. Largest memory of the gateway while it took an upload of "
            f"{given.upload_mb} MiB: {largest / 1e6:.0f} MB (target: below 150 MB)."
        ),
    ]
    print("\n".join([*lines, *load.failures[:5]]))
    write_section(RESULTS, "gateway", lines)
    return 1 if load.failures or largest > 150e6 else 0


def wait_for(address: str) -> None:
    """Until the gateway is ready."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise TimeoutError("the gateway did not start")


if __name__ == "__main__":
    raise SystemExit(main())
