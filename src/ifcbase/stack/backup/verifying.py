"""Verifying a backup: every checksum, then the database restored into a scratch one and compared."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import conninfo, sql

from ifcbase.errors import BackupDamaged, BackupFailed
from ifcbase.progress import Progress, silent
from ifcbase.stack.backup.facts import SQL, counted, differences, facts
from ifcbase.stack.backup.folder import Folder, Manifest
from ifcbase.stack.backup.restoring import load_database, object_content
from ifcbase.stack.backup.source import connected
from ifcbase.stack.backup.tools import joined


@dataclass(frozen=True)
class Verified:
    """What was compared and found equal."""

    name: str
    tables: int
    rows: int
    files: int
    #: Files that the ledger knew and the backup does not have; they were nowhere.
    missing: int


def verify(folder: Folder, name: str, server_dsn: str, *, progress: Progress = silent) -> Verified:
    """Read everything, restore the database beside the others of a server, compare each table and
    definition with what was dumped, and note the success beside the set.

    Raises BackupDamaged saying what is not equal, BackupFailed where it cannot be tried.
    """
    manifest = folder.read(name)
    progress("checking files", 0.05)
    _check_parts(folder, name, manifest)
    _check_objects(folder, manifest)
    progress("restoring into a scratch database", 0.4)
    with scratch_database(server_dsn, manifest.owner) as dsn:
        load_database(folder, name, manifest, dsn, managed=False)
        progress("comparing", 0.8)
        with connected(dsn) as connection:
            changed = differences(manifest.facts, facts(connection, manifest.schemas))
    if changed:
        raise BackupDamaged(
            f"{len(changed)} things are not as they were dumped: {joined(changed)}",
            detail="\n".join(changed),
        )
    tables, rows = counted(manifest.facts)
    found = Verified(name, tables, rows, len(manifest.files), len(manifest.missing))
    folder.write_note(
        name, "verified",
        {"at": datetime.now(UTC).isoformat(), "tables": tables, "rows": rows, "files": found.files},
    )  # fmt: skip
    progress("done", 1.0)
    return found


def _check_parts(folder: Folder, name: str, manifest: Manifest) -> None:
    for part, stored in manifest.parts.items():
        for _ in folder.open(folder.path / name / part, stored, encrypted=manifest.encrypted):
            pass


def _check_objects(folder: Folder, manifest: Manifest) -> None:
    damaged = []
    for path, kept in manifest.files.items():
        digest = hashlib.sha256()
        try:
            for piece in object_content(folder, manifest, kept):
                digest.update(piece)
        except BackupDamaged as error:
            damaged.append(f"{path} ({error.message})")
            continue
        if digest.hexdigest() != kept.sha256:
            damaged.append(path)
    if damaged:
        raise BackupDamaged(
            f"{len(damaged)} of {len(manifest.files)} files are damaged: {joined(damaged)}",
            hint="Remove the objects that the details name; the next backup takes the files again.",
            detail="\n".join(damaged),
        )


@contextmanager
def scratch_database(server_dsn: str, owner: str) -> Iterator[str]:
    """A new empty database on the server, dropped after the block; those that interrupted
    verifications left are dropped first."""
    name = f"ifcbase_verify_{secrets.token_hex(4)}"
    with connected(server_dsn) as connection:
        me, _, may_create = connection.execute(SQL["me"]).fetchone() or ("", False, False)
        if not may_create:
            raise BackupFailed(
                f"the role {me} may not make the scratch database that a backup is verified in",
                hint="Give another server with --scratch, or let the role: ALTER ROLE … CREATEDB.",
            )
        for row in connection.execute(SQL["leftovers"]).fetchall():
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(row[0])))
        present = {row[0] for row in connection.execute(SQL["present_roles"])}
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
                sql.Identifier(name), sql.Identifier(owner if owner in present else me)
            )
        )
        try:
            yield conninfo.make_conninfo(server_dsn, dbname=name)
        finally:
            drop = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
            try:
                try:
                    # Without FORCE, which wants the right to end an autovacuum that looks in just now.
                    connection.execute(drop)
                except psycopg.errors.ObjectInUse:
                    connection.execute(drop + sql.SQL(" WITH (FORCE)"))
            except psycopg.Error:
                # The connection ended meanwhile; the next verification drops what stays.
                if not connection.closed:
                    raise
