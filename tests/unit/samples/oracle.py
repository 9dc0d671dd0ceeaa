"""An independent judge of sample models: IfcOpenShell meshes, manifold3d solids.

Knows nothing of how the samples are planned; it reads the written files only.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.geom
import manifold3d
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Solid:
    global_id: str
    ifc_class: str
    body: Any  # manifold3d.Manifold
    lo: Points
    hi: Points
    centre: Points
    volume: float


@functools.lru_cache(maxsize=64)
def solids(
    path: Path, origin: tuple[float, float, float], *, fast: bool = False
) -> dict[str, Solid]:
    """Physical elements of a file as solids in metres, world coordinates less the origin.

    Meshed by OpenCASCADE, or by the faster of IfcOpenShell's kernels where it can.
    """
    file = ifcopenshell.open(path)
    physical = [e for e in file.by_type("IfcElement") if not e.is_a("IfcFeatureElement")]
    settings = ifcopenshell.geom.settings()
    settings.set("use-world-coords", True)
    # Vertices relative to the origin keep their micrometres far from it.
    settings.set("model-offset", tuple(-v for v in origin))
    found: dict[str, Solid] = {}
    kernel = "hybrid-cgal-simple-opencascade" if fast else "opencascade"
    iterator = ifcopenshell.geom.iterator(
        settings, file, 1, include=physical, geometry_library=kernel
    )
    assert iterator.initialize()
    while True:
        shape = iterator.get()
        vertices = np.asarray(shape.geometry.verts, np.float64).reshape(-1, 3)
        faces = np.asarray(shape.geometry.faces, np.uint32).reshape(-1, 3)
        found[shape.guid] = _solid(shape.guid, shape.type, vertices, faces)
        if not iterator.next():
            break
    assert len(found) == len(physical)
    return found


def _solid(global_id: str, ifc_class: str, vertices: Points, faces: Any) -> Solid:
    welded, inverse = np.unique(np.round(vertices, 7), axis=0, return_inverse=True)
    mesh = manifold3d.Mesh64(
        vert_properties=np.ascontiguousarray(welded),
        tri_verts=np.ascontiguousarray(inverse[faces].astype(np.uint64)),
    )
    body = manifold3d.Manifold(mesh)
    assert body.status() == manifold3d.Error.NoError, (global_id, body.status())
    assert body.volume() > 0, global_id
    lo, hi = welded.min(axis=0), welded.max(axis=0)
    return Solid(global_id, ifc_class, body, lo, hi, (lo + hi) / 2, body.volume())


def overlap(a: Solid, b: Solid, moved: Points | None = None) -> float:
    """Volume that both solids fill, in cubic metres; ``moved`` displaces b first."""
    other = b.body if moved is None else b.body.translate(tuple(moved))
    return float((a.body ^ other).volume())


def gap(a: Solid, b: Solid, reach: float = 1.0) -> float:
    """Smallest distance of the surfaces in metres, at most ``reach``; 0 if they overlap."""
    return float(a.body.min_gap(b.body, reach))


def near_pairs(a: dict[str, Solid], b: dict[str, Solid], reach: float) -> list[tuple[Solid, Solid]]:
    """Pairs whose boxes come nearer to each other than ``reach`` metres."""
    left, right = list(a.values()), list(b.values())
    lo_a, hi_a = np.array([s.lo for s in left]), np.array([s.hi for s in left])
    lo_b, hi_b = np.array([s.lo for s in right]), np.array([s.hi for s in right])
    close = np.ones((len(left), len(right)), bool)
    for axis in range(3):
        close &= lo_a[:, None, axis] - reach < hi_b[None, :, axis]
        close &= lo_b[None, :, axis] - reach < hi_a[:, None, axis]
    return [(left[i], right[j]) for i, j in np.argwhere(close)]


def directions(rotation: float) -> Points:
    """Unit vectors: the six axes of a building turned by ``rotation`` degrees, and 60 spread."""
    turn = np.radians(rotation)
    x, y = (np.cos(turn), np.sin(turn), 0.0), (-np.sin(turn), np.cos(turn), 0.0)
    axes = np.array([x, y, (0.0, 0.0, 1.0)])
    n = np.arange(60) + 0.5  # Fibonacci's sphere
    z, angle = 1 - n / 30, np.pi * (1 + 5**0.5) * n
    ring = np.sqrt(1 - z * z)
    spread = np.column_stack([ring * np.cos(angle), ring * np.sin(angle), z])
    return np.vstack([axes, -axes, spread])


def separates(a: Solid, b: Solid, length: float, rotation: float) -> bool:
    """Whether moving b by ``length`` metres, in some of the directions, ends the overlap."""
    return any(overlap(a, b, length * d) < 1e-9 for d in directions(rotation))
