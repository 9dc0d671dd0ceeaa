"""Solids that are neither convex nor swept, cut along the planes of their own hollows.

The cutting is ``_divide``'s, by counting edges. Nothing of it is believed before the volumes of
the parts and of their hulls add up to the volume of the solid; what fails that is left to the
solid booleans of ``general.py``.
"""

from __future__ import annotations

from typing import NamedTuple

import manifold3d
import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow.cutting import component_volumes, divide, orient, planes, states, tidy
from ifcbase.clash.narrow.layout import SOLID, WELD

Floats = npt.NDArray[np.float64]
Mesh = tuple[Floats, npt.NDArray[np.int32]]

#: Triangles up to which a solid is cut here: the work grows with their square.
LARGEST = 1500
#: Parts of one solid after which the rest is taken as hulls.
PARTS = 400
#: Volume that parts may differ from the solid by: share of it, and cubic metres at least and most.
SHARE, LEAST, MOST = 2e-5, 1e-9, 1e-6
#: Share of the volume that hulls may add: where it is more, other cuts may do better.
HULLS = 1e-3


class Part(NamedTuple):
    """A convex mesh, and whether it is only the hull of what it stands for."""

    mesh: Mesh
    is_hull: bool


def divided(v: Floats, f: npt.NDArray[np.int32]) -> list[Part] | None:
    """Convex parts whose union the solid is, or None where that is not certain.

    Hulls of parts are among them where the solid has too many hollows. ``v`` in metres about a
    point nearby.
    """
    if len(f) > LARGEST:
        return None
    kept, faces, twin, paired = tidy(np.ascontiguousarray(v), f)
    if not paired or not len(faces):
        return None
    component, count = orient(faces, twin)
    volumes = component_volumes(kept, faces, component, count)
    if volumes.sum() < 0:
        return divided(v, f[:, ::-1].copy())
    edges, surface = _edges(kept, faces, twin)
    if edges is None:
        return None
    corners, hollow, inside = divide(kept, edges, surface, PARTS)
    whole = float(volumes.sum())
    if not len(corners) or abs(inside.sum() - whole) > min(SHARE * whole + LEAST, MOST):
        return None
    hulls = [_hull(points) for points in corners]
    for i in np.flatnonzero(states([h.mesh for h in hulls]) != SOLID).tolist():
        # manifold3d's hull of points that nearly lie in one plane can be hollow.
        hulls[i] = _hull_by_qhull(corners[i])
        if states([hulls[i].mesh])[0] != SOLID:
            return None
    more = np.array([h.volume for h in hulls]) - inside
    slack = 2 * WELD * np.array([h.area for h in hulls])
    if (np.abs(more) > slack)[hollow == 0].any():
        return None
    if more[hollow == 1].sum() > HULLS * whole:
        return None
    if (volumes < 0).any() and more.sum() > -0.1 * volumes[volumes < 0].max():
        return None  # what is hollow may have been filled
    return [Part(h.mesh, bool(only)) for h, only in zip(hulls, hollow.tolist(), strict=True)]


class _Hull(NamedTuple):
    mesh: Mesh
    volume: float  # cubic metres
    area: float  # square metres


def _hull(points: Floats) -> _Hull:
    hull = manifold3d.Manifold.hull_points(points)
    mesh = hull.to_mesh64()
    corners = np.ascontiguousarray(mesh.vert_properties[:, :3], dtype=np.float64)
    faces = np.ascontiguousarray(mesh.tri_verts, dtype=np.int32)
    return _Hull((corners, faces), hull.volume(), hull.surface_area())


def _hull_by_qhull(points: Floats) -> _Hull:
    """The same, dearer; nothing where the points lie in one plane."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(points)
    except QhullError:
        return _Hull((np.zeros((0, 3)), np.zeros((0, 3), np.int32)), 0.0, 0.0)
    a, b, c = (points[hull.simplices[:, k]] for k in range(3))
    inwards = np.einsum("ij,ij->i", np.cross(b - a, c - a), hull.equations[:, :3]) < 0
    faces = np.where(inwards[:, None], hull.simplices[:, ::-1], hull.simplices)
    used, numbers = np.unique(faces, return_inverse=True)
    mesh = points[used], numbers.reshape(-1, 3).astype(np.int32)
    return _Hull(mesh, float(hull.volume), float(hull.area))


def _edges(
    v: Floats, f: npt.NDArray[np.int64], twin: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64] | None, Floats]:
    """Edges between different planes as (plane, from, to), and the planes; None for strange ones."""
    of, surface, _ = planes(v, f, twin, WELD)
    if (of < 0).any():
        return None, surface
    half = np.arange(3 * len(f))
    mine = of[half // 3]
    kept = mine != of[twin // 3]
    start, end = f[half // 3, half % 3], f[half // 3, (half % 3 + 1) % 3]
    return np.ascontiguousarray(np.stack([mine[kept], start[kept], end[kept]], axis=1)), surface


__all__ = ["PARTS", "Part", "divided"]
