"""Whether the openings of an element leave anything of it, decided on the solids themselves.

Geometry libraries are of no help here: an opening larger than its host on all sides is left out
by IfcOpenShell ("operand outside of outer bound"), and an empty result looks like a failed one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.meshing.audit import THINNEST, UNUSABLE, Finding, audit, straighten
from ifcbase.ifc.meshing.geometry_library import GeometryLibraryMesher
from ifcbase.ifc.meshing.mesher import Meshed, Source, Wanted
from ifcbase.ifc.meshing.topology import weld


def consumed(source: Source, wanted: Wanted, kernel: GeometryLibraryMesher) -> list[int]:
    """Rows of hosts that have a body without their openings and none with them."""
    from manifold3d import Manifold, OpType

    plain = kernel.without_openings()
    openings = [source.openings.get(int(step), ()) for step in wanted.step_ids]
    ids = sorted({step for group in openings for step in group})
    uncut = plain.mesh(source, wanted)
    hosts = _solids(uncut, uncut.origin)
    tools = _solids(plain.mesh(source, _wanted(source, ids)), uncut.origin)
    cutters = dict(zip(ids, tools, strict=True))
    gone = []
    for row, (host, group) in enumerate(zip(hosts, openings, strict=True)):
        mine = [cutters[step] for step in group if cutters[step] is not None]
        if host is None or not mine:
            continue
        rest = Manifold.batch_boolean([host, *mine], OpType.Subtract)
        if rest.is_empty() or rest.volume() <= THINNEST * max(rest.surface_area(), 1e-9):
            gone.append(row)
    return gone


def _wanted(source: Source, step_ids: list[int]) -> Wanted:
    products = [source.model.by_id(step) for step in step_ids]
    return Wanted(
        np.array(step_ids, np.int64),
        tuple(p.GlobalId or "" for p in products),
        tuple(p.is_a() for p in products),
    )


def _solids(meshed: Meshed, anchor: npt.NDArray[np.float64]) -> list[Any]:
    """A manifold about the anchor (world metres), or None, for each element."""
    meshes, found = straighten(meshed.meshes, audit(meshed.meshes))
    bad = found.has(UNUSABLE | Finding.FLAT) | ~meshes.closed
    meshed.meshes = meshes
    shift = meshed.origin - anchor
    return [None if bad[i] else _manifold(meshed, i, shift) for i in range(len(meshes))]


def _manifold(meshed: Meshed, row: int, shift: npt.NDArray[np.float64]) -> Any:
    from manifold3d import Error, Manifold, Mesh64

    vertices, faces = meshed.meshes.mesh(row)
    first, compact = np.unique(weld(vertices, np.array([0, len(vertices)])), return_inverse=True)
    corners = compact.reshape(-1)[faces]
    whole = (
        (corners[:, 0] != corners[:, 1])
        & (corners[:, 1] != corners[:, 2])
        & (corners[:, 2] != corners[:, 0])
    )
    solid = Manifold(
        Mesh64(
            vert_properties=np.ascontiguousarray(vertices[first] + shift),
            tri_verts=np.ascontiguousarray(corners[whole], np.uint64),
        )
    )
    return solid if solid.status() == Error.NoError else None
