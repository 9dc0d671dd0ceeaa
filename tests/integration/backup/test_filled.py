"""The drill says nothing about a table that is empty in it: each is filled, or excused here."""

from __future__ import annotations

import psycopg

from tests.integration.servers import Database

#: Tables that the drill leaves empty, and why that hides nothing.
EXCUSED: dict[str, str] = {}
TABLES = """
select n.nspname || '.' || c.relname, c.oid::regclass::text
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = any (array['core', 'clash', 'conversion', 'tester', 'diff'])
   and c.relkind in ('r', 'p')
 order by 1
"""


def test_every_table_has_rows_in_the_drill_or_a_reason(filled_database: Database) -> None:
    with psycopg.connect(filled_database.dsn) as connection:
        tables: dict[str, str] = dict(connection.execute(TABLES).fetchall())
        empty = {
            name
            for name, quoted in tables.items()
            if connection.execute(f"select from {quoted} limit 1").fetchone() is None
        }
    assert len(tables) > 50
    assert empty == EXCUSED.keys()
    assert all(EXCUSED.values())
