"""What keeps the ledger quick: shapes of plans, and work against a baseline of the same run.

Work is counted, not timed: pages that a query touches and rows that a transaction touches are the
same on a machine that is busy with something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
import pytest
from benchmarks import ledger as bench
from benchmarks import volume

from ifcbase.ledger.linking import link_versions
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.servers import Database

RESULTS, SIGHTINGS = 12, 1500
Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module", autouse=True)
def few_elements() -> Iterator[None]:
    """The benchmark's models, but small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "ELEMENTS", 400)
        yield


@pytest.fixture
def connection(ledger: Database) -> Iterator[Connection]:
    with psycopg.connect(ledger.dsn, autocommit=True) as found:
        yield found


@pytest.fixture
def store(ledger: Database) -> Iterator[PostgresLedger]:
    found = PostgresLedger(ledger.dsn)
    yield found
    found.close()


def filled(connection: Connection, store: PostgresLedger, results: int) -> list[int]:
    made = []
    for revision, pairs in zip(range(results), bench.pairs_of_revisions(SIGHTINGS), strict=False):
        made.append(bench.store(store, bench.submit(connection, revision), pairs)[0])
    connection.execute("analyze")
    return made


def test_nothing_reads_all_sightings_and_what_the_benchmark_fills_verifies(
    connection: Connection, store: PostgresLedger
) -> None:
    ids = filled(connection, store, RESULTS)
    row = connection.execute(
        "select set_id, (select min(a_element) from clash.pairs) from clash.results"
    ).fetchone()
    assert row is not None
    asked = {"set": row[0], "element": row[1], "before": ids[-4], "last": ids[-1]}
    for name, (_, query) in bench.Q.items():
        assert "sighting_rows" not in bench.scans(connection, query, asked), name
    # Functions hide their plans: what compare asks of the sightings, as it asks it.
    inside: LiteralString = """select coalesce(x.pair_id, y.pair_id), x.distance, y.distance
        from (select * from clash.sightings where result_id = %(before)s) x
        full join (select * from clash.sightings where result_id = %(last)s) y
          on y.pair_id = x.pair_id"""
    assert bench.scans(connection, inside, asked) == set()
    assert connection.execute("select * from clash.verify_chain(%s)", (row[0],)).fetchall() == []


def pages(connection: Connection, query: LiteralString, asked: dict[str, int]) -> int:
    """Pages of tables and indexes that a query touches, functions it calls included."""
    told = b"explain (analyze, buffers, timing off, format json) " + query.encode()
    # The second time: by then what it compiles is compiled.
    for _ in range(2):
        row = connection.execute(told, asked).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def touched(connection: Any) -> int:
    """Rows that the transaction read from tables or by indexes, and that it wrote."""
    row = connection.execute(
        "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd + n_tup_del)"
        " from pg_stat_xact_all_tables"
    ).fetchone()
    return int(row[0])


def test_comparing_touches_little_more_than_reading_both(
    connection: Connection, store: PostgresLedger
) -> None:
    ids = filled(connection, store, 3)
    asked = {"before": ids[0], "last": ids[2]}
    reading = pages(
        connection, "select * from clash.sightings where result_id in (%(before)s, %(last)s)", asked
    )
    comparing = pages(connection, bench.Q["comparing two results"][1], asked)
    # Looking each pair up by itself touches some pages for each of them: 40 times as many.
    assert comparing < 5 * reading, (comparing, reading)


def test_what_is_asked_of_a_chain_does_not_grow_with_its_sightings(
    connection: Connection, store: PostgresLedger
) -> None:
    """States, trend and comparison touch what they say, however many results there are."""
    ids = filled(connection, store, 4)
    row = connection.execute("select set_id from clash.results").fetchone()
    assert row is not None
    asked = {"set": row[0], "before": ids[0], "last": ids[-1]}
    names = ("comparing two results", "states of a whole set", "trend of all results")
    before = {name: pages(connection, bench.Q[name][1], asked) for name in names}
    for revision, pairs in zip(range(6), bench.pairs_of_revisions(SIGHTINGS), strict=False):
        bench.store(store, bench.submit(connection, 100 + revision), pairs)
    connection.execute("vacuum analyze")
    for name in names:
        assert pages(connection, bench.Q[name][1], asked) < 2 * before[name] + 50, name


def test_a_sighting_takes_no_more_than_its_bytes(
    connection: Connection, store: PostgresLedger
) -> None:
    """350 MB for 2 000 000 sightings leave 175 bytes for each, with indexes and all that is derived."""
    filled(connection, store, RESULTS)
    connection.execute("vacuum analyze clash.sighting_rows")
    row = connection.execute(
        "select pg_total_relation_size('clash.sighting_rows'), (select count(*) from clash.sightings)"
    ).fetchone()
    assert row is not None
    assert row[0] / row[1] < 165, row


def stored(connection: Connection, store: PostgresLedger, name: str, sightings: int) -> list[float]:
    """Rows touched for each sighting of a set's first result, its second and its third: to write
    the sightings, and to finish the result."""
    made = []
    for revision, pairs in zip(range(3), bench.pairs_of_revisions(sightings), strict=False):
        job = bench.submit(connection, sightings + revision)
        attempt = store.start_attempt(job, worker="w", host="h", lease_s=600)
        assert attempt is not None
        with store.writing(attempt.token) as writer:
            bench.inventories(writer, attempt)
            result, columns = bench.describe(writer, pairs, name)
            before = touched(writer._connection)
            writer.append_sightings(result, columns)
            footer = {
                "clash_count": len(pairs), "verdict": "found", "coverage": 1.0, "warnings": [],
                "engine": {"measure_version": "1"},
            }  # fmt: skip
            writer.finish_result(result, footer)
            made.append((touched(writer._connection) - before) / sightings)
            writer.finish_job({}, {})
        connection.execute("analyze")
    return made


def test_storing_touches_as_many_rows_for_each_sighting_however_many_there_are(
    connection: Connection, store: PostgresLedger
) -> None:
    """A look-up for each row, or a join of all with all, shows as rows touched."""
    few = stored(connection, store, "few", SIGHTINGS // 5)
    many = stored(connection, store, "many", SIGHTINGS)
    # Written once, and read a few times by what finds its pair and derives its state.
    assert max(many) < 120, (few, many)
    assert max(many) < 1.5 * max(few), (few, many)


def test_linking_a_reissued_model_touches_a_few_times_the_rows_of_its_inventory(
    connection: Connection, store: PostgresLedger
) -> None:
    """It was 1.3 ms for each link: twelve times the inventory."""
    count, rows = 4000, {}
    for content, tag in (("one", "a"), ("two", "a"), ("three", "b")):
        attempt = store.start_attempt(
            volume.submit(connection, content), worker="b", host="b", lease_s=3600
        )
        assert attempt is not None
        version = attempt.inputs[0].model_version_id
        assert version is not None
        with store.writing(attempt.token) as writer:
            writer.inventory(version, *volume.inventory(count, tag))
            described = touched(writer._connection)
            link_versions(writer)
            rows[content] = described, touched(writer._connection) - described
    assert connection.execute(
        "select count(*), count(distinct root_id) from core.identities"
    ).fetchone() == (2 * count, count)
    inventory, linking = rows["three"]
    assert linking < 3 * inventory, rows
    # Who kept their ids are not looked at one by one.
    inventory, linking = rows["two"]
    assert linking < inventory, rows


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 300), (2047, 2047)])
def test_positions_are_read_as_they_were_written(
    connection: Connection, store: PostgresLedger, a: int, b: int
) -> None:
    """They share a number with others; shifted as small integers they fell off its end."""
    attempt = store.start_attempt(bench.submit(connection, 1), worker="w", host="h", lease_s=60)
    assert attempt is not None
    with store.writing(attempt.token) as writer:
        bench.inventories(writer, attempt)
        result, columns = bench.describe(writer, next(bench.pairs_of_revisions(10)))
        columns = {**columns, "a_position": columns["a_position"] * 0 + a,
                   "b_position": columns["b_position"] * 0 + b}  # fmt: skip
        writer.append_sightings(result, columns)
    assert connection.execute(
        "select distinct a_position, b_position, kind, measured from clash.sightings"
    ).fetchall() == [(a, b, 3, 2)]
