"""Pairs of elements whose pieces only approximate them: whether they overlap, by a solid boolean."""

from __future__ import annotations

import manifold3d
import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow import general, native
from ifcbase.clash.narrow.kinds import BOUND, COLLISION, TOUCHING
from ifcbase.clash.narrow.solids import OPEN, Solids


class Booleans:
    """Solids of elements as manifold3d sees them, made once each."""

    def __init__(self, solids: Solids) -> None:
        self._solids = solids
        self._made: dict[int, manifold3d.Manifold | None] = {}

    def solid(self, e: int) -> manifold3d.Manifold | None:
        """The element, or None if it is a surface or no manifold."""
        if e not in self._made:
            p = self._solids.pieces
            v = p.vertices[p.v_at[e] : p.v_at[e + 1]]
            f = p.faces[p.f_at[e] : p.f_at[e + 1]]
            self._made[e] = None if p.state[e] == OPEN else general.manifold_of(v, f)
        return self._made[e]

    def settle(
        self,
        pairs: npt.NDArray[np.int32],
        band: float,
        rows: npt.NDArray[np.float64],
    ) -> None:
        """Decide the pairs with an approximated element: overlap beyond the band or not.

        Rows get COLLISION or TOUCHING (to be measured). Where the pieces saw no overlap, the
        thickness of the overlap stands for the depth until it is known better.
        """
        rough = np.isin(pairs, np.array(list(self._solids.approximate), dtype=np.int64))
        # Pieces that are no hulls are parts of their elements: what they share is shared.
        hull = np.isin(rows[:, 13:15], self._solids.hulls).any(axis=1)
        sure = (rows[:, 0] == COLLISION) & ~hull
        for r in np.flatnonzero(rough.any(axis=1) & ~sure).tolist():
            a, b = int(pairs[r, 0]), int(pairs[r, 1])
            x, y = self.solid(a), self.solid(b)
            if x is None or y is None:
                continue  # a surface: its flat pieces are exact
            overlap = x ^ y
            thick, middle = _thickest(overlap)
            if thick <= band:
                if rows[r, 0] == COLLISION:
                    rows[r, 0] = TOUCHING
                continue
            if rows[r, 0] != COLLISION:
                rows[r] = 0.0
                rows[r, 0], rows[r, 1], rows[r, 2] = COLLISION, BOUND, thick
                rows[r, 13:15] = -1
                for side, e in ((3, a), (6, b)):
                    point = middle.copy()
                    native.pairs.to_surface(self._solids.pieces, e, point)
                    rows[r, side : side + 3] = point


def _thickest(overlap: manifold3d.Manifold) -> tuple[float, npt.NDArray[np.float64]]:
    """Smallest width, along its faces' normals, of the thickest part of an overlap; its middle."""
    best, middle = 0.0, np.zeros(3)
    for part in overlap.decompose():
        mesh = part.to_mesh64()
        v = np.asarray(mesh.vert_properties[:, :3], dtype=np.float64)
        t = mesh.tri_verts.astype(np.int64)
        n = np.cross(v[t[:, 1]] - v[t[:, 0]], v[t[:, 2]] - v[t[:, 0]])
        area = np.linalg.norm(n, axis=1)
        if not (area > 1e-12).any():
            continue
        n = n[area > 1e-12] / area[area > 1e-12, None]
        reach = v @ n.T
        # A sliver's own normals are noise; Steinhagen's bound of a convex body's width is not.
        width = min(float((reach.max(0) - reach.min(0)).min()), 20.8 * part.volume() / area.sum())
        if width > best:
            best, middle = width, v.mean(axis=0)
    return best, middle


__all__ = ["Booleans"]
