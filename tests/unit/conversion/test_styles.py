"""Colours: of items, of what is mapped and clipped, of materials; several on one element."""

from __future__ import annotations

from typing import Any

import pytest

from ifcbase.conversion.styles import Material, StyleReader
from tests.ifc_builder import IfcBuilder
from tests.unit.conversion.building import GLASS, RED, colour, items


def read(builder: IfcBuilder, element: Any) -> tuple[Material | None, int]:
    styled = StyleReader(builder.file).of(element.id())
    return styled.material, styled.count


def test_an_item_has_its_own_colour() -> None:
    builder = IfcBuilder()
    wall = builder.box("wall")
    colour(builder, items(wall)[0], RED, 0.25, "red")
    assert read(builder, wall) == (Material("red", *RED, 0.75), 1)


def test_without_any_style_there_is_no_colour() -> None:
    builder = IfcBuilder()
    assert read(builder, builder.box("wall")) == (None, 0)
    assert read(builder, builder.root("IfcWall", "no shape")) == (None, 0)


def test_most_items_decide_and_several_are_counted() -> None:
    builder = IfcBuilder()
    wall = builder.box("wall")
    shape = wall.Representation.Representations[0]
    solids = [items(wall)[0], *(items(builder.box("x"))[0] for _ in range(2))]
    shape.Items = solids
    colour(builder, solids[0], GLASS, name="glass")
    for each in solids[1:]:
        colour(builder, each, RED, name="red")
    material, count = read(builder, wall)
    assert material is not None
    assert (material.name, count) == ("red", 2)


def test_mapped_and_clipped_items_show_the_colour_below() -> None:
    builder = IfcBuilder()
    make = builder.file.create_entity
    source = builder.box("source")
    colour(builder, items(source)[0], RED, name="red")
    origin = make("IfcAxis2Placement3D", make("IfcCartesianPoint", (0.0, 0.0, 0.0)))
    mapped = make(
        "IfcMappedItem",
        make("IfcRepresentationMap", origin, source.Representation.Representations[0]),
        make(
            "IfcCartesianTransformationOperator3D",
            LocalOrigin=make("IfcCartesianPoint", (0.0, 0.0, 0.0)),
        ),
    )
    for item in (
        mapped,
        make("IfcBooleanResult", "DIFFERENCE", items(source)[0], items(builder.box("cut"))[0]),
    ):
        wall = builder.box("wall")
        wall.Representation.Representations[0].Items = [item]
        material, count = read(builder, wall)
        assert material is not None
        assert (material.name, count) == ("red", 1)


def test_styles_under_assignments_of_older_schemas_are_found() -> None:
    builder = IfcBuilder("IFC2X3")
    make = builder.file.create_entity
    wall = builder.box("wall")
    shading = make("IfcSurfaceStyleShading", make("IfcColourRgb", None, *RED))
    style = make("IfcSurfaceStyle", "old", "BOTH", [shading])
    make("IfcStyledItem", items(wall)[0], [make("IfcPresentationStyleAssignment", [style])], None)
    assert read(builder, wall) == (Material("old", *RED, 1.0), 1)


@pytest.mark.parametrize("through_type", [False, True])
def test_layers_give_the_colour_of_the_first_that_has_one(through_type: bool) -> None:
    builder = IfcBuilder()
    make = builder.file.create_entity
    wall = builder.box("wall")
    plain, brick = make("IfcMaterial", "plain"), make("IfcMaterial", "brick")
    styled = colour(builder, None, RED, name="brick red")
    definition = make("IfcStyledRepresentation", builder.context, "Style", "Material", [styled])
    make("IfcMaterialDefinitionRepresentation", None, None, [definition], brick)
    layers = make(
        "IfcMaterialLayerSet", [make("IfcMaterialLayer", m, 0.1) for m in (plain, brick)], None
    )
    owner, relating = wall, make("IfcMaterialLayerSetUsage", layers, "AXIS2", "POSITIVE", 0.0)
    if through_type:
        owner, relating = builder.root("IfcWallType", "t", PredefinedType="SOLIDWALL"), layers
        builder.root("IfcRelDefinesByType", RelatedObjects=[wall], RelatingType=owner)
    builder.root("IfcRelAssociatesMaterial", RelatedObjects=[owner], RelatingMaterial=relating)
    material, count = read(builder, wall)
    assert material is not None
    assert (material.name, count) == ("brick red", 1)


def test_colours_of_faces_are_counted() -> None:
    builder = IfcBuilder()
    make = builder.file.create_entity
    points = make(
        "IfcCartesianPointList3D",
        [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)],
    )
    faces = make(
        "IfcTriangulatedFaceSet", points, None, True, [(1, 3, 2), (1, 2, 4), (2, 3, 4), (3, 1, 4)]
    )
    make("IfcIndexedColourMap", faces, 0.5, make("IfcColourRgbList", [RED, GLASS]), [1, 1, 2, 9])
    wall = builder.box("wall")
    wall.Representation.Representations[0].Items = [faces]
    assert read(builder, wall) == (Material("", *RED, 0.5), 2)


def test_channels_out_of_range_are_brought_back() -> None:
    builder = IfcBuilder()
    wall = builder.box("wall")
    colour(builder, items(wall)[0], (2.0, -1.0, 0.5), 3.0, "odd")
    assert read(builder, wall) == (Material("odd", 1.0, 0.0, 0.5, 0.0), 1)


def test_a_representation_that_contains_itself_is_no_trap() -> None:
    builder = IfcBuilder()
    make = builder.file.create_entity
    wall = builder.box("wall")
    shape = wall.Representation.Representations[0]
    origin = make("IfcAxis2Placement3D", make("IfcCartesianPoint", (0.0, 0.0, 0.0)))
    target = make(
        "IfcCartesianTransformationOperator3D",
        LocalOrigin=make("IfcCartesianPoint", (0.0, 0.0, 0.0)),
    )
    shape.Items = [make("IfcMappedItem", make("IfcRepresentationMap", origin, shape), target)]
    assert read(builder, wall) == (None, 0)
