"""The parts the narrow phase is made of: candidate pairs, pieces, mesh sets, numbers."""

from __future__ import annotations

import ast
from pathlib import Path

import manifold3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

import ifcbase.clash.narrow as narrow
from ifcbase.clash.narrow import build, detect_pairs, kinds
from ifcbase.clash.narrow._sweep import boxes_meet
from ifcbase.clash.narrow.layout import OPEN, SOLID
from ifcbase.ifc.meshset import MeshSet

from .shapes import (
    L,
    Mesh,
    U,
    box,
    circle,
    inverted,
    join,
    move,
    of,
    prism,
    square,
    turn,
    without_top,
)

REPORT = Path(narrow.__file__).parents[1] / "report.py"


def test_the_numbers_are_those_of_the_report() -> None:
    """Read from its source: importing the report would need all that reads IFC."""
    classes = {
        node.name: {
            item.targets[0].id: item.value.value
            for item in node.body
            if isinstance(item, ast.Assign)
            and isinstance(item.targets[0], ast.Name)
            and isinstance(item.value, ast.Constant)
        }
        for node in ast.parse(REPORT.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    for name, number in classes["Kind"].items():
        assert getattr(kinds, name) == number
    assert classes["Measured"]["EXACT"] == kinds.EXACT
    assert classes["Measured"]["BOUND"] == kinds.BOUND


def random_boxes(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    lo = rng.random((n, 3)) * 10
    boxes = np.concatenate([lo, lo + rng.random((n, 3)) * 2], axis=1)
    boxes[rng.random(n) < 0.05] = [np.inf] * 3 + [-np.inf] * 3  # elements without a mesh
    return boxes


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.integers(0, 10**6), st.integers(0, 120), st.integers(0, 120), st.sampled_from([0.0, 0.5]))
def test_candidates_are_all_pairs_of_boxes_that_meet(
    seed: int, n: int, m: int, margin: float
) -> None:
    a, b = random_boxes(seed, n), random_boxes(seed + 1, m)
    gap = np.maximum(a[:, None, :3] - b[None, :, 3:], b[None, :, :3] - a[:, None, 3:])
    with np.errstate(invalid="ignore"):
        expected = np.argwhere((gap <= margin).all(axis=2))
    assert boxes_meet(a, b, margin, False).tolist() == expected.tolist()
    gap = np.maximum(a[:, None, :3] - a[None, :, 3:], a[None, :, :3] - a[:, None, 3:])
    inner = np.argwhere(np.triu((gap <= margin).all(axis=2), 1))
    assert boxes_meet(a, a, margin, True).tolist() == inner.tolist()


def volume_of_pieces(mesh: Mesh) -> tuple[int, float]:
    solids = build(MeshSet.from_meshes([mesh]))
    p = solids.pieces
    assert p.state.tolist() == [SOLID]
    assert not solids.approximate
    hulls = [ConvexHull(p.pv[p.pv_at[k] : p.pv_at[k + 1]]).volume for k in range(len(p.pbox))]
    return len(hulls), sum(hulls)


TILTED = of(
    manifold3d.Manifold(
        manifold3d.Mesh64(np.asarray(prism(L, 2.0)[0]), prism(L, 2.0)[1].astype(np.uint64))
    ).trim_by_plane((0.3, 0.2, -1.0), -1.6)
)

SHAPES = {
    "box": (box((0, 0, 0), (1, 2, 3)), 1, 6.0),
    "cylinder": (prism(circle(0.1, 32), 2.0), 1, 16 * np.sin(np.pi / 16) * 0.01 * 2.0),
    "L": (prism(L, 2.0), 2, 0.38),
    "U": (prism(U, 1.0), 3, 0.52),
    "mitred L": (TILTED, 3, None),
    "wall with two openings": (
        prism(square(0, 0, 5, 3), 0.2, [square(1, 1, 2, 2), square(3, 1, 4, 2)]), None, 2.6
    ),
    "two bodies": (join(prism(L, 1.0), move(box((0, 0, 0), (1, 1, 1)), 5, 0, 0)), 3, 1.19),
    "inverted": (inverted(prism(L, 2.0)), 2, 0.38),
    "hollow, closed on all sides": (
        of(manifold3d.Manifold.cube((1.0, 1.0, 1.0), True) - manifold3d.Manifold.cube((0.5, 0.5, 0.5), True)),
        None, 0.875,
    ),
    "crossed holes": (
        of(
            manifold3d.Manifold.cube((1.0, 1.0, 1.0), True)
            - manifold3d.Manifold.cube((0.2, 0.2, 2.0), True)
            - manifold3d.Manifold.cube((2.0, 0.2, 0.2), True).translate((0.0, 0.3, 0.0))
        ),
        None, 0.92,
    ),
}  # fmt: skip


@pytest.mark.parametrize("degrees", [0, 33])
@pytest.mark.parametrize("name", SHAPES)
def test_the_pieces_fill_the_element(name: str, degrees: float) -> None:
    mesh, count, volume = SHAPES[name]
    pieces, total = volume_of_pieces(turn(mesh, (1, 2, 3), degrees))
    if volume is None:
        v, f = mesh
        a, b, c = v[f[:, 0]], v[f[:, 1]], v[f[:, 2]]
        volume = float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)
    assert total == pytest.approx(volume, rel=1e-5)
    if count is not None:
        assert pieces == count


def test_an_unwelded_mesh_is_the_same_solid() -> None:
    v, f = prism(L, 2.0)
    loose = v[f].reshape(-1, 3), np.arange(3 * len(f), dtype=np.int32).reshape(-1, 3)
    assert volume_of_pieces(loose) == pytest.approx(volume_of_pieces((v, f)))


def test_faces_turned_at_random_are_turned_back() -> None:
    v, f = prism(L, 2.0)
    odd = f.copy()
    odd[::3] = odd[::3, ::-1]
    assert volume_of_pieces((v, odd)) == pytest.approx(volume_of_pieces((v, f)))


def test_thin_sheets_are_not_welded_together() -> None:
    """A foil thinner than the welding distance is still a closed solid."""
    assert volume_of_pieces(box((0, 0, 0), (1, 1, 5e-6)))[1] == pytest.approx(5e-6, rel=1e-6)


def test_an_open_mesh_is_a_surface() -> None:
    solids = build(MeshSet.from_meshes([without_top(box((0, 0, 0), (1, 1, 1)))]))
    assert solids.pieces.state.tolist() == [OPEN]
    assert len(solids.pieces.pbox) == 5


def scene() -> MeshSet:
    rng = np.random.default_rng(7)
    shapes = [box((0, 0, 0), (0.6, 0.5, 0.4)), prism(L, 0.5), prism(circle(0.2), 0.7)]
    meshes = [
        move(turn(shapes[k % 3], (1, 2, 3), float(rng.integers(90))), *(rng.random(3) * 3).tolist())
        for k in range(60)
    ]
    return MeshSet.from_meshes(meshes)


def test_a_set_against_itself_gives_every_pair_once() -> None:
    m = scene()
    own = detect_pairs(m, mode="collision")
    both = detect_pairs(m, m, mode="collision")
    assert (own.a < own.b).all()
    crossed = {(a, b): d for a, b, d in zip(both.a, both.b, both.distance, strict=True) if a < b}
    assert crossed == {(a, b): d for a, b, d in zip(own.a, own.b, own.distance, strict=True)}


def test_results_do_not_depend_on_threads_or_ready_solids() -> None:
    m = scene()
    one = detect_pairs(m, mode="clearance", clearance=0.3, threads=1)
    two = detect_pairs(m, mode="clearance", clearance=0.3, threads=2)
    ready = detect_pairs(m, mode="clearance", clearance=0.3, solids_a=build(m))
    for other in (two, ready):
        assert one.a.tolist() == other.a.tolist()
        assert one.distance.tolist() == other.distance.tolist()
        assert one.p1.tolist() == other.p1.tolist()


def test_pairs_to_skip_are_left_out_in_either_order() -> None:
    m = scene()
    everything = detect_pairs(m, mode="collision")
    gone = np.array([[everything.b[0], everything.a[0]]], np.int32)
    rest = detect_pairs(m, mode="collision", skip=gone)
    assert len(rest) == len(everything) - 1
    assert rest.candidates == everything.candidates - 1
    assert (rest.a[0], rest.b[0]) != (everything.a[0], everything.b[0])


def test_elements_without_a_mesh_harm_nobody() -> None:
    nothing: Mesh = (np.zeros((0, 3)), np.zeros((0, 3), np.int32))
    flat: Mesh = (np.zeros((3, 3)) + 0.5, np.array([[0, 1, 2]], np.int32))
    m = MeshSet.from_meshes([nothing, box((0, 0, 0), (1, 1, 1)), flat])
    found = detect_pairs(m, MeshSet.from_meshes([box((0.5, 0, 0), (2, 1, 1))]), mode="collision")
    assert found.a.tolist() == [1]
    assert [(u.a, u.b) for u in found.undecided] == [(2, 0)]  # collapsed: named, not dropped
    empty = MeshSet.from_meshes([])
    assert len(detect_pairs(empty, mode="collision")) == 0
    assert len(detect_pairs(m, empty, mode="clearance", clearance=1.0)) == 0


def test_mesh_sets_can_be_cut_and_joined() -> None:
    m = scene()
    again = MeshSet.concat([m.take(range(10)), m.take(range(10, 60))])
    assert again.vertices.tolist() == m.vertices.tolist()
    assert again.face_offset.tolist() == m.face_offset.tolist()
    assert m.take([3]).aabb().tolist() == m.aabb()[[3]].tolist()
