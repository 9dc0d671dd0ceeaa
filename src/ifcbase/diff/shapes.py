"""Whether the shapes of elements in both files are the same, only moved, or others."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.diff.content import Content
from ifcbase.diff.surfaces import Surface, apart
from ifcbase.errors import IfcbaseError
from ifcbase.ifc.mesh_cache import MeshCache
from ifcbase.ifc.meshing.audit import Outcome
from ifcbase.ifc.meshing.filemeshes import FileMeshes
from ifcbase.ifc.meshing.here import mesh_here
from ifcbase.ifc.meshing.mesher import Wanted
from ifcbase.ifc.meshing.pool import FileToMesh, Meshing, mesh_files
from ifcbase.ifc.meshset import MeshSet
from ifcbase.ifc.signatures import measure
from ifcbase.progress import Progress

Floats = npt.NDArray[np.float64]

#: Two meshers cut round things into triangles differently, by up to this (metres).
MESHERS_APART = 2e-3
#: Turns are told by what they move at this distance from the origin of the placement (metres).
TURN_REACH = 10.0
#: The mesher whose coordinates are single precision.
SINGLE = "fast"


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one shape: ``moved`` in metres if the same shape stands elsewhere.

    ``reason`` says why it could not be judged. ``apart`` is a lower bound in metres of how far a
    changed surface is from what it was.
    """

    reshaped: bool = False
    moved: Floats | None = None
    apart: float = 0.0
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    reason: str | None = None


def judge_shapes(
    old: Content,
    new: Content,
    pairs: Sequence[tuple[int, int]],
    tolerance: float,
    *,
    cache: MeshCache | None,
    stage: Path | None,
    isolated: bool,
    progress: Progress,
) -> list[Judged]:
    """Compare the shapes of pairs of inventory indexes; both files are meshed once, if at all.

    ``isolated``: in processes of their own, which outlive the crash of a mesher.
    """
    if not pairs:
        return []
    wanted = [sorted({pair[side] for pair in pairs}) for side in (0, 1)]
    with tempfile.TemporaryDirectory(prefix="ifcbase-diff-") as scratch:
        folder = stage or Path(scratch)
        files = [
            FileToMesh(
                content.facts.path,
                content.facts.sha256,
                Wanted.of(content.inventory.elements[i] for i in chosen),
            )
            for content, chosen in zip((old, new), wanted, strict=True)
        ]
        if isolated:
            meshed = mesh_files(files, stage=folder, cache=cache, progress=progress)
        else:
            meshed = [
                _meshed_here(content, file, folder, cache, progress)
                for content, file in zip((old, new), files, strict=True)
            ]
        sides = [
            _Side(content, chosen, each)
            for content, chosen, each in zip((old, new), wanted, meshed, strict=True)
        ]
        found = []
        for number, (i, j) in enumerate(pairs):
            if number % 100 == 0:
                progress("comparing shapes", number / len(pairs))
            found.append(_judge(sides[0], i, sides[1], j, tolerance))
        return found


def _meshed_here(
    content: Content, file: FileToMesh, folder: Path, cache: MeshCache | None, progress: Progress
) -> Meshing:
    assert file.wanted is not None  # noqa: S101  the elements of the pairs
    try:
        meshes = mesh_here(
            content.facts, content.file, file.wanted, folder=folder, cache=cache, progress=progress
        )
    except IfcbaseError as error:
        return Meshing(error=error)  # each of its elements is reported with it
    return Meshing(meshes)


def far(one: Floats, other: Floats, tolerance: float) -> bool:
    """Whether two placements differ by more than the tolerance, in place or by turning."""
    shift = float(np.linalg.norm(one[:3, 3] - other[:3, 3]))
    turn = float(np.abs(one[:3, :3] - other[:3, :3]).max())
    return shift > tolerance or turn * TURN_REACH > tolerance


class _Side:
    """The meshes of one file by inventory index."""

    def __init__(self, content: Content, chosen: list[int], meshing: Meshing) -> None:
        self.content = content
        self._row = {index: row for row, index in enumerate(chosen)}
        self._error = meshing.error.message if meshing.error else None
        self._meshes: FileMeshes | None = meshing.meshes

    def outcome(self, index: int) -> tuple[Outcome | None, str]:
        """What meshing said of an element; None with the reason if nobody could mesh the file."""
        if self._meshes is None:
            return None, self._error or "the file could not be meshed"
        row = self._row[index]
        return Outcome(int(self._meshes.outcome[row])), self._meshes.reason(row)

    def surface(self, index: int) -> Surface:
        assert self._meshes is not None  # noqa: S101  asked only about usable outcomes
        vertices, faces = self._meshes.meshes.mesh(self._row[index])
        return Surface(vertices + self._meshes.origin, np.asarray(faces))

    def mesher(self, index: int) -> str:
        assert self._meshes is not None  # noqa: S101  asked only about usable outcomes
        names = self._meshes.engine["meshers"]
        number = int(self._meshes.mesher[self._row[index]])
        return str(names[number]) if number < len(names) else "none"

    def rounding(self, index: int) -> float:
        """How far single precision may have moved a corner, in metres."""
        if self.mesher(index) != SINGLE:
            return 0.0
        assert self._meshes is not None  # noqa: S101  asked only about usable outcomes
        vertices, _ = self._meshes.meshes.mesh(self._row[index])
        largest = np.float32(np.abs(vertices).max(initial=0.0))
        return float(np.spacing(largest)) * 2

    def measures(self, index: int) -> dict[str, Any]:
        """Size of a shape for people: metres, m2, m3."""
        surface = self.surface(index)
        found = measure(MeshSet.from_meshes([(surface.vertices, surface.faces)], closed=False))
        return {
            "extents": [round(float(v), 6) for v in found.extents[0]],
            "area": round(float(found.area[0]), 6),
            "volume": round(float(found.volume[0]), 6),
        }


_USABLE = (Outcome.SOLID, Outcome.SURFACE)


def _judge(old: _Side, i: int, new: _Side, j: int, tolerance: float) -> Judged:
    (before, why_old), (after, why_new) = old.outcome(i), new.outcome(j)
    if before in _USABLE and after in _USABLE:
        return _judge_surfaces(old, i, new, j, tolerance)
    nothing = (Outcome.EMPTY, Outcome.NO_BODY)
    if before in nothing and after in nothing:
        return Judged()
    for mine, theirs, why in ((before, after, why_old), (after, before, why_new)):
        if mine not in nothing and mine not in _USABLE:
            return Judged(reason=why)
        if mine in nothing and theirs in _USABLE:
            gone = {"shape": why}
            if mine is before:
                return Judged(reshaped=True, before=gone, after=new.measures(j))
            return Judged(reshaped=True, before=old.measures(i), after=gone)
    return Judged(reason=why_old or why_new)


def _judge_surfaces(old: _Side, i: int, new: _Side, j: int, tolerance: float) -> Judged:
    one, other = old.surface(i), new.surface(j)
    limit = tolerance + old.rounding(i) + new.rounding(j)
    distance = apart(one, other, limit)
    if distance <= limit:
        return Judged()
    shift = other.box[0] - one.box[0]
    matrices = _matrix(old, i), _matrix(new, j)
    if matrices[0] is not None and matrices[1] is not None:
        carried = one.moved(matrices[1] @ np.linalg.inv(matrices[0]))
        if apart(carried, other, limit) <= limit:
            return Judged(moved=shift)
    if apart(one.shifted(shift), other, limit) <= limit:
        return Judged(moved=shift)
    if old.mesher(i) != new.mesher(j):
        coarse = limit + MESHERS_APART
        if min(apart(one.shifted(shift), other, coarse), apart(one, other, coarse)) <= coarse:
            return Judged(
                reason="its two shapes were made by different meshers and are alike within "
                f"{1000 * coarse:.1f} mm only"
            )
    return Judged(reshaped=True, apart=distance, before=old.measures(i), after=new.measures(j))


def _matrix(side: _Side, index: int) -> Floats | None:
    return side.content.matrix(side.content.inventory.elements[index].step_id)
