"""Meshes for the tests, and the ways in which they are turned and moved."""

from __future__ import annotations

from collections.abc import Sequence

import manifold3d
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mesh = tuple[Floats, npt.NDArray[np.int32]]
Points = Sequence[tuple[float, float]]


def of(solid: manifold3d.Manifold) -> Mesh:
    """A manifold's triangles."""
    mesh = solid.to_mesh64()
    return np.array(mesh.vert_properties[:, :3]), np.array(mesh.tri_verts, dtype=np.int32)


def box(lo: Sequence[float], hi: Sequence[float]) -> Mesh:
    size = np.subtract(hi, lo)
    return of(manifold3d.Manifold.cube(tuple(size)).translate(tuple(map(float, lo))))


def prism(outline: Points, height: float, holes: Sequence[Points] = ()) -> Mesh:
    """An outline (counter-clockwise) with holes, extruded along z from 0."""
    rings = [list(outline), *[list(reversed(list(h))) for h in holes]]
    section = manifold3d.CrossSection([np.array(r) for r in rings])
    return of(section.extrude(height))


def circle(radius: float, n: int = 24, at: tuple[float, float] = (0.0, 0.0)) -> Points:
    angle = 2 * np.pi * np.arange(n) / n
    return [(at[0] + radius * np.cos(t), at[1] + radius * np.sin(t)) for t in angle.tolist()]


def square(x0: float, y0: float, x1: float, y1: float) -> Points:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


L = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.1), (0.1, 0.1), (0.1, 1.0), (0.0, 1.0)]
U = [
    (0.0, 0.0),
    (1.0, 0.0),
    (1.0, 1.0),
    (0.8, 1.0),
    (0.8, 0.2),
    (0.2, 0.2),
    (0.2, 1.0),
    (0.0, 1.0),
]


def move(mesh: Mesh, x: float, y: float, z: float) -> Mesh:
    return mesh[0] + np.array([x, y, z]), mesh[1]


def turn(mesh: Mesh, axis: Sequence[float], degrees: float) -> Mesh:
    return mesh[0] @ rotation(axis, degrees).T, mesh[1]


def join(*meshes: Mesh) -> Mesh:
    """Several bodies as one element."""
    start = np.cumsum([0, *[len(v) for v, _ in meshes]])
    return (
        np.concatenate([v for v, _ in meshes]),
        np.concatenate([f + s for (_, f), s in zip(meshes, start, strict=False)]).astype(np.int32),
    )


def inverted(mesh: Mesh) -> Mesh:
    return mesh[0], np.ascontiguousarray(mesh[1][:, ::-1])


def without_top(mesh: Mesh) -> Mesh:
    """The mesh without its faces at the greatest z."""
    v, f = mesh
    high = (v[f][:, :, 2] > v[:, 2].max() - 1e-9).all(axis=1)
    return v, f[~high]


def rotation(axis: Sequence[float], degrees: float) -> Floats:
    a = np.asarray(axis, float)
    x, y, z = a / np.linalg.norm(a)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    t = np.radians(degrees)
    return np.asarray(np.eye(3) + np.sin(t) * k + (1 - np.cos(t)) * (k @ k))


def far_and_back(mesh: Mesh) -> Mesh:
    """What world coordinates of a georeferenced model keep of a mesh, about a local origin."""
    far = np.array([500_000.0, 6_600_000.0, 100.0])
    return (mesh[0] + far) - far, mesh[1]


def in_millimetres_and_back(mesh: Mesh) -> Mesh:
    return (mesh[0] * 1000.0) * 0.001, mesh[1]


POSES = {
    "as is": lambda m: m,
    "millimetres": in_millimetres_and_back,
    "33 about z": lambda m: turn(m, (0, 0, 1), 33),
    "skew": lambda m: move(turn(m, (1, 2, 3), 41), 3.1, -7.7, 2.3),
    "far": far_and_back,
    "far and turned": lambda m: far_and_back(turn(m, (0, 0, 1), 33)),
}
