"""The plan's four tables by plain SQL, as a service with the plan's client code uses them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.integration.servers import Database
from tests.integration.world import World

THEN = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)
DOCUMENT = [{"name": "Wände × Rohre 墙", "clashes": {"a-b": {"p1": [0.1, -1e-9, 1e6]}}}]
#: A row of each table: its columns but id and created_at.
ROWS: dict[str, dict[str, Any]] = {
    "clash_results": {
        "clash_set_name": "Wände × Rohre 墙",
        "output_filename": "/output/a b.json",
        "clash_count": 2,
        "clash_data": DOCUMENT,
    },
    "conversion_results": {
        "input_filename": "größe.ifc",
        "output_filename": "out.glb",
        "conversion_options": {"--use-world-coords": True, "n": None},
    },
    "tester_results": {
        "ifc_filename": "a.ifc",
        "ids_filename": "b.ids",
        "test_results": {"specifications": ["✓", 1.5]},
        "pass_count": 3,
        "fail_count": 0,
    },
    "diff_results": {
        "old_file": "old.ifc",
        "new_file": "new.ifc",
        "diff_count": 7,
        "diff_data": {"added": []},
    },
}
PLAIN = sorted(set(ROWS) - {"clash_results"})


@pytest.fixture
def service(any_world: World) -> World:
    """The database of each major version as service_role."""
    any_world.sql("set role service_role")
    return any_world


@pytest.fixture
def one_service(world: World) -> World:
    world.sql("set role service_role")
    return world


def insert(world: World, view: str, returning: str = "id", **columns: Any) -> Any:
    """Insert a row as client code does; the returned columns."""
    names = ", ".join(columns)
    marks = ", ".join(["%s"] * len(columns))
    values = [Jsonb(v) if isinstance(v, dict | list) else v for v in columns.values()]
    (row,) = world.sql(
        f"insert into public.{view} ({names}) values ({marks}) returning {returning}", *values
    )
    return row[0] if len(row) == 1 else row


@pytest.mark.parametrize("view", sorted(ROWS))
def test_what_goes_in_comes_out(service: World, view: str) -> None:
    given = ROWS[view]
    names = ["id", *given, "created_at"]
    columns = ", ".join(names)
    returned = insert(service, view, columns, **given)
    (selected,) = service.sql(f"select {columns} from public.{view} where id = %s", returned[0])
    assert selected == returned
    assert dict(zip(names, selected, strict=True)) == {
        "id": returned[0], **given, "created_at": returned[-1],
    }  # fmt: skip
    age = service.value("select clock_timestamp() - %s::timestamptz", returned[-1])
    assert 0 <= age.total_seconds() < 60


@pytest.mark.parametrize("view", sorted(ROWS))
def test_rows_are_ordered_filtered_and_counted(service: World, view: str) -> None:
    ids = [
        insert(service, view, **ROWS[view], created_at=THEN.replace(day=day)) for day in (3, 1, 2)
    ]
    found = service.sql(f"select id from public.{view} order by created_at desc")
    assert [row[0] for row in found] == [ids[0], ids[2], ids[1]]
    assert service.value(
        f"select id from public.{view} where created_at < %s", THEN.replace(day=2)
    ) == ids[1]  # fmt: skip
    first = next(iter(ROWS[view]))
    assert service.value(
        f"select count(*) from public.{view} where {first} = %s", ROWS[view][first]
    ) == 3  # fmt: skip
    assert service.sql(f"select id from public.{view} where {first} = 'something else'") == []


@pytest.mark.parametrize("view", sorted(ROWS))
def test_a_chosen_id_and_time_are_kept_and_never_given_again(service: World, view: str) -> None:
    chosen = insert(service, view, **ROWS[view]) + 500
    assert insert(
        service, view, "id, created_at", **ROWS[view], id=chosen, created_at=THEN
    ) == (chosen, THEN)  # fmt: skip
    assert insert(service, view, **ROWS[view]) == chosen + 1, "steps over the chosen one"
    assert insert(service, view, **ROWS[view], id=chosen - 7) == chosen - 7
    assert insert(service, view, **ROWS[view]) == chosen + 2, "a smaller one does not turn it back"
    with pytest.raises(psycopg.errors.UniqueViolation):
        insert(service, view, **ROWS[view], id=chosen)


@pytest.mark.parametrize("view", sorted(ROWS))
@pytest.mark.parametrize("how", ["null", "absent"])
def test_each_column_of_the_plan_must_be_given(one_service: World, view: str, how: str) -> None:
    for column in ROWS[view]:
        row = {k: v for k, v in ROWS[view].items() if k != column}
        if how == "null":
            row[column] = None
        with pytest.raises(psycopg.errors.NotNullViolation):
            insert(one_service, view, **row)
    assert one_service.value(f"select count(*) from public.{view}") == 0


@pytest.mark.parametrize("view", sorted(ROWS))
def test_nulls_of_a_bulk_insert_mean_nothing_was_given(one_service: World, view: str) -> None:
    """PostgREST fills the columns that only some rows of a request name with null."""
    when, project = insert(
        one_service, view, "created_at, project_id", **ROWS[view], created_at=None, project_id=None
    )
    assert when is not None
    assert project == 1


@pytest.mark.parametrize("view", PLAIN)
def test_plain_tables_are_corrected_and_deleted(service: World, view: str) -> None:
    kept, gone = insert(service, view, **ROWS[view]), insert(service, view, **ROWS[view])
    first = next(iter(ROWS[view]))
    assert service.sql(
        f"update public.{view} set {first} = 'corrected' where id = %s returning {first}", kept
    ) == [("corrected",)]  # fmt: skip
    service.sql(f"delete from public.{view} where id = %s", gone)
    assert service.sql(f"select id, {first} from public.{view}") == [(kept, "corrected")]


def test_clash_results_are_never_changed(one_service: World) -> None:
    insert(one_service, "clash_results", **ROWS["clash_results"])
    for statement in (
        "update public.clash_results set clash_count = 0",
        "delete from public.clash_results",
    ):
        with pytest.raises((
            psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState,
        )):  # fmt: skip
            one_service.sql(statement)


# --- chains --------------------------------------------------------------------------------------


def test_the_first_result_of_a_set_is_the_origin_of_the_next(service: World) -> None:
    row = ROWS["clash_results"]
    columns = "id, original_clash_id"
    first, none = insert(service, "clash_results", columns, **row)
    assert none is None
    for _ in range(2):
        assert insert(service, "clash_results", columns, **row)[1] == first
    assert insert(service, "clash_results", columns, **row | {"clash_set_name": "other"})[1] is None


def test_a_given_origin_is_taken_and_a_wrong_one_refused(service: World) -> None:
    row = ROWS["clash_results"]
    insert(service, "clash_results", **row)
    second = insert(service, "clash_results", **row)
    given = insert(service, "clash_results", "original_clash_id", **row, original_clash_id=second)
    assert given == second
    before = service.value("select count(*) from public.clash_results")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        insert(service, "clash_results", **row, original_clash_id=987654)
    assert service.value("select count(*) from public.clash_results") == before


def test_an_origin_of_another_project_is_refused(one_service: World) -> None:
    row = ROWS["clash_results"]
    other = one_service.value("insert into core.projects (name) values ('other') returning id")
    there = insert(one_service, "clash_results", **row, project_id=other)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        insert(one_service, "clash_results", **row, original_clash_id=there)
    assert insert(one_service, "clash_results", "original_clash_id", **row) is None


def test_many_clients_inserting_at_once_make_one_chain(busy: World) -> None:
    ready = threading.Barrier(6)

    def client(_: int) -> None:
        world = World(busy.dsn)
        try:
            ready.wait(30)
            for _ in range(5):
                insert(world, "clash_results", **ROWS["clash_results"], project_id=busy.project)
        finally:
            world.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(client, range(6)))
    rows = busy.sql(
        "select id, original_clash_id from public.clash_results where project_id = %s order by accepted",
        busy.project,
    )
    assert len(rows) == 30
    assert rows[0][1] is None
    assert {origin for _, origin in rows[1:]} == {rows[0][0]}


# --- documents -----------------------------------------------------------------------------------


def test_a_document_of_20_megabytes_is_kept_verbatim(one_service: World) -> None:
    clashes = {
        f"{i:022d}-{i + 1:022d}": {"p1": [i / 7, 0.1, 1e-9], "t": "é" * 20} for i in range(180_000)
    }
    document = [{"name": "big", "clashes": clashes}]
    row = ROWS["clash_results"] | {"clash_data": document, "clash_count": len(clashes)}
    with one_service.connection.cursor() as cursor:
        made = cursor.execute(
            "insert into public.clash_results (clash_set_name, output_filename, clash_count, clash_data)"
            " values (%(clash_set_name)s, %(output_filename)s, %(clash_count)s, %(clash_data)s)"
            " returning id",
            row | {"clash_data": Jsonb(document)},
        ).fetchone()
    assert made is not None
    assert one_service.value(
        "select octet_length(clash_data::text) from public.clash_results where id = %s", made[0]
    ) > 20_000_000  # fmt: skip
    assert one_service.value(
        "select clash_data from public.clash_results where id = %s", made[0]
    ) == document  # fmt: skip


@pytest.mark.parametrize("column", ["job_id", "verdict", "set_version", "finished_at", "touching"])
def test_what_only_jobs_know_cannot_be_claimed(one_service: World, column: str) -> None:
    """A value that would be dropped is refused, not returned as if it had been stored."""
    values: dict[str, Any] = {
        "job_id": "b6f1d6a0-3f6c-4b9e-9d35-6c1f1c1f1c1f", "verdict": "clean", "set_version": 3,
        "finished_at": THEN, "touching": 4,
    }  # fmt: skip
    with pytest.raises(psycopg.errors.GeneratedAlways, match="only project_id"):
        insert(one_service, "clash_results", **ROWS["clash_results"], **{column: values[column]})


def test_json_null_is_a_document(service: World) -> None:
    """The plan's column is NOT NULL, which the JSON value null satisfies."""
    row = ROWS["clash_results"] | {"clash_data": Jsonb(None)}
    assert insert(service, "clash_results", "clash_data", **row) is None
    assert service.value("select jsonb_typeof(clash_data) from public.clash_results") == "null"


# --- projects ------------------------------------------------------------------------------------


def claims(world: World, user: str) -> None:
    world.sql("select set_config('request.jwt.claims', %s, false)", f'{{"sub":"{user}"}}')


def test_the_project_of_a_row_that_names_none(world: World) -> None:
    """Service and worker write to ``default``, a member of one project there, of several nowhere."""
    user = "b6f1d6a0-3f6c-4b9e-9d35-6c1f1c1f1c1f"
    assert world.value("select core.default_project()") == 1
    tower = world.value("insert into core.projects (name) values ('tower') returning id")
    claims(world, user)
    project = "select core.default_project()"
    world.sql("set role authenticated")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="any project"):
        world.value(project)
    world.sql("reset role")
    world.sql(
        "insert into core.members values (1, %s, 'viewer'), (%s, %s, 'editor')", user, tower, user
    )
    world.sql("set role authenticated")
    assert world.value(project) == tower
    world.sql("reset role")
    world.sql("update core.members set role = 'admin' where project_id = 1")
    world.sql("set role authenticated")
    with pytest.raises(psycopg.errors.NotNullViolation, match="project_id"):
        world.value(project)


def test_deleting_a_project_takes_everything_of_it(any_world: World) -> None:
    other = any_world.value("insert into core.projects (name) values ('gone') returning id")
    for view, row in ROWS.items():
        insert(any_world, view, **row, project_id=other)
        insert(any_world, view, **row, project_id=other)
        insert(any_world, view, **row)
    any_world.project = other
    any_world.job({"A": "a"})
    any_world.sql("delete from core.projects where id = %s", other)
    for view in ROWS:
        assert any_world.sql(f"select project_id from public.{view}") == [(1,)]
    assert any_world.value("select count(*) from core.jobs") == 0


def test_ids_chosen_at_once_never_turn_the_numbers_back(ledger: Database) -> None:
    """Two who chose an id at the same time: the smaller one, written last, was given out again."""
    ids = [int(each) for each in np.random.default_rng(11).permutation(np.arange(1, 121) * 10_000)]
    ready = threading.Barrier(4)

    def choose(part: list[int]) -> None:
        with psycopg.connect(ledger.dsn, autocommit=True) as connection:
            ready.wait(60)
            for each in part:
                connection.execute(
                    "insert into conversion.results (id, input_filename, output_filename,"
                    " conversion_options) values (%s, 'a', 'b', '{}')", (each,)
                )  # fmt: skip
                connection.execute(
                    "insert into conversion.results (input_filename, output_filename,"
                    " conversion_options) values ('a', 'b', '{}')"
                )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(choose, [ids[i::4] for i in range(4)]))
    with psycopg.connect(ledger.dsn) as connection:
        row = connection.execute(
            "select pg_sequence_last_value('conversion.results_id_seq') >= max(id), count(*)"
            " from conversion.results"
        ).fetchone()
    assert row is not None
    assert row[0]
