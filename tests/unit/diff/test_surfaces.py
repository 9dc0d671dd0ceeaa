"""Surfaces are told apart by where they are, never by how they are cut into triangles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.diff.surfaces import Floats, Surface, apart, to_triangles
from tests.boxes import CORNERS, FACES

LIMIT = 1e-4
SIZES = st.tuples(*(st.floats(0.05, 5.0) for _ in range(3)))
BOUNDED = settings(max_examples=40, deadline=None, derandomize=True)


def boxed(size: tuple[float, float, float] = (1.0, 2.0, 3.0)) -> Surface:
    return Surface(CORNERS * np.array(size), FACES.astype(np.int32))


def cut(surface: Surface, times: int, seed: int) -> Surface:
    """The same surface with some of its triangles cut at a point of an edge or of their inside."""
    rng = np.random.default_rng(seed)
    vertices, faces = surface.vertices.tolist(), surface.faces.tolist()
    for _ in range(times):
        a, b, c = faces.pop(int(rng.integers(len(faces))))
        weights = rng.dirichlet((1.0, 1.0, 1.0))
        vertices.append((weights @ np.array([vertices[a], vertices[b], vertices[c]])).tolist())
        new = len(vertices) - 1
        faces += [[a, b, new], [b, c, new], [c, a, new]]
    order = rng.permutation(len(faces))
    return Surface(np.array(vertices), np.array(faces, np.int32)[order])


def rotation(angle: float) -> Floats:
    matrix = np.eye(4)
    matrix[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    return matrix


@BOUNDED
@given(SIZES, st.integers(0, 12), st.integers(0, 10_000))
def test_other_triangles_of_one_surface_are_no_difference(
    size: tuple[float, float, float], times: int, seed: int
) -> None:
    one = boxed(size)
    assert apart(one, cut(one, times, seed), LIMIT) <= LIMIT
    assert apart(cut(one, times, seed), cut(one, times, seed + 1), LIMIT) <= LIMIT


@BOUNDED
@given(SIZES, st.integers(0, 5), st.integers(0, 10_000), st.floats(2e-4, 0.5))
def test_a_face_that_moved_is_found_both_ways(
    size: tuple[float, float, float], times: int, seed: int, by: float
) -> None:
    one = boxed(size)
    other = cut(boxed((size[0], size[1], size[2] + by)), times, seed)
    assert apart(one, other, LIMIT) == pytest.approx(by)
    assert apart(other, one, LIMIT) == pytest.approx(by)


@BOUNDED
@given(st.floats(-9e-5, 9e-5), st.integers(0, 10_000))
def test_less_than_the_limit_is_none(by: float, seed: int) -> None:
    one = boxed()
    other = cut(boxed((1.0, 2.0, 3.0 + by)), 4, seed)
    assert apart(one, other, LIMIT) <= LIMIT


def test_a_dent_inside_the_box_is_found() -> None:
    one = cut(boxed(), 1, 3)
    dented = Surface(one.vertices.copy(), one.faces)
    middle = np.array([0.5, 1.0, 1.5])
    dented.vertices[-1] += (middle - dented.vertices[-1]) * 0.1
    plain = boxed()
    assert apart(plain, dented, LIMIT) > LIMIT
    assert apart(dented, plain, LIMIT) > LIMIT


def test_a_missing_triangle_is_found_although_no_corner_is_missing() -> None:
    one = boxed()
    holed = Surface(one.vertices, one.faces[1:])
    assert apart(one, holed, LIMIT) > 0.01
    assert apart(holed, one, LIMIT) > 0.01


@BOUNDED
@given(SIZES, st.integers(0, 30), st.integers(0, 10_000))
def test_the_same_triangles_in_another_order_are_found_at_once(
    size: tuple[float, float, float], times: int, seed: int
) -> None:
    one = cut(boxed(size), times, seed)
    rng = np.random.default_rng(seed)
    faces = np.array([np.roll(face, int(rng.integers(3))) for face in one.faces])
    other = Surface(one.vertices, faces[rng.permutation(len(faces))].astype(np.int32))
    assert np.array_equal(one.rounded(5e-5), other.rounded(5e-5))
    assert apart(one, other, LIMIT) <= LIMIT
    moved = Surface(other.vertices + np.array([0.0, 0.0, 2e-4]), other.faces)
    assert not np.array_equal(one.rounded(5e-5), moved.rounded(5e-5))
    assert apart(one, moved, LIMIT) > LIMIT


def test_a_double_face_is_no_difference() -> None:
    one = boxed()
    doubled = Surface(one.vertices, np.concatenate([one.faces, one.faces[:1, ::-1]]))
    assert apart(one, doubled, LIMIT) <= 1e-12


def test_a_turned_box_is_found_and_brought_back_by_its_matrix() -> None:
    one = boxed()
    turned = one.moved(rotation(0.01))
    assert apart(one, turned, LIMIT) > LIMIT
    assert apart(one, turned.moved(rotation(-0.01)), LIMIT) <= 1e-9


def test_far_from_the_origin_nothing_is_lost() -> None:
    far = np.array([5e5, 6.6e6, 100.0])
    one = boxed().shifted(far)
    assert apart(one, cut(boxed(), 5, 1).shifted(far), LIMIT) <= 1e-8
    assert apart(one, boxed((1.0, 2.0, 3.0005)).shifted(far), LIMIT) > LIMIT


def test_many_triangles_are_compared_in_bounded_pieces() -> None:
    one = cut(boxed((10.0, 10.0, 10.0)), 400, 5)
    assert apart(one, cut(boxed((10.0, 10.0, 10.0)), 400, 6), LIMIT) <= 1e-9


@BOUNDED
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.integers(0, 10_000))
def test_distances_to_a_triangle_are_those_of_a_dense_sampling(
    point: list[float], seed: int
) -> None:
    corners = np.random.default_rng(seed).uniform(-1, 1, (1, 3, 3))
    found = float(to_triangles(np.array([point]), corners)[0])
    share = np.linspace(0, 1, 60)
    u, v = (grid.ravel() for grid in np.meshgrid(share, share))
    inside = u + v <= 1
    u, v = u[inside], v[inside]
    a, b, c = corners[0]
    samples = a + u[:, None] * (b - a) + v[:, None] * (c - a)
    sampled = float(np.linalg.norm(samples - np.array(point), axis=1).min())
    longest = max(np.linalg.norm(b - a), np.linalg.norm(c - a), np.linalg.norm(c - b))
    assert found <= sampled + 1e-12
    assert sampled - found <= 2 * longest / 59


def test_a_degenerate_triangle_is_the_line_it_is() -> None:
    corners = np.array([[[0.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0]], [[5.0, 5, 5]] * 3])
    found = to_triangles(np.array([[1.5, 1.0, 0.0], [5.0, 5.0, 7.0]]), corners)
    assert found == pytest.approx([1.0, 2.0])
