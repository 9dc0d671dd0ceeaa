"""What we read of instances by position is what IfcOpenShell's own functions say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.guid
import ifcopenshell.util.element as stock
import pytest

from ifcbase.samples import generate
from ifcbase.tester.facts import (
    defined_by,
    forget,
    is_kind,
    material_of,
    predefined_type_of,
    type_of,
    value_of,
)

SCHEMAS = ["IFC2X3", "IFC4", "IFC4X3"]


@pytest.fixture(autouse=True)
def _forgetting() -> Iterator[None]:
    forget()
    yield
    forget()


def _objects(file: ifcopenshell.file) -> list[Any]:
    return list(file.by_type("IfcObjectDefinition"))


def _agree(file: ifcopenshell.file) -> int:
    """Compare everything with the stock functions; gives how many types and materials there were."""
    found = 0
    for each in _objects(file):
        assert type_of(each) == stock.get_type(each)
        assert predefined_type_of(each) == stock.get_predefined_type(each)
        material = material_of(each)
        assert material == stock.get_material(each, should_skip_usage=True)
        for name in ("Name", "GlobalId", "Tag", "ObjectType", "IsDefinedBy", "NoSuchName"):
            assert (value_of(each, name) or None) == (getattr(each, name, None) or None)
        for ifc_class in ("IfcObject", "IfcTypeObject", "IfcElement", "IfcWall", "IfcRoot"):
            assert is_kind(each, ifc_class) == each.is_a(ifc_class)
        found += (type_of(each) is not None) + (material is not None)
    return found


def _rooted(file: ifcopenshell.file, ifc_class: str, **given: Any) -> Any:
    return file.create_entity(ifc_class, GlobalId=ifcopenshell.guid.new(), **given)


def _typed(file: ifcopenshell.file, occurrences: list[Any], kind: Any) -> Any:
    return _rooted(file, "IfcRelDefinesByType", RelatedObjects=occurrences, RelatingType=kind)


def _made_of(file: ifcopenshell.file, objects: list[Any], material: Any) -> None:
    _rooted(file, "IfcRelAssociatesMaterial", RelatedObjects=objects, RelatingMaterial=material)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_types_materials_and_names_are_those_of_the_stock_functions(schema: str) -> None:
    file = ifcopenshell.file(schema=schema)
    walls = [_rooted(file, "IfcWall", Name=f"w{n}") for n in range(5)]
    kind = _rooted(file, "IfcWallType", PredefinedType="STANDARD")
    own = _rooted(file, "IfcWallType", PredefinedType="USERDEFINED", ElementType="Clay")
    if schema != "IFC2X3":
        _rooted(file, "IfcTaskType", PredefinedType="USERDEFINED", ProcessType="Digging")
    _typed(file, walls[:2], kind)
    _typed(file, walls[2:3], own)
    walls[3].ObjectType = "By hand"
    concrete = file.create_entity("IfcMaterial", Name="Concrete")
    _made_of(file, [kind], concrete)
    layer = file.create_entity("IfcMaterialLayer", Material=concrete, LayerThickness=0.1)
    layers = file.create_entity("IfcMaterialLayerSet", MaterialLayers=[layer])
    usage = file.create_entity(
        "IfcMaterialLayerSetUsage",
        ForLayerSet=layers,
        LayerSetDirection="AXIS2",
        DirectionSense="POSITIVE",
        OffsetFromReferenceLine=0.0,
    )
    _made_of(file, [walls[4]], usage)
    assert _agree(file) >= 7
    assert predefined_type_of(walls[2]) == "Clay"
    assert material_of(walls[0]) == concrete
    assert material_of(walls[4]) == layers


def test_a_generated_building_is_read_as_the_stock_functions_read_it(tmp_path: Path) -> None:
    path = generate(tmp_path, elements=60).files["Architecture"]
    assert _agree(ifcopenshell.open(str(path))) > 20


@pytest.mark.models
def test_a_real_model_is_read_as_the_stock_functions_read_it(models_folder: Path) -> None:
    file = ifcopenshell.open(str(models_folder / "duplex" / "Duplex_Architecture.ifc"))
    assert _agree(file) > 200


def test_what_is_remembered_of_one_model_is_not_said_of_the_next() -> None:
    first = ifcopenshell.file(schema="IFC4")
    wall, kind = _rooted(first, "IfcWall"), _rooted(first, "IfcWallType")
    relation = _typed(first, [wall], kind)
    assert type_of(wall) == kind
    forget()
    first.remove(relation)
    assert type_of(wall) is None
    assert defined_by(wall) == ()


def test_a_typed_value_has_its_type_and_no_attributes() -> None:
    label = ifcopenshell.file(schema="IFC4").create_entity("IfcLabel", "x")
    assert is_kind(label, "IfcLabel")
    assert value_of(label, "Name") is None
