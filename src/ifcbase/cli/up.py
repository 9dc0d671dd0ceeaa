"""`ifcbase up`: the embedded stack kept running: Postgres and workers."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Annotated

import typer

from ifcbase.cli import context, ending
from ifcbase.cli.output import console
from ifcbase.cli.processes import Workers
from ifcbase.errors import Conflict, IfcbaseError, StackError
from ifcbase.settings import Settings, get_settings, load_settings
from ifcbase.stack.embedded import EmbeddedPostgres
from ifcbase.stack.locking import file_lock
from ifcbase.stack.placement import make_home, server_user


def up(
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many worker processes.")] = 2,
) -> None:
    """Start Postgres and workers, keep them running, stop them in order at Ctrl-C."""
    settings = load_settings(embedded=True)
    make_home(settings.home, server_user())
    with ExitStack() as held:
        try:
            held.enter_context(file_lock(context.keeper_lock(settings), timeout_s=0))
        except StackError as error:
            raise Conflict(
                f"`ifcbase up` is running already in {settings.home}",
                hint="Use that one, or name another folder with IFCBASE_HOME.",
            ) from error
        _keep_up(settings, workers)


def _keep_up(settings: Settings, workers: int) -> None:
    out = console()
    own = settings.database_url is None
    server = EmbeddedPostgres(settings.home)
    processes = Workers(workers, settings.home / "logs", {"IFCBASE_EMBEDDED": "1"})
    stop = threading.Event()
    # From its first moment: whatever ends this process, also a reader of its output that has
    # gone, stops what it started.
    try:
        dsn = context.database(settings)
        for name in context.migrate(settings, dsn):
            out.say(f"applied {name}")
        with ending.told_to_end(lambda _: stop.set(), interrupt=True):
            try:
                processes.start()
                if own:
                    status = server.status()
                    place = f"127.0.0.1:{status.port}, data in {status.data}"
                    out.say(f"Postgres {status.major} on {place}")
                out.say(f"{workers} workers, logs in {settings.home / 'logs'}")
                out.say(
                    "ready: submit with `ifcbase clash … --submit`, look with `ifcbase results list`"
                )
                out.say("stop with Ctrl-C")
                _watch(settings, processes, stop)
            finally:
                processes.stop()
    finally:
        if own:
            server.stop()
    out.say("stopped")
    get_settings.cache_clear()


def _watch(settings: Settings, processes: Workers, stop: threading.Event) -> None:
    """Start again what has ended, until told to stop."""
    out = console()
    while not stop.wait(2.0):
        for each in processes.watch():
            out.say(f"worker {each + 1} had ended and was started again")
        try:
            if context.revive(settings):
                out.say("Postgres did not answer and was started again")
        except IfcbaseError as error:
            out.say(f"Postgres: {error.message}")
