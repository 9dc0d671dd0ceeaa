"""Real models: valid by the validator of the format's makers, read again by others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import trimesh

from ifcbase.conversion.report import Verdict
from tests.unit.conversion.building import Converter

pytestmark = pytest.mark.models

MODELS = ["duplex/Duplex_Architecture.ifc", "pcert/Building-Structural.ifc"]
VALIDATOR = "gltf-validator@2.0.0-dev.3.10"
SCRIPT = """
const validator = require('gltf-validator');
const files = process.argv.slice(1);
Promise.all(files.map(file => validator.validateBytes(
    new Uint8Array(require('fs').readFileSync(file)))))
  .then(found => console.log(JSON.stringify(found)));
"""


@pytest.fixture(scope="session")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Khronos' validator: one that is installed, else fetched by npm."""
    reason = "needs npm and its registry for Khronos' glTF validator"
    if shutil.which("npm") is None:
        _absent(f"{reason}: npm is not installed")
    folder = tmp_path_factory.mktemp("validator")
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), VALIDATOR],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        _absent(f"{reason}: {done.stderr[-300:]}")
    return folder


def _absent(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def test_the_makers_of_the_format_find_no_fault(
    validator: Path, models_folder: Path, house: Path, far_house: Path, converter: Converter
) -> None:
    models = [house, far_house, *(models_folder / name for name in MODELS)]
    files = [str(converter(model, "a.glb")[0]) for model in models]
    files += [str(converter(house, "a.glb", include="IfcChimney")[0])]  # nothing in it
    files += [str(converter(house, "a.glb", weld_vertices=True, center_model=True)[0])]
    done = subprocess.run(
        ["node", "-e", SCRIPT, *files], cwd=validator, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    for file, found in zip(files, json.loads(done.stdout), strict=True):
        issues = found["issues"]
        counts = (issues["numErrors"], issues["numWarnings"])
        assert counts == (0, 0), (file, issues["messages"][:3])


@pytest.mark.parametrize("name", MODELS)
def test_a_real_model_keeps_its_extents_in_every_format(
    models_folder: Path, converter: Converter, name: str
) -> None:
    path, report = converter(models_folder / name, "a.glb")
    assert report.verdict() is Verdict.CONVERTED
    scene = trimesh.load_scene(path)
    # The reader makes one of each part: an element of several colours is several.
    assert report.converted <= len(scene.geometry) <= 3 * report.converted
    points = scene.to_geometry().vertices
    turned = np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)
    path, _ = converter(models_folder / name, "a.obj")
    other = trimesh.load_mesh(path, process=False)
    bounds = np.array([turned.min(axis=0), turned.max(axis=0)])
    assert np.abs(bounds - other.bounds).max() < 1e-4
    assert len(other.faces) == report.counts["triangles"]


def test_several_colours_are_kept(models_folder: Path, converter: Converter) -> None:
    path, report = converter(models_folder / MODELS[0], "a.glb")
    assert report.counts["painted"] == report.counts["several_colours"] > 0
    assert not any("several colours" in text for text in report.warnings)
    scene = trimesh.load_scene(path)
    assert len(scene.geometry) > report.converted


def test_plans_of_a_real_building_show_its_walls(models_folder: Path, converter: Converter) -> None:
    path, report = converter(models_folder / MODELS[0], "a.svg")
    text = path.read_text(encoding="utf-8")
    assert report.counts["drawn"] > 50
    assert text.count('class="IfcBuildingStorey"') == 4
    assert "IfcWallStandardCase" in text
