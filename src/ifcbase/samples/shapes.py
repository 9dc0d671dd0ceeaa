"""Shapes of the sample building: plain data in metres, before any IFC is written."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Vector = tuple[float, float, float]
Triangle = tuple[int, int, int]
Axis = Literal["x", "y", "z"]

AXES: dict[Axis, Vector] = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
#: Per axis the indexes of the two others, in the order that keeps the frame right-handed.
ACROSS: dict[Axis, tuple[int, int]] = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangular section centred on the path; x and y follow ``ACROSS`` of its axis."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Circle:
    """A round section; its number of segments is left to whoever meshes it."""

    radius: float


@dataclass(frozen=True, slots=True)
class Clip:
    """A plane; the material on the side its normal points to is cut away."""

    point: Vector
    normal: Vector


@dataclass(frozen=True, slots=True)
class Extrusion:
    """A section swept from the element's origin along one axis."""

    section: Rectangle | Circle
    length: float
    along: Axis = "z"
    clip: Clip | None = None


@dataclass(frozen=True, slots=True)
class Facets:
    """A closed triangle mesh, facing outwards; ``tessellated`` asks for the IFC4 form."""

    vertices: tuple[Vector, ...]
    triangles: tuple[Triangle, ...]
    tessellated: bool = False


Shape = Extrusion | Facets


def bar(lo: Vector, hi: Vector, along: Axis = "z") -> tuple[Vector, Extrusion]:
    """Origin and shape of the box between two corners, swept along the given axis."""
    size = [h - low for low, h in zip(lo, hi, strict=True)]
    path = "xyz".index(along)
    first, second = ACROSS[along]
    middle = [low + s / 2 for low, s in zip(lo, size, strict=True)]
    middle[path] = lo[path]
    return as_vector(middle), Extrusion(Rectangle(size[first], size[second]), size[path], along)


def pipe(length: float, along: Axis, radius: float, segments: int) -> Facets:
    """A round bar of flat faces whose corners lie on the radius, the first on ``ACROSS[0]``.

    With a multiple of four segments it is exactly ``2 * radius`` wide along both other axes.
    """
    ring = [
        (radius * math.cos(math.tau * i / segments), radius * math.sin(math.tau * i / segments))
        for i in range(segments)
    ]
    fan = [(0, i, i + 1) for i in range(1, segments - 1)]
    return prism(ring, fan, length, along)


def stair(width: float, steps: int, going: float, rise: float, waist: float) -> Facets:
    """A straight flight climbing along y, ``width`` wide along x, with a sloping underside."""
    points: list[tuple[float, float]] = []  # (y, z), three per step and two at the end
    triangles: list[Triangle] = []
    for i in range(steps):
        points += [
            (i * going, i * rise - waist),
            (i * going, i * rise),
            (i * going, (i + 1) * rise),
        ]
        under, foot, nose, next_under, next_foot = 3 * i, 3 * i + 1, 3 * i + 2, 3 * i + 3, 3 * i + 4
        triangles += [
            (next_under, next_foot, nose),
            (next_under, nose, foot),
            (next_under, foot, under),
        ]
    points += [(steps * going, steps * rise - waist), (steps * going, steps * rise)]
    return prism(points, triangles, width, "x")


def prism(
    points: Sequence[tuple[float, float]],
    triangles: Sequence[Triangle],
    length: float,
    along: Axis,
) -> Facets:
    """A triangulated outline (counter-clockwise) swept along an axis, as a closed mesh."""
    path = "xyz".index(along)
    first, second = ACROSS[along]
    vertices: list[Vector] = []
    for level in (0.0, length):
        for x, y in points:
            vertex = [0.0, 0.0, 0.0]
            vertex[path], vertex[first], vertex[second] = level, x, y
            vertices.append(as_vector(vertex))
    n = len(points)
    faces: list[Triangle] = [(a, c, b) for a, b, c in triangles]
    faces += [(a + n, b + n, c + n) for a, b, c in triangles]
    edges = {(t[i], t[(i + 1) % 3]) for t in triangles for i in range(3)}
    for a, b in sorted(edges):
        if (b, a) not in edges:  # an edge of the outline: a side stands on it
            faces += [(a, b, b + n), (a, b + n, a + n)]
    return Facets(tuple(vertices), tuple(faces))


def shaken(shape: Shape, rng: random.Random, reach: float) -> Shape:
    """The shape with every corner moved by at most ``reach`` metres."""
    step = reach / math.sqrt(3)

    def off() -> float:
        return rng.uniform(-step, step)

    if isinstance(shape, Facets):
        moved = tuple((x + off(), y + off(), z + off()) for x, y, z in shape.vertices)
        return replace(shape, vertices=moved)
    section = shape.section
    if isinstance(section, Circle):
        return replace(shape, section=Circle(section.radius + off()), length=shape.length + off())
    # Both sides of a centred section move by half of what its width changes.
    return replace(
        shape,
        section=Rectangle(section.x + 2 * off(), section.y + 2 * off()),
        length=shape.length + off(),
    )


def shifted(at: Vector, by: Vector) -> Vector:
    """The sum of two vectors."""
    return (at[0] + by[0], at[1] + by[1], at[2] + by[2])


def as_vector(values: Sequence[float]) -> Vector:
    """Three numbers as a vector."""
    x, y, z = values
    return (x, y, z)
