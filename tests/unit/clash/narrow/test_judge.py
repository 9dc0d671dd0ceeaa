"""The engine against boolean truth on real buildings, bounded for CI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks import judge

from ifcbase.clash.narrow import detect_pairs
from ifcbase.ifc.meshset import MeshSet

from .shapes import L, box, move, prism, without_top

#: Architect and subcontractor with many flush, contained and piercing pairs, and quick to mesh.
ARCHITECT = ("ROOT-breedplaatvloeren.ifc", "ROOT-kalkzandsteen.ifc", "ROOT-staal.ifc")
SUBCONTRACTOR = ("GEELEN-Breedplaat_V2.ifc", "XELLA-Begane_grond.ifc", "YTONG-Kavel_01.ifc")


def test_the_judge_knows_thickness_and_depth() -> None:
    a = MeshSet.from_meshes([box((0, 0, 0), (1, 1, 1)), without_top(box((0, 0, 0), (1, 1, 1)))])
    b = MeshSet.from_meshes(
        [box((0.95, 0, 0), (2, 1, 1)), box((1, 0, 0), (2, 1, 1)), move(prism(L, 1.0), 0.93, 0, 0)]
    )
    truth = {(p.a, p.b): p for p in judge.judge(a, b, sample=1)}
    assert truth[0, 0].thickness == pytest.approx(0.05, abs=1e-9)
    assert truth[0, 0].depth == pytest.approx(0.05, abs=1e-9)
    assert truth[0, 1].thickness == 0.0
    assert truth[0, 2].depth is not None
    assert truth[0, 2].depth == pytest.approx(0.07, abs=3e-4)
    assert truth[1, 0].reason is not None


def test_the_verdict_counts_what_is_missed_and_invented() -> None:
    a = MeshSet.from_meshes([box((0, 0, 0), (1, 1, 1))])
    b = MeshSet.from_meshes([box((0.95, 0, 0), (2, 1, 1)), box((1, 0, 0), (2, 1, 1))])
    contacts = detect_pairs(a, b, mode="collision")
    truth = judge.judge(a, b)
    right = judge.compare(truth, contacts)
    assert (right.recall, right.invented, right.depth_share) == (1.0, [], 1.0)
    contacts.b[0] = 1  # the wrong pair
    wrong = judge.compare(truth, contacts)
    assert wrong.recall == 0.0
    assert len(wrong.invented) == 1


def _side(folder: Path, names: tuple[str, ...]) -> judge.Side:
    return judge.mesh_files([folder / name for name in names])


@pytest.mark.slow
@pytest.mark.models
def test_a_real_federation_against_boolean_truth(models_folder: Path) -> None:
    folder = models_folder / "schependomlaan"
    a, b = _side(folder / "architect", ARCHITECT), _side(folder / "subcontractors", SUBCONTRACTOR)
    judge.localise(a, b)
    contacts = detect_pairs(a.meshes, b.meshes, mode="collision")
    truth = judge.judge(a.meshes, b.meshes)
    verdict = judge.compare(truth, contacts)
    assert verdict.thick > 500
    assert verdict.recall >= 0.999, verdict.missed
    assert len(verdict.invented) <= len(truth) / 1500, verdict.invented
    assert not verdict.touching_reported
    assert verdict.depths > 200
    assert verdict.depth_share >= 0.95, verdict.wrong_depths
    assert len(verdict.undecided) + verdict.thick <= verdict.pairs
    assert np.isfinite(contacts.distance).all()
