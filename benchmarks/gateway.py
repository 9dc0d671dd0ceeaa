"""Load on a gateway of its own: clients that poll, submissions, listeners, and one large upload.

`python -m benchmarks.gateway DSN [--seconds 60] [--upload-mb 2048]` on a migrated scratch database.
Everything runs on this machine over the loopback. Exits with 1 if a request failed or the gateway
grew beyond 150 MB while it took the upload.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.measuring import RESULTS, surroundings, write_section
from ifcbase.ledger import keys
from ifcbase.ledger.access import create_project
from ifcbase.ledger.connect import connect

POLLERS, EVERY_S, A_SECOND, LISTENERS = 200, 2.0, 50, 100
MODEL = (
    b"ISO-10303-21;\nHEADER;\nFILE_SCHEMA(('IFC4'));\nENDSEC;\nDATA;\nENDSEC;\nEND-ISO-10303-21;\n"
)


class Load:
    """What is asked, and how long each kind of question took."""

    def __init__(self, client: httpx.AsyncClient, seconds: float) -> None:
        self.client = client
        self.ends = time.perf_counter() + seconds
        self.took: dict[str, list[float]] = {"poll": [], "submit": []}
        self.failures: list[str] = []
        self.heard = 0
        self.job = ""

    async def ask(self, kind: str, method: str, path: str, **given: Any) -> httpx.Response | None:
        began = time.perf_counter()
        try:
            answer = await self.client.request(method, path, **given)
        except httpx.HTTPError as error:
            self.failures.append(f"{kind}: {error!r}")
            return None
        self.took[kind].append(time.perf_counter() - began)
        if not answer.is_success:
            self.failures.append(f"{kind}: {answer.status_code} {answer.text[:200]}")
        return answer

    async def poll(self, n: int) -> None:
        await asyncio.sleep(EVERY_S * n / POLLERS)
        while time.perf_counter() < self.ends:
            await self.ask("poll", "GET", f"/jobs/{self.job}/status")
            await asyncio.sleep(EVERY_S)

    async def submit(self, n: int) -> None:
        request = {"input_filename": "m.ifc", "output_filename": f"{n}.glb"}
        answer = await self.ask("submit", "POST", "/ifcconvert", json=request)
        if answer is not None and answer.is_success:
            self.job = answer.json()["job_id"]

    async def submissions(self) -> None:
        tasks, n, began = [], 0, time.perf_counter()
        while time.perf_counter() < self.ends:
            tasks.append(asyncio.create_task(self.submit(n)))
            n += 1
            await asyncio.sleep(max(0.0, began + n / A_SECOND - time.perf_counter()))
        await asyncio.gather(*tasks)

    async def listen(self) -> None:
        async with self.client.stream("GET", "/v1/events", timeout=None) as answer:
            async for line in answer.aiter_lines():
                self.heard += line.startswith("event: job.")


async def run(address: str, key: str, seconds: float, upload_mb: int, pid: int) -> tuple[Load, int]:
    """The load, and by how many bytes the gateway grew beyond its size at most while it uploaded."""
    limits = httpx.Limits(max_connections=None, keepalive_expiry=2)
    headers = {"X-API-Key": key}
    async with httpx.AsyncClient(
        base_url=address, headers=headers, limits=limits, timeout=60
    ) as client:
        (await client.post("/upload/ifc", files={"file": ("m.ifc", MODEL)})).raise_for_status()
        largest = await upload(client, upload_mb, pid)
        load = Load(client, seconds)
        await load.submit(-1)
        listeners = [asyncio.create_task(load.listen()) for _ in range(LISTENERS)]
        pollers = [load.poll(n) for n in range(POLLERS)]
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
    given = parser.parse_args()
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
                run(address, key, given.seconds, given.upload_mb, server.pid)
            )
            cpu = psutil.Process(server.pid).cpu_times()
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
            log.close()
    lines = [*facts, ""]
    lines.append(
        f"{POLLERS} clients polling every {EVERY_S:.0f} s, {A_SECOND} submissions a second, "
        f"{LISTENERS} listeners, for {given.seconds:.0f} s; client and server on this machine."
    )
    lines += ["", "| | requests | p50 | p99 | worst |", "|---|---|---|---|---|"]
    for kind, took in load.took.items():
        took.sort()
        at = [took[int(len(took) * share)] * 1000 for share in (0.5, 0.99)]
        lines.append(
            f"| {kind} | {len(took)} | {at[0]:.0f} ms | {at[1]:.0f} ms | {took[-1] * 1000:.0f} ms |"
        )
    lines += [
        "",
        (
            f"Failed requests: {len(load.failures)}. Events heard: {load.heard}. CPU of the gateway: "
            f"{cpu.user + cpu.system:.1f} s. Largest memory of the gateway while it took an upload of "
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
