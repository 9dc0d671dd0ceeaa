"""Pairs whose truth is known, turned, moved and swapped: issue 3's list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import trimesh

from ifcbase.clash.narrow import CONTACT_BAND, PairContacts, detect_pairs
from ifcbase.clash.narrow.kinds import (
    BOUND,
    CLEARANCE,
    COLLISION,
    CONTAINED,
    DUPLICATE,
    EXACT,
    PIERCE,
    PROTRUSION,
    TOUCHING,
)
from ifcbase.ifc.meshset import MeshSet

from .shapes import (
    POSES,
    L,
    Mesh,
    U,
    box,
    circle,
    inverted,
    join,
    move,
    prism,
    square,
    turn,
    without_top,
)


@dataclass
class Case:
    """Two meshes and what they are to each other; depth for overlaps, gap otherwise."""

    a: Mesh
    b: Mesh
    kind: int | None  # None: further apart than 50 mm
    distance: float = 0.0
    measured: int = EXACT


WALL = box((0, 0, 0), (5, 0.2, 3))
WALL_WITH_OPENING = turn(
    prism(square(0, 0, 5, 3), 0.2, [square(2, 1, 2.4, 1.4)]), (1, 0, 0), 90
)  # y from -0.2 to 0
PIPE = turn(prism(circle(0.05), 2.0), (1, 0, 0), 90)  # along -y from 0
RHS = prism(square(-0.1, -0.1, 0.1, 0.1), 2.0, [square(-0.08, -0.08, 0.08, 0.08)])
WEDGE = turn(prism([(0, 0), (1, 0), (0, 1)], 1.0), (1, 0, 0), 90)
SLOPE = np.array([1.0, 0.0, 1.0]) / np.sqrt(2)
OTHER_WEDGE = move(turn(WEDGE, (0, 1, 0), 180), 1, 0, 1)
TWO_POSTS = join(box((0, 0, 0), (0.2, 0.2, 3)), box((1, 0, 0), (1.2, 0.2, 3)))

CASES = {
    # boxes
    "equal sections, 50 mm": Case(
        box((0, 0, 0), (1, 0.2, 3)), box((0.95, 0, 0), (2, 0.2, 3)), PROTRUSION, 0.05
    ),
    "identical": Case(WALL, WALL, DUPLICATE, 0.2),
    "corner, flush top and bottom": Case(
        box((0, 0, 0), (1, 1, 3)), box((0.9, 0.95, 0), (2, 2, 3)), PROTRUSION, 0.05
    ),
    "box in box": Case(
        box((0, 0, 0), (2, 2, 2)), box((0.5, 0.6, 0.7), (0.8, 0.9, 1.0)), CONTAINED, 0.8
    ),
    "box in box, flush on one face": Case(
        box((0, 0, 0), (2, 2, 2)), box((0, 0.6, 0.7), (0.3, 0.9, 1.0)), CONTAINED, 0.3
    ),
    "50 mm with 10 mm offset": Case(
        box((0, 0, 0), (1, 0.2, 3)), box((0.95, 0.01, 0.01), (2, 0.21, 3.01)), PROTRUSION, 0.05
    ),
    "2 mm": Case(WALL, box((1, 0.198, 1), (1.1, 0.5, 1.1)), PROTRUSION, 0.002),
    "touching faces": Case(WALL, box((1, 0.2, 1), (1.1, 0.5, 1.1)), TOUCHING, 0.0),
    "touching edges": Case(WALL, box((5, 0.2, 1), (6, 0.5, 2)), TOUCHING, 0.0),
    "gap 30 mm": Case(WALL, box((1, 0.23, 1), (1.1, 0.5, 1.1)), CLEARANCE, 0.03),
    "gap 30 mm, corner to corner": Case(
        box((0, 0, 0), (1, 1, 1)), box((1.01, 1.02, 1.02), (2, 2, 2)), CLEARANCE, 0.03
    ),
    "far": Case(WALL, box((1, 0.26, 1), (1.1, 0.5, 1.1)), None),
    "through the wall": Case(WALL, box((1, -1, 1), (1.1, 1, 1.1)), PIERCE, 1.0),
    # openings and notches
    "pipe through an opening": Case(WALL_WITH_OPENING, move(PIPE, 2.2, 0.9, 1.2), None),
    "pipe near the edge of an opening": Case(
        WALL_WITH_OPENING, move(PIPE, 2.08, 0.9, 1.2), CLEARANCE, 0.03
    ),
    "pipe cutting the edge of an opening": Case(
        WALL_WITH_OPENING, move(PIPE, 2.03, 0.9, 1.2), PIERCE, 0.02
    ),
    "box free in a U": Case(prism(U, 1.0), box((0.3, 0.3, 0.2), (0.7, 0.8, 0.8)), None),
    "box flush in a U": Case(prism(U, 1.0), box((0.2, 0.2, 0), (0.8, 0.9, 1)), TOUCHING),
    "box in a U, 30 mm free": Case(
        prism(U, 1.0), box((0.23, 0.25, 0), (0.75, 0.9, 1)), CLEARANCE, 0.03
    ),
    "box 20 mm into the floor of a U, flush at its sides": Case(
        prism(U, 1.0), box((0.2, 0.18, 0), (0.8, 0.9, 1)), PROTRUSION, 0.02
    ),
    "box flush in an L": Case(prism(L, 1.0), box((0.1, 0.1, 0), (0.5, 0.5, 1)), TOUCHING),
    "box into both legs of an L": Case(
        prism(L, 2.0), box((0.08, 0.07, 0.2), (0.9, 0.9, 1.8)), PROTRUSION, np.hypot(0.02, 0.03)
    ),
    # profiles
    "rod free in a hollow section": Case(RHS, box((-0.01, -0.01, -1), (0.01, 0.01, 3)), None),
    "rod 30 mm free in a hollow section": Case(
        RHS, box((-0.05, -0.05, -1), (0.05, 0.05, 3)), CLEARANCE, 0.03
    ),
    "rod through both walls of a hollow section": Case(
        RHS, box((-1, -0.01, 1), (1, 0.01, 1.02)), PIERCE, 0.11
    ),
    "duplicate L profiles": Case(prism(L, 2.0), prism(L, 2.0), DUPLICATE, np.hypot(0.1, 0.1)),
    "flush L profiles": Case(prism(L, 2.0), move(prism(L, 2.0), 0.1, 0.1, 0), TOUCHING),
    "L profiles end to end, 40 mm": Case(
        prism(L, 2.0), move(prism(L, 2.0), 0, 0, 1.96), PROTRUSION, 0.04
    ),
    # round and sloped
    "cylinders parallel, 30 mm": Case(
        prism(circle(0.1), 2.0),
        move(prism(circle(0.1), 2.0), 0.17, 0, 0),
        PROTRUSION,
        (0.2 - 0.17) * np.cos(np.radians(7.5)),  # across a facet of 15 degrees
    ),
    "cylinders parallel, apart": Case(
        prism(circle(0.1), 2.0), move(prism(circle(0.1), 2.0), 0.23, 0, 0), CLEARANCE, 0.03
    ),
    "cylinders crossing": Case(
        prism(circle(0.1), 2.0),
        move(turn(prism(circle(0.1), 2.0), (1, 0, 0), 90), 0, 1, 1),
        PIERCE,
        0.2,
    ),
    "wedges sharing a slope": Case(WEDGE, OTHER_WEDGE, TOUCHING),
    "wedges overlapping at the slope": Case(
        WEDGE, move(OTHER_WEDGE, *(-0.04 * SLOPE).tolist()), PROTRUSION, 0.04
    ),
    "wedges apart at the slope": Case(
        WEDGE, move(OTHER_WEDGE, *(0.03 * SLOPE).tolist()), CLEARANCE, 0.03
    ),
    # several bodies, odd meshes
    "between two bodies": Case(TWO_POSTS, box((0.4, -1, 1), (0.8, 1, 2)), None),
    "into one of two bodies": Case(TWO_POSTS, box((0.5, 0, 1), (1.05, 0.2, 2)), PROTRUSION, 0.05),
    "inside one of two bodies": Case(
        TWO_POSTS, box((0.05, 0.05, 1), (0.15, 0.15, 2)), CONTAINED, 0.15
    ),
    "inverted": Case(
        inverted(box((0, 0, 0), (1, 0.2, 3))), box((0.95, 0, 0), (2, 0.2, 3)), PROTRUSION, 0.05
    ),
    "open box pierced at a side": Case(
        without_top(box((0, 0, 0), (1, 1, 1))),
        box((-0.5, 0.4, 0.4), (0.5, 0.6, 0.6)),
        COLLISION,
        0.5,
    ),
    "touching an open box": Case(
        without_top(box((0, 0, 0), (1, 1, 1))), box((-0.5, 0.4, 0.4), (0, 0.6, 0.6)), TOUCHING
    ),
    "held by a box without lid": Case(
        without_top(box((0, 0, 0), (2, 2, 2))),
        box((0.9, 0.9, 0.1), (1.1, 1.1, 0.3)),
        CONTAINED,
        0.3,
        BOUND,
    ),
}


def detect(a: Mesh, b: Mesh, mode: str, **options: float) -> PairContacts:
    return detect_pairs(
        MeshSet.from_meshes([a]),
        MeshSet.from_meshes([b]),
        mode=mode,
        **options,  # type: ignore[arg-type]
    )


def check_points(found: PairContacts, a: Mesh, b: Mesh) -> None:
    for mesh, p in ((a, found.p1), (b, found.p2)):
        surface = trimesh.Trimesh(*mesh, process=False)
        _, away, _ = trimesh.proximity.closest_point_naive(surface, p)
        assert away.max() <= 1e-6


@pytest.mark.parametrize("swapped", [False, True], ids=["ab", "ba"])
@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("name", CASES)
def test_case(name: str, pose: str, swapped: bool) -> None:
    case = CASES[name]
    a, b = POSES[pose](case.a), POSES[pose](case.b)
    if swapped:
        a, b = b, a
    deep = case.kind not in (None, TOUCHING, CLEARANCE)

    collision = detect(a, b, "collision")
    assert len(collision) == int(deep)

    touching = detect(a, b, "collision", allow_touching=True)
    assert len(touching) == int(deep or case.kind == TOUCHING)
    assert touching.touching == int(case.kind == TOUCHING)

    wide = detect(a, b, "clearance", clearance=0.05)
    assert len(wide) == int(case.kind is not None)
    if case.kind is None:
        return
    assert wide.kind.tolist() == [case.kind]
    assert wide.measured.tolist() == [case.measured]
    near = 1e-5 if "far" not in pose else 1e-4
    if case.measured == BOUND:
        assert wide.distance[0] >= case.distance - near
    else:
        assert wide.distance[0] == pytest.approx(case.distance, abs=near)
    check_points(wide, a, b)

    narrow = detect(a, b, "clearance", clearance=0.02)
    assert len(narrow) == int(deep or case.kind == TOUCHING)

    if deep:
        depth = float(wide.distance[0])
        assert len(detect(a, b, "intersection", tolerance=depth * 0.9)) == 1
        assert len(detect(a, b, "intersection", tolerance=depth * 1.1)) == 0
    else:
        assert len(detect(a, b, "intersection", tolerance=0.0)) == 0


def test_a_shallow_overlap_below_the_tolerance_is_no_intersection() -> None:
    case = CASES["2 mm"]
    assert len(detect(case.a, case.b, "intersection", tolerance=0.01)) == 0
    assert len(detect(case.a, case.b, "intersection", tolerance=0.001)) == 1


def test_equal_elements_at_two_places_are_two_pairs() -> None:
    """Federated files may share GlobalIds; the narrow phase only knows indexes."""
    wall, pipe = WALL, box((1, -1, 1), (1.1, 1, 1.1))
    a = MeshSet.from_meshes([wall, move(wall, 50, 0, 0)])
    b = MeshSet.from_meshes([move(pipe, 50, 0, 0), pipe])
    found = detect_pairs(a, b, mode="collision")
    assert list(zip(found.a.tolist(), found.b.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert found.distance[0] == pytest.approx(found.distance[1], abs=1e-9)


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.kind])
def test_overlaps_are_measured_alike_from_both_sides_to_the_bit(name: str) -> None:
    case = CASES[name]
    one = detect(case.a, case.b, "clearance", clearance=0.05)
    other = detect(case.b, case.a, "clearance", clearance=0.05)
    assert one.distance.tolist() == other.distance.tolist()
    if case.kind == DUPLICATE:
        return  # nothing tells two equal meshes apart
    assert one.p1.tolist() == other.p2.tolist()
    assert one.p2.tolist() == other.p1.tolist()


def test_a_band_wider_than_promised_is_refused() -> None:
    from ifcbase.errors import RequestInvalid

    with pytest.raises(RequestInvalid):
        detect(WALL, WALL, "collision", band=1e-3)
    with pytest.raises(RequestInvalid):
        detect(WALL, WALL, "clearance", clearance=-0.1)
    assert CONTACT_BAND <= 5e-4
