"""A filled ledger of an earlier release is brought to this version and loses no row."""

from __future__ import annotations

import gzip
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ifcbase.ledger import chains, diffs, ids
from ifcbase.stack.backup.tools import tools_for
from ifcbase.stack.migrations import migrate, require_head
from tests.integration.ledger.freeze import DATA
from tests.integration.migrated import Template
from tests.integration.servers import Database, Server

FROZEN = sorted(DATA.glob("ledger-*.sql.gz"))
#: Short numbers of results that are being written: how they are kept may change, they live for moments.
PASSING = {"clash.result_elements", "tester.result_elements"}
#: What a later version may fill in where it was not known.
GUESSED = {("core.models", "discipline")}
Connection = psycopg.Connection[Any]

TABLES = """
select n.nspname || '.' || c.relname,
       array(select a.attname::text from pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = any (array['core', 'clash', 'conversion', 'tester', 'diff'])
   and c.relkind = any (%s)
 order by 1
"""


def load(database: Database, frozen: Path, major: int) -> None:
    tools = tools_for(database.dsn, major)
    subprocess.run(
        tools.command("psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", "-"),
        env=tools.environment(), input=gzip.decompress(frozen.read_bytes()), check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def columns(connection: Connection, kinds: str) -> dict[str, list[str]]:
    return dict(connection.execute(TABLES, [list(kinds)]).fetchall())


def rows(connection: Connection, table: str, names: list[str]) -> Counter[str]:
    """Every row of a table by these columns, as text."""
    query = sql.SQL("select row({})::text from {}").format(
        sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(*table.split("."))
    )
    return Counter(row[0] for row in connection.execute(query))


@pytest.fixture
def loaded(any_server: Server, template: Template) -> Iterator[Database]:
    # The roles are the server's, and a dump of a database does not hold them.
    template(any_server)
    with any_server.database() as database:
        load(database, FROZEN[0], any_server.major)
        yield database


def test_there_is_a_frozen_ledger_small_enough_to_be_kept() -> None:
    assert FROZEN
    assert sum(path.stat().st_size for path in FROZEN) < 300_000


def test_every_row_is_kept_and_states_still_follow(loaded: Database) -> None:
    with psycopg.connect(loaded.dsn, autocommit=True) as connection:
        tables = {
            table: [name for name in names if (table, name) not in GUESSED]
            for table, names in columns(connection, "rp").items()
            if table not in PASSING
        }
        before = {table: rows(connection, table, names) for table, names in tables.items()}
    assert sum(map(len, before.values())) > 300
    migrate(loaded.dsn)
    require_head(loaded.dsn)
    with psycopg.connect(loaded.dsn, autocommit=True) as connection:
        now = columns(connection, "rpv")
        for table, names in tables.items():
            assert table in now, f"{table} is gone"
            kept = [name for name in names if name in now[table]]
            assert set(names) - set(kept) == set(), f"columns of {table} are gone"
            lost = before[table] - rows(connection, table, kept)
            assert not lost, f"{table} lost {sum(lost.values())} rows: {lost.most_common(1)}"
        for (project,) in connection.execute("select name from core.projects").fetchall():
            for each in chains.list_sets(connection, project):
                assert chains.verify(connection, each["id"]) == []
            for each in ids.list_series(connection, project):
                assert ids.verify(connection, each["id"]) == []
            for each in diffs.list_series(connection, project):
                assert diffs.verify(connection, each["id"]) == []
