"""Real revisions whose ids were all re-issued, against values and vertices read another way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ifcbase.diff.facets import Facet
from ifcbase.ifc.opening import open_model
from tests.unit.diff.house import compared
from tests.unit.matching.test_real_revisions import apart, corners

#: Attributes every element has in IFC2X3.
NAMES = ("Name", "Description", "ObjectType")
#: Nearer than this the diff must not see a difference, farther it must (metres).
SAME, OTHER = 5e-5, 1e-3


@pytest.mark.parametrize(
    ("name", "least"),
    [("GEELEN-Breedplaat_V2.ifc", 150), ("YTONG-Kavel_01.ifc", 20), ("YTONG-Kavel_05.ifc", 50)],
)
def test_what_the_report_says_is_what_vertices_and_attributes_say(
    models_folder: Path, name: str, least: int
) -> None:
    root = models_folder / "schependomlaan"
    paths = root / "earlier-revisions" / name, root / "subcontractors" / name
    report = compared(*paths, relationships=["attributes", "geometry"])
    old, new = (open_model(path) for path in paths)
    before, after = corners(old), corners(new)
    told: dict[tuple[int, int], set[Facet]] = {}
    for change in report.changes:
        if change.old is not None and change.new is not None:
            told.setdefault((change.old, change.new), set()).add(change.facet)
    assert not report.unjudged
    judged = 0
    for pair in report.reidentified:
        a, b = report.old.element(pair.old), report.new.element(pair.new)
        facets = told.get((pair.old, pair.new), set())
        one, other = old.by_id(a.step_id), new.by_id(b.step_id)
        renamed = any((getattr(one, n) or "") != (getattr(other, n) or "") for n in NAMES)
        if hasattr(one, "Tag"):
            renamed = renamed or one.Tag != other.Tag
        assert (Facet.ATTRIBUTES in facets) is renamed
        if a.global_id not in before or b.global_id not in after:
            continue
        judged += 1
        distance = apart(before[a.global_id], after[b.global_id])
        changed = bool(facets & {Facet.PLACEMENT, Facet.GEOMETRY})
        if distance < SAME:
            assert not changed, (a, distance)
        if distance > OTHER:
            assert changed, (a, distance)
    assert judged >= least


def test_two_floors_raised_by_millimetres_are_found(models_folder: Path) -> None:
    """By GlobalId alone everything was deleted and added, and no element has moved."""
    root = models_folder / "schependomlaan"
    name = "GEELEN-Breedplaat_V2.ifc"
    report = compared(root / "earlier-revisions" / name, root / "subcontractors" / name)
    assert (report.summary["deleted"], report.summary["added"]) == (0, 1)
    moves = [c.after["moved_by"] for c in report.changes if c.facet is Facet.PLACEMENT]
    assert len(moves) == len(report.changed)
    heights = Counter(round(z, 4) for x, y, z in moves if abs(x) < 1e-5 and abs(y) < 1e-5)
    assert heights == {0.013: 40, 0.011: 13}
