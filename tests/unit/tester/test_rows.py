"""What lasts of a specification and a requirement: what they ask, not how they say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ifcbase.ifc.inventory import read_inventory
from ifcbase.ifc.opening import open_model
from ifcbase.tester.check import check
from ifcbase.tester.record import series_names
from ifcbase.tester.report import SpecificationReport, TesterReport
from ifcbase.tester.rows import OCCURRENCE, Rows, asked_of, chunks, content_of, subject_of
from tests.unit.tester.building import (
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


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Model()
    kind = made.add("IfcWallType", Name="Type", PredefinedType="SOLIDWALL")
    for name in ("one", None, "three"):
        made.typed(made.add("IfcWall", Name=name), kind)
    made.add("IfcSlab")
    return made.write(tmp_path_factory.mktemp("model"))


def report(model: Path, folder: Path, *rules: str) -> TesterReport:
    return check(model, [write_ids(folder, *rules)])


def only(model: Path, folder: Path, rule: str) -> SpecificationReport:
    (found,) = report(model, folder, rule).specifications
    return found


VALUE = simple("value", "1")
SAME = [
    (specification(attribute("Name"), name="A"), specification(attribute("Name"), name="B")),
    (
        specification(attribute("Name", VALUE)),
        specification(
            attribute("Name", VALUE).replace("<attribute", '<attribute instructions="x"')
        ),
    ),
    (
        specification(attribute("Name"), versions="IFC4"),
        specification(attribute("Name"), versions="IFC2X3"),
    ),
]
OTHER_CONTENT = [
    (specification(attribute("Name")), specification(attribute("Name"), occurs=REQUIRED)),
    (
        specification(attribute("Name")),
        specification(attribute("Name"), applicability=entity("IFCSLAB")),
    ),
    (
        specification(attribute("Name")),
        specification(attribute("Name"), applicability=entity("IFCWALL") + attribute("Tag")),
    ),
    (
        specification(attribute("Name"), applicability=entity("IFCWALL", "SOLIDWALL")),
        specification(attribute("Name"), applicability=entity("IFCWALL", "PARTITIONING")),
    ),
]
OTHER_ASKED = [
    (attribute("Name"), attribute("Name", VALUE)),
    (attribute("Name", VALUE), attribute("Name", simple("value", "2"))),
    (attribute("Name", cardinality="optional"), attribute("Name", cardinality="prohibited")),
    (
        attribute("Name", restricted("value", pattern="a.*")),
        attribute("Name", restricted("value", pattern="b.*")),
    ),
    (
        attribute("Name", restricted("value", enumeration=["a", "b"])),
        attribute("Name", restricted("value", enumeration=["a"])),
    ),
    (property_(VALUE), property_(VALUE, data_type="IFCTEXT")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_words_are_no_part_of_what_is_asked(
    model: Path, tmp_path: Path, one: str, other: str
) -> None:
    a, b = only(model, tmp_path, one), only(model, tmp_path, other)
    assert content_of(a) == content_of(b)
    assert [asked_of(r) for r in a.requirements] == [asked_of(r) for r in b.requirements]


@pytest.mark.parametrize(("one", "other"), OTHER_CONTENT)
def test_what_decides_where_it_applies_is_content(
    model: Path, tmp_path: Path, one: str, other: str
) -> None:
    assert content_of(only(model, tmp_path, one)) != content_of(only(model, tmp_path, other))


@pytest.mark.parametrize(("one", "other"), OTHER_ASKED)
def test_another_demand_on_the_same_thing_has_its_subject(
    model: Path, tmp_path: Path, one: str, other: str
) -> None:
    a = only(model, tmp_path, specification(one)).requirements[0]
    b = only(model, tmp_path, specification(other)).requirements[0]
    assert asked_of(a) != asked_of(b)
    assert subject_of(a) == subject_of(b)


def test_another_attribute_is_another_subject(model: Path, tmp_path: Path) -> None:
    found = only(model, tmp_path, specification(attribute("Name") + attribute("Tag")))
    assert len({subject_of(r) for r in found.requirements}) == 2


def test_the_order_of_facets_does_not_matter(model: Path, tmp_path: Path) -> None:
    one = entity("IFCWALL") + attribute("Name") + attribute("Tag")
    other = entity("IFCWALL") + attribute("Tag") + attribute("Name")
    a = only(model, tmp_path, specification(applicability=one))
    b = only(model, tmp_path, specification(applicability=other))
    assert content_of(a) == content_of(b)


def test_rows_of_a_report(model: Path, tmp_path: Path) -> None:
    found = report(
        model,
        tmp_path,
        specification(attribute("Name"), name="Walls"),
        specification(attribute("Name"), name="Types", applicability=entity("IFCWALLTYPE")),
        specification(occurs=PROHIBITED, applicability=entity("IFCSLAB"), name="No slabs"),
        specification(occurs=REQUIRED, applicability=entity("IFCDOOR"), name="Doors"),
    )
    rows = Rows(found, read_inventory(open_model(model)))
    elements = list(rows.elements())
    assert sorted(row["ref"] for row in elements) == list(range(len(found.elements)))
    outside = [row for row in elements if "ifc_class" in row]
    assert [(row["ifc_class"], row["name"], row["n"]) for row in outside] == [
        ("IfcWallType", "Type", 0)
    ]
    for row in elements:
        assert row["global_id"] == found.elements[row["ref"]].global_id
    walls, types, slabs, doors = rows.specifications()
    assert (walls["applicable"], walls["failed"], walls["verdict"]) == (3, 1, "failed")
    assert [r["position"] for r in walls["requirements"]] == [1]
    assert [r["position"] for r in slabs["requirements"]] == [OCCURRENCE]
    assert (doors["requirements"][0]["evaluated"], doors["requirements"][0]["failed"]) == (1, 1)
    assert types["verdict"] == "passed"
    failures = list(rows.failures())
    assert [(row["specification"], row["requirement"]) for row in failures] == [
        (0, 1),
        (2, 0),
        (3, 0),
    ]
    assert failures[2]["element"] is None
    for row in rows.specifications():
        counted = sum(f["specification"] == row["position"] for f in failures)
        assert counted == sum(r["failed"] for r in row["requirements"])
    assert sum(len(r["elements"]) for some in rows.applicable() for r in some) == sum(
        s.applicable for s in found.specifications
    )
    assert list(rows.left_out()) == []


def test_a_type_with_the_id_of_a_wall_is_its_repeat(model: Path, tmp_path: Path) -> None:
    found = report(
        model, tmp_path,
        specification(attribute("Name")),
        specification(attribute("Name"), applicability=entity("IFCWALLTYPE")),
    )  # fmt: skip
    inventory = read_inventory(open_model(model))
    wall = next(e for e in found.elements if e.ifc_class == "IfcWall")
    kind = next(e for e in found.elements if e.ifc_class == "IfcWallType")
    kind.global_id = wall.global_id
    rows = [r for r in Rows(found, inventory).elements() if r["global_id"] == wall.global_id]
    assert sorted(row["n"] for row in rows) == [0, 1]


def test_series_are_named_without_revisions_and_told_apart() -> None:
    assert series_names(["a/Fire v2.ids", "Names_2026-01-02.ids"]) == ["Fire", "Names"]
    assert series_names(["Fire v1.ids", "Fire v2.ids", "x.ids"]) == [
        "Fire v1.ids",
        "Fire v2.ids",
        "x",
    ]


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (3, [3]), (5, [4, 1]), (8, [4, 4])])
def test_chunks(count: int, sizes: list[int]) -> None:
    rows = [{"x": i} for i in range(count)]
    found = list(chunks(iter(rows), 4))
    assert [len(each) for each in found] == sizes
    assert [row for each in found for row in each] == rows
