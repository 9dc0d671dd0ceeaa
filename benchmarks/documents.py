"""Reading and inserting the document of one result with 100 000 clashes through the plan's view."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from benchmarks import ledger as filling
from benchmarks.measuring import Clock, Connection, server_cpu
from ifcbase.ledger.postgres import PostgresLedger

CLASHES = 100_000
#: Seconds that reading one such document may take, and inserting it.
TARGET = 8.0


def measure(ledger: PostgresLedger, dsn: str, job: str) -> dict[str, tuple[float, float]]:
    """Wall seconds and CPU seconds of the server's process, by what was done; ``job`` is a job on the
    benchmark's models that nobody took yet."""
    random = np.random.default_rng(5)
    pairs = random.choice(filling.ELEMENTS**2, CLASHES, replace=False)
    result, _ = filling.store(ledger, job, pairs, clash_set="documents")
    found: dict[str, tuple[float, float]] = {}
    with psycopg.connect(dsn, autocommit=True) as connection:
        document = _timed(
            connection, found, f"reading the document of {CLASHES} clashes",
            "select clash_data from public.clash_results where id = %s", (result,),
        )  # fmt: skip
        count = len(document[0]["clashes"])
        if count != CLASHES:
            raise ValueError(f"the document has {count} clashes, not {CLASHES}")
        _timed(
            connection, found, f"inserting a document of {CLASHES} clashes",
            "insert into public.clash_results (clash_set_name, output_filename, clash_count, clash_data)"
            " values ('from outside', 'out.json', %s, %s) returning id", (CLASHES, Jsonb(document)),
        )  # fmt: skip
    return found


def _timed(
    connection: Connection, found: dict[str, tuple[float, float]], name: str, query: str,
    parameters: tuple[object, ...],
) -> Any:  # fmt: skip
    before = server_cpu(connection)
    with Clock() as clock:
        row = connection.execute(query.encode(), parameters).fetchone()
    if row is None:
        raise ValueError(f"{name}: no row")
    found[name] = clock.seconds, server_cpu(connection) - before
    return row[0]
