"""Where the stock facets judge wrongly: each test is named after the wrong verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ifcopenshell
import ifctester.facet
import ifctester.ids
import pytest

from ifcbase.tester.check import check
from ifcbase.tester.ids.usage import Usage
from ifcbase.tester.report import TesterReport, Verdict
from tests.unit.tester.building import (
    OPTIONAL,
    PROHIBITED,
    REQUIRED,
    Model,
    attribute,
    entity,
    property_,
    restricted,
    simple,
    specification,
    write_ids,
)


def checked(folder: Path, model: Model, *specifications: str) -> TesterReport:
    return check(model.write(folder), [write_ids(folder, *specifications)])


def stock_status(folder: Path) -> list[bool]:
    """What stock IfcTester says about the files ``checked`` wrote."""
    rules = ifctester.ids.open(str(folder / "rules.ids"))
    model = ifcopenshell.open(str(folder / "model.ifc"))
    rules.validate(model)
    return [s.status for s in rules.specifications]


def wall(model: Model, **attributes: Any) -> Any:
    return model.add("IfcWall", **attributes)


def real_is(value: str) -> str:
    return specification(property_(simple("value", value), data_type="IFCREAL"))


def test_regression_a_number_near_zero_failed_for_want_of_an_absolute_tolerance(
    tmp_path: Path,
) -> None:
    model = Model()
    model.project()
    model.single(wall(model), "IfcReal", 5e-7)
    assert checked(tmp_path, model, real_is("0.0")).verdict is Verdict.PASSED
    assert stock_status(tmp_path) == [False]


def test_regression_an_optional_attribute_without_value_failed(tmp_path: Path) -> None:
    model = Model()
    wall(model)
    rule = specification(attribute("Name", simple("value", "Foo"), "optional"))
    assert checked(tmp_path, model, rule).verdict is Verdict.PASSED
    assert stock_status(tmp_path) == [False]


def test_an_optional_attribute_with_another_value_fails(tmp_path: Path) -> None:
    for name in ("Bar", ""):
        model = Model()
        wall(model, Name=name)
        rule = specification(attribute("Name", simple("value", "Foo"), "optional"))
        assert checked(tmp_path, model, rule).verdict is Verdict.FAILED


def test_an_optional_attribute_by_pattern_passes_only_if_all_are_unset(tmp_path: Path) -> None:
    names = restricted("name", pattern="Name|Description")
    rule = specification(attribute(names, simple("value", "Foo"), "optional"))
    for attributes, verdict in (
        ({}, Verdict.PASSED),
        ({"Name": "Foo"}, Verdict.PASSED),
        ({"Description": "Bar"}, Verdict.FAILED),
    ):
        model = Model()
        wall(model, **attributes)
        assert checked(tmp_path, model, rule).verdict is verdict


def test_regression_several_patterns_had_to_match_all_at_once(tmp_path: Path) -> None:
    model = Model()
    wall(model, Name="A-1")
    wall(model, Name="B-1")
    rule = specification(attribute("Name", restricted("value", pattern=["A.*", "B.*"])))
    assert checked(tmp_path, model, rule).verdict is Verdict.PASSED
    assert stock_status(tmp_path) == [False]


def test_regression_only_the_first_group_of_an_element_counted(tmp_path: Path) -> None:
    model = Model()
    element = wall(model)
    for ifc_class in ("IfcGroup", "IfcZone"):
        group = model.add(ifc_class, Name=ifc_class)
        model.add("IfcRelAssignsToGroup", RelatedObjects=[element], RelatingGroup=group)

    def rule(cardinality: str, whole: str) -> str:
        relation = f'relation="IFCRELASSIGNSTOGROUP" cardinality="{cardinality}"'
        return specification(f"<partOf {relation}>{entity(whole)}</partOf>")

    report = checked(
        tmp_path,
        model,
        rule("required", "IFCGROUP"),
        rule("required", "IFCZONE"),
        rule("prohibited", "IFCZONE"),
        rule("required", "IFCSYSTEM"),
    )
    assert [s.status for s in report.specifications] == [True, True, False, False]
    assert stock_status(tmp_path) == [True, False, True, False]
    reason = report.specifications[3].requirements[0].failures[0].reason
    assert "IFCGROUP" in reason
    assert "IFCZONE" in reason


def test_an_element_in_no_group_fails_with_that_reason(tmp_path: Path) -> None:
    model = Model()
    wall(model)
    relation = 'relation="IFCRELASSIGNSTOGROUP"'
    rule = specification(f"<partOf {relation}>{entity('IFCGROUP')}</partOf>")
    report = checked(tmp_path, model, rule)
    row = report.specifications[0].requirements[0].failures[0]
    assert row.reason == "The entity has no relationship"


def classified(model: Model, element: Any, system: str, code: str) -> None:
    source = model.add("IfcClassification", Name=system)
    reference = model.add(
        "IfcClassificationReference", Identification=code, ReferencedSource=source
    )
    model.add(
        "IfcRelAssociatesClassification",
        RelatedObjects=[element],
        RelatingClassification=reference,
    )


@pytest.mark.parametrize(
    ("cardinality", "system", "code", "passes"),
    [
        ("required", "Uniclass", "21", True),
        ("required", "Uniclass", "99", False),  # 99 is of the other system
        ("prohibited", "Uniclass", "21", False),
        ("prohibited", "Uniclass", "99", True),
        ("optional", "Uniclass", "99", False),
    ],
)
def test_regression_system_and_code_were_met_by_different_references(
    tmp_path: Path, cardinality: str, system: str, code: str, passes: bool
) -> None:
    model = Model()
    element = wall(model)
    classified(model, element, "Uniclass", "21")
    classified(model, element, "CoClass", "99")
    facet = simple("value", code) + simple("system", system)
    rule = specification(f'<classification cardinality="{cardinality}">{facet}</classification>')
    assert checked(tmp_path, model, rule).specifications[0].status is passes


def test_an_optional_classification_passes_where_there_is_none(tmp_path: Path) -> None:
    model = Model()
    wall(model)
    facet = simple("value", "21") + simple("system", "Uniclass")
    rule = specification(f'<classification cardinality="optional">{facet}</classification>')
    assert checked(tmp_path, model, rule).verdict is Verdict.PASSED


def layered(model: Model, element: Any, **layer: Any) -> None:
    layers = model.add(
        "IfcMaterialLayerSet",
        LayerSetName="Build-up",
        MaterialLayers=[model.add("IfcMaterialLayer", LayerThickness=0.1, **layer)],
    )
    model.add("IfcRelAssociatesMaterial", RelatedObjects=[element], RelatingMaterial=layers)


def test_regression_a_layer_without_a_material_stopped_the_check(tmp_path: Path) -> None:
    model = Model()
    layered(model, wall(model), Name="Air")
    rules = [
        specification(f"<material>{simple('value', value)}</material>")
        for value in ("Air", "Build-up", "Brick")
    ]
    report = checked(tmp_path, model, *rules)
    assert [s.verdict for s in report.specifications] == ["passed", "passed", "failed"]
    assert "Air" in report.specifications[2].requirements[0].failures[0].reason
    with pytest.raises(AttributeError):
        stock_status(tmp_path)


def test_materials_of_layers_and_categories_count(tmp_path: Path) -> None:
    model = Model()
    brick = model.add("IfcMaterial", Name="Brick", Category="masonry")
    layered(model, wall(model), Material=brick)
    rules = [
        specification(f"<material>{simple('value', value)}</material>")
        for value in ("Brick", "masonry", "Concrete")
    ]
    report = checked(tmp_path, model, *rules)
    assert [s.status for s in report.specifications] == [True, True, False]


def test_regression_an_ifc2x3_type_made_a_standard_case_wall_a_wall(tmp_path: Path) -> None:
    model = Model("IFC2X3")
    standard = model.add("IfcWallStandardCase", Name="standard")
    plain = model.add("IfcWall", Name="plain")
    kind = model.add("IfcWallType", PredefinedType="STANDARD")
    for element in (standard, plain):
        model.typed(element, kind)
    report = checked(tmp_path, model, specification(attribute("Name"), versions="IFC2X3"))
    assert [e.name for e in report.elements] == ["plain"]


def test_an_ifc2x3_type_gives_the_class_that_ifc2x3_does_not_have(tmp_path: Path) -> None:
    model = Model("IFC2X3")
    terminal = model.add("IfcFlowTerminal", Name="terminal")
    proxy = model.add("IfcBuildingElementProxy", Name="proxy")
    kind = model.add("IfcAirTerminalType", PredefinedType="GRILLE")
    for element in (terminal, proxy):
        model.typed(element, kind)
    model.add("IfcFlowTerminal", Name="untyped")
    rule = specification(
        entity("IFCAIRTERMINAL", "GRILLE"),
        applicability=entity("IFCAIRTERMINAL"),
        versions="IFC2X3",
    )
    report = checked(tmp_path, model, rule)
    assert [e.name for e in report.elements] == ["terminal"]
    assert report.verdict is Verdict.PASSED


def test_regression_a_pattern_that_covers_userdefined_failed_all_others(tmp_path: Path) -> None:
    model = Model()
    wall(model, PredefinedType="SOLIDWALL")
    name = simple("name", "IFCWALL")
    pattern = restricted("predefinedType", pattern="[A-Z]+")
    rule = specification(f"<entity>{name}{pattern}</entity>")
    assert checked(tmp_path, model, rule).verdict is Verdict.PASSED
    assert stock_status(tmp_path) == [False]


def test_user_defined_types_are_found_by_that_word_and_by_their_own(tmp_path: Path) -> None:
    model = Model()
    wall(model, PredefinedType="USERDEFINED", ObjectType="WALDO")
    report = checked(
        tmp_path,
        model,
        specification(entity("IFCWALL", "USERDEFINED")),
        specification(entity("IFCWALL", "WALDO")),
        specification(entity("IFCWALL", "SOLIDWALL")),
    )
    assert [s.status for s in report.specifications] == [True, True, False]
    row = report.specifications[2].requirements[0].failures[0]
    assert "WALDO" in row.reason


def test_regression_an_attribute_filter_counted_elements_twice(tmp_path: Path) -> None:
    model = Model()
    model.add("IfcMaterialLayerSet", LayerSetName="a", Description="b")
    wall(model, Name="a", Description="b")
    names = restricted("name", pattern="Name|Description|LayerSetName")
    rule = specification(attribute(names), applicability=attribute(names), occurs=REQUIRED)
    report = checked(tmp_path, model, rule)
    assert report.specifications[0].applicable == 2


def test_regression_a_violated_prohibited_specification_showed_100_percent(
    tmp_path: Path,
) -> None:
    model = Model()
    wall(model, Name="one")
    wall(model, Name="two")
    report = checked(tmp_path, model, specification(occurs=PROHIBITED))
    rule = report.specifications[0]
    assert rule.usage is Usage.PROHIBITED
    assert rule.verdict is Verdict.FAILED
    assert (rule.applicable, len(rule.failures)) == (2, 2)
    assert {report.elements[row.element].name for row in rule.failures} == {"one", "two"}


@pytest.mark.parametrize(
    ("occurs", "status"), [(OPTIONAL, True), (PROHIBITED, True), (REQUIRED, False)]
)
def test_a_specification_that_applies_to_nothing(tmp_path: Path, occurs: str, status: bool) -> None:
    model = Model()
    model.add("IfcDoor")
    requirement = "" if occurs == PROHIBITED else attribute("Name")
    report = checked(tmp_path, model, specification(requirement, occurs=occurs))
    assert report.specifications[0].status is status
    assert report.nothing_applicable == report.specifications


@pytest.mark.parametrize(
    ("applicability", "names"),
    [
        (attribute("Tag"), ["tagged"]),
        (f"<classification>{simple('system', 'Uniclass')}</classification>", ["classified"]),
        (f"<material>{simple('value', 'Brick')}</material>", ["bricked"]),
        (property_(), ["labelled"]),
        (entity("IFCWALL") + attribute("Tag"), ["tagged"]),
    ],
)
def test_every_facet_decides_who_is_meant(
    tmp_path: Path, applicability: str, names: list[str]
) -> None:
    model = Model()
    wall(model, Name="tagged", Tag="1")
    wall(model, Name="plain")
    classified(model, wall(model, Name="classified"), "Uniclass", "1")
    layered(model, wall(model, Name="bricked"), Material=model.add("IfcMaterial", Name="Brick"))
    model.single(wall(model, Name="labelled"), "IfcLabel", "x")
    rule = specification(attribute("Name"), applicability=applicability)
    report = checked(tmp_path, model, rule)
    assert [e.name for e in report.elements if e.ifc_class == "IfcWall"] == names


def test_the_stock_facets_are_untouched() -> None:
    assert ifctester.facet.Restriction.__module__ == "ifctester.facet"
    assert ifctester.ids.Entity is ifctester.facet.Entity
    assert not ifctester.facet.is_x(5e-7, 0.0)
