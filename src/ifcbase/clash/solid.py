"""Detection by our own narrow phase on audited meshes that are made once and kept.

Everything is computed about one origin of the federation; points leave in world coordinates.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.clash.engine import (
    Contacts,
    LoadedModel,
    Members,
    ModelFile,
    nothing_read,
)
from ifcbase.clash.kept import SUFFIX, Block, key_of, read_block, write_block
from ifcbase.clash.measured import CONTACT_BAND, Rule, answer, measuring_facts, nothing
from ifcbase.clash.members import by_model, in_order, once, rows_among, take
from ifcbase.clash.report import FloatArray, IntArray, LeftOut
from ifcbase.clash.request import ClashSet, Mode
from ifcbase.errors import ComputeError
from ifcbase.ifc.mesh_cache import MeshCache
from ifcbase.ifc.meshing.audit import Outcome
from ifcbase.ifc.meshing.build import default_meshers, engine_facts
from ifcbase.ifc.meshing.cores import usable_cores
from ifcbase.ifc.meshing.filemeshes import FileMeshes, federation_origin
from ifcbase.ifc.meshing.pool import FileToMesh, Meshing, mesh_files
from ifcbase.ifc.meshset import MeshSet
from ifcbase.ifc.versions import installed
from ifcbase.progress import Progress

_REASONS = {
    Outcome.EMPTY: LeftOut.EMPTY,
    Outcome.NO_GEOMETRY: LeftOut.NO_GEOMETRY,
    Outcome.NO_BODY: LeftOut.NO_REPRESENTATION,
}
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
        self._keys: list[str | None] = []  # per model: the key of its meshes
        self._boxes: list[FloatArray] = []
        self._origin = np.zeros(3)

    def load(self, files: Sequence[ModelFile], progress: Progress) -> list[LoadedModel]:
        found = self._made(files, progress)
        self._loaded = [_loaded(f, each) for f, each in zip(files, found, strict=True)]
        self._meshes = [each.meshes for each in found]
        self._keys = [each.key for each in found]
        self._row = [
            _rows(one, meshes) for one, meshes in zip(self._loaded, self._meshes, strict=True)
        ]
        self._origin = federation_origin([m for m in self._meshes if m is not None])
        self._boxes = [
            np.zeros((0, 6)) if m is None else m.meshes.aabb() + np.tile(m.origin - self._origin, 2)
            for m in self._meshes
        ]
        return self._loaded

    @property
    def repeatable(self) -> bool:
        """Whether the same files give the same meshes every time: no mesher crashed."""
        return all(key is not None for key in self._keys)

    def find(self, clash_set: ClashSet, a: Members, b: Members) -> Contacts:
        if not len(a) or not len(b):
            raise ComputeError("a clash of nothing was asked for", detail=clash_set.name)
        a, b = in_order(a), in_order(b)
        same = np.array_equal(a.model, b.model) and np.array_equal(a.element, b.element)
        reach = clash_set.clearance if clash_set.mode is Mode.CLEARANCE else 0.0
        rule = Rule(reach, clash_set.include_related)
        blocks: dict[tuple[int, int], Block] = {}
        keys: dict[tuple[int, int], str | None] = {}
        for pair in self._model_pairs(a, b, same, rule.margin):
            keys[pair] = key = self._block_key(pair, a, b, rule)
            if key is not None and self._cache is not None:
                kept = self._cache.get_other(key, SUFFIX, read_block)
                if kept is not None and self._fits(kept, pair):
                    blocks[pair] = kept
        missing = [pair for pair in keys if pair not in blocks]
        if missing:
            blocks |= self._measured(a, b, same, rule, missing)
            for pair in missing:
                key = keys[pair]
                if key is not None and self._stage is not None:
                    write_block(blocks[pair], key, self._stage / (key + SUFFIX))
        return answer(clash_set, [(pair, blocks[pair]) for pair in keys])

    def _model_pairs(
        self, a: Members, b: Members, same: bool, margin: float
    ) -> list[tuple[int, int]]:
        """Models of a and of b that come near each other at all; each two once if a is b."""

        def hulls(members: Members) -> dict[int, FloatArray]:
            boxes = self._boxes_of(members)
            return {
                m: np.concatenate([boxes[at, :3].min(axis=0), boxes[at, 3:].max(axis=0)])
                for m, at in by_model(members)
            }

        hulls_a, hulls_b = hulls(a), hulls(b)
        return [
            (i, j)
            for i, one in hulls_a.items()
            for j, two in hulls_b.items()
            if not (same and j < i)
            and bool((one[:3] <= two[3:] + margin).all() and (two[:3] <= one[3:] + margin).all())
        ]

    def _block_key(self, pair: tuple[int, int], a: Members, b: Members, rule: Rule) -> str | None:
        """None where the meshes are not those that the same file gives every time."""
        if any(self._keys[m] is None for m in pair):
            return None
        # Also what each side has of the other's model decides which side an element stands on.
        members = [
            hashlib.sha256(side.element[side.model == m].astype("<i4").tobytes()).hexdigest()
            for side in (a, b)
            for m in pair
        ]
        return key_of(
            {
                "meshes": [self._keys[m] for m in pair],
                "one": pair[0] == pair[1],
                "order": pair[0] < pair[1],
                "members": members,
                "origin": self._origin.tolist(),
                "rule": [rule.reach, rule.include_related, CONTACT_BAND],
                "engine": measuring_facts(),
            }
        )

    def _fits(self, block: Block, pair: tuple[int, int]) -> bool:
        """Whether a kept block speaks of elements that these models have."""
        sizes = [len(self._loaded[m].model.inventory) for m in pair]
        x = [*block.x.tolist(), *(row[0] for row in (*block.related, *block.undecided))]
        y = [*block.y.tolist(), *(row[1] for row in (*block.related, *block.undecided))]
        return max(x, default=-1) < sizes[0] and max(y, default=-1) < sizes[1]

    def _measured(
        self, a: Members, b: Members, same: bool, rule: Rule, missing: list[tuple[int, int]]
    ) -> dict[tuple[int, int], Block]:
        """Contacts of these pairs of models."""
        # Kernels compiled ahead are loaded here, where something is to be found.
        from ifcbase.clash.narrow import detect_pairs
        from ifcbase.clash.narrow._sweep import boxes_meet

        every = boxes_meet(self._boxes_of(a), self._boxes_of(b), rule.margin, same)
        pairs = every if same else once(every, a, b)
        models = len(self._loaded)
        asked = np.array([i * models + j for i, j in missing])
        here = np.isin(a.model[pairs[:, 0]].astype(np.int64) * models + b.model[pairs[:, 1]], asked)
        pairs = pairs[here]
        related = np.zeros(len(pairs), np.bool_)
        if not rule.include_related:
            related = self._related(a, b, pairs)
        one, other = take(a, pairs[related, 0]), take(b, pairs[related, 1])
        pairs = pairs[~related]
        blocks = {}
        for pair in missing:
            rows = np.flatnonzero((one.model == pair[0]) & (other.model == pair[1]))
            together = zip(one.element[rows].tolist(), other.element[rows].tolist(), strict=True)
            blocks[pair] = nothing(tuple(sorted(together)))
        if not len(pairs):
            return blocks
        used_a = np.unique(pairs if same else pairs[:, 0])
        used_b = used_a if same else np.unique(pairs[:, 1])
        a, b = take(a, used_a), take(b, used_b)
        wanted = rows_among(pairs, used_a, used_b)
        near = np.isin(every[:, 0], used_a) & np.isin(every[:, 1], used_b)
        near_rows = rows_among(every[near], used_a, used_b)
        size = max(len(b), 1)
        seen = np.isin(near_rows[:, 0] * size + near_rows[:, 1], wanted[:, 0] * size + wanted[:, 1])
        found = detect_pairs(
            self._meshes_of(a),
            None if same else self._meshes_of(b),
            # All that meet, however little: what a set leaves out is left out of its answer.
            mode=Mode.CLEARANCE if rule.reach else Mode.COLLISION,
            clearance=max(rule.reach, 2 * CONTACT_BAND),
            allow_touching=True,
            skip=near_rows[~seen].astype(np.int32),
            band=CONTACT_BAND,
        )
        decided = set(zip(found.a.tolist(), found.b.tolist(), strict=True))
        notes = [n for n in found.undecided if (n.a, n.b) not in decided]
        for pair, block in blocks.items():
            rows = np.flatnonzero((a.model[found.a] == pair[0]) & (b.model[found.b] == pair[1]))
            i, j = found.a[rows], found.b[rows]
            blocks[pair] = Block(
                x=a.element[i],
                y=b.element[j],
                kind=found.kind[rows],
                distance=found.distance[rows],
                measured=found.measured[rows],
                p_x=found.p1[rows] + self._origin,
                p_y=found.p2[rows] + self._origin,
                related=block.related,
                undecided=tuple(
                    (int(a.element[n.a]), int(b.element[n.b]), n.reason)
                    for n in notes
                    if (int(a.model[n.a]), int(b.model[n.b])) == pair
                ),
            )
        return blocks

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
            "versions": {name: installed(name) for name in ("manifold3d", "numba", "numpy")},
            "settings": {"contact_band": CONTACT_BAND},
            "measure_version": f"solid-{MEASURE_VERSION}",
        }

    def _boxes_of(self, members: Members) -> FloatArray:
        out = np.empty((len(members), 6))
        for model, at in by_model(members):
            out[at] = self._boxes[model][self._row[model][members.element[at]]]
        return out

    def _meshes_of(self, members: Members) -> MeshSet:
        parts = []
        for model, at in by_model(members):
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


__all__ = ["CONTACT_BAND", "SolidEngine"]
