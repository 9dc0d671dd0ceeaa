"""The role that dashboards read the ledger as, and the views that are all it sees."""

from __future__ import annotations

from collections.abc import Sequence

from ifcbase.errors import RequestInvalid
from ifcbase.stack.backup.source import connected
from ifcbase.stack.sql import query

ROLE = "ifcbase_reader"
_LEAST = 12


def make_reader(dsn: str, password: str, projects: Sequence[str] = ()) -> None:
    """Make or change the role, with the views of the schema ``dashboard``, which show these projects,
    all if none is named. ``dsn`` is that of the ledger's owner. Raises RequestInvalid."""
    if len(password) < _LEAST:
        raise RequestInvalid(
            f"the password of {ROLE} has less than {_LEAST} characters",
            hint="Set IFCBASE_READER_PASSWORD to a long random one.",
        )
    with connected(dsn) as connection, connection.transaction():
        known = {row[0] for row in connection.execute("select name from core.projects")}
        if unknown := sorted(set(projects) - known):
            raise RequestInvalid(
                f"there is no project {unknown[0]}",
                hint="List them with `ifcbase projects list`.",
            )
        for name, value in (("password", password), ("projects", ",".join(projects))):
            connection.execute("select set_config(%s, %s, true)", [f"reader.{name}", value])
        connection.execute(query("reader").encode())
