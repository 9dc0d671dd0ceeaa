"""Buildings and their meshes, made once for all tests of conversions."""

from __future__ import annotations

from pathlib import Path

import pytest

from ifcbase.ifc.mesh_cache import MeshCache
from tests.unit.conversion.building import FAR, Converter, building


@pytest.fixture(scope="session")
def converter(tmp_path_factory: pytest.TempPathFactory) -> Converter:
    root = tmp_path_factory.mktemp("conversions")
    folder = root / "cache"
    folder.mkdir()
    return Converter(root, MeshCache(folder, 1 << 30))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return building(tmp_path_factory.mktemp("house") / "house.ifc")


@pytest.fixture(scope="session")
def far_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same far from the origin, in millimetres."""
    return building(tmp_path_factory.mktemp("far") / "far.ifc", at=FAR, unit="mm")
