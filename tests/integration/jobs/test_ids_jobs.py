"""IDS checks from the request to the rows: submitted, computed, recorded, read back."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ifcbase import samples
from ifcbase.errors import (
    FileEmpty,
    IdsTooLarge,
    IdsUnsafe,
    NotIds,
    NotIfc,
    ReportInvalid,
    RequestInvalid,
    SchemaUnsupported,
)
from ifcbase.exchange.run_ids import run
from ifcbase.files.local import LocalFiles
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.jobs.registry import check_named
from ifcbase.jobs.submit import Given, show_job, submit
from ifcbase.ledger.interface import Attempt
from ifcbase.ledger.postgres import PostgresLedger
from ifcbase.settings import Settings
from ifcbase.tester import handover
from ifcbase.tester.request import ReportType
from tests.integration.servers import Database
from tests.integration.world import World
from tests.unit.tester.building import Model, attribute, entity, ids_text, specification, write_ids


@dataclass
class Desk:
    """Where IDS checks are handed in and done."""

    world: World
    ledger: PostgresLedger
    engine: ProcrastinateEngine
    folder: Path
    files: LocalFiles
    settings: Settings = field(default_factory=Settings)
    runs: int = 0

    def submit(self, model: Path, *rules: Path, stream: str | None = None, **fields: Any) -> str:
        request = {"ifc_filename": model.name, "ids_filename": [r.name for r in rules], **fields}
        given = {model.name: Given(model, stream), **{r.name: Given(r) for r in rules}}
        return submit(
            self.world.connection, self.engine, self.files, self.settings, "tester", request, given
        ).job_id

    def take(self, job: str) -> tuple[Attempt, Path]:
        """Start an attempt and compute what its child would leave."""
        attempt = self.ledger.start_attempt(job, worker="w", host="h", lease_s=60)
        assert attempt is not None
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        folder.mkdir()
        inputs = {
            given.name: str(self.files.fetch(attempt.project, given.sha256))
            for given in attempt.inputs
        }
        run(attempt.request, inputs, folder)
        return attempt, folder

    def record(self, attempt: Attempt, folder: Path) -> dict[str, Any]:
        with self.ledger.writing(attempt.token) as writer:
            outcome = check_named("tester").record(writer, attempt, folder, self.files)
            writer.finish_job(outcome, {})
        return outcome

    def do(self, job: str) -> dict[str, Any]:
        return self.record(*self.take(job))


@pytest.fixture
def desk(ledger: Database, tmp_path: Path) -> Iterator[Desk]:
    world, store = World(ledger.dsn), PostgresLedger(ledger.dsn)
    engine = ProcrastinateEngine(ledger.dsn)
    engine.install(world.connection)
    yield Desk(world, store, engine, tmp_path, LocalFiles(tmp_path / "files"))
    store.close()
    world.close()


def test_two_revisions_of_the_sample_by_its_rules(desk: Desk, tmp_path: Path) -> None:
    rules = samples.write_rules(tmp_path)
    outcomes = {}
    for revision in ("A", "B"):
        built = samples.build(tmp_path / revision, revision=revision)
        outcomes[revision] = desk.do(desk.submit(built.files["Architecture"], rules))
    second = outcomes["B"]
    truth = samples.rules_truth("B")
    failing = sum(each.failed > 0 for each in truth)
    assert (second["total_specifications"], second["failed_specifications"]) == (5, failing)
    assert second["verdict"] == "failed"
    rows = desk.world.sql(
        "select ifc_filename, ids_filename, pass_count, fail_count, verdict, coverage, output_sha256,"
        " test_results ->> 'total_checks' from public.tester_results where id = %s",
        second["db_id"],
    )
    checks = str(12 + 12 + 1 + 2)
    name = built.files["Architecture"].name
    assert rows == [
        (name, "Sample_Rules.ids", 5 - failing, failing, "failed", 1.0, second["output_sha256"],
         checks)
    ]  # fmt: skip
    found = desk.world.sql(
        "select name, applicable, failed from tester.specification_results"
        " where result_id = %s order by position", second["db_id"],
    )  # fmt: skip
    assert found == [(each.name, each.applicable, each.failed) for each in truth]
    states = desk.world.sql(
        "select state, count(*) from tester.finding_states group by state order by state"
    )
    # The partition that became EI60, and the proxy that became a column.
    assert states == [("persisting", 12), ("resolved", 2)]
    assert (
        desk.world.sql("select * from tester.verify_series((select id from tester.series))") == []
    )
    (series,) = desk.world.sql("select distinct series from tester.current_findings")
    assert series == ("Sample_Rules on Sample_Architecture",)
    titles = {row[0] for row in desk.world.sql("select title from core.all_findings")}
    assert any(
        title.startswith('Wall "Partition A1 level 1" fails "Partitions') for title in titles
    )


@pytest.mark.parametrize("kind", list(ReportType))
def test_every_report_that_is_accepted_is_written(desk: Desk, kind: ReportType) -> None:
    model = Model()
    model.add("IfcWall")
    rules = write_ids(desk.folder, specification(attribute("Name")))
    job = desk.submit(model.write(desk.folder), rules, report_type=kind)
    outcome = desk.do(job)
    outputs = {
        each["name"]: each["sha256"] for each in show_job(desk.world.connection, job)["outputs"]
    }
    assert outputs == {each["name"]: each["sha256"] for each in outcome["outputs"]}
    assert set(outputs) == {f"{job}.json", f"{job}.{kind}"}
    assert outcome["output_path"] == f"{job}.{kind}"
    path = desk.files.fetch("default", outcome["output_sha256"])
    data = path.read_bytes()
    match kind:
        case ReportType.JSON:
            assert data.startswith(b'{"hide_skipped"')
        case ReportType.HTML:
            assert b"<html" in data
        case _:
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
                wanted = "bcf.version" if kind is ReportType.BCF else "xl/workbook.xml"
                assert wanted in archive.namelist()


def test_the_name_that_was_asked_for(desk: Desk) -> None:
    model = Model()
    model.add("IfcWall")
    rules = write_ids(desk.folder, specification(attribute("Name")))
    job = desk.submit(
        model.write(desk.folder), rules, report_type="html", output_filename="mine.html"
    )
    assert {each["name"] for each in desk.do(job)["outputs"]} == {"mine.html", f"{job}.json"}


def test_a_clash_of_the_same_version_finds_its_inventory_and_the_other_way_round(
    desk: Desk,
) -> None:
    model = Model()
    model.add("IfcWall")
    path = model.write(desk.folder)
    rules = write_ids(desk.folder, specification(attribute("Name")))
    desk.do(desk.submit(path, rules))
    counts = "select count(*), count(inventoried_at), count(matched_at) from core.model_versions"
    assert desk.world.sql(counts) == [(1, 1, 1)]
    desk.do(desk.submit(path, rules))
    assert desk.world.sql(counts) == [(1, 1, 1)]
    assert desk.world.value("select count(*) from core.elements") == 1
    assert desk.world.sql("select state from tester.finding_states") == [("persisting",)]


def test_a_report_on_other_bytes_is_not_recorded(desk: Desk) -> None:
    model = Model()
    model.add("IfcWall")
    first = write_ids(desk.folder, specification(attribute("Name")))
    path = model.write(desk.folder)
    attempt, folder = desk.take(desk.submit(path, first))
    report = handover.read(folder / handover.REPORT)
    report.ids[0].sha256 = "0" * 64
    handover.write(report, folder / handover.REPORT)
    with pytest.raises(ReportInvalid, match="another"):
        desk.record(attempt, folder)
    assert desk.world.value("select count(*) from tester.results") == 0


def test_the_document_in_the_database_is_bounded_and_says_so(desk: Desk) -> None:
    model = Model()
    for _ in range(handover.LISTED + 50):
        model.add("IfcWall")
    rules = write_ids(desk.folder, specification(attribute("Name")))
    outcome = desk.do(desk.submit(model.write(desk.folder), rules))
    document = desk.world.value("select test_results from public.tester_results")
    requirement = document["specifications"][0]["requirements"][0]
    assert document["listed_at_most"] == handover.LISTED == len(requirement["failed_entities"])
    assert requirement["total_fail"] == handover.LISTED + 50
    assert requirement["failed_entities"][0]["element"].startswith("#")
    assert desk.world.value("select count(*) from tester.failures") == handover.LISTED + 50
    whole = desk.files.fetch("default", outcome["output_sha256"]).read_text(encoding="utf-8")
    assert whole.count('"reason"') == handover.LISTED + 50


# --- what is refused before anything is kept -----------------------------------------------------

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE ids [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;">]>'
    + ids_text(specification()).split("?>", 1)[1].replace("Rules", "&c;")
)
EXTERNAL = (
    '<?xml version="1.0"?><!DOCTYPE ids SYSTEM "file:///etc/passwd">'
    + ids_text(specification()).split("?>", 1)[1]
)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (BOMB, IdsUnsafe),
        (EXTERNAL, IdsUnsafe),
        ("", FileEmpty),
        ("<a>" * 60 + "</a>" * 60, IdsUnsafe),
        ("<ids/>", NotIds),
        (ids_text(specification()) + " " * 17_000_000, IdsTooLarge),
        (ids_text(specification())[:-20], NotIds),
    ],
    ids=["bomb", "external", "empty", "deep", "no-namespace", "huge", "cut"],
)
def test_a_harmful_ids_is_refused_at_submit(desk: Desk, text: str, error: type[Exception]) -> None:
    rules = desk.folder / "rules.ids"
    rules.write_text(text, encoding="utf-8")
    with pytest.raises(error):
        desk.submit(Model().write(desk.folder), rules)
    assert desk.world.value("select count(*) from core.jobs") == 0
    assert not desk.files.folder.exists()


def test_model_and_ids_swapped_are_refused_at_submit(desk: Desk) -> None:
    model = Model().write(desk.folder)
    other = desk.folder / "other.ifc"
    other.write_bytes(model.read_bytes())
    with pytest.raises(NotIfc):
        desk.submit(write_ids(desk.folder, specification()), model)
    with pytest.raises(NotIds, match="is an IFC model"):
        desk.submit(model, other)
    assert desk.world.value("select count(*) from core.jobs") == 0


def test_a_model_of_another_schema_is_refused_at_submit(desk: Desk) -> None:
    model = desk.folder / "old.ifc"
    text = Model().write(desk.folder).read_text(encoding="ascii")
    model.write_text(text.replace("'IFC4'", "'IFC2X2'"), encoding="ascii")
    with pytest.raises(SchemaUnsupported):
        desk.submit(model, write_ids(desk.folder, specification()))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"report_type": "pdf"}, "report_type"),
        ({"surprise": 1}, "surprise"),
        ({"strict_version": "perhaps"}, "strict_version"),
    ],
)
def test_what_nobody_does_is_refused_at_submit(
    desk: Desk, fields: dict[str, Any], named: str
) -> None:
    rules = write_ids(desk.folder, specification())
    with pytest.raises(RequestInvalid, match=named):
        desk.submit(Model().write(desk.folder), rules, **fields)


def test_an_ids_is_no_model_and_has_no_version(desk: Desk) -> None:
    rules = write_ids(desk.folder, specification(applicability=entity("IFCDOOR")))
    job = desk.submit(Model().write(desk.folder), rules, stream="House")
    inputs = {
        each["name"]: each["model"] for each in show_job(desk.world.connection, job)["inputs"]
    }
    assert inputs == {"model.ifc": "House", "rules.ids": None}
    assert desk.world.value("select count(*) from core.model_versions") == 1
