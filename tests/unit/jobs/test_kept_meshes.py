"""Meshes kept around diffs and conversions: the second run makes none, and says the same."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ifcbase.ifc.mesh_cache import STAGE
from ifcbase.jobs.meshes import KeptMeshes
from ifcbase.jobs.registry import CHECKS, check_named
from ifcbase.settings import Settings
from tests.unit.conversion.building import building
from tests.unit.diff.house import house

#: Whoever of these is called makes a mesh or a signature.
MAKERS = (
    "ifcbase.ifc.meshing.here.mesh_file",
    "ifcbase.ifc.signing.read_signatures",
    "ifcbase.diff.shapes.mesh_files",
    "ifcbase.conversion.convert.mesh_files",
)


def called(path: str) -> Callable[..., None]:
    module, _, name = path.partition(":")
    found: Callable[..., None] = getattr(importlib.import_module(module), name)
    return found


def conversion(folder: Path) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    model = building(folder / "house.ifc")
    request = {"input_filename": "m.ifc", "output_filename": "m.glb"}
    return request, {"m.ifc": str(model)}, ["output.glb"]


def diff(folder: Path) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Two houses that are alike but for one wall's height, which only meshes can tell."""
    old, new = house(3), house(3)
    solid = new.walls[0].Representation.Representations[0].Items[0]
    solid.Depth = 2 * solid.Depth
    inputs = {
        name: str(made.write(folder / name)) for name, made in (("old.ifc", old), ("new.ifc", new))
    }
    return {"old_file": "old.ifc", "new_file": "new.ifc"}, inputs, ["output.json"]


GIVEN = {"conversion": conversion, "diff": diff}


def test_every_check_on_meshes_takes_what_its_worker_gives(settings: Settings) -> None:
    options = KeptMeshes.of(settings).options()
    using = {name for name, check in CHECKS.items() if check.uses_meshes}
    assert using == {"clash", "conversion", "diff"}
    for name in using:
        for path in filter(None, (CHECKS[name].run, CHECKS[name].run_again)):
            inspect.signature(called(path)).bind({}, {}, Path(), None, **options)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.mark.parametrize("sign", [True, False])
@pytest.mark.parametrize("name", sorted(GIVEN))
def test_the_second_run_makes_nothing_and_says_the_same(
    name: str, sign: bool, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, inputs, outputs = GIVEN[name](tmp_path)
    meshes = KeptMeshes.of(settings, sign=sign)
    run = called(check_named(name).run)

    def done(word: str) -> Path:
        folder = tmp_path / word
        folder.mkdir()
        run(request, inputs, folder, **meshes.options())
        meshes.admit(folder)
        return folder

    cold = done("cold")
    staged = {each.suffix for each in (cold / STAGE).iterdir()}
    assert staged == ({".mesh", ".signed"} if sign else {".mesh"})

    def made(*_: Any, **__: Any) -> None:
        raise AssertionError("something was made again")

    for maker in MAKERS:
        monkeypatch.setattr(maker, made)
    warm = done("warm")
    assert list((warm / STAGE).iterdir()) == []
    for output in outputs:
        assert (warm / output).read_bytes() == (cold / output).read_bytes()
    if name == "diff":
        assert json.loads((warm / "output.json").read_bytes())["diff_count"] == 1


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_the_second_attempt_runs_meshers_apart_and_says_the_same(
    name: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, inputs, outputs = GIVEN[name](tmp_path)
    options = KeptMeshes.of(settings, sign=False).options()
    check = check_named(name)
    assert check.run_again is not None
    folders = [tmp_path / "first", tmp_path / "again"]
    for folder in folders:
        folder.mkdir()
    called(check.run)(request, inputs, folders[0], **options)

    def crash(*_: Any, **__: Any) -> None:
        raise AssertionError("meshed here")

    monkeypatch.setattr("ifcbase.ifc.meshing.here.mesh_file", crash)
    called(check.run_again)(request, inputs, folders[1], **options)
    for output in outputs:
        first, again = (folder / output for folder in folders)
        assert again.read_bytes() == first.read_bytes()
