"""Shapes of the samples: closed, facing outwards, of the volume they should have."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.samples.plan import Plan, grid_name, tube
from ifcbase.samples.recipes import _triangles
from ifcbase.samples.shapes import (
    ACROSS,
    Axis,
    Circle,
    Extrusion,
    Facets,
    Rectangle,
    bar,
    pipe,
    shaken,
    stair,
)

bounded = settings(max_examples=60, deadline=None, derandomize=True)
lengths = st.floats(0.05, 20.0)
axes: st.SearchStrategy[Axis] = st.sampled_from(["x", "y", "z"])


def volume(facets: Facets) -> float:
    """Signed volume by the divergence theorem; positive if the faces look outwards."""
    points: npt.NDArray[np.float64] = np.array(facets.vertices)
    a, b, c = (points[[t[i] for t in facets.triangles]] for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def closed(triangles: list[tuple[int, int, int]]) -> bool:
    """Every edge is used once in each direction."""
    edges = Counter((t[i], t[(i + 1) % 3]) for t in triangles for i in range(3))
    return all(n == 1 and edges[b, a] == 1 for (a, b), n in edges.items())


@bounded
@given(lengths, axes, st.floats(0.01, 2.0), st.integers(3, 64))
def test_a_pipe_is_closed_and_outwards(
    length: float, along: Axis, radius: float, segments: int
) -> None:
    made = pipe(length, along, radius, segments)
    assert closed(list(made.triangles))
    section = segments / 2 * radius**2 * math.sin(math.tau / segments)
    assert volume(made) == pytest.approx(section * length, rel=1e-9)
    assert len(made.triangles) == 4 * segments - 4


@bounded
@given(axes, st.floats(0.01, 2.0), st.integers(1, 16))
def test_a_pipe_of_a_multiple_of_four_faces_is_as_wide_as_its_radius_says(
    along: Axis, radius: float, quarter: int
) -> None:
    points = np.array(pipe(1.0, along, radius, 4 * quarter).vertices)
    for side in ACROSS[along]:
        assert points[:, side].max() == pytest.approx(radius, abs=1e-12)
        assert points[:, side].min() == pytest.approx(-radius, abs=1e-12)


@bounded
@given(st.floats(0.5, 3.0), st.integers(1, 30), st.floats(0.2, 0.4), st.floats(0.1, 0.25))
def test_a_stair_is_closed_and_outwards(
    width: float, steps: int, going: float, rise: float
) -> None:
    waist = 0.15
    made = stair(width, steps, going, rise, waist)
    assert closed(list(made.triangles))
    side = steps * going * (waist + rise / 2)
    assert volume(made) == pytest.approx(side * width, rel=1e-9)


@pytest.mark.parametrize("around", [12, 14, 16])
@pytest.mark.parametrize("rings", [5, 6])
def test_a_generated_fitting_is_closed_and_has_a_hundred_triangles(around: int, rings: int) -> None:
    triangles = _triangles(around, rings)
    assert closed(triangles)
    assert len(triangles) >= 100
    assert {i for t in triangles for i in t} == set(range(1, around * rings + 1))


corner = st.tuples(*[st.floats(-50, 50)] * 3)
size = st.tuples(*[st.floats(0.01, 30)] * 3)


@bounded
@given(corner, size, axes)
def test_a_bar_fills_the_box_between_its_corners(
    lo: tuple[float, float, float], extent: tuple[float, float, float], along: Axis
) -> None:
    hi = (lo[0] + extent[0], lo[1] + extent[1], lo[2] + extent[2])
    at, shape = bar(lo, hi, along)
    path = "xyz".index(along)
    section = shape.section
    assert isinstance(section, Rectangle)
    for axis, width in zip(ACROSS[along], (section.x, section.y), strict=True):
        assert at[axis] - width / 2 == pytest.approx(lo[axis], abs=1e-9)
        assert at[axis] + width / 2 == pytest.approx(hi[axis], abs=1e-9)
    assert at[path] == lo[path]
    assert at[path] + shape.length == pytest.approx(hi[path], abs=1e-9)


@bounded
@given(st.integers(0, 1000), st.floats(1e-5, 1e-3))
def test_shaking_never_moves_a_corner_beyond_its_reach(seed: int, reach: float) -> None:
    rng = random.Random(seed)  # noqa: S311
    round_bar = pipe(2.0, "y", 0.1, 24)
    moved = shaken(round_bar, rng, reach)
    assert isinstance(moved, Facets)
    off = np.linalg.norm(np.array(moved.vertices) - np.array(round_bar.vertices), axis=1)
    assert 0 < off.max() <= reach
    box = shaken(Extrusion(Rectangle(1.0, 2.0), 3.0), rng, reach)
    assert isinstance(box, Extrusion)
    assert isinstance(box.section, Rectangle)
    corner = ((box.section.x - 1) / 2, (box.section.y - 2) / 2, box.length - 3)
    assert 0 < math.hypot(*corner) <= reach + 1e-12
    disc = shaken(Extrusion(Circle(0.1), 3.0), rng, reach)
    assert isinstance(disc, Extrusion)
    assert isinstance(disc.section, Circle)
    assert 0 < math.hypot(disc.section.radius - 0.1, disc.length - 3) <= reach


def test_grid_names_go_on_after_z() -> None:
    assert [grid_name(i, 0) for i in (0, 25, 26, 27, 52, 702)] == [
        "A1",
        "Z1",
        "AA1",
        "AB1",
        "BA1",
        "AAA1",
    ]


def test_a_role_names_one_part() -> None:
    plan = Plan(1, (1, 1), "A")
    part = tube("pipe", "Pipe", 0, (0.0, 0.0, 0.0), 1.0, "x", 0.1)
    plan.add(part)
    with pytest.raises(ValueError, match="two parts"):
        plan.add(part)
