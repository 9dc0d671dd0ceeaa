"""The interface of a queue engine. It delivers ids of jobs and nothing else; it may deliver twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]


class Engine(Protocol):
    """What `core.jobs` needs of a queue."""

    def install(self, connection: Connection) -> None:
        """Create or check what the engine itself needs. Safe to repeat."""
        ...

    def deliver(self, connection: Connection, worker: str, job_id: str) -> None:
        """Enter an id, within the caller's transaction where the engine can; else ``committed`` does."""
        ...

    def committed(self, connection: Connection) -> None:
        """The transaction that delivered is committed: what lies outside it goes out now."""
        ...

    def waiting(self, connection: Connection, job_ids: Sequence[str]) -> set[str]:
        """Those of the ids that are entered and that nobody has taken yet."""
        ...

    def tidy(self, connection: Connection) -> None:
        """Remove entries in the hands of workers that are gone."""
        ...

    def work(
        self, queues: Sequence[str], handle: Callable[[str], None], stop: threading.Event, name: str
    ) -> None:
        """Take ids and hand each to ``handle`` until ``stop`` is set.

        Returns after the one in hand is done; raises LedgerUnavailable when its store goes away.
        """
        ...
