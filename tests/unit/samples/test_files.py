"""The written files: valid, repeatable, in the asked unit, place and schema."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import ifcopenshell
import ifcopenshell.util.element
import ifcopenshell.util.placement
import ifcopenshell.util.unit
import ifcopenshell.validate
import numpy as np
import pytest

from ifcbase.errors import RequestInvalid
from ifcbase.samples import Sample, Schema, build
from tests.unit.samples import oracle

SCHEMAS = get_args(Schema)
HERE = (0.0, 0.0, 0.0)


def complaints(path: Path, *, express_rules: bool = False) -> list[str]:
    logger = ifcopenshell.validate.json_logger()
    ifcopenshell.validate.validate(ifcopenshell.open(path), logger, express_rules=express_rules)
    return [f"{s.get('instance')}: {s['message']}" for s in logger.statements]


@pytest.mark.parametrize("revision", ["A", "B"])
@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_are_valid(schema: Schema, revision: Any, tmp_path: Path) -> None:
    sample = build(
        tmp_path,
        bays=(2, 1),
        storeys=1,
        schema=schema,
        unit="mm",
        georeferenced=True,
        rotation=10,
        revision=revision,
    )
    for path in sample.files.values():
        assert complaints(path) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # IfcOpenShell's own rule file
@pytest.mark.parametrize("model", ["Architecture", "Services"])
def test_files_keep_the_rules_of_the_schema(model: str, tmp_path: Path) -> None:
    sample = build(tmp_path, bays=(1, 1), storeys=1, unit="mm", georeferenced=True, rotation=10)
    assert complaints(sample.files[model], express_rules=True) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"schema": "IFC2X3", "unit": "mm", "revision": "B"},
        {"schema": "IFC4X3", "georeferenced": True},
        {"jitter_mm": 1.0, "reissue_ids": True, "seed": 3},
    ],
    ids=str,
)
def test_the_same_arguments_give_the_same_bytes(arguments: dict[str, Any], tmp_path: Path) -> None:
    first = build(tmp_path / "1", bays=(1, 1), **arguments)
    second = build(tmp_path / "2", bays=(1, 1), **arguments)
    for model, path in first.files.items():
        assert path.read_bytes() == second.files[model].read_bytes()
    assert first.truth == second.truth
    assert first.changes == second.changes


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    """Neither hash order nor leftovers of an earlier file may show."""
    code = (
        "import sys, pathlib; from ifcbase import samples;"
        "samples.build(pathlib.Path(sys.argv[1]), bays=(1, 1), storeys=1)"
    )
    build(tmp_path / "warm-up", bays=(2, 1))
    here = build(tmp_path / "here", bays=(1, 1), storeys=1)
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "77",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    there = tmp_path / "there"
    subprocess.run([sys.executable, "-c", code, str(there)], check=True, env=environment)
    for path in here.files.values():
        assert path.read_bytes() == (there / path.name).read_bytes()


def test_names_carry_the_revision_so_that_the_stream_can_be_guessed(
    revision_a: Sample, revision_b: Sample
) -> None:
    assert {m: p.name for m, p in revision_a.files.items()} == {
        "Architecture": "Sample_Architecture_rev-A.ifc",
        "Structure": "Sample_Structure_rev-A.ifc",
        "Services": "Sample_Services_rev-A.ifc",
    }
    assert revision_b.files["Services"].name == "Sample_Services_rev-B.ifc"


def test_millimetres_and_metres_are_the_same_building(tmp_path: Path, revision_a: Sample) -> None:
    other = build(tmp_path, bays=(2, 2), unit="mm")
    for model, path in other.files.items():
        assert ifcopenshell.util.unit.calculate_unit_scale(ifcopenshell.open(path)) == 1e-3
        small = oracle.solids(path, HERE, fast=True)
        large = oracle.solids(revision_a.files[model], HERE, fast=True)
        assert small.keys() == large.keys()
        for key, solid in small.items():
            assert solid.lo == pytest.approx(large[key].lo, abs=2e-6)
            assert solid.volume == pytest.approx(large[key].volume, rel=1e-4)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("unit", ["m", "mm"])
def test_a_georeferenced_building_lies_on_the_map_once(
    schema: Schema, unit: Any, tmp_path: Path
) -> None:
    """The site's placement holds the offset; the map conversion must not add it again."""
    sample = build(tmp_path, storeys=1, bays=(1, 1), georeferenced=True, schema=schema, unit=unit)
    solids = oracle.solids(sample.files["Structure"], HERE, fast=True)
    lowest = np.min([s.lo for s in solids.values()], axis=0)
    assert lowest == pytest.approx([499_999.4, 6_599_999.4, 99.24], abs=0.01)
    file = ifcopenshell.open(sample.files["Structure"])
    if schema != "IFC2X3":
        (conversion,) = file.by_type("IfcMapConversion")
        assert (conversion.Eastings, conversion.Northings, conversion.OrthogonalHeight) == (0, 0, 0)
        assert conversion.Scale == (0.001 if unit == "mm" else 1.0)
        assert conversion.TargetCRS.Name.startswith("EPSG:")


def test_ids_differ_between_models_and_seeds(tmp_path: Path, revision_a: Sample) -> None:
    other = build(tmp_path, bays=(2, 2), seed=1)
    ids: list[str] = []
    for sample in (revision_a, other):
        for path in sample.files.values():
            ids += [root.GlobalId for root in ifcopenshell.open(path).by_type("IfcRoot")]
    assert len(ids) == len(set(ids))


def test_the_building_has_what_people_expect_in_models(revision_a: Sample) -> None:
    files = {model: ifcopenshell.open(path) for model, path in revision_a.files.items()}
    count = {
        (model, name): len(files[model].by_type(name))
        for model, name in [
            ("Architecture", "IfcWall"),
            ("Architecture", "IfcDoor"),
            ("Architecture", "IfcWindow"),
            ("Architecture", "IfcSpace"),
            ("Architecture", "IfcStairFlight"),
            ("Architecture", "IfcRelFillsElement"),
            ("Architecture", "IfcMappedItem"),
            ("Architecture", "IfcBooleanClippingResult"),
            ("Structure", "IfcFooting"),
            ("Structure", "IfcOpeningElement"),
            ("Services", "IfcFacetedBrep"),
            ("Services", "IfcTriangulatedFaceSet"),
            ("Services", "IfcCircleProfileDef"),
        ]
    }
    assert count["Architecture", "IfcDoor"] == 8
    assert count["Architecture", "IfcWindow"] == 16
    assert count["Architecture", "IfcRelFillsElement"] == 24
    assert count["Structure", "IfcFooting"] == 9
    assert all(count.values()), count
    for model, file in files.items():
        assert len(file.by_type("IfcBuildingStorey")) == 3
        for element in file.by_type("IfcElement"):
            if element.is_a("IfcFeatureElement"):
                continue
            assert element.Name
            assert ifcopenshell.util.element.get_type(element), element
            assert ifcopenshell.util.element.get_material(element), element
            storey = ifcopenshell.util.element.get_container(element)
            assert storey.is_a("IfcBuildingStorey"), (model, element)


def test_old_files_have_no_class_the_old_schema_lacks(tmp_path: Path) -> None:
    sample = build(tmp_path, schema="IFC2X3", bays=(1, 2))
    file = ifcopenshell.open(sample.files["Services"])
    assert file.schema == "IFC2X3"
    types = {ifcopenshell.util.element.get_type(e).is_a() for e in file.by_type("IfcFlowSegment")}
    assert types == {"IfcPipeSegmentType", "IfcDuctSegmentType"}


@pytest.mark.parametrize(
    "arguments",
    [{"storeys": 0}, {"bays": (0, 1)}, {"jitter_mm": 2.5}, {"jitter_mm": -1.0}],
    ids=str,
)
def test_a_building_that_cannot_be_is_refused(arguments: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RequestInvalid):
        build(tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []
