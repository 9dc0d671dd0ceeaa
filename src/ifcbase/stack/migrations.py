"""The migrations runner: ``supabase/migrations/*.sql`` in order, each in one transaction.

The history is the Supabase CLI's, so that ``supabase db push`` and this runner know of each other.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import generators, pq

from ifcbase.errors import LedgerUnavailable, ProgramOutdated, SchemaOutdated, StackError
from ifcbase.progress import Progress, silent
from ifcbase.stack.address import unreachable
from ifcbase.stack.sql import query
from ifcbase.stack.sqltext import statement_lines

log = logging.getLogger(__name__)

_FILE_NAME = re.compile(r"(\d{14})_([A-Za-z0-9_]+)\.sql")
#: Any number will do, as long as every runner takes the same: "ifcbase" in ASCII.
_ADVISORY_LOCK = 0x69666362617365
#: The migration that takes the names of the origin plan's tables for views.
_VIEWS = "20261122090500"

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Migration:
    """One file: 14 digits of its time, its name, its text."""

    version: str
    name: str
    path: Path

    @property
    def text(self) -> str:
        """The SQL of the file."""
        return self.path.read_text(encoding="utf-8-sig")


@dataclass(frozen=True)
class MigrationStatus:
    """A migration this program or the database knows. ``known`` is false where only the database
    does; ``recorded_name`` is set where the database has it under another name, ``edited`` where
    the file is no longer what was applied (as far as the history has that)."""

    version: str
    name: str
    applied: bool
    known: bool = True
    recorded_name: str | None = None
    edited: bool = False


@dataclass(frozen=True)
class Timeouts:
    """How long (seconds) to wait for another runner, for a table's lock, and for one statement."""

    runner_s: int = 120
    lock_s: int = 15
    statement_s: int = 1800


def migrations_folder() -> Path:
    """The folder in the installed package, else the one of the source tree."""
    packaged = Path(__file__).parent / "migrations_data"
    if packaged.is_dir():
        return packaged
    source = Path(__file__).parents[3] / "supabase" / "migrations"
    if source.is_dir():
        return source
    raise StackError(
        "this installation of ifcbase has no migrations",
        hint="Install it again; the wheel holds them.",
        detail=f"neither {packaged} nor {source}",
    )


def discover(folder: Path | None = None) -> list[Migration]:
    """The migrations of a folder in order. Raises StackError for a ``.sql`` file whose name is not
    ``<14 digits>_<name>.sql``, and for a version that occurs twice."""
    found: dict[str, Migration] = {}
    for path in sorted((folder or migrations_folder()).glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise StackError(
                f"{path.name} is not the name of a migration",
                hint="Name it <14 digits>_<name>.sql, for instance 20261122160000_jobs.sql",
            )
        if match[1] in found:
            raise StackError(
                f"{found[match[1]].path.name} and {path.name} have the same version",
                hint="Give the newer one a later time.",
            )
        found[match[1]] = Migration(match[1], match[2], path)
    return list(found.values())


def head(folder: Path | None = None) -> str | None:
    """The newest version this program knows; None without migrations."""
    known = discover(folder)
    return known[-1].version if known else None


def status(dsn: str, *, folder: Path | None = None) -> list[MigrationStatus]:
    """Every migration of this program and of the database, in order; changes nothing."""
    known = {migration.version: migration for migration in discover(folder)}
    with _connected(dsn) as connection:
        recorded = _history(connection)
        edited = _edited(connection, known.values(), recorded)
    return [_status_of(version, known, recorded, edited) for version in sorted(known | recorded)]


def _status_of(
    version: str,
    known: dict[str, Migration],
    recorded: dict[str, str | None],
    edited: set[str],
) -> MigrationStatus:
    name = recorded.get(version)
    if version not in known:
        return MigrationStatus(version, name or "", applied=True, known=False)
    other = name if name is not None and name != known[version].name else None
    return MigrationStatus(
        version,
        known[version].name,
        applied=version in recorded,
        recorded_name=other,
        edited=version in edited,
    )


def require_head(dsn: str, *, folder: Path | None = None) -> None:
    """Raises SchemaOutdated if migrations are missing in the database, ProgramOutdated if it has
    newer ones, LedgerUnavailable if it cannot be reached."""
    known = discover(folder)
    with _connected(dsn) as connection:
        recorded = _history(connection)
    _refuse_newer(known, recorded)
    missing = [migration for migration in known if migration.version not in recorded]
    if missing:
        raise SchemaOutdated(
            f"{len(missing)} of {len(known)} migrations are not applied, "
            f"the first is {missing[0].path.name}"
        )


def migrate(
    dsn: str,
    *,
    to: str | None = None,
    folder: Path | None = None,
    timeouts: Timeouts | None = None,
    progress: Progress = silent,
) -> list[Migration]:
    """Apply what is missing (up to and with version ``to``) and return it, oldest first.

    Each file and its line in the history are one transaction, under a lock that keeps runners
    apart. Raises StackError naming file and line; what was applied before that stays. Where the
    origin plan's tables have to be adopted, all files are one transaction: whoever writes to those
    tables meets them as they were, or the views with all rows.
    """
    timeouts = timeouts or Timeouts()
    known = discover(folder)
    if to is not None and to not in {migration.version for migration in known}:
        raise StackError(
            f"there is no migration {to}", hint="`ifcbase db status` lists the versions."
        )
    wanted = [migration for migration in known if to is None or migration.version <= to]
    applied: list[Migration] = []
    with _connected(dsn) as connection:
        while True:
            with _exclusive(connection, timeouts):
                pending = _pending(connection, known, wanted, quiet=bool(applied))
                if not pending:
                    return applied
                total = len(pending) + len(applied)
                adopted = _set_plan_aside(connection, pending)
                group = pending if adopted else pending[:1]
                for done, migration in enumerate(group, len(applied)):
                    progress("migrating", done / total, migration.path.name)
                    _fresh(connection, timeouts)
                    _apply(connection, migration)
            applied += group
            if adopted:
                log.warning(
                    "the plan's tables %s are in the schema origin_plan now, their rows imported",
                    ", ".join(adopted),
                )


# --- inside --------------------------------------------------------------------------------------


@contextmanager
def _connected(dsn: str) -> Iterator[Connection]:
    try:
        # Nothing is prepared: the server may stand behind a transaction pooler.
        connection = psycopg.connect(
            dsn, connect_timeout=15, prepare_threshold=None, client_encoding="utf8"
        )
    except psycopg.OperationalError as error:
        raise LedgerUnavailable(unreachable(dsn, error)) from error
    with connection:
        yield connection


@contextmanager
def _exclusive(connection: Connection, timeouts: Timeouts) -> Iterator[None]:
    """One transaction that no other runner's overlaps. The lock ends with the transaction, which
    holds through a pooler, too."""
    with connection.transaction():
        # What a file before this one has set for the session.
        connection.execute("RESET ALL")
        _set_timeouts(connection, lock_s=timeouts.runner_s, statement_s=0)
        try:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_ADVISORY_LOCK])
        except psycopg.errors.LockNotAvailable as error:
            raise StackError(
                f"another run of the migrations did not end within {timeouts.runner_s} s",
                hint="Wait for it, or end the session that holds the lock, and try again.",
            ) from error
        _fresh(connection, timeouts)
        yield


def _fresh(connection: Connection, timeouts: Timeouts) -> None:
    """The session's settings as each file finds them, whatever the one before has set."""
    connection.execute("RESET ALL")
    _set_timeouts(connection, lock_s=timeouts.lock_s, statement_s=timeouts.statement_s)


def _set_timeouts(connection: Connection, *, lock_s: int, statement_s: int) -> None:
    for name, seconds in (("lock_timeout", lock_s), ("statement_timeout", statement_s)):
        connection.execute("SELECT set_config(%s, %s, true)", [name, f"{seconds}s"])


def _history(connection: Connection) -> dict[str, str | None]:
    """Applied versions with the names they were applied under."""
    columns = connection.execute(query("history_complete")).fetchone()
    if columns == (0,):
        return {}
    return dict(connection.execute(query("history_read")).fetchall())


def _edited(
    connection: Connection, known: Iterable[Migration], recorded: dict[str, str | None]
) -> set[str]:
    """Versions whose file is not what was applied, as far as the history has the texts."""
    if not recorded:
        return set()
    texts: dict[str, str | None] = dict(connection.execute(query("history_texts")).fetchall())
    return {
        migration.version
        for migration in known
        if (text := texts.get(migration.version)) is not None
        and _bare(text) != _bare(migration.text)
    }


def _bare(text: str) -> str:
    """A text as it is compared: what carries a file may change the ends of its lines and its end."""
    return text.replace("\r\n", "\n").strip().rstrip(";").rstrip()


def _pending(
    connection: Connection, known: list[Migration], wanted: list[Migration], *, quiet: bool
) -> list[Migration]:
    """What is to be applied now, after the history was found to be sound."""
    recorded = _history(connection)
    _refuse_newer(known, recorded)
    missing = [migration for migration in known if migration.version not in recorded]
    last = max((m.version for m in known if m.version in recorded), default="")
    gaps = [migration.path.name for migration in missing if migration.version < last]
    if gaps:
        raise StackError(
            f"{', '.join(gaps)} is older than {last}, which is applied already",
            hint="Give the migration a later time than every applied one.",
        )
    for migration in known if not quiet else []:
        name = recorded.get(migration.version)
        if name is not None and name != migration.name:
            log.warning("%s was applied under the name %s", migration.path.name, name)
    edited = set() if quiet else _edited(connection, known, recorded)
    for migration in known:
        if migration.version in edited:
            log.warning(
                "%s was edited after it was applied; the database has what it said before",
                migration.path.name,
            )
    return [migration for migration in wanted if migration in missing]


def _refuse_newer(known: list[Migration], recorded: dict[str, str | None]) -> None:
    newest = known[-1].version if known else ""
    newer = sorted(version for version in recorded if version > newest)
    if newer:
        raise ProgramOutdated(
            f"the database has {len(newer)} migrations this program does not know, "
            f"the newest is {newer[-1]}"
        )


def _set_plan_aside(connection: Connection, pending: list[Migration]) -> list[str]:
    """Move the origin plan's tables out of the way of our views; their names.

    Raises StackError where a table of that name is another one, or is somebody else's."""
    if not any(migration.version == _VIEWS for migration in pending):
        return []
    names = [str(name) for (name,) in connection.execute(query("plan_tables")).fetchall()]
    if not names:
        return []
    try:
        connection.execute(query("plan_aside"))
    except psycopg.DatabaseError as error:
        raise StackError(
            f"the tables of the plan cannot be adopted: {error.diag.message_primary or error}",
            hint=error.diag.message_hint or "Correct the cause and run `ifcbase db migrate` again.",
        ) from error
    return names


def _apply(connection: Connection, migration: Migration) -> None:
    """Run one file and record it, in the transaction that is open."""
    if connection.execute(query("history_complete")).fetchone() != (3,):
        connection.execute(query("history_make"))
    text = migration.text
    before = _transaction_id(connection)
    _execute(connection, migration, text)
    in_transaction = connection.info.transaction_status == pq.TransactionStatus.INTRANS
    if not in_transaction or _transaction_id(connection) != before:
        raise StackError(
            f"{migration.path.name} ends or begins a transaction itself; it was run, not recorded",
            hint="Take COMMIT, ROLLBACK and BEGIN out of the file and repair the database by hand.",
        )
    connection.execute("RESET ROLE")
    connection.execute(
        query("history_add"),
        {"version": migration.version, "name": migration.name, "text": text},
    )


def _transaction_id(connection: Connection) -> object:
    return connection.execute("SELECT pg_current_xact_id()::text").fetchone()


def _execute(connection: Connection, migration: Migration, text: str) -> None:
    """Send the whole text at once, as the server parses it; no parameters, no splitting.

    Below ``Connection.execute``, because an error without a position is placed by the number of
    statements that succeeded before it."""
    connection.pgconn.send_query(text.encode())
    results = connection.wait(generators.execute(connection.pgconn))
    for number, result in enumerate(results):
        if result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
            error = psycopg.errors.error_from_result(result)
            raise _failure(migration, text, number, error) from error
        if result.status in (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT):
            raise StackError(f"{migration.path.name} uses COPY with the client; use INSERT instead")


def _failure(migration: Migration, text: str, number: int, error: psycopg.Error) -> StackError:
    diag = error.diag
    if diag.statement_position:
        line = text.count("\n", 0, int(diag.statement_position) - 1) + 1
    else:
        lines = statement_lines(text)
        line = lines[number] if number < len(lines) else 1
    more = (
        diag.message_detail,
        diag.message_hint,
        diag.context,
        f"SQLSTATE {error.sqlstate}" if error.sqlstate else None,
    )
    return StackError(
        f"{migration.path.name}, line {line}: {diag.message_primary or error}",
        hint="Nothing of this file was kept. Correct the cause and run `ifcbase db migrate` again.",
        detail="\n".join(part for part in more if part) or None,
    )
