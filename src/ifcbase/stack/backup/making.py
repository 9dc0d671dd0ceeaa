"""Making a backup: the database as of one moment, then every file, then the set gets its name."""

from __future__ import annotations

import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ifcbase import __version__
from ifcbase.errors import BackupDamaged, BackupFailed, ConfigError, FileMissing, FilesDamaged
from ifcbase.progress import Progress, silent
from ifcbase.stack.backup.crypt import Key
from ifcbase.stack.backup.facts import SQL, Connection, facts, managed_facts
from ifcbase.stack.backup.folder import Bytes, Folder, Manifest, Stored
from ifcbase.stack.backup.source import Deployment, Objects, connected
from ifcbase.stack.backup.tools import Tools, joined, pieces, server_major, tools_for

#: ``ours``: our schemas, and the rows of auth and storage; ``whole``: everything in the database.
Scope = Literal["ours", "whole"]
_CONTENT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Made:
    """A finished set; ``missing`` are files that the ledger knows and nobody has."""

    name: str
    manifest: Manifest


def make_backup(
    source: Deployment,
    folder: Folder,
    *,
    scope: Scope = "ours",
    secrets: bool = False,
    include: Sequence[Path] = (),
    progress: Progress = silent,
) -> Made:
    """Write one set. ``include`` names further files and folders to take along (a Supabase's
    ``.env`` and root key, its storage volume). Raises BackupFailed, Conflict, LedgerUnavailable,
    StackError; nothing that was there before is touched then.
    """
    with folder.writing():
        key = folder.prepare()
        moment = datetime.now(UTC)
        with folder.new_set() as part, connected(source.dsn) as connection:
            manifest = _filled(source, folder, part, connection, key, moment, scope,
                               secrets=secrets, include=include, progress=progress)  # fmt: skip
            name = folder.finish(part, manifest)
    progress("done", 1.0)
    return Made(name, manifest)


def _filled(
    source: Deployment,
    folder: Folder,
    part: Path,
    connection: Connection,
    key: Key | None,
    moment: datetime,
    scope: Scope,
    *,
    secrets: bool,
    include: Sequence[Path],
    progress: Progress,
) -> Manifest:
    major = server_major(connection)
    tools = tools_for(source.dsn, major)
    owner = _one(connection, "owner")
    if owner is None:
        raise BackupFailed(
            "there is no ledger in this database", hint="Check DATABASE_URL; nothing was written."
        )
    schemas = [row[0] for row in connection.execute(SQL["schemas"])]
    managed = [(row[0], row[1]) for row in connection.execute(SQL["managed"])]
    parts: dict[str, Stored] = {}

    def store(name: str, content: Iterator[bytes]) -> None:
        parts[name] = folder.store(part, name, content, key)

    # What is dumped, counted and hashed is what this one transaction sees.
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = str(_one(connection, "snapshot"))
        progress("dumping the database", 0.05)
        selected = [] if scope == "whole" else [f"--schema={name}" for name in schemas]
        store("database.dump", _dumped(tools, f"--snapshot={snapshot}", *selected))
        if managed and scope == "ours":
            tables = [f"--table={schema}.{name}" for schema, name in managed]
            # As statements that leave what is there: Supabase's services fill these tables, too.
            store(
                "managed.dump",
                _dumped(
                    tools, f"--snapshot={snapshot}", "--data-only", "--inserts",
                    "--on-conflict-do-nothing", "--rows-per-insert=200", *tables,
                ),
            )  # fmt: skip
        progress("counting", 0.5)
        roles = [list(row) for row in connection.execute(SQL["roles"])]
        head = str(_one(connection, "head"))
        known = connection.execute(SQL["files"]).fetchall()
        buckets = (
            {
                _place(project, sha256): found
                for project, sha256, found in connection.execute(SQL["buckets"])
            }
            if _one(connection, "has_uploads")
            else {}
        )
        database = connection.info.dbname
        found = facts(connection, schemas)
        kept_elsewhere = managed_facts(connection, managed)
    progress("dumping roles", 0.6)
    store("globals.sql", _globals(source, tools, major, secrets=secrets))
    progress("copying files", 0.65)
    if source.objects is None:
        files, damaged = _copied(source.files, folder, key)
    else:
        wanted = [(project, sha256) for project, sha256, _ in known]
        files, damaged = _fetched(source.objects, wanted, buckets, folder, part, key)
    missing = [f"{project}/{sha}" for project, sha, _ in known if _place(project, sha) not in files]
    progress("writing", 0.95)
    settings = {**source.settings, **(source.private if secrets else {})}
    store("settings.json", iter([json.dumps(settings, indent=1, sort_keys=True).encode()]))
    if include:
        store("included.tar", _tarred(include, part))
    return Manifest(
        made_at=moment.isoformat(), program=__version__, major=major, head=head, database=database,
        owner=str(owner), scope=scope, schemas=schemas, encrypted=key is not None, secrets=secrets,
        facts=found, managed=kept_elsewhere, roles=roles, parts=parts, files=files,
        buckets={place: found for place, found in buckets.items() if place in files},
        missing=sorted({*missing, *damaged}),
    )  # fmt: skip


def _one(connection: Connection, name: str) -> object:
    row = connection.execute(SQL[name]).fetchone()
    return row[0] if row else None


def _dumped(tools: Tools, *options: str) -> Iterator[bytes]:
    with tools.reading("pg_dump", "-Fc", "--compress=6", *options) as stream:
        yield from pieces(stream)


def _globals(source: Deployment, tools: Tools, major: int, *, secrets: bool) -> Iterator[bytes]:
    """Roles and their settings; with their passwords only where those are asked for and readable."""
    if source.globals_dsn:
        tools = tools_for(source.globals_dsn, major)
    options = [] if secrets else ["--no-role-passwords"]
    with tools.reading("pg_dumpall", "--globals-only", *options) as stream:
        yield from pieces(stream)


def _place(project: str, sha256: str) -> str:
    return f"{project}/{sha256[:2]}/{sha256}"


def _copied(root: Path, folder: Folder, key: Key | None) -> tuple[dict[str, Bytes], list[str]]:
    """Every file of the files folder by its path in it, and those whose content is not what their
    name says. What the last set holds already is not copied again."""
    before = _kept_before(folder, encrypted=key is not None)
    found: dict[str, Bytes] = {}
    damaged: list[str] = []
    for path in sorted(root.glob("*/??/*")):
        if not _CONTENT.fullmatch(path.name) or not path.is_file():
            continue
        name = path.relative_to(root).as_posix()
        # Retention may take a file away just now; the database's snapshot is older than that.
        with suppress(FileNotFoundError):
            kept = folder.keep(path, before.get(name), key)
            if kept.sha256 == path.name:
                found[name] = kept
            else:
                damaged.append(f"{path.parent.parent.name}/{path.name}")
    return found, damaged


def _fetched(
    objects: Objects,
    wanted: Iterable[tuple[str, str]],
    buckets: Mapping[str, list[str]],
    folder: Folder,
    part: Path,
    key: Key | None,
) -> tuple[dict[str, Bytes], list[str]]:
    """As ``_copied``, of files in an object store: those the ledger knows, one after the other."""
    before = _kept_before(folder, encrypted=key is not None)
    found: dict[str, Bytes] = {}
    damaged: list[str] = []
    draft = part / "object"
    for project, sha256 in wanted:
        name = _place(project, sha256)
        kept = before.get(name)
        if kept is None or not folder.object(kept.object).is_file():
            try:
                objects.read(project, sha256, buckets.get(name, ()), draft)
            except FileMissing:
                continue
            except FilesDamaged:
                damaged.append(f"{project}/{sha256}")
                continue
            kept = folder.keep(draft, None, key)
        found[name] = kept
    draft.unlink(missing_ok=True)
    return found, damaged


def _kept_before(folder: Folder, *, encrypted: bool) -> dict[str, Bytes]:
    if not (names := folder.names()):
        return {}
    try:
        last = folder.read(names[-1])
    except (BackupDamaged, ConfigError):
        # Then everything is copied anew, which is what a damaged or unreadable set calls for.
        return {}
    return last.files if last.encrypted == encrypted else {}


def _tarred(paths: Sequence[Path], part: Path) -> Iterator[bytes]:
    """Files and folders as one archive, with extended attributes (Supabase's storage keeps content
    types in them)."""
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise BackupFailed(f"not there to be included: {joined(missing)}")
    with tempfile.TemporaryFile(dir=part) as held:
        with tarfile.open(fileobj=held, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in paths:
                for each in [path, *(sorted(path.rglob("*")) if path.is_dir() else ())]:
                    info = archive.gettarinfo(each, arcname=str(each.absolute()).lstrip("/"))
                    info.pax_headers = _attributes(each)
                    if info.isreg():
                        with each.open("rb") as stream:
                            archive.addfile(info, stream)
                    else:
                        archive.addfile(info)
        held.seek(0)
        yield from pieces(held)


def _attributes(path: Path) -> dict[str, str]:
    if not hasattr(os, "listxattr"):
        return {}
    names = os.listxattr(path, follow_symlinks=False)
    return {
        f"SCHILY.xattr.{name}": os.getxattr(path, name, follow_symlinks=False).decode(
            "utf-8", "surrogateescape"
        )
        for name in names
    }
