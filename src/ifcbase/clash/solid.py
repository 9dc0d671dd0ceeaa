"""Detection by our own narrow phase on audited meshes that are made once and kept.

Everything is computed about one origin of the federation; points leave in world coordinates.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.clash.engine import (
    Contacts,
    LoadedModel,
    Members,
    ModelFile,
    Undecided,
    nothing_read,
)
from ifcbase.clash.report import FloatArray, IntArray, LeftOut
from ifcbase.clash.request import ClashSet, Mode
from ifcbase.errors import ComputeError
from ifcbase.ifc.mesh_cache import MeshCache
from ifcbase.ifc.meshing.audit import Outcome
from ifcbase.ifc.meshing.build import default_meshers, engine_facts
from ifcbase.ifc.meshing.filemeshes import FileMeshes, federation_origin
from ifcbase.ifc.meshing.pool import FileToMesh, Meshing, mesh_files
from ifcbase.ifc.meshset import MeshSet
from ifcbase.progress import Progress

#: Elements nearer than this, or overlapping by no more, touch (metres).
CONTACT_BAND = 1e-4

_REASONS = {
    Outcome.EMPTY: LeftOut.EMPTY,
    Outcome.NO_GEOMETRY: LeftOut.NO_GEOMETRY,
    Outcome.NO_BODY: LeftOut.NO_REPRESENTATION,
}
Rows = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int32]


class SolidEngine:
    """``cache`` is read only; what is made anew lies in ``stage`` for its owner to admit."""

    def __init__(
        self,
        *,
        cache: MeshCache | None = None,
        stage: Path | None = None,
        processes: int | None = None,
        sign: bool = False,
    ) -> None:
        self._sign = sign
        self._cache = cache
        self._stage = stage
        self._processes = processes or usable_cores()
        self._loaded: list[LoadedModel] = []
        self._meshes: list[FileMeshes | None] = []
        self._row: list[IntArray] = []  # per model: row of its meshes for each inventory index
        self._boxes: list[FloatArray] = []
        self._origin = np.zeros(3)

    def load(self, files: Sequence[ModelFile], progress: Progress) -> list[LoadedModel]:
        found = self._made(files, progress)
        self._loaded = [_loaded(f, each) for f, each in zip(files, found, strict=True)]
        self._meshes = [each.meshes for each in found]
        self._row = [
            _rows(one, meshes) for one, meshes in zip(self._loaded, self._meshes, strict=True)
        ]
        self._origin = federation_origin([m for m in self._meshes if m is not None])
        self._boxes = [
            np.zeros((0, 6)) if m is None else m.meshes.aabb() + np.tile(m.origin - self._origin, 2)
            for m in self._meshes
        ]
        return self._loaded

    def find(self, clash_set: ClashSet, a: Members, b: Members) -> Contacts:
        # Kernels compiled ahead are loaded here, where something is to be found.
        from ifcbase.clash.narrow import detect_pairs
        from ifcbase.clash.narrow._sweep import boxes_meet

        if not len(a) or not len(b):
            raise ComputeError("a clash of nothing was asked for", detail=clash_set.name)
        a, b = _sorted(a), _sorted(b)
        same = np.array_equal(a.model, b.model) and np.array_equal(a.element, b.element)
        reach = clash_set.clearance if clash_set.mode is Mode.CLEARANCE else 0.0
        margin = max(reach, CONTACT_BAND)
        pairs = boxes_meet(self._boxes_of(a), self._boxes_of(b), margin, same)
        pairs = pairs if same else _once(pairs, a, b)
        related = np.zeros(len(pairs), np.bool_)
        if not clash_set.include_related:
            related = self._related(a, b, pairs)
        if not len(pairs) or related.all():
            return _no_contacts(int(related.sum()))
        used_a = np.unique(pairs if same else pairs[:, 0])
        used_b = used_a if same else np.unique(pairs[:, 1])
        wanted = np.stack(
            [np.searchsorted(used_a, pairs[:, 0]), np.searchsorted(used_b, pairs[:, 1])], axis=1
        )
        a, b = _take(a, used_a), _take(b, used_b)
        skip = wanted[related]
        if not same:
            skip = np.concatenate([skip, self._twice(a, b, margin, wanted)])
        found = detect_pairs(
            self._meshes_of(a),
            None if same else self._meshes_of(b),
            # Overlaps below the tolerance are decided, too: they are left out here.
            mode=clash_set.mode,
            tolerance=0.0,
            clearance=clash_set.clearance,
            allow_touching=clash_set.allow_touching,
            skip=skip.astype(np.int32),
            band=CONTACT_BAND,
        )
        decided = set(zip(found.a.tolist(), found.b.tolist(), strict=True))
        keep = np.ones(len(found), np.bool_)
        if clash_set.mode is Mode.INTERSECTION:
            keep = found.distance > clash_set.tolerance
        i, j = found.a[keep], found.b[keep]
        return Contacts(
            x_model=a.model[i],
            x=a.element[i],
            y_model=b.model[j],
            y=b.element[j],
            kind=found.kind[keep],
            distance=found.distance[keep],
            measured=found.measured[keep],
            p_x=found.p1[keep] + self._origin,
            p_y=found.p2[keep] + self._origin,
            touching=found.touching,
            related=int(related.sum()),
            undecided=tuple(
                Undecided(_at(a, note.a), _at(b, note.b), note.reason)
                for note in found.undecided
                if (note.a, note.b) not in decided
            ),
        )

    def _made(self, files: Sequence[ModelFile], progress: Progress) -> list[Meshing]:
        stage = self._stage or Path(tempfile.mkdtemp(prefix="ifcbase-meshes-"))
        stage.mkdir(parents=True, exist_ok=True)
        try:
            return mesh_files(
                [
                    FileToMesh(f.path, f.sha256, selections=f.selections, sign=self._sign)
                    for f in files
                ],
                stage=stage,
                cache=self._cache,
                processes=self._processes,
                progress=progress,
            )
        finally:
            if self._stage is None:
                # What is mapped stays readable without its name.
                shutil.rmtree(stage)

    def describe(self) -> dict[str, Any]:
        from ifcbase.clash.narrow import MEASURE_VERSION

        return {
            "name": "solid",
            "mesher": engine_facts(default_meshers()),
            "kernel": "convex pieces",
            "versions": {name: version(name) for name in ("manifold3d", "numba", "numpy")},
            "settings": {"contact_band": CONTACT_BAND},
            "measure_version": f"solid-{MEASURE_VERSION}",
        }

    def _boxes_of(self, members: Members) -> FloatArray:
        out = np.empty((len(members), 6))
        for model, at in _by_model(members):
            out[at] = self._boxes[model][self._row[model][members.element[at]]]
        return out

    def _meshes_of(self, members: Members) -> MeshSet:
        parts = []
        for model, at in _by_model(members):
            meshes = self._meshes[model]
            if meshes is None:
                raise ComputeError("an element without a mesh was to be tested")
            part = meshes.meshes.take(self._row[model][members.element[at]])
            part.vertices += meshes.origin - self._origin
            parts.append(part)
        return MeshSet.concat(parts)

    def _related(self, a: Members, b: Members, pairs: Pairs) -> npt.NDArray[np.bool_]:
        related = np.zeros(len(pairs), np.bool_)
        model_a, model_b = a.model[pairs[:, 0]], b.model[pairs[:, 1]]
        for number, each in enumerate(self._loaded):
            at = np.flatnonzero((model_a == number) & (model_b == number))
            one, two = a.element[pairs[at, 0]], b.element[pairs[at, 1]]
            related[at] = each.model.relations.related(one, two)
        return related

    def _twice(self, a: Members, b: Members, margin: float, wanted: Rows) -> Rows:
        """Pairs whose boxes meet that are not wanted: an element with itself, or seen already."""
        from ifcbase.clash.narrow._sweep import boxes_meet

        every = boxes_meet(self._boxes_of(a), self._boxes_of(b), margin, False).astype(np.int64)
        size = max(len(b), 1)
        seen = np.isin(every[:, 0] * size + every[:, 1], wanted[:, 0] * size + wanted[:, 1])
        return np.asarray(every[~seen])


def _no_contacts(related: int) -> Contacts:
    none, nowhere = np.zeros(0, np.int32), np.zeros((0, 3))
    byte, number = np.zeros(0, np.uint8), np.zeros(0)
    return Contacts(none, none, none, none, byte, number, byte, nowhere, nowhere, related=related)


def usable_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _loaded(file: ModelFile, made: Meshing) -> LoadedModel:
    if made.model is None:
        failure = made.error or ComputeError(f"{file.name} was not read")
        return LoadedModel(nothing_read(file.selections), failure=failure)
    if made.meshes is None:
        lost = dict.fromkeys(made.model.union().tolist(), LeftOut.FILE_FAILED)
        failure = made.error or ComputeError("meshing failed")
        return LoadedModel(made.model, lost, failure)
    steps, outcomes = made.meshes.step_ids.tolist(), made.meshes.outcome.tolist()
    index = made.model.inventory.index_of
    left_out = {
        index(step): _REASONS[Outcome(outcome)]
        for step, outcome in zip(steps, outcomes, strict=True)
        if not Outcome(outcome).usable
    }
    return LoadedModel(made.model, left_out, signatures=made.signatures)


def _rows(one: LoadedModel, meshes: FileMeshes | None) -> IntArray:
    rows = np.full(len(one.model.inventory), -1, np.int32)
    if meshes is not None:
        rows[one.model.union()] = np.arange(len(meshes), dtype=np.int32)
    return rows


def _sorted(members: Members) -> Members:
    order = np.lexsort([members.element, members.model])
    return _take(members, order)


def _take(members: Members, rows: npt.NDArray[Any]) -> Members:
    return Members(members.model[rows], members.element[rows])


def _by_model(members: Members) -> list[tuple[int, slice]]:
    """Ranges of sorted members by model."""
    models, starts = np.unique(members.model, return_index=True)
    ends = [*starts[1:].tolist(), len(members)]
    return [
        (m, slice(s, e)) for m, s, e in zip(models.tolist(), starts.tolist(), ends, strict=True)
    ]


def _at(members: Members, row: int) -> tuple[int, int]:
    return int(members.model[row]), int(members.element[row])


def _once(pairs: Pairs, a: Members, b: Members) -> Pairs:
    """Sides may share elements: no pair of an element with itself, and no pair both ways round."""
    most = int(max(a.element.max(), b.element.max())) + 1
    key_a = a.model.astype(np.int64) * most + a.element
    key_b = b.model.astype(np.int64) * most + b.element
    x, y = key_a[pairs[:, 0]], key_b[pairs[:, 1]]
    # Both ways round: x is also in b, and y also in a. The earlier element stays on side a.
    crossed = (x > y) & np.isin(x, key_b) & np.isin(y, key_a)
    return np.asarray(pairs[(x != y) & ~crossed])


__all__ = ["SolidEngine", "usable_cores"]
