"""Restoring a backup: what would happen first, then files, then the database in one transaction."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from psycopg import sql

from ifcbase.errors import BackupDamaged, BackupFailed, Conflict
from ifcbase.progress import Progress, silent
from ifcbase.stack.backup.facts import SQL, Connection, counted, differences, facts
from ifcbase.stack.backup.folder import Bytes, Folder, Manifest, Stored, sync
from ifcbase.stack.backup.loading import load, script
from ifcbase.stack.backup.source import Deployment, Objects, connected
from ifcbase.stack.backup.tools import Tools, joined, server_major, tools_for
from ifcbase.stack.migrations import discover

#: The schemas that a restore takes away before it brings back its own.
_KEPT_SCHEMAS = {"public"}


@dataclass(frozen=True)
class Plan:
    """What a restore would do, and what stands against it (``obstacles``, empty if nothing)."""

    name: str
    manifest: Manifest
    major: int
    occupied: bool
    rows_now: int
    new_roles: list[str]
    new_files: int
    restores_managed: bool
    obstacles: list[str]


def plan(
    folder: Folder,
    name: str,
    target: Deployment,
    *,
    replace: bool = False,
    managed: bool = True,
) -> Plan:
    """Look, and change nothing. Raises BackupMissing, BackupDamaged, LedgerUnavailable."""
    manifest = folder.read(name)
    with connected(target.dsn) as connection:
        major = server_major(connection)
        occupied = connection.execute(SQL["owner"]).fetchone() is not None
        obstacles = _obstacles(connection, manifest, major, occupied=occupied, replace=replace)
        rows = counted(facts(connection, _schemas(connection)))[1] if occupied else 0
        has_managed = bool(_value(connection, "has_managed"))
        restores = managed and has_managed and "managed.dump" in manifest.parts
        if restores and not _value(connection, "may_replicate"):
            obstacles.append(
                "the rows of auth and storage can only be loaded by a superuser (supabase_admin): "
                "use its connection string, or --without-managed"
            )
        roles = [str(role[0]) for role in _missing_roles(connection, manifest)]
    new = sum(1 for path in manifest.files if not _is_there(target, manifest, path))
    return Plan(name, manifest, major, occupied, rows, roles, new, restores, obstacles)


def restore(
    folder: Folder,
    name: str,
    target: Deployment,
    *,
    replace: bool = False,
    managed: bool = True,
    progress: Progress = silent,
) -> Plan:
    """Bring a set back: into a database without a ledger, or with ``replace`` in the place of the
    one that is there. Files that are there stay. Gives the plan that was carried out.

    Raises Conflict for what stands against it, BackupFailed and BackupDamaged; then the database is
    as it was.
    """
    found = plan(folder, name, target, replace=replace, managed=managed)
    if found.obstacles:
        raise Conflict(
            found.obstacles[0],
            hint="Nothing was changed." if len(found.obstacles) == 1
            else "Nothing was changed. Also: " + "; ".join(found.obstacles[1:]),
        )  # fmt: skip
    manifest = found.manifest
    if target.objects is None:
        progress("writing files", 0.05)
        _write_files(folder, manifest, target.files)
    progress("loading the database", 0.3)
    load_database(folder, name, manifest, target.dsn, managed=found.restores_managed)
    progress("comparing", 0.9)
    with connected(target.dsn) as connection:
        now = facts(connection, manifest.schemas)
    # What others keep in public stays there.
    now = {k: v for k, v in now.items() if k in manifest.facts or " public." not in k}
    changed = differences(manifest.facts, now)
    if changed and found.major == manifest.major:
        raise BackupDamaged(
            f"the database was restored, but {len(changed)} things are not as they were: "
            f"{joined(changed)}",
            hint="Keep the backup, look at the details, and report the problem.",
            detail="\n".join(changed),
        )
    progress("done", 1.0)
    return found


def restore_objects(
    folder: Folder, name: str, objects: Objects, progress: Progress = silent
) -> int:
    """Bring the files of a set back into an object store, after the database, whose restore makes
    the buckets; those that are there stay. Gives how many were written. May be repeated.

    Raises BackupMissing, BackupDamaged, FilesUnavailable, FilesRefused."""
    manifest = folder.read(name)
    written = 0
    with tempfile.TemporaryDirectory() as work:
        draft = Path(work) / "object"
        for number, (path, kept) in enumerate(manifest.files.items()):
            progress("writing files", number / len(manifest.files))
            project, _, sha256 = path.split("/")
            wanted = [b for b in _buckets(manifest, path) if not objects.has(project, sha256, b)]
            if not wanted:
                continue
            with draft.open("wb") as stream:
                for piece in object_content(folder, manifest, kept):
                    stream.write(piece)
            for bucket in wanted:
                objects.write(project, sha256, bucket, draft)
            written += 1
    return written


def _buckets(manifest: Manifest, path: str) -> list[str]:
    return manifest.buckets.get(path, ["models"])


def _is_there(target: Deployment, manifest: Manifest, path: str) -> bool:
    if target.objects is None:
        return (target.files / path).is_file()
    project, _, sha256 = path.split("/")
    return all(target.objects.has(project, sha256, b) for b in _buckets(manifest, path))


def load_database(
    folder: Folder, name: str, manifest: Manifest, dsn: str, *, managed: bool
) -> None:
    """The database of a set, in the place of the ledger that is there, as one transaction."""
    with connected(dsn) as connection:
        major = server_major(connection)
        me, superuser = connection.execute(SQL["me"]).fetchone()[:2]  # type: ignore[index]
        present = {row[0] for row in connection.execute(SQL["present_roles"])}
        # Made by a superuser, functions would run with its rights.
        role = manifest.owner if me != manifest.owner and manifest.owner in present else None
        if superuser and role is None and me != manifest.owner:
            raise BackupFailed(
                f"the ledger belonged to the role {manifest.owner}, which is not here; a superuser "
                "should not own it",
                hint=f"Make the role {manifest.owner} first, or restore as an ordinary role.",
            )
        before = _preparation(connection, manifest, superuser=bool(superuser), role=role)
        schemas = [*(s for s in manifest.schemas if s not in _KEPT_SCHEMAS)]
        dropped = (
            sql.SQL("")
            .join(
                sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE;\n").format(sql.Identifier(each))
                for each in schemas
            )
            .as_string(connection)
        )
    tools = tools_for(dsn, major)
    part = partial(_part, folder, name, manifest)
    with tempfile.TemporaryDirectory() as work:
        load(tools, _statements(tools, Path(work), part, manifest, dropped, before,
                                managed=managed, role=role))  # fmt: skip


def _statements(
    tools: Tools,
    work: Path,
    part: Any,
    manifest: Manifest,
    dropped: str,
    before: str,
    *,
    managed: bool,
    role: str | None,
) -> Iterator[bytes]:
    quoted = '"' + role.replace('"', '""') + '"' if role else None
    yield b"SET check_function_bodies = false;\n"
    if manifest.scope == "whole":
        yield before.encode()
        yield from script(tools, partial(part, "database.dump"), work)
        return
    yield dropped.encode()
    yield SQL["clear_public"].encode() + b";\n"
    yield before.encode()
    yield SQL["clear_defaults"].encode() + b";\n"
    if quoted:
        yield f"SET LOCAL ROLE {quoted};\n".encode()
    yield from script(tools, partial(part, "database.dump"), work)
    if quoted:
        yield b"\nRESET ROLE;\n"
    yield b"\n" + SQL["give_defaults"].encode() + b";\n"
    if managed:
        yield b"SET LOCAL session_replication_role = replica;\n"
        yield from script(tools, partial(part, "managed.dump"), work, "--data-only")
        yield b"\nSET LOCAL session_replication_role = origin;\n"


def _preparation(
    connection: Connection, manifest: Manifest, *, superuser: bool, role: str | None
) -> str:
    """The frame every ledger stands in, and the roles that the dump gives rights to."""
    frame = discover()[0].text if manifest.scope == "ours" else ""
    pieces = [frame]
    if role and frame:
        quoted = sql.Identifier(role).as_string(connection)
        pieces = [f"SET LOCAL ROLE {quoted};\n", frame, "\nRESET ROLE;\n"]
    framed = (
        {"anon", "authenticated", "service_role", "authenticator", "ifc_worker"} if frame else ()
    )
    for name, login, inherit, bypass, members, settings in _missing_roles(connection, manifest):
        if name in framed:
            continue
        words = sql.SQL("LOGIN" if login else "NOLOGIN") + sql.SQL(
            " INHERIT" if inherit else " NOINHERIT"
        )
        if bypass and superuser:
            words += sql.SQL(" BYPASSRLS")
        statements = [sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(name), words)]
        statements += [
            sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(name))
            for group in members
            if not group.startswith("pg_")
        ]
        for setting in settings:
            variable, _, value = setting.partition("=")
            statements.append(
                sql.SQL("ALTER ROLE {} SET {} = {}").format(
                    sql.Identifier(name), sql.Identifier(variable), sql.Literal(value)
                )
            )
        pieces += [each.as_string(connection) + ";\n" for each in statements]
    return "".join(pieces)


def _missing_roles(connection: Connection, manifest: Manifest) -> list[list[Any]]:
    present = {row[0] for row in connection.execute(SQL["present_roles"])}
    return [role for role in manifest.roles if role[0] not in present]


def _obstacles(
    connection: Connection, manifest: Manifest, major: int, *, occupied: bool, replace: bool
) -> list[str]:
    found = []
    if major < manifest.major:
        found.append(
            f"the backup was made on Postgres {manifest.major} and this server is {major}; an older "
            "server cannot take it"
        )
    if occupied and not replace:
        found.append(
            "there is a ledger in this database already: with --replace the backup takes its place"
        )
    if occupied and (live := _value(connection, "live")):
        found.append(f"{live} jobs are being worked on: stop the workers first")
    if manifest.scope == "whole" and _value(connection, "user_tables"):
        found.append("a backup of a whole database goes into an empty one only")
    return found


def _value(connection: Connection, name: str) -> Any:
    row = connection.execute(SQL[name]).fetchone()
    return row[0] if row else None


def _schemas(connection: Connection) -> list[str]:
    return [row[0] for row in connection.execute(SQL["schemas"])]


def _part(folder: Folder, name: str, manifest: Manifest, part: str) -> Iterator[bytes]:
    return folder.open(
        folder.path / name / part, manifest.parts[part], encrypted=manifest.encrypted
    )


def object_content(folder: Folder, manifest: Manifest, kept: Bytes) -> Iterator[bytes]:
    """The content of a file of the files folder."""
    stored = Stored(0, kept.object)
    return folder.open(folder.object(kept.object), stored, encrypted=manifest.encrypted)


def _write_files(folder: Folder, manifest: Manifest, root: Path) -> None:
    """Files that are not there yet, each whole or not at all."""
    for path, kept in manifest.files.items():
        target = root / path
        if target.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        held = target.with_name(f".restoring-{secrets.token_hex(6)}")
        try:
            with held.open("xb") as stream:
                for piece in object_content(folder, manifest, kept):
                    stream.write(piece)
                stream.flush()
                os.fsync(stream.fileno())
            held.chmod(0o640)
            held.replace(target)
        finally:
            held.unlink(missing_ok=True)
        sync(target.parent)


def extract(folder: Folder, name: str, target: Path) -> list[str]:
    """Write the parts of a set (dump, roles, settings, what was included) as plain files into a new
    folder; gives their names. Raises Conflict, BackupDamaged."""
    manifest = folder.read(name)
    try:
        target.mkdir(mode=0o700)
    except FileExistsError as error:
        raise Conflict(
            f"{target} exists already", hint="Name a folder that is not there."
        ) from error
    try:
        for part in manifest.parts:
            with (target / part).open("xb") as stream:
                for piece in _part(folder, name, manifest, part):
                    stream.write(piece)
    except BaseException:
        shutil.rmtree(target)
        raise
    return sorted(manifest.parts)
