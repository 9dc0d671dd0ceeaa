"""The public reference scene: our adapter against ifcclash itself, pair by pair."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import ifcclash.ifcclash
import pytest

from ifcbase.clash.detect import detect
from ifcbase.clash.report import ClashReport
from ifcbase.clash.request import parse_request

ARCHITECTURE, STRUCTURE = "Building-Architecture.ifc", "Building-Structural.ifc"

#: Known counts of Architecture against Structural, with IfcOpenShell 0.8.5 and 0.9.0.
EXPECTED: dict[str, tuple[int, dict[str, Any]]] = {
    "intersection": (1, {"mode": "intersection", "tolerance": 0.01, "check_all": False}),
    "collision": (8, {"mode": "collision", "allow_touching": False}),
    "touching": (25, {"mode": "collision", "allow_touching": True}),
    "clearance": (55, {"mode": "clearance", "clearance": 0.5, "check_all": False}),
}


@pytest.fixture(scope="module")
def pcert(models_folder: Path) -> Path:
    return models_folder / "pcert"


@pytest.fixture(scope="module")
def report(pcert: Path) -> ClashReport:
    sets = [
        {"name": name, "a": [{"file": ARCHITECTURE}], "b": [{"file": STRUCTURE}]} | values
        for name, (_, values) in EXPECTED.items()
    ]
    files = {n: pcert / n for n in (ARCHITECTURE, STRUCTURE)}
    return detect(parse_request(sets), files, engine="reference")


def reference(pcert: Path, values: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """What ifcclash finds, by the two GlobalIds."""
    options = ifcclash.ifcclash.ClashSettings()
    options.logger = logging.getLogger("ifcclash")
    clasher = ifcclash.ifcclash.Clasher(options)
    sides = {"a": [{"file": str(pcert / ARCHITECTURE)}], "b": [{"file": str(pcert / STRUCTURE)}]}
    clasher.clash_sets = [{"name": "s"} | sides | values]
    clasher.clash()
    found: dict[str, dict[str, Any]] = clasher.clash_sets[0]["clashes"]
    return {(c["a_global_id"], c["b_global_id"]): c for c in found.values()}


@pytest.mark.models
@pytest.mark.parametrize("name", EXPECTED)
def test_counts_and_pairs_are_those_of_the_reference(
    report: ClashReport, pcert: Path, name: str
) -> None:
    expected, values = EXPECTED[name]
    (each,) = [s for s in report.sets if s.definition.name == name]
    assert len(each.clashes) == expected
    found = each.clashes
    ours = {
        (
            report.files[i].inventory.elements[a].global_id,
            report.files[j].inventory.elements[b].global_id,
        )
        for i, a, j, b in zip(found.a_file, found.a, found.b_file, found.b, strict=True)
    }
    theirs = reference(pcert, values)
    # The reference may give a pair the wrong way round; no other difference is expected. No pair
    # is related: hosts, openings and assemblies never reach over two files.
    assert {frozenset(pair) for pair in ours} == {frozenset(pair) for pair in theirs}
    assert each.related_left_out == 0
    side_a = {e.global_id for e in report.files[0].inventory.elements}
    assert all(a in side_a for a, _ in ours)


@pytest.mark.models
def test_coverage_of_the_reference_scene(report: ClashReport) -> None:
    """Four wholes of the architecture and two of the structure have parts instead of a body."""
    for each in report.sets:
        (a,), (b,) = each.a, each.b
        assert (len(a.selected), a.tested, a.gaps) == (15, 11, 0)
        assert (len(b.selected), b.tested, b.gaps) == (18, 16, 0)
        assert each.coverage == 1.0
    touching = [s.touching for s in report.sets]
    assert touching == [0, 17, 17, 0]


@pytest.mark.models
@pytest.mark.slow
def test_counts_of_a_real_building(models_folder: Path) -> None:
    """ifcclash finds 69, 10, 149 and 164; two of the last are a stair with its own railing.

    Placing shapes in the world before the tree does moved three pairs at the tolerance's edge.
    """
    one, two = "Duplex_Architecture.ifc", "Duplex_Electrical.ifc"
    sides = {"a": [{"file": one}], "b": [{"file": two}]}
    sets = [
        {"name": "intersection", "tolerance": 0.01} | sides,
        {"name": "collision", "mode": "collision"} | sides,
        {"name": "clearance", "mode": "clearance", "clearance": 0.05} | sides,
        {"name": "self", "mode": "collision", "a": [{"file": one}]},
    ]
    files = {name: models_folder / "duplex" / name for name in (one, two)}
    report = detect(parse_request(sets), files, engine="reference")
    assert [len(each.clashes) for each in report.sets] == [69, 10, 149, 162]
    assert [each.related_left_out for each in report.sets] == [0, 0, 0, 2]
    assert all(each.coverage == 1.0 for each in report.sets)
