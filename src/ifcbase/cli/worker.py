"""`ifcbase worker`: a worker process."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import Annotated

import typer

from ifcbase.cli import context, ending
from ifcbase.errors import SchemaOutdated
from ifcbase.jobs import worker as jobs_worker
from ifcbase.jobs.engines import engine_for
from ifcbase.settings import get_settings
from ifcbase.stack import migrations
from ifcbase.webhooks.deliver import Deliverer

#: How long a worker whose starter has ended may take to end in order, in seconds.
GRACE_S = 15.0


def worker(
    check: Annotated[
        list[str] | None, typer.Option("--check", help="Check to serve; all by default.")
    ] = None,
    until_eof: Annotated[
        bool,
        typer.Option("--until-eof", help="Stop when standard input ends: with who started it."),
    ] = False,
) -> None:
    """Take jobs from the queue, one at a time, until told to stop."""
    settings = get_settings()
    context.setup_logging(settings)
    stop = threading.Event()
    if until_eof:
        threading.Thread(target=_read_to_end, args=[stop], name="starter", daemon=True).start()
    dsn = context.worker_dsn(settings)
    if dsn is not None:
        migrations.require_head(dsn)

    def revive() -> None:
        context.revive(settings)

    if settings.webhooks and dsn is not None:
        Deliverer.of(settings, dsn).start(stop)
    with ending.told_to_end(lambda _: stop.set(), interrupt=True):
        try:
            jobs_worker.work(
                settings,
                dsn,
                engine_for(settings, dsn),
                checks=check or (),
                stop=stop,
                revive=revive,
            )
        except SchemaOutdated:
            # Whether the database is older than this program or newer.
            if dsn is not None:
                migrations.require_head(dsn)
            raise


def _read_to_end(stop: threading.Event) -> None:
    """Wait for whoever started this worker to end: nobody else holds the other end of the pipe."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    if not stop.is_set():
        logging.getLogger(__name__).info("who started this worker has ended; it ends, too")
        stop.set()
        time.sleep(GRACE_S)
        # Nobody is left who would kill what does not end; its jobs are taken over by others.
        os._exit(1)
