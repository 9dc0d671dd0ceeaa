"""The meshes of one file with what the audit said: the hand-over from meshing to everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.meshing.audit import Finding, Outcome
from ifcbase.ifc.meshset import MeshSet


@dataclass(slots=True)
class FileMeshes:
    """Row i is the wanted element ``step_ids[i]``; vertices are metres about ``origin`` (world).

    ``mesher`` indexes ``engine["meshers"]``; 255 where no mesher was right. ``reasons`` says in a
    sentence why a row is not usable, or what is wrong with a usable one.
    """

    meshes: MeshSet
    origin: npt.NDArray[np.float64]  # (3,), whole metres
    step_ids: npt.NDArray[np.int64]  # (n)
    outcome: npt.NDArray[np.uint8]  # (n) of Outcome
    findings: npt.NDArray[np.uint16]  # (n) bits of Finding
    mesher: npt.NDArray[np.uint8]  # (n)
    reasons: dict[int, str] = field(default_factory=dict)
    engine: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.step_ids)

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """Rows with a mesh that can be tested."""
        return np.isin(self.outcome, (Outcome.SOLID, Outcome.SURFACE))

    def count(self, outcome: Outcome) -> int:
        return int((self.outcome == outcome).sum())

    def reason(self, row: int) -> str:
        """Why this row is as it is, for people."""
        return self.reasons.get(row) or Finding(int(self.findings[row])).sentence

    def about(self, origin: npt.NDArray[np.float64]) -> MeshSet:
        """The meshes about another origin (world metres); shares memory where nothing moves."""
        shift = self.origin - origin
        if not shift.any():
            return self.meshes
        return replace(self.meshes, vertices=self.meshes.vertices + shift)


def federation_origin(files: Sequence[FileMeshes]) -> npt.NDArray[np.float64]:
    """One origin for several files: per axis the lower median of theirs, whole metres.

    It does not depend on the order of the files, and no single far-off file decides it.
    """
    origins = [f.origin for f in files if f.usable.any()]
    if not origins:
        return np.zeros(3)
    ordered = np.sort(np.array(origins), axis=0)
    return np.asarray(ordered[(len(ordered) - 1) // 2])
