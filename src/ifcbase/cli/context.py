"""What commands need to reach the ledger: settings, the database, the queue."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ifcbase.errors import ConfigError, RequestInvalid
from ifcbase.jobs.engine import Connection
from ifcbase.jobs.submit import project_named
from ifcbase.ledger.connect import connect, translated
from ifcbase.loglines import JsonLines, Words
from ifcbase.settings import Settings, get_settings
from ifcbase.stack import address, migrations
from ifcbase.stack.embedded import EmbeddedPostgres


def setup_logging(settings: Settings) -> None:
    """Log lines on stderr."""
    handler = logging.StreamHandler()
    words = Words("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonLines() if settings.log_format == "json" else words)
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    logging.getLogger("procrastinate").setLevel(max(logging.WARNING, logging.getLogger().level))
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def database(settings: Settings) -> str:
    """The DSN: DATABASE_URL, else the embedded server, started only where that was asked for."""
    if settings.database_url:
        dsn = settings.database_url.get_secret_value()
        address.parts(dsn)
        return dsn
    server = EmbeddedPostgres(settings.home)
    if settings.embedded:
        return server.ensure_running()
    if server.status().running:
        return server.dsn()
    raise ConfigError(
        "no database: DATABASE_URL is not set and the embedded Postgres is not running",
        hint="Set DATABASE_URL, or start the embedded stack with `make up`.",
    )


def worker_dsn(settings: Settings) -> str | None:
    """The DSN of who stores results; None where that is done over Supabase's REST door."""
    by_rest = settings.supabase_url and not settings.database_url and not settings.embedded
    return None if by_rest else database(settings)


def keeper_lock(settings: Settings) -> Path:
    """The file that a running `ifcbase up` of this home holds locked."""
    return settings.home / "up.lock"


def embedded_in_use(settings: Settings) -> bool:
    """Whether the database is the embedded one, which this machine has to keep alive."""
    return settings.database_url is None and (settings.embedded or not settings.supabase_url)


def revive(settings: Settings) -> bool:
    """Start the embedded server again if it is the one in use and does not answer; whether it had
    to be. Other servers have their own keepers."""
    if not embedded_in_use(settings):
        return False
    server = EmbeddedPostgres(settings.home)
    answered = server.status().running
    server.ensure_running()
    return not answered


@contextmanager
def ledger_connection() -> Iterator[tuple[Settings, Connection]]:
    """The settings and a connection to a database that has the tables this version needs."""
    settings = get_settings()
    dsn = database(settings)
    migrations.require_head(dsn)
    with connect(dsn) as connection:
        yield settings, connection


def project_name(connection: Connection, settings: Settings, given: str | None) -> str:
    """The project a command is about. Raises RequestInvalid for an empty name, NotFound."""
    if given is not None and not given.strip():
        raise RequestInvalid("--project is empty", hint="Name a project, or leave --project out.")
    name = settings.project if given is None else given
    with translated():
        project_named(connection, name)
    return name


def migrate(settings: Settings, dsn: str) -> list[str]:
    """Bring the database to this version: our tables, then the queue engine's."""
    # Here and not above: most commands leave the queue alone, and loading its library takes long.
    from ifcbase.jobs.engines import engine_for

    applied = [f"{each.version}_{each.name}" for each in migrations.migrate(dsn)]
    with connect(dsn) as connection:
        engine_for(settings, dsn).install(connection)
    return applied
