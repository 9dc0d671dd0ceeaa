"""Files that say the same in another way have no difference: schema, unit, ids, order, repetition."""

from __future__ import annotations

import shutil
from pathlib import Path

import ifcopenshell
import pytest

from ifcbase import samples
from ifcbase.diff.report import DiffReport, Verdict
from tests.ifc_builder import IfcBuilder
from tests.unit.diff import house as building
from tests.unit.diff.house import compared, guid, house, rows


def nothing(report: DiffReport) -> bool:
    return (
        report.verdict is Verdict.UNCHANGED
        and report.diff_count == 0
        and not report.doubtful
        and not report.unjudged
        and report.compared > 0
    )


@pytest.mark.parametrize(
    ("schema", "unit"),
    [("IFC2X3", "m"), ("IFC4X3", "m"), ("IFC4", "mm"), ("IFC2X3", "mm"), ("IFC4X3", "mm")],
)
def test_another_schema_and_another_unit_are_no_changes(
    tmp_path: Path, schema: str, unit: str
) -> None:
    old = house(4).write(tmp_path / "old.ifc")
    new = house(4, schema, unit).write(tmp_path / "new.ifc")
    report = compared(old, new)
    assert rows(report) == set()
    assert nothing(report)
    assert nothing(compared(new, old))
    assert any("schemas differ" in w for w in report.warnings) is (schema != "IFC4")


@pytest.mark.parametrize("unit", ["m", "mm"])
def test_edits_are_found_across_schemas_and_units(tmp_path: Path, unit: str) -> None:
    old = house(6).write(tmp_path / "old.ifc")
    made = house(6, "IFC2X3", unit)
    edits = (building.renamed, building.moved, building.reshaped, building.marked, building.measured,
             building.deleted)  # fmt: skip
    expected = {row for i, edit in enumerate(edits) for row in edit(made, i)}
    assert rows(compared(old, made.write(tmp_path / "new.ifc"))) == expected


def test_the_sample_building_says_the_same_in_another_schema_and_unit(tmp_path: Path) -> None:
    old = samples.build(tmp_path / "a", storeys=1, bays=(1, 1))
    new = samples.build(tmp_path / "b", storeys=1, bays=(1, 1), schema="IFC2X3", unit="mm")
    for model, path in old.files.items():
        report = compared(path, new.files[model])
        assert rows(report) == set(), model
        assert nothing(report)


def test_the_edits_of_the_sample_building_are_the_report(tmp_path: Path) -> None:
    facets = {"renamed": "attributes", "moved": "placement", "property": "property",
              "reclassified": "class", "added": "added", "deleted": "deleted"}  # fmt: skip
    old = samples.build(tmp_path / "a", bays=(1, 2))
    new = samples.build(tmp_path / "b", bays=(1, 2), revision="B")
    for model, path in old.files.items():
        report = compared(path, new.files[model])
        edits = [c for c in new.changes if c.model == model]
        assert rows(report) == {(c.global_id, facets[c.kind]) for c in edits}
        told = {
            (report.old if c.new is None else report.new)
            .element(c.new if c.new is not None else c.old or 0)
            .global_id: c
            for c in report.changes
        }
        for edit in edits:
            change = told[edit.global_id]
            if edit.kind == "moved":
                assert change.after["moved_by"] == pytest.approx(edit.moved_by_m, abs=1e-6)
            if edit.kind in {"renamed", "property", "reclassified"}:
                assert (change.before, change.after) == (
                    {edit.what: edit.before}, {edit.what: edit.after},
                )  # fmt: skip


def test_ids_issued_anew_are_told_and_are_no_changes(tmp_path: Path) -> None:
    old = samples.build(tmp_path / "a", storeys=1, bays=(1, 1))
    new = samples.build(tmp_path / "b", storeys=1, bays=(1, 1), reissue_ids=True)
    for model, path in old.files.items():
        report = compared(path, new.files[model])
        assert nothing(report)
        found = {
            report.old.element(r.old).global_id: report.new.element(r.new).global_id
            for r in report.reidentified
        }
        expected = new.reissued[model]
        assert expected
        assert {key: found.get(key) for key in expected} == expected
        assert min(r.confidence for r in report.reidentified) >= 0.5


def test_what_changed_under_a_new_id_is_a_change_of_the_same_element(tmp_path: Path) -> None:
    old = house(4).write(tmp_path / "old.ifc")
    made = house(4)
    building.marked(made, 1)
    for i, wall in enumerate(made.walls):
        wall.GlobalId = guid(50_000 + i)
    report = compared(old, made.write(tmp_path / "new.ifc"))
    assert rows(report) == {(guid(50_001), "property")}
    assert len(report.reidentified) == 4


def test_an_element_that_may_be_another_is_doubtful_and_not_deleted(tmp_path: Path) -> None:
    old = house(2).write(tmp_path / "old.ifc")
    made = house(2)
    made.walls[1].GlobalId = guid(50_001)
    point = made.walls[1].ObjectPlacement.RelativePlacement.Location
    point.Coordinates = (4.0, 0.5, 0.0)
    report = compared(old, made.write(tmp_path / "new.ifc"))
    (doubt,) = report.doubtful
    assert report.old.element(doubt.old).global_id == guid(1001)
    assert doubt.new is not None
    assert report.new.element(doubt.new).global_id == guid(50_001)
    assert doubt.confidence < 0.5
    assert rows(report) == set()
    assert report.verdict is Verdict.INCONCLUSIVE


def test_the_same_file_twice_and_one_rewritten_are_unchanged(tmp_path: Path) -> None:
    old = house(4).write(tmp_path / "old.ifc")
    copy = tmp_path / "copy.ifc"
    shutil.copyfile(old, copy)
    report = compared(old, copy)
    assert nothing(report)
    assert "both files are the same, byte for byte" in report.warnings
    # A comment: other bytes, and no digest of the text proves anything any more.
    copy.write_text(old.read_text().replace("DATA;", "DATA; /* written ';' again */"))
    assert nothing(compared(old, copy))
    # Other step ids in another order.
    file = ifcopenshell.open(str(old))
    fresh = ifcopenshell.file(schema=file.schema)
    for entity in reversed(list(file)):
        fresh.add(entity)
    fresh.write(str(copy))
    assert nothing(compared(old, copy))


def repeated(order: tuple[int, ...]) -> IfcBuilder:
    """Walls of one GlobalId, told apart by what they say."""
    made = IfcBuilder()
    made.project.GlobalId = guid(1)
    for i in order:
        made.box(f"Wall {i}", (3.0 * i, 0, 0), GlobalId=guid(7))
    return made


def test_repeated_ids_in_another_order_are_no_changes(tmp_path: Path) -> None:
    old = repeated((0, 1, 2)).write(tmp_path / "old.ifc")
    assert nothing(compared(old, repeated((2, 0, 1)).write(tmp_path / "new.ifc")))
    fewer = compared(old, repeated((2, 1)).write(tmp_path / "fewer.ifc"))
    (change,) = fewer.changes
    assert (change.facet, change.before["name"]) == ("deleted", "Wall 0")


def test_an_edit_of_one_of_several_with_one_id_is_that_ones(tmp_path: Path) -> None:
    old = repeated((0, 1, 2)).write(tmp_path / "old.ifc")
    made = repeated((2, 0, 1))
    made.file.by_type("IfcWall")[0].Name = "Renamed"
    (change,) = compared(old, made.write(tmp_path / "new.ifc")).changes
    assert (change.before, change.after) == ({"Name": "Wall 2"}, {"Name": "Renamed"})


def test_an_empty_model_is_all_deleted_or_inconclusive(tmp_path: Path) -> None:
    empty = IfcBuilder()
    empty.project.GlobalId = guid(1)
    nobody = empty.write(tmp_path / "empty.ifc")
    full = house(2).write(tmp_path / "full.ifc")
    assert {facet for _, facet in rows(compared(full, nobody))} == {"deleted"}
    assert {facet for _, facet in rows(compared(nobody, full))} == {"added"}
    other = IfcBuilder(unit="mm").write(tmp_path / "other.ifc")
    report = compared(nobody, other)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert "old model: it has no element to compare" in report.warnings


def test_a_model_moved_as_a_whole_says_so(tmp_path: Path) -> None:
    old = house(12).write(tmp_path / "old.ifc")
    made = house(12)
    for wall in made.walls:
        point = wall.ObjectPlacement.RelativePlacement.Location
        x, y, z = point.Coordinates
        point.Coordinates = (x + 100.0, y, z)
    report = compared(old, made.write(tmp_path / "new.ifc"))
    assert {facet for _, facet in rows(report)} == {"placement"}
    assert any("another origin" in warning for warning in report.warnings)


def test_a_storey_that_moves_moves_what_hangs_on_it_and_is_no_change_of_container(
    tmp_path: Path,
) -> None:
    def hung(z: float, name: str) -> IfcBuilder:
        made = IfcBuilder()
        made.project.GlobalId = guid(1)
        storey = made.storey(name)
        storey.GlobalId = guid(2)
        storey.ObjectPlacement.RelativePlacement.Location.Coordinates = (0.0, 0.0, z)
        wall = made.box("Wall", GlobalId=guid(3), storey=storey)
        wall.ObjectPlacement.PlacementRelTo = storey.ObjectPlacement
        return made

    old = hung(0.0, "Ground").write(tmp_path / "old.ifc")
    new = hung(0.5, "Ground floor").write(tmp_path / "new.ifc")
    assert rows(compared(old, new)) == {
        (guid(2), "attributes"), (guid(2), "placement"), (guid(3), "placement"),
    }  # fmt: skip


def test_a_shape_that_cannot_be_made_is_named_and_never_called_equal(tmp_path: Path) -> None:
    old = house(2).write(tmp_path / "old.ifc")
    made = house(2)
    make = made.file.create_entity
    # A body of one face of two corners: no mesher makes anything of it.
    corners = [make("IfcCartesianPoint", (0.0, 0.0, float(k))) for k in range(2)]
    loop = make("IfcPolyLoop", corners)
    face = make("IfcFace", [make("IfcFaceOuterBound", loop, True)])
    solid = make("IfcFacetedBrep", make("IfcClosedShell", [face]))
    shape = made.walls[1].Representation.Representations[0]
    shape.Items, shape.RepresentationType = [solid], "Brep"
    report = compared(old, made.write(tmp_path / "new.ifc"))
    (row,) = report.unjudged
    assert (row.facet, report.new.element(row.new).global_id) == ("geometry", guid(1001))
    assert row.reason
    assert rows(report) == set()
    assert report.coverage == pytest.approx(1 - 1 / report.compared)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert compared(old, tmp_path / "new.ifc", min_coverage=0.1).verdict is Verdict.UNCHANGED
    without = compared(old, tmp_path / "new.ifc", relationships=["attributes"])
    assert without.verdict is Verdict.UNCHANGED


@pytest.mark.parametrize("relationship", ["attributes", "geometry", "type", "property", "container",
                                          "aggregate", "classification", "material"])  # fmt: skip
def test_a_relationship_selects_its_facets_and_the_class(tmp_path: Path, relationship: str) -> None:
    old = house(8).write(tmp_path / "old.ifc")
    made = house(8)
    by_relationship = {
        "attributes": building.renamed, "geometry": building.reshaped, "type": building.retyped,
        "property": building.measured, "container": building.contained,
        "aggregate": building.aggregated, "classification": building.classified,
        "material": building.other_material,
    }  # fmt: skip
    for i, edit in enumerate(by_relationship.values()):
        edit(made, i)
    new = made.write(tmp_path / "new.ifc")
    number = list(by_relationship).index(relationship)
    found = rows(compared(old, new, relationships=[relationship]))
    whole = {(guid(12_005), "added")}  # the assembly, whoever is asked about
    fresh = by_relationship[relationship](house(8), number) | whole
    assert found == fresh


def test_a_selector_compares_what_it_matches_in_either_version(tmp_path: Path) -> None:
    old = house(4).write(tmp_path / "old.ifc")
    made = house(4)
    building.reclassed(made, 0)
    building.renamed(made, 1)
    building.added(made, 2)
    new = made.write(tmp_path / "new.ifc")
    walls = compared(old, new, filter_elements="IfcWall")
    assert rows(walls) == {(guid(1000), "class"), (guid(1001), "attributes")}
    assert (walls.old.selected, walls.new.selected) == (4, 3)
    assert rows(compared(old, new, filter_elements="IfcColumn")) == {(guid(14_002), "added")}
    storeys = compared(old, new, filter_elements="IfcBuildingStorey")
    assert nothing(storeys)
    assert storeys.compared == 2


def test_a_selector_that_matches_nothing_is_inconclusive(tmp_path: Path) -> None:
    old = house(1).write(tmp_path / "old.ifc")
    made = house(1)
    building.renamed(made, 0)
    report = compared(old, made.write(tmp_path / "new.ifc"), filter_elements="IfcSlab")
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.compared == 0
    assert sum("leaves no element" in warning for warning in report.warnings) == 2


@pytest.mark.parametrize(("tolerance", "found"), [(0.002, True), (0.004, False)])
def test_the_tolerance_decides_what_is_moved(tmp_path: Path, tolerance: float, found: bool) -> None:
    old = house(1).write(tmp_path / "old.ifc")
    made = house(1)
    building.moved(made, 0)  # by 3 mm
    report = compared(old, made.write(tmp_path / "new.ifc"), tolerance=tolerance)
    assert bool(rows(report)) is found
