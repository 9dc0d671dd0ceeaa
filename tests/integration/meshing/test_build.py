"""Meshing of small files: every element comes back, with the right shape or the right reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ifcbase.errors import ComputeError
from ifcbase.ifc.meshing.audit import Finding, Outcome, audit
from ifcbase.ifc.meshing.build import default_meshers, mesh_file
from ifcbase.ifc.meshing.fast import FastMesher
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshing.geometry_library import hybrid, opencascade
from ifcbase.ifc.meshing.mesher import Meshed, Mesher, Source, Wanted
from tests.integration.meshing.models import Triple, Writer
from tests.unit.meshing import solids


def outcomes(found: FileMeshes) -> list[str]:
    return [Outcome(int(o)).name for o in found.outcome]


def volumes(found: FileMeshes) -> list[float]:
    return [round(float(v), 6) for v in audit(found.meshes).volume]


def world_box(found: FileMeshes, row: int) -> np.ndarray:
    box: np.ndarray = found.meshes.aabb()[row] + np.tile(found.origin, 2)
    return box


@pytest.mark.parametrize("make", [FastMesher, hybrid, opencascade])
def test_every_mesher_cuts_openings_and_speaks_metres(
    tmp_path: Path, make: Callable[[], Mesher]
) -> None:
    writer = Writer(unit="MILLI")
    wall = writer.box((1000, 0, 0), (5000, 300, 3000))
    writer.void(wall, (2000, -100, 1000), (1000, 500, 1000))
    wanted = writer.write(tmp_path / "x.ifc")
    found = mesh_file(tmp_path / "x.ifc", wanted, meshers=[make()])
    assert outcomes(found) == ["SOLID"]
    assert volumes(found) == pytest.approx([4.2], abs=1e-5)
    assert world_box(found, 0) == pytest.approx([1, 0, 0, 6, 0.3, 3], abs=1e-5)
    assert found.mesher.tolist() == [0]


CONSUMING: list[tuple[Triple, Triple]] = [
    ((-1, -0.1, -1), (3, 0.5, 6)),  # larger on all sides: IfcOpenShell leaves it out
    ((0, 0, 0), (1, 0.3, 3)),  # the same body
    ((0, -0.1, 0), (1, 0.5, 3)),  # flush at the ends
]


@pytest.mark.parametrize(("at", "size"), CONSUMING)
def test_a_wall_consumed_by_its_opening_is_empty(tmp_path: Path, at: Triple, size: Triple) -> None:
    """Neither a failure nor a partner: a wall that is nowhere clashes with nothing."""
    writer = Writer()
    wall = writer.box((0, 0, 0), (1, 0.3, 3))
    writer.void(wall, at, size)
    writer.box((10, 0, 0), (1, 0.3, 3))
    found = mesh_file(tmp_path / "x.ifc", writer.write(tmp_path / "x.ifc"))
    assert outcomes(found) == ["EMPTY", "SOLID"]
    assert found.reason(0) == "its openings leave nothing of it"
    assert np.diff(found.meshes.face_offset).tolist() == [0, 12]
    assert found.usable.tolist() == [False, True]


def test_a_wall_consumed_by_several_openings_together_is_empty(tmp_path: Path) -> None:
    writer = Writer()
    wall = writer.box((0, 0, 0), (4, 0.3, 3))
    for x in range(4):
        writer.void(wall, (x - 0.01, -0.1, -0.1), (1.02, 0.5, 3.2))
    found = mesh_file(tmp_path / "x.ifc", writer.write(tmp_path / "x.ifc"))
    assert outcomes(found) == ["EMPTY"]


def test_a_sliver_that_openings_leave_is_not_called_empty(tmp_path: Path) -> None:
    writer = Writer()
    wall = writer.box((0, 0, 0), (1, 0.3, 3))
    writer.void(wall, (0, 0, 0), (1, 0.3, 2.99))
    found = mesh_file(tmp_path / "x.ifc", writer.write(tmp_path / "x.ifc"))
    assert outcomes(found) == ["SOLID"]
    assert volumes(found) == pytest.approx([0.003], abs=1e-6)


@pytest.mark.parametrize(
    ("unit", "k", "site", "at"),
    [
        (None, 1, (500_000, 6_600_000, 100), (0, 0, 0)),
        ("MILLI", 1000, (500_000_000, 6_600_000_000, 100_000), (0, 0, 0)),
        (None, 1, (0, 0, 0), (500_000.123, 6_600_000.456, 100.789)),
        ("MILLI", 1000, (0, 0, 0), (500_000_123.4, 6_600_000_456.7, 100_789.1)),
        (None, 1, (0, 0, 0), (5_000.1234, 0, 0)),
    ],
    ids=["site m", "site mm", "baked m", "baked mm", "5 km"],
)
def test_far_from_the_origin_not_a_tenth_of_a_millimetre_is_lost(
    tmp_path: Path, unit: str | None, k: float, site: Triple, at: Triple
) -> None:
    """Single precision rounds to half metres out there; then another mesher is asked."""
    writer = Writer(unit=unit, site=site)
    writer.box(at, (0.1234 * k, 0.3 * k, 3 * k))
    writer.box((at[0] + 20.0012 * k, at[1], at[2]), (1 * k, 0.3 * k, 3 * k))
    found = mesh_file(tmp_path / "x.ifc", writer.write(tmp_path / "x.ifc"))
    low = (np.array(site) + at) / k
    expected = [*low, *(low + np.array([0.1234, 0.3, 3.0]))]
    assert world_box(found, 0) == pytest.approx(expected, abs=1e-4, rel=0)
    gap = found.meshes.aabb()[1][0] - found.meshes.aabb()[0][3]
    assert gap == pytest.approx(20.0012 - 0.1234, abs=1e-4)
    assert (found.origin == np.rint(found.origin)).all()
    assert np.abs(found.meshes.vertices).max() < 50


def test_an_element_with_only_an_axis_has_no_body(tmp_path: Path) -> None:
    writer = Writer()
    line = writer.file.create_entity("IfcPolyline", [writer.point(0, 0), writer.point(1, 0)])
    writer.element([line], identifier="Axis", kind="Curve2D")
    writer.box((0, 0, 0), (1, 1, 1))
    found = mesh_file(tmp_path / "x.ifc", writer.write(tmp_path / "x.ifc"))
    assert outcomes(found) == ["NO_BODY", "SOLID"]
    assert "body" in found.reason(0)


def test_a_body_that_nobody_can_mesh_is_named_not_dropped(tmp_path: Path) -> None:
    writer = Writer()
    writer.box((0, 0, 0), (1, 1, 0))  # extruded by nothing
    writer.box((5, 0, 0), (1, 1, 1))
    wanted = writer.write(tmp_path / "x.ifc")
    found = mesh_file(tmp_path / "x.ifc", wanted)
    assert len(found) == 2
    assert outcomes(found)[1] == "SOLID"
    assert outcomes(found)[0] != "SOLID"
    assert found.reason(0) != Finding.NOTHING.sentence


def test_repeated_global_ids_each_keep_their_own_shape(tmp_path: Path) -> None:
    """A mesher that names meshes by GlobalId cannot tell them apart; step ids can."""
    writer = Writer()
    same_id = "0123456789ABCDEFGHIJKL"
    writer.box((0, 0, 0), (1, 1, 1), global_id=same_id)
    writer.box((5, 0, 0), (1, 1, 2), global_id=same_id)
    writer.box((9, 0, 0), (1, 1, 3))
    found = mesh_file(tmp_path / "x.ifc", writer.write(tmp_path / "x.ifc"))
    assert volumes(found) == pytest.approx([1, 2, 3], abs=1e-5)
    assert found.mesher.tolist() == [1, 1, 0]


def test_a_repeated_global_id_of_an_element_nobody_wants_is_no_trap(tmp_path: Path) -> None:
    writer = Writer()
    same_id = "0123456789ABCDEFGHIJKL"
    writer.box((0, 0, 0), (1, 1, 1), global_id=same_id)
    writer.box((5, 0, 0), (1, 1, 2), global_id=same_id)
    wanted = writer.write(tmp_path / "x.ifc").take([1])
    found = mesh_file(tmp_path / "x.ifc", wanted)
    assert volumes(found) == pytest.approx([2], abs=1e-5)


def test_wanted_openings_are_meshed_as_bodies(tmp_path: Path) -> None:
    writer = Writer()
    wall = writer.box((0, 0, 0), (5, 0.3, 3))
    opening = writer.void(wall, (1, -0.1, 1), (1, 0.5, 1))
    writer.elements.append(opening)
    found = mesh_file(tmp_path / "x.ifc", writer.write(tmp_path / "x.ifc"))
    assert outcomes(found) == ["SOLID", "SOLID"]
    assert volumes(found) == pytest.approx([4.2, 0.5], abs=1e-5)


def test_rows_follow_the_wanted_order(tmp_path: Path) -> None:
    writer = Writer()
    for i in range(5):
        writer.box((3 * i, 0, 0), (1, 1, i + 1))
    wanted = writer.write(tmp_path / "x.ifc").take([3, 0, 4])
    found = mesh_file(tmp_path / "x.ifc", wanted)
    assert found.step_ids.tolist() == wanted.step_ids.tolist()
    assert volumes(found) == pytest.approx([4, 1, 5], abs=1e-5)


def test_nothing_wanted_gives_nothing_not_the_whole_file(tmp_path: Path) -> None:
    """An empty include list makes IfcOpenShell mesh everything."""
    writer = Writer()
    writer.box((0, 0, 0), (1, 1, 1))
    nobody = writer.write(tmp_path / "x.ifc").take([])
    assert len(mesh_file(tmp_path / "x.ifc", nobody)) == 0
    for mesher in default_meshers():
        assert len(mesher.mesh(Source(tmp_path / "x.ifc"), nobody).meshes) == 0


def test_a_brep_with_a_hole_is_a_surface_once_two_meshers_agree(tmp_path: Path) -> None:
    """What is open in the file is meshed again once, not by everybody, and stays usable."""
    writer = Writer()
    broken = solids.without(solids.box(), 5)
    writer.element([writer.faces("IfcFacetedBrep", broken)], kind="Brep")
    asked = []
    found = mesh_file(
        tmp_path / "x.ifc",
        writer.write(tmp_path / "x.ifc"),
        watch=lambda mesher, n: asked.append((mesher, n)),
    )
    assert outcomes(found) == ["SURFACE"]
    assert found.meshes.closed.tolist() == [False]
    assert found.reason(0) == "the surface has holes"
    assert ("opencascade", 1) not in asked


def test_a_surface_model_with_a_hole_is_not_meshed_again(tmp_path: Path) -> None:
    writer = Writer()
    shell = writer.faces("IfcFaceBasedSurfaceModel", solids.without(solids.box(), 5))
    writer.element([shell], kind="SurfaceModel")
    found = mesh_file(tmp_path / "x.ifc", writer.write(tmp_path / "x.ifc"))
    assert outcomes(found) == ["SURFACE"]
    assert found.mesher.tolist() == [0]


def test_a_brep_that_is_inside_out_is_turned(tmp_path: Path) -> None:
    writer = Writer()
    shape = writer.faces("IfcFacetedBrep", solids.inverted(solids.box((1, 2, 3))))
    writer.element([shape], kind="Brep")
    found = mesh_file(tmp_path / "x.ifc", writer.write(tmp_path / "x.ifc"))
    assert outcomes(found) == ["SOLID"]
    assert volumes(found) == pytest.approx([6], abs=1e-5)


# --- meshers that lie ----------------------------------------------------------------------------


class Liar:
    """A mesher that spoils what the fast one makes."""

    name = "liar"
    version = "1"

    def __init__(self, spoil: Callable[[Meshed], None]) -> None:
        self._spoil = spoil

    def mesh(self, source: Source, wanted: Wanted) -> Meshed:
        meshed = FastMesher().mesh(source, wanted)
        self._spoil(meshed)
        return meshed


class Broken(Liar):
    name = "broken"

    def mesh(self, source: Source, wanted: Wanted) -> Meshed:
        del source, wanted
        raise ComputeError("it does not read this file", detail="who knows")


def _drop_a_face(meshed: Meshed) -> None:
    meshed.meshes.faces[0] = 0


def _nan(meshed: Meshed) -> None:
    meshed.meshes.vertices[0, 0] = np.nan


def _doubt(meshed: Meshed) -> None:
    meshed.unsure[0] = "a feeling"


def _move_all(meshed: Meshed) -> None:
    meshed.meshes.vertices[:, 0] += 0.25


def _feet(meshed: Meshed) -> None:
    meshed.meshes.vertices /= 0.3048


@pytest.mark.parametrize("spoil", [_drop_a_face, _nan, _doubt, _move_all, _feet])
def test_what_a_mesher_spoils_the_next_one_makes_again(
    tmp_path: Path, spoil: Callable[[Meshed], None]
) -> None:
    writer = Writer()
    for i in range(6):
        writer.box((3 * i, 0, 0), (1, 1, i + 1))
    wanted = writer.write(tmp_path / "x.ifc")
    found = mesh_file(tmp_path / "x.ifc", wanted, meshers=[Liar(spoil), hybrid()])
    assert outcomes(found) == ["SOLID"] * 6
    assert volumes(found) == pytest.approx([1, 2, 3, 4, 5, 6], abs=1e-5)
    assert world_box(found, 0) == pytest.approx([0, 0, 0, 1, 1, 1], abs=1e-5)
    assert found.mesher[0] == 1


def test_a_mesher_that_cannot_read_the_file_is_passed_over(tmp_path: Path) -> None:
    writer = Writer()
    writer.box((0, 0, 0), (1, 1, 2))
    wanted = writer.write(tmp_path / "x.ifc")
    found = mesh_file(tmp_path / "x.ifc", wanted, meshers=[Broken(_nan), hybrid()])
    assert volumes(found) == pytest.approx([2])


def test_if_no_mesher_can_read_the_file_it_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.ifc").write_text("garbage")
    wanted = Wanted(np.array([1], np.int64), ("g",), ("IfcWall",))
    with pytest.raises(ComputeError, match=r"x\.ifc"):
        mesh_file(tmp_path / "x.ifc", wanted, meshers=[FastMesher(), Broken(_nan)])


def test_doubts_nobody_can_settle_leave_no_geometry_and_say_why(tmp_path: Path) -> None:
    writer = Writer()
    writer.box((0, 0, 0), (1, 1, 2))
    wanted = writer.write(tmp_path / "x.ifc")
    found = mesh_file(tmp_path / "x.ifc", wanted, meshers=[Liar(_doubt)])
    assert outcomes(found) == ["NO_GEOMETRY"]
    assert found.reason(0) == "a feeling"
    assert np.diff(found.meshes.face_offset).tolist() == [0]


def test_twice_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    writer = Writer()
    for i in range(5):
        wall = writer.box((3 * i, 0, 0), (1, 0.3, 3))
        writer.void(wall, (3 * i + 0.2, -0.1, 1), (0.5, 0.5, 1))
    wanted = writer.write(tmp_path / "x.ifc")
    first, second = (mesh_file(tmp_path / "x.ifc", wanted) for _ in range(2))
    assert first.meshes.vertices.tobytes() == second.meshes.vertices.tobytes()
    assert first.meshes.faces.tobytes() == second.meshes.faces.tobytes()
    assert first.origin.tolist() == second.origin.tolist()
