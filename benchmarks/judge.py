"""The judge: what two federations really share, by solid booleans, independent of the engine.

Meshes come from IfcOpenShell (OpenCASCADE kernel), the overlap of every pair whose boxes meet from
manifold3d, its thickness from the overlap itself, the separation depth from Minkowski sums. What
the judge cannot decide it lists. Run ``python -m benchmarks.judge`` from the repository's root.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import ifcopenshell
import ifcopenshell.geom
import manifold3d
import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError, cKDTree

from ifcbase.clash.narrow import PairContacts, detect_pairs
from ifcbase.ifc.meshset import MeshSet

Floats = npt.NDArray[np.float64]

#: Overlaps thinner than this are contact noise; the promise is about thicker ones.
THICK = 1e-3
#: Products of triangle counts above which a Minkowski sum of two non-convex solids is not tried.
MINKOWSKI_LIMIT = 20_000

FEDERATIONS = {
    "pcert": (["pcert/*Architecture.ifc"], ["pcert/*Structural.ifc"]),
    "duplex": (["duplex/*Architecture.ifc"], ["duplex/*Electrical.ifc"]),
    "schependomlaan": (["schependomlaan/architect/*.ifc"], ["schependomlaan/subcontractors/*.ifc"]),
}


@dataclass(slots=True)
class Side:
    meshes: MeshSet
    ids: list[str]
    classes: list[str]


@dataclass(slots=True)
class Judged:
    """One pair: thickness of the thickest overlap (0: none), depth if it could be computed."""

    a: int
    b: int
    thickness: float
    volume: float
    depth: float | None = None
    reason: str | None = None  # why it could not be decided


@dataclass(slots=True)
class Verdict:
    """The engine against the judge."""

    pairs: int = 0
    undecided: list[tuple[int, int, str]] = field(default_factory=list)
    thick: int = 0
    missed: list[tuple[int, int, float]] = field(default_factory=list)
    invented: list[tuple[int, int, float]] = field(default_factory=list)
    touching_reported: list[tuple[int, int, float]] = field(default_factory=list)
    depths: int = 0
    depths_right: int = 0
    wrong_depths: list[tuple[int, int, float, float]] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return 1.0 - len(self.missed) / self.thick if self.thick else 1.0

    @property
    def depth_share(self) -> float:
        return self.depths_right / self.depths if self.depths else 1.0


# --- meshes --------------------------------------------------------------------------------------


def mesh_files(files: Iterable[Path]) -> Side:
    """World coordinate meshes in metres of every element with a body, by OpenCASCADE."""
    meshes, ids, classes = [], [], []
    for path in files:
        model = ifcopenshell.open(str(path))
        settings = ifcopenshell.geom.settings()
        settings.set("use-world-coords", True)
        settings.set("weld-vertices", True)
        elements = [
            e
            for e in model.by_type("IfcElement")
            if not e.is_a("IfcFeatureElement") and e.Representation
        ]
        if not elements:
            continue
        iterator = ifcopenshell.geom.iterator(settings, model, 1, include=elements)
        if not iterator.initialize():
            continue
        while True:
            shape = iterator.get()
            faces = np.array(shape.geometry.faces, np.int32).reshape(-1, 3)
            if len(faces):
                meshes.append((np.array(shape.geometry.verts, float).reshape(-1, 3), faces))
                ids.append(shape.guid)
                classes.append(model.by_guid(shape.guid).is_a())
            if not iterator.next():
                break
    return Side(MeshSet.from_meshes(meshes), ids, classes)


def localise(*sides: Side) -> None:
    """Move both sides to a common origin near the model."""
    origin = np.concatenate([s.meshes.vertices for s in sides]).mean(axis=0)
    for side in sides:
        side.meshes.vertices -= origin


# --- truth ---------------------------------------------------------------------------------------


def _weld(v: Floats, f: npt.NDArray[np.int32]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Vertices within 10 micrometres made one, faces that collapse dropped."""
    tree = cKDTree(v)
    first = np.arange(len(v))
    for i, j in sorted(tree.query_pairs(1e-5)):
        first[j] = min(first[j], first[i])
    kept, index = np.unique(first, return_inverse=True)
    faces = index[f]
    good = (
        (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])
    )
    return v[kept], faces[good].astype(np.int64)


def solid_of(v: Floats, f: npt.NDArray[np.int32], origin: Floats) -> manifold3d.Manifold | None:
    """The union of the element's bodies, or None if its mesh bounds nothing."""
    vertices, faces = _weld(v - origin, f)
    for order in ([0, 1, 2], [0, 2, 1]):
        mesh = manifold3d.Mesh64(
            np.ascontiguousarray(vertices), np.ascontiguousarray(faces[:, order], np.uint64)
        )
        solid = manifold3d.Manifold(mesh)
        if solid.status() != manifold3d.Error.NoError:
            return None
        if solid.volume() > 0:
            # A body turned inside out or folded flat is beyond this judge.
            return solid if all(b.volume() > 1e-9 for b in solid.decompose()) else None
    return None


def _vertices(solid: manifold3d.Manifold) -> Floats:
    return np.asarray(solid.to_mesh64().vert_properties[:, :3], dtype=np.float64)


def _normals(solid: manifold3d.Manifold) -> Floats:
    mesh = solid.to_mesh64()
    v, t = mesh.vert_properties[:, :3], mesh.tri_verts.astype(np.int64)
    n = np.cross(v[t[:, 1]] - v[t[:, 0]], v[t[:, 2]] - v[t[:, 0]])
    area = np.linalg.norm(n, axis=1)
    n = n[area > 1e-12] / area[area > 1e-12, None]
    return np.unique(np.round(n, 9), axis=0)


def thickness_of(overlap: manifold3d.Manifold) -> float:
    """Smallest width along its face normals of the thickest connected part."""
    best = 0.0
    for part in overlap.decompose():
        n = _normals(part)
        if len(n):
            reach = _vertices(part) @ n.T
            width = float((reach.max(axis=0) - reach.min(axis=0)).min())
            # The normals of a sliver are noise. Steinhagen bounds the width of a convex body by
            # 2 sqrt(3) times its inradius, which is at most 3 volumes per surface.
            best = max(best, min(width, 10.4 * part.volume() / part.surface_area()))
    return best


def _is_convex(solid: manifold3d.Manifold) -> bool:
    hull = solid.hull().volume()
    return hull - solid.volume() < 1e-5 * hull


def separation_depth(a: manifold3d.Manifold, b: manifold3d.Manifold) -> float | None:
    """Smallest translation that ends the overlap: from the origin to the boundary of B + (-A)."""
    va, vb = _vertices(a), _vertices(b)
    if _is_convex(a) and _is_convex(b):
        cloud = (vb[:, None, :] - va[None, :, :]).reshape(-1, 3)
        try:
            return float(-ConvexHull(cloud).equations[:, 3].max())
        except QhullError:
            return None
    if a.num_tri() * b.num_tri() > MINKOWSKI_LIMIT:
        return None
    mirrored = a.scale((-1.0, -1.0, -1.0))
    body = b.minkowski_sum(mirrored)
    if body.status() != manifold3d.Error.NoError or body.is_empty():
        return None
    mesh = body.to_mesh64()
    return _from_origin(mesh.vert_properties[:, :3], mesh.tri_verts.astype(np.int64))


def _from_origin(v: Floats, t: npt.NDArray[np.int64]) -> float:
    """Distance of the origin to a triangle mesh."""
    import trimesh

    mesh = trimesh.Trimesh(v, t, process=False)
    _, distance, _ = trimesh.proximity.closest_point_naive(mesh, np.zeros((1, 3)))
    return float(distance[0])


def judge(a: MeshSet, b: MeshSet, *, depths: bool = True) -> list[Judged]:
    """Every pair whose boxes meet."""
    boxes_a, boxes_b = a.aabb(), b.aabb()
    out = []
    cache: dict[tuple[str, int], manifold3d.Manifold | None] = {}
    for i in range(len(a)):
        meet = (boxes_a[i, :3] <= boxes_b[:, 3:]).all(1) & (boxes_a[i, 3:] >= boxes_b[:, :3]).all(1)
        origin = np.zeros(3)
        for j in np.flatnonzero(meet).tolist():
            for name, meshes, k in (("a", a, i), ("b", b, j)):
                if (name, k) not in cache:
                    cache[name, k] = solid_of(*meshes.mesh(k), origin)
            solid_a, solid_b = cache["a", i], cache["b", j]
            if solid_a is None or solid_b is None:
                out.append(Judged(i, j, 0.0, 0.0, reason="an element is no closed manifold"))
                continue
            overlap = solid_a ^ solid_b
            if overlap.is_empty():
                out.append(Judged(i, j, 0.0, 0.0))
                continue
            thick = thickness_of(overlap)
            depth = separation_depth(solid_a, solid_b) if depths and thick > 1e-4 else None
            out.append(Judged(i, j, thick, float(overlap.volume()), depth))
    return out


# --- verdict -------------------------------------------------------------------------------------


def compare(truth: list[Judged], contacts: PairContacts) -> Verdict:
    """Recall, inventions and depths of a collision run against the judge."""
    found = {
        (int(a), int(b)): (float(d), int(k))
        for a, b, d, k in zip(contacts.a, contacts.b, contacts.distance, contacts.kind, strict=True)
    }
    result = Verdict(pairs=len(truth))
    for pair in truth:
        depth, _kind = found.get((pair.a, pair.b), (None, 0))
        if pair.reason:
            result.undecided.append((pair.a, pair.b, pair.reason))
            continue
        if pair.thickness > THICK:
            result.thick += 1
            if depth is None:
                result.missed.append((pair.a, pair.b, pair.thickness))
            elif pair.depth is not None:
                result.depths += 1
                if abs(depth - pair.depth) <= max(1e-3, 0.05 * pair.depth):
                    result.depths_right += 1
                else:
                    result.wrong_depths.append((pair.a, pair.b, depth, pair.depth))
        elif (
            depth is not None and depth > THICK and max(pair.depth or 0.0, pair.thickness) <= THICK
        ):
            result.invented.append((pair.a, pair.b, depth))
        elif depth is not None and pair.thickness <= 0.0:
            result.touching_reported.append((pair.a, pair.b, depth))
    return result


def load(root: Path, name: str) -> tuple[Side, Side]:
    """The two sides of a federation, about one local origin."""
    sides = [
        mesh_files(sorted(p for pattern in patterns for p in root.glob(pattern)))
        for patterns in FEDERATIONS[name]
    ]
    localise(*sides)
    return sides[0], sides[1]


def report(name: str, a: Side, b: Side, truth: list[Judged], verdict: Verdict) -> dict[str, object]:
    """The numbers as a document; pairs are named by GlobalId and class."""

    def named(i: int, j: int) -> str:
        return f"{a.classes[i]} {a.ids[i]} x {b.classes[j]} {b.ids[j]}"

    return {
        "federation": name,
        "pairs": verdict.pairs,
        "overlaps above 1 mm": verdict.thick,
        "recall": verdict.recall,
        "missed": [f"{named(i, j)}: {t:.5f}" for i, j, t in verdict.missed],
        "invented above 1 mm": [f"{named(i, j)}: {d:.5f}" for i, j, d in verdict.invented],
        "reported without overlap": len(verdict.touching_reported),
        "depths judged": verdict.depths,
        "depths right": verdict.depth_share,
        "wrong depths by class": dict(
            Counter(f"{a.classes[i]} x {b.classes[j]}" for i, j, _, _ in verdict.wrong_depths)
        ),
        "undecided": len(verdict.undecided),
        "undecided by class": dict(
            Counter(f"{a.classes[i]} x {b.classes[j]}" for i, j, _ in verdict.undecided)
        ),
        "judged with depth": sum(1 for p in truth if p.depth is not None),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("federations", nargs="*", default=list(FEDERATIONS))
    default = os.environ.get("IFCBASE_MODELS", "../shared/models")
    parser.add_argument("--models", type=Path, default=Path(default))
    parser.add_argument("--no-depths", action="store_true")
    options = parser.parse_args()
    for name in options.federations:
        begin = time.perf_counter()
        a, b = load(options.models, name)
        meshed = time.perf_counter()
        contacts = detect_pairs(a.meshes, b.meshes, mode="collision")
        detected = time.perf_counter()
        truth = judge(a.meshes, b.meshes, depths=not options.no_depths)
        judged = time.perf_counter()
        document = report(name, a, b, truth, compare(truth, contacts))
        document["seconds"] = {
            "mesh": round(meshed - begin, 2),
            "detect": round(detected - meshed, 3),
            "judge": round(judged - detected, 2),
        }
        document["touching"] = contacts.touching
        json.dump(document, sys.stdout, indent=1)
        print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
