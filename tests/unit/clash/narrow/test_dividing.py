"""Solids cut along their own hollows: the parts are the solid, or nothing is said of it."""

from __future__ import annotations

from collections.abc import Callable

import manifold3d
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifold3d import Manifold as Solid

from ifcbase.clash.narrow import build, detect_pairs, dividing, general
from ifcbase.clash.narrow.cutting import divide, states
from ifcbase.clash.narrow.dividing import Part, divided
from ifcbase.clash.narrow.layout import SOLID
from ifcbase.ifc.meshset import MeshSet

from .shapes import L, Mesh, box, inverted, join, move, of, prism, turn, without_top


def solid_of(mesh: Mesh) -> Solid:
    vertices, faces = np.array(mesh[0], order="C"), np.array(mesh[1], np.uint64, order="C")
    return Solid(manifold3d.Mesh64(vertices, faces))


def cube(size: tuple[float, float, float], at: tuple[float, float, float]) -> Solid:
    return Solid.cube(size).translate(at)


def drilled() -> Solid:
    """A plate with a hole across it and another along it."""
    across = Solid.cylinder(2.0, 0.2, 0.2, 16).translate((0.5, 0.5, -1.0))
    along = Solid.cylinder(4.0, 0.05, 0.05, 12).rotate((90.0, 0.0, 0.0)).translate((1.5, 3.0, 0.1))
    return cube((2.0, 1.0, 0.2), (0.0, 0.0, 0.0)) - across - along


def hollow() -> Solid:
    """A box with a cavity that nothing reaches."""
    return cube((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)) - cube((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


def stepped() -> Solid:
    """Three boxes that share corners of different sizes: neither convex nor swept."""
    return (
        cube((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
        + cube((0.5, 0.5, 0.5), (1.0, 0.0, 0.0))
        + cube((0.3, 0.3, 0.3), (0.0, 1.0, 0.0))
    )


def notched() -> Solid:
    """A box notched on three sides, each notch at an angle of its own."""
    block = cube((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    for k, angles in enumerate([(10.0, 20.0, 0.0), (0.0, 35.0, 15.0), (25.0, 0.0, 40.0)]):
        block -= cube((0.4, 0.4, 0.4), (-0.2, -0.2, -0.2)).rotate(angles).translate((k * 0.5,) * 3)
    return block


SOLIDS: list[Callable[[], Solid]] = [drilled, hollow, stepped, notched]


def united(parts: list[Part]) -> Solid:
    return Solid.batch_boolean([solid_of(p.mesh) for p in parts], manifold3d.OpType.Add)


def assert_is(parts: list[Part], solid: Solid, *, share: float = 1e-4) -> None:
    """The parts are convex, do not overlap, and their union is the solid; by solid booleans."""
    volume = solid.volume()
    assert (states([p.mesh for p in parts]) == SOLID).all()
    union = united(parts)
    assert (union - solid).volume() <= share * volume
    assert (solid - union).volume() <= share * volume
    assert sum(solid_of(p.mesh).volume() for p in parts) == pytest.approx(volume, rel=share)


@pytest.mark.parametrize("make", SOLIDS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("degrees", [0.0, 33.0])
def test_the_parts_of_a_solid_are_the_solid(make: Callable[[], Solid], degrees: float) -> None:
    mesh = turn(of(make()), (1.0, 2.0, 3.0), degrees)
    parts = divided(*mesh)
    assert parts is not None
    assert not any(p.is_hull for p in parts)
    assert_is(parts, solid_of(mesh))


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(0, 10**6))
def test_random_solids_are_cut_into_what_they_are(seed: int) -> None:
    random = np.random.default_rng(seed)
    solid = cube((1.0, 1.0, 1.0), (-0.5, -0.5, -0.5))
    for _ in range(random.integers(1, 5)):
        size = random.uniform(0.1, 0.9, 3)
        other = cube(tuple(size.tolist()), tuple((-size / 2).tolist()))
        other = other.rotate(tuple(random.uniform(0, 90, 3).tolist()))
        other = other.translate(tuple(random.uniform(-0.6, 0.6, 3).tolist()))
        solid = solid - other if random.random() < 0.7 else solid + other
    if solid.volume() < 1e-3:
        return
    mesh = of(solid)
    parts = divided(*mesh)
    if parts is None:
        return  # said honestly; how often that happens is the next test's
    union = united(parts)
    assert (solid - union).volume() <= 1e-4 * solid.volume()  # hulls or not: nothing is lost
    if not any(p.is_hull for p in parts):
        assert_is(parts, solid)


def test_few_random_solids_are_given_up() -> None:
    given_up = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        solid = cube((1.0, 1.0, 1.0), (-0.5, -0.5, -0.5))
        for _ in range(3):
            hole = Solid.cylinder(3.0, 0.15, 0.15, 10).translate((0.0, 0.0, -1.5))
            hole = hole.rotate(tuple(random.uniform(0, 180, 3).tolist()))
            solid -= hole.translate(tuple(random.uniform(-0.4, 0.4, 3).tolist()))
        parts = divided(*of(solid))
        given_up += parts is None or any(p.is_hull for p in parts)
    assert given_up <= 8


def test_which_way_its_faces_look_does_not_matter() -> None:
    mesh = of(drilled())
    straight, turned = divided(*mesh), divided(*inverted(mesh))
    assert straight is not None
    assert turned is not None
    assert_is(turned, solid_of(mesh))
    assert len(straight) == len(turned)


def test_a_cavity_stays_empty() -> None:
    mesh = of(hollow())
    parts = divided(*mesh)
    assert parts is not None
    probe = cube((0.3, 0.3, 0.3), (0.3, 0.3, 0.3))
    assert all((solid_of(p.mesh) ^ probe).volume() < 1e-9 for p in parts)
    found = detect_pairs(
        MeshSet.from_meshes([mesh]), MeshSet.from_meshes([of(probe)]), mode="collision"
    )
    assert len(found) == 0


def test_an_open_mesh_is_no_business_of_this() -> None:
    assert divided(*without_top(box((0, 0, 0), (1, 1, 1)))) is None


def test_a_body_that_faces_inwards_beside_another_is_not_subtracted() -> None:
    """One box outward, one inward: the sum of their volumes is that of no part."""
    mesh = join(of(stepped()), inverted(move(box((0, 0, 0), (0.4, 0.4, 0.4)), 5.0, 0.0, 0.0)))
    parts = divided(*mesh)
    if parts is not None:
        assert sum(solid_of(p.mesh).volume() for p in parts) > stepped().volume()
    solids = build(MeshSet.from_meshes([mesh]))
    assert solids.pieces.state[0] == SOLID
    # Whoever cut it: a probe inside each of the two bodies meets something.
    for at in ((0.5, 0.5, 0.5), (5.2, 0.2, 0.2)):
        probe = move(box((-0.05, -0.05, -0.05), (0.05, 0.05, 0.05)), *at)
        sets = MeshSet.from_meshes([mesh]), MeshSet.from_meshes([probe])
        assert len(detect_pairs(*sets, mode="collision")) == 1


def test_a_part_that_is_lost_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = divide

    def losing(*arguments: object) -> tuple[list[npt.NDArray[np.float64]], object, object]:
        corners, hollow_ones, volumes = real(*arguments)  # type: ignore[arg-type]
        return corners[1:], hollow_ones[1:], volumes[1:]

    monkeypatch.setattr(dividing, "divide", losing)
    assert divided(*of(stepped())) is None
    # The element is cut all the same, by solid booleans.
    whole = build(MeshSet.from_meshes([of(stepped())]))
    assert not whole.approximate
    assert whole.pieces.state[0] == SOLID
    assert len(whole.pieces.pbox) >= 3


def test_a_hull_that_is_not_convex_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """manifold3d 3.5.4 gave hulls with faces 13 mm below a corner, of parts of a real grating."""
    wrong = prism(L, 1.0)
    monkeypatch.setattr(dividing, "_hull", lambda _: dividing._Hull((wrong[0], wrong[1]), 0.1, 1.0))
    monkeypatch.setattr(dividing, "states", lambda meshes: np.array([_state(m) for m in meshes]))
    parts = divided(*of(stepped()))
    assert parts is not None
    assert_is(parts, stepped())


def _state(mesh: Mesh) -> int:
    """An L is swept, and so a solid; for this test only convex ones are."""
    faces = mesh[0][mesh[1]]
    normals = np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])
    heights = mesh[0] @ normals.T - np.einsum("ij,ij->i", normals, faces[:, 0])
    return SOLID if (heights <= 1e-9).all() else -1


def test_points_in_one_plane_have_no_hull() -> None:
    flat = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0.3, 0.4, 0]])
    assert len(dividing._hull_by_qhull(flat).mesh[1]) == 0


def test_hulls_of_both_kinds_are_the_same() -> None:
    points = np.random.default_rng(4).random((30, 3))
    one, two = dividing._hull(points), dividing._hull_by_qhull(points)
    assert one.volume == pytest.approx(two.volume)
    assert one.area == pytest.approx(two.area)
    assert solid_of(two.mesh).volume() == pytest.approx(two.volume)


@pytest.mark.parametrize("make", SOLIDS, ids=lambda make: make.__name__)
def test_depths_are_those_of_the_solid_booleans(
    make: Callable[[], Solid], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A depth depends on the union of the pieces, not on how they were cut."""
    a = MeshSet.from_meshes([of(make())])
    random = np.random.default_rng(11)
    probes = [
        turn(box((-0.1, -0.15, -0.2), (0.1, 0.15, 0.2)), random.random(3).tolist(), 70.0 * k)
        for k in range(12)
    ]
    b = MeshSet.from_meshes([move(p, *random.uniform(-0.1, 1.1, 3).tolist()) for p in probes])
    found = detect_pairs(a, b, mode="collision")
    monkeypatch.setattr(general, "divided", lambda *_: None)
    expected = detect_pairs(a, b, mode="collision")
    assert found.b.tolist() == expected.b.tolist()
    assert len(found) >= 3
    assert found.kind.tolist() == expected.kind.tolist()
    exact = (found.measured == 2) & (expected.measured == 2)
    assert found.distance[exact] == pytest.approx(expected.distance[exact], abs=2e-5)
    assert exact.any()


def test_equal_shapes_are_cut_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = divided

    def counting(v: npt.NDArray[np.float64], f: npt.NDArray[np.int32]) -> list[Part] | None:
        calls.append(len(f))
        return real(v, f)

    monkeypatch.setattr(general, "divided", counting)
    mesh = of(drilled())
    solids = build(MeshSet.from_meshes([mesh, move(mesh, 8.0, 0.0, 0.0), of(notched())]))
    assert len(calls) == 2
    counts = np.diff(solids.pieces.piece)
    assert counts[0] == counts[1] > 1


def test_larger_solids_than_are_worth_it_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dividing, "LARGEST", 10)
    assert divided(*of(stepped())) is None


def test_too_many_parts_end_in_hulls_that_contain_the_solid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    solid = drilled()
    divided_fully = divided(*of(solid))
    assert divided_fully is not None
    monkeypatch.setattr(dividing, "PARTS", 3)
    monkeypatch.setattr(dividing, "HULLS", 10.0)
    parts = divided(*of(solid))
    assert parts is not None
    assert len(parts) < len(divided_fully)
    assert any(p.is_hull for p in parts)
    assert (solid - united(parts)).volume() < 1e-6
