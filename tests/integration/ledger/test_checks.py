"""The write API for checks that have one result per job: the same doors, each check's own rows."""

from __future__ import annotations

from typing import Any

import pytest

from ifcbase.errors import Conflict, NotFound, RequestInvalid
from ifcbase.ledger import results
from ifcbase.ledger.interface import Writer
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.world import Job, World, sha, start

HEADERS: dict[str, dict[str, Any]] = {
    "conversion": {
        "input_filename": "A.ifc",
        "output_filename": "A.glb",
        "conversion_options": {"deflection": 1},
    },
    "tester": {"ifc_filename": "A.ifc", "ids_filename": "rules.ids"},
    "diff": {"old_file": "A.ifc", "new_file": "A.ifc"},
}
FOOTERS: dict[str, dict[str, Any]] = {
    "conversion": {"verdict": "converted"},
    "tester": {
        "verdict": "failed",
        "pass_count": 2,
        "fail_count": 1,
        "failures": 0,
        "document": {"a": [1]},
    },
    "diff": {"verdict": "found", "diff_count": 3, "document": {"added": ["x"]}},
}
COMMON = {
    "coverage": 0.5,
    "warnings": ["odd", "very odd"],
    "engine": {"name": "test"},
    "output_sha256": "a" * 64,
}
every_check = pytest.mark.parametrize("check", sorted(HEADERS))


#: The rows without which a check's result does not end.
NEEDED: dict[str, dict[str, dict[str, Any]]] = {
    "tester": {
        "runs": {
            "position": 0,
            "series": "rules on A",
            "input": "A.ifc",
            "ids": "rules.ids",
            "sha256": sha("rules.ids"),
            "title": "Rules",
        },
        "specifications": {
            "position": 0,
            "ids": 0,
            "name": "Doors",
            "usage": "optional",
            "content": "doors",
            "whole": "doors",
            "ifc_versions": ["IFC4"],
            "version_matches": True,
            "verdict": "passed",
            "applicability": [],
            "applicable": 0,
            "failed": 0,
            "unjudged": 0,
            "requirements": [],
        },
    },
}


def accept(world: World, check: str, content: str = "a") -> Job:
    """A job on A.ifc, of the tester with rules.ids."""
    version = world.version("A", content)
    given: list[dict[str, Any]] = [
        {"name": "A.ifc", "sha256": sha(content), "model_version_id": version}
    ]
    if check == "tester":
        rules = sha("rules.ids")
        world.sql("select core.add_file(%s, %s, 10, 'rules.ids')", world.project, rules)
        given.append({"name": "rules.ids", "sha256": rules, "model_version_id": None})
    return Job(world.accept(check, given), {"A.ifc": version})


def write(writer: Writer, check: str) -> int:
    return finish(writer, check, writer.open_result(HEADERS[check]))


def finish(writer: Writer, check: str, result: int) -> int:
    for kind, needed in NEEDED.get(check, {}).items():
        writer.append_rows(result, kind, [needed])
    return writer.finish_result(result, FOOTERS[check] | COMMON)


def rows(world: World, check: str) -> list[tuple[Any, ...]]:
    return world.sql(f"select id, state from {check}.results where project_id = %s", world.project)


@every_check
def test_a_result_is_opened_finished_and_read(
    any_busy: World, any_store: PostgresLedger, check: str
) -> None:
    job = accept(any_busy, check)
    attempt = start(any_store, job)
    with any_store.writing(attempt.token) as writer:
        opened = writer.open_result(HEADERS[check])
        assert writer.open_result(HEADERS[check]) == opened
        assert any_busy.sql(f"select 1 from public.{check}_results where id = %s", opened) == []
        result = finish(writer, check, opened)
        assert result == opened
        assert finish(writer, check, opened) == opened
        writer.add_output("a" * 64, 10, "report.html")
        writer.finish_job({"verdict": "x"}, {})
    assert any_busy.state(job) == "finished"
    expected = HEADERS[check] | FOOTERS[check] | COMMON
    expected.pop("failures", None)
    if "document" in expected:
        expected["test_results" if check == "tester" else "diff_data"] = expected.pop("document")
    columns = sorted(expected)
    shown = any_busy.sql(
        f"select {', '.join(columns)} from public.{check}_results where job_id = %s", job.id
    )
    assert shown == [tuple(expected[column] for column in columns)]
    accepted = any_busy.value("select accepted from core.jobs where id = %s", job.id)
    assert any_busy.value(f"select accepted from {check}.results where id = %s", result) == accepted
    project = any_busy.value("select name from core.projects where id = %s", any_busy.project)
    (listed,) = results.list_others(any_busy.connection, project, check=check)
    assert listed == results.show_other(any_busy.connection, project, check, result)
    assert listed["models"] == [{"file": "A.ifc", "model": "A", "number": 1}]
    assert listed["outputs"] == [{"name": "report.html", "sha256": "a" * 64}]
    with pytest.raises(NotFound):
        results.show_other(any_busy.connection, project, check, result + 1)


@every_check
def test_a_job_without_a_result_is_not_finished(
    busy: World, store: PostgresLedger, check: str
) -> None:
    job = accept(busy, check)
    attempt = start(store, job)
    with (
        pytest.raises(Conflict, match="no finished result"),
        store.writing(attempt.token) as writer,
    ):
        writer.open_result(HEADERS[check])
        writer.finish_job({}, {})
    assert busy.state(job) == "running"
    assert rows(busy, check) == []


@every_check
def test_a_second_attempt_gives_way_to_the_result_of_the_first(
    busy: World, store: PostgresLedger, check: str
) -> None:
    job = accept(busy, check)
    first = start(store, job)
    with store.writing(first.token) as writer:
        result = write(writer, check)
    busy.lapse(first.token)
    busy.reap()
    second = start(store, job)
    with store.writing(second.token) as writer:
        assert write(writer, check) == result
        writer.finish_job({}, {})
    assert rows(busy, check) == [(result, "finished")]


@every_check
def test_what_a_losing_attempt_began_goes(busy: World, store: PostgresLedger, check: str) -> None:
    job = accept(busy, check)
    attempt = start(store, job)
    with store.writing(attempt.token) as writer:
        writer.open_result(HEADERS[check])
        writer.add_output("b" * 64, 10, "half.html")
    assert [state for _, state in rows(busy, check)] == ["writing"]
    busy.lapse(attempt.token)
    busy.reap()
    assert rows(busy, check) == []
    assert busy.sql("select name from core.job_outputs where job_id = %s", job.id) == []


@every_check
def test_a_result_belongs_to_the_attempt_that_opened_it(
    busy: World, store: PostgresLedger, check: str
) -> None:
    mine = start(store, accept(busy, check))
    other = start(store, accept(busy, check, "b"))
    with store.writing(mine.token) as writer:
        result = writer.open_result(HEADERS[check])
    with pytest.raises(NotFound), store.writing(other.token) as writer:
        writer.finish_result(result, FOOTERS[check] | COMMON)
    with store.writing(mine.token) as writer:
        assert finish(writer, check, result) == result


@every_check
def test_headers_and_rows_of_another_check_are_refused(
    busy: World, store: PostgresLedger, check: str
) -> None:
    attempt = start(store, accept(busy, check))
    with pytest.raises(RequestInvalid, match="missing"), store.writing(attempt.token) as writer:
        writer.open_result({"set": "A x B"})
    with pytest.raises(RequestInvalid, match="sightings"), store.writing(attempt.token) as writer:
        writer.append_rows(writer.open_result(HEADERS[check]), "sightings", [{"a": 1}])
    with pytest.raises(RequestInvalid, match="not copied"), store.writing(attempt.token) as writer:
        result = writer.open_result(HEADERS[check])
        writer._call("append_copied", result=result, kind="sightings")


def test_an_output_made_again_is_the_later_one(busy: World, store: PostgresLedger) -> None:
    job = busy.job({"A": "a"})
    attempt = start(store, job)
    with store.writing(attempt.token) as writer:
        writer.add_output("1" * 64, 1, "out.json")
        writer.add_output("2" * 64, 1, "out.json")
        writer.add_output("2" * 64, 1, "copy.json")
    assert busy.sql(
        "select name, sha256 from core.job_outputs where job_id = %s order by name", job.id
    ) == [("copy.json", "2" * 64), ("out.json", "2" * 64)]


def test_rows_that_others_insert_stay_what_they_were(any_world: World) -> None:
    made = any_world.sql(
        "insert into public.tester_results (ifc_filename, ids_filename, test_results, pass_count,"
        " fail_count) values ('a', 'b', '{}', 1, 0) returning accepted, verdict, finished_at is null"
    )
    assert made == [(None, None, False)]
    (row,) = any_world.sql("select check_name, name, count from core.all_results")
    assert row == ("tester", "b on a", 0)
