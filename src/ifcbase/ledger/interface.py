"""What jobs need of the ledger, whichever way it is reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import Ints, Signatures

Columns = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class JobInput:
    """A file a request names. Models carry the version they are; other inputs only bytes."""

    name: str
    sha256: str
    size: int
    model_version_id: int | None = None
    model: str | None = None
    number: int | None = None
    inventoried: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try at a job. The token is the lease: without it nothing can be written."""

    token: str = field(repr=False)
    attempt_id: int
    number: int
    job_id: str
    project_id: int
    project: str
    check: str
    request: dict[str, Any]
    timeout_s: float
    memory_mb: int
    inputs: tuple[JobInput, ...]
    #: The HTTP request that asked for it, if one did.
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether a result that waited in a spool may be stored: "yours", "stored" (it is), "elsewhere"
    (the job is being computed again) or "over" (nobody wants it any more, with the reason)."""

    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MatchingDue:
    """A model version to be matched with the nearest inventoried one before it, if there is one."""

    version: int
    model: int
    previous: int | None


@dataclass(frozen=True, slots=True)
class Unmatched:
    """What is only in the version before, and what is only in the version; parallel to the ids."""

    old_ids: Ints
    old: Signatures
    new_ids: Ints
    new: Signatures


@dataclass(frozen=True, slots=True)
class Candidates:
    """Elements that may have moved between models; all columns are parallel."""

    versions: Ints  # the model version they left, or arrived in
    models: Ints
    ids: Ints
    look: Signatures


class Writer(Protocol):
    """The write API within one attempt. Every call may raise LeaseLost or LedgerUnavailable."""

    def inventory(
        self, model_version_id: int, inventory: Inventory, signatures: Signatures | None = None
    ) -> None:
        """Store what a model version contains, if it is not stored yet."""
        ...

    def matching_due(self) -> Sequence[MatchingDue]:
        """The model versions of the job whose elements are not matched with those before yet."""
        ...

    def unmatched(self, model_version_id: int) -> Unmatched:
        """The elements that a version and the one before it do not have in common."""
        ...

    def moved_candidates(
        self, *, earlier: bool, classes: Sequence[str] | None = None
    ) -> Candidates:
        """What left (earlier) or arrived in the last step of the models the job brings nothing new
        of, and in the first versions it brings; arrivals only of ``classes``, if they are given."""
        ...

    def store_links(self, due: MatchingDue, links: Sequence[Mapping[str, Any]]) -> None:
        """Store what matching found, and that it was done. Raises Conflict if due is outdated."""
        ...

    def add_output(self, sha256: str, size: int, name: str) -> None:
        """Note a file the job made; its bytes are in the files backend already."""
        ...

    def open_result(self, header: Mapping[str, Any]) -> int:
        """Open a result; opening it again in this attempt gives the same id."""
        ...

    def append_rows(self, result: int, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows of a kind to an open result."""
        ...

    def append_sightings(self, result: int, columns: Columns) -> None:
        """Add the sightings of a clash result, one array per column."""
        ...

    def finish_result(self, result: int, footer: Mapping[str, Any]) -> int:
        """Make a result visible; gives the id of the one the job already has, if it has one."""
        ...

    def finish_job(self, outcome: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """End the job: its results are stored."""
        ...


class Ledger(Protocol):
    """One transport of the ledger as a worker uses it."""

    def start_attempt(
        self, job_id: str, *, worker: str, host: str, lease_s: float
    ) -> Attempt | None:
        """Take a queued job; None if there is nothing to take (any more)."""
        ...

    def heartbeat(self, token: str, progress: Mapping[str, Any] | None = None) -> bool:
        """Renew the lease; True if the job is to be cancelled. Raises LeaseLost."""
        ...

    def fail_attempt(
        self,
        token: str,
        *,
        outcome: str,
        error: Mapping[str, Any],
        may_retry: bool,
        facts: Mapping[str, Any],
    ) -> str:
        """End an attempt without a result; gives the state of its job ("queued": deliver again)."""
        ...

    def writing(self, token: str) -> AbstractContextManager[Writer]:
        """Store results; where the transport can, all of them at once or none."""
        ...

    def hold(self, token: str, *, silence_s: float, note: str) -> None:
        """Say that the result is computed and waits in a spool: the lease holds for so long, and
        the job is "computed". Raises LeaseLost."""
        ...

    def claim(self, token: str, *, lease_s: float, refused: bool = False) -> Claim:
        """Ask for the lease again for a result that waited; ``refused``: also if its job failed."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
