"""Areas, volumes, edges and folds of meshes whose truth is known by construction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from ifcbase.ifc.meshing.topology import WELD, components, survey, weld
from tests.unit.meshing.solids import (
    Mesh,
    box,
    exploded,
    folded_box,
    inverted,
    joined,
    meshes,
    moebius,
    moved,
    sheet,
    without,
)

QUICK = settings(deadline=None, max_examples=40, derandomize=True)


def test_a_box_is_closed_and_measured_right() -> None:
    found = survey(meshes(box((2, 3, 4), at=(50, -20, 7))))
    assert found.area[0] == pytest.approx(52)
    assert found.volume[0] == pytest.approx(24)
    assert found.faces[0] == 12
    for nothing in (
        found.odd_edges,
        found.unbalanced_edges,
        found.folds,
        found.crowded_edges,
        found.duplicate_faces,
        found.inverted_shells,
    ):
        assert nothing[0] == 0


def test_each_element_is_judged_by_itself() -> None:
    """Elements at the same place share no vertex and no edge."""
    found = survey(meshes(box(), without(box(), 3), box(), inverted(box())))
    assert found.odd_edges.tolist() == [0, 3, 0, 0]
    assert found.crowded_edges.tolist() == [0, 0, 0, 0]
    assert found.volume[[0, 2, 3]] == pytest.approx([1, 1, -1])
    assert found.inverted_shells.tolist() == [0, 0, 0, 1]


def test_empty_elements_between_others_do_not_shift_the_numbers() -> None:
    nothing: Mesh = (np.zeros((0, 3)), np.zeros((0, 3), np.int32))
    found = survey(meshes(nothing, box(), nothing, box((1, 1, 2)), nothing))
    assert found.volume == pytest.approx([0, 1, 0, 2, 0])
    assert found.faces.tolist() == [0, 12, 0, 12, 0]


def test_no_elements_at_all() -> None:
    assert len(survey(meshes()).area) == 0


@pytest.mark.parametrize("face", range(12))
def test_a_missing_triangle_leaves_three_open_edges(face: int) -> None:
    assert survey(meshes(exploded(without(box(), face)))).odd_edges[0] == 3


def test_a_turned_triangle_is_unbalanced_but_not_open() -> None:
    vertices, faces = box()
    faces[5] = faces[5][::-1]
    found = survey(meshes((vertices, faces)))
    assert found.odd_edges[0] == 0
    assert found.unbalanced_edges[0] == 3


def test_a_fold_is_found_although_volume_and_edges_are_right() -> None:
    """Fans of concave faces triangulated with folds: equal volume, closed, false contacts."""
    found = survey(meshes(folded_box()))
    assert found.volume[0] == pytest.approx(1)
    assert found.odd_edges[0] == found.unbalanced_edges[0] == 0
    assert found.area[0] > 6.4
    assert found.folds[0] > 0


def test_a_sharp_wedge_is_no_fold() -> None:
    """2 degrees between long faces are steep enough to be meant."""
    height = np.tan(np.radians(2))
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 0, height]], np.float64)
    both = np.concatenate([vertices, vertices + np.array([0, 1, 0])])
    faces = [[0, 1, 2], [3, 5, 4], [0, 3, 4], [0, 4, 1], [1, 4, 5], [1, 5, 2], [2, 5, 3], [2, 3, 0]]
    found = survey(meshes((both, np.array(faces, np.int32))))
    assert found.odd_edges[0] == found.unbalanced_edges[0] == found.folds[0] == 0


def test_a_sheet_with_two_sides_folds_at_its_border() -> None:
    found = survey(meshes(sheet()))
    assert found.odd_edges[0] == 0
    assert found.volume[0] == pytest.approx(0)
    assert found.folds[0] >= 4


def test_bodies_sharing_an_edge_are_closed() -> None:
    """Four triangles at one edge are two bodies, not a hole."""
    found = survey(meshes(joined(box(), box(at=(1, 1, 0)))))
    assert found.odd_edges[0] == found.unbalanced_edges[0] == 0
    assert found.crowded_edges[0] == 1
    assert found.duplicate_faces[0] == 0


def test_a_body_that_is_there_twice() -> None:
    found = survey(meshes(joined(box(), box())))
    assert found.duplicate_faces[0] == 12
    assert found.unbalanced_edges[0] == 0


def test_an_inverted_body_beside_a_right_one_is_seen() -> None:
    found = survey(meshes(joined(box((3, 1, 1)), inverted(box(at=(10, 0, 0))))))
    assert found.volume[0] == pytest.approx(2)
    assert found.inverted_shells[0] == 1


def test_a_band_with_one_side_has_a_border() -> None:
    assert survey(meshes(moebius())).odd_edges[0] > 0


@QUICK
@given(seed=st.integers(0, 10_000), noise=st.floats(0, 3e-6), order=st.permutations(range(12)))
def test_what_is_seen_does_not_depend_on_place_order_or_rounding(
    seed: int, noise: float, order: list[int]
) -> None:
    """Exploded, shuffled, rotated, shifted and rounded meshes are the same solid."""
    vertices, faces = exploded(moved(box((1.5, 0.3, 2.7)), seed))
    rng = np.random.default_rng(seed)
    shaken = vertices + rng.uniform(-noise, noise, vertices.shape)
    found = survey(meshes((shaken, faces[order])))
    assert found.odd_edges[0] == found.unbalanced_edges[0] == found.folds[0] == 0
    assert found.volume[0] == pytest.approx(1.5 * 0.3 * 2.7, rel=1e-3)


@QUICK
@given(seed=st.integers(0, 10_000), points=st.integers(4, 60))
def test_random_hulls_agree_with_an_independent_hull(seed: int, points: int) -> None:
    rng = np.random.default_rng(seed)
    cloud = rng.uniform(-2, 2, (points, 3))
    hull = ConvexHull(cloud)
    faces = hull.simplices.copy()
    corners = cloud[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    wrong = np.einsum("ij,ij->i", normal, hull.equations[:, :3]) < 0
    faces[wrong] = faces[wrong][:, ::-1]
    found = survey(meshes((cloud, faces.astype(np.int32))))
    assert found.volume[0] == pytest.approx(hull.volume)
    assert found.area[0] == pytest.approx(hull.area)
    assert found.odd_edges[0] == found.unbalanced_edges[0] == found.inverted_shells[0] == 0


@QUICK
@given(
    st.lists(st.tuples(*[st.integers(-4, 4)] * 3), min_size=1, max_size=60),
    st.integers(0, 1000),
)
def test_welding_joins_what_is_near_and_only_that(
    cells: list[tuple[int, int, int]], seed: int
) -> None:
    """Points on a grid of 30 times the tolerance, each shaken by less than a third of it."""
    grid = np.array(cells, np.float64) * 30 * WELD + 12.345
    rng = np.random.default_rng(seed)
    points = grid + rng.uniform(-WELD / 4, WELD / 4, grid.shape) / np.sqrt(3)
    label = weld(points, np.array([0, len(points)]))
    for i, a in enumerate(cells):
        for j, b in enumerate(cells):
            assert (label[i] == label[j]) == (a == b)
    assert (label <= np.arange(len(points))).all()


def test_welding_stays_inside_an_element() -> None:
    points = np.zeros((4, 3))
    assert weld(points, np.array([0, 2, 2, 4])).tolist() == [0, 0, 2, 2]


def test_welding_many_points_at_one_place_is_quick() -> None:
    """An element whose vertices all coincide must not cost the square of their number."""
    points = np.zeros((200_000, 3))
    assert not weld(points, np.array([0, len(points)])).any()


@QUICK
@given(st.integers(1, 40), st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=60))
def test_components_are_those_of_a_plain_search(n: int, links: list[tuple[int, int]]) -> None:
    links = [(a % n, b % n) for a, b in links]
    expected = list(range(n))
    for _ in range(n):
        for a, b in links:
            expected[a] = expected[b] = min(expected[a], expected[b])
    ends = np.array(links, np.int64).reshape(-1, 2)
    assert components(n, ends[:, 0], ends[:, 1]).tolist() == expected
