"""Hand-made meshes with known area and volume."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ifcbase.ifc.meshset import MeshSet

Mesh = tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]

_BOX_FACES = np.array(
    [
        [0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7], [0, 1, 5], [0, 5, 4],
        [1, 2, 6], [1, 6, 5], [2, 3, 7], [2, 7, 6], [3, 0, 4], [3, 4, 7],
    ],
    np.int32,
)  # fmt: skip


def box(
    size: tuple[float, float, float] = (1.0, 1.0, 1.0),
    at: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Mesh:
    """A box whose least corner is ``at``; 12 triangles looking outwards."""
    corners = np.array(
        [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]],
        np.float64,
    )
    return corners * size + at, _BOX_FACES.copy()


def inverted(mesh: Mesh) -> Mesh:
    return mesh[0], np.ascontiguousarray(mesh[1][:, ::-1])


def joined(*parts: Mesh) -> Mesh:
    """Several meshes as one element."""
    shift = np.cumsum([0, *(len(v) for v, _ in parts)])
    return (
        np.concatenate([v for v, _ in parts]),
        np.concatenate([f + np.int32(s) for (_, f), s in zip(parts, shift, strict=False)]),
    )


def exploded(mesh: Mesh) -> Mesh:
    """Every triangle with vertices of its own, as meshers often give them."""
    vertices, faces = mesh
    return vertices[faces].reshape(-1, 3), np.arange(3 * len(faces), dtype=np.int32).reshape(-1, 3)


def without(mesh: Mesh, face: int) -> Mesh:
    return mesh[0], np.delete(mesh[1], face, axis=0)


def folded_box() -> Mesh:
    """A unit box whose top is triangulated with a fold: closed, volume 1, area too large.

    The top (z = 1) is a fan around a point outside the square, so that two of its triangles lie
    on each other.
    """
    vertices, faces = box()
    apex = np.array([[0.5, -0.5, 1.0]])
    fan = np.array([[4, 5, 8], [5, 6, 8], [6, 7, 8], [7, 4, 8]], np.int32)
    sides = np.delete(faces, [2, 3], axis=0)
    return np.concatenate([vertices, apex]), np.concatenate([sides, fan])


def sheet() -> Mesh:
    """A square with a front and a back: every edge is matched, nothing is enclosed."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
    front = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return vertices, np.concatenate([front, front[:, ::-1]])


def moebius(steps: int = 12) -> Mesh:
    """A band with one side and one border."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    rows = []
    for side in (-0.2, 0.2):
        radius = 1 + side * np.cos(angle / 2)
        rows.append(
            np.column_stack(
                [radius * np.cos(angle), radius * np.sin(angle), side * np.sin(angle / 2)]
            )
        )
    faces = []
    for i in range(steps):
        j = (i + 1) % steps
        a, b = (i, i + steps)
        c, d = (j, j + steps) if j else (j + steps, j)
        faces += [[a, c, b], [b, c, d]]
    return np.concatenate(rows), np.array(faces, np.int32)


def moved(mesh: Mesh, seed: int, reach: float = 100.0) -> Mesh:
    """The mesh turned and shifted, repeatably for a seed."""
    rng = np.random.default_rng(seed)
    turn = Rotation.random(random_state=rng).as_matrix()
    return mesh[0] @ turn.T + rng.uniform(-reach, reach, 3), mesh[1]


def meshes(*elements: Mesh) -> MeshSet:
    return MeshSet.from_meshes(list(elements), closed=False)
