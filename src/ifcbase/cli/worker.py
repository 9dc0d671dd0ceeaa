"""`ifcbase worker`: a worker process."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.jobs import worker as jobs_worker
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.settings import get_settings
from ifcbase.stack import migrations


def worker(
    check: Annotated[
        list[str] | None, typer.Option("--check", help="Check to serve; all by default.")
    ] = None,
) -> None:
    """Take jobs from the queue, one at a time, until told to stop."""
    settings = get_settings()
    context.setup_logging(settings)
    dsn = context.database(settings)
    migrations.require_head(dsn)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def revive() -> None:
        context.revive(settings)

    jobs_worker.work(
        settings,
        dsn,
        ProcrastinateEngine(dsn),
        checks=check or (),
        stop=stop,
        revive=revive,
    )
