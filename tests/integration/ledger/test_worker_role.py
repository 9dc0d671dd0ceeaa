"""A worker on a DSN of its own: a login role that was granted ifc_worker, and nothing else."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import conninfo, sql
from psycopg.errors import InsufficientPrivilege

from ifcbase.errors import LeaseLost
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.servers import Database, Server
from tests.integration.world import (
    Job,
    World,
    as_rows,
    coverage,
    element,
    footer,
    header,
    inventory,
    sightings,
    start,
)

WALLS = [element(f"wall-{i}") for i in range(3)]
PIPES = [element(f"pipe-{i}", ifc_class="IfcPipeSegment") for i in range(3)]
REFS = [
    {"ref": i, "input": "A.ifc", "global_id": e.global_id, "n": 0} for i, e in enumerate(WALLS)
] + [
    {"ref": 3 + i, "input": "B.ifc", "global_id": e.global_id, "n": 0} for i, e in enumerate(PIPES)
]


@dataclass
class Site:
    """The owner's view and the DSNs of two workers."""

    world: World
    workers: tuple[str, str]


@pytest.fixture
def site(any_server: Server, template: Callable[[Server], str]) -> Iterator[Site]:
    """A database with two login roles that were granted ifc_worker."""
    with any_server.database(template(any_server)) as database:
        names = [f"worker_{secrets.token_hex(4)}" for _ in range(2)]
        password = secrets.token_hex(16)
        world = World(database.dsn)
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            for name in names:
                admin.execute(
                    sql.SQL("create role {} login password {} in role ifc_worker").format(
                        sql.Identifier(name), sql.Literal(password)
                    )
                )
            try:
                first, second = (_dsn(database, name, password) for name in names)
                yield Site(world, (first, second))
            finally:
                world.close()
                for name in names:
                    admin.execute(
                        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s",
                        [name],
                    )
                    admin.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def _dsn(database: Database, user: str, password: str) -> str:
    return conninfo.make_conninfo(database.dsn, user=user, password=password)


def run(dsn: str, job: Job) -> int:
    """A whole attempt: inventories and sightings by COPY, the rest as rows."""
    store = PostgresLedger(dsn)
    try:
        attempt = start(store, job)
        assert store.heartbeat(attempt.token, {"phase": "meshing", "fraction": 0.5}) is False
        with store.writing(attempt.token) as writer:
            writer.inventory(job.versions["A.ifc"], inventory(WALLS))
            writer.inventory(job.versions["B.ifc"], inventory(PIPES))
            writer.add_output("ab" * 32, 12, "out.json")
            result = writer.open_result(header())
            rows = [{"input": "A.ifc", "selector": "IfcWall", "matched": [["wall-0", 0]]}]
            writer.append_rows(result, "selection", rows)
            sides = [coverage(0, "a", "A.ifc", 3, 2), coverage(1, "b", "B.ifc", 3)]
            writer.append_rows(result, "coverage", sides)
            writer.append_rows(result, "elements", REFS)
            left_out = [{"position": 0, "element": 2, "reason": "no geometry"}]
            writer.append_rows(result, "left_out", left_out)
            writer.append_sightings(result, sightings([(0, 3), (1, 4)]))
            writer.append_rows(result, "sightings", as_rows(sightings([(1, 5)])))
            stored = writer.finish_result(result, footer(3))
            writer.finish_job({"db_id": stored}, {})
    finally:
        store.close()
    return stored


def test_a_worker_with_no_other_right_stores_a_whole_attempt(site: Site) -> None:
    job = site.world.job({"A": "a", "B": "b"})
    result = run(site.workers[0], job)
    assert site.world.state(job) == "finished"
    assert site.world.sql("select id, clash_count from public.clash_results") == [(result, 3)]
    assert site.world.value("select count(*) from clash.pair_states where state = 'new'") == 3
    assert site.world.value(
        "select jsonb_object_keys(clash_data -> 0 -> 'clashes') is not null "
        "from public.clash_results limit 1"
    )  # fmt: skip


def test_a_worker_fails_an_attempt(site: Site) -> None:
    job = site.world.job({"A": "a", "B": "b"}, attempts=1)
    store = PostgresLedger(site.workers[0])
    try:
        attempt = start(store, job)
        assert store.fail_attempt(
            attempt.token, outcome="failed", error={"code": "x"}, may_retry=True, facts={}
        ) == "failed"  # fmt: skip
        with pytest.raises(LeaseLost):
            store.heartbeat(attempt.token)
    finally:
        store.close()
    assert site.world.state(job) == "failed"


def test_a_worker_reads_its_own_results_and_no_others(site: Site) -> None:
    results = [
        run(dsn, site.world.job({"A": f"a{i}", "B": "b"})) for i, dsn in enumerate(site.workers)
    ]
    for dsn, result in zip(site.workers, results, strict=True):
        with psycopg.connect(dsn, autocommit=True) as connection:
            found = "select id, set_version from public.clash_results"
            assert connection.execute(found).fetchall() == [(result, 1)]


def test_a_worker_that_claims_to_be_another_is_still_itself(site: Site) -> None:
    run(site.workers[0], site.world.job({"A": "a", "B": "b"}))
    user = "00000000-0000-4000-8000-000000000001"
    site.world.sql("insert into core.members values (1, %s, 'admin')", user)
    first = conninfo.conninfo_to_dict(site.workers[0])["user"]
    for claims in (
        {"sub": user, "role": "authenticated"},
        {"sub": user, "role": "service_role"},
        {"sub": str(first)},
        {"ifcbase_project": 1, "ifcbase_verbs": ["read", "write", "admin"]},
    ):
        with psycopg.connect(site.workers[1], autocommit=True) as connection:
            connection.execute(
                "select set_config('request.jwt.claims', %s, false)", [json.dumps(claims)]
            )
            assert connection.execute("select id from public.clash_results").fetchall() == []
            for role in ("authenticated", "service_role", "anon", "postgres"):
                with pytest.raises(InsufficientPrivilege):
                    connection.execute(f"set role {role}")


@pytest.mark.parametrize(
    "statement",
    [
        "select * from core.jobs",
        "select token from core.attempts",
        "select * from clash.results",
        "select clash_data from public.clash_results",
        (
            "insert into public.conversion_results (input_filename, output_filename, conversion_options)"
            " values ('a', 'b', '{}')"
        ),
        "update public.diff_results set diff_count = 0",
        "delete from public.tester_results",
        "select core.accept_job(1, 'clash', '{}', '[]', 1, 1, 1)",
        "create table public.mine (id int)",
        "select core.can(1, 'read')",
    ],
)
def test_a_worker_may_nothing_else(site: Site, statement: str) -> None:
    connection = psycopg.connect(site.workers[0], autocommit=True)
    with connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement.encode())


def test_a_worker_may_only_insert_into_what_it_copies(site: Site) -> None:
    """The table is the owner's: its triggers would run with the owner's rights."""
    store = PostgresLedger(site.workers[0])
    job = site.world.job({"A": "a", "B": "b"})
    try:
        token = start(store, job).token
    finally:
        store.close()
    with psycopg.connect(site.workers[0]) as connection:
        connection.execute("select public.copy_target(%s, 'elements')", [token])
        for statement in (
            "select * from pg_temp.incoming_elements",
            (
                "create trigger t before insert on pg_temp.incoming_elements for each row "
                "execute function suppress_redundant_updates_trigger()"
            ),
            "drop table pg_temp.incoming_elements",
            "alter table pg_temp.incoming_elements add column x int",
        ):
            with pytest.raises(InsufficientPrivilege), connection.transaction():
                connection.execute(statement.encode())
