"""Meshing one file: the fast mesher, the audit, and the thorough meshers for what it doubts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ifcbase.errors import ComputeError
from ifcbase.ifc.meshing import audit as auditing
from ifcbase.ifc.meshing import extents
from ifcbase.ifc.meshing.audit import NOT_SOLID, UNUSABLE, Audit, Finding, Outcome
from ifcbase.ifc.meshing.consumed import consumed
from ifcbase.ifc.meshing.fast import FastMesher
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshing.geometry_library import (
    SETTINGS,
    GeometryLibraryMesher,
    hybrid,
    opencascade,
)
from ifcbase.ifc.meshing.mesher import Meshed, Mesher, Source, Wanted, assemble
from ifcbase.ifc.meshing.shapes import ShapeReader
from ifcbase.ifc.meshing.topology import WELD
from ifcbase.ifc.meshset import MeshSet

if TYPE_CHECKING:
    import ifcopenshell

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

#: Raised whenever the same file may give other arrays than before: part of the cache key.
BUILD_VERSION = 1
NOBODY = 255
#: Two meshers mean the same shape within these: share of the area, metres of the box.
SAME_AREA = 5e-3
SAME_BOX = 1e-3

#: Told which mesher starts on how many elements, so that a crash can be blamed.
Watch = Callable[[str, int], None]


def _nobody_watches(mesher: str, elements: int) -> None:
    """The default watch."""


def default_meshers() -> tuple[Mesher, ...]:
    """The meshers in the order in which they are tried."""
    return (FastMesher(), hybrid(), opencascade())


def engine_facts(meshers: Sequence[Mesher]) -> dict[str, Any]:
    """What decides the meshes besides the file; stored with results and part of the cache key."""
    return {
        "build": BUILD_VERSION,
        "meshers": [m.name for m in meshers],
        "versions": [m.version for m in meshers],
        "settings": dict(sorted(SETTINGS.items())),
        "weld": WELD,
    }


def mesh_file(
    path: Path | Source,
    wanted: Wanted,
    *,
    meshers: Sequence[Mesher] | None = None,
    watch: Watch = _nobody_watches,
    model: ifcopenshell.file | None = None,
) -> FileMeshes:
    """Mesh the wanted elements of a file; every one of them comes back with an outcome.

    Raises ComputeError if no mesher can read the file at all. One thread, this process.
    ``model`` is the file already open, if it is; a Source is a path with what is known of it.
    """
    source = path if isinstance(path, Source) else Source(path, model)
    chain = tuple(meshers) if meshers is not None else default_meshers()
    work = _Work(source, wanted)
    rows = np.arange(len(wanted))
    for number, mesher in enumerate(chain):
        if not len(rows):
            break
        watch(mesher.name, len(rows))
        rows = work.attempt(number, mesher, rows, last=number == len(chain) - 1)
    if len(work.broken) == len(chain):
        raise ComputeError(
            f"no mesher can read {source.path.name}",
            detail="; ".join(f"{name}: {why}" for name, why in work.broken.items()),
        )
    watch("empty or failed", len(rows))
    work.name_the_rest(rows, chain)
    return work.result(engine_facts(chain))


@dataclass(slots=True)
class _Work:
    """What is known so far about each wanted element."""

    source: Source
    wanted: Wanted
    pools: list[MeshSet] = field(default_factory=list)
    origins: list[npt.NDArray[np.float64]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    said_consumed: set[int] = field(default_factory=set)
    pool: npt.NDArray[np.int64] = field(init=False)  # which pool a row's best mesh is in, or -1
    place: npt.NDArray[np.int64] = field(init=False)  # and where in it
    findings: npt.NDArray[np.uint16] = field(init=False)
    mesher: npt.NDArray[np.uint8] = field(init=False)
    outcome: npt.NDArray[np.uint8] = field(init=False)  # 0 until settled
    area: npt.NDArray[np.float64] = field(init=False)  # m2 of the best mesh
    shapes: ShapeReader = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.wanted)
        self.pool = np.full(n, -1)
        self.place = np.zeros(n, np.int64)
        self.findings = np.full(n, int(Finding.MISSING), np.uint16)
        self.mesher = np.full(n, NOBODY, np.uint8)
        self.outcome = np.zeros(n, np.uint8)
        self.area = np.zeros(n)
        self.shapes = ShapeReader(self.source)

    def attempt(self, number: int, mesher: Mesher, rows: Rows, *, last: bool) -> Rows:
        """Let a mesher try some rows; gives the rows that the next one must try."""
        wanted = self.wanted.take(rows)
        try:
            meshed = mesher.mesh(self.source, wanted)
        except ComputeError as error:
            self.broken[mesher.name] = error.detail or error.message
            for row in rows.tolist():
                self.reasons[row] = f"{mesher.name}: {error.message}"
            return rows
        self.said_consumed.update(int(rows[i]) for i in meshed.consumed)
        meshes, found = meshed.meshes, auditing.audit(meshed.meshes)
        self._doubt(mesher, meshed, wanted, found)
        if number > 0:
            meshes, found = auditing.straighten(meshes, found)
        agreed = self._agreed(meshes, meshed.origin, found, rows)
        accepted, kept = self._judge(rows, found, agreed, last=last)
        if number == 0:
            # Only what stays: turning faces of what is made again anyway would be for nothing.
            order = np.concatenate([np.flatnonzero(accepted), np.flatnonzero(kept & ~accepted)])
            good = int(accepted.sum())
            first, after = auditing.straighten(meshes.take(order[:good]), found.take(order[:good]))
            meshes = MeshSet.concat([first, meshes.take(order[good:])])
            found = Audit.concat([after, found.take(order[good:])])
        else:
            order = np.flatnonzero(kept)
            meshes, found = meshes.take(order), found.take(order)
        self._keep(number, meshes, meshed.origin, rows[order], found, accepted[order])
        self._explain(mesher, meshed, rows, accepted)
        return np.asarray(rows[self.outcome[rows] == 0])

    def _doubt(self, mesher: Mesher, meshed: Meshed, wanted: Wanted, found: Audit) -> None:
        """Add the mesher's own doubts, and those of comparing some boxes with the file.

        A mesher that is wrong about the extents of several elements is trusted with none.
        """
        for i in meshed.unsure:
            found.findings[i] |= np.uint16(Finding.UNSURE)
        wrong = extents.disagreements(self.source, wanted, meshed, found.findings == 0)
        for i, why in wrong.items():
            found.findings[i] |= np.uint16(Finding.BOX)
            meshed.unsure[i] = f"{mesher.name}: {why}"
        if len(wrong) > 1:
            found.findings |= np.uint16(Finding.BOX)

    def _agreed(
        self, meshes: MeshSet, origin: npt.NDArray[np.float64], found: Audit, rows: Rows
    ) -> Mask:
        """Rows whose second-best mesh has the same faults, box and area: the file is to blame."""
        agreed = np.zeros(len(rows), np.bool_)
        boxes = meshes.aabb()
        for i in np.flatnonzero(self.pool[rows] >= 0).tolist():
            row = int(rows[i])
            before = self.pools[self.pool[row]].take([self.place[row]])
            shift = np.tile(self.origins[self.pool[row]] - origin, 2)
            agreed[i] = (
                (self.findings[row] ^ found.findings[i]) & np.uint16(NOT_SOLID) == 0
                and abs(self.area[row] - found.area[i]) <= SAME_AREA * found.area[i]
                and float(np.abs(before.aabb()[0] + shift - boxes[i]).max()) <= SAME_BOX
            )
        return agreed

    def _judge(self, rows: Rows, found: Audit, agreed: Mask, *, last: bool) -> tuple[Mask, Mask]:
        """Which rows are settled by this mesher, and which meshes are worth keeping at all.

        The file is asked only about rows in doubt. A faulty mesh is taken from the last mesher,
        or once two meshers agree: what is bad in the same way everywhere is bad in the file.
        """
        unusable = found.has(UNUSABLE)
        accepted, nobody = ~unusable, np.zeros(len(rows), np.bool_)
        for i in np.flatnonzero(unusable | found.has(NOT_SOLID)).tolist():
            row = int(rows[i])
            shape = self.shapes.read(int(self.wanted.step_ids[row]))
            if not shape.body:  # also where a mesher made something of mere curves
                accepted[i] = False
                nobody[i] = True
                self.outcome[row] = Outcome.NO_BODY
                self.reasons[row] = "none of its representations is a body"
            elif not unusable[i]:
                accepted[i] = last or bool(agreed[i]) or not shape.solid
        return accepted, ~unusable & ~nobody

    def _keep(
        self,
        number: int,
        meshes: MeshSet,
        origin: npt.NDArray[np.float64],
        rows: Rows,
        found: Audit,
        accepted: Mask,
    ) -> None:
        self.pools.append(meshes)
        self.origins.append(origin)
        self.pool[rows] = len(self.pools) - 1
        self.place[rows] = np.arange(len(rows))
        self.mesher[rows] = number
        self.findings[rows] = found.findings
        self.area[rows] = found.area
        words = np.where(meshes.closed, Outcome.SOLID, Outcome.SURFACE)
        self.outcome[rows[accepted]] = words[accepted]

    def _explain(self, mesher: Mesher, meshed: Meshed, rows: Rows, accepted: Mask) -> None:
        for i, row in enumerate(rows.tolist()):
            if accepted[i]:
                self.reasons.pop(row, None)
            elif self.outcome[row] == 0:
                why = meshed.unsure.get(i) or meshed.failures.get(i)
                self.reasons[row] = why or f"{mesher.name}: not the solid it should be"

    def name_the_rest(self, rows: Rows, chain: Sequence[Mesher]) -> None:
        """Settle what no mesher did: a second-best mesh, empty after openings, or no geometry."""
        spare = rows[self.pool[rows] >= 0]
        for row in spare.tolist():
            mesh_closed = self.pools[self.pool[row]].closed[self.place[row]]
            self.outcome[row] = Outcome.SOLID if mesh_closed else Outcome.SURFACE
        lost = rows[self.pool[rows] < 0]
        self.outcome[lost] = Outcome.NO_GEOMETRY
        for row in self._consumed(lost, chain):
            self.outcome[row] = Outcome.EMPTY
            self.pool[row], self.mesher[row] = -1, NOBODY
            self.findings[row] = int(Finding.MISSING)
            self.reasons[row] = "its openings leave nothing of it"

    def _consumed(self, lost: Rows, chain: Sequence[Mesher]) -> list[int]:
        """Rows that openings consume, of those where something hints at it.

        The hints: no mesher makes a mesh, it encloses nothing, or one mesher says so.
        """
        flat = np.flatnonzero(self.outcome == Outcome.SURFACE)
        flat = flat[(self.findings[flat] & np.uint16(Finding.FLAT)) != 0]
        hinted = {*lost.tolist(), *flat.tolist(), *self.said_consumed}
        rows = [r for r in sorted(hinted) if int(self.wanted.step_ids[r]) in self.source.openings]
        kernels = [m for m in chain if isinstance(m, GeometryLibraryMesher)]
        if not rows or not kernels:
            return []
        return [rows[i] for i in consumed(self.source, self.wanted.take(rows), kernels[0])]

    def result(self, engine: dict[str, Any]) -> FileMeshes:
        """Everything about one origin, in the order of the wanted elements."""
        base = self.origins[0] if self.origins else np.zeros(3)
        pools = [
            replace(m, vertices=m.vertices + (o - base))
            for m, o in zip(self.pools, self.origins, strict=True)
        ]
        starts = np.cumsum([0, *(len(p) for p in pools)])
        everything = MeshSet.concat([*pools, assemble([None])])
        index = np.where(self.pool < 0, starts[-1], starts[self.pool] + self.place)
        meshes = everything.take(index)
        origin = _middle(meshes, base)
        meshes.vertices += base - origin
        return FileMeshes(
            meshes=meshes,
            origin=origin,
            step_ids=self.wanted.step_ids,
            outcome=self.outcome,
            findings=self.findings,
            mesher=self.mesher,
            reasons=dict(sorted(self.reasons.items())),
            engine=engine,
        )


def _middle(meshes: MeshSet, base: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The median of the elements' centres in whole metres of the world."""
    boxes = meshes.aabb()[np.diff(meshes.vertex_offset) > 0]
    if not len(boxes):
        return np.zeros(3)
    return np.asarray(np.rint(np.median((boxes[:, :3] + boxes[:, 3:]) / 2, axis=0) + base) + 0.0)
