"""`ifcbase validate` as its users call it: directly and through a worker, good input and bad."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ifcbase import samples
from ifcbase.samples import Sample
from tests.acceptance.stand import Stand
from tests.acceptance.test_bad_input import Call, call, stand
from tests.unit.tester.building import (
    Model,
    attribute,
    ids_text,
    restricted,
    specification,
    write_ids,
)

__all__ = ["call", "stand"]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return samples.write_rules(tmp_path_factory.mktemp("rules"))


@pytest.fixture
def wall(tmp_path: Path) -> Path:
    model = Model()
    model.add("IfcWall", Name="Wand")
    return model.write(tmp_path)


def named(folder: Path, **more: str) -> Path:
    return write_ids(folder, specification(attribute("Name"), **more), name="named.ids")


def test_directly_a_table_the_reports_and_the_code(
    service: Stand, sample: Sample, rules: Path, tmp_path: Path
) -> None:
    before = service.count("core.jobs")
    model = sample.files["Architecture"]
    done = service.cli(
        "validate", model, rules, "-o", tmp_path / "out.json", "--report", tmp_path / "out.html",
        "--report", tmp_path / "out.xlsx", "--report", tmp_path / "out.bcf",
    )  # fmt: skip
    assert done.code == 1, done
    assert "2 of 5 specifications failed, failed" in done.out
    assert "Partitions resist fire for 60 minutes" in done.out
    assert "warning: Roofs have names: applies to no element of the model" in done.out
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert written["total_specifications_fail"] == 2
    assert "Partitions resist fire" in (tmp_path / "out.html").read_text(encoding="utf-8")
    for name in ("out.xlsx", "out.bcf"):
        assert (tmp_path / name).read_bytes().startswith(b"PK")
    assert service.count("core.jobs") == before


def test_the_codes_a_pipeline_gates_on(service: Stand, wall: Path, tmp_path: Path) -> None:
    assert service.cli("validate", wall, named(tmp_path)).code == 0
    other = named(tmp_path, versions="IFC2X3")
    assert service.cli("validate", wall, other).code == 0
    assert service.cli("validate", wall, other, "--strict-version").code == 3
    assert service.cli("validate", wall, tmp_path / "none.ids").code == 2


def test_through_the_queue_the_same_verdict_and_rows(
    service: Stand, sample: Sample, rules: Path, tmp_path: Path
) -> None:
    model = sample.files["Architecture"]
    report = tmp_path / "kept.html"
    first = service.cli("validate", model, rules, "--submit", "--report", report)
    assert first.code == 1, first
    assert "2 of 5 specifications failed, failed" in first.out
    assert "<html" in report.read_text(encoding="utf-8")
    again = service.cli("validate", model, rules, "--submit", "--json")
    assert again.code == 1, again
    job = again.json()
    assert (job["check"], job["outcome"]["failed_specifications"]) == ("tester", 2)
    result = str(job["outcome"]["db_id"])
    listed = service.cli("results", "list", "--check", "tester", "--json").json()
    assert [each["id"] for each in listed][:1] == [int(result)]
    shown = service.cli("results", "show", result, "--check", "tester")
    assert shown.code == 0, shown
    assert "Failures by state" in shown.out
    assert "persisting" in shown.out
    details = service.cli("results", "show", result, "--check", "tester", "--json").json()
    (series,) = details["series"]
    assert (series["persisting"], series["new"]) == (len(details["failures"]), 0)
    document = tmp_path / "document.json"
    service.cli("results", "show", result, "--check", "tester", "-o", document)
    assert json.loads(document.read_text(encoding="utf-8"))["total_specifications_fail"] == 2
    assert service.cli("ledger", "verify").code == 0
    findings = service.cli("findings", "--check", "tester", "--json")
    assert findings.code == 0, findings
    assert "resist fire" in findings.out
    jobs = service.cli("jobs", "list")
    assert "2 of 5 specifications failed, failed" in jobs.out


def test_every_file_that_is_no_ids_or_no_model_is_a_sentence(
    call: Call, stand: Stand, wall: Path, tmp_path: Path
) -> None:
    before = stand.count("core.jobs")
    rules = named(tmp_path)
    bomb = tmp_path / "bomb.ids"
    bomb.write_text(
        '<!DOCTYPE ids [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + ids_text().split("?>")[1],
        encoding="utf-8",
    )
    for arguments, said in (
        ((rules, wall), "not an IFC file"),
        ((wall, wall), "not an IDS"),
        ((wall, bomb), "document type"),
        ((wall, tmp_path), "cannot be read"),
    ):
        for mode in ((), ("--submit",)):
            done = call("validate", *arguments, *mode)
            assert done.code == 2, done
            assert said in done.err, done
            assert "Traceback" not in done.err
    assert stand.count("core.jobs") == before


def test_reports_nobody_makes_are_refused_before_the_work(
    call: Call, stand: Stand, wall: Path, tmp_path: Path
) -> None:
    rules = named(tmp_path)
    before = stand.count("core.jobs")
    for arguments, said in (
        (("--report", tmp_path / "x.pdf"), "no report is written"),
        (("--submit", "--report", tmp_path / "x.csv"), "makes no such report"),
        (("--submit", "--report", tmp_path / "x.bcf", "--bcf", "3.0"), "BCF 2.1"),
        (("--submit", "--report", tmp_path / "x.html", "-o", tmp_path / "x.json"), "one report"),
        (("--model", "House"), "--submit"),
        (("-o", rules), "same file"),
    ):
        done = call("validate", wall, rules, *arguments)
        assert done.code == 2, done
        assert said in done.err, done
    assert stand.count("core.jobs") == before


def test_an_invalid_ids_fails_its_job_with_the_reason_and_not_the_queue(
    service: Stand, wall: Path, tmp_path: Path
) -> None:
    wrong = write_ids(tmp_path, specification(attribute("Nonsense")), name="wrong.ids")
    done = service.cli("validate", wall, wrong, "--submit")
    assert done.code == 2, done
    assert "wrong.ids" in done.err
    assert service.cli("validate", wall, named(tmp_path), "--submit").code == 0


def test_a_regular_expression_that_never_ends_is_bounded(service: Stand, tmp_path: Path) -> None:
    model = Model()
    model.add("IfcWall", Name="a" * 60 + "!")
    bomb = restricted("value", pattern="(a+)+(a+)+b")
    rules = write_ids(tmp_path, specification(attribute("Name", bomb)), name="bomb.ids")
    done = service.cli("validate", model.write(tmp_path), rules, "--submit", "--json")
    assert done.code in (1, 2), done
    assert done.json()["outcome" if done.code == 1 else "error"]
    (attempt,) = service.query(
        "select extract(epoch from a.ended_at - a.started_at)::float8 as seconds"
        " from core.attempts a order by id desc limit 1"
    )
    assert attempt["seconds"] < 60
