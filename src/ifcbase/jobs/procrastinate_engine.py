"""Procrastinate on the ledger's own Postgres: an entry is made in the job's own transaction.

Its retries are off and its status is never read; finished entries are deleted at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence

import procrastinate
from procrastinate.schema import SchemaManager
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from ifcbase.errors import LedgerUnavailable
from ifcbase.jobs.engine import Connection
from ifcbase.ledger.connect import connect, connection_options, through_transaction_pooler
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.jobs", "procrastinate.sql")
TASK = "ifcbase.run"


class ProcrastinateEngine:
    """The default queue engine."""

    def __init__(self, dsn: str, *, poll_s: float = 5.0) -> None:
        """``poll_s``: how often to look without being notified."""
        self._dsn = dsn
        self._poll_s = poll_s

    def install(self, connection: Connection) -> None:
        """Create the engine's schema with the SQL its package ships."""
        with connection.transaction():
            connection.execute(_SQL["lock_install"])
            row = connection.execute(_SQL["installed"]).fetchone()
            if row and row[0]:
                return
            connection.execute(_SQL["create_schema"])
            connection.execute(_SQL["use_schema"])
            connection.execute(SchemaManager.get_schema())
            connection.execute(_SQL["close_schema"])

    def deliver(self, connection: Connection, worker: str, job_id: str) -> None:
        """See Engine."""
        connection.execute(_SQL["use_schema"])
        connection.execute(
            _SQL["deliver"], {"queue": worker, "task": TASK, "args": Jsonb({"job": job_id})}
        )

    def committed(self, connection: Connection) -> None:
        """Nothing: the entries came with the commit."""

    def waiting(self, connection: Connection, job_ids: Sequence[str]) -> set[str]:
        """See Engine."""
        return {row[0] for row in connection.execute(_SQL["waiting"], {"jobs": list(job_ids)})}

    def tidy(self, connection: Connection) -> None:
        """See Engine."""
        with connection.transaction():
            connection.execute(_SQL["use_schema"])
            connection.execute(_SQL["tidy"])

    def work(
        self, queues: Sequence[str], handle: Callable[[str], None], stop: threading.Event, name: str
    ) -> None:
        """See Engine."""
        # A pool would try for half a minute to reach a server that is not there.
        connect(self._dsn).close()
        try:
            asyncio.run(self._work(queues, handle, stop, name))
        except (procrastinate.exceptions.ConnectorException, PoolTimeout) as error:
            raise LedgerUnavailable(f"the queue cannot be reached: {error}") from error

    async def _work(
        self, queues: Sequence[str], handle: Callable[[str], None], stop: threading.Event, name: str
    ) -> None:
        options = connection_options(self._dsn)
        options["options"] = "-c search_path=procrastinate"
        connector = procrastinate.PsycopgConnector(
            conninfo=self._dsn, kwargs=options, min_size=1, max_size=4, timeout=3
        )
        app = procrastinate.App(connector=connector)

        @app.task(name=TASK, retry=False)
        def run(job: str) -> None:
            handle(job)

        async with app.open_async():
            worker = asyncio.create_task(
                app.run_worker_async(
                    queues=list(queues),
                    name=name,
                    concurrency=1,
                    wait=True,
                    listen_notify=not through_transaction_pooler(self._dsn),
                    fetch_job_polling_interval=self._poll_s,
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
            )
            stopping = asyncio.create_task(_wait_for(stop))
            await asyncio.wait({worker, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not worker.done():
                worker.cancel()
            # A cancelled worker lets the job in hand end first.
            with contextlib.suppress(asyncio.CancelledError):
                await worker


async def _wait_for(stop: threading.Event) -> None:
    while not stop.is_set():
        await asyncio.sleep(0.1)
