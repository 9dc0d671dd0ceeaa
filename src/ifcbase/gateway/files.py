"""The files of a caller's project by their names, and links to download them."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ifcbase.errors import FileMissing, NotFound
from ifcbase.files.store import StoredFile
from ifcbase.gateway import names
from ifcbase.gateway.caller import Caller
from ifcbase.gateway.state import Gateway, rows
from ifcbase.jobs.engine import Connection
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.gateway", "files.sql")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file of a project: its bytes, its name without folders, its model if it is a version."""

    stored: StoredFile
    name: str
    model: str | None = None
    #: Id and number of the version.
    version: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A link that lets its holder download one file."""

    token: str
    expires_at: datetime
    name: str


def find(caller: Caller, connection: Connection, name: str, sha256: str | None = None) -> NamedFile:
    """The file that a name means; with ``sha256`` only if it ever meant those bytes.

    Raises RequestInvalid for what is no name, FileMissing."""
    wanted = names.parse(name)
    if isinstance(wanted, names.VersionName):
        found = rows(
            connection,
            _SQL["version"],
            {"project": caller.project_id, "model": wanted.model, "number": wanted.number},
        )
        if not found or sha256 not in (None, found[0]["sha256"]):
            raise FileMissing(f"there is no {name!r} in the project", hint="See /v1/models.")
        (row,) = found
        stored = StoredFile(row["sha256"], row["size"])
        return NamedFile(stored, row["file_name"], row["model"], (row["id"], row["number"]))
    found = rows(
        connection,
        _SQL["named"],
        {"project": caller.project_id, "path": wanted, "sha256": sha256},
    )
    if not found:
        raise FileMissing(
            f"there is no file {name!r} in the project",
            hint="Upload it first; /list_directories names the files there are.",
        )
    stored = StoredFile(found[0]["sha256"], found[0]["size"])
    return NamedFile(stored, wanted.rpartition("/")[2])


def list_paths(caller: Caller, connection: Connection, limit: int) -> list[str]:
    """The paths of the project's files."""
    found = rows(connection, _SQL["list"], {"project": caller.project_id, "limit": limit})
    return [each["path"] for each in found]


def note_upload(caller: Caller, connection: Connection, name: str, stored: StoredFile) -> str:
    """Note that a file, whose bytes are in the files backend, was uploaded under this name; gives
    the path that means it from now on. Raises RequestInvalid, Forbidden."""
    path = names.upload_key(name)
    given = {"project": caller.project_id, "path": path, "sha256": stored.sha256}
    rows(connection, _SQL["upload"], given | {"size": stored.size})
    caller.note(connection, "upload file", path)
    return path


def make_link(caller: Caller, connection: Connection, file: NamedFile) -> Link:
    """A link to a file, which holds for the configured time. Raises Forbidden."""
    token = secrets.token_urlsafe(32)
    found = rows(
        connection,
        _SQL["add_link"],
        {
            "project": caller.project_id,
            "hash": _hash(token),
            "sha256": file.stored.sha256,
            "name": file.name,
            "seconds": caller.gateway.settings.download_s,
        },
    )
    return Link(token, found[0]["expires_at"], file.name)


def follow(gateway: Gateway, token: str, request_id: str) -> dict[str, Any]:
    """Project, hash, name and size of the file a link leads to. Raises NotFound."""
    with gateway.acting("anon", {"role": "anon"}, request_id) as connection:
        found = rows(connection, _SQL["download"], {"hash": _hash(token)})
    if not found:
        raise NotFound("this link leads nowhere, or no longer", hint="Make a new one.")
    return found[0]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
