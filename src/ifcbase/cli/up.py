"""`ifcbase up`: the embedded stack kept running: Postgres, workers and the gateway."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from typing import Annotated

import typer

from ifcbase.cli import context, ending
from ifcbase.cli.gateway import listening, url_of
from ifcbase.cli.output import console
from ifcbase.cli.processes import Workers
from ifcbase.errors import Conflict, IfcbaseError, StackError
from ifcbase.jobs.submit import project_named
from ifcbase.ledger import keys
from ifcbase.ledger.connect import connect
from ifcbase.settings import Settings, get_settings, load_settings
from ifcbase.stack.embedded import EmbeddedPostgres
from ifcbase.stack.locking import file_lock
from ifcbase.stack.placement import make_home, server_user


def up(
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many worker processes.")] = 2,
    host: Annotated[str, typer.Option(help="Address the HTTP API listens at.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Its port; if not given, 8123, or a free one where that is taken.",
        ),
    ] = None,
) -> None:
    """Start Postgres, workers and the HTTP API, keep them running, stop them in order at Ctrl-C."""
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
        # Held here and handed on: a gateway that is started again finds its place, and who asks
        # meanwhile waits instead of being refused.
        listener = held.enter_context(listening(host, port))
        _keep_up(settings, workers, listener)


def _keep_up(settings: Settings, workers: int, listener: socket.socket) -> None:
    out = console()
    own = settings.database_url is None
    server = EmbeddedPostgres(settings.home)
    logs, environment = settings.home / "logs", {"IFCBASE_EMBEDDED": "1"}
    processes = Workers(workers, logs, environment)
    gateway = Workers(
        1, logs, environment, command=["gateway", "--fd", str(listener.fileno())],
        files=[listener.fileno()],
    )  # fmt: skip
    stop = threading.Event()
    # From its first moment: whatever ends this process, also a reader of its output that has
    # gone, stops what it started.
    try:
        dsn = context.database(settings)
        for name in context.migrate(dsn):
            out.say(f"applied {name}")
        with ending.told_to_end(lambda _: stop.set(), interrupt=True):
            try:
                processes.start()
                gateway.start()
                if own:
                    status = server.status()
                    place = f"127.0.0.1:{status.port}, data in {status.data}"
                    out.say(f"Postgres {status.major} on {place}")
                out.say(f"{workers} workers, logs in {logs}")
                host, port = listener.getsockname()[:2]
                out.say(f"HTTP API at {url_of(host, port)}, described at {url_of(host, port)}/docs")
                if own and (key := _first_key(dsn, settings.project)):
                    out.say(f"API key, shown this once: {key}")
                out.say(
                    "ready: submit with `ifcbase clash … --submit`, look with `ifcbase results list`"
                )
                out.say("stop with Ctrl-C")
                _watch(settings, processes, gateway, stop)
            finally:
                # First who takes new work.
                try:
                    gateway.stop()
                finally:
                    processes.stop()
    finally:
        if own:
            server.stop()
    out.say("stopped")
    get_settings.cache_clear()


def _first_key(dsn: str, project: str) -> str | None:
    """A key that may do everything in the project, if it has no key yet."""
    with connect(dsn) as connection:
        number = project_named(connection, project)
        if keys.list_keys(connection, number):
            return None
        return keys.make_key(connection, number, "made by ifcbase up", keys.VERBS).key


def _watch(settings: Settings, processes: Workers, gateway: Workers, stop: threading.Event) -> None:
    """Start again what has ended, until told to stop."""
    out = console()
    while not stop.wait(2.0):
        for each in processes.watch():
            out.say(f"worker {each + 1} had ended and was started again")
        for _ in gateway.watch():
            out.say("the HTTP API had ended and was started again; its log says why")
        try:
            if context.revive(settings):
                out.say("Postgres did not answer and was started again")
        except IfcbaseError as error:
            out.say(f"Postgres: {error.message}")
