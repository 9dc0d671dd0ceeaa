"""Small IFC files made for one question each, and what is wanted of real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.guid
import numpy as np

from ifcbase.ifc.meshing.mesher import Wanted

Triple = tuple[float, float, float]


def wanted_of(model: ifcopenshell.file) -> Wanted:
    """Every physical element that has any representation."""
    products = [
        p
        for p in model.by_type("IfcElement")
        if p.Representation and not p.is_a("IfcFeatureElement")
    ]
    return Wanted(
        np.array([p.id() for p in products], np.int64),
        tuple(p.GlobalId for p in products),
        tuple(p.is_a() for p in products),
    )


@dataclass
class Writer:
    """Writes boxes, openings and odd shapes; lengths are in the unit of the file."""

    unit: str | None = None  # prefix of the metre
    site: Triple = (0.0, 0.0, 0.0)
    file: ifcopenshell.file = field(init=False)
    elements: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file = ifcopenshell.file(schema="IFC4")
        make = self.file.create_entity
        length = make("IfcSIUnit", UnitType="LENGTHUNIT", Name="METRE", Prefix=self.unit)
        angle = make("IfcSIUnit", UnitType="PLANEANGLEUNIT", Name="RADIAN")
        context = make(
            "IfcGeometricRepresentationContext",
            ContextType="Model",
            CoordinateSpaceDimension=3,
            Precision=1e-5,
            WorldCoordinateSystem=self.axis((0, 0, 0)),
        )
        self.contexts = {
            name: make(
                "IfcGeometricRepresentationSubContext",
                ContextIdentifier=name,
                ContextType="Model",
                ParentContext=context,
                TargetView="MODEL_VIEW",
            )
            for name in ("Body", "Axis")
        }
        make(
            "IfcProject",
            ifcopenshell.guid.new(),
            RepresentationContexts=[context],
            UnitsInContext=make("IfcUnitAssignment", [length, angle]),
        )
        self.site_placement = make("IfcLocalPlacement", None, self.axis(self.site))

    def point(self, *xyz: float) -> Any:
        return self.file.create_entity("IfcCartesianPoint", tuple(float(x) for x in xyz))

    def axis(self, at: Triple) -> Any:
        return self.file.create_entity("IfcAxis2Placement3D", self.point(*at))

    def extrusion(self, at: Triple, size: Triple) -> Any:
        make = self.file.create_entity
        middle = make("IfcAxis2Placement2D", self.point(size[0] / 2, size[1] / 2))
        profile = make(
            "IfcRectangleProfileDef", "AREA", None, middle, float(size[0]), float(size[1])
        )
        up = make("IfcDirection", (0.0, 0.0, 1.0))
        return make("IfcExtrudedAreaSolid", profile, self.axis(at), up, float(size[2]))

    def faces(self, entity: str, mesh: tuple[Any, Any]) -> Any:
        """A brep or surface model of triangles."""
        make = self.file.create_entity
        vertices, triangles = mesh
        points = [self.point(*v) for v in vertices]
        made = []
        for triangle in triangles:
            loop = make("IfcPolyLoop", [points[i] for i in triangle])
            made.append(make("IfcFace", [make("IfcFaceOuterBound", loop, True)]))
        if entity == "IfcFacetedBrep":
            return make(entity, make("IfcClosedShell", made))
        return make("IfcFaceBasedSurfaceModel", [make("IfcConnectedFaceSet", made)])

    def element(
        self,
        items: Sequence[Any],
        *,
        ifc_class: str = "IfcWall",
        global_id: str | None = None,
        identifier: str = "Body",
        kind: str = "SweptSolid",
    ) -> Any:
        make = self.file.create_entity
        shape = make(
            "IfcShapeRepresentation", self.contexts[identifier], identifier, kind, list(items)
        )
        element = make(
            ifc_class,
            global_id or ifcopenshell.guid.new(),
            Name=f"{ifc_class} {len(self.elements)}",
            ObjectPlacement=make("IfcLocalPlacement", self.site_placement, self.axis((0, 0, 0))),
            Representation=make("IfcProductDefinitionShape", Representations=[shape]),
        )
        if ifc_class != "IfcOpeningElement":
            self.elements.append(element)
        return element

    def box(self, at: Triple, size: Triple, **facts: Any) -> Any:
        return self.element([self.extrusion(at, size)], **facts)

    def void(self, host: Any, at: Triple, size: Triple) -> Any:
        opening = self.box(at, size, ifc_class="IfcOpeningElement")
        self.file.create_entity(
            "IfcRelVoidsElement", ifcopenshell.guid.new(), None, None, None, host, opening
        )
        return opening

    def write(self, path: Path) -> Wanted:
        self.file.write(str(path))
        return Wanted(
            np.array([e.id() for e in self.elements], np.int64),
            tuple(e.GlobalId for e in self.elements),
            tuple(e.is_a() for e in self.elements),
        )
