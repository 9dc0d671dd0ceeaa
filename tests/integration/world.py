"""What tests of the ledger start from: projects, models, versions and jobs, written by plain SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from psycopg.types.json import Jsonb

from ifcbase.ifc.inventory import Element, Inventory
from ifcbase.ledger.interface import Attempt, Columns, Ledger, Writer

Connection = psycopg.Connection[tuple[Any, ...]]
Rows = list[tuple[Any, ...]]


def sha(text: str) -> str:
    """The hash that stands for a file."""
    return hashlib.sha256(text.encode()).hexdigest()


def element(
    global_id: str,
    *,
    n: int = 0,
    ifc_class: str = "IfcWall",
    name: str | None = None,
    storey: str | None = "Ground floor",
    physical: bool = True,
    has_representation: bool = True,
    step_id: int = 1,
) -> Element:
    """An element as an inventory holds it."""
    return Element(step_id, global_id, n, ifc_class, name, storey, has_representation, physical)


def inventory(elements: Iterable[Element]) -> Inventory:
    """An inventory of these elements."""
    numbered = tuple(each._replace(step_id=i + 1) for i, each in enumerate(elements))
    return Inventory("IFC4", 1.0, numbered, repeated_ids=sum(each.n > 0 for each in numbered))


@dataclass(frozen=True)
class Job:
    """An accepted job and the model version of each of its inputs."""

    id: str
    versions: dict[str, int]


class World:
    """A migrated database as its owner sees it; every statement is a transaction of its own
    (or, in ``world``, of its own within one)."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.project = 1
        #: Whether it all happens within one transaction: then statements fail alone.
        self.within = False
        self.connection: Connection = psycopg.connect(dsn, autocommit=True)

    def close(self) -> None:
        self.connection.close()

    def sql(self, statement: str, *parameters: Any) -> Rows:
        """All rows of one statement."""
        with self.connection.transaction() if self.within else nullcontext():
            cursor = self.connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *parameters: Any) -> Any:
        """The only value of the only row."""
        ((found,),) = self.sql(statement, *parameters)
        return found

    def version(self, model: str, content: str) -> int:
        """The model version that a file with this content is."""
        self.sql("select core.add_file(%s, %s, 10, %s)", self.project, sha(content), f"{model}.ifc")
        return int(
            self.value(
                "select model_version_id from core.add_model_version(%s, %s, %s, %s)",
                self.project, model, sha(content), f"{model}.ifc",
            )
        )  # fmt: skip

    def job(
        self,
        inputs: Mapping[str, str],
        *,
        check: str = "clash",
        request: Any = None,
        attempts: int = 3,
    ) -> Job:
        """Accept a job; ``inputs`` maps a model's name to the content of its file."""
        versions = {model: self.version(model, content) for model, content in inputs.items()}
        rows = [
            {"name": f"{m}.ifc", "sha256": sha(inputs[m]), "model_version_id": v}
            for m, v in versions.items()
        ]
        found = self.accept(check, rows, request=request, attempts=attempts)
        return Job(found, {f"{m}.ifc": v for m, v in versions.items()})

    def accept(
        self, check: str, inputs: list[dict[str, Any]], *, request: Any = None, attempts: int = 3
    ) -> str:
        """The id of a job with these rows of inputs, of files and versions that are there."""
        found = self.value(
            "select job_id from core.accept_job(%s, %s, %s, %s, 60, 512, %s)",
            self.project, check, Jsonb(request or {}), Jsonb(inputs), attempts,
        )  # fmt: skip
        return str(found)

    def state(self, job: Job) -> str:
        """The state of a job."""
        return str(self.value("select state from core.jobs where id = %s", job.id))

    def lapse(self, token: str) -> None:
        """Let the lease of an attempt end now."""
        self.sql(
            "update core.attempts set lease_until = clock_timestamp() - interval '1 s' "
            "where token = %s", token,
        )  # fmt: skip

    def reap(self) -> dict[str, str]:
        """Take lapsed leases away, whoever's they are; the states of the jobs."""
        return {str(job): state for job, state in self.sql("select job_id, state from core.reap()")}


def start(ledger: Ledger, job: Job, lease_s: float = 60.0) -> Attempt:
    """Take a job that waits."""
    attempt = ledger.start_attempt(job.id, worker="w", host="h", lease_s=lease_s)
    assert attempt is not None
    return attempt


def header(name: str = "A x B", definition: Any = None) -> dict[str, Any]:
    """What opens a clash result."""
    definition = definition or {"mode": "intersection"}
    return {
        "set": name,
        "definition": definition,
        "definition_hash": sha(str(definition)),
        "settings": {"mode": "intersection", "tolerance": 0.01},
        "output_filename": "out.json",
    }


def footer(count: int, **more: Any) -> dict[str, Any]:
    """What finishes a clash result."""
    return {
        "clash_count": count,
        "verdict": "found" if count else "clean",
        "coverage": 1.0,
        "warnings": [],
        "engine": {"kernel": "test", "measure_version": "1"},
        **more,
    }


def finish_empty(writer: Writer, outcome: Mapping[str, Any]) -> None:
    """End a job on A.ifc with a result that looked at nothing and found nothing."""
    result = writer.open_result(header("nothing"))
    writer.append_rows(result, "coverage", [coverage(0, "a", "A.ifc", 0)])
    writer.finish_result(result, footer(0))
    writer.finish_job(outcome, {})


def coverage(
    position: int, side: str, name: str, selected: int, tested: int | None = None, **more: Any
) -> dict[str, Any]:
    """What a side tested in a file."""
    tested = selected if tested is None else tested
    left_out = {"no geometry": selected - tested} if tested < selected else {}
    return {
        "position": position, "side": side, "input": name, "mode": "a", "selector": None,
        "selected": selected, "tested": tested, "left_out": left_out, **more,
    }  # fmt: skip


def sightings(
    pairs: Iterable[tuple[int, int]], *, a_position: int = 0, b_position: int = 1
) -> Columns:
    """Columns of contacts between numbered elements, told apart by their distances and points."""
    a, b = np.array(list(pairs), np.int32).reshape(-1, 2).T
    n = len(a)
    corner = np.arange(n, dtype=np.float64)
    return {
        "a": a, "b": b,
        "a_position": np.full(n, a_position, np.int16),
        "b_position": np.full(n, b_position, np.int16),
        "kind": np.full(n, 3, np.uint8), "measured": np.full(n, 2, np.uint8),
        "distance": corner / 7 + 0.001,
        "p1x": corner, "p1y": corner + 0.1, "p1z": corner + 1e-9,
        "p2x": -corner, "p2y": corner * 1e6, "p2z": corner + 0.3,
        "smart_group": np.arange(n, dtype=np.int32) % 3 - 1,
    }  # fmt: skip


def as_rows(columns: Columns) -> list[dict[str, Any]]:
    """The same contacts as JSON rows."""
    lists = {name: column.tolist() for name, column in columns.items()}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
