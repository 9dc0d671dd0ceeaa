"""The stated edits of revision B are the differences of the files; re-issue and jitter too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.util.element
import ifcopenshell.util.placement
import ifcopenshell.util.unit
import numpy as np
import pytest

from ifcbase.samples import Change, Sample, build
from tests.unit.samples import oracle

HERE = (0.0, 0.0, 0.0)


def elements(file: Any) -> dict[str, Any]:
    return {e.GlobalId: e for e in file.by_type("IfcElement")}


def differences(before: Path, after: Path, model: str) -> list[Change]:
    """What a reader of both files sees, without knowing what was meant."""
    # The files are held for as long as their elements are read.
    first, second = ifcopenshell.open(before), ifcopenshell.open(after)
    old, new = elements(first), elements(second)
    scale = ifcopenshell.util.unit.calculate_unit_scale(first)
    found = [Change("deleted", model, key, old[key].Name) for key in old.keys() - new.keys()]
    found += [Change("added", model, key, new[key].Name) for key in new.keys() - old.keys()]
    for key in old.keys() & new.keys():
        a, b = old[key], new[key]
        if a.Name != b.Name:
            found.append(Change("renamed", model, key, b.Name, "Name", a.Name, b.Name))
        if a.is_a() != b.is_a():
            found.append(Change("reclassified", model, key, b.Name, "class", a.is_a(), b.is_a()))
        at_a = ifcopenshell.util.placement.get_local_placement(a.ObjectPlacement)[:3, 3]
        at_b = ifcopenshell.util.placement.get_local_placement(b.ObjectPlacement)[:3, 3]
        x, y, z = (float(v) for v in np.round((at_b - at_a) * scale, 6) + 0.0)
        if x or y or z:
            by = (x, y, z)
            found.append(Change("moved", model, key, b.Name, "ObjectPlacement", moved_by_m=by))
        found += _properties(model, key, a, b)
    return found


def _properties(model: str, key: str, a: Any, b: Any) -> list[Change]:
    old = ifcopenshell.util.element.get_psets(a)
    new = ifcopenshell.util.element.get_psets(b)
    assert old.keys() == new.keys()
    return [
        Change("property", model, key, b.Name, f"{pset}.{name}", value, new[pset][name])
        for pset, values in old.items()
        for name, value in values.items()
        if name != "id" and value != new[pset][name]
    ]


def rounded(change: Change) -> Change:
    if change.moved_by_m is None:
        return change
    x, y, z = (round(v, 6) + 0.0 for v in change.moved_by_m)
    return replace(change, moved_by_m=(x, y, z))


@pytest.mark.parametrize(
    "arguments",
    [
        {"bays": (2, 2)},
        {"unit": "mm", "schema": "IFC2X3", "bays": (1, 3)},
        {"storeys": 1, "bays": (1, 1)},
    ],
    ids=str,
)
def test_the_stated_edits_are_the_differences_of_the_files(
    arguments: dict[str, Any], tmp_path: Path
) -> None:
    a = build(tmp_path, revision="A", **arguments)
    b = build(tmp_path, revision="B", **arguments)
    found: list[Change] = []
    for model in a.files:
        found += differences(a.files[model], b.files[model], model)
    key = lambda change: (change.kind, change.model, change.global_id)  # noqa: E731
    assert sorted(found, key=key) == sorted(map(rounded, b.changes), key=key)
    assert a.changes == []


def test_every_kind_of_edit_occurs(revision_b: Sample) -> None:
    kinds = {change.kind for change in revision_b.changes}
    assert kinds == {"added", "deleted", "moved", "renamed", "property", "reclassified"}
    run = [c for c in revision_b.changes if c.moved_by_m and round(c.moved_by_m[0], 6) == 0.69]
    assert len(run) == 3, "two pipes and the coupling between them"


def test_shapes_of_unmoved_elements_stay(revision_a: Sample, revision_b: Sample) -> None:
    edited = {(c.model, c.global_id) for c in revision_b.changes if c.kind == "moved"}
    compared = 0
    for model, path in revision_a.files.items():
        before = oracle.solids(path, HERE, fast=True)
        after = oracle.solids(revision_b.files[model], HERE, fast=True)
        for key in before.keys() & after.keys():
            same = np.array_equal(before[key].lo, after[key].lo)
            assert same == ((model, key) not in edited)
            assert before[key].volume == pytest.approx(after[key].volume, rel=1e-9)
            compared += 1
    assert compared > 150


def test_reissued_ids_are_all_new_and_mapped(tmp_path: Path, revision_a: Sample) -> None:
    again = build(tmp_path, bays=(2, 2), reissue_ids=True)
    assert revision_a.reissued == {}
    for model, path in again.files.items():
        originals, file = ifcopenshell.open(revision_a.files[model]), ifcopenshell.open(path)
        old = {root.GlobalId for root in originals.by_type("IfcRoot")}
        new = {root.GlobalId for root in file.by_type("IfcRoot")}
        assert len(new) == len(old)
        assert not new & old
        physical = {
            e.GlobalId: e
            for e in [*elements(file).values(), *file.by_type("IfcSpace")]
            if not e.is_a("IfcFeatureElement")
        }
        mapping = again.reissued[model]
        assert set(mapping.values()) == physical.keys()
        for before, now in mapping.items():
            assert originals.by_guid(before).Name == physical[now].Name
    for first, second in zip(revision_a.truth, again.truth, strict=True):
        assert again.reissued[first.model_a][first.global_id_a] == second.global_id_a
        assert again.reissued[first.model_b][first.global_id_b] == second.global_id_b


@pytest.mark.parametrize("jitter", [0.3, 1.0])
def test_jitter_moves_every_element_but_no_corner_too_far(
    jitter: float, tmp_path: Path, revision_a: Sample
) -> None:
    shaken = build(tmp_path, bays=(2, 2), jitter_mm=jitter)
    assert shaken.within_m == 2 * jitter / 1000
    reach, round_ones = jitter / 1000 + 1e-6, 0
    for model, path in shaken.files.items():
        before, after = (oracle.solids(p, HERE, fast=True) for p in (revision_a.files[model], path))
        assert before.keys() == after.keys()
        for key, solid in before.items():
            other = after[key]
            corners, moved = (
                np.asarray(s.body.to_mesh64().vert_properties)[:, :3] for s in (solid, other)
            )
            extents = np.abs([solid.lo - other.lo, solid.hi - other.hi]).max()
            if len(corners) != len(moved):  # a circle meshed with another number of segments
                round_ones += 1
                assert 0 < extents <= reach + 0.0015, (model, solid.ifc_class)
                continue
            assert 0 < extents <= reach, (model, solid.ifc_class)
            distance = np.linalg.norm(corners[:, None] - moved[None], axis=2)
            farthest = max(distance.min(axis=0).max(), distance.min(axis=1).max())
            assert farthest <= reach, (model, solid.ifc_class)
    assert round_ones < 10
