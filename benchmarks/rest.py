"""Storing one large clash result over Supabase's REST door: time, longest call, memory of the client.

The login role has Supabase's limit of 8 s for a statement; the client may take 200 MB. Needs PostgREST and nginx as the tests of the REST transport do (`make rest-stack`).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from benchmarks.measuring import RESULTS, Clock, surroundings, write_section
from ifcbase.ledger.rest.client import Access
from ifcbase.ledger.rest.ledger import RestLedger

#: What the client may take, in MB.
MOST_MB = 200
#: Elements of each of the two models.
ELEMENTS = 20_000


def columns(count: int) -> dict[str, Any]:
    """As many sightings of different pairs, with coordinates as long as real ones."""
    random = np.random.default_rng(1)
    numbers = np.arange(count)
    points = {f"p{i}{axis}": random.random(count) * 1e3 for i in (1, 2) for axis in "xyz"}
    return {
        "a": (numbers % ELEMENTS).astype(np.int32),
        "b": (ELEMENTS + (numbers * 7919 + numbers // ELEMENTS) % ELEMENTS).astype(np.int32),
        "a_position": np.zeros(count, np.int16),
        "b_position": np.ones(count, np.int16),
        "kind": np.full(count, 3, np.uint8),
        "measured": np.full(count, 2, np.uint8),
        "distance": random.random(count),
        "smart_group": np.full(count, -1, np.int32),
        **points,
    }


def store(count: int) -> dict[str, Any]:
    """What a worker does with a result of ``count`` clashes; run in a process of its own."""
    job = os.environ["BENCH_JOB"]
    ledger = RestLedger(
        Access(os.environ["BENCH_URL"], os.environ["BENCH_KEY"], os.environ["BENCH_TOKEN"])
    )
    longest: dict[str, float] = {}
    real = ledger._calls._once

    def timed(function: str, cleaned: Any) -> Any:
        with Clock() as clock:
            answer = real(function, cleaned)
        longest[function] = max(longest.get(function, 0.0), clock.seconds)
        return answer

    ledger._calls._once = timed  # type: ignore[method-assign]
    attempt = ledger.start_attempt(job, worker="bench", host="bench", lease_s=3600)
    assert attempt is not None
    from ifcbase.ifc.inventory import Element, Inventory

    began = time.perf_counter()
    with ledger.writing(attempt.token) as writer:
        for given in attempt.inputs:
            assert given.model_version_id is not None
            elements = tuple(
                Element(i + 1, f"{given.name}-{i}", 0, "IfcWall", f"Wall {i}", "L1", True, True)
                for i in range(ELEMENTS)
            )
            writer.inventory(given.model_version_id, Inventory("IFC4", 1.0, elements, 0))
        result = writer.open_result(
            {"set": "large", "definition": {"mode": "intersection"}, "definition_hash": "h",
             "settings": {}, "output_filename": "out.json"}
        )  # fmt: skip
        sides: list[dict[str, Any]] = [
            {"position": i, "side": side, "input": given.name, "mode": "a", "selector": None,
             "selected": ELEMENTS, "tested": ELEMENTS, "left_out": {}}
            for i, (side, given) in enumerate(zip("ab", attempt.inputs, strict=True))
        ]  # fmt: skip
        writer.append_rows(result, "coverage", sides)
        refs = [
            {"ref": side * ELEMENTS + i, "input": given.name, "global_id": f"{given.name}-{i}", "n": 0}
            for side, given in enumerate(attempt.inputs)
            for i in range(ELEMENTS)
        ]  # fmt: skip
        writer.append_rows(result, "elements", refs)
        made = columns(count)
        with Clock() as sending:
            writer.append_sightings(result, made)
        with Clock() as finishing:
            writer.finish_result(
                result,
                {"clash_count": count, "verdict": "found", "coverage": 1.0, "warnings": [],
                 "engine": {"measure_version": "1"}},
            )  # fmt: skip
        writer.finish_job({}, {})
    ledger.close()
    return {
        "clashes": count,
        "seconds": round(time.perf_counter() - began, 2),
        "sending_s": round(sending.seconds, 2),
        "finishing_s": round(finishing.seconds, 2),
        "longest_s": {k: round(v, 2) for k, v in sorted(longest.items()) if v > 0.2},
        "client_cpu_s": round(time.process_time(), 2),
        "client_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def in_a_process(url: str, key: str, token: str, job: str, count: int) -> dict[str, Any]:
    """The same measured in a worker's own memory."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.rest", "--count", str(count), "--client"],
        env=os.environ
        | {"BENCH_URL": url, "BENCH_KEY": key, "BENCH_TOKEN": token, "BENCH_JOB": job}
        | {"PYTHONPATH": os.pathsep.join(["src", "."])},
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parent.parent,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=250_000)
    parser.add_argument("--client", action="store_true", help="be the worker (internal)")
    arguments = parser.parse_args()
    if arguments.client:
        print(json.dumps(store(arguments.count)))
        return
    from tests.integration.rest.stack import minted, rest_stack
    from tests.integration.servers import Servers, open_folder
    from tests.integration.world import World

    from ifcbase.stack.migrations import migrate

    with open_folder() as folder:
        servers = Servers(folder)
        try:
            with servers[17].database() as database:
                migrate(database.dsn)
                with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
                    name = f'alter role authenticator in database "{database.name}"'
                    admin.execute(f"{name} set statement_timeout = '8s'".encode())
                with rest_stack(database, folder / "rest") as stack:
                    world = World(database.dsn)
                    job = world.job({"A": "a", "B": "b"})
                    token = minted("ifc_worker", sub="bench", valid_s=36000)
                    found = in_a_process(stack.url, minted("anon"), token, job.id, arguments.count)
                    stored = world.value("select count(*) from clash.sightings")
                    assert stored == arguments.count, stored
                    assert found["client_peak_mb"] < MOST_MB, found
                    lines = surroundings(world.connection)
                    world.close()
        finally:
            servers.stop()
    lines += ["", "| what | measured |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in found.items()]
    print("\n".join(lines))
    write_section(RESULTS, "rest", lines)


if __name__ == "__main__":
    main()
