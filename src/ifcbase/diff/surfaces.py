"""How far two surfaces are apart, whatever their triangles: the same shape has many meshes.

The measure is the two-sided distance of corners, edge middles and triangle middles of either to the
surface of the other (a sampled Hausdorff distance): a hole without a corner of its own is seen, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

#: Points looked at together, and distances worked out at once: bound memory.
BATCH, AT_ONCE = 256, 200_000


@dataclass(frozen=True, slots=True)
class Surface:
    """Triangles of one element: vertices (v, 3) in metres, faces (f, 3) into them."""

    vertices: Floats
    faces: Ints

    def moved(self, matrix: Floats) -> Surface:
        """The surface after a rigid movement."""
        return Surface(self.vertices @ matrix[:3, :3].T + matrix[:3, 3], self.faces)

    def shifted(self, by: Floats) -> Surface:
        return Surface(self.vertices + by, self.faces)

    @property
    def box(self) -> Floats:
        """Least and greatest corner, (2, 3)."""
        used = self.vertices[self.faces.ravel()]
        return np.stack([used.min(axis=0), used.max(axis=0)])

    @property
    def corners(self) -> Floats:
        """The triangles' corners, (f, 3, 3)."""
        return np.asarray(self.vertices[self.faces])

    def rounded(self, grid: float) -> npt.NDArray[np.int64]:
        """The triangles' corners on a grid, whatever the order of corners and triangles."""
        cells = np.rint(self.corners / grid).astype(np.int64)
        order = np.lexsort((cells[:, :, 2], cells[:, :, 1], cells[:, :, 0]), axis=1)
        rows = np.take_along_axis(cells, order[:, :, None], axis=1).reshape(-1, 9)
        return np.asarray(rows[np.lexsort(rows.T[::-1])])

    def samples(self) -> Floats:
        """Corners, edge middles and triangle middles."""
        p, q, r = (self.corners[:, k] for k in range(3))
        parts = [p, q, r, (p + q) / 2, (q + r) / 2, (r + p) / 2, (p + q + r) / 3]
        return np.unique(np.concatenate(parts), axis=0)


def apart(one: Surface, other: Surface, limit: float) -> float:
    """The distance of two surfaces in metres; once beyond ``limit``, a lower bound of it."""
    alike = one.vertices.shape == other.vertices.shape and np.array_equal(one.faces, other.faces)
    if alike:
        # The same triangles: what their corners moved by bounds what any point of them did.
        moved = float(np.sqrt(((one.vertices - other.vertices) ** 2).sum(axis=1)).max())
        if moved <= limit:
            return moved
    grid = limit / 2
    if one.faces.shape == other.faces.shape and np.array_equal(
        one.rounded(grid), other.rounded(grid)
    ):
        return grid  # the same triangles in another order; none of their corners moved by more
    boxes = float(np.abs(one.box - other.box).max())
    if boxes > limit:
        return boxes
    there = _reach(one.samples(), other, limit)
    return there if there > limit else max(there, _reach(other.samples(), one, limit))


def _reach(points: Floats, surface: Surface, limit: float) -> float:
    """The largest distance of the points from a surface, or that of one beyond the limit."""
    from scipy.spatial import cKDTree  # half a second that most comparisons can do without

    near = np.asarray(cKDTree(surface.vertices[np.unique(surface.faces)]).query(points)[0])
    # A corner close by proves that the surface is; how much closer does not matter.
    largest = float(near[near <= limit].max(initial=0.0))
    rest = points[near > limit]
    if not len(rest):
        return largest
    corners = surface.corners
    low, high = corners.min(axis=1) - limit, corners.max(axis=1) + limit
    cell = max(float(np.ptp(points, axis=0).max()) / 32, 1e-9)
    rest = rest[np.lexsort(np.rint(rest / cell).T)]
    for start in range(0, len(rest), BATCH):
        batch = rest[start : start + BATCH]
        close = ((low <= batch.max(axis=0)) & (high >= batch.min(axis=0))).all(axis=1)
        found = to_triangles(batch, corners[close])
        if found.max() > limit:
            worst = batch[[int(found.argmax())]]
            return float(to_triangles(worst, corners)[0])
        largest = max(largest, float(found.max()))
    return largest


def to_triangles(points: Floats, corners: Floats) -> Floats:
    """The distance of each point (n, 3) to the nearest triangle (m, 3, 3); inf where none is."""
    nearest = np.full(len(points), np.inf)
    step = max(1, AT_ONCE // max(1, len(points)))
    for start in range(0, len(corners), step):
        squared = _squared(points, corners[start : start + step])
        nearest = np.minimum(nearest, np.sqrt(squared.min(axis=1)))
    return nearest


def _squared(points: Floats, corners: Floats) -> Floats:
    """Squared distances (n, m): to the plane where the point lies above the inside, else to an edge."""
    a, b, c = (corners[:, k] for k in range(3))
    least = np.full((len(points), len(corners)), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        along = end - start
        length = np.maximum((along**2).sum(axis=1), 1e-300)
        offset = points[:, None, :] - start
        share = np.clip((offset * along).sum(axis=2) / length, 0.0, 1.0)
        gap = offset - share[:, :, None] * along
        least = np.minimum(least, (gap**2).sum(axis=2))
    normal = np.cross(b - a, c - a)
    size = (normal**2).sum(axis=1)
    flat = size <= 1e-300
    safe = np.where(flat, 1.0, size)
    offset = points[:, None, :] - a
    # Barycentric coordinates of the foot of the perpendicular (Heidrich 2005).
    weight_c = (np.cross((b - a)[None], offset) * normal).sum(axis=2) / safe
    weight_b = (np.cross(offset, (c - a)[None]) * normal).sum(axis=2) / safe
    inside = (weight_b >= 0) & (weight_c >= 0) & (weight_b + weight_c <= 1) & ~flat
    height = (offset * normal).sum(axis=2) ** 2 / safe
    return np.asarray(np.where(inside, np.minimum(least, height), least))
