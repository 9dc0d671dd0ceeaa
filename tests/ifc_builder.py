"""Small IFC models for tests: boxes of known place and size, with the relations around them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.guid

Vector = tuple[float, float, float]


class IfcBuilder:
    """Places and sizes are metres whatever the unit of the file is ("m" or "mm")."""

    def __init__(self, schema: str = "IFC4", unit: str = "m") -> None:
        self.file = ifcopenshell.file(schema=schema)
        self._per_metre = 1000.0 if unit == "mm" else 1.0
        make = self.file.create_entity
        self._axes = make("IfcAxis2Placement3D", make("IfcCartesianPoint", (0.0, 0.0, 0.0)))
        self.context = make(
            "IfcGeometricRepresentationContext", None, "Model", 3, 1e-5, self._axes, None
        )
        prefix = "MILLI" if unit == "mm" else None
        units = [
            make("IfcSIUnit", None, "LENGTHUNIT", prefix, "METRE"),
            make("IfcSIUnit", None, "PLANEANGLEUNIT", None, "RADIAN"),
        ]
        self.project = make(
            "IfcProject",
            GlobalId=ifcopenshell.guid.new(),
            Name="test",
            RepresentationContexts=[self.context],
            UnitsInContext=make("IfcUnitAssignment", units),
        )

    def root(self, ifc_class: str, name: str | None = None, **attributes: Any) -> Any:
        """Any rooted entity with a fresh GlobalId, if none is given."""
        attributes.setdefault("GlobalId", ifcopenshell.guid.new())
        return self.file.create_entity(ifc_class, Name=name, **attributes)

    def storey(self, name: str) -> Any:
        storey = self.root("IfcBuildingStorey", name, ObjectPlacement=self.placement((0, 0, 0)))
        self.aggregate(self.project, [storey])
        return storey

    def placement(self, at: Vector) -> Any:
        make = self.file.create_entity
        point = make("IfcCartesianPoint", tuple(float(v) * self._per_metre for v in at))
        return make("IfcLocalPlacement", None, make("IfcAxis2Placement3D", point))

    def body(self, size: Vector, identifier: str = "Body", kind: str = "SweptSolid") -> Any:
        """A box from the placement's origin along its axes."""
        make = self.file.create_entity
        dx, dy, dz = (float(v) * self._per_metre for v in size)
        middle = make("IfcAxis2Placement2D", make("IfcCartesianPoint", (dx / 2, dy / 2)))
        profile = make("IfcRectangleProfileDef", "AREA", None, middle, dx, dy)
        up = make("IfcDirection", (0.0, 0.0, 1.0))
        solid = make("IfcExtrudedAreaSolid", profile, self._axes, up, dz)
        shape = make("IfcShapeRepresentation", self.context, identifier, kind, [solid])
        return make("IfcProductDefinitionShape", None, None, [shape])

    def axis_only(self) -> Any:
        make = self.file.create_entity
        ends = [make("IfcCartesianPoint", (0.0, 0.0)), make("IfcCartesianPoint", (1.0, 0.0))]
        line = make("IfcPolyline", ends)
        shape = make("IfcShapeRepresentation", self.context, "Axis", "Curve2D", [line])
        return make("IfcProductDefinitionShape", None, None, [shape])

    def box(
        self,
        name: str | None,
        at: Vector = (0, 0, 0),
        size: Vector = (1, 1, 1),
        ifc_class: str = "IfcWall",
        storey: Any = None,
        **attributes: Any,
    ) -> Any:
        attributes.setdefault("Representation", self.body(size))
        element = self.root(ifc_class, name, ObjectPlacement=self.placement(at), **attributes)
        if storey is not None:
            self.contain(storey, [element])
        return element

    def opening(self, host: Any, at: Vector, size: Vector, filling: Any = None) -> Any:
        opening = self.box("opening", at, size, "IfcOpeningElement")
        self.root("IfcRelVoidsElement", RelatingBuildingElement=host, RelatedOpeningElement=opening)
        if filling is not None:
            self.root(
                "IfcRelFillsElement",
                RelatingOpeningElement=opening,
                RelatedBuildingElement=filling,
            )
        return opening

    def aggregate(self, whole: Any, parts: Sequence[Any]) -> Any:
        return self.root("IfcRelAggregates", RelatingObject=whole, RelatedObjects=list(parts))

    def contain(self, structure: Any, elements: Sequence[Any]) -> Any:
        return self.root(
            "IfcRelContainedInSpatialStructure",
            RelatingStructure=structure,
            RelatedElements=list(elements),
        )

    def write(self, path: Path) -> Path:
        self.file.write(str(path))
        return path
