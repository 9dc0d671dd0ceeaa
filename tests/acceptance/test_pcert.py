"""The main job on real models: architecture against structure of the PCERT scene, through the queue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stand import Stand

ARCHITECTURE, STRUCTURE = "Building-Architecture.ifc", "Building-Structural.ifc"
RULES: dict[str, dict[str, Any]] = {
    "intersection": {"mode": "intersection", "tolerance": 0.01},
    "collision": {"mode": "collision"},
    "touching": {"mode": "collision", "allow_touching": True},
    "clearance": {"mode": "clearance", "clearance": 0.5},
}
#: What the reference engine (ifcclash 0.9) finds, and what ours does. Every pair that only one of
#: them reports is named and judged in tests/integration/clash/test_pcert_counts.py.
REFERENCE = {"intersection": 1, "collision": 8, "touching": 25, "clearance": 55}
COUNTS = {"intersection": 2, "collision": 2, "touching": 39, "clearance": 53}
#: The plan's columns of clash_results, in its order.
PLAN = [
    "id", "original_clash_id", "clash_set_name", "output_filename", "clash_count", "clash_data",
    "created_at",
]  # fmt: skip
#: What every clash of ifcclash's document holds.
CLASH = {
    "a_global_id", "b_global_id", "a_ifc_class", "b_ifc_class", "a_name", "b_name", "type", "p1",
    "p2", "distance",
}  # fmt: skip

pytestmark = pytest.mark.models


def clash_sets(a: str, b: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "a": [{"file": a}], "b": [{"file": b}]} | rules
        for name, rules in RULES.items()
    ]


def pairs(clash_set: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (each["a_global_id"], each["b_global_id"], each["type"])
        for each in clash_set["clashes"].values()
    }


@pytest.fixture(scope="module")
def pcert(models_folder: Path) -> Path:
    return models_folder / "pcert"


def test_the_command_line_submits_and_stores_what_the_engine_finds(
    service: Stand, pcert: Path
) -> None:
    spec = service.home / "sets.json"
    spec.write_text(json.dumps(clash_sets(str(pcert / ARCHITECTURE), str(pcert / STRUCTURE))))
    report = service.home / "report.json"
    done = service.cli("clash", "--spec", spec, "--submit", "-o", report, "--json")
    assert done.code == 1, done.err
    assert done.err == ""
    job = done.json()
    assert job["state"] == "finished"
    assert {i["model"]: i["number"] for i in job["inputs"]} == {
        "Building-Architecture": 1,
        "Building-Structural": 1,
    }
    assert job["outcome"]["clash_count"] == sum(COUNTS.values())

    rows = service.query("select * from public.clash_results order by id")
    assert list(rows[0])[: len(PLAN)] == PLAN
    assert [row["id"] for row in rows] == job["outcome"]["db_ids"]
    assert {row["clash_set_name"]: row["clash_count"] for row in rows} == COUNTS
    written = {each["name"]: each for each in json.loads(report.read_text(encoding="utf-8"))}
    for row in rows:
        assert row["original_clash_id"] is None
        assert row["output_filename"] == "report.json"
        assert row["verdict"] == "found"
        (stored,) = row["clash_data"]
        file = written[row["clash_set_name"]]
        assert stored["name"] == row["clash_set_name"]
        assert pairs(stored) == pairs(file)
        assert len(stored["clashes"]) == len(file["clashes"]) == row["clash_count"]
        assert set(stored["clashes"]) == set(file["clashes"])
        for key, clash in stored["clashes"].items():
            assert set(clash) >= CLASH
            assert {name: clash[name] for name in CLASH} == {
                name: file["clashes"][key][name] for name in CLASH
            }
            assert (clash["a_file"], clash["b_file"]) == (ARCHITECTURE, STRUCTURE)
        for side, selected, tested in (("a", 15, 11), ("b", 18, 16)):
            (source,) = stored[side]
            assert (source["selected"], source["tested"]) == (selected, tested)
            assert source["left_out"] == {"no representation": selected - tested}


def test_the_reference_engine_finds_what_ifcclash_does(service: Stand, pcert: Path) -> None:
    spec = service.home / "reference.json"
    spec.write_text(json.dumps(clash_sets(str(pcert / ARCHITECTURE), str(pcert / STRUCTURE))))
    report = service.home / "by-reference.json"
    done = service.cli("clash", "--spec", spec, "--engine", "reference", "-o", report, "--json")
    assert done.code == 1, done.err
    written = json.loads(report.read_text(encoding="utf-8"))
    assert {each["name"]: len(each["clashes"]) for each in written} == REFERENCE
    assert {each["engine"]["name"] for each in written} == {"reference"}


def test_fanned_out_each_set_is_a_job_and_the_report_holds_them_all(
    service: Stand, pcert: Path
) -> None:
    spec, report = service.home / "fan.json", service.home / "fanned.json"
    sets = clash_sets(str(pcert / ARCHITECTURE), str(pcert / STRUCTURE))[:2]
    spec.write_text(json.dumps(sets))
    words = ("clash", "--spec", spec, "--submit", "--fan-out", "-o", report, "--json")
    done = service.cli(*words)
    assert done.code == 1, done.err
    jobs = done.json()
    assert [job["state"] for job in jobs] == ["finished", "finished"]
    names = [each["name"] for each in sets]
    assert [s["name"] for job in jobs for s in job["outcome"]["sets"]] == names
    written = json.loads(report.read_text(encoding="utf-8"))
    assert {each["name"]: len(each["clashes"]) for each in written} == {n: COUNTS[n] for n in names}


def test_the_python_api_stores_the_same_and_continues_the_chain(
    service: Stand, pcert: Path
) -> None:
    request = {"clash_sets": clash_sets(ARCHITECTURE, STRUCTURE), "output_filename": "again.json"}
    jobs = [
        service.ended(service.submit(request, pcert / ARCHITECTURE, pcert / STRUCTURE))
        for _ in range(2)
    ]
    first, second = (
        service.query("select * from public.clash_results where job_id = %s order by id", job["id"])
        for job in jobs
    )
    assert [row["clash_count"] for row in first] == list(COUNTS.values())
    for before, after in zip(first, second, strict=True):
        assert pairs(after["clash_data"][0]) == pairs(before["clash_data"][0])
        # The chain begins with the first result of all, whoever ran first in this module.
        assert after["original_clash_id"] == (before["original_clash_id"] or before["id"])
        assert after["set_version"] == before["set_version"]
    # The same bytes are the same version, and its content is stored once.
    assert {i["number"] for job in jobs for i in job["inputs"]} == {1}
    assert service.query("select distinct first_number, last_number from core.content") == [
        {"first_number": 1, "last_number": None}
    ]
    # Pairs are lasting: three results of a set share them.
    assert service.count("clash.pairs") == sum(COUNTS.values())
