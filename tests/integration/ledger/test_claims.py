"""core.can and what follows from claims: keys never more than named, projects of inserts, cheap plans."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.ledger.filled import ROWS, USERS, Filled, fill
from tests.integration.servers import Database
from tests.integration.world import World

VERBS = ("read", "write", "decide", "admin")
INSERT = (
    "insert into public.diff_results (old_file, new_file, diff_count, diff_data{column})"
    " values ('a', 'b', 0, '{{}}'{value}) returning project_id"
)


@pytest.fixture(scope="module")
def filled(server: Any, template: Any) -> Iterator[Filled]:
    """Three projects; tests undo what they do."""
    with server.database(template(server)) as database:
        world = Filled(database.dsn)
        try:
            fill(world)
            yield world
        finally:
            world.close()


def verbs_in(world: Filled, project: int) -> set[str]:
    return {v for v in VERBS if world.value("select core.can(%s, %s)", project, v)}


@pytest.mark.parametrize(
    ("caller", "own"),
    [
        ("anon", set()),
        ("stranger", set()),
        ("viewer", {"read"}),
        ("editor", {"read", "write", "decide"}),
        ("admin", set(VERBS)),
        ("key read", {"read"}),
        ("key write", {"read", "write"}),
    ],
)
def test_verbs_of_each_caller(filled: Filled, caller: str, own: set[str]) -> None:
    with filled.acting(caller):
        assert verbs_in(filled, filled.ids["own"]) == own
        assert verbs_in(filled, filled.ids["foreign"]) == set()
        assert verbs_in(filled, filled.ids["open"]) == (set() if "key" in caller else {"read"})
        assert filled.value("select core.can(null, 'read')") is False
        assert filled.value("select core.can(987654, 'read')") is False


def test_the_service_may_do_all(filled: Filled) -> None:
    with filled.acting("service"):
        for project in filled.ids.values():
            assert verbs_in(filled, project) == set(VERBS)


def test_an_unknown_verb_is_an_error_not_a_no(filled: Filled) -> None:
    for verb in ("raed", "", None):
        with filled.acting("admin"), pytest.raises(psycopg.errors.InvalidParameterValue):
            filled.value("select core.can(1, %s)", verb)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"ifcbase_verbs": ["read", "decide"]}, {"read", "decide"}),
        ({"ifcbase_verbs": []}, set()),
        ({"ifcbase_verbs": ["READ", "read "]}, set()),
        ({"ifcbase_verbs": "read"}, set()),
        ({"ifcbase_verbs": {"read": False}}, set()),
        ({"ifcbase_verbs": None}, set()),
        ({}, set()),
    ],
)
def test_a_key_has_the_verbs_it_names(
    filled: Filled, claims: dict[str, Any], expected: set[str]
) -> None:
    for project in (filled.ids["own"], str(filled.ids["own"])):
        with filled.acting("key read", {"ifcbase_project": project, **claims}):
            assert verbs_in(filled, filled.ids["own"]) == expected


@pytest.mark.parametrize("project", [None, "own", "*", "", [1], {"id": 1}, 1.5, True, -1])
def test_a_key_of_no_project_opens_none(filled: Filled, project: Any) -> None:
    with filled.acting("key read", {"ifcbase_project": project, "ifcbase_verbs": list(VERBS)}):
        assert filled.sql("select core.projects_with('read')") == []


def test_a_key_without_a_project_opens_none(filled: Filled) -> None:
    with filled.acting("key read", {"ifcbase_verbs": list(VERBS), "sub": USERS["admin"]}):
        assert filled.sql("select core.projects_with('read')") == []


def test_a_key_in_an_admins_name_stays_a_key(filled: Filled) -> None:
    claims = {
        "ifcbase_project": filled.ids["own"],
        "ifcbase_verbs": ["read"],
        "sub": USERS["admin"],
    }
    with filled.acting("key read", claims):
        assert verbs_in(filled, filled.ids["own"]) == {"read"}
        assert verbs_in(filled, filled.ids["open"]) == set()


def test_a_key_of_a_project_its_maker_is_not_in(filled: Filled) -> None:
    """Claims are signed by whoever made the key; they decide alone."""
    claims = {
        "ifcbase_project": filled.ids["foreign"],
        "ifcbase_verbs": ["read"],
        "sub": USERS["viewer"],
    }
    with filled.acting("key read", claims):
        assert filled.sql("select core.projects_with('read')") == [(filled.ids["foreign"],)]


# --- the project of an insert --------------------------------------------------------------------


@pytest.mark.parametrize("view", sorted(ROWS))
@pytest.mark.parametrize("caller", ["editor", "admin", "key write"])
def test_an_insert_without_project_goes_to_the_only_one(
    filled: Filled, view: str, caller: str
) -> None:
    row = ROWS[view]
    statement = (
        f"insert into public.{view} ({', '.join(row)}) values ({', '.join(row.values())})"
        " returning project_id"
    )
    with filled.acting(caller):
        assert filled.sql(statement) == [(filled.ids["own"],)]


def test_a_service_without_project_writes_to_default(filled: Filled) -> None:
    with filled.acting("service"):
        assert filled.value(INSERT.format(column="", value="")) == 1


def test_a_user_of_several_projects_must_name_one(filled: Filled) -> None:
    with filled.connection.transaction(force_rollback=True):
        filled.sql(
            "insert into core.members values (%s, %s, 'editor')",
            filled.ids["foreign"], USERS["editor"],
        )  # fmt: skip
        with filled.acting("editor"):
            for view, row in ROWS.items():
                with pytest.raises(psycopg.errors.NotNullViolation, match="project_id") as caught:
                    filled.sql(
                        f"insert into public.{view} ({', '.join(row)})"
                        f" values ({', '.join(row.values())})"
                    )
                assert caught.value.diag.column_name == "project_id"
            named = INSERT.format(column=", project_id", value=", %s")
            assert filled.value(named, filled.ids["foreign"]) == filled.ids["foreign"]


def test_a_viewers_other_project_does_not_make_it_ambiguous(filled: Filled) -> None:
    with filled.connection.transaction(force_rollback=True):
        filled.sql(
            "insert into core.members values (%s, %s, 'viewer')",
            filled.ids["foreign"], USERS["editor"],
        )  # fmt: skip
        with filled.acting("editor"):
            assert filled.value(INSERT.format(column="", value="")) == filled.ids["own"]


@pytest.mark.parametrize("caller", ["stranger", "viewer", "key read"])
def test_who_may_write_nowhere_is_told_so(filled: Filled, caller: str) -> None:
    with (
        filled.acting(caller),
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="any project"),
    ):
        filled.sql(INSERT.format(column="", value=""))


def test_no_chain_of_another_project_is_joined(filled: Filled) -> None:
    """Inserting through the view runs with the owner's rights; it must not lend them."""
    row = ROWS["clash_results"] | {"original_clash_id": str(filled.results["foreign"])}
    with filled.acting("editor"), pytest.raises(psycopg.errors.ForeignKeyViolation):
        filled.sql(
            f"insert into public.clash_results ({', '.join(row)}) values ({', '.join(row.values())})"
        )


# --- cost ----------------------------------------------------------------------------------------


def test_a_policy_asks_once_per_statement_and_lets_an_index_serve(ledger: Database) -> None:
    world = World(ledger.dsn)
    try:
        world.sql("insert into core.projects (name) select 'p' || i from generate_series(1, 100) i")
        world.sql(
            """insert into conversion.results (project_id, input_filename, output_filename,
                                               conversion_options)
               select p.id, 'a', 'b', '{}' from core.projects p, generate_series(1, 1000) i
                where p.name <> 'default'"""
        )
        world.sql("analyze")
        user = USERS["viewer"]
        world.sql(
            "insert into core.members select id, %s, 'viewer' from core.projects where name = 'p7'",
            user,
        )
        world.sql("select set_config('request.jwt.claims', %s, false)", json.dumps({"sub": user}))
        world.sql("set role authenticated")
        ((plan,),) = world.sql(
            "explain (analyze, format json) select * from public.conversion_results"
        )
        text = json.dumps(plan)
        assert world.value("select count(*) from public.conversion_results") == 1000
        assert '"InitPlan"' in text
        assert '"SubPlan"' not in text
        assert "conversion_recent" in text
        # 100 000 calls of a function took half a second; one takes less than a millisecond.
        assert plan[0]["Execution Time"] < 100
    finally:
        world.close()


def test_a_big_document_costs_a_member_little_more_than_the_service(ledger: Database) -> None:
    world = Filled(ledger.dsn)
    try:
        fill(world)
        result = world.results["own"]
        _many_sightings(world, result, 20_000)
        read = "explain (analyze, timing off, format json) select clash_data from public.clash_results where id = %s"
        took = {}
        for caller in ("service", "viewer"):
            with world.acting(caller):
                took[caller] = min(world.value(read, result)[0]["Execution Time"] for _ in range(3))
        assert took["viewer"] < 3 * took["service"] + 100, took
    finally:
        world.close()


def _many_sightings(world: Filled, result: int, count: int) -> None:
    project = world.ids["own"]
    world.sql(
        """with made as (
             insert into core.elements (project_id, model_id, global_id)
             select %s, (select min(id) from core.models where project_id = %s), 'e' || i
               from generate_series(1, %s) i returning id
           ), numbered as (select id, row_number() over (order by id) as n from made),
           twins as (
             select a.id as a, b.id as b, a.n from numbered a join numbered b on b.n = a.n + 1
           ), found as (
             insert into core.findings (id, project_id, check_name)
             select 1000000 + n, %s, 'clash' from twins returning id
           ), pairs as (
             insert into clash.pairs (id, project_id, set_id, a_element, b_element)
             select 1000000 + n, %s, (select set_id from clash.results where id = %s), a, b from twins
             returning id
           )
           insert into clash.sighting_rows
           select %s, id, 0.1, 0, 0, 0, 0, 0, 0, -1, (1 << 8) + (3 << 4) + (2 << 1) from pairs""",
        project, project, count + 1, project, project, result, result,
    )  # fmt: skip
    world.sql("analyze")


# --- the switch of a worker's role ---------------------------------------------------------------


def test_attempts_know_who_started_them(filled: Filled) -> None:
    job = filled.job({"A": "own A", "B": "own B"})
    start = "select public.start_attempt(%s, 'w', 'h', 60)"
    for caller, suffix in (("worker", "/worker-own"), ("service", "")):
        with filled.acting(caller):
            filled.sql(start, job.id)
            filled.sql("reset role")
            user = filled.value("select session_user::text")
            assert filled.value(
                "select started_by from core.attempts where job_id = %s", job.id
            ) == user + suffix  # fmt: skip


def test_the_owner_sees_all_through_the_ledger(filled: Filled) -> None:
    store = PostgresLedger(filled.dsn)
    try:
        assert store.start_attempt(USERS["other"], worker="w", host="h", lease_s=60) is None
    finally:
        store.close()
    assert filled.value("select count(*) from public.clash_results") == 6
