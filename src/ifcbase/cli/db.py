"""`ifcbase db`: the database and its tables."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, print_json, progress_line, table
from ifcbase.errors import ConfigError, Conflict
from ifcbase.ledger import access
from ifcbase.settings import get_settings
from ifcbase.stack import migrations
from ifcbase.stack import upgrade as move
from ifcbase.stack.embedded import EmbeddedPostgres
from ifcbase.stack.locking import is_locked
from ifcbase.stack.reader import make_reader

app = typer.Typer(
    help="The database: migrate, status, url, upgrade, buckets, reader, stop.", no_args_is_help=True
)


@app.command("migrate")
def migrate(as_json: JsonOption = False) -> None:
    """Bring the database to this version."""
    settings = get_settings()
    applied = context.migrate(settings, context.database(settings))
    if as_json:
        print_json({"applied": applied})
    elif applied:
        for name in applied:
            console().say(f"applied {name}")
    else:
        console().say("nothing to do: the database is up to date")


@app.command("status")
def status(as_json: JsonOption = False) -> None:
    """Which migrations are applied."""
    settings = get_settings()
    lines = migrations.status(context.database(settings))
    if as_json:
        print_json(
            [
                {"version": e.version, "name": e.name, "applied": e.applied, "edited": e.edited}
                for e in lines
            ]
        )
        return
    rows = [(e.version, e.name, _state(e)) for e in lines]
    console().print(table("Migrations", ["version", "name", "state"], rows))
    if context.embedded_in_use(settings):
        server = EmbeddedPostgres(settings.home).status()
        console().say(
            f"\nembedded Postgres {server.major}, port {server.port}, data in {server.data}"
        )


def _state(line: migrations.MigrationStatus) -> str:
    if line.edited:
        return "edited after it was applied"
    return "applied" if line.applied else "waiting"


@app.command("url")
def url() -> None:
    """Print the connection string, password included: for psql and other tools."""
    sys.stdout.write(context.database(get_settings()) + "\n")


@app.command("upgrade")
def upgrade(
    to: Annotated[int | None, typer.Option(help="Major version; the newest installed.")] = None,
) -> None:
    """Move the embedded data to a newer major version of Postgres, by dump and restore."""
    with progress_line() as line:
        report = move.upgrade(get_settings().home, to, progress=line)
    if report is None:
        console().say("nothing to do: the data is at that version already")
        return
    console().print(
        f"moved from Postgres {report.from_major} to {report.to_major}: {report.tables} tables, "
        f"{report.rows} rows, all equal; the old data is kept in {report.kept}",
        markup=False,
    )


@app.command("buckets")
def buckets(as_json: JsonOption = False) -> int:
    """Make our buckets in Supabase Storage and set who may use them; safe to repeat."""
    with context.ledger_connection() as (_, connection):
        told = access.apply_storage(connection)
    if as_json:
        print_json({"problems": told})
    elif told:
        for line in told:
            console().say(line)
    else:
        console().say("the buckets are there, private, with their policies")
    return 1 if told else 0


@app.command("reader")
def reader(
    project: Annotated[
        list[str] | None,
        typer.Option(
            help="It sees this project; those of IFCBASE_READER_PROJECTS if none is named."
        ),
    ] = None,
) -> None:
    """Make or change the role ifcbase_reader, as which dashboards read; safe to repeat.

    Its password is IFCBASE_READER_PASSWORD. Run it again after an upgrade.
    """
    settings = get_settings()
    if settings.reader_password is None:
        raise ConfigError(
            "there is no password for the role ifcbase_reader",
            hint="Set IFCBASE_READER_PASSWORD, or IFCBASE_READER_PASSWORD_FILE.",
        )
    dsn = context.database(settings)
    migrations.require_head(dsn)
    named = [each.strip() for each in settings.reader_projects.split(",") if each.strip()]
    projects = project or named
    make_reader(dsn, settings.reader_password.get_secret_value(), projects)
    console().say(f"ifcbase_reader sees {', '.join(projects) if projects else 'every project'}")


@app.command("stop")
def stop() -> None:
    """Stop the embedded Postgres."""
    settings = get_settings()
    if is_locked(context.keeper_lock(settings)):
        raise Conflict(
            "`ifcbase up` is running and would start Postgres again",
            hint="Stop it with Ctrl-C where it runs; it stops Postgres itself.",
        )
    stopped = EmbeddedPostgres(settings.home).stop()
    console().say("the embedded Postgres is stopped" if stopped else "none was running")
