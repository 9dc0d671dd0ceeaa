"""Random solids against oracles that share nothing with the engine."""

from __future__ import annotations

import manifold3d
import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

from ifcbase.clash.narrow import CONTACT_BAND, PairContacts, detect_pairs
from ifcbase.clash.narrow.kinds import CLEARANCE, CONTAINED, EXACT, TOUCHING
from ifcbase.ifc.meshset import MeshSet

from .shapes import Floats, Mesh, box, join, move, of, prism, rotation, turn

REACH = 0.5
RULES = settings(
    deadline=None,
    max_examples=120,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

seeds = st.integers(0, 10**6)
offsets = st.tuples(*[st.floats(-1.2, 1.2)] * 3)
angles = st.floats(0, 90)


def convex(seed: int, points: int) -> Mesh:
    """The hull of random points in a unit cube, facing outward."""
    cloud = np.random.default_rng(seed).random((points, 3)) - 0.5
    hull = ConvexHull(cloud)
    v = cloud[hull.vertices]
    place = np.full(len(cloud), -1)
    place[hull.vertices] = np.arange(len(v))
    f = place[hull.simplices].astype(np.int32)
    n = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    back = np.einsum("ij,ij->i", n, hull.equations[:, :3]) < 0
    f[back] = f[back][:, ::-1]
    return v, f


def both(a: Mesh, b: Mesh, reach: float = REACH) -> PairContacts:
    return detect_pairs(
        MeshSet.from_meshes([a]), MeshSet.from_meshes([b]), mode="clearance", clearance=reach
    )


def minkowski_hull(a: Floats, b: Floats) -> ConvexHull:
    return ConvexHull((b[:, None, :] - a[None, :, :]).reshape(-1, 3))


def overlap_by_linear_programming(a: Floats, b: Floats) -> bool:
    """Whether two convex hulls share a point: convex weights on both that give the same point."""
    n, m = len(a), len(b)
    equal = np.zeros((5, n + m))
    equal[:3, :n], equal[:3, n:] = a.T, -b.T
    equal[3, :n] = equal[4, n:] = 1
    found = linprog(np.zeros(n + m), A_eq=equal, b_eq=[0, 0, 0, 1, 1], bounds=(0, None))
    return bool(found.status == 0)


@RULES
@given(seeds, seeds, st.integers(4, 20), st.integers(4, 20), offsets)
def test_convex_bodies_against_the_minkowski_hull(
    one: int, two: int, n: int, m: int, offset: tuple[float, float, float]
) -> None:
    a, b = convex(one, n), move(convex(two, m), *offset)
    hull = minkowski_hull(a[0], b[0])
    depth = float(-hull.equations[:, 3].max())
    found = both(a, b)
    assert overlap_by_linear_programming(a[0], b[0]) == (depth > 0) or abs(depth) < 1e-6
    if depth > CONTACT_BAND + 1e-9:
        assert found.kind[0] not in (CLEARANCE, TOUCHING)
        assert found.measured[0] == EXACT
        assert found.distance[0] == pytest.approx(depth, abs=1e-7)
        return
    assume(depth < 0)
    surface = trimesh.Trimesh(hull.points, hull.simplices, process=False)
    _, gap, _ = trimesh.proximity.closest_point_naive(surface, np.zeros((1, 3)))
    if gap[0] < REACH - 1e-9:
        assert found.kind[0] in (CLEARANCE, TOUCHING)
        assert found.distance[0] == pytest.approx(gap[0], abs=1e-7)
        assert np.linalg.norm(found.p1[0] - found.p2[0]) == pytest.approx(gap[0], abs=1e-7)
    elif gap[0] > REACH + 1e-9:
        assert len(found) == 0


@RULES
@given(seeds, seeds, offsets, seeds, st.integers(0, 359))
def test_order_and_rigid_motion_change_nothing(
    one: int, two: int, offset: tuple[float, float, float], axis: int, degrees: int
) -> None:
    a, b = convex(one, 9), move(convex(two, 7), *offset)
    r = rotation(np.random.default_rng(axis).normal(size=3).tolist(), degrees)
    shift = np.array([12.5, -40.0, 3.0])
    here, there = both(a, b), both((a[0] @ r.T + shift, a[1]), (b[0] @ r.T + shift, b[1]))
    back = both(b, a)
    assert here.kind.tolist() == there.kind.tolist() == back.kind.tolist()
    assert here.distance.tolist() == back.distance.tolist()
    np.testing.assert_allclose(here.distance, there.distance, atol=1e-8)


def solid(mesh: Mesh) -> manifold3d.Manifold:
    return manifold3d.Manifold(
        manifold3d.Mesh64(np.ascontiguousarray(mesh[0]), np.ascontiguousarray(mesh[1], np.uint64))
    )


def depth_by_minkowski_sum(a: Mesh, b: Mesh) -> float:
    """The written definition: distance from the origin to the boundary of B + (-A)."""
    mirrored = solid((-a[0], np.ascontiguousarray(a[1][:, ::-1])))
    body = solid(b).minkowski_sum(mirrored).to_mesh64()
    surface = trimesh.Trimesh(body.vert_properties[:, :3], body.tri_verts, process=False)
    _, away, _ = trimesh.proximity.closest_point_naive(surface, np.zeros((1, 3)))
    return float(away[0])


sizes = st.floats(0.08, 0.3)


def profile(kind: str, t: float) -> Mesh:
    if kind == "L":
        return prism([(0, 0), (1, 0), (1, t), (t, t), (t, 1), (0, 1)], 0.8)
    if kind == "U":
        w = 1 - t
        return prism([(0, 0), (1, 0), (1, 1), (w, 1), (w, t), (t, t), (t, 1), (0, 1)], 0.8)
    if kind == "T":
        x0, x1 = 0.5 - t / 2, 0.5 + t / 2
        return prism(
            [(x0, 0), (x1, 0), (x1, 1 - t), (1, 1 - t), (1, 1), (0, 1), (0, 1 - t), (x0, 1 - t)],
            0.8,
        )
    return prism(
        [(0, 0), (1, 0), (1, 1), (0, 1)], 0.8, [[(t, t), (1 - t, t), (1 - t, 1 - t), (t, 1 - t)]]
    )


@settings(RULES, max_examples=60)
@given(
    st.sampled_from("LUTO"), st.sampled_from("LUTOC"), sizes, sizes, offsets, angles, st.booleans()
)
def test_concave_bodies_against_the_written_definition(
    one: str,
    two: str,
    t: float,
    u: float,
    offset: tuple[float, float, float],
    degrees: float,
    flat: bool,
) -> None:
    a = profile(one, t)
    b = convex(int(u * 1e6), 8) if two == "C" else profile(two, u)
    b = move(turn(b, (0, 0, 1) if flat else (1, 2, 3), degrees), *offset)
    overlap = solid(a) ^ solid(b)
    found = both(a, b)
    if overlap.volume() < 1e-6:
        if overlap.volume() == 0.0:
            assert len(found) == 0 or found.kind[0] in (CLEARANCE, TOUCHING)
        return
    depth = depth_by_minkowski_sum(a, b)
    assume(depth > 2 * CONTACT_BAND)
    assert len(found) == 1
    assert found.kind[0] not in (CLEARANCE, TOUCHING)
    # Contacts within the band are no obstacles, so the depth may be less by a few bands.
    near = max(6 * CONTACT_BAND, 0.01 * depth)
    assert found.distance[0] >= depth - near
    if found.measured[0] == EXACT:
        assert found.distance[0] <= depth + 1e-6
    assert found.at_least[0] <= depth + 1e-6


@settings(RULES, max_examples=60)
@given(st.sampled_from("LUTO"), sizes, offsets, angles)
def test_distances_of_concave_bodies(
    one: str, t: float, offset: tuple[float, float, float], degrees: float
) -> None:
    a, b = profile(one, t), move(turn(profile("L", 0.2), (1, 1, 0), degrees), *offset)
    assume((solid(a) ^ solid(b)).is_empty())
    found = both(a, b)
    gap = solid(a).min_gap(solid(b), REACH)
    if len(found):
        assert found.distance[0] == pytest.approx(gap, abs=1e-6)
    else:
        assert gap >= REACH - 1e-6


@settings(RULES, max_examples=40)
@given(seeds, st.floats(0.05, 0.6), offsets)
def test_what_lies_inside_is_contained(
    seed: int, scale: float, offset: tuple[float, float, float]
) -> None:
    """A shrunken copy about an inner point lies in a convex body, wherever it is turned to."""
    v, f = convex(seed, 14)
    middle = v.mean(axis=0)
    inner = ((v - middle) * scale + middle, f)
    found = both((v, f), inner)
    assert found.kind.tolist() == [CONTAINED]
    both_moved = both(move((v, f), *offset), move(inner, *offset))
    assert both_moved.kind.tolist() == [CONTAINED]


@settings(RULES, max_examples=40)
@given(offsets, angles)
def test_pieces_of_an_element_measure_like_the_whole(
    offset: tuple[float, float, float], degrees: float
) -> None:
    """Two flush bodies in one element are the box they make together."""
    whole = box((0, 0, 0), (1, 0.4, 0.6))
    halves = join(box((0, 0, 0), (0.5, 0.4, 0.6)), box((0.5, 0, 0), (1, 0.4, 0.6)))
    other = move(turn(box((0, 0, 0), (0.5, 0.5, 0.5)), (1, 2, 3), degrees), *offset)
    one, two = both(whole, other), both(halves, other)
    assert len(one) == len(two)
    if len(one):
        np.testing.assert_allclose(one.distance, two.distance, atol=2e-7)


def test_a_stack_with_steps_both_ways_is_cut_and_measured() -> None:
    """Neither convex nor swept: the general way, against the written definition."""
    body = manifold3d.Manifold.cube((1.0, 1.0, 0.2))
    body += manifold3d.Manifold.cube((0.2, 1.0, 0.5))
    body += manifold3d.Manifold.cube((1.0, 0.2, 0.2)).translate((0.0, 0.0, -0.2))
    body -= manifold3d.Manifold.cylinder(2.0, 0.1, 0.1, 16).translate((0.6, 0.6, -1.0))
    a = of(body)
    b = move(turn(box((0, 0, 0), (0.4, 0.3, 0.4)), (1, 2, 3), 25), 0.15, 0.3, 0.15)
    found = both(a, b)
    assert found.measured.tolist() == [EXACT]
    assert found.distance[0] == pytest.approx(depth_by_minkowski_sum(a, b), abs=1e-3)
    rod = of(manifold3d.Manifold.cylinder(2.0, 0.06, 0.06, 16).translate((0.6, 0.6, -1.0)))
    free = both(a, rod, 0.1)
    assert free.kind.tolist() == [CLEARANCE]
    assert free.distance[0] == pytest.approx(0.04 * np.cos(np.pi / 16), abs=1e-6)
