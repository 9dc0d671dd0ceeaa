"""Issue 3's cases from IFC files to a report: units, places, rotation and order change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ifcbase.clash.detect import detect
from ifcbase.clash.report import ClashReport, Kind, Measured
from ifcbase.clash.request import parse_request
from tests.ifc_builder import IfcBuilder
from tests.integration.clash.conftest import names_of
from tests.unit.clash.narrow.kinds_of_cases import CASES, Case, deep
from tests.unit.clash.narrow.shapes import Mesh, turn

#: Metres from one case to the next: nothing of one is near another.
APART = 12.0
FAR = (500_000.0, 6_600_000.0, 0.0)
#: The files' single precision mesher rounds to 4 micrometres at the edge of this scene.
NEAR = 5e-5

MODES: dict[str, dict[str, object]] = {
    "collision": {"mode": "collision"},
    "touching": {"mode": "collision", "allow_touching": True},
    "wide": {"mode": "clearance", "clearance": 0.05},
    "narrow": {"mode": "clearance", "clearance": 0.02},
    "intersection": {"mode": "intersection", "tolerance": 0.01},
}


def tessellation(builder: IfcBuilder, mesh: Mesh, per_metre: float) -> object:
    make = builder.file.create_entity
    vertices, faces = mesh
    points = make("IfcCartesianPointList3D", (vertices * per_metre).tolist())
    corners = (faces + 1).tolist()
    item = make("IfcTriangulatedFaceSet", points, None, None, corners)
    shape = make("IfcShapeRepresentation", builder.context, "Body", "Tessellation", [item])
    return make("IfcProductDefinitionShape", None, None, [shape])


def write(path: Path, side: str, unit: str, place: str, degrees: float) -> None:
    builder = IfcBuilder(unit=unit)
    per_metre = 1000.0 if unit == "mm" else 1.0
    east, north, _ = FAR if place == "far" else (0.0, 0.0, 0.0)
    for number, (name, case) in enumerate(CASES.items()):
        mesh = turn(case.a if side == "a" else case.b, (0, 0, 1), degrees)
        at = (east + APART * (number % 7), north + APART * (number // 7), 0.0)
        builder.box(name, at, Representation=tessellation(builder, mesh, per_metre))
    builder.write(path)


@pytest.fixture(scope="module", params=["m-origin-0", "mm-far-0", "mm-origin-33", "m-far-33"])
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    unit, place, degrees = request.param.split("-")
    folder = tmp_path_factory.mktemp("cases")
    for side in "ab":
        write(folder / f"{side}.ifc", side, unit, place, float(degrees))
    return {side: folder / f"{side}.ifc" for side in "ab"}


@pytest.fixture(scope="module", params=["ab", "ba"])
def report(request: pytest.FixtureRequest, scene: dict[str, Path]) -> ClashReport:
    one, two = request.param
    sets = [
        {"name": name, "a": [{"file": one}], "b": [{"file": two}]} | values
        for name, values in MODES.items()
    ]
    return detect(parse_request(sets), scene)


def found(report: ClashReport, mode: str) -> dict[str, int]:
    """Rows of a set's clashes by case; no clash joins two cases."""
    (each,) = [s for s in report.sets if s.definition.name == mode]
    pairs = names_of(report, each)
    assert all(one == two for one, two in pairs)
    return {str(one): row for row, (one, _) in enumerate(pairs)}


def named(choose: object) -> set[str]:
    return {name for name, case in CASES.items() if choose(case)}  # type: ignore[operator]


def test_every_case_is_what_it_is(report: ClashReport) -> None:
    assert all(each.coverage == 1.0 and not each.undecided for each in report.sets)
    touch = named(lambda case: case.kind == Kind.TOUCHING)
    assert set(found(report, "collision")) == named(deep)
    assert set(found(report, "touching")) == named(deep) | touch
    assert set(found(report, "wide")) == named(lambda case: case.kind is not None)
    assert set(found(report, "narrow")) == named(deep) | touch
    over = named(lambda case: deep(case) and case.distance > 0.01)
    assert set(found(report, "intersection")) == over
    touching = [each.touching for each in report.sets]
    assert touching == [len(touch)] * len(touching)


def test_kinds_depths_and_gaps(report: ClashReport) -> None:
    (each,) = [s for s in report.sets if s.definition.name == "wide"]
    for name, row in found(report, "wide").items():
        case: Case = CASES[name]
        assert int(each.clashes.kind[row]) == case.kind, name
        distance = float(each.clashes.distance[row])
        if each.clashes.measured[row] == Measured.EXACT:
            assert distance == pytest.approx(case.distance, abs=NEAR), name
        else:
            assert distance >= case.distance - NEAR, name


def test_points_lie_in_the_world_at_their_case(report: ClashReport, scene: dict[str, Path]) -> None:
    (each,) = [s for s in report.sets if s.definition.name == "wide"]
    order = list(CASES)
    for name, row in found(report, "wide").items():
        number = order.index(name)
        p, q = each.clashes.p1[row], each.clashes.p2[row]
        # A case is at most 6 m across, and the scene is far off in millions of metres or at 0.
        local = np.array([p[0] % 100_000, p[1] % 100_000])
        corner = np.array([APART * (number % 7), APART * (number // 7)])
        away = (local - corner + 50_000) % 100_000 - 50_000
        assert np.abs(away).max() < 6, name
        apart = float(np.linalg.norm(p - q))
        if CASES[name].kind == Kind.CLEARANCE:
            assert apart == pytest.approx(float(each.clashes.distance[row]), abs=NEAR), name
