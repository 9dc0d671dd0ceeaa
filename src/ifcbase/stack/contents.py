"""What a server holds, counted: two lists that are equal say that a dump was restored whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from ifcbase.stack.sql import query

#: One line per fact, for instance ``("app", "rows", "public", "items") -> (3,)``.
Facts = dict[tuple[str, ...], tuple[Any, ...]]


@dataclass(frozen=True)
class Contents:
    """All facts about a server, and the names and total size (bytes) of its databases."""

    facts: Facts
    databases: tuple[str, ...]
    size: int

    @property
    def tables(self) -> int:
        """How many tables hold rows of their own."""
        return sum(1 for key in self.facts if key[1] == "rows")

    @property
    def rows(self) -> int:
        """How many rows all tables hold."""
        return sum(fact[0] for key, fact in self.facts.items() if key[1] == "rows")


def contents(dsn_of: Callable[[str], str]) -> Contents:
    """Count everything; ``dsn_of`` gives the superuser's connection string of a database, because
    anyone else would count only the rows that row security shows."""
    facts: Facts = {}
    with psycopg.connect(dsn_of("postgres")) as connection:
        databases = connection.execute(query("databases")).fetchall()
        for row in connection.execute(query("roles")):
            facts["", "role", row[0]] = row[1:]
        for row in connection.execute(query("memberships")):
            facts["", "member", row[0], row[1]] = row[2:]
    names = tuple(row[0] for row in databases)
    for name, owner, _ in databases:
        facts["", "database", name] = (owner,)
        with psycopg.connect(dsn_of(name)) as connection:
            for key, fact in _facts_of(connection):
                facts[name, *key] = fact
    return Contents(facts, names, sum(row[2] for row in databases))


def differences(before: Contents, after: Contents) -> list[str]:
    """What is not the same, one line each; empty when nothing was lost or changed."""
    lines = []
    for key in sorted(before.facts.keys() | after.facts.keys()):
        old, new = before.facts.get(key), after.facts.get(key)
        if old != new:
            what = " ".join(part for part in key if part)
            shown = "differs" if key[1] == "role" else f"{old} became {new}"
            lines.append(f"{what}: {shown}")
    return lines


def _facts_of(
    connection: psycopg.Connection[tuple[Any, ...]],
) -> list[tuple[tuple[str, ...], tuple[Any, ...]]]:
    found: list[tuple[tuple[str, ...], tuple[Any, ...]]] = []
    for row in connection.execute(query("tables")).fetchall():
        count = connection.execute(
            sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(row[0], row[1]))
        ).fetchone()
        found.append((("rows", row[0], row[1]), count or ()))
        found.append((("table", row[0], row[1]), row[2:]))
    for schema, name in connection.execute(query("sequences")).fetchall():
        position = connection.execute(
            sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, name))
        ).fetchone()
        found.append((("sequence", schema, name), position or ()))
    found += [
        (("policy", *row[:3]), row[3:]) for row in connection.execute(query("policies")).fetchall()
    ]
    found += [
        (("objects", *row[:2]), row[2:]) for row in connection.execute(query("objects")).fetchall()
    ]
    found += [
        (("extension", row[0]), ()) for row in connection.execute(query("extensions")).fetchall()
    ]
    return found
