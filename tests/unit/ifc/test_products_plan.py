"""Regression: a supplier's slabs, drawn as bodies in the plan's context, were not looked at."""

from __future__ import annotations

import ifcopenshell
import pytest

from ifcbase.ifc.inventory import read_inventory


def model(identifier: str | None, context_type: str) -> ifcopenshell.file:
    """One wall with an extruded box in a context of that type."""
    file = ifcopenshell.file(schema="IFC4")
    origin = file.createIfcAxis2Placement3D(file.createIfcCartesianPoint((0.0, 0.0, 0.0)))
    context = file.createIfcGeometricRepresentationContext(None, context_type, 3, 1e-5, origin)
    profile = file.createIfcRectangleProfileDef("AREA", None, None, 1.0, 1.0)
    solid = file.createIfcExtrudedAreaSolid(
        profile, origin, file.createIfcDirection((0.0, 0.0, 1.0)), 1.0
    )
    shape = file.createIfcShapeRepresentation(context, identifier, "SweptSolid", [solid])
    file.createIfcWall(
        ifcopenshell.guid.new(),
        Representation=file.createIfcProductDefinitionShape(None, None, [shape]),
    )
    return file


@pytest.mark.parametrize(
    ("identifier", "context_type", "body"),
    [
        ("Body", "Model", True),
        ("Body", "Plan", True),
        ("FootPrint", "Plan", False),
        (None, "Plan", False),
    ],
)
def test_bodies_in_the_plans_context_are_bodies(
    identifier: str | None, context_type: str, body: bool
) -> None:
    inventory = read_inventory(model(identifier, context_type))
    assert [each.has_representation for each in inventory.elements] == [body]
