"""Real revisions whose ids were all re-issued, against a brute-force comparison of vertices made
with another mesher than the one that signs."""

from __future__ import annotations

from pathlib import Path

import ifcopenshell.geom
import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial import cKDTree

from ifcbase.ifc.inventory import read_inventory
from ifcbase.ifc.matching import match
from ifcbase.ifc.opening import open_model
from ifcbase.ifc.traits import read_signatures

Corners = npt.NDArray[np.float64]
#: Vertices this near (metres) are the same; the second limit says how far a link may reach.
SAME, NEAR = 0.002, 0.03


def corners(file: ifcopenshell.file) -> dict[str, Corners]:
    """World vertices of every element with a shape but openings, by GlobalId."""
    settings = ifcopenshell.geom.settings()
    settings.set("use-world-coords", True)
    wanted = [
        e
        for e in file.by_type("IfcElement")
        if e.Representation and not e.is_a("IfcOpeningElement")
    ]
    iterator = ifcopenshell.geom.iterator(settings, file, 1, include=wanted)
    found: dict[str, Corners] = {}
    going = iterator.initialize()
    while going:
        shape = iterator.get()
        points = np.array(shape.geometry.verts, float).reshape(-1, 3)
        if len(points):
            found[shape.guid] = np.unique(points.round(6), axis=0)
        going = iterator.next()
    return found


def apart(one: Corners, other: Corners) -> float:
    """The largest distance from a vertex of either to the nearest of the other, metres."""
    there, back = (np.asarray(cKDTree(a).query(b)[0]) for a, b in ((one, other), (other, one)))
    return float(max(there.max(), back.max()))


@pytest.mark.parametrize(
    ("name", "least"),
    [("GEELEN-Breedplaat_V2.ifc", 110), ("YTONG-Kavel_01.ifc", 25), ("YTONG-Kavel_05.ifc", 55)],
)
def test_links_agree_with_a_brute_force_match_of_vertices(
    models_folder: Path, name: str, least: int
) -> None:
    folder = models_folder / "schependomlaan"
    paths = [folder / "earlier-revisions" / name, folder / "subcontractors" / name]
    files = [open_model(path) for path in paths]
    old, new = (read_signatures(f, read_inventory(f), p) for f, p in zip(files, paths, strict=True))
    assert not set(old.global_id.tolist()) & set(new.global_id.tolist())
    found = match(old, new)
    links = dict(
        zip(old.global_id[found.old].tolist(), new.global_id[found.new].tolist(), strict=True)
    )

    before, after = (corners(f) for f in files)
    close: dict[str, list[tuple[float, str]]] = {}
    for a, points in before.items():
        boxes = [
            (b, others)
            for b, others in after.items()
            if np.abs(points.min(0) - others.min(0)).max() < NEAR
            and np.abs(points.max(0) - others.max(0)).max() < NEAR
        ]
        close[a] = sorted((apart(points, others), b) for b, others in boxes)
    truth = {
        a: all_[0][1]
        for a, all_ in close.items()
        if all_ and all_[0][0] < SAME and (len(all_) == 1 or all_[1][0] > SAME)
    }
    assert len(truth) >= least
    missed = [a for a, b in truth.items() if links.get(a) != b]
    assert len(missed) <= 0.05 * len(truth)
    # Whatever is linked besides was moved a little, and nobody else is as near.
    for a, b in links.items():
        if a in close:
            assert close[a], a
            assert close[a][0][1] == b
            assert close[a][0][0] < NEAR
