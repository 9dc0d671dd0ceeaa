"""Projects and their members, as the operator manages them."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from ifcbase.errors import Conflict, NotFound, RequestInvalid
from ifcbase.ledger.connect import translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "access.sql")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
Connection = psycopg.Connection[tuple[Any, ...]]
ROLES = ("viewer", "editor", "admin")


def list_projects(connection: Connection) -> list[dict[str, Any]]:
    """All projects by name, with the numbers of their members and clash results."""
    return _rows(connection, "projects")


def create_project(connection: Connection, name: str, *, title: str | None = None) -> int:
    """Make a project; its id. Raises RequestInvalid for a bad name, Conflict if there is one."""
    if not _NAME.fullmatch(name):
        raise RequestInvalid(
            f"{name!r} is no name for a project",
            hint="Use up to 63 of a-z, 0-9, - and _, the first a letter or digit; see --title.",
        )
    rows = _rows(connection, "create_project", project=name, title=title)
    if not rows:
        raise Conflict(f"there is a project {name!r} already", hint="Choose another name.")
    return int(rows[0]["id"])


def set_public(connection: Connection, name: str, *, public: bool) -> None:
    """Let everybody read a project, or members only. Raises NotFound."""
    if not _rows(connection, "publish", project=name, public=public):
        raise _no_project(name)


def list_members(connection: Connection, project: str) -> list[dict[str, Any]]:
    """The members of a project with their roles. Raises NotFound."""
    return _rows(connection, "members", id=_project_id(connection, project))


def add_member(connection: Connection, project: str, user: str, role: str) -> None:
    """Give a user (a UUID, as in auth.users) a role in a project, instead of the one it has.

    Raises NotFound, RequestInvalid."""
    if role not in ROLES:
        raise RequestInvalid(f"{role!r} is no role", hint=f"Roles are {', '.join(ROLES)}.")
    key = {"id": _project_id(connection, project), "user": _user_id(user)}
    with translated():
        connection.execute(_SQL["add_member"], {**key, "role": role})


def remove_member(connection: Connection, project: str, user: str) -> None:
    """Take a user out of a project. Raises NotFound, RequestInvalid."""
    key = {"id": _project_id(connection, project), "user": _user_id(user)}
    if not _rows(connection, "remove_member", **key):
        raise NotFound(
            f"{user} is no member of {project!r}", hint="List them with `ifcbase members list`."
        )


def _project_id(connection: Connection, name: str) -> int:
    rows = _rows(connection, "project", project=name)
    if not rows:
        raise _no_project(name)
    return int(rows[0]["id"])


def _no_project(name: str) -> NotFound:
    return NotFound(f"there is no project {name!r}", hint="List them with `ifcbase projects list`.")


def _user_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise RequestInvalid(
            f"{text!r} is no user id",
            hint="A user is named by the UUID in auth.users (Supabase Studio shows it).",
        ) from error


def _rows(connection: Connection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()


def apply_storage(connection: Connection) -> list[str]:
    """Make our buckets in Supabase Storage with their policies; what could not be done, or had to be
    closed, in sentences."""
    with translated(), connection.transaction():
        return [str(line) for (line,) in connection.execute(_SQL["apply_storage"]).fetchall()]
