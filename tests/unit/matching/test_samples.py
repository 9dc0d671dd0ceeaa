"""Identity over whole sample buildings whose ids were all re-issued and whose corners were moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ifcbase.ifc.inventory import read_inventory
from ifcbase.ifc.matching import Matches, match
from ifcbase.ifc.opening import open_model
from ifcbase.ifc.signatures import Signatures
from ifcbase.ifc.traits import read_signatures
from ifcbase.samples import build
from ifcbase.samples.truth import Sample


def signed(path: Path) -> Signatures:
    file = open_model(path)
    return read_signatures(file, read_inventory(file), path)


def linked(old: Signatures, new: Signatures, found: Matches) -> dict[str, str]:
    before, after = old.global_id[found.old].tolist(), new.global_id[found.new].tolist()
    return dict(zip(before, after, strict=True))


def compare(first: Sample, second: Sample) -> tuple[int, int, list[str], dict[str, str]]:
    """Linked rightly, all that should be, those linked wrongly, and all links."""
    right = all_ = 0
    wrong: list[str] = []
    links: dict[str, str] = {}
    for model, path in first.files.items():
        old, new = signed(path), signed(second.files[model])
        found = linked(old, new, match(old, new))
        links |= found
        there = set(new.global_id.tolist())
        truth = {a: b for a, b in second.reissued[model].items() if b in there}
        truth = {a: b for a, b in truth.items() if a in set(old.global_id.tolist())}
        all_ += len(truth)
        right += sum(found.get(a) == b for a, b in truth.items())
        wrong += [a for a in found if a in second.reissued[model] and found[a] != truth.get(a)]
    return right, all_, wrong, links


@pytest.mark.parametrize(
    "building",
    [
        {},
        {"georeferenced": True, "rotation": 30.0},
        {"storeys": 3, "bays": (4, 3), "unit": "mm", "schema": "IFC2X3"},
    ],
    ids=["plain", "georeferenced", "larger"],
)
def test_all_ids_reissued_and_all_corners_moved_by_a_millimetre(
    tmp_path: Path, building: dict[str, object]
) -> None:
    first = build(tmp_path / "a", seed=3, **building)  # type: ignore[arg-type]
    second = build(tmp_path / "b", seed=3, reissue_ids=True, jitter_mm=1.0, **building)  # type: ignore[arg-type]
    right, all_, wrong, links = compare(first, second)
    assert wrong == []
    assert right >= 0.99 * all_ > 200
    # Pairs are worth what both their ends are worth.
    names = {a: b for ids in second.reissued.values() for a, b in ids.items()}
    pairs = [p for p in first.truth if p.kind == "clash"]
    kept = [
        p
        for p in pairs
        if links.get(p.global_id_a) == names[p.global_id_a]
        and links.get(p.global_id_b) == names[p.global_id_b]
    ]
    assert len(kept) >= 0.95 * len(pairs) > 0


def test_what_a_revision_really_changed_is_doubtful_or_gone_but_never_wrong(tmp_path: Path) -> None:
    first = build(tmp_path / "a", seed=3)
    second = build(tmp_path / "b", seed=3, revision="B", reissue_ids=True, jitter_mm=1.0)
    right, all_, wrong, links = compare(first, second)
    assert wrong == []
    by_kind: dict[str, set[str]] = {}
    for change in build(tmp_path / "c", seed=3, revision="B").changes:
        by_kind.setdefault(change.kind, set()).add(change.global_id)
    assert by_kind["deleted"]
    assert not by_kind["deleted"] & set(links)
    # Whose name or properties changed is still found by where it is.
    stays = (by_kind["renamed"] | by_kind["property"]) - by_kind["moved"]
    assert stays <= set(links)
    assert right >= all_ - len(by_kind["moved"]) - len(by_kind["reclassified"])


def test_the_same_revision_again_needs_no_matching(tmp_path: Path) -> None:
    first = build(tmp_path / "a", seed=3)
    second = build(tmp_path / "b", seed=3, revision="B")
    for model, path in first.files.items():
        old, new = signed(path), signed(second.files[model])
        found = match(old, new)
        exact = set(old.global_id.tolist()) & set(new.global_id.tolist())
        assert len(found.old) >= len(exact) > 0
        assert np.array_equal(
            old.global_id[found.old[found.method == 0]], new.global_id[found.new[found.method == 0]]
        )


def test_signatures_do_not_depend_on_ids_or_units(tmp_path: Path) -> None:
    metres = build(tmp_path / "a", seed=3)
    millimetres = build(tmp_path / "b", seed=3, unit="mm", reissue_ids=True)
    for model, path in metres.files.items():
        a, b = signed(path), signed(millimetres.files[model])
        found = match(a, b)
        assert len(found.old) == len(a)
        assert np.allclose(a.volume[found.old], b.volume[found.new], rtol=1e-3, equal_nan=True)
        assert np.allclose(a.centroid[found.old], b.centroid[found.new], atol=1e-4, equal_nan=True)
