"""The audit: which meshes can be relied on, which must be made again, and how an element ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum, IntFlag

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.meshing.orient import orient
from ifcbase.ifc.meshing.topology import Topology, survey
from ifcbase.ifc.meshset import MeshSet

#: A closed mesh thinner than this on average (volume over area, metres) encloses nothing.
THINNEST = 1e-6
#: Triangles surveyed at a time: bounds memory, and what fits the processor cache is quicker.
CHUNK = 50_000


class Finding(IntFlag):
    """What the audit saw in one mesh; the numbers are stored in cache entries."""

    NOTHING = 0
    MISSING = 1
    NOT_FINITE = 2
    OPEN = 4
    INCONSISTENT = 8
    INVERTED = 16
    FOLDED = 32
    FLAT = 64
    DUPLICATE_FACES = 128
    UNSURE = 256  # the mesher itself has doubts
    BOX = 512  # bounding box and representation disagree

    @property
    def sentence(self) -> str:
        """The findings in words, for people."""
        words = [_WORDS[f] for f in Finding if f in self]
        return "; ".join(words) or "nothing wrong"


_WORDS = {
    Finding.MISSING: "no mesh",
    Finding.NOT_FINITE: "coordinates that are no numbers",
    Finding.OPEN: "the surface has holes",
    Finding.INCONSISTENT: "neighbouring faces look to different sides",
    Finding.INVERTED: "faces look inwards",
    Finding.FOLDED: "faces lie folded on each other",
    Finding.FLAT: "the surface encloses nothing",
    Finding.DUPLICATE_FACES: "faces are there twice",
    Finding.UNSURE: "the mesher has doubts",
    Finding.BOX: "its extents are not those of its representation",
}

#: With these a mesh may not be used as it is, whatever it represents.
UNUSABLE = Finding.MISSING | Finding.NOT_FINITE | Finding.UNSURE | Finding.BOX
#: With these a mesh is not what a solid should give.
NOT_SOLID = Finding.OPEN | Finding.INCONSISTENT | Finding.FOLDED | Finding.FLAT


class Outcome(IntEnum):
    """How an element ended; the numbers are stored in cache entries."""

    SOLID = 1  # a closed mesh that looks outwards
    SURFACE = 2  # a usable mesh that encloses nothing or is open
    EMPTY = 3  # its openings consume it
    NO_GEOMETRY = 4  # it has a body, but no mesher makes a mesh of it
    NO_BODY = 5  # no representation that a mesh could be made of

    @property
    def usable(self) -> bool:
        return self in {Outcome.SOLID, Outcome.SURFACE}


@dataclass(slots=True)
class Audit:
    """Findings (Finding bits), area (m2) and volume (m3) per element."""

    findings: npt.NDArray[np.uint16]
    area: npt.NDArray[np.float64]
    volume: npt.NDArray[np.float64]

    def has(self, finding: Finding) -> npt.NDArray[np.bool_]:
        return np.asarray((self.findings & np.uint16(finding)) != 0)

    def take(self, rows: npt.NDArray[np.int64]) -> Audit:
        return Audit(self.findings[rows], self.area[rows], self.volume[rows])

    @classmethod
    def concat(cls, parts: Sequence[Audit]) -> Audit:
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


def audit(meshes: MeshSet) -> Audit:
    """Look at every mesh by itself; knows nothing of what it should represent."""
    finite = _finite(meshes)
    measured = _survey(meshes if finite.all() else _without(meshes, ~finite))
    missing = np.diff(meshes.face_offset) == 0
    is_open = measured.odd_edges > 0
    inconsistent = ~is_open & (measured.unbalanced_edges > 0)
    closed = ~is_open & ~inconsistent & ~missing & finite
    flat = closed & (np.abs(measured.volume) <= THINNEST * measured.area)
    bits = np.zeros(len(meshes), np.uint16)
    for finding, where in (
        (Finding.MISSING, missing),
        (Finding.NOT_FINITE, ~finite),
        (Finding.OPEN, is_open & ~missing),
        (Finding.INCONSISTENT, inconsistent),
        (Finding.INVERTED, closed & ~flat & (measured.inverted_shells > 0)),
        (Finding.FOLDED, measured.folds > 0),
        (Finding.FLAT, flat | (~missing & finite & (measured.faces == 0))),
        (Finding.DUPLICATE_FACES, measured.duplicate_faces > 0),
    ):
        bits[where] |= np.uint16(finding)
    return Audit(bits, measured.area, measured.volume)


def straighten(meshes: MeshSet, found: Audit) -> tuple[MeshSet, Audit]:
    """Turn faces around where that makes a solid; fills in ``closed``.

    INVERTED stays as a note on meshes that were turned; INCONSISTENT goes where it was cured.
    """
    turnable = found.has(Finding.INCONSISTENT | Finding.INVERTED) & ~found.has(
        Finding.MISSING | Finding.NOT_FINITE | Finding.OPEN
    )
    rows = np.flatnonzero(turnable)
    findings, volume = found.findings.copy(), found.volume.copy()
    faces = meshes.faces
    if len(rows):
        faces = faces.copy()
    for i in rows.tolist():
        vertices, own = meshes.mesh(i)
        turned = orient(vertices, own)
        if turned is None:
            continue
        faces[meshes.face_offset[i] : meshes.face_offset[i + 1]] = turned
        findings[i] &= ~np.uint16(Finding.INCONSISTENT)
        findings[i] |= np.uint16(Finding.INVERTED)
    result = MeshSet(
        meshes.vertices, faces, meshes.vertex_offset, meshes.face_offset, meshes.closed
    )
    if len(rows):
        again = survey(result.take(rows))
        volume[rows] = again.volume
        flat = np.abs(again.volume) <= THINNEST * again.area
        findings[rows[flat]] |= np.uint16(Finding.FLAT)
    broken = Finding.MISSING | Finding.NOT_FINITE | Finding.OPEN
    broken |= Finding.INCONSISTENT | Finding.FLAT
    result.closed = (findings & np.uint16(broken)) == 0
    return result, Audit(findings, found.area, volume)


def _finite(meshes: MeshSet) -> npt.NDArray[np.bool_]:
    """Whether all coordinates of each element are numbers."""
    good = np.ones(len(meshes), np.bool_)
    bad = np.flatnonzero(~np.isfinite(meshes.vertices).all(axis=1))
    if len(bad):
        good[np.searchsorted(meshes.vertex_offset, bad, side="right") - 1] = False
    return good


def _without(meshes: MeshSet, rows: npt.NDArray[np.bool_]) -> MeshSet:
    """The meshes with those of some rows moved to the origin, so that sums stay numbers."""
    vertices = meshes.vertices.copy()
    vertices[np.repeat(rows, np.diff(meshes.vertex_offset))] = 0.0
    return MeshSet(vertices, meshes.faces, meshes.vertex_offset, meshes.face_offset, meshes.closed)


def _survey(meshes: MeshSet) -> Topology:
    """The survey in pieces of bounded size."""
    n = len(meshes)
    if len(meshes.faces) <= CHUNK:
        return survey(meshes)
    pieces = []
    start = 0
    while start < n:
        stop = int(
            np.searchsorted(meshes.face_offset, meshes.face_offset[start] + CHUNK, side="right")
        )
        stop = min(max(stop - 1, start + 1), n)
        pieces.append(survey(meshes.take(np.arange(start, stop))))
        start = stop
    return Topology.join(pieces)
