"""The sample's IDS says what its truth says, found by reading the building and by IfcTester."""

from __future__ import annotations

from pathlib import Path

import ifcopenshell
import ifcopenshell.util.element
import ifctester.ids
import pytest

from ifcbase import samples
from ifcbase.samples import Revision
from ifcbase.tester.check import check


def value(element: ifcopenshell.entity_instance, group: str, name: str) -> object:
    return ifcopenshell.util.element.get_psets(element).get(group, {}).get(name)


@pytest.mark.parametrize("revision", ["A", "B"])
def test_the_truth_by_reading_the_building_and_by_two_checkers(
    tmp_path: Path, revision: Revision
) -> None:
    built = samples.build(tmp_path, revision=revision)
    path = built.files["Architecture"]
    model = ifcopenshell.open(path)
    inside = [
        w for w in model.by_type("IfcWall") if value(w, "Pset_WallCommon", "IsExternal") is False
    ]
    poor = [w for w in inside if value(w, "Pset_WallCommon", "FireRating") != "EI60"]
    doors = model.by_type("IfcDoor")
    weak = [d for d in doors if value(d, "Pset_DoorCommon", "FireRating") != "EI30"]
    proxies = model.by_type("IfcBuildingElementProxy")
    stairs = model.by_type("IfcStairFlight")
    read = [
        (len(inside), len(poor)),
        (len(doors), len(weak)),
        (len(proxies), len(proxies)),
        (len(stairs), sum(not stair.Name for stair in stairs)),
        (len(model.by_type("IfcRoof")), 0),
    ]
    truth = samples.rules_truth(revision)
    assert [(each.applicable, each.failed) for each in truth] == read

    rules = samples.write_rules(tmp_path)
    report = check(path, [rules])
    assert report.findings == []
    found = [(s.name, s.applicable, len(s.failed_elements)) for s in report.specifications]
    assert found == [(each.name, each.applicable, each.failed) for each in truth]

    stock = ifctester.ids.open(str(rules))
    stock.validate(model)
    assert [s.name for s in stock.specifications if not s.status] == [
        each.name for each in truth if each.failed
    ]


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    first = samples.write_rules(tmp_path / "1").read_bytes()
    assert first == samples.write_rules(tmp_path / "2").read_bytes()
