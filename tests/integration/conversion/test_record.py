"""A conversion from the child's folder to the rows of the ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from psycopg.errors import CheckViolation
from psycopg.types.json import Jsonb

from ifcbase.conversion.record import record
from ifcbase.conversion.run import run
from ifcbase.errors import Conflict, NotFound, ReportInvalid, RequestInvalid
from ifcbase.files.local import LocalFiles
from ifcbase.jobs.registry import check_named
from ifcbase.ledger import conversions, results
from ifcbase.ledger.interface import Attempt
from ifcbase.ledger.postgres import PostgresLedger
from tests.ifc_builder import IfcBuilder
from tests.integration.world import World, sha, start

REQUEST = {
    "input_filename": "A.ifc",
    "output_filename": "plans/a.obj",
    "log_file": "plans/a.log",
    "include": "IfcWall",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two walls: one converts, of the other no mesh can be made."""
    builder = IfcBuilder()
    builder.box("good")
    broken = builder.box("broken", (3, 0, 0))
    shell = builder.file.create_entity("IfcClosedShell", [])
    broken.Representation.Representations[0].Items = [
        builder.file.create_entity("IfcFacetedBrep", shell)
    ]
    builder.box("other", (6, 0, 0), ifc_class="IfcSlab")
    return builder.write(tmp_path_factory.mktemp("model") / "A.ifc")


@pytest.fixture(scope="module")
def left(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the child of the job leaves."""
    folder = tmp_path_factory.mktemp("left")
    run(REQUEST, {"A.ifc": str(model)}, folder)
    # The world's files are hashes of words; the report must be about the one that was given.
    report = folder / "report.json"
    document = json.loads(report.read_text(encoding="utf-8"))
    document["sha256"] = sha("a")
    report.write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path / "files")


def begin(world: World, store: PostgresLedger, request: dict[str, Any], content: str) -> Attempt:
    parsed = check_named("conversion").parse(request)
    job = world.job({"A": content}, check="conversion", request=parsed.model_dump(mode="json"))
    return start(store, job)


def test_a_conversion_is_stored_with_all_it_says(
    any_busy: World, any_store: PostgresLedger, left: Path, files: LocalFiles
) -> None:
    attempt = begin(any_busy, any_store, REQUEST, "a")
    with any_store.writing(attempt.token) as writer:
        outcome = record(writer, attempt, left, files)
        writer.finish_job(outcome, {})
    ((row),) = any_busy.sql(
        "select input_filename, output_filename, conversion_options, verdict, coverage, selected,"
        " converted, left_out_counts, counts ->> 'elements', output_sha256, id"
        " from public.conversion_results where job_id = %s",
        attempt.job_id,
    )
    assert row[:5] == ("A.ifc", "plans/a.obj", {"include": "IfcWall"}, "inconclusive", 0.5)
    assert row[5:9] == (2, 1, {"no geometry": 1}, "1")
    left_out = any_busy.sql(
        "select e.global_id, c.name, l.reason, l.detail is not null from conversion.left_out l"
        " join core.elements e on e.id = l.element_id"
        " join core.content c on c.element_id = e.id where l.result_id = %s",
        row[10],
    )
    assert [each[1:] for each in left_out] == [("broken", "no geometry", True)]

    assert outcome["success"] is True
    assert outcome["verdict"] == "inconclusive"
    assert outcome["output_path"] == "plans/a.obj"
    assert outcome["log_file"] == "plans/a.log"
    assert outcome["db_id"] == row[10]
    assert outcome["results"][0]["summary"] == "1 of 2 elements"
    outputs = {each["name"]: each["sha256"] for each in outcome["outputs"]}
    assert set(outputs) == {"plans/a.obj", "plans/a.mtl", "plans/a.log"}
    stored = any_busy.sql(
        "select name, sha256 from core.job_outputs where job_id = %s", attempt.job_id
    )
    assert dict(stored) == outputs
    assert outputs["plans/a.obj"] == row[9]
    project = any_busy.value("select name from core.projects where id = %s", any_busy.project)
    text = files.fetch(project, outputs["plans/a.obj"]).read_text(encoding="utf-8")
    assert "mtllib a.mtl" in text
    header = results.show_other(any_busy.connection, project, "conversion", row[10])
    assert {each["name"] for each in header["outputs"]} == set(outputs)
    details = conversions.read(any_busy.connection, row[10], None)
    assert details["facts"]["selected"] == 2
    (missing,) = details["left_out"]
    assert (missing["ifc_class"], missing["name"]) == ("IfcWall", "broken")
    assert conversions.read(any_busy.connection, row[10], 0)["left_out"] == []


def test_the_inventory_of_the_model_is_stored_once(
    busy: World, store: PostgresLedger, left: Path, files: LocalFiles
) -> None:
    for _ in range(2):
        attempt = begin(busy, store, REQUEST, "a")
        with store.writing(attempt.token) as writer:
            writer.finish_job(record(writer, attempt, left, files), {})
    assert busy.sql(
        "select elements from core.model_versions where project_id = %s", busy.project
    ) == [(3,)]
    assert (
        busy.value("select count(*) from conversion.results where project_id = %s", busy.project)
        == 2
    )


@pytest.mark.parametrize(
    ("request_", "content"),
    [
        (REQUEST | {"output_filename": "other.obj"}, "a"),
        (REQUEST | {"output_filename": "plans/a.glb"}, "a"),
        (REQUEST | {"log_file": None}, "a"),
        (REQUEST, "another file"),
    ],
)
def test_a_report_on_something_else_is_refused(
    busy: World,
    store: PostgresLedger,
    left: Path,
    files: LocalFiles,
    request_: dict[str, Any],
    content: str,
) -> None:
    attempt = begin(busy, store, request_, content)
    with pytest.raises(ReportInvalid), store.writing(attempt.token) as writer:
        record(writer, attempt, left, files)
    assert busy.sql("select 1 from conversion.results where project_id = %s", busy.project) == []
    assert busy.sql("select 1 from core.job_outputs where project_id = %s", busy.project) == []


def test_rows_of_elements_that_are_not_there_are_refused(
    busy: World, store: PostgresLedger
) -> None:
    attempt = begin(busy, store, REQUEST, "a")
    row = {"input": "A.ifc", "global_id": "nobody", "n": 0, "reason": "x", "detail": None}
    header = {"input_filename": "A.ifc", "output_filename": "a.obj"}
    with pytest.raises(RequestInvalid, match="not in the model"), store.writing(attempt.token) as w:
        w.append_rows(w.open_result(header), "left_out", [row])
    with pytest.raises(NotFound), store.writing(attempt.token) as w:
        w.append_rows(999_999_999, "left_out", [row])
    with pytest.raises(RequestInvalid, match="no rows of kind"), store.writing(attempt.token) as w:
        w.append_rows(w.open_result(header), "faces", [row])


def test_rows_sent_again_do_no_harm(
    busy: World, store: PostgresLedger, left: Path, files: LocalFiles
) -> None:
    attempt = begin(busy, store, REQUEST, "a")
    with store.writing(attempt.token) as writer:
        outcome = record(writer, attempt, left, files)
        assert record(writer, attempt, left, files)["db_id"] == outcome["db_id"]
        writer.finish_job(outcome, {})
    assert (
        busy.value(
            "select count(*) from conversion.left_out where result_id = %s", outcome["db_id"]
        )
        == 1
    )


def test_counts_cannot_contradict_each_other(busy: World) -> None:
    with pytest.raises(CheckViolation):
        busy.sql(
            "insert into conversion.results (project_id, input_filename, output_filename,"
            " conversion_options, selected, converted) values (%s, 'a', 'b', %s, 1, 2)",
            busy.project, Jsonb({}),
        )  # fmt: skip


def test_a_job_that_stored_nothing_is_not_finished(busy: World, store: PostgresLedger) -> None:
    attempt = begin(busy, store, REQUEST, "a")
    with pytest.raises(Conflict), store.writing(attempt.token) as writer:
        writer.finish_job({}, {})
