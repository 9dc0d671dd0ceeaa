"""A filled ledger with files, and what is compared after a restore."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from ifcbase.files.local import LocalFiles
from ifcbase.stack.backup.facts import Facts, facts
from ifcbase.stack.backup.folder import Folder
from ifcbase.stack.backup.source import Deployment
from tests.integration.ledger.filled import Filled, fill
from tests.integration.migrated import Template, template
from tests.integration.servers import Database, Server

__all__ = ["template"]


@dataclass(frozen=True)
class Stand:
    """A deployment with something in every table, and a folder for its backups."""

    database: Database
    deployment: Deployment
    folder: Folder
    files: Path


def deployment(database: Database, files: Path) -> Deployment:
    return Deployment(
        dsn=database.dsn, files=files, settings={"IFCBASE_PROJECT": "default"},
        private={"DATABASE_URL": database.dsn}, globals_dsn=database.admin_dsn,
    )  # fmt: skip


@pytest.fixture(scope="session")
def filled_database(server: Server, template: Template) -> Iterator[Database]:
    """Something in every table; nobody may stay connected to it, it is copied."""
    with server.database(template(server)) as found:
        world = Filled(found.dsn)
        fill(world)
        # Nobody works on what it leaves unfinished.
        world.sql("update core.attempts set lease_until = now() where ended_at is null")
        world.close()
        yield found


@pytest.fixture
def stand(server: Server, filled_database: Database, tmp_path: Path) -> Iterator[Stand]:
    with server.database(filled_database.name) as database:
        files = tmp_path / "files"
        put_files(database.dsn, files, tmp_path)
        yield Stand(database, deployment(database, files), Folder(tmp_path / "backups"), files)


def put_files(dsn: str, folder: Path, work: Path) -> None:
    """The bytes of files that the ledger knows by their hash: those whose text we know."""
    store = LocalFiles(folder)
    for name in ("own", "foreign", "open"):
        for content in (f"{name} A", f"{name} B", f"{name} A2"):
            source = work / "upload"
            source.write_text(content, encoding="utf-8")
            store.put(name, source)


def everything(dsn: str) -> Facts:
    """All that can be said of a database, the rows of its views and results of its functions too."""
    with psycopg.connect(dsn) as connection:
        schemas = [
            row[0]
            for row in connection.execute(
                "select nspname from pg_namespace where nspname !~ '^pg_'"
                " and nspname <> 'information_schema'"
            )
        ]
        found = facts(connection, schemas)
        views = connection.execute(
            "select format('%%I.%%I', schemaname, viewname) from pg_views"
            " where schemaname = any (%s) order by 1", [schemas],
        ).fetchall()  # fmt: skip
        for (view,) in views:
            row = connection.execute(
                f"select count(*), sum(hashtextextended(v::text, 0)::numeric) from {view} v"
            ).fetchone()
            found[f"view rows {view}"] = str(row)
        for call in CALLS:
            rows = connection.execute(call).fetchall()
            found[f"call {call}"] = str(sorted(map(str, rows)))
    return found


#: Functions whose results must come back, over all sets and series.
CALLS = (
    "select s.id, t.* from clash.sets s, lateral clash.verify_chain(s.id) t",
    "select s.id, t.* from tester.series s, lateral tester.verify_series(s.id) t",
    "select s.id, t.* from diff.series s, lateral diff.verify_series(s.id) t",
    """select a.id, b.id, t.* from clash.results a join clash.results b on a.set_id = b.set_id
        and a.state = 'finished' and b.state = 'finished', lateral clash.compare(a.id, b.id) t""",
    "select id, core.can(id, 'read'), core.default_project() from core.projects",
)
