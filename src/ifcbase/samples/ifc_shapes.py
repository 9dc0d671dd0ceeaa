"""Shapes of a planned building as IFC entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ifcopenshell

from ifcbase.samples.shapes import (
    ACROSS,
    AXES,
    Clip,
    Extrusion,
    Facets,
    Rectangle,
    Shape,
    Vector,
)
from ifcbase.samples.truth import Schema, Unit

Entity = Any  # ifcopenshell is untyped

COLOURS: dict[str, Vector] = {
    "Concrete C30/37": (0.70, 0.70, 0.68),
    "Brick": (0.72, 0.42, 0.33),
    "Plasterboard on studs": (0.93, 0.92, 0.88),
    "Glass in timber": (0.60, 0.78, 0.88),
    "Oak": (0.62, 0.46, 0.28),
    "Sheet steel": (0.55, 0.65, 0.75),
    "Steel, galvanised": (0.35, 0.50, 0.65),
    "Steel S355": (0.55, 0.25, 0.22),
    "Calcium sulphate panel": (0.80, 0.80, 0.75),
}


class ShapeWriter:
    """An IFC file and the entities of geometry in it; lengths come in metres."""

    body: Entity  # the context of all shapes, set with the frame

    def __init__(self, schema: Schema, unit: Unit) -> None:
        self.old = schema == "IFC2X3"
        self.digits, self.scale = (6, 1000.0) if unit == "mm" else (9, 1.0)
        self.file: Any = ifcopenshell.file(schema=schema)
        self.styles: dict[str, Entity] = {}

    # --- small things ---------------------------------------------------------------------------

    def make(self, ifc_class: str, **attributes: Any) -> Entity:
        return self.file.create_entity(ifc_class, **attributes)

    def length(self, metres: float) -> float:
        return float(round(metres * self.scale, self.digits)) + 0.0

    def point(self, metres: Sequence[float]) -> Entity:
        return self.make("IfcCartesianPoint", Coordinates=[self.length(v) for v in metres])

    def direction(self, ratios: Sequence[float]) -> Entity:
        return self.make("IfcDirection", DirectionRatios=[float(v) for v in ratios])

    def axes(
        self, at: Vector = (0.0, 0.0, 0.0), up: Vector | None = None, ahead: Vector | None = None
    ) -> Entity:
        # IFC wants both directions or neither.
        turned = up is not None or ahead is not None
        return self.make(
            "IfcAxis2Placement3D",
            Location=self.point(at),
            Axis=self.direction(up or AXES["z"]) if turned else None,
            RefDirection=self.direction(ahead or AXES["x"]) if turned else None,
        )

    def placement(self, parent: Entity | None, axes: Entity) -> Entity:
        return self.make("IfcLocalPlacement", PlacementRelTo=parent, RelativePlacement=axes)

    # --- geometry -------------------------------------------------------------------------------

    def shape(self, items: list[Entity], kind: str) -> Entity:
        return self.make(
            "IfcProductDefinitionShape", Representations=[self.representation(items, kind)]
        )

    def representation(self, items: list[Entity], kind: str) -> Entity:
        return self.make(
            "IfcShapeRepresentation",
            ContextOfItems=self.body,
            RepresentationIdentifier="Body",
            RepresentationType=kind,
            Items=items,
        )

    def mapped(self, shape_map: Entity) -> Entity:
        target = self.make(
            "IfcCartesianTransformationOperator3D", LocalOrigin=self.point((0.0, 0.0, 0.0))
        )
        return self.make("IfcMappedItem", MappingSource=shape_map, MappingTarget=target)

    def solid(self, shape: Shape, material: str) -> tuple[list[Entity], str]:
        if isinstance(shape, Facets):
            tessellated = shape.tessellated and not self.old
            item = self._tessellation(shape) if tessellated else self._brep(shape)
            kind = "Tessellation" if tessellated else "Brep"
        else:
            item, kind = self._extrusion(shape), "SweptSolid"
            if shape.clip:
                item, kind = self._clipped(item, shape.clip), "Clipping"
        if material:
            self._paint(item, material)
        return [item], kind

    def _extrusion(self, shape: Extrusion) -> Entity:
        section = shape.section
        at = None
        if self.old:  # there the position of a section is not optional
            at = self.make("IfcAxis2Placement2D", Location=self.point((0.0, 0.0)))
        if isinstance(section, Rectangle):
            profile = self.make(
                "IfcRectangleProfileDef",
                ProfileType="AREA",
                Position=at,
                XDim=self.length(section.x),
                YDim=self.length(section.y),
            )
        else:
            profile = self.make(
                "IfcCircleProfileDef",
                ProfileType="AREA",
                Position=at,
                Radius=self.length(section.radius),
            )
        ahead = AXES["xyz"[ACROSS[shape.along][0]]]  # type: ignore[index]
        return self.make(
            "IfcExtrudedAreaSolid",
            SweptArea=profile,
            Position=self.axes(up=AXES[shape.along], ahead=ahead),
            ExtrudedDirection=self.direction((0.0, 0.0, 1.0)),
            Depth=self.length(shape.length),
        )

    def _clipped(self, solid: Entity, clip: Clip) -> Entity:
        # The half space is the material below the plane; agreement False turns it to the other.
        plane = self.make("IfcPlane", Position=self.axes(clip.point, up=clip.normal))
        half = self.make("IfcHalfSpaceSolid", BaseSurface=plane, AgreementFlag=False)
        return self.make(
            "IfcBooleanClippingResult",
            Operator="DIFFERENCE",
            FirstOperand=solid,
            SecondOperand=half,
        )

    def _brep(self, shape: Facets) -> Entity:
        points = [self.point(v) for v in shape.vertices]
        faces = [
            self.make(
                "IfcFace",
                Bounds=[
                    self.make(
                        "IfcFaceOuterBound",
                        Bound=self.make("IfcPolyLoop", Polygon=[points[i] for i in triangle]),
                        Orientation=True,
                    )
                ],
            )
            for triangle in shape.triangles
        ]
        return self.make("IfcFacetedBrep", Outer=self.make("IfcClosedShell", CfsFaces=faces))

    def _tessellation(self, shape: Facets) -> Entity:
        points = self.make(
            "IfcCartesianPointList3D",
            CoordList=[[self.length(v) for v in vertex] for vertex in shape.vertices],
        )
        return self.make(
            "IfcTriangulatedFaceSet",
            Coordinates=points,
            Closed=True,
            CoordIndex=[[i + 1 for i in triangle] for triangle in shape.triangles],
        )

    def _paint(self, item: Entity, material: str) -> None:
        if material not in self.styles:
            red, green, blue = COLOURS[material]
            colour = self.make("IfcColourRgb", Red=red, Green=green, Blue=blue)
            look = self.make(
                "IfcSurfaceStyleRendering",
                SurfaceColour=colour,
                Transparency=0.0,
                ReflectanceMethod="NOTDEFINED",
            )
            style = self.make("IfcSurfaceStyle", Name=material, Side="BOTH", Styles=[look])
            if self.old:
                style = self.make("IfcPresentationStyleAssignment", Styles=[style])
            self.styles[material] = style
        self.make("IfcStyledItem", Item=item, Styles=[self.styles[material]])
