"""FileMeshes for tests that need no IFC file."""

from __future__ import annotations

import numpy as np

from ifcbase.ifc.meshing.audit import Finding, Outcome
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshset import MeshSet
from tests.unit.meshing.solids import Mesh, box, without

ENGINE = {"build": 1, "meshers": ["fast", "hybrid", "opencascade"], "versions": ["1", "2", "2"]}
NOTHING: Mesh = (np.zeros((0, 3)), np.zeros((0, 3), np.int32))


def file_meshes(seed: int = 0) -> FileMeshes:
    """A solid, an open surface, a consumed element, one without geometry, another solid."""
    rng = np.random.default_rng(seed)
    size = tuple(rng.uniform(0.1, 5, 3))
    closed = [True, False, False, False, True]
    return FileMeshes(
        meshes=MeshSet.from_meshes(
            [box(size), without(box(), 2), NOTHING, NOTHING, box(at=(3, 0, 0))], closed
        ),
        origin=np.array([500_000.0, 6_600_000.0, float(seed)]),
        step_ids=np.array([11, 12, 40, 41, 99], np.int64),
        outcome=np.array(
            [
                Outcome.SOLID,
                Outcome.SURFACE,
                Outcome.EMPTY,
                Outcome.NO_GEOMETRY,
                Outcome.SOLID,
            ],
            np.uint8,
        ),
        findings=np.array([0, Finding.OPEN, Finding.MISSING, Finding.MISSING, 0], np.uint16),
        mesher=np.array([0, 2, 255, 255, 1], np.uint8),
        reasons={2: "its openings leave nothing of it", 3: "opencascade: Größe fehlt"},
        engine=dict(ENGINE),
    )


def same(a: FileMeshes, b: FileMeshes) -> bool:
    """Equal to the byte."""
    columns = ("origin", "step_ids", "outcome", "findings", "mesher")
    arrays = ("vertices", "faces", "vertex_offset", "face_offset", "closed")
    return (
        a.reasons == b.reasons
        and a.engine == b.engine
        and all(getattr(a, c).tobytes() == getattr(b, c).tobytes() for c in columns)
        and all(getattr(a.meshes, c).tobytes() == getattr(b.meshes, c).tobytes() for c in arrays)
    )
