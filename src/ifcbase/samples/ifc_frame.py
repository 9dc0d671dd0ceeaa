"""The frame of a sample model: ids, owner, units, project, site, building, storeys."""

from __future__ import annotations

import base64
import hashlib
import math
import string
from dataclasses import dataclass
from typing import Any

from ifcbase.samples.ifc_shapes import Entity, ShapeWriter
from ifcbase.samples.plan import HEIGHT
from ifcbase.samples.shapes import Vector
from ifcbase.samples.truth import Schema, Unit

#: Where a georeferenced site lies: easting, northing and height in metres.
GEOREFERENCE: Vector = (500_000.0, 6_600_000.0, 100.0)
STAMP = "2025-01-01T00:00:00"
STAMP_SECONDS = 1_735_689_600


#: From the alphabet of base64 to the one of GlobalIds.
TO_IFC = bytes.maketrans(
    (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").encode(),
    (string.digits + string.ascii_uppercase + string.ascii_lowercase + "_$").encode(),
)


def guid(*words: object) -> str:
    """A GlobalId that the same words always give: 128 bits of their SHA-256."""
    digest = hashlib.sha256("/".join(map(str, words)).encode()).digest()
    # 22 characters of six bits hold 132; the first character is 0 to 3.
    tail = base64.b64encode(digest[1:17]).translate(TO_IFC)[:21]
    return f"{digest[0] & 3}{tail.decode()}"


@dataclass(frozen=True, slots=True)
class Style:
    """How a model is written: everything that is not the building itself."""

    schema: Schema = "IFC4"
    unit: Unit = "m"
    georeferenced: bool = False
    rotation: float = 0.0  # degrees, anticlockwise
    seed: int = 0
    salt: str = ""  # another salt gives every GlobalId anew

    def global_id(self, model: str, role: str) -> str:
        return guid(self.seed, self.salt, model, role)


class FrameWriter(ShapeWriter):
    """An IFC file whose entities have GlobalIds by role, and the frame that holds its elements."""

    def __init__(self, model: str, style: Style) -> None:
        super().__init__(style.schema, style.unit)
        self.model = model
        self.style = style
        self.owner: Entity = None
        self.storeys: list[Entity] = []

    def rooted(self, ifc_class: str, role: str, **attributes: Any) -> Entity:
        return self.make(
            ifc_class,
            GlobalId=self.style.global_id(self.model, role),
            OwnerHistory=self.owner,
            **attributes,
        )

    def frame(self, storeys: int) -> None:
        person = self.make("IfcPerson", FamilyName="Sample")
        organisation = self.make("IfcOrganization", Name="ifcbase")
        self.owner = self.make(
            "IfcOwnerHistory",
            OwningUser=self.make(
                "IfcPersonAndOrganization", ThePerson=person, TheOrganization=organisation
            ),
            OwningApplication=self.make(
                "IfcApplication",
                ApplicationDeveloper=organisation,
                Version="1",
                ApplicationFullName="ifcbase samples",
                ApplicationIdentifier="ifcbase.samples",
            ),
            ChangeAction="NOCHANGE",
            CreationDate=STAMP_SECONDS,
        )
        world = self.make(
            "IfcGeometricRepresentationContext",
            ContextType="Model",
            CoordinateSpaceDimension=3,
            Precision=1e-6 * self.scale,
            WorldCoordinateSystem=self.axes(),
        )
        self.body = self.make(
            "IfcGeometricRepresentationSubContext",
            ContextIdentifier="Body",
            ContextType="Model",
            ParentContext=world,
            TargetView="MODEL_VIEW",
        )
        project = self.rooted(
            "IfcProject",
            "project",
            Name=f"Sample building, {self.model.lower()}",
            RepresentationContexts=[world],
            UnitsInContext=self._units(),
        )
        turn = math.radians(self.style.rotation)
        ahead = (math.cos(turn), math.sin(turn), 0.0) if turn else None
        origin = GEOREFERENCE if self.style.georeferenced else (0.0, 0.0, 0.0)
        if self.style.georeferenced and not self.old:
            self._map(world)
        site = self._spatial("IfcSite", "site", "Site", None, self.axes(origin, ahead=ahead))
        building = self._spatial(
            "IfcBuilding", "building", "Sample building", site.ObjectPlacement, self.axes()
        )
        for k in range(storeys + 1):
            storey = self._spatial(
                "IfcBuildingStorey",
                f"storey/{k}",
                f"Level {k + 1}" if k < storeys else "Roof",
                building.ObjectPlacement,
                self.axes((0.0, 0.0, k * HEIGHT)),
            )
            storey.Elevation = self.length(k * HEIGHT)
            self.storeys.append(storey)
        self.aggregate("project", project, [site])
        self.aggregate("site", site, [building])
        self.aggregate("building", building, self.storeys)

    def _units(self) -> Entity:
        prefix = "MILLI" if self.style.unit == "mm" else None
        return self.make(
            "IfcUnitAssignment",
            Units=[
                self.make("IfcSIUnit", UnitType="LENGTHUNIT", Prefix=prefix, Name="METRE"),
                self.make("IfcSIUnit", UnitType="AREAUNIT", Name="SQUARE_METRE"),
                self.make("IfcSIUnit", UnitType="VOLUMEUNIT", Name="CUBIC_METRE"),
                self.make("IfcSIUnit", UnitType="PLANEANGLEUNIT", Name="RADIAN"),
            ],
        )

    def _map(self, world: Entity) -> None:
        """Say that the model's coordinates are those of the map.

        The offset is in the site's placement, which is what meshes show; a second one here would
        be counted twice by programs that add both.
        """
        metre = self.make("IfcSIUnit", UnitType="LENGTHUNIT", Name="METRE")
        self.make(
            "IfcMapConversion",
            SourceCRS=world,
            TargetCRS=self.make("IfcProjectedCRS", Name="EPSG:25832", MapUnit=metre),
            Eastings=0.0,
            Northings=0.0,
            OrthogonalHeight=0.0,
            XAxisAbscissa=1.0,
            XAxisOrdinate=0.0,
            Scale=1.0 / self.scale,
        )

    def _spatial(
        self, ifc_class: str, role: str, name: str, parent: Entity | None, axes: Entity
    ) -> Entity:
        return self.rooted(
            ifc_class,
            role,
            Name=name,
            ObjectPlacement=self.placement(parent, axes),
            CompositionType="ELEMENT",
        )

    def aggregate(self, role: str, whole: Entity, parts: list[Entity]) -> None:
        self.rooted("IfcRelAggregates", f"{role}/parts", RelatingObject=whole, RelatedObjects=parts)
