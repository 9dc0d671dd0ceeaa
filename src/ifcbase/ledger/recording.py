"""What recording a report takes, whichever check made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ifcbase.errors import ReportInvalid
from ifcbase.files.store import FileStore, StoredFile, bucket_of
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import Signatures
from ifcbase.ledger.interface import Attempt, JobInput, Writer
from ifcbase.ledger.linking import link_versions


class Described(Protocol):
    """A model as a report describes it, under the name the request gave it."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def inventory(self) -> Inventory: ...
    @property
    def signatures(self) -> Signatures | None: ...


def inputs_of(attempt: Attempt) -> dict[str, JobInput]:
    """The files of the request by name."""
    return {given.name: given for given in attempt.inputs}


def refuse_other_bytes(inputs: Mapping[str, JobInput], name: str, sha256: str) -> None:
    """Raises ReportInvalid if a report is about another file than was given under this name."""
    if name not in inputs or inputs[name].sha256 != sha256:
        raise ReportInvalid(f"the report is about another {name} than was given")


def version_of(given: JobInput) -> int:
    """The model version an input is. Raises ReportInvalid for what is no model."""
    if given.model_version_id is None:
        raise ReportInvalid(f"{given.name} is not a model version")
    return given.model_version_id


def store_models(
    writer: Writer, inputs: Mapping[str, JobInput], models: Iterable[Described]
) -> None:
    """Store what the models contain, as far as that is not stored yet, and link their elements with
    those of the versions before. Before any result: what is absent from one means something only
    for matched versions. Raises ReportInvalid for models that were not given."""
    described: set[int] = set()
    for model in models:
        refuse_other_bytes(inputs, model.name, model.sha256)
        given = inputs[model.name]
        version = version_of(given)
        if not given.inventoried and version not in described:
            writer.inventory(version, model.inventory, model.signatures)
            described.add(version)
    link_versions(writer)


def output_name(asked: str | None, attempt: Attempt, suffix: str) -> str:
    """The name an output is downloaded under: the one asked for, else the job's id with a suffix."""
    return asked or f"{attempt.job_id}{suffix}"


def store_output(
    writer: Writer, attempt: Attempt, files: FileStore, path: Path, name: str
) -> StoredFile:
    """Keep a file the job made, under a name that is unique among the outputs of the job."""
    stored = files.put(attempt.project, path, bucket_of(attempt.check))
    writer.add_output(stored.sha256, stored.size, name)
    return stored


def result_line(
    result: int, name: str, summary: str, verdict: str, coverage: float | None
) -> dict[str, Any]:
    """A result as every job's outcome lists it; ``summary`` says in words what was found."""
    return {
        "id": result,
        "name": name,
        "summary": summary,
        "verdict": verdict,
        "coverage": coverage,
    }


def outcome(
    verdict: str, results: Sequence[Mapping[str, Any]], warnings: Sequence[str], **more: Any
) -> dict[str, Any]:
    """A job's outcome: what all checks say, with the keys existing clients of one read."""
    ids = [each["id"] for each in results]
    return {
        "success": True,
        "verdict": verdict,
        "db_id": ids[0],
        "db_ids": ids,
        "warnings": list(warnings),
        "results": list(results),
        **more,
    }
