"""Schedules: the same outcome by pg_cron and by a worker, and never both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ifcbase.files.local import LocalFiles
from ifcbase.jobs.schedules import tend_once
from ifcbase.ledger import operations
from ifcbase.ledger.postgres import PostgresLedger
from ifcbase.stack.embedded import EmbeddedPostgres
from ifcbase.stack.migrations import migrate
from ifcbase.stack.state import read_state
from tests.integration.ledger.chains import Chain
from tests.integration.operations.test_retention import ONE, THREE, TWO, age, verified
from tests.integration.operations.waiting import wait_for
from tests.integration.servers import FAST, Database, open_folder
from tests.integration.world import World

pytestmark = pytest.mark.long

DUE = "update core.schedules set active = true, next_at = now() - interval '1 s'"


def fill(dsn: str) -> None:
    """The same five results anywhere, four of them old."""
    with closing(World(dsn)) as world:
        store = PostgresLedger(dsn)
        chain = Chain(world, store)
        chain.revise("arc", ["w1", "w2", "w3"])
        chain.revise("mep", ["p1", "p2", "p3"])
        for clashes in ([ONE, TWO], [ONE], [TWO, THREE], [THREE], [ONE, THREE]):
            chain.run(clashes)
        age(world)
        world.sql('update core.schedules set settings = \'{"age": "180 days", "keep": 1}\'')
        store.close()


def outcome(dsn: str) -> dict[str, Any]:
    with closing(World(dsn)) as world:
        return {
            "thinned": world.sql("select id, thinned_at is not null from clash.results order by id"),
            "sightings": world.sql("select result_id, pair_id, distance from clash.sightings order by 1, 2"),
            "seen": world.sql("select result_id, pairs from clash.seen order by 1"),
            "reports": [
                {k: v for k, v in row[0].items() if k not in {"since", "until"}}
                for row in world.sql("select document from core.reports order by id")
            ],
            "due": world.sql("select name, active, next_at > now() from core.schedules order by 1"),
        }  # fmt: skip


@pytest.fixture(scope="module")
def cron() -> Iterator[tuple[str, str]]:
    """Debian's Postgres 15 with pg_cron: the owner's and the superuser's connection strings."""
    if not Path("/usr/share/postgresql/15/extension/pg_cron.control").exists():
        reason = "needs Debian's postgresql-15-cron"
        import os

        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with open_folder() as folder:
        settings = FAST | {
            "shared_preload_libraries": "pg_cron",
            "cron.use_background_workers": "on",
            "max_worker_processes": "12",
        }
        server = EmbeddedPostgres(folder / "home", major=15, settings=settings)
        dsn = server.ensure_running()
        state = read_state(server.state_file)
        assert state is not None
        migrate(dsn)
        yield dsn, state.admin_dsn()
        server.stop()


def test_pg_cron_and_a_worker_come_to_the_same(
    cron: tuple[str, str], ledger: Database, tmp_path: Path
) -> None:
    dsn, admin = cron
    for each in (dsn, ledger.dsn):
        fill(each)
    files = LocalFiles(tmp_path / "files")

    # Somebody else's extension: a worker is the clock, and nothing fails.
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("create extension pg_cron")
        with psycopg.connect(dsn) as ours:
            assert ours.execute("select core.take_clock()").fetchone() == ("worker",)
        connection.execute("grant usage on schema cron to postgres")

    assert tend_once(dsn, files, tmp_path / "cron") == []
    with psycopg.connect(dsn, autocommit=True) as connection:
        assert connection.execute("select core.clock()").fetchone() == ("pg_cron",)
        assert connection.execute("select count(*) from cron.job").fetchone() == (1,)
        connection.execute(DUE)
        # A worker does nothing that is pg_cron's.
        assert connection.execute("select core.run_due('worker')").fetchall() == []
        wait_for(lambda: outcome(dsn)["due"] == done(), "pg_cron never ran", limit_s=200)
        callers = connection.execute("select distinct details ->> 'caller' from core.operations")
        assert callers.fetchall() == [("pg_cron",)]
        # The report's files are a worker's: no database writes into folders.
        (line,) = tend_once(dsn, files, tmp_path / "cron")
        assert line.startswith("report: ")

    with psycopg.connect(ledger.dsn, autocommit=True) as connection:
        connection.execute(DUE)
        assert connection.execute("select core.run_due('pg_cron')").fetchall() == []
    rounds = [tend_once(ledger.dsn, files, tmp_path / "worker") for _ in range(3)]
    assert "retention: 4 thinned" in rounds[0]
    assert rounds[2] == []
    assert outcome(ledger.dsn) == outcome(dsn)
    for kind in ("md", "html"):
        (one,), (other,) = (
            list((tmp_path / clock).glob(f"*.{kind}")) for clock in ("cron", "worker")
        )
        assert one.read_text().splitlines()[2:] == other.read_text().splitlines()[2:]
    assert "clashes" in one.read_text()


def done() -> list[tuple[Any, ...]]:
    return [("report", True, True), ("retention", True, True)]


def test_what_was_missed_is_done_once(ledger: Database) -> None:
    fill(ledger.dsn)
    with psycopg.connect(ledger.dsn, autocommit=True) as connection:
        connection.execute(
            "update core.schedules set active = name = 'report', next_at = now() - interval '50 days'"
        )
        assert connection.execute("select core.run_due('worker')").fetchall() == [
            ("report: 1 made",)
        ]
        assert connection.execute("select core.run_due('worker')").fetchall() == []
        assert connection.execute(
            "select next_at > now(), next_at < now() + every from core.schedules where name = 'report'"
        ).fetchone() == (True, True)


def test_retention_is_off_until_somebody_switches_it_on(ledger: Database) -> None:
    fill(ledger.dsn)
    with psycopg.connect(ledger.dsn, autocommit=True) as connection:
        connection.execute("update core.schedules set next_at = now() - interval '1 s'")
        lines = [row[0] for row in connection.execute("select core.run_due('worker')")]
        assert lines == ["report: 1 made"]
        assert connection.execute(
            "select count(*) from clash.results where thinned_at is not null"
        ).fetchone() == (0,)


def test_bytes_that_came_again_stay(chain: Chain, tmp_path: Path) -> None:
    files = LocalFiles(tmp_path / "files")
    source = tmp_path / "x"
    kept = {}
    for content in ("goes", "comes again"):
        source.write_text(content)
        stored = files.put("default", source)
        kept[content] = stored.sha256
        chain.world.sql("select core.add_file(1, %s, 4, 'x')", stored.sha256)
    chain.world.sql("update core.files set unwanted_at = now() + interval '1 s'")
    # Put there again after it was let go, and not yet told to the ledger.
    chain.world.sql(
        "update core.files set unwanted_at = now() - interval '1 h' where sha256 = %s",
        kept["comes again"],
    )  # fmt: skip
    tend_once(chain.world.dsn, files, tmp_path / "reports")
    assert [p.name for p in files.folder.glob("*/??/*")] == [kept["comes again"]]
    assert chain.world.sql(
        "select sha256, removed_at is not null from core.files where sha256 = any (%s) order by 2",
        list(kept.values()),
    ) == [(kept["comes again"], False), (kept["goes"], True)]


def test_bytes_that_are_uploaded_again_while_they_wait_for_removal_stay(
    chain: Chain, tmp_path: Path
) -> None:
    """Adopted files that are there already are left as they are, and looked older than they were."""
    files = LocalFiles(tmp_path / "files")
    source = tmp_path / "x"
    source.write_text("uploaded again")
    stored = files.put("default", source)
    kept = files.fetch("default", stored.sha256)
    os.utime(kept, (1_000_000_000, 1_000_000_000))
    chain.world.sql("select core.add_file(1, %s, 4, 'x')", stored.sha256)
    chain.world.sql("update core.files set unwanted_at = now() - interval '1 h'")
    # Kept again, and not yet told to the ledger.
    files.adopt("default", source, stored)
    tend_once(chain.world.dsn, files, tmp_path / "reports")
    assert kept.read_text() == "uploaded again"
    # Who removes until nothing is left to remove comes to an end.
    assert operations.remove_unwanted(chain.world.connection, files) == 0


def test_the_chain_is_verified_after_schedules(ledger: Database) -> None:
    fill(ledger.dsn)
    with closing(World(ledger.dsn)) as world:
        world.sql(DUE)
        world.sql("select core.run_due('worker')")
        store = PostgresLedger(ledger.dsn)
        verified(Chain(world, store))
        store.close()
