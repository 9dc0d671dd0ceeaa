"""Storing what a model of 250 000 elements contains, and its links when every id was issued again."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from benchmarks.measuring import Clock
from ifcbase.ifc.inventory import Element, Inventory
from ifcbase.ifc.signatures import Signatures
from ifcbase.ledger.linking import link_versions
from ifcbase.ledger.postgres import PostgresLedger

Connection = psycopg.Connection[tuple[Any, ...]]


def inventory(count: int, tag: str) -> tuple[Inventory, Signatures]:
    """Elements with the ids of a revision, all else alike from one to the next."""
    elements = tuple(
        Element(i + 1, f"{tag}{i:021d}", 0, "IfcWall", f"Wall {i}", f"L{i % 20}", True, True)
        for i in range(count)
    )
    random = np.random.default_rng(3)
    spots = random.random((count, 3)) * 500
    return Inventory("IFC4", 1.0, elements, 0), Signatures(
        global_id=np.array([each.global_id for each in elements]), n=np.zeros(count, np.int64),
        ifc_class=np.full(count, "IfcWall"),
        placement=spots, centroid=spots + 0.5, extents=np.full((count, 3), 1.0),
        volume=random.random(count), area=random.random(count) * 6,
        vertices=np.full(count, 8, np.int64),
        properties=random.integers(1, 2**60, count), content=np.arange(1, count + 1) * 7919,
    )  # fmt: skip


def submit(connection: Connection, content: str) -> str:
    """Accept a job on a revision of the model; gives the job."""
    digest = hashlib.sha256(content.encode()).hexdigest()
    connection.execute("select core.add_file(1, %s, 1, %s)", (digest, content))
    version = connection.execute(
        "select model_version_id from core.add_model_version(1, 'big', %s, 'big.ifc')", (digest,)
    ).fetchone()
    assert version is not None
    inputs = [{"name": "big.ifc", "sha256": digest, "model_version_id": version[0]}]
    made = connection.execute(
        "select job_id from core.accept_job(1, 'clash', %s, %s, 600, 512, 1)",
        (Jsonb({}), Jsonb(inputs)),
    ).fetchone()
    assert made is not None
    return str(made[0])


def measure(ledger: PostgresLedger, connection: Connection, count: int) -> dict[str, float]:
    """Seconds for the inventory of a first revision, of the same again, of one with other ids, and
    for matching and linking each with the one before."""
    found: dict[str, float] = {}
    for name, content, tag in (
        ("first", "one", "a"),
        ("same ids", "two", "a"),
        ("other ids", "three", "b"),
    ):
        attempt = ledger.start_attempt(
            submit(connection, content), worker="b", host="b", lease_s=3600
        )
        assert attempt is not None
        version = attempt.inputs[0].model_version_id
        assert version is not None
        with ledger.writing(attempt.token) as writer:
            with Clock() as clock:
                writer.inventory(version, *inventory(count, tag))
            found[f"inventory of {count} elements, {name}"] = clock.seconds
            with Clock() as clock:
                link_versions(writer)
            found[f"matching and linking {count} elements, {name}"] = clock.seconds
    return found
