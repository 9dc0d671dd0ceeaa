"""The ledger over a Postgres connection: the write API in one transaction, rows by binary COPY."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import psycopg
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from ifcbase.errors import LedgerUnavailable
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import Signatures
from ifcbase.ledger.connect import connection_options, translated
from ifcbase.ledger.copying import SIGHTING_COLUMNS, binary_rows
from ifcbase.ledger.interface import (
    Attempt,
    Candidates,
    Claim,
    Columns,
    JobInput,
    MatchingDue,
    Unmatched,
)
from ifcbase.ledger.payloads import clean_payload
from ifcbase.ledger.signing import composites, unmatched_of
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "write.sql")
_Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresLedger:
    """One per process; safe to use from several threads."""

    def __init__(self, dsn: str, *, writing_idle_s: float = 60.0) -> None:
        """``writing_idle_s``: a writer silent for so long inside its transaction loses it."""
        self.dsn = dsn
        self._writing_idle_s = writing_idle_s
        self._pool: ConnectionPool[_Connection] = ConnectionPool(
            dsn,
            min_size=0,
            max_size=4,
            # Short: everybody who waits for the database tries again, and may be told to stop.
            timeout=5,
            max_idle=60,
            # The server commits each call by itself: a worker that falls asleep between a call and its
            # commit would keep the attempt locked, and nobody could take the job from it.
            kwargs=connection_options(dsn) | {"autocommit": True},
            check=ConnectionPool.check_connection,
            open=True,
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def start_attempt(
        self, job_id: str, *, worker: str, host: str, lease_s: float
    ) -> Attempt | None:
        """See Ledger."""
        with self._connection() as connection:
            document = _value(
                connection,
                "start_attempt",
                {"job": job_id, "worker": worker, "host": host, "lease_s": lease_s},
            )
        return None if document is None else _attempt(document)

    def heartbeat(self, token: str, progress: Mapping[str, Any] | None = None) -> bool:
        """See Ledger."""
        with self._connection() as connection:
            answer = _value(
                connection,
                "heartbeat",
                {"token": token, "progress": None if progress is None else _document(progress)},
            )
        return bool(answer["cancel"])

    def fail_attempt(
        self,
        token: str,
        *,
        outcome: str,
        error: Mapping[str, Any],
        may_retry: bool,
        facts: Mapping[str, Any],
    ) -> str:
        """See Ledger."""
        with self._connection() as connection:
            return str(
                _value(
                    connection,
                    "fail_attempt",
                    {
                        "token": token,
                        "outcome": outcome,
                        "error": _document(error),
                        "may_retry": may_retry,
                        "facts": _document(facts),
                    },
                )
            )

    def hold(self, token: str, *, silence_s: float, note: str) -> None:
        """See Ledger."""
        held = {"token": token, "silence_s": silence_s, "note": clean_payload(note)}
        with self._connection() as connection:
            _value(connection, "hold_attempt", held)

    def claim(self, token: str, *, lease_s: float, refused: bool = False) -> Claim:
        """See Ledger."""
        asked = {"token": token, "lease_s": lease_s, "refused": refused}
        with self._connection() as connection:
            answer = _value(connection, "claim_attempt", asked)
        return Claim(answer["state"], answer.get("reason", ""))

    @contextmanager
    def writing(self, token: str) -> Iterator[_PostgresWriter]:
        """All that is written inside becomes visible at once, or not at all."""
        # No savepoint may be opened inside: core.live_attempt knows a transaction that has renewed
        # its lease by the row's xmin, which within a savepoint is the savepoint's own number. A
        # statement longer than the lease would then lose it.
        with self._connection() as connection, connection.transaction():
            milliseconds = str(int(self._writing_idle_s * 1000))
            connection.execute(_SQL["bound_idle"], {"milliseconds": milliseconds})
            yield _PostgresWriter(connection, token)

    @contextmanager
    def _connection(self) -> Iterator[_Connection]:
        try:
            with translated(), self._pool.connection() as connection:
                yield connection
        except PoolTimeout as error:
            raise LedgerUnavailable(f"the database cannot be reached: {error}") from error


class _PostgresWriter:
    """The write API on the connection of one transaction."""

    def __init__(self, connection: _Connection, token: str) -> None:
        self._connection = connection
        self._token = token

    def inventory(
        self, model_version_id: int, inventory: Inventory, signatures: Signatures | None = None
    ) -> None:
        table = self._call("copy_target", kind="elements")
        rows = SQL("copy pg_temp.{} from stdin").format(Identifier(table))
        with self._connection.cursor().copy(rows) as copy:
            signed = composites(signatures, len(inventory))
            for element, signature in zip(inventory.elements, signed, strict=True):
                copy.write_row(
                    (
                        element.global_id,
                        element.n,
                        element.ifc_class,
                        element.name,
                        element.storey,
                        element.physical,
                        element.has_representation,
                        signature,
                    )
                )
        self._call("append_copied_inventory", version=model_version_id)
        facts = {
            "elements": len(inventory.elements),
            "schema": inventory.schema,
            "repeated_ids": inventory.repeated_ids,
        }
        self._call("finish_inventory", version=model_version_id, facts=_document(facts))

    def matching_due(self) -> list[MatchingDue]:
        return [MatchingDue(**each) for each in self._call("matching_due")]

    def unmatched(self, model_version_id: int) -> Unmatched:
        parameters = {"token": self._token, "version": model_version_id}
        cursor = self._connection.execute(_SQL["unmatched_content"], parameters)
        return unmatched_of(cursor.fetchall())

    def moved_candidates(
        self, *, earlier: bool, classes: Sequence[str] | None = None
    ) -> Candidates:
        parameters = {
            "token": self._token,
            "earlier": earlier,
            "classes": None if classes is None else list(classes),
        }
        rows = self._connection.execute(_SQL["moved_candidates"], parameters).fetchall()
        found = unmatched_of([row[2:] for row in rows])
        places = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
        ids, look = (found.old_ids, found.old) if earlier else (found.new_ids, found.new)
        return Candidates(places[:, 0], places[:, 1], ids, look)

    def store_links(self, due: MatchingDue, links: Sequence[Mapping[str, Any]]) -> None:
        self._call("store_links", version=due.version, previous=due.previous, rows=_document(links))

    def add_output(self, sha256: str, size: int, name: str) -> None:
        self._call("add_output", sha256=sha256, size=size, name=name)

    def open_result(self, header: Mapping[str, Any]) -> int:
        return int(self._call("open_result", header=_document(header)))

    def append_rows(self, result: int, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._call("append_rows", result=result, kind=kind, rows=_document(rows))

    def append_sightings(self, result: int, columns: Columns) -> None:
        if not len(columns["a"]):
            return
        table = self._call("copy_target", kind="sightings")
        rows = SQL("copy pg_temp.{} from stdin (format binary)").format(Identifier(table))
        with self._connection.cursor().copy(rows) as copy:
            copy.write(binary_rows(columns, SIGHTING_COLUMNS))
        self._call("append_copied", result=result, kind="sightings")

    def finish_result(self, result: int, footer: Mapping[str, Any]) -> int:
        return int(self._call("finish_result", result=result, footer=_document(footer)))

    def finish_job(self, outcome: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._call("finish_job", outcome=_document(outcome), facts=_document(facts))

    def _call(self, query: str, **parameters: Any) -> Any:
        return _value(self._connection, query, {"token": self._token, **parameters})


def _document(value: Any) -> Jsonb:
    """A document as a parameter. One character that Postgres refuses would refuse all of it."""
    return Jsonb(clean_payload(value))


def _value(connection: _Connection, query: str, parameters: Mapping[str, Any]) -> Any:
    """The single value a query gives."""
    row = connection.execute(_SQL[query], parameters).fetchone()
    return row[0] if row else None


def _attempt(document: dict[str, Any]) -> Attempt:
    inputs = tuple(JobInput(**item) for item in document.pop("inputs"))
    return Attempt(inputs=inputs, **document)
