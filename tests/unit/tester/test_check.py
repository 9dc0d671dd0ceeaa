"""The check as a whole: rows, counts, coverage, versions, verdicts, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ifcbase.errors import (
    FileMissing,
    IdsInvalid,
    IfcTruncated,
    NotIds,
    NotIfc,
    RequestInvalid,
    SchemaUnsupported,
)
from ifcbase.tester import facets
from ifcbase.tester.check import check
from ifcbase.tester.report import TesterReport, Verdict
from tests.unit.tester.building import (
    PROHIBITED,
    REQUIRED,
    Model,
    attribute,
    entity,
    property_,
    simple,
    specification,
    write_ids,
)

NAMED = specification(attribute("Name"), name="Named")


def two_walls(folder: Path, schema: str = "IFC4") -> Path:
    model = Model(schema)
    model.add("IfcWall", Name="named", GlobalId="1hqIFTRjfV6AWq_bMtnZwI", Tag="T")
    model.add("IfcWall", Description="nameless")
    return model.write(folder)


def broken_for(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make the material facet stop on elements of a name, as odd models make libraries do."""
    original = facets.Material.__call__

    def stop(self: Any, inst: Any) -> Any:
        if inst.Name == name:
            raise KeyError("odd")
        return original(self, inst)

    monkeypatch.setattr(facets.Material, "__call__", stop)


def test_rows_say_which_element_failed_and_why(tmp_path: Path) -> None:
    report = check(two_walls(tmp_path), [write_ids(tmp_path, NAMED)])
    rule = report.specifications[0]
    requirement = rule.requirements[0]
    assert (rule.applicable, requirement.evaluated, requirement.passed, requirement.failed) == (
        2,
        2,
        1,
        1,
    )
    assert [e.name for e in report.elements] == ["named", None]
    assert report.elements[0].global_id == "1hqIFTRjfV6AWq_bMtnZwI"
    assert (report.elements[0].ifc_class, report.elements[0].tag) == ("IfcWall", "T")
    row = requirement.failures[0]
    assert report.elements[row.element].step_id == 2
    assert row.reason == 'The attribute value "None" is empty'
    assert (requirement.facet, requirement.label, requirement.cardinality) == (
        "Attribute",
        "Name",
        "required",
    )
    assert (report.pass_count, report.fail_count, report.inconclusive_count) == (0, 1, 0)
    assert report.verdict is Verdict.FAILED
    assert report.verdict.exit_code == 1


def test_each_requirement_is_counted_for_each_element(tmp_path: Path) -> None:
    rule = specification(attribute("Name") + attribute("Description") + attribute("GlobalId"))
    report = check(two_walls(tmp_path), [write_ids(tmp_path, rule)])
    requirements = report.specifications[0].requirements
    assert [(r.evaluated, r.failed) for r in requirements] == [(2, 1), (2, 1), (2, 0)]
    assert report.specifications[0].failed_elements == {0, 1}


def test_elements_are_listed_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    model = Model()
    for number in range(20):
        model.add("IfcWall" if number % 2 else "IfcSlab", Name=str(number))
    slabs = specification(attribute("Name"), applicability=entity("IFCSLAB"))
    report = check(model.write(tmp_path), [write_ids(tmp_path, slabs, NAMED, slabs)])
    assert len(report.elements) == 20
    for rule in report.specifications:
        steps = [report.elements[i].step_id for i in rule.elements]
        assert steps == sorted(steps)
    assert report.specifications[0].elements == report.specifications[2].elements


def test_several_ids_files_stay_apart(tmp_path: Path) -> None:
    one = write_ids(tmp_path, NAMED, name="one.ids")
    two = write_ids(tmp_path, specification(attribute("GlobalId")), NAMED, name="two.ids")
    report = check(two_walls(tmp_path), [one, two])
    assert [(i.name, i.title) for i in report.ids] == [("one.ids", "Rules"), ("two.ids", "Rules")]
    assert [s.ids for s in report.specifications] == [0, 1, 1]
    assert (report.pass_count, report.fail_count) == (1, 2)
    assert report.ids[0].sha256 != report.ids[1].sha256


@pytest.mark.parametrize("schema", ["IFC2X3", "IFC4", "IFC4X3_ADD2"])
@pytest.mark.parametrize("declared", ["IFC2X3", "IFC4", "IFC4X3_ADD2", "IFC2X3 IFC4"])
def test_the_declared_version_never_changes_the_verdict(
    tmp_path: Path, schema: str, declared: str
) -> None:
    rules = [
        specification(attribute("GlobalId"), versions=declared),
        specification(attribute("Name"), versions=declared),
    ]
    ids = write_ids(tmp_path, *rules)
    model = two_walls(tmp_path, schema)
    report = check(model, [ids])
    matches = schema in declared.split()
    assert [s.verdict for s in report.specifications] == [Verdict.PASSED, Verdict.FAILED]
    assert [s.version_matches for s in report.specifications] == [matches, matches]
    assert report.version_mismatches == (0 if matches else 2)
    assert report.verdict is Verdict.FAILED
    strict = check(model, [ids], strict_version=True)
    assert strict.verdict is (Verdict.FAILED if matches else Verdict.INCONCLUSIVE)
    assert (strict.pass_count, strict.fail_count) == (1, 1)


def test_strict_versions_turn_a_pass_into_exit_3(tmp_path: Path) -> None:
    ids = write_ids(tmp_path, specification(attribute("GlobalId"), versions="IFC2X3"))
    model = two_walls(tmp_path)
    assert check(model, [ids]).verdict.exit_code == 0
    assert check(model, [ids], strict_version=True).verdict.exit_code == 3


def test_a_failure_of_a_matching_specification_wins_over_a_mismatch(tmp_path: Path) -> None:
    other = specification(attribute("GlobalId"), versions="IFC2X3")
    report = check(two_walls(tmp_path), [write_ids(tmp_path, NAMED, other)], strict_version=True)
    assert report.verdict is Verdict.FAILED


def test_regression_one_element_that_breaks_a_check_cost_all_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_for(monkeypatch, "odd")
    model = Model()
    for name in ("a", "odd", "b"):
        model.add("IfcWall", Name=name)
    prohibited = '<material cardinality="prohibited"/>'
    report = check(model.write(tmp_path), [write_ids(tmp_path, specification(prohibited))])
    rule = report.specifications[0]
    requirement = rule.requirements[0]
    assert (requirement.evaluated, requirement.passed) == (2, 2)
    assert [report.elements[r.element].name for r in requirement.unjudged] == ["odd"]
    assert "KeyError" in requirement.unjudged[0].reason
    assert rule.complete is False
    assert report.inconclusive_count == 1
    assert (report.pass_count, report.fail_count) == (0, 0)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.verdict.exit_code == 3


def test_a_failure_wins_over_an_element_that_could_not_be_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_for(monkeypatch, "odd")
    model = Model()
    for name in ("a", "odd"):
        model.add("IfcWall", Name=name)
    report = check(model.write(tmp_path), [write_ids(tmp_path, specification("<material/>"))])
    assert report.specifications[0].verdict is Verdict.FAILED


def test_elements_of_which_it_is_unknown_whether_they_are_meant_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_for(monkeypatch, "odd")
    model = Model()
    model.add("IfcWall", Name="odd")
    meant = entity("IFCWALL") + "<material/>"
    for occurs, requirement in ((PROHIBITED, ""), (REQUIRED, attribute("Name"))):
        rule = specification(requirement, applicability=meant, occurs=occurs)
        report = check(model.write(tmp_path), [write_ids(tmp_path, rule)])
        assert [r.element for r in report.specifications[0].unjudged] == [0]
        assert report.specifications[0].applicable == 0
        assert report.verdict is Verdict.INCONCLUSIVE


def test_odd_texts_of_a_model_are_made_storable(tmp_path: Path) -> None:
    model = Model()
    model.add("IfcWall", Name="name", Tag="tag")
    path = model.write(tmp_path)
    text = path.read_text().replace("'name'", r"'a\X2\D800\X0\b'").replace("'tag'", r"'\X\00x'")
    path.write_text(text)
    rule = specification(attribute("Name", simple("value", "x")))
    report = check(path, [write_ids(tmp_path, rule)])
    row = report.specifications[0].requirements[0].failures[0]
    for stored in (report.elements[0].name, report.elements[0].tag, row.reason):
        assert stored is not None
        assert "\0" not in stored
        stored.encode("utf-8")


def test_property_sets_of_one_model_are_not_remembered_for_the_next(tmp_path: Path) -> None:
    rule = specification(property_(simple("value", "right")))
    ids = write_ids(tmp_path, rule)
    verdicts = []
    for number, value in enumerate(["right", "wrong"] * 5):
        model = Model()
        model.single(model.add("IfcWall"), "IfcLabel", value)
        verdicts.append(check(model.write(tmp_path, f"{number}.ifc"), [ids]).verdict)
    assert verdicts == [Verdict.PASSED, Verdict.FAILED] * 5


def test_progress_rises_from_nothing_to_all(tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []

    def progress(phase: str, fraction: float, note: str = "") -> None:
        seen.append((phase, fraction))

    check(two_walls(tmp_path), [write_ids(tmp_path, NAMED, NAMED)], progress=progress)
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert {phase for phase, _ in seen} == {"reading IDS", "reading model", "checking"}


def test_what_was_used_is_in_the_report(tmp_path: Path) -> None:
    report = check(two_walls(tmp_path), [write_ids(tmp_path, NAMED)])
    assert report.model.schema == "IFC4"
    assert len(report.model.sha256) == 64
    assert set(report.engine) == {"ifctester", "ifcopenshell", "tolerance", "rules"}
    assert isinstance(report, TesterReport)


def test_files_that_were_swapped_are_told_so(tmp_path: Path) -> None:
    model, ids = two_walls(tmp_path), write_ids(tmp_path, NAMED)
    with pytest.raises(NotIds, match="IFC model") as not_ids:
        check(model, [model])
    assert "swapped" in not_ids.value.hint
    with pytest.raises(NotIfc) as not_ifc:
        check(ids, [ids])
    assert "swapped" in not_ifc.value.hint


def test_bad_input_is_a_clear_error(tmp_path: Path) -> None:
    model, ids = two_walls(tmp_path), write_ids(tmp_path, NAMED)
    with pytest.raises(FileMissing):
        check(tmp_path / "none.ifc", [ids])
    with pytest.raises(FileMissing):
        check(model, [tmp_path / "none.ids"])
    with pytest.raises(RequestInvalid):
        check(model, [])
    nonsense = tmp_path / "nonsense.ifc"
    nonsense.write_text("ISO-10303-21;\nHEADER;\nnonsense")
    with pytest.raises(IfcTruncated):
        check(nonsense, [ids])
    unknown = tmp_path / "unknown.ifc"
    unknown.write_text(model.read_text().replace("'IFC4'", "'IFC9'"))
    with pytest.raises(SchemaUnsupported):
        check(unknown, [ids])


def test_an_invalid_ids_is_refused_before_the_model_is_opened(tmp_path: Path) -> None:
    ids = write_ids(tmp_path, specification(attribute("Nowhere")))
    with pytest.raises(IdsInvalid) as caught:
        check(tmp_path / "not even there.ifc", [ids])
    assert caught.value.exit_code == 2
    assert caught.value.http_status == 422


PREFIXED = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<x:ids xmlns:x="http://standards.buildingsmart.org/IDS" xmlns:s="http://www.w3.org/2001/XMLSchema">
  <x:info><x:title>Prefixed</x:title></x:info>
  <x:specifications>
    <x:specification name="A rule" identifier="R1" ifcVersion="IFC4" instructions="Ask us">
      <x:applicability minOccurs="1" maxOccurs="unbounded">
        <x:entity>
          <x:name>
            <s:restriction>
              <s:annotation><s:documentation>Either of them</s:documentation></s:annotation>
              <s:enumeration value="IFCWALL"/>
              <!-- <s:enumeration value="IFCRABBIT"/> -->
              <s:enumeration value="IFCSLAB"/>
            </s:restriction>
          </x:name>
        </x:entity>
      </x:applicability>
      <x:requirements description="What we want">
        <x:attribute instructions="Call it something">
          <x:name><x:simpleValue>Name</x:simpleValue></x:name>
          <x:value>
            <s:restriction base="s:string">
              <s:annotation><s:documentation>Any</s:documentation></s:annotation>
              <s:minLength value="1"/>
            </s:restriction>
          </x:value>
        </x:attribute>
      </x:requirements>
    </x:specification>
  </x:specifications>
</x:ids>
"""


def test_regression_prefixes_comments_and_annotations_of_other_authors(tmp_path: Path) -> None:
    ids = tmp_path / "prefixed.ids"
    ids.write_text(PREFIXED)
    report = check(two_walls(tmp_path), [ids])
    rule = report.specifications[0]
    assert (rule.identifier, rule.instructions, rule.applicable) == ("R1", "Ask us", 2)
    requirement = rule.requirements[0]
    assert requirement.instructions == "Call it something"
    assert [report.elements[row.element].description for row in requirement.failures] == [
        "nameless"
    ]
    assert report.findings == []


def test_a_warning_about_the_ids_is_in_the_report(tmp_path: Path) -> None:
    report = check(two_walls(tmp_path), [write_ids(tmp_path, specification())])
    assert [f.code for f in report.findings] == ["nothing-required"]
    assert report.verdict is Verdict.PASSED
