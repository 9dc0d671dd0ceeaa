"""Every rule of the audit: what it finds, and that it leaves its sound neighbour alone."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from ifcbase.errors import IdsInvalid
from ifcbase.tester.ids.audit import rules
from ifcbase.tester.ids.finding import Finding, Severity
from ifcbase.tester.ids.reading import read, read_valid
from tests.unit.tester.building import (
    OPTIONAL,
    PROHIBITED,
    REQUIRED,
    attribute,
    entity,
    property_,
    restricted,
    simple,
    specification,
    write_ids,
)


def part_of(relation: str, whole: str) -> str:
    return f'<partOf relation="{relation}">{whole}</partOf>'


def on(ifc_class: str, requirements: str, versions: str = "IFC4") -> str:
    return specification(requirements, applicability=entity(ifc_class), versions=versions)


def name_value(value: str) -> str:
    return specification(attribute("Name", value))


VALUE = simple("value", "x")
CLASSIFIED = f"<classification>{simple('system', 'S')}</classification>"
ABSTRACT = specification(attribute("Name"), applicability=entity("IFCBUILDINGELEMENT"))
WARNED = specification(occurs=OPTIONAL)


class Case(NamedTuple):
    rule: rules.Rule
    wrong: str
    sound: str


CASES = [
    Case(
        rules.VERSION_MISSING,
        specification(attribute("Name"), versions=""),
        specification(attribute("Name"), versions="IFC2X3 IFC4 IFC4X3_ADD2"),
    ),
    Case(
        rules.OCCURS,
        specification(attribute("Name"), occurs='minOccurs="2" maxOccurs="5"'),
        specification(attribute("Name"), occurs=REQUIRED),
    ),
    Case(  # the schema's default for what is left out is one
        rules.OCCURS,
        specification(attribute("Name"), occurs=""),
        specification(attribute("Name"), occurs='maxOccurs="unbounded"'),
    ),
    Case(
        rules.PROHIBITED_WITH_REQUIREMENTS,
        specification(attribute("Name"), occurs=PROHIBITED),
        specification(occurs=PROHIBITED),
    ),
    Case(
        rules.APPLICABILITY_EMPTY,
        specification(attribute("Name"), applicability=""),
        specification(attribute("Name"), applicability="<material/>"),
    ),
    Case(
        rules.NOTHING_REQUIRED,
        specification(occurs=OPTIONAL),
        specification(occurs=REQUIRED),
    ),
    Case(
        rules.ENTITY_CASE,
        specification(occurs=REQUIRED, applicability=entity("IfcWall")),
        specification(occurs=REQUIRED, applicability=entity("IFCWALL")),
    ),
    Case(
        rules.ENTITY_CASE,
        specification(
            occurs=REQUIRED,
            applicability=entity(restricted("name", enumeration=["IFCWALL", "IfcSlab"])),
        ),
        specification(
            occurs=REQUIRED,
            applicability=entity(restricted("name", enumeration=["IFCWALL", "IFCSLAB"])),
        ),
    ),
    Case(
        rules.ENTITY_UNKNOWN,
        on("IFCRABBIT", attribute("Name")),
        on("IFCDOOR", attribute("Name")),
    ),
    Case(  # known to one of two declared versions is not known
        rules.ENTITY_UNKNOWN,
        on("IFCROAD", attribute("Name"), "IFC4 IFC4X3_ADD2"),
        on("IFCROAD", attribute("Name"), "IFC4X3_ADD2"),
    ),
    Case(  # IFC2X3 knows it by the type of the element
        rules.ENTITY_UNKNOWN,
        on("IFCBURNER", attribute("Name"), "IFC2X3"),
        on("IFCAIRTERMINAL", attribute("Name"), "IFC2X3 IFC4"),
    ),
    Case(
        rules.ENTITY_NO_MATCH,
        specification(
            occurs=REQUIRED, applicability=entity(restricted("name", pattern="BUILDING.*"))
        ),
        specification(
            occurs=REQUIRED, applicability=entity(restricted("name", pattern="IFCWALL.*"))
        ),
    ),
    Case(rules.ENTITY_ABSTRACT, ABSTRACT, on("IFCBEAM", attribute("Name"))),
    Case(
        rules.ENTITY_CONTRADICTION,
        on("IFCSLAB", entity("IFCWALL")),
        on("IFCSLAB", entity("IFCSLAB")),
    ),
    Case(
        rules.ENTITY_CONTRADICTION,
        on("IFCWALLSTANDARDCASE", entity("IFCWALL")),
        on("IFCFLOWTERMINAL", entity("IFCAIRTERMINAL"), "IFC2X3"),
    ),
    Case(
        rules.PREDEFINED_TYPE_MISSING,
        on("IFCINVENTORY", entity("IFCINVENTORY", "X"), "IFC2X3"),
        on("IFCINVENTORY", entity("IFCINVENTORY", "ASSETINVENTORY"), "IFC4"),
    ),
    Case(
        rules.PREDEFINED_TYPE_BY_TYPE,
        on("IFCWALL", entity("IFCWALL", "STANDARD"), "IFC2X3"),
        on("IFCWALL", entity("IFCWALL", "STANDARD"), "IFC4"),
    ),
    Case(
        rules.PREDEFINED_TYPE_UNKNOWN,
        specification(
            applicability=entity("IFCALIGNMENTCANTSEGMENT", "OUR_OWN_TYPE"),
            occurs=REQUIRED,
            versions="IFC4X3_ADD2",
        ),
        on("IFCWALL", entity("IFCWALL", "OUR_OWN_TYPE")),
    ),
    Case(
        rules.ATTRIBUTE_UNKNOWN,
        specification(attribute("ActingRole")),
        specification(attribute("ObjectType")),
    ),
    Case(
        rules.ATTRIBUTE_UNKNOWN,
        specification(attribute(restricted("name", pattern="No.*"))),
        specification(attribute(restricted("name", pattern=".*Name.*"))),
    ),
    Case(
        rules.ATTRIBUTE_UNKNOWN,
        specification(attribute("Nowhere"), applicability=attribute("Nowhere")),
        specification(attribute("Tag"), applicability=attribute("Tag")),
    ),
    Case(
        rules.ATTRIBUTE_DERIVED,
        on("IFCCARTESIANPOINT", attribute("Dim")),
        on("IFCCARTESIANPOINT", attribute("Coordinates")),
    ),
    Case(
        rules.ATTRIBUTE_DERIVED,
        on("IFCSIUNIT", attribute("Dimensions")),
        on("IFCSIUNIT", attribute("Prefix")),
    ),
    Case(
        rules.ATTRIBUTE_INVERSE,
        specification(attribute("IsDefinedBy")),
        specification(attribute("OwnerHistory")),
    ),
    Case(
        rules.ATTRIBUTE_OBJECT,
        on("IFCTASK", attribute("TaskTime", VALUE)),
        on("IFCTASK", attribute("TaskTime")),
    ),
    Case(
        rules.ATTRIBUTE_SELECT,
        on("IFCSURFACESTYLERENDERING", attribute("DiffuseColour", VALUE)),
        on("IFCSURFACESTYLERENDERING", attribute("DiffuseColour")),
    ),
    Case(
        rules.ATTRIBUTE_LIST,
        on("IFCCARTESIANPOINT", attribute("Coordinates", VALUE)),
        on("IFCCARTESIANPOINT", attribute("Coordinates")),
    ),
    Case(  # a list that is hidden in a named type
        rules.ATTRIBUTE_LIST,
        on("IFCSITE", attribute("RefLatitude", VALUE)),
        on("IFCSITE", attribute("RefElevation", simple("value", "1.5"))),
    ),
    Case(
        rules.ATTRIBUTE_BINARY,
        on("IFCBLOBTEXTURE", attribute("RasterCode", VALUE)),
        on("IFCBLOBTEXTURE", attribute("RasterFormat", VALUE)),
    ),
    Case(
        rules.DATA_TYPE_UNKNOWN,
        specification(property_(data_type="IFCWISH")),
        specification(property_(data_type="IFCDOORPANELOPERATIONENUM")),
    ),
    Case(  # an entity is no data type
        rules.DATA_TYPE_UNKNOWN,
        specification(property_(data_type="IFCWALL")),
        specification(property_(data_type="IFCLOGICAL")),
    ),
    Case(  # dates came with IFC4
        rules.DATA_TYPE_UNKNOWN,
        specification(property_(data_type="IFCDATE"), versions="IFC2X3 IFC4"),
        specification(property_(data_type="IFCDATE"), versions="IFC4"),
    ),
    Case(
        rules.VALUE_EMPTY,
        specification(property_(simple("value", ""))),
        specification(property_()),
    ),
    Case(
        rules.VALUE_EMPTY,
        specification(attribute("Name", simple("value", ""))),
        specification(attribute("Name")),
    ),
    Case(
        rules.VALUE_EMPTY,
        specification(f"<classification>{simple('system', '')}</classification>"),
        specification(CLASSIFIED),
    ),
    Case(
        rules.VALUE_FORM,
        on("IFCTASK", attribute("IsMilestone", simple("value", "FALSE"))),
        on("IFCTASK", attribute("IsMilestone", simple("value", "false"))),
    ),
    Case(
        rules.VALUE_FORM,
        on("IFCSTAIRFLIGHT", attribute("NumberOfRisers", simple("value", "42.0"))),
        on("IFCSTAIRFLIGHT", attribute("NumberOfRisers", simple("value", "42"))),
    ),
    Case(
        rules.VALUE_FORM,
        specification(property_(simple("value", "42,3"), data_type="IFCREAL")),
        specification(property_(simple("value", "4.2e1"), data_type="IFCREAL")),
    ),
    Case(
        rules.VALUE_FORM,
        specification(property_(simple("value", "1.2.2024"), data_type="IFCDATE")),
        specification(property_(simple("value", "2024-02-01"), data_type="IFCDATE")),
    ),
    Case(
        rules.VALUE_FORM,
        specification(property_(simple("value", "16 h"), data_type="IFCDURATION")),
        specification(property_(simple("value", "PT16H"), data_type="IFCDURATION")),
    ),
    Case(
        rules.VALUE_FORM,
        specification(
            property_(restricted("value", "double", enumeration="x"), data_type="IFCREAL")
        ),
        specification(
            property_(restricted("value", "double", enumeration="1."), data_type="IFCREAL")
        ),
    ),
    Case(
        rules.RESTRICTION_BASE,
        specification(
            property_(restricted("value", "string", enumeration="1"), data_type="IFCREAL")
        ),
        specification(
            property_(restricted("value", "double", enumeration="1"), data_type="IFCREAL")
        ),
    ),
    Case(
        rules.RESTRICTION_BASE,
        name_value(restricted("value", "double", minInclusive="1")),
        name_value(restricted("value", "string", minLength="1")),
    ),
    Case(  # names are texts
        rules.RESTRICTION_BASE,
        specification(f"<material>{restricted('value', 'double', minInclusive='1')}</material>"),
        specification(f"<material>{restricted('value', pattern='C.*')}</material>"),
    ),
    Case(
        rules.RESTRICTION_BASE_UNUSUAL,
        specification(
            property_(restricted("value", "decimal", minInclusive="1"), data_type="IFCREAL")
        ),
        specification(
            property_(restricted("value", "double", minInclusive="1"), data_type="IFCREAL")
        ),
    ),
    Case(
        rules.RESTRICTION_BASE_UNKNOWN,
        name_value(restricted("value", "wish", enumeration="x")),
        name_value(restricted("value", "string", enumeration="x")),
    ),
    Case(
        rules.RESTRICTION_FACET,
        name_value(restricted("value", "string", minInclusive="1")),
        name_value(restricted("value", "string", length="1")),
    ),
    Case(
        rules.RESTRICTION_FACET,
        specification(
            property_(restricted("value", "double", totalDigits="3"), data_type="IFCREAL")
        ),
        specification(
            property_(restricted("value", "double", maxExclusive="3"), data_type="IFCREAL")
        ),
    ),
    Case(
        rules.RESTRICTION_CONTRADICTION,
        specification(
            property_(
                restricted("value", "double", minInclusive="3", maxInclusive="2"),
                data_type="IFCREAL",
            )
        ),
        specification(
            property_(
                restricted("value", "double", minInclusive="42", maxInclusive="42"),
                data_type="IFCREAL",
            )
        ),
    ),
    Case(
        rules.RESTRICTION_CONTRADICTION,
        name_value(restricted("value", minLength="3", maxLength="2")),
        name_value(restricted("value", minLength="2", maxLength="3")),
    ),
    Case(
        rules.RESTRICTION_CONTRADICTION,
        specification(
            property_(
                restricted("value", "double", minExclusive="2", maxInclusive="2"),
                data_type="IFCREAL",
            )
        ),
        specification(
            property_(
                restricted("value", "double", minExclusive="1", maxExclusive="2"),
                data_type="IFCREAL",
            )
        ),
    ),
    Case(
        rules.PATTERN_INVALID,
        name_value(restricted("value", pattern="(")),
        name_value(restricted("value", pattern="[(]")),
    ),
    Case(
        rules.PATTERN_COSTLY,
        name_value(restricted("value", pattern="(a{999}){999}")),
        name_value(restricted("value", pattern="(a+)+")),
    ),
    Case(
        rules.PATTERN_ON_NUMBER,
        specification(property_(restricted("value", "double", pattern="1.*"), data_type="IFCREAL")),
        specification(property_(restricted("value", "string", pattern="1.*"))),
    ),
    Case(
        rules.PART_OF_RELATION,
        specification(part_of("IFCRELASSIGNSTOGROUP", entity("IFCWALL"))),
        specification(part_of("IFCRELASSIGNSTOGROUP", entity("IFCZONE"))),
    ),
    Case(
        rules.PART_OF_RELATION,
        specification(part_of("IFCRELCONTAINEDINSPATIALSTRUCTURE", entity("IFCWALL"))),
        specification(part_of("IFCRELAGGREGATES", entity("IFCWALL"))),
    ),
]


def findings(folder: Path, *specifications: str) -> list[Finding]:
    document, found = read(write_ids(folder, *specifications))
    assert document is not None, found
    return found


def label(case: Case) -> str:
    return case.rule.code


@pytest.mark.parametrize("case", CASES, ids=label)
def test_the_rule_finds_what_is_wrong(tmp_path: Path, case: Case) -> None:
    found = [f for f in findings(tmp_path, case.wrong) if f.code == case.rule.code]
    assert found
    assert {f.severity for f in found} == {case.rule.severity}
    assert all(f.sentence.startswith(case.rule.sentence) for f in found)
    assert all(f.place.startswith("specification 1 'A rule'") for f in found)


@pytest.mark.parametrize("case", CASES, ids=label)
def test_the_rule_is_silent_about_what_is_sound(tmp_path: Path, case: Case) -> None:
    assert [f for f in findings(tmp_path, case.sound) if f.severity is Severity.ERROR] == []
    assert case.rule.code not in {f.code for f in findings(tmp_path, case.sound)}


def test_every_rule_has_a_case() -> None:
    assert {case.rule.code for case in CASES} == {rule.code for rule in rules.ALL}


def test_codes_are_unique_and_sentences_are_sentences() -> None:
    assert len({rule.code for rule in rules.ALL}) == len(rules.ALL)
    for rule in rules.ALL:
        assert rule.sentence[0].isupper()
        assert rule.sentence.endswith(".")


def test_no_rule_looks_at_the_name_of_the_file(tmp_path: Path) -> None:
    sound, wrong = specification(attribute("Name")), specification(attribute("Nowhere"))
    misnamed = write_ids(tmp_path, sound, name="invalid-fail-sound.ids")
    assert read(misnamed)[1] == []
    misnamed = write_ids(tmp_path, wrong, name="pass-wrong.ids")
    assert [f.code for f in read(misnamed)[1]] == ["attribute-unknown"]


def test_a_finding_leads_to_its_place(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        specification(attribute("Name")),
        specification(attribute("Name") + attribute("Nowhere"), name="The second"),
    )
    assert [(f.specification, f.place) for f in found] == [
        (1, "specification 2 'The second', requirement 2 (attribute)")
    ]
    assert str(found[0]).endswith(
        "[attribute-unknown; rules.ids, specification 2 'The second', requirement 2 (attribute)]"
    )


def test_a_value_is_sound_if_one_of_the_attributes_meant_can_take_it(tmp_path: Path) -> None:
    several = attribute(
        restricted("name", pattern="Name|NumberOfRisers"), simple("value", "forty-two")
    )
    assert findings(tmp_path, on("IFCSTAIRFLIGHT", several)) == []


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    one = write_ids(tmp_path, specification(attribute("Nowhere")), name="one.ids")
    two = write_ids(tmp_path, on("IFCRABBIT", attribute("Name")), name="two.ids")
    warned = write_ids(tmp_path, WARNED, name="warned.ids")
    with pytest.raises(IdsInvalid) as caught:
        read_valid([one, two, warned])
    assert caught.value.code == "ids-invalid"
    assert "attribute-unknown" in caught.value.message
    assert "(and 1 more)" in caught.value.message
    assert "entity-unknown" in str(caught.value.detail)
    assert "two.ids" in str(caught.value.detail)
    assert "nothing-required" not in str(caught.value.detail)


def test_warnings_do_not_refuse(tmp_path: Path) -> None:
    documents, found = read_valid([write_ids(tmp_path, WARNED)])
    assert [f.code for f in found] == ["nothing-required"]
    assert len(documents) == 1


def test_messages_call_files_by_the_names_people_know(tmp_path: Path) -> None:
    path = write_ids(tmp_path, specification(attribute("Nowhere")), name="3f2a")
    with pytest.raises(IdsInvalid, match=r"fire\.ids"):
        read_valid([path], ["fire.ids"])
