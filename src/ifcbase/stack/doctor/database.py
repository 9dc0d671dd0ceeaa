"""Checks of the database: reachable, at head, roles and rights in place, queue, jobs, files, backups."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg

from ifcbase.settings import Settings
from ifcbase.sqlfiles import queries
from ifcbase.stack import migrations
from ifcbase.stack.backup.source import connected
from ifcbase.stack.backup.tools import joined, tools_for
from ifcbase.stack.doctor.checks import Check, State, ok, skipped, warning, wrong

Connection = psycopg.Connection[tuple[Any, ...]]
Said = tuple[State, str, str]
SQL: dict[str, LiteralString] = queries("ifcbase.stack.doctor", "doctor.sql")

#: Schemas that must not be reachable through the REST door.
_INNER = {"core", "clash", "conversion", "tester", "diff", "procrastinate", "auth", "storage"}
_OLDEST, _NEWEST = 15, 18


def checks(settings: Settings, dsn: str) -> list[Check]:
    """The checks of a database; all of them need it to answer."""

    def asking(look: Callable[[Connection], Said]) -> Callable[[], Said]:
        def ask() -> Said:
            with connected(dsn) as connection:
                return look(connection)

        return ask

    return [
        Check("migrations", lambda: at_head(dsn)),
        Check("server", asking(server)),
        Check("clock", asking(clock)),
        Check("client programs", asking(lambda c: programs(c, dsn))),
        Check("roles", asking(roles)),
        Check("row-level security", asking(guarded)),
        Check("rights", asking(rights)),
        Check("exposed schemas", asking(exposed)),
        Check("statement timeouts", asking(timeouts)),
        Check("queue", asking(queue)),
        Check("jobs", asking(jobs)),
        Check("stored files", asking(lambda c: stored(c, settings))),
        Check("realtime", asking(realtime)),
        Check("backups", asking(backups)),
    ]


def at_head(dsn: str) -> Said:
    """Whether the tables are those this version knows, as they were written."""
    migrations.require_head(dsn)
    edited = [m.name for m in migrations.status(dsn) if m.edited]
    if edited:
        return wrong(
            f"migrations were edited after they were applied: {joined(edited)}",
            "The database has what they said before. Bring the files back, and put changes into "
            "new migrations.",
        )
    return ok(f"at {migrations.head()}")


def server(connection: Connection) -> Said:
    """Whether the version is one we know, writes are durable and we are no superuser."""
    major, _, user, superuser, fsync, pages = _row(connection, "server")
    if not _OLDEST <= major <= _NEWEST:
        return wrong(f"this is Postgres {major}", f"Use Postgres {_OLDEST} to {_NEWEST}.")
    if fsync != "on" or pages != "on":
        return wrong(
            "the server does not wait for its disk (fsync or full_page_writes is off): a power cut "
            "can destroy the database",
            "Set both to on in postgresql.conf and restart it.",
        )
    if superuser:
        return warning(
            f"ifcbase connects as the superuser {user}",
            "Give DATABASE_URL a role that owns the database and is no superuser.",
        )
    return ok(f"Postgres {major}, as {user}")


def clock(connection: Connection, now: datetime | None = None) -> Said:
    """Whether this machine and the server agree on the time."""
    skew = abs((_row(connection, "server")[1] - (now or datetime.now(UTC))).total_seconds())
    if skew > 30:
        return wrong(
            f"the clocks of this machine and of the database differ by {skew:.0f} s; tokens and "
            "schedules go wrong",
            "Let both follow a time server (chrony or systemd-timesyncd).",
        )
    return ok(f"{skew:.1f} s apart from this machine's")


def programs(connection: Connection, dsn: str) -> Said:
    """Whether backups can be made here."""
    major = connection.info.server_version // 10000
    return ok(f"pg_dump and psql {major} in {tools_for(dsn, major).bindir}")


def roles(connection: Connection) -> Said:
    """Whether the roles are there, and none of them may too much."""
    if missing := _names(connection, "missing_roles"):
        return wrong(
            f"roles are missing: {joined(missing)}",
            "Bring them back from a backup's globals.sql (`ifcbase restore --extract`), or make "
            "them as the first migration does.",
        )
    if strong := _names(connection, "strong_roles"):
        return wrong(
            f"{joined(strong)} may pass by row-level security: everybody sees every project",
            f"ALTER ROLE {strong[0]} NOSUPERUSER NOBYPASSRLS;",
        )
    return ok("all there, none with too many rights")


def guarded(connection: Connection) -> Said:
    """Whether every table of ours has row-level security."""
    if found := _names(connection, "unguarded"):
        return wrong(
            f"off for {joined(found)}",
            f"ALTER TABLE {found[0]} ENABLE ROW LEVEL SECURITY;",
        )
    return ok("on for every table")


def rights(connection: Connection) -> Said:
    """Whether anybody may write without signing in."""
    if found := _names(connection, "open_to_anon"):
        return wrong(
            f"everybody may write to {joined(found)}",
            f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {found[0]} FROM public, anon;",
        )
    return ok("nobody writes without signing in")


def exposed(connection: Connection) -> Said:
    """Whether the REST door shows only what it should, where its settings are in the database."""
    found: dict[str, str] = dict(connection.execute(SQL["exposed"]).fetchall())
    shown = {each.strip() for each in found.get("pgrst.db_schemas", "").split(",")} - {""}
    if inner := sorted(shown & _INNER):
        return wrong(
            f"the REST door exposes {joined(inner)}",
            "Expose public only: PGRST_DB_SCHEMAS=public, or ALTER ROLE authenticator SET "
            "pgrst.db_schemas = 'public'; NOTIFY pgrst, 'reload config';",
        )
    cap = found.get("pgrst.db_max_rows", "")
    if cap.isdigit() and int(cap) < 1000:
        return warning(
            f"the REST door gives at most {cap} rows and says nothing about the rest",
            "Set PGRST_DB_MAX_ROWS to 1000 or more.",
        )
    return ok(f"{', '.join(sorted(shown))} only" if shown else "not set in the database")


def timeouts(connection: Connection) -> Said:
    """Whether callers are stopped before they stop others, and workers are not."""
    found: dict[str, str] = dict(connection.execute(SQL["timeouts"]).fetchall())
    open_ended = [role for role in ("anon", "authenticated") if found.get(role) in (None, "0")]
    if open_ended:
        return warning(
            f"statements of {joined(open_ended)} may take as long as they like",
            f"ALTER ROLE {open_ended[0]} SET statement_timeout = '8s';",
        )
    return ok(", ".join(f"{role} {limit}" for role, limit in found.items()))


def queue(connection: Connection) -> Said:
    """Whether the queue is installed."""
    if not _row(connection, "queue")[0]:
        return wrong("the queue's tables are missing", "Run `ifcbase db migrate`.")
    return ok("installed")


def jobs(connection: Connection) -> Said:
    """Whether work goes on."""
    waiting, computed, lapsed = _row(connection, "jobs")
    workers = _row(connection, "workers")[0] if _row(connection, "queue")[0] else 0
    if waiting and not workers:
        return wrong(
            f"{waiting} jobs have waited for minutes and no worker is there",
            "Start one: `ifcbase worker`, or `ifcbase up`.",
        )
    if lapsed:
        return wrong(
            f"{lapsed} attempts lost their lease and nobody took the jobs back",
            "Any running worker does that: start one.",
        )
    if computed:
        return warning(
            f"{computed} results are computed and not stored yet",
            "They wait on the host that computed them; see that it reaches the database.",
        )
    return ok(f"{workers} workers, nothing stuck")


def stored(connection: Connection, settings: Settings) -> Said:
    """Whether the bytes of the latest files are where they should be."""
    if settings.files_backend != "local":
        return skipped(
            "files lie in Storage; `ifcbase backup create` reads and names what is missing"
        )
    folder = settings.files_folder
    known = connection.execute(SQL["files"]).fetchall()
    gone = [sha for project, sha in known if not (folder / project / sha[:2] / sha).is_file()]
    if gone:
        return wrong(
            f"of the latest {len(known)} files {len(gone)} are not in {folder}",
            "Check IFCBASE_HOME; else bring them back with `ifcbase restore`, or upload them again.",
        )
    return ok(f"the latest {len(known)} are there")


def realtime(connection: Connection) -> Said:
    """Whether messages reach Supabase's Realtime, where it is."""
    there, sends = _row(connection, "realtime")
    if not there:
        return skipped("not a Supabase database")
    if not sends:
        return warning(
            "the schema realtime is there, its function send is not: no events reach clients",
            "Start or update Supabase's realtime service, which makes it.",
        )
    return ok("takes messages")


def backups(connection: Connection, now: datetime | None = None) -> Said:
    """Whether there is a recent backup, and one that was restored for a try."""
    now = now or datetime.now(UTC)
    made, verified = (_last(connection, kind) for kind in ("backup", "verify"))
    if made is None:
        return warning("there is none", "Run `ifcbase backup create --verify`, then daily.")
    if now - made > timedelta(hours=26):
        return wrong(
            f"the last one is {(now - made).days} days old", "Run `ifcbase backup create` daily."
        )
    if verified is None or now - verified > timedelta(days=8):
        return warning("none was verified this week", "Run `ifcbase backup verify` weekly.")
    return ok(f"made {made:%Y-%m-%d %H:%M}, verified {verified:%Y-%m-%d %H:%M}")


def _last(connection: Connection, kind: str) -> datetime | None:
    row = connection.execute(SQL["operation"], {"kind": kind}).fetchone()
    found: datetime | None = row[0] if row else None
    return found


def _row(connection: Connection, name: str) -> tuple[Any, ...]:
    return connection.execute(SQL[name]).fetchone() or ()


def _names(connection: Connection, name: str) -> list[str]:
    return [row[0] for row in connection.execute(SQL[name])]
