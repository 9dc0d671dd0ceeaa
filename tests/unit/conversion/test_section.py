"""Horizontal cuts of known solids."""

from __future__ import annotations

import math

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from ifcbase.conversion.section import cut, signed_area

EXACT = settings(deadline=None, max_examples=60, derandomize=True)


def box(
    size: tuple[float, float, float], at: tuple[float, float, float] = (0, 0, 0)
) -> trimesh.Trimesh:
    made = trimesh.creation.box(extents=size)
    made.apply_translation(np.array(size) / 2 + np.array(at))
    return made


def faces(mesh: trimesh.Trimesh) -> np.ndarray:
    return np.asarray(mesh.faces, np.int32)


def test_a_box_is_cut_into_its_ground_plan() -> None:
    mesh = box((2, 3, 4), (10, 20, 0))
    section = cut(mesh.vertices, faces(mesh), 1.2)
    assert len(section.loops) == 1
    assert not section.lines
    assert section.area == pytest.approx(6.0)
    assert section.loops[0].min(axis=0).tolist() == pytest.approx([10, 20])
    assert section.loops[0].max(axis=0).tolist() == pytest.approx([12, 23])


def test_outlines_turn_left_and_holes_turn_right() -> None:
    ring = trimesh.creation.annulus(r_min=1.0, r_max=2.0, height=2.0, sections=64)
    section = cut(ring.vertices, faces(ring), 0.3)
    areas = sorted(signed_area(loop) for loop in section.loops)
    assert len(areas) == 2
    assert areas[0] < 0 < areas[1]
    assert section.area == pytest.approx(ring.volume / 2.0, rel=1e-6)


@pytest.mark.parametrize("height", [-0.1, 4.1])
def test_nothing_is_cut_above_and_below(height: float) -> None:
    mesh = box((2, 3, 4))
    assert not cut(mesh.vertices, faces(mesh), height)


def test_a_face_in_the_plane_counts_as_above_it() -> None:
    mesh = box((2, 3, 4))
    # Its bottom lies in the plane: all of it is above. Its top does: what is below is cut there.
    assert not cut(mesh.vertices, faces(mesh), 0.0)
    assert cut(mesh.vertices, faces(mesh), 4.0).area == pytest.approx(6.0)


def test_meshes_without_shared_vertices_are_cut_alike() -> None:
    mesh = trimesh.creation.icosphere(subdivisions=3)
    loose = mesh.vertices[mesh.faces].reshape(-1, 3)
    apart = cut(loose, np.arange(len(loose), dtype=np.int32).reshape(-1, 3), 0.21)
    together = cut(mesh.vertices, faces(mesh), 0.21)
    assert len(apart.loops) == len(together.loops) == 1
    assert apart.area == pytest.approx(together.area)


def test_an_open_surface_gives_a_line_and_no_area() -> None:
    corners = np.array([[0, 0, 0], [5, 0, 0], [5, 0, 3], [0, 0, 3.0]])
    section = cut(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), 1.0)
    assert section.loops == []
    assert len(section.lines) == 1
    assert section.area == 0
    ends = sorted(section.lines[0][[0, -1]].tolist())
    assert ends == [[0.0, 0.0], [5.0, 0.0]]


def test_two_bodies_in_one_mesh_are_two_outlines() -> None:
    both = trimesh.util.concatenate([box((1, 1, 2)), box((1, 2, 2), (5, 0, 0))])
    section = cut(both.vertices, faces(both), 1.0)
    assert sorted(signed_area(loop) for loop in section.loops) == pytest.approx([1.0, 2.0])


def test_bodies_touching_along_an_edge_keep_their_area() -> None:
    """Four faces meet at the edge: loops may be joined there, but nothing may be lost."""
    both = trimesh.util.concatenate([box((1, 1, 2)), box((1, 1, 2), (1, 1, 0))])
    section = cut(both.vertices, faces(both), 1.0)
    assert section.area == pytest.approx(2.0)
    assert not section.lines


@EXACT
@given(
    height=st.floats(-0.95, 0.95),
    turn=st.floats(0, math.tau),
    shift=st.tuples(st.floats(-100, 100), st.floats(-100, 100)),
)
def test_the_area_is_that_of_an_independent_section(
    height: float, turn: float, shift: tuple[float, float]
) -> None:
    mesh = trimesh.creation.cylinder(radius=1.0, height=2.0, sections=24)
    mesh.apply_transform(trimesh.transformations.rotation_matrix(turn, (0, 0, 1)))
    mesh.apply_translation((*shift, 0.0))
    section = cut(mesh.vertices, faces(mesh), height)
    prism = 24 / 2 * math.sin(math.tau / 24)
    assert section.area == pytest.approx(prism, rel=1e-9)
    assert len(section.loops) == 1


@EXACT
@given(height=st.floats(-1.4, 1.4), seed=st.integers(0, 1000))
def test_any_closed_mesh_is_cut_into_closed_loops(height: float, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(20, 3))
    mesh = trimesh.convex.convex_hull(points)
    section = cut(mesh.vertices, faces(mesh), height)
    assert not section.lines
    assert all(len(loop) >= 3 for loop in section.loops)
    if section.loops:
        segments = trimesh.intersections.mesh_plane(mesh, (0, 0, 1), (0, 0, height))
        hull = ConvexHull(segments.reshape(-1, 3)[:, :2])
        assert section.area == pytest.approx(hull.volume, abs=1e-9)  # in the plane: the area
