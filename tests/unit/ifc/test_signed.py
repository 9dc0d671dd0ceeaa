"""Signatures kept beside the meshes: as they were, of the same elements, or not at all."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.inventory import Inventory, read_inventory
from ifcbase.ifc.mesh_cache import SIGNED, MeshCache, stage_signed
from ifcbase.ifc.opening import open_model
from ifcbase.ifc.signatures import Signatures
from ifcbase.ifc.signed import read_signed, signing_key, write_signed
from ifcbase.ifc.traits import read_signatures
from tests.ifc_builder import IfcBuilder

KEY = signing_key("0" * 64, "fast 1")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Inventory, Signatures]:
    builder = IfcBuilder()
    builder.box("wall", (0, 0, 0), (5, 0.2, 3))
    builder.box("beam", (2, -1, 1), (0.1, 2, 0.1))
    path = builder.write(tmp_path_factory.mktemp("signed") / "two.ifc")
    file = open_model(path)
    inventory = read_inventory(file)
    return inventory, read_signatures(file, inventory, path)


def assert_same(one: Signatures, two: Signatures) -> None:
    for field in dataclasses.fields(Signatures):
        mine, theirs = getattr(one, field.name), getattr(two, field.name)
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f")


def test_round_trip(model: tuple[Inventory, Signatures], tmp_path: Path) -> None:
    inventory, signatures = model
    assert signatures.shaped.sum() == 2
    write_signed(signatures, KEY, tmp_path / "one")
    found = read_signed(tmp_path / "one", KEY, inventory)
    assert found is not None
    assert_same(found, signatures)


def test_any_changed_byte_is_noticed(model: tuple[Inventory, Signatures], tmp_path: Path) -> None:
    inventory, signatures = model
    path = tmp_path / "one"
    write_signed(signatures, KEY, path)
    good = path.read_bytes()
    for at in range(0, len(good), 11):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(ReportInvalid):
            read_signed(path, KEY, inventory)
    path.write_bytes(good)
    with pytest.raises(ReportInvalid, match="key"):
        read_signed(path, signing_key("1" * 64, "fast 1"), inventory)


def test_of_other_elements_they_are_refused(
    model: tuple[Inventory, Signatures], tmp_path: Path
) -> None:
    inventory, signatures = model
    write_signed(signatures.take([0]), KEY, tmp_path / "one")
    with pytest.raises(ReportInvalid, match="length"):
        read_signed(tmp_path / "one", KEY, inventory)


def test_the_key_holds_who_made_them() -> None:
    assert len({KEY, signing_key("0" * 64, "fast 2"), signing_key("1" * 64, "fast 1")}) == 3


def test_the_cache_gives_them_back_and_drops_damaged_ones(
    model: tuple[Inventory, Signatures], tmp_path: Path
) -> None:
    inventory, signatures = model
    cache, stage = MeshCache(tmp_path / "cache", 1 << 20), tmp_path / "stage"
    stage.mkdir()
    cache.admit(stage_signed(stage, KEY, signatures))
    found = cache.get_signed(KEY, inventory)
    assert found is not None
    assert_same(found, signatures)
    path = cache.path(KEY, SIGNED)
    path.write_bytes(path.read_bytes() + b"x")
    assert cache.get_signed(KEY, inventory) is None
    assert not path.exists()
