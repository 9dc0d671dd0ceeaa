"""Speed of the ledger on 200 results of one clash set with 10 000 sightings each.

`python -m benchmarks.ledger DSN [RESULTS] [SIGHTINGS]` fills the migrated, empty database DSN
through the same functions workers use, prints what it measured beside its target and writes it into
RESULTS.md. Exits with 1 if a target is missed or a plan scans all sightings.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from benchmarks.measuring import server_cpu, surroundings, write_section
from ifcbase.ifc.inventory import Element, Inventory
from ifcbase.ledger.interface import Attempt, Columns, Writer
from ifcbase.ledger.postgres import PostgresLedger

ELEMENTS = 8_000
#: Share of pairs that change from one result to the next.
CHURN = 0.01
MODELS = ("arc", "mep")
RESULTS = Path(__file__).with_name("RESULTS.md")
DEFINITION = {"mode": "intersection", "tolerance": 0.01, "include_related": False}

Connection = psycopg.Connection[tuple[Any, ...]]


def submit(connection: Connection, revision: int) -> str:
    """Accept a job on the models' one version; later revisions only change what clashes."""
    inputs = []
    for model in MODELS:
        digest = hashlib.sha256(model.encode()).hexdigest()
        connection.execute("select core.add_file(1, %s, 1, %s)", (digest, model))
        row = connection.execute(
            "select model_version_id from core.add_model_version(1, %s, %s, %s)",
            (model, digest, f"{model}.ifc"),
        ).fetchone()
        assert row is not None
        inputs.append({"name": f"{model}.ifc", "sha256": digest, "model_version_id": row[0]})
    made = connection.execute(
        "select job_id from core.accept_job(1, 'clash', %s, %s, 600, 512, 1)",
        (Jsonb({"revision": revision}), Jsonb(inputs)),
    ).fetchone()
    assert made is not None
    return str(made[0])


def pairs_of_revisions(sightings: int) -> Iterator[np.ndarray[Any, Any]]:
    """Pairs as numbers: each revision loses some at random and finds as many new ones."""
    random = np.random.default_rng(7)
    count = int(sightings * CHURN)
    present = random.choice(ELEMENTS * ELEMENTS, sightings, replace=False)
    while True:
        yield present
        stay = random.choice(present, sightings - count, replace=False)
        fresh = random.choice(ELEMENTS * ELEMENTS, count * 2, replace=False)
        fresh = np.setdiff1d(fresh, stay)[:count]
        present = np.concatenate([stay, fresh])


def columns_of(pairs: np.ndarray[Any, Any]) -> Columns:
    """The sightings of a result."""
    n = len(pairs)
    random = np.random.default_rng(int(pairs[0]))
    spots = random.random((6, n)) * 100
    return {
        "a": (pairs // ELEMENTS).astype(np.int32),
        "b": (pairs % ELEMENTS + ELEMENTS).astype(np.int32),
        "a_position": np.zeros(n, np.int16), "b_position": np.ones(n, np.int16),
        "kind": np.full(n, 3, np.uint8), "measured": np.full(n, 2, np.uint8),
        "distance": random.random(n) / 10,
        "p1x": spots[0], "p1y": spots[1], "p1z": spots[2],
        "p2x": spots[3], "p2y": spots[4], "p2z": spots[5],
        "smart_group": np.full(n, -1, np.int32),
    }  # fmt: skip


def inventories(writer: Writer, attempt: Attempt) -> None:
    """What the models contain, unless that is known."""
    for given in attempt.inputs:
        if not given.inventoried and given.model_version_id is not None:
            elements = tuple(
                Element(i + 1, f"{given.name}{i}", 0, "IfcWall", None, "G", True, True)
                for i in range(ELEMENTS)
            )
            writer.inventory(given.model_version_id, Inventory("IFC4", 1.0, elements, 0))


def describe(
    writer: Writer, pairs: np.ndarray[Any, Any], clash_set: str = "bench"
) -> tuple[int, Columns]:
    """Open a result, say what it tested and number its elements; gives it and its sightings."""
    result = writer.open_result(
        {
            "set": clash_set, "definition": DEFINITION, "definition_hash": "0" * 64,
            "settings": DEFINITION, "output_filename": "out.json",
        }
    )  # fmt: skip
    writer.append_rows(
        result,
        "coverage",
        [
            {
                "position": i, "side": "ab"[i], "input": f"{model}.ifc", "mode": "a",
                "selector": None, "selected": ELEMENTS, "tested": ELEMENTS, "left_out": {},
            }
            for i, model in enumerate(MODELS)
        ],
    )  # fmt: skip
    columns = columns_of(pairs)
    refs = sorted({*columns["a"].tolist(), *columns["b"].tolist()})
    files = [f"{MODELS[ref // ELEMENTS]}.ifc" for ref in refs]
    writer.append_rows(
        result,
        "elements",
        [
            {"ref": ref, "input": file, "global_id": f"{file}{ref % ELEMENTS}", "n": 0}
            for ref, file in zip(refs, files, strict=True)
        ],
    )
    return result, columns


def store(
    ledger: PostgresLedger, job: str, pairs: np.ndarray[Any, Any], clash_set: str = "bench"
) -> tuple[int, float]:
    """Write one result; gives it and the seconds of the part that finishes it."""
    attempt = ledger.start_attempt(job, worker="bench", host="bench", lease_s=600)
    assert attempt is not None
    with ledger.writing(attempt.token) as writer:
        inventories(writer, attempt)
        result, columns = describe(writer, pairs, clash_set)
        began = time.perf_counter()
        writer.append_sightings(result, columns)
        footer = {
            "clash_count": len(pairs), "verdict": "found", "coverage": 1.0, "warnings": [],
            "engine": {"measure_version": "1"},
        }  # fmt: skip
        result = writer.finish_result(result, footer)
        took = time.perf_counter() - began
        writer.finish_job({}, {})
    return result, took


Q: dict[str, tuple[float, LiteralString]] = {
    "all clashes of one element over all results": (
        0.005,
        """select s.* from clash.pairs p join clash.sightings s on s.pair_id = p.id
            where p.id in (select id from clash.pairs where a_element = %(element)s
                           union select id from clash.pairs where b_element = %(element)s)""",
    ),
    "comparing two results": (0.020, "select * from clash.compare(%(before)s, %(last)s)"),
    "states of a whole set": (
        0.100,
        "select pair_id, state, reason, since_result from clash.pair_states where set_id = %(set)s",
    ),
    "review states of a whole set": (0.300, "select * from core.review_states(%(set)s)"),
    "trend of all results": (
        0.050,
        "select * from clash.trend where set_id = %(set)s order by accepted",
    ),
}


def measure(connection: Connection, query: LiteralString, parameters: dict[str, int]) -> float:
    """The best of five, in the server."""
    best = 1e9
    for _ in range(5):
        row = connection.execute(b"explain (analyze, timing off, format json) " + query.encode(),
                                 parameters).fetchone()  # fmt: skip
        assert row is not None
        best = min(best, row[0][0]["Execution Time"] / 1000)
    return best


def scans(connection: Connection, query: LiteralString, parameters: dict[str, int]) -> set[str]:
    """Tables that a query reads from end to end."""
    row = connection.execute(b"explain (format json) " + query.encode(), parameters).fetchone()
    assert row is not None
    found: set[str] = set()

    def walk(node: dict[str, Any]) -> None:
        if node["Node Type"] == "Seq Scan":
            found.add(node["Relation Name"])
        for child in node.get("Plans", []):
            walk(child)

    walk(row[0][0]["Plan"])
    return found


def main(dsn: str, results: int = 200, sightings: int = 10_000) -> int:
    """Fill, measure, print. Gives the exit code."""
    # Here and not above: it fills its result with what is in this module.
    from benchmarks import documents

    ledger = PostgresLedger(dsn)
    finishing: list[float] = []
    ids: list[int] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for revision, pairs in zip(range(results), pairs_of_revisions(sightings), strict=False):
            result, took = store(ledger, submit(connection, revision), pairs)
            ids.append(result)
            finishing.append(took)
            if revision == 0:
                connection.execute("update core.model_versions set matched_at = now()")
        connection.execute("vacuum analyze")
        disk = connection.execute(
            "select sum(pg_total_relation_size(c.oid)) from pg_class c "
            "where c.relnamespace = 'clash'::regnamespace and c.relkind = 'r'"
        ).fetchone()
        chosen = connection.execute(
            "select set_id, (select min(a_element) from clash.pairs) from clash.results limit 1"
        ).fetchone()
        assert disk is not None
        assert chosen is not None
        parameters = {
            "set": chosen[0], "element": chosen[1], "before": ids[-min(8, len(ids))], "last": ids[-1],
        }  # fmt: skip
        found = {}
        for name, (target, query) in Q.items():
            found[name] = (measure(connection, query, parameters), target)
        scanned = {
            n: scans(connection, q, parameters) & {"sighting_rows"} for n, (_, q) in Q.items()
        }
        chain_cpu = server_cpu(connection)
        lines = surroundings(connection)
        differences = connection.execute(
            "select count(*) from clash.verify_chain(%s)", (chosen[0],)
        ).fetchone()
        assert differences == (0,), "the chain that was filled does not verify"
        chain_cpu = server_cpu(connection) - chain_cpu
        documented = documents.measure(ledger, dsn, submit(connection, results))
    ledger.close()
    for name, (took, _) in documented.items():
        found[name] = took, documents.TARGET
    found["finishing one more result"] = (float(np.median(finishing[-5:])), 1.0)
    megabytes = float(disk[0]) / 1e6
    allowed = 350 * results * sightings / 2e6
    lines += [
        "",
        f"{results} results of one set, {sightings} sightings each.",
        "Queries: in the server, best of 5. Finishing: identity and states included, median of 5.",
        "",
        "| what | measured | target |",
        "|---|---|---|",
    ]
    lines += [
        f"| {name} | {took * 1000:.1f} ms | {target * 1000:.0f} ms |"
        for name, (took, target) in found.items()
    ]
    lines += [
        f"| {name}: CPU of the server | {cpu * 1000:.0f} ms | |"
        for name, (_, cpu) in documented.items()
    ]
    lines.append(f"| verifying the whole chain: CPU of the server | {chain_cpu * 1000:.0f} ms | |")
    lines.append(f"| disk of the schema clash | {megabytes:.0f} MB | {allowed:.0f} MB |")
    sys.stdout.write("\n".join(lines) + "\n")
    write_section(RESULTS, "ledger", lines)
    missed = [name for name, (took, target) in found.items() if took > target]
    scanning = {name: sorted(tables) for name, tables in scanned.items() if tables}
    print(json.dumps({"missed": missed, "scans": scanning}))
    return int(bool(missed) or megabytes > allowed or bool(scanning))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *(int(each) for each in sys.argv[2:])))
