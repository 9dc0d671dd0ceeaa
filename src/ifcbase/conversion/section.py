"""Horizontal sections of meshes: closed outlines where the mesh is closed, open lines elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]


@dataclass(slots=True)
class Section:
    """Loops run with the solid on their left, so that outlines turn left and holes turn right."""

    loops: list[Points]  # each (n, 2), the last point not repeated
    lines: list[Points]  # each (n, 2)

    def __bool__(self) -> bool:
        return bool(self.loops or self.lines)

    @property
    def area(self) -> float:
        """Of what the loops enclose, holes taken off, in square metres."""
        return sum(signed_area(loop) for loop in self.loops)


def signed_area(loop: Points) -> float:
    """Positive for a loop that turns left (the shoelace formula)."""
    x, y = loop[:, 0], loop[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2.0


def cut(vertices: Points, faces: npt.NDArray[np.int32], height: float) -> Section:
    """Where a mesh crosses z = height. What lies exactly in the plane counts as above it.

    Every crossed face gives one segment between two crossed edges; edges are shared by the places
    of their ends, so that segments join without any tolerance.
    """
    above = vertices[:, 2] >= height
    corners = above[faces]
    count = corners.sum(axis=1)
    crossed = faces[(count > 0) & (count < 3)]
    if not len(crossed):
        return Section([], [])
    _, place = np.unique(vertices, axis=0, return_inverse=True)
    place = place.reshape(-1)
    corners = above[crossed]
    # The corner that is alone on its side, then the two others in the face's turning order.
    lonely_is_above = corners.sum(axis=1) == 1
    alone = np.where(lonely_is_above, corners.argmax(axis=1), (~corners).argmax(axis=1))
    rows = np.arange(len(crossed))
    tip, left, right = (crossed[rows, (alone + k) % 3] for k in range(3))
    # Faces turn left seen from outside: going this way, the solid is on the left seen from above.
    start = np.where(lonely_is_above, left, right)
    end = np.where(lonely_is_above, right, left)
    points: dict[tuple[int, int], tuple[float, float]] = {}
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for a, b, c in zip(tip.tolist(), start.tolist(), end.tolist(), strict=True):
        first, last = (_crossing(vertices, place, a, other, height, points) for other in (b, c))
        if first != last:
            following.setdefault(first, []).append(last)
    return _chained(points, following)


def _crossing(
    vertices: Points,
    place: npt.NDArray[np.int64],
    a: int,
    b: int,
    height: float,
    points: dict[tuple[int, int], tuple[float, float]],
) -> tuple[int, int]:
    """The crossed edge as a key; its point is worked out the same way from either face."""
    if place[a] > place[b]:
        a, b = b, a
    key = (int(place[a]), int(place[b]))
    if key not in points:
        p, q = vertices[a], vertices[b]
        share = (height - p[2]) / (q[2] - p[2])
        x, y = p[:2] + share * (q[:2] - p[:2])
        points[key] = (float(x), float(y))
    return key


def _chained(
    points: dict[tuple[int, int], tuple[float, float]],
    following: dict[tuple[int, int], list[tuple[int, int]]],
) -> Section:
    loops: list[Points] = []
    lines: list[Points] = []
    arriving: dict[tuple[int, int], int] = {}
    for targets in following.values():
        for target in targets:
            arriving[target] = arriving.get(target, 0) + 1
    # Open lines first, from where nothing arrives, so that no loop begins in the middle of one.
    beginnings = [key for key in following if len(following[key]) > arriving.get(key, 0)]
    for key in [*beginnings, *following]:
        while following.get(key):
            chain = [key]
            while following.get(chain[-1]):
                chain.append(following[chain[-1]].pop())
                if chain[-1] == key:
                    break
            closed = len(chain) > 1 and chain[-1] == chain[0]
            found = _simplified(
                np.array([points[each] for each in chain[: -1 if closed else None]])
            )
            if closed and len(found) >= 3:
                loops.append(found)
            elif not closed and len(found) >= 2:
                lines.append(found)
    return Section(loops, lines)


def _simplified(points: Points) -> Points:
    """Without points that repeat the one before."""
    if len(points) < 2:
        return points
    kept = np.ones(len(points), np.bool_)
    kept[1:] = np.any(np.abs(np.diff(points, axis=0)) > 1e-9, axis=1)
    return points[kept]
