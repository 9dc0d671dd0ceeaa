"""What a database holds, in numbers and hashes: two equal lists say that nothing was lost."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg import sql

from ifcbase.sqlfiles import queries

Connection = psycopg.Connection[tuple[Any, ...]]
SQL: dict[str, LiteralString] = queries("ifcbase.stack.backup", "backup.sql")

#: One line per fact, by kind and name: ``"rows core.jobs" -> "12 8843…"``.
Facts = dict[str, str]


def facts(connection: Connection, schemas: list[str]) -> Facts:
    """Rows (how many, and a hash of all of them that does not depend on their order), positions of
    sequences and definitions in these schemas, as one transaction sees them."""
    found: Facts = {}
    with connection.transaction():
        connection.execute(SQL["canonical"])
        for schema, table in connection.execute(SQL["tables"], {"schemas": schemas}).fetchall():
            found[f"rows {schema}.{table}"] = _rows(connection, schema, table)
        for schema, name in connection.execute(SQL["sequences"], {"schemas": schemas}).fetchall():
            position = connection.execute(
                sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
            ).fetchone()
            found[f"sequence {schema}.{name}"] = "{} {}".format(*(position or ("", "")))
        for kind, name, value in connection.execute(SQL["definitions"], {"schemas": schemas}):
            found[f"{kind} {name}"] = value
    return found


def managed_facts(connection: Connection, tables: list[tuple[str, str]]) -> Facts:
    """Rows of the tables that Supabase's services keep."""
    with connection.transaction():
        connection.execute(SQL["canonical"])
        return {f"rows {schema}.{name}": _rows(connection, schema, name) for schema, name in tables}


def _rows(connection: Connection, schema: str, table: str) -> str:
    # A sum of hashes is the same in whichever order the rows lie, and needs no room.
    row = connection.execute(
        sql.SQL(
            "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0),"
            " coalesce(sum(hashtextextended(t::text, 1)::numeric), 0) FROM {} t"
        ).format(sql.Identifier(schema, table))
    ).fetchone()
    return "{} {} {}".format(*(row or (0, 0, 0)))


def differences(before: Facts, after: Facts) -> list[str]:
    """What is not the same, one line each."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if old is None:
            lines.append(f"{name}: was not there before")
        elif new is None:
            lines.append(f"{name}: is missing")
        elif name.startswith("rows "):
            lines.append(f"{name}: {old.split()[0]} rows became {new.split()[0]}, or others")
        else:
            lines.append(f"{name}: differs")
    return lines


def counted(found: Facts) -> tuple[int, int]:
    """How many tables and rows."""
    rows = [int(value.split()[0]) for name, value in found.items() if name.startswith("rows ")]
    return len(rows), sum(rows)
