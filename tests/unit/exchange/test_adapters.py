"""The neutral report says what the check's own report says: nothing lost, nothing prettier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from ifcbase.clash.report import ClashReport, Kind, LeftOut, Measured
from ifcbase.errors import FileUnwritable, RequestInvalid
from ifcbase.exchange.bcf.identity import TopicIds
from ifcbase.exchange.bcf.write import write_bcf
from ifcbase.exchange.formats import BCF_SUFFIXES, SUFFIXES, bcf_version, check_suffix, write
from ifcbase.exchange.from_clash import from_clash, priority_of
from ifcbase.exchange.from_findings import from_clash_result, from_findings
from ifcbase.exchange.from_ids import from_ids
from ifcbase.exchange.report import Comment, Report, grouped
from ifcbase.tester.check import check
from tests.unit.clash.reports import any_report, inventory
from tests.unit.clash.reports import report as clash_report
from tests.unit.exchange.bcf_rules import faults
from tests.unit.exchange.made import NOW, finding, report
from tests.unit.tester.building import (
    PROHIBITED,
    REQUIRED,
    Model,
    attribute,
    entity,
    specification,
    write_ids,
)

# --- clash ---------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(made=any_report())
def test_every_clash_is_a_finding_with_its_elements(made: ClashReport) -> None:
    neutral = from_clash(made, NOW)
    (section,), (source,) = neutral.sections, made.sets
    assert neutral.total == len(source.clashes)
    assert section.verdict == str(source.verdict())
    found = source.clashes
    expected = sorted(
        (
            made.files[found.a_file[i]].inventory.elements[found.a[i]].global_id,
            made.files[found.b_file[i]].name,
            Kind(int(found.kind[i])).word,
            tuple(((found.p1[i] + found.p2[i]) / 2).tolist()),
        )
        for i in range(len(found))
    )
    told = sorted(
        (f.elements[0].global_id, f.elements[1].model, f.kind, f.point or ())
        for f in section.findings
    )
    assert told == expected
    assert len(section.left_out) == sum(len(side.left_out) for side in source.a + source.b)
    assert [(t.selected, t.tested) for t in section.tested] == [
        (len(side.selected), side.tested) for side in source.a + source.b
    ]
    for each in section.findings:
        assert (each.distance is None) == (each.measured is None)


@settings(max_examples=60, deadline=None)
@given(made=any_report())
def test_deepest_first_and_gaps_last(made: ClashReport) -> None:
    (section,) = from_clash(made, NOW).sections
    source = made.sets[0].clashes
    depth = {
        tuple(((source.p1[i] + source.p2[i]) / 2).tolist()): float(source.distance[i])
        for i in range(len(source))
    }
    gaps = [each.kind == "clearance" for each in section.findings]
    assert gaps == sorted(gaps)
    if len(depth) == len(source):
        deep = [depth[f.point] for f in section.findings if f.kind != "clearance" and f.point]
        assert deep == sorted(deep, reverse=True)


def test_what_was_not_tested_is_never_a_clean_report() -> None:
    made = clash_report([], [inventory(1), inventory(2)], {0: LeftOut.NO_GEOMETRY})
    neutral = from_clash(made, NOW)
    (section,) = neutral.sections
    assert neutral.verdict == section.verdict == "inconclusive"
    assert "inconclusive" in section.sentence
    assert any("Nothing was tested on side a" in each for each in section.warnings)
    clean = from_clash(clash_report([], [inventory(1), inventory(2)]), NOW)
    assert clean.verdict == "clean"
    assert not clean.sections[0].warnings


def test_coverage_below_the_limit_is_said_beside_the_clashes() -> None:
    made = clash_report([(0, 1, 1, 0)], [inventory(2), inventory(2)], {0: LeftOut.NO_GEOMETRY})
    (section,) = from_clash(made, NOW).sections
    assert section.verdict == "found"
    assert section.warnings == ["Only 75.0 % of the elements with geometry were tested."]
    (left,) = section.left_out
    assert (left.element.global_id, left.part, left.reason) == (f"{0:022d}", "a", "no geometry")


def test_the_next_revision_of_a_file_keeps_the_topics() -> None:
    """Users would otherwise get every clash again each week as a new topic."""
    first = clash_report([(0, 0, 1, 1)], [inventory(2), inventory(2)])
    second = clash_report([(0, 0, 1, 1)], [inventory(2), inventory(2)])
    for file, name in zip(second.files, ("A rev B.ifc", "B rev B.ifc"), strict=True):
        file.name = name
    names = {"f0.ifc": "A", "f1.ifc": "B", "A rev B.ifc": "A", "B rev B.ifc": "B"}
    keys = [
        [f.key for _, f in from_clash(each, NOW, models=names).findings()]
        for each in (first, second)
    ]
    assert keys[0] == keys[1]
    unnamed = [f.key for _, f in from_clash(second, NOW).findings()]
    assert unnamed != keys[0]


def test_elements_that_share_a_global_id_are_different_findings() -> None:
    """A GlobalId alone never identifies anything."""
    same = inventory(2, ids=["0" * 22, "0" * 22])
    made = clash_report([(0, 0, 1, 0), (0, 1, 1, 0)], [same, inventory(1)])
    keys = [f.key for _, f in from_clash(made, NOW).findings()]
    assert len(set(keys)) == 2


def test_a_pair_is_the_same_from_either_side() -> None:
    made = clash_report([(0, 0, 1, 1)], [inventory(2), inventory(2)])
    (key,) = [f.key for _, f in from_clash(made, NOW).findings()]
    clashes = made.sets[0].clashes
    clashes.a_file, clashes.b_file = clashes.b_file, clashes.a_file
    clashes.a, clashes.b = clashes.b, clashes.a
    assert [f.key for _, f in from_clash(made, NOW).findings()] == [key]


def test_what_was_not_measured_has_no_distance() -> None:
    """A mode that does not measure must not read as 0 mm."""
    made = clash_report([(0, 0, 1, 1)], [inventory(2), inventory(2)])
    made.sets[0].clashes.measured[:] = Measured.NONE
    made.sets[0].clashes.distance[:] = 0.0
    ((_, only),) = from_clash(made, NOW).findings()
    assert only.distance is None
    made.sets[0].clashes.measured[:] = Measured.BOUND
    ((_, only),) = from_clash(made, NOW).findings()
    assert (only.distance, only.measured) == (0.0, "at most")


@pytest.mark.parametrize(
    ("kind", "distance", "priority"),
    [
        ("contained", 0.0, "High"), ("duplicate", None, "High"), ("pierce", 0.5, "High"),
        ("pierce", 0.05, "Normal"), ("collision", None, "Normal"), ("clearance", 5.0, "Low"),
        ("touching", 0.0, "Low"),
    ],
)  # fmt: skip
def test_priority_is_a_first_guess(kind: str, distance: float | None, priority: str) -> None:
    assert priority_of(kind, distance) == priority


def test_groups_can_be_written_as_one_finding_each(tmp_path: Path) -> None:
    made = clash_report([(0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 1, 2)], [inventory(3), inventory(3)])
    made.sets[0].clashes.group = np.array([4, 4, -1], np.int32)
    one = grouped(from_clash(made, NOW))
    group, alone = one.sections[0].findings
    assert len(group.elements) == 4
    assert group.point == (1.0, 0.5, 0.5)  # the mean of (0.5, 0.5, 0.5) and (1.5, 0.5, 0.5)
    assert group.title.startswith("2 findings together")
    assert group.details.count("\n") == 1
    assert len(alone.elements) == 2
    write_bcf(one, tmp_path / "g.bcf", "3.0")
    assert faults(tmp_path / "g.bcf", "3.0") == []


def test_a_group_has_only_what_all_its_members_share() -> None:
    members = [
        finding(1, group="1", state="new", review="open", assigned_to="anna"),
        finding(2, group="1", state="new", review="approved", assigned_to="anna"),
    ]
    (only,) = grouped(report(*members)).sections[0].findings
    assert (only.state, only.review, only.assigned_to) == ("new", None, "anna")


# --- IDS -----------------------------------------------------------------------------------------


@pytest.fixture
def rules(tmp_path: Path) -> Report:
    """Two walls of which one has a description, a slab that must not be, and no doors."""
    model = Model()
    model.project()
    model.add("IfcWall", Name="Good", Description="said")
    model.add("IfcWall", Name="Bad")
    model.add("IfcSlab", Name="Forbidden")
    ids = write_ids(
        tmp_path,
        specification(attribute("Description"), name="Walls are described", occurs=REQUIRED),
        specification(applicability=entity("IFCSLAB"), occurs=PROHIBITED, name="No slabs"),
        specification(attribute("Name"), applicability=entity("IFCDOOR"), name="Doors"),
        specification(attribute("Name"), name="Walls have names", versions="IFC2X3"),
        specification(
            attribute("Name"), applicability=entity("IFCROOF"), name="A roof", occurs=REQUIRED
        ),
    )
    return from_ids(check(model.write(tmp_path), [ids]), NOW, model="Architecture")


def test_an_ids_report_has_one_finding_per_failed_element_and_per_missing_one(
    rules: Report,
) -> None:
    assert rules.verdict == "failed"
    told = [(s.name, [e.name for e in f.elements], f.kind) for s, f in rules.findings()]
    assert told == [
        ("Walls are described", ["Bad"], "attribute"),
        ("No slabs", ["Forbidden"], "prohibited"),
        ("A roof", [], "occurrence"),
    ]
    (walls, slabs, *_) = rules.sections
    assert walls.sentence == "1 of 2 elements pass (50.0 %)."
    assert (walls.requirements[0].passed, walls.requirements[0].failed) == (1, 1)
    assert slabs.verdict == "failed"
    assert slabs.requirements[0].share == 0.0


def test_specifications_that_tested_nothing_say_so(rules: Report) -> None:
    doors, roof = rules.sections[2], rules.sections[4]
    assert doors.verdict == "passed"
    assert roof.verdict == "failed"
    for section in (doors, roof):
        assert "It applies to no element" in section.sentence
        assert any("nothing was tested" in each for each in section.warnings)
        assert [each.share for each in section.requirements] == [None]
    assert ("specifications", "2 passed, 3 failed, 2 applied to no element") in rules.facts


def test_another_ifc_version_is_a_warning(rules: Report) -> None:
    (warning,) = rules.sections[3].warnings
    assert warning == "It is written for IFC2X3; the model is IFC4."
    assert rules.sections[3].verdict == "passed"


def test_an_ids_report_is_written_in_every_format(rules: Report, tmp_path: Path) -> None:
    for suffix in (*SUFFIXES, *BCF_SUFFIXES):
        path = tmp_path / f"r{suffix}"
        assert write(rules, path) == 3
        assert path.stat().st_size > 300
    assert faults(tmp_path / "r.bcf", "2.1") == []
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "nothing tested" in page
    assert "50.0 %" in page


def test_the_same_failure_keeps_its_topic_in_the_next_revision(tmp_path: Path) -> None:
    model = Model()
    model.project()
    wall = model.add("IfcWall", Name="Bad")
    ids = write_ids(tmp_path, specification(attribute("Description")))
    keys = []
    for name in ("one.ifc", "two.ifc"):
        made = from_ids(check(model.write(tmp_path, name), [ids]), NOW, model="Architecture")
        keys.append([f.key for _, f in made.findings()])
        wall.Name = "Renamed"
    assert keys[0] == keys[1] != []


# --- the ledger ----------------------------------------------------------------------------------

#: A row with the columns of core.all_findings.
ROW: Mapping[str, Any] = {
    "finding_id": 17, "project_id": 1, "check_name": "clash", "series": "A vs B",
    "title": "Wall and pipe overlap by 5 mm", "state": "persisting", "reason": None, "since": NOW,
    "first_seen": datetime(2026, 11, 1, tzinfo=UTC), "a_element": 1, "b_element": 2,
    "model": "Architecture", "discipline": "architecture", "other_discipline": "mep",
    "storey": "Level 1", "class": "IfcWall", "global_id": "0" * 22, "review": "ignored",
    "review_reason": "valid interface", "assigned_to": "anna", "due": date(2026, 12, 1),
}  # fmt: skip


def test_rows_of_findings_become_sections_by_series() -> None:
    rows = [
        ROW,
        dict(ROW) | {"finding_id": 18, "state": "untested", "review": "open"},
        dict(ROW) | {"finding_id": 19, "check_name": "tester", "series": "House rules"},
    ]
    said = {17: [Comment(NOW, "anna", "leave it")]}
    made = from_findings(rows, NOW, project="tower", namespace="n", comments=said)
    assert made.check == "findings"
    assert [(s.name, len(s.findings)) for s in made.sections] == [("A vs B", 2), ("House rules", 1)]
    first = made.sections[0].findings[0]
    assert (first.review, first.review_reason, first.due) == (
        "ignored", "valid interface", date(2026, 12, 1),
    )  # fmt: skip
    assert first.created == datetime(2026, 11, 1, tzinfo=UTC)
    assert first.details == "architecture and mep"
    assert first.comments == (Comment(NOW, "anna", "leave it"),)
    assert made.sections[0].warnings == [
        "1 were seen before and could not be tested since: they are not solved."
    ]
    assert from_findings([], NOW).verdict == "no findings"


HEADER: Mapping[str, Any] = {
    "id": 4, "set": "A vs B", "clash_count": 1, "verdict": "found", "coverage": 0.5,
    "warnings": ["side a was slow"], "finished_at": NOW, "engine": {"kernel": "x", "versions": {"a": 1}},
    "sides": [
        {"side": "a", "file": "a2.ifc", "model": "A", "number": 2, "mode": "i",
         "selector": "IfcWall", "selected": 4, "tested": 2, "left_out": {"no geometry": 2}},
        {"side": "b", "file": "b.ifc", "model": "B", "number": 1, "mode": "a", "selector": None,
         "selected": 3, "tested": 3, "left_out": {}},
    ],
}  # fmt: skip
CONTACT: Mapping[str, Any] = {
    "kind": "pierce", "distance": 0.02, "measured": 2, "x": 1.0, "y": 2.0, "z": 3.0,
    "a_model": "A", "a_global_id": "0" * 22, "a_class": "IfcWall", "a_name": "W", "a_storey": "L1",
    "b_model": "B", "b_global_id": "1" * 22, "b_class": "IfcPipeSegment", "b_name": None,
    "b_storey": None, "pair_id": 99, "smart_group": 2,
}  # fmt: skip
KNOWN: Mapping[str, Any] = {
    "finding_id": 17, "state": "new", "reason": None, "review": "open", "review_reason": None,
    "assigned_to": None, "due": None, "first_seen": NOW,
}  # fmt: skip


def test_a_stored_result_is_reported_with_coverage_and_states() -> None:
    left = [{"side": "a", "model": "A", "global_id": "2" * 22, "reason": "no geometry"}]
    made = from_clash_result(HEADER, [CONTACT], NOW, judged={99: KNOWN}, left_out=left)
    (section,) = made.sections
    assert section.warnings == [
        "side a was slow", "Only 50.0 % of the elements with geometry were tested."
    ]  # fmt: skip
    assert [(t.selection, t.tested) for t in section.tested] == [
        ("IfcWall", 2),
        ("all elements", 3),
    ]
    assert section.left_out[0].element.global_id == "2" * 22
    (only,) = section.findings
    assert (only.state, only.group, only.point) == ("new", "2", (1.0, 2.0, 3.0))
    assert [(m.name, m.version) for m in made.models] == [("A", 2), ("B", 1)]


def test_a_result_and_the_list_of_findings_name_a_topic_alike() -> None:
    """The pair's lasting finding decides, not the pair that was seen."""
    ((_, one),) = from_clash_result(HEADER, [CONTACT], NOW, judged={99: KNOWN}).findings()
    ((_, other),) = from_findings([ROW], NOW).findings()
    assert TopicIds("n").take(one) == TopicIds("n").take(other)


def test_clashes_that_are_not_in_the_tables_are_counted_aloud() -> None:
    thinned = dict(HEADER) | {"clash_count": 7, "coverage": None, "verdict": None}
    made = from_clash_result(thinned, [], NOW, judged={})
    assert made.verdict == "no verdict"
    warnings = " ".join(made.sections[0].warnings)
    assert "counts 7 clashes; 0 of them" in warnings
    assert "What it tested is not known" in warnings


# --- formats -------------------------------------------------------------------------------------


def test_the_name_decides_the_format(tmp_path: Path) -> None:
    for name in ("a.HTML", "a.Xlsx", "a.csv", "a.bcfzip", "a.md"):
        write(report(finding(1)), tmp_path / name)
    assert (tmp_path / "a.HTML").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "a.bcfzip").read_bytes().startswith(b"PK")
    for name in ("a.pdf", "a", "a.json", ".html"):
        with pytest.raises(RequestInvalid, match="no report is written as"):
            check_suffix(tmp_path / name)


@pytest.mark.parametrize(("text", "version"), [("2.1", "2.1"), ("3.0", "3.0"), ("3", "3.0")])
def test_versions_of_bcf(text: str, version: str) -> None:
    assert bcf_version(text) == version
    with pytest.raises(RequestInvalid, match=r"2\.0"):
        bcf_version("2.0")


def test_a_file_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.csv"
    path.write_text("last week's", encoding="utf-8")

    def broken(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(
        __import__("ifcbase.exchange.formats").exchange.formats._WRITERS, ".csv", broken
    )
    with pytest.raises(FileUnwritable, match="No space left"):
        write(report(finding(1)), path)
    assert path.read_text(encoding="utf-8") == "last week's"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        with pytest.raises(FileUnwritable):
            write(replace(report(finding(1))), tmp_path / "gone" / f"r{suffix}")
