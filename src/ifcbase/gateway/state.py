"""What the routes of one gateway share: settings, connections, the queue, the files."""

from __future__ import annotations

import contextlib
import json
import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import psycopg
from fastapi import Depends, Request
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from ifcbase.errors import LedgerUnavailable
from ifcbase.files.backend import file_store
from ifcbase.files.store import FileStore
from ifcbase.gateway.checks import Checks, writable
from ifcbase.gateway.failures import Failures
from ifcbase.gateway.fit import Fit
from ifcbase.gateway.tokens import Tokens
from ifcbase.jobs.engine import Connection, Engine
from ifcbase.jobs.engines import engine_for
from ifcbase.ledger.connect import connection_options, translated
from ifcbase.ledger.spooled import spooled
from ifcbase.settings import Settings
from ifcbase.sqlfiles import queries
from ifcbase.stack import migrations

_SQL = queries("ifcbase.gateway", "state.sql")
#: How long a request waits for a connection, and a statement for its end, in seconds.
WAIT_S = 10.0
STATEMENT_S = 30


class AsService:
    """A queue engine whose entries are made by the gateway itself within the caller's transaction:
    nobody else has rights on the queue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def deliver(self, connection: Connection, worker: str, job_id: str) -> None:
        """See Engine. The caller's role holds again afterwards."""
        row = connection.execute(_SQL["lay_down"]).fetchone()
        self._engine.deliver(connection, worker, job_id)
        if row is not None:
            connection.execute(_SQL["take_up"], {"role": row[0], "path": row[1]})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


@dataclass
class Gateway:
    """Open it before it serves and close it afterwards."""

    settings: Settings
    dsn: str
    engine: Engine
    files: FileStore
    pool: ConnectionPool[Connection]
    tokens: Tokens
    failures: Failures
    fit: Fit
    #: How long a request waits for a connection (seconds).
    wait_s: float = WAIT_S

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection with the gateway's own rights, for what is nobody's business: who is calling.

        Raises LedgerUnavailable."""
        try:
            with translated(), self.pool.connection(timeout=self.wait_s) as connection:
                yield connection
        except PoolTimeout as error:
            raise LedgerUnavailable("no connection to the database was free in time") from error

    @contextmanager
    def acting(
        self, role: str, claims: Mapping[str, Any], request_id: str | None
    ) -> Iterator[Connection]:
        """A transaction as PostgREST would open it for a token with these claims."""
        given = {
            "role": role,
            "claims": json.dumps(claims),
            "request": request_id or "",
            "timeout": f"{STATEMENT_S}s",
        }
        with self.connection() as connection:
            try:
                # Begun and taken up in one message: every poll of every client waits for this.
                psycopg.ClientCursor(connection).execute(_SQL["act"], given)
                yield connection
            except BaseException:
                _roll_back(connection)
                raise
            connection.commit()
            self.engine.committed(connection)

    @cached_property
    def checks(self) -> Checks:
        """What it needs to serve."""
        return Checks(
            {
                "database": self._answers,
                "migrations": lambda: migrations.require_head(self.dsn),
                "files": lambda: writable(self.settings.files_folder),
            }
        )

    def spool_warning(self) -> str:
        """What waits in this host's spool, in a sentence; empty if nothing does."""
        try:
            return spooled(self.settings.spool_folder).warning()
        except OSError as error:
            return f"it cannot be read: {error.strerror}"

    def _answers(self) -> None:
        with self.connection() as connection:
            connection.execute(_SQL["ready"])

    def open(self) -> None:
        """Open the pool. Raises LedgerUnavailable if the database cannot be reached."""
        try:
            self.pool.open(wait=True, timeout=WAIT_S)
        except PoolTimeout as error:
            raise LedgerUnavailable("the database cannot be reached") from error

    def close(self) -> None:
        """Give the connections back."""
        self.pool.close()


def make_gateway(
    settings: Settings, dsn: str, engine: Engine | None = None, files: FileStore | None = None
) -> Gateway:
    """A gateway on a database that is at the present version."""
    pool: ConnectionPool[Connection] = ConnectionPool(
        dsn,
        kwargs={"autocommit": True, **connection_options(dsn)},
        min_size=2,
        max_size=settings.gateway_connections,
        check=_check,
        open=False,
        name="gateway",
    )
    return Gateway(
        settings=settings,
        dsn=dsn,
        engine=AsService(engine or engine_for(settings, dsn)),
        files=files or file_store(settings),
        pool=pool,
        tokens=Tokens(settings),
        failures=Failures(settings.auth_failures),
        fit=Fit(),
    )


def _check(connection: Connection) -> None:
    """Ask the server whether a connection lives, if it said anything since: it says when it ends one,
    and nothing else between transactions. Raises OperationalError."""
    said = select.poll()
    said.register(connection.fileno(), select.POLLIN)
    if said.poll(0):
        ConnectionPool.check_connection(connection)


def _roll_back(connection: Connection) -> None:
    with contextlib.suppress(psycopg.Error):
        # Of a connection that is lost nothing is kept either; the pool makes another.
        connection.rollback()


def rows(
    connection: psycopg.Connection[Any], query: Any, parameters: Mapping[str, Any] | Sequence[Any]
) -> list[dict[str, Any]]:
    """The rows of a query by column; database errors in our words."""
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall() if cursor.description else []


def gateway_of(request: Request) -> Gateway:
    """The gateway that serves a request."""
    found: Gateway = request.app.state.gateway
    return found


GatewayDep = Annotated[Gateway, Depends(gateway_of)]
