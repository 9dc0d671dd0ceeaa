"""Generated federations: counts, shares, planted clashes, validity, speed."""

from __future__ import annotations

import time
from pathlib import Path

import ifcopenshell
import ifcopenshell.validate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import RequestInvalid
from ifcbase.samples import generate
from tests.unit.samples import oracle

HERE = (0.0, 0.0, 0.0)


@pytest.mark.parametrize("files", [2, 3])
def test_only_the_planted_pairs_overlap(files: int, tmp_path: Path) -> None:
    made = generate(tmp_path, elements=200, files=files, clash_share=0.1, seed=files)
    models = {m: oracle.solids(p, HERE, fast=True) for m, p in made.files.items()}
    assert len(models) == files
    waiting = {(a, ida, b, idb) for a, ida, b, idb in made.clashes}
    assert len(waiting) == len(made.clashes) == 20
    boxes_meet = 0
    for host in [m for m in models if m != "Services"]:
        for a, b in oracle.near_pairs(models[host], models["Services"], 0.1):
            key = (host, a.global_id, "Services", b.global_id)
            boxes_meet += bool((a.lo < b.hi).all() and (b.lo < a.hi).all())
            if key in waiting:
                waiting.remove(key)
                assert oracle.overlap(a, b) > 1e-5
                assert not oracle.separates(a, b, 0.02, 0.0)
            else:
                assert oracle.gap(a, b, 0.1) >= 0.05
    assert waiting == set()
    # Box tests alone must not be able to tell the answer.
    assert boxes_meet > 2 * len(made.clashes)
    for first, second in oracle.near_pairs(models["Services"], models["Services"], 0.0):
        assert first is second, "services overlap each other"


def test_counts_and_shares_are_what_the_files_hold(tmp_path: Path) -> None:
    made = generate(tmp_path, elements=2_000, files=3)
    files = [ifcopenshell.open(path) for path in made.files.values()]
    physical = [
        e for f in files for e in f.by_type("IfcElement") if not e.is_a("IfcFeatureElement")
    ]
    assert len(physical) == made.elements == 2_000
    opened = sum(bool(e.HasOpenings) for e in physical)
    clipped = sum(len(f.by_type("IfcBooleanClippingResult")) for f in files)
    assert opened + clipped == made.cut >= 0.2 * made.elements
    sets = [s for f in files for s in f.by_type("IfcTriangulatedFaceSet")]
    breps = [s for f in files for s in f.by_type("IfcFacetedBrep")]
    assert breps
    assert len(sets) + len(breps) == made.faceted >= 0.2 * made.elements
    assert all(len(s.CoordIndex) >= 100 for s in sets)
    assert all(len(s.Outer.CfsFaces) >= 100 for s in breps)
    assert len(made.clashes) == 40
    shapes = {str(s.Coordinates.CoordList) for s in sets}
    assert len(shapes) == len(sets), "faceted shapes repeat"
    widths = {(p.XDim, p.YDim) for f in files for p in f.by_type("IfcRectangleProfileDef")}
    assert len(widths) > 500


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    elements=st.integers(100, 700),
    files=st.sampled_from([2, 3]),
    share=st.floats(0.0, 0.4),
    seed=st.integers(0, 9),
)
def test_every_count_is_met(
    elements: int,
    files: int,
    share: float,
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = generate(
        tmp_path_factory.mktemp("any"), elements=elements, files=files, clash_share=share, seed=seed
    )
    assert len(made.clashes) == round(share * elements)
    assert made.cut >= 0.2 * elements
    assert made.faceted >= 0.2 * elements
    models = [ifcopenshell.open(path) for path in made.files.values()]
    bodies = [e for f in models for e in f.by_type("IfcElement") if not e.is_a("IfcOpeningElement")]
    assert len({e.GlobalId for e in bodies}) == elements
    storeys = [len(e.ContainedInStructure) for e in bodies]
    assert set(storeys) == {1}


def test_generated_files_are_valid(tmp_path: Path) -> None:
    made = generate(tmp_path, elements=300, files=3)
    for path in made.files.values():
        logger = ifcopenshell.validate.json_logger()
        ifcopenshell.validate.validate(ifcopenshell.open(path), logger)
        assert [str(s) for s in logger.statements] == []


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    one = generate(tmp_path / "1", elements=501)
    two = generate(tmp_path / "2", elements=501)
    other = generate(tmp_path / "3", elements=501, seed=1)
    assert one.clashes == two.clashes
    assert not set(one.clashes) & set(other.clashes)
    for model, path in one.files.items():
        assert path.read_bytes() == two.files[model].read_bytes()
        assert path.read_bytes() != other.files[model].read_bytes()


def test_a_quarter_million_elements_in_a_minute(tmp_path: Path) -> None:
    """Measured on a tenth of it, with room for slow machines."""
    start = time.process_time()
    made = generate(tmp_path, elements=25_000)
    assert time.process_time() - start < 6
    assert made.elements == 25_000


@pytest.mark.parametrize(
    ("elements", "files", "share"), [(1, 2, 0.0), (100, 1, 0.0), (100, 4, 0.0), (100, 2, 0.5)]
)
def test_impossible_federations_are_refused(
    elements: int, files: int, share: float, tmp_path: Path
) -> None:
    with pytest.raises(RequestInvalid):
        generate(tmp_path, elements=elements, files=files, clash_share=share)
    assert list(tmp_path.iterdir()) == []
