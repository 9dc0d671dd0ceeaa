"""Triangle meshes of many elements, concatenated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(slots=True)
class MeshSet:
    """n meshes in metres about a local origin; element i owns vertices[vo[i]:vo[i+1]].

    Faces index the element's own vertices from 0. ``closed`` is the audit's word: the element is
    a closed, consistently oriented solid once vertices at the same place are welded.
    """

    vertices: npt.NDArray[np.float64]  # (V, 3)
    faces: npt.NDArray[np.int32]  # (F, 3)
    vertex_offset: npt.NDArray[np.int64]  # (n + 1)
    face_offset: npt.NDArray[np.int64]  # (n + 1)
    closed: npt.NDArray[np.bool_]  # (n)

    def __len__(self) -> int:
        return len(self.vertex_offset) - 1

    def mesh(self, i: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
        """Vertices (v, 3) and faces (f, 3) of one element, as views."""
        return (
            self.vertices[self.vertex_offset[i] : self.vertex_offset[i + 1]],
            self.faces[self.face_offset[i] : self.face_offset[i + 1]],
        )

    def aabb(self) -> npt.NDArray[np.float64]:
        """Bounding boxes (n, 6): least x, y, z, then greatest; inf, -inf for an empty mesh."""
        n = len(self)
        out = np.empty((n, 6))
        out[:, :3], out[:, 3:] = np.inf, -np.inf
        filled = np.flatnonzero(np.diff(self.vertex_offset))
        if len(filled):
            starts = self.vertex_offset[filled]
            out[filled, :3] = np.minimum.reduceat(self.vertices, starts, axis=0)
            out[filled, 3:] = np.maximum.reduceat(self.vertices, starts, axis=0)
        return out

    def take(self, indices: npt.ArrayLike) -> MeshSet:
        """The chosen elements, in the order given."""
        chosen = np.asarray(indices, dtype=np.int64)
        rows_v, vo = _rows(self.vertex_offset, chosen)
        rows_f, fo = _rows(self.face_offset, chosen)
        return MeshSet(self.vertices[rows_v], self.faces[rows_f], vo, fo, self.closed[chosen])

    @classmethod
    def concat(cls, parts: Sequence[MeshSet]) -> MeshSet:
        """All elements of all parts, in order."""
        if not parts:
            return cls.from_meshes([])
        return cls(
            np.concatenate([p.vertices for p in parts]),
            np.concatenate([p.faces for p in parts]),
            _join([p.vertex_offset for p in parts]),
            _join([p.face_offset for p in parts]),
            np.concatenate([p.closed for p in parts]),
        )

    @classmethod
    def from_meshes(
        cls,
        meshes: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]],
        closed: npt.ArrayLike | bool = True,
    ) -> MeshSet:
        """Build from (vertices, faces) of each element; ``closed`` for all or for each."""
        vertices = [np.asarray(v, dtype=np.float64).reshape(-1, 3) for v, _ in meshes]
        faces = [np.asarray(f, dtype=np.int32).reshape(-1, 3) for _, f in meshes]
        return cls(
            np.concatenate([*vertices, np.zeros((0, 3))]),
            np.concatenate([*faces, np.zeros((0, 3), np.int32)]),
            np.cumsum([0, *map(len, vertices)], dtype=np.int64),
            np.cumsum([0, *map(len, faces)], dtype=np.int64),
            np.array(np.broadcast_to(np.asarray(closed, dtype=np.bool_), len(meshes))),
        )


def _rows(
    offset: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of the chosen elements and their new offsets."""
    lengths = offset[chosen + 1] - offset[chosen]
    fresh = np.zeros(len(chosen) + 1, np.int64)
    np.cumsum(lengths, out=fresh[1:])
    rows = np.repeat(offset[chosen] - fresh[:-1], lengths) + np.arange(fresh[-1])
    return rows, fresh


def _join(offsets: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    ends = np.cumsum([0, *[int(o[-1]) for o in offsets]])
    moved = [o[1:] + end for o, end in zip(offsets, ends[:-1], strict=True)]
    return np.concatenate([np.zeros(1, np.int64), *moved])
