"""Models edited in known ways: the report is the list of the edits, no more and no less."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.diff.report import Verdict
from tests.unit.diff import house as building
from tests.unit.diff.house import EDITS, Edit, compared, guid, house, rows

COUNT = 4


@pytest.mark.parametrize("schema", ["IFC2X3", "IFC4", "IFC4X3"])
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_each_edit_alone_is_the_report(tmp_path: Path, edit: Edit, schema: str) -> None:
    old = house(COUNT, schema).write(tmp_path / "old.ifc")
    made = house(COUNT, schema)
    expected = edit(made, 1)
    report = compared(old, made.write(tmp_path / "new.ifc"))
    assert rows(report) == expected
    assert report.verdict is (Verdict.CHANGED if expected else Verdict.UNCHANGED)
    assert report.coverage == 1.0
    assert not report.reidentified
    assert not report.doubtful
    assert report.diff_count == len({global_id for global_id, _ in expected})


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from(EDITS), min_size=6, max_size=6), st.sampled_from(["m", "mm"]))
def test_any_edits_together_are_the_report(edits: list[Edit], unit: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        old = house(6, unit=unit).write(Path(folder) / "old.ifc")
        made = house(6, unit=unit)
        expected = {row for i, edit in enumerate(edits) for row in edit(made, i)}
        report = compared(old, made.write(Path(folder) / "new.ifc"))
        assert rows(report) == expected
        # The other way round: what was added was deleted, what changed changed.
        back = rows(compared(Path(folder) / "new.ifc", old))
        swapped = {"added": "deleted", "deleted": "added"}
        assert back == {(global_id, swapped.get(facet, facet)) for global_id, facet in expected}


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        (building.renamed, {"Name": "Wall 1"}, {"Name": "Renamed 1"}),
        (building.marked, {"Own.Mark": "M1"}, {"Own.Mark": "changed"}),
        (building.unmarked, {"Own.Mark": "M1"}, {}),
        (building.measured, {"Sizes.Span": 2.0}, {"Sizes.Span": 2.001}),
        (building.reclassed, {"class": "IfcWall"}, {"class": "IfcBeam"}),
        (
            building.retyped,
            {"type": {"class": "IfcWallType", "name": "Type 0", "global_id": guid(20)}},
            {"type": {"class": "IfcWallType", "name": "Type 1", "global_id": guid(21)}},
        ),
        (
            building.contained,
            {"container": {"class": "IfcBuildingStorey", "name": "Level 0", "global_id": guid(10)}},
            {"container": {"class": "IfcBuildingStorey", "name": "Level 1", "global_id": guid(11)}},
        ),
        (
            building.classified,
            {"classification": [{"system": "NL/SfB", "code": "21.1", "name": "Walls"}]},
            {"classification": [{"system": "NL/SfB", "code": "22.1", "name": "Walls"}]},
        ),
        (
            building.other_material,
            {"material": [{"class": "IfcMaterial", "Name": "Material 0"}]},
            {"material": [{"class": "IfcMaterial", "Name": "Material 1"}]},
        ),
        (
            building.moved,
            {"location": [4.0, 0.0, 0.0]},
            {"location": [4.0, 0.003, 0.0], "moved_by": [0.0, 0.003, 0.0]},
        ),
        (
            building.turned,
            {"location": [4.0, 0.0, 0.0]},
            {"location": [4.0, 0.0, 0.0], "moved_by": [0.0, 0.0, 0.0], "turned": 10.0},
        ),
        (
            building.moved_in_its_shape,
            None,
            {"location": [4.0, 0.0, 0.0], "moved_by": [0.05, 0, 0]},
        ),
        (
            building.reshaped,
            {"extents": [2.0, 0.2, 2.5], "area": 11.8, "volume": 1.0},
            {"extents": [2.0, 0.2, 2.6], "area": 12.24, "volume": 1.04, "apart": 0.1},
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("unit", ["m", "mm"])
def test_values_before_and_after_are_in_si_units(
    tmp_path: Path, edit: Edit, before: dict[str, Any] | None, after: dict[str, Any], unit: str
) -> None:
    old = house(COUNT, unit=unit).write(tmp_path / "old.ifc")
    made = house(COUNT, unit=unit)
    edit(made, 1)
    (change,) = compared(old, made.write(tmp_path / "new.ifc")).changes
    for told, expected in ((change.before, before), (change.after, after)):
        if expected is None:
            continue
        assert told.keys() == expected.keys()
        for name, value in expected.items():
            if isinstance(value, float) or (isinstance(value, list) and name in _NUMBERS):
                assert told[name] == pytest.approx(value, abs=1e-5)
            else:
                assert told[name] == value


_NUMBERS = {"location", "moved_by", "extents"}


def test_the_deleted_and_the_added_are_told(tmp_path: Path) -> None:
    old = house(COUNT).write(tmp_path / "old.ifc")
    made = house(COUNT)
    building.deleted(made, 0)
    building.added(made, 0)
    report = compared(old, made.write(tmp_path / "new.ifc"))
    told = {c.facet: (c.before, c.after) for c in report.changes}
    assert told == {
        "deleted": ({"class": "IfcWall", "name": "Wall 0", "storey": "Level 0"}, {}),
        "added": ({}, {"class": "IfcColumn", "name": "Added 0", "storey": "Level 0"}),
    }
    assert report.summary["unchanged"] == report.compared == COUNT - 1 + 2
