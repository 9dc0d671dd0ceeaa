"""A check as a job: the request, the two files it writes, and reading one back with suspicion."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ifcopenshell
import ifctester.ids
import ifctester.reporter
import pytest
from pydantic import ValidationError

from ifcbase.errors import IdsInvalid, ReportInvalid, RequestInvalid
from ifcbase.tester import handover, output, summary
from ifcbase.tester.check import check
from ifcbase.tester.report import TesterReport
from ifcbase.tester.request import ReportType, TesterRequest
from ifcbase.tester.run import run, run_unrecorded
from tests.unit.tester.building import (
    PROHIBITED,
    REQUIRED,
    Model,
    attribute,
    entity,
    simple,
    specification,
    write_ids,
)

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    model = Model()
    kind = model.add("IfcWallType", Name="Type", PredefinedType="SOLIDWALL")
    for number in range(4):
        element = model.add("IfcWall", Name="Wand ♫" if number % 2 else None, Tag=str(number))
        model.typed(element, kind)
    model.add("IfcSlab", Name='a "quoted" slab')
    rules = [
        specification(attribute("Name") + attribute("Tag", simple("value", "1")), name="Walls"),
        specification(occurs=PROHIBITED, applicability=entity("IFCSLAB"), name="No slabs"),
        specification(attribute("Name"), applicability=entity("IFCDOOR"), name="Doors"),
        specification(
            attribute("Name"), applicability=entity("IFCDOOR"), occurs=REQUIRED, name="Some doors"
        ),
    ]
    return model.write(tmp_path), write_ids(tmp_path, *rules)


@pytest.fixture
def report(files: tuple[Path, Path]) -> TesterReport:
    return check(files[0], [files[1]])


# --- the request ---------------------------------------------------------------------------------


def test_what_existing_clients_send_is_understood() -> None:
    request = TesterRequest.model_validate(
        {
            "ifc_filename": "uploads/a.ifc",
            "ids_filename": "uploads/a.ids",
            "output_filename": "a.json",
            "report_type": "json",
        }
    )
    assert request.ids_filename == ("uploads/a.ids",)
    assert request.report_type is ReportType.JSON
    assert request.strict_version is False


def test_several_ids_files_are_understood() -> None:
    request = TesterRequest(ifc_filename="a.ifc", ids_filename=("a.ids", "b.ids"))
    assert request.ids_filename == ("a.ids", "b.ids")
    assert TesterRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    "wrong",
    [
        {"ids_filename": []},
        {"ids_filename": ["a.ids", "a.ids"]},
        {"ids_filename": ""},
        {"ids_filename": 5},
        {"ifc_filename": ""},
        {"report_type": "docx"},
        {"unknown": 1},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    sound = {"ifc_filename": "a.ifc", "ids_filename": "a.ids"}
    with pytest.raises(ValidationError):
        TesterRequest.model_validate({**sound, **wrong})


# --- the document clients download ---------------------------------------------------------------


def stock_document(files: tuple[Path, Path]) -> dict[str, Any]:
    rules = ifctester.ids.open(str(files[1]))
    model = ifcopenshell.open(str(files[0]))
    rules.validate(model)
    reporter = ifctester.reporter.Json(rules)
    reporter.report()
    loaded: dict[str, Any] = json.loads(reporter.to_string())
    return loaded


def test_every_key_of_the_stock_report_is_there(
    files: tuple[Path, Path], report: TesterReport
) -> None:
    ours, stock = output.document(report, WHEN), stock_document(files)
    assert set(stock) <= set(ours)
    for our_rule, stock_rule in zip(ours["specifications"], stock["specifications"], strict=True):
        assert set(stock_rule) <= set(our_rule)
        for our_requirement, stock_requirement in zip(
            our_rule["requirements"], stock_rule["requirements"], strict=True
        ):
            assert set(stock_requirement) <= set(our_requirement)


def test_where_the_stock_report_is_right_ours_says_the_same(
    files: tuple[Path, Path], report: TesterReport
) -> None:
    ours, stock = output.document(report, WHEN), stock_document(files)
    assert ours["total_specifications_pass"] == stock["total_specifications_pass"]
    for number in (0, 2, 3):  # 1 is prohibited, which stock counts wrongly
        our_rule, stock_rule = ours["specifications"][number], stock["specifications"][number]
        for key in set(stock_rule) - {"applicable_entities", "requirements"}:
            assert our_rule[key] == stock_rule[key], key
        assert by_id(our_rule["applicable_entities"]) == by_id(stock_rule["applicable_entities"])
        for our_requirement, stock_requirement in zip(
            our_rule["requirements"], stock_rule["requirements"], strict=True
        ):
            for key in set(stock_requirement) - {"passed_entities", "failed_entities"}:
                assert our_requirement[key] == stock_requirement[key], key
            failed = by_id(our_requirement["failed_entities"])
            assert failed == by_id(stock_requirement["failed_entities"])


def by_id(entities: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(entities, key=lambda e: int(e["id"]))


def test_regression_passed_entities_hold_every_element_that_passed_and_no_other(
    report: TesterReport,
) -> None:
    document = output.document(report, WHEN)
    names, tags = document["specifications"][0]["requirements"]
    assert [e["tag"] for e in names["passed_entities"]] == ["1", "3"]
    assert [e["tag"] for e in names["failed_entities"]] == ["0", "2"]
    assert [e["tag"] for e in tags["passed_entities"]] == ["1"]


def test_regression_a_violated_prohibition_is_not_100_percent(report: TesterReport) -> None:
    rule = output.document(report, WHEN)["specifications"][1]
    assert rule["status"] is False
    assert (rule["total_checks"], rule["total_checks_fail"]) == (1, 1)
    assert (rule["percent_checks_pass"], rule["percent_applicable_pass"]) == (0, 0)
    assert rule["failed_entities"][0]["name"] == 'a "quoted" slab'
    assert "prohibits" in rule["failed_entities"][0]["reason"]


def test_nothing_applicable_is_shown(report: TesterReport) -> None:
    optional, required = output.document(report, WHEN)["specifications"][2:]
    assert (optional["total_applicable"], optional["is_skipped"], optional["status"]) == (
        0,
        True,
        True,
    )
    assert (required["total_applicable"], required["is_skipped"], required["status"]) == (
        0,
        False,
        False,
    )
    assert required["percent_checks_pass"] == "N/A"


def test_totals_are_the_sums_of_their_parts(report: TesterReport) -> None:
    document = output.document(report, WHEN)
    for key in ("total_checks", "total_checks_pass", "total_checks_fail"):
        assert document[key] == sum(s[key] for s in document["specifications"])
    assert document["total_specifications"] == 4
    assert document["total_specifications_pass"] == report.pass_count == 1
    assert document["total_specifications_fail"] == report.fail_count == 3
    assert document["date"] == "2026-01-02 03:04:05"
    assert document["verdict"] == "failed"


def test_the_same_check_writes_the_same_bytes(files: tuple[Path, Path], tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        found = check(files[0], [files[1]])
        output.write(found, tmp_path / name, WHEN)
        handover.write(found, tmp_path / f"{name}.report")
        written.append(((tmp_path / name).read_bytes(), (tmp_path / f"{name}.report").read_bytes()))
    assert written[0] == written[1]


# --- the hand-over -------------------------------------------------------------------------------


def test_the_report_survives_the_border(report: TesterReport, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    handover.write(report, path)
    again = handover.read(path)
    assert again == report
    assert again.verdict is report.verdict
    assert again.specifications[0].usage is report.specifications[0].usage
    assert again.elements[0].text.startswith("#")


def spoil(document: dict[str, Any], what: str) -> None:
    walls, prohibited = document["specifications"][:2]
    requirement = walls["requirements"][0]
    match what:
        case "a row of nobody":
            requirement["failures"][0]["element"] = 99
        case "a row of an element it does not apply to":
            requirement["failures"][0]["element"] = prohibited["elements"][0]
        case "two rows of one element":
            requirement["failures"][1] = requirement["failures"][0]
        case "an element nobody lists":
            walls["elements"][0] = 99
        case "a negative element":
            walls["elements"][0] = -1
        case "an element twice":
            walls["elements"][0] = walls["elements"][1]
        case "lost elements":
            requirement["evaluated"] -= 1
        case "a prohibition that lost a failure":
            prohibited["failures"].clear()
        case "a failure by being there":
            walls["failures"].append(requirement["failures"][0])
        case "an unlisted IDS":
            walls["ids"] = 7
        case "no IDS":
            document["ids"].clear()
        case "an unlisted unjudged element":
            walls["unjudged"].append({"element": 99, "reason": "x"})
        case "one element listed twice":
            document["elements"][0]["step_id"] = document["elements"][1]["step_id"]
        case "a usage nobody knows":
            walls["usage"] = "sometimes"
        case "a number that is none":
            requirement["evaluated"] = "many"
        case "a missing part":
            del document["model"]


@pytest.mark.parametrize(
    "what",
    [
        "a row of nobody",
        "a row of an element it does not apply to",
        "two rows of one element",
        "an element nobody lists",
        "a negative element",
        "an element twice",
        "lost elements",
        "a prohibition that lost a failure",
        "a failure by being there",
        "an unlisted IDS",
        "no IDS",
        "an unlisted unjudged element",
        "one element listed twice",
        "a usage nobody knows",
        "a number that is none",
        "a missing part",
    ],
)
def test_a_report_that_does_not_hold_together_is_refused(
    report: TesterReport, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "report.json"
    handover.write(report, path)
    document = json.loads(path.read_text())
    spoil(document, what)
    path.write_text(json.dumps(document))
    with pytest.raises(ReportInvalid):
        handover.read(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xff", b"null"])
def test_no_report_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(ReportInvalid):
        handover.read(path)
    path.unlink()
    with pytest.raises(ReportInvalid):
        handover.read(path)


# --- the summary ---------------------------------------------------------------------------------


def test_the_summary_says_what_the_report_says(report: TesterReport, tmp_path: Path) -> None:
    path = tmp_path / summary.FILE
    summary.write(report, path)
    found = summary.read(path)
    assert (found.verdict, found.exit_code) == (report.verdict, report.verdict.exit_code)
    assert found.fail_count == report.fail_count == 3
    assert found.warnings == report.warnings
    assert [(line.name, line.failed) for line in found.specifications] == [
        (each.name, len(each.failed_elements)) for each in report.specifications
    ]
    # Walls: two without a name, three with another tag; one slab that should not be there.
    assert found.failures_in_all == len(found.failures) == 6
    assert found.failures[-1].element == 'IfcSlab a "quoted" slab'


def test_a_long_list_of_failures_is_cut_and_counted(tmp_path: Path) -> None:
    model = Model()
    for _ in range(2 * summary.SHOWN):
        model.add("IfcWall")
    rules = write_ids(tmp_path, specification(attribute("Name")))
    found = summary.summary_of(check(model.write(tmp_path), [rules]))
    assert (len(found.failures), found.failures_in_all) == (summary.SHOWN, 2 * summary.SHOWN)


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "splendid"},
        {"verdict": "passed", "fail_count": 0},
        {"fail_count": 2},
        {"coverage": 7.0},
        {"failures_in_all": 99},
        {"failures_in_all": "6"},
        {"warnings": [1]},
        {"specifications": [{"name": "x"}]},
        {"model": None},
        {"more": 1},
    ],
    ids=str,
)
def test_a_summary_that_does_not_hold_together_is_refused(
    report: TesterReport, tmp_path: Path, change: dict[str, Any]
) -> None:
    path = tmp_path / summary.FILE
    summary.write(report, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ReportInvalid):
        summary.read(path)
    for content in (b"", b"[]", b"\xff"):
        path.write_bytes(content)
        with pytest.raises(ReportInvalid):
            summary.read(path)


# --- the job -------------------------------------------------------------------------------------


def test_a_job_writes_its_files(files: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    request = {"ifc_filename": "tower.ifc", "ids_filename": ["rules v1.ids"]}
    inputs = {"tower.ifc": str(files[0]), "rules v1.ids": str(files[1])}
    run(request, inputs, folder)
    written = {p.name for p in folder.iterdir()}
    assert written == {"output.json", "report.json", "models.json", "models.npz"}
    report = handover.read(folder / "report.json")
    assert (report.model.name, report.ids[0].name) == ("tower.ifc", "rules v1.ids")
    document = json.loads((folder / "output.json").read_text(encoding="utf-8"))
    assert document["filename"] == "tower.ifc"
    assert document["total_specifications_fail"] == report.fail_count == 3


def test_a_run_nobody_records_describes_no_model(files: tuple[Path, Path], tmp_path: Path) -> None:
    run_unrecorded(
        {"ifc_filename": "m", "ids_filename": "r"},
        {"m": str(files[0]), "r": str(files[1])},
        tmp_path,
    )
    assert {"output.json", "report.json"} <= {p.name for p in tmp_path.iterdir()}
    assert not list(tmp_path.glob("models.*"))


def test_a_job_with_a_bad_request_says_which_field(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(RequestInvalid, match="report_type"):
        run({"ifc_filename": "a", "ids_filename": "b", "report_type": "odt"}, {}, tmp_path)
    with pytest.raises(RequestInvalid, match=r"b\.ids"):
        run({"ifc_filename": "a", "ids_filename": "b.ids"}, {"a": str(files[0])}, tmp_path)


def test_a_job_with_an_invalid_ids_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    ids = write_ids(tmp_path, specification(attribute("Nowhere")))
    with pytest.raises(IdsInvalid, match=r"people\.ids"):
        run(
            {"ifc_filename": "a.ifc", "ids_filename": "people.ids"},
            {"a.ifc": "nowhere.ifc", "people.ids": str(ids)},
            folder,
        )
    assert list(folder.iterdir()) == []


def test_two_names_of_the_same_bytes_stay_two_files(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    request = {"ifc_filename": "a.ifc", "ids_filename": ["one.ids", "two.ids"]}
    inputs = {"a.ifc": str(files[0]), "one.ids": str(files[1]), "two.ids": str(files[1])}
    run(request, inputs, tmp_path)
    report = handover.read(tmp_path / "report.json")
    assert [ids.name for ids in report.ids] == ["one.ids", "two.ids"]
    assert [s.ids for s in report.specifications] == [0] * 4 + [1] * 4
