"""What the audit says of good and bad meshes, and which it can put right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.ifc.meshing import audit as auditing
from ifcbase.ifc.meshing.audit import Audit, Finding, audit, straighten
from ifcbase.ifc.meshset import MeshSet
from tests.unit.meshing.solids import (
    Mesh,
    box,
    exploded,
    folded_box,
    inverted,
    joined,
    meshes,
    moved,
    sheet,
    without,
)

QUICK = settings(deadline=None, max_examples=40, derandomize=True)
EMPTY: Mesh = (np.zeros((0, 3)), np.zeros((0, 3), np.int32))


def findings(*elements: Mesh) -> list[Finding]:
    return [Finding(int(bits)) for bits in audit(meshes(*elements)).findings]


def straight(*elements: Mesh) -> tuple[MeshSet, Audit]:
    raw = meshes(*elements)
    return straighten(raw, audit(raw))


def test_a_box_has_nothing_wrong() -> None:
    assert findings(box(), exploded(box())) == [Finding.NOTHING, Finding.NOTHING]


@pytest.mark.parametrize(
    ("mesh", "finding"),
    [
        (EMPTY, Finding.MISSING),
        (without(box(), 4), Finding.OPEN),
        (inverted(box()), Finding.INVERTED),
        (folded_box(), Finding.FOLDED),
        (sheet(), Finding.FLAT),
        (joined(box(), box()), Finding.DUPLICATE_FACES),
        (box((1, 1, 0)), Finding.FLAT),
        (box((1, 1, 5e-7)), Finding.FLAT),
        (box((1e-6, 1e-6, 1e-6)), Finding.FLAT),
    ],
)
def test_each_fault_is_named(mesh: Mesh, finding: Finding) -> None:
    assert finding in findings(mesh)[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_spoil_only_their_element(bad: float) -> None:
    vertices, faces = box()
    vertices[3, 1] = bad
    found = audit(meshes(box(), (vertices, faces), box((1, 1, 2))))
    assert Finding.NOT_FINITE in Finding(int(found.findings[1]))
    assert found.findings[[0, 2]].tolist() == [0, 0]
    assert found.volume[[0, 2]] == pytest.approx([1, 2])
    assert np.isfinite(found.area).all()


def test_an_element_of_only_collapsed_triangles_encloses_nothing() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], np.float64)
    faces = np.array([[0, 1, 1], [2, 2, 2]], np.int32)
    assert Finding.FLAT in findings((vertices, faces))[0]


def test_a_thin_plate_is_still_a_solid() -> None:
    """0.5 mm sheet metal is thin, not flat."""
    assert findings(box((3, 2, 0.0005))) == [Finding.NOTHING]


def test_pieces_give_the_same_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large sets are surveyed in pieces to bound memory."""
    elements = [box(), without(box(), 1), folded_box(), EMPTY, inverted(box()), sheet(), box()]
    whole = audit(meshes(*elements))
    for chunk in (1, 13, 30):
        monkeypatch.setattr(auditing, "CHUNK", chunk)
        parts = audit(meshes(*elements))
        assert parts.findings.tolist() == whole.findings.tolist()
        assert parts.volume.tolist() == whole.volume.tolist()


def test_every_finding_has_words_for_people() -> None:
    for finding in Finding:
        assert finding is Finding.NOTHING or finding.sentence != Finding.NOTHING.sentence
    both = Finding.OPEN | Finding.FOLDED
    assert both.sentence == "the surface has holes; faces lie folded on each other"


# --- putting right -------------------------------------------------------------------------------


def test_an_inverted_solid_is_turned_and_noted() -> None:
    result, found = straight(inverted(box((1, 2, 3))))
    assert result.closed.tolist() == [True]
    assert found.volume[0] == pytest.approx(6)
    assert audit(result).volume[0] == pytest.approx(6)
    assert Finding.INVERTED in Finding(int(found.findings[0]))


def test_good_meshes_are_not_touched() -> None:
    raw = meshes(box(), exploded(box((1, 2, 3))))
    result, _ = straighten(raw, audit(raw))
    assert result.faces is raw.faces
    assert result.closed.all()


@pytest.mark.parametrize("mesh", [EMPTY, without(box(), 0), sheet()])
def test_what_encloses_nothing_is_not_called_closed(mesh: Mesh) -> None:
    assert straight(mesh)[0].closed.tolist() == [False]


@QUICK
@given(seed=st.integers(0, 10_000), turned=st.sets(st.integers(0, 11)))
def test_any_mixture_of_turned_faces_is_cured(seed: int, turned: set[int]) -> None:
    """Kernels that orient faces at random still describe the same solid."""
    vertices, faces = moved(box((1, 2, 0.5)), seed)
    for face in turned:
        faces[face] = faces[face][::-1]
    result, found = straight(exploded((vertices, faces)))
    assert result.closed[0]
    assert found.volume[0] == pytest.approx(1.0)
    again = audit(result)
    assert again.findings[0] == 0
    assert again.volume[0] == pytest.approx(1.0)


@QUICK
@given(turned=st.sets(st.integers(0, 23)))
def test_two_bodies_with_turned_faces_both_look_outwards(turned: set[int]) -> None:
    vertices, faces = joined(box(), box((2, 2, 2), at=(5, 5, 5)))
    for face in turned:
        faces[face] = faces[face][::-1]
    assert straight((vertices, faces))[1].volume[0] == pytest.approx(9)


def test_a_cavity_stays_a_cavity() -> None:
    """A void inside a brep is a shell that looks inwards on purpose."""
    hollow = joined(box((3, 3, 3)), inverted(box(at=(1, 1, 1))))
    result, found = straight(hollow)
    assert found.volume[0] == pytest.approx(26)
    assert result.closed[0]


def test_a_whole_inverted_hollow_body_keeps_its_cavity() -> None:
    hollow = inverted(joined(box((3, 3, 3)), inverted(box(at=(1, 1, 1)))))
    assert straight(hollow)[1].volume[0] == pytest.approx(26)


def test_an_inverted_body_outside_the_other_is_turned() -> None:
    both = joined(box((3, 3, 3)), inverted(box(at=(10, 1, 1))))
    assert straight(both)[1].volume[0] == pytest.approx(28)


def test_a_body_inside_a_cavity_is_a_body() -> None:
    nested = joined(box((9, 9, 9)), inverted(box((5, 5, 5), at=(2, 2, 2))), box(at=(4, 4, 4)))
    assert straight(nested)[1].volume[0] == pytest.approx(729 - 125 + 1)


def test_a_duplicated_body_with_mixed_sides_is_left_alone() -> None:
    """Where four triangles share every edge nobody can say which belong together."""
    vertices, faces = joined(box(), box())
    faces[3] = faces[3][::-1]
    result, found = straight((vertices, faces))
    assert not result.closed[0]
    assert Finding.INCONSISTENT in Finding(int(found.findings[0]))
