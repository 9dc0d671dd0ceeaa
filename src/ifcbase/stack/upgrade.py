"""Moving the embedded data folder to a newer major version of Postgres, by dump and restore.

The old folder stays in use until the new one was restored, counted and logged in to; the switch is
the replacement of ``server.json``. The old folder is kept beside it and nothing of it is deleted.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql

from ifcbase.errors import StackError
from ifcbase.progress import Progress, silent
from ifcbase.settings import get_settings
from ifcbase.stack.binaries import find_binaries
from ifcbase.stack.client import Answer, ask
from ifcbase.stack.cluster import ADMIN, HOST, Cluster, free_port
from ifcbase.stack.contents import Contents, contents, differences
from ifcbase.stack.embedded import EmbeddedPostgres
from ifcbase.stack.placement import programs_for
from ifcbase.stack.sql import query
from ifcbase.stack.state import ServerState, read_state, write_state

_START_TIMEOUT_S = 120
#: Room needed for the dump and the restored copy, as a multiple of the databases' size.
_ROOM = 1.5


@dataclass(frozen=True)
class UpgradeReport:
    """What was moved: counts were compared table by table. ``kept`` is the old data folder."""

    from_major: int
    to_major: int
    databases: tuple[str, ...]
    tables: int
    rows: int
    kept: Path


def upgrade(
    home: Path,
    to_major: int | None = None,
    *,
    progress: Progress = silent,
    settings: Mapping[str, str] | None = None,
) -> UpgradeReport | None:
    """Move the data of a home to another major version (default: the preferred one installed);
    None if it is there already. The server runs again afterwards if it ran before.

    Clients are disconnected for the whole time. ``settings`` are as those of EmbeddedPostgres.
    Raises StackError, with the old data in use.
    """
    if get_settings().container:
        raise StackError("there is no embedded Postgres inside the container image")
    server = EmbeddedPostgres(home, settings=settings)
    with server.locked():
        state = read_state(server.state_file)
        if state is None or not state.ready:
            raise StackError(
                "there is no embedded Postgres to upgrade", hint="`make up` makes one."
            )
        old = server.cluster(state)
        binaries = find_binaries(to_major)
        if binaries.major == old.binaries.major:
            return None
        if binaries.major < old.binaries.major:
            raise StackError(
                f"Postgres {old.binaries.major} data cannot go back to {binaries.major}",
                hint="Use a version that is newer than the present one.",
            )
        ran = old.stop()
        try:
            server.sweep_unfinished(old.folder)
            new = Cluster(
                programs_for(binaries, old.user),
                old.folder,
                f"pg-{binaries.major}.part",
                old.user,
                server.settings,
            )
            report = _move(server.state_file, state, old, new, progress)
        except psycopg.Error as error:
            raise StackError(
                "the upgrade failed; the old data stays in use", detail=str(error)
            ) from error
        finally:
            # The new server after success, the old one after failure.
            if ran:
                server.start_locked()
    progress("done", 1.0)
    return report


def _move(
    state_file: Path, state: ServerState, old: Cluster, new: Cluster, progress: Progress
) -> UpgradeReport:
    old_private = replace(state, port=free_port())
    new_private = replace(state, port=free_port(), data=new.name.removesuffix(".part"))
    progress("counting", 0.05)
    # Ports nobody knows: a client that reconnects must not write into what is being dumped.
    with _started(old, old_private), _dump_folder(old.folder) as dumps:
        before = contents(old_private.admin_dsn)
        _require_room(old.folder, before)
        new.create(state.admin_password)
        with _started(new, new_private):
            _require_extensions(before, new_private)
            progress("dumping", 0.2)
            # The newer pg_dump knows the older server; the other way round it would not.
            _copy_roles(new, old_private, new_private, dumps)
            for name in before.databases:
                _copy_database(new, old_private, new_private, name, dumps)
            progress("comparing", 0.8)
            after = contents(new_private.admin_dsn)
            changed = differences(before, after)
            if changed:
                raise StackError(
                    "the restored data is not the same as before; the old data stays in use",
                    hint="Report the problem with the details; nothing was lost.",
                    detail="\n".join(changed[:50]),
                )
            if ask(new_private, new.label) is not Answer.OURS:
                raise StackError("the application cannot log in to the restored data")
            with psycopg.connect(new_private.admin_dsn(), autocommit=True) as connection:
                connection.execute("ANALYZE")
    kept = _switch(state_file, state, new_private, old, new)
    return UpgradeReport(
        old.binaries.major, new.binaries.major, before.databases, before.tables, before.rows, kept
    )


def _switch(
    state_file: Path, state: ServerState, new_state: ServerState, old: Cluster, new: Cluster
) -> Path:
    """Put the new folder in the place of the old one; both servers are stopped."""
    target = old.folder / new_state.data
    if target.exists():
        # Left by an upgrade that was interrupted just before its switch; not in use since.
        target.rename(_unused_name(target, "unused"))
    new.data.rename(target)
    write_state(state_file, replace(new_state, port=state.port))
    kept = _unused_name(old.data, f"before-{new.binaries.major}")
    old.data.rename(kept)
    return kept


def _unused_name(path: Path, suffix: str) -> Path:
    candidate = path.with_name(f"{path.name}-{suffix}")
    number = 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{suffix}-{number}")
    return candidate


@contextmanager
def _started(cluster: Cluster, state: ServerState) -> Iterator[None]:
    cluster.clear_leftovers()
    cluster.start(state.port, timeout_s=_START_TIMEOUT_S)
    try:
        yield
    finally:
        cluster.stop()


@contextmanager
def _dump_folder(folder: Path) -> Iterator[Path]:
    """A private folder for the dumps, which hold all data; removed in any case."""
    path = folder / f"dump-{secrets.token_hex(4)}"
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _require_room(folder: Path, before: Contents) -> None:
    free = shutil.disk_usage(folder).free
    needed = int(before.size * _ROOM) + 200 * 2**20
    if free < needed:
        raise StackError(
            f"the upgrade needs about {needed // 2**20} MB in {folder}; {free // 2**20} are free",
            hint="Make room and try again.",
        )


def _require_extensions(before: Contents, state: ServerState) -> None:
    with psycopg.connect(state.admin_dsn()) as connection:
        available = {row[0] for row in connection.execute(query("available"))}
    used = {key[2] for key in before.facts if key[1] == "extension"}
    if used - available:
        raise StackError(
            f"the newer Postgres lacks the extension {', '.join(sorted(used - available))}, "
            "which the present data uses",
            hint="Drop the extension if nothing needs it, or use another Postgres distribution.",
        )


def _copy_roles(new: Cluster, source: ServerState, target: ServerState, dumps: Path) -> None:
    file = dumps / "roles.sql"
    _tool(new, source, "pg_dumpall", "--globals-only", "-d", _conninfo(source), "-f", str(file))
    text = file.read_text(encoding="utf-8")
    # The new server has its superuser already; what follows gives it its attributes.
    file.write_text(text.replace(f"\nCREATE ROLE {ADMIN};\n", "\n"), encoding="utf-8")
    _tool(
        new, target, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", _conninfo(target),
        "-f", str(file),
    )  # fmt: skip


def _copy_database(
    new: Cluster, source: ServerState, target: ServerState, name: str, dumps: Path
) -> None:
    file = dumps / "database.dump"
    _tool(
        new, source, "pg_dump", "-Fc", "--compress=1", "-d", _conninfo(source, name),
        "-f", str(file),
    )  # fmt: skip
    with psycopg.connect(target.admin_dsn("template1"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
    _tool(
        new, target, "pg_restore", "--create", "--exit-on-error", "-d",
        _conninfo(target, "template1"), str(file),
    )  # fmt: skip
    file.unlink()


def _conninfo(state: ServerState, database: str = "postgres") -> str:
    return psycopg.conninfo.make_conninfo(host=HOST, port=state.port, user=ADMIN, dbname=database)


def _tool(cluster: Cluster, state: ServerState, program: str, *arguments: str) -> None:
    """Run a client program as ourselves, the password in its environment."""
    done = subprocess.run(
        [str(cluster.binaries.tool(program)), *arguments],
        env=cluster.environment()
        | {"PGPASSWORD": state.admin_password, "PGCLIENTENCODING": "UTF8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(
            f"{program} failed; the old data stays in use", detail=done.stderr.strip()[-4000:]
        )
