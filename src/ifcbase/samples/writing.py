"""Writing one model of a planned building as an IFC file with ifcopenshell."""

from __future__ import annotations

import base64
import hashlib
import math
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ifcbase.samples.ifc_shapes import Entity, ShapeWriter
from ifcbase.samples.plan import HEIGHT, Opening, Part, Properties
from ifcbase.samples.shapes import Vector, as_vector, bar
from ifcbase.samples.truth import Schema, Unit

#: Where a georeferenced site lies: easting, northing and height in metres.
GEOREFERENCE: Vector = (500_000.0, 6_600_000.0, 100.0)
STAMP = "2025-01-01T00:00:00"
STAMP_SECONDS = 1_735_689_600

#: What IFC2X3 has instead of the classes of IFC4.
OLD_CLASSES = {
    "IfcPipeSegment": "IfcFlowSegment",
    "IfcDuctSegment": "IfcFlowSegment",
    "IfcPipeFitting": "IfcFlowFitting",
    "IfcDuctFitting": "IfcFlowFitting",
}
#: Types whose attributes differ too much in IFC2X3 to be written there.
NO_OLD_TYPE = {"IfcDoor", "IfcWindow", "IfcFooting"}
PREDEFINED = {
    "IfcSlab": "FLOOR",
    "IfcColumn": "COLUMN",
    "IfcBeam": "BEAM",
    "IfcFooting": "PAD_FOOTING",
    "IfcStairFlight": "STRAIGHT",
    "IfcPipeSegment": "RIGIDSEGMENT",
    "IfcDuctSegment": "RIGIDSEGMENT",
    "IfcPipeFitting": "CONNECTOR",
    "IfcDuctFitting": "CONNECTOR",
    "IfcDoor": "DOOR",
    "IfcWindow": "WINDOW",
}


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


def write(path: Path, model: str, parts: Sequence[Part], storeys: int, style: Style) -> None:
    """Write the parts of one model; the same arguments always give the same bytes."""
    writer = _Writer(model, style)
    writer.frame(storeys)
    for part in parts:
        writer.part(part)
    writer.relations()
    writer.header(path.name)
    writer.file.write(str(path))


@dataclass(slots=True)
class _Typed:
    entity: Entity
    shape_map: Entity | None = None
    occurrences: list[Entity] = field(default_factory=list)


class _Writer(ShapeWriter):
    def __init__(self, model: str, style: Style) -> None:
        super().__init__(style.schema, style.unit)
        self.model = model
        self.style = style
        self.owner: Entity = None
        self.storeys: list[Entity] = []
        self.contained: dict[int, list[Entity]] = {}
        self.rooms: dict[int, list[Entity]] = {}
        self.types: dict[tuple[str, str], _Typed] = {}
        self.materials: dict[str, list[Entity]] = {}

    def rooted(self, ifc_class: str, role: str, **attributes: Any) -> Entity:
        return self.make(
            ifc_class,
            GlobalId=self.style.global_id(self.model, role),
            OwnerHistory=self.owner,
            **attributes,
        )

    # --- the frame: project, site, building, storeys --------------------------------------------

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
        self._aggregate("project", project, [site])
        self._aggregate("site", site, [building])
        self._aggregate("building", building, self.storeys)

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

    def _aggregate(self, role: str, whole: Entity, parts: list[Entity]) -> None:
        self.rooted("IfcRelAggregates", f"{role}/parts", RelatingObject=whole, RelatedObjects=parts)

    # --- elements -------------------------------------------------------------------------------

    def part(self, part: Part) -> Entity:
        storey = self.storeys[part.storey]
        x, y, z = part.at
        placement = self.placement(
            storey.ObjectPlacement, self.axes((x, y, z - part.storey * HEIGHT))
        )
        element = self._element(part, placement)
        home = self.rooms if part.ifc_class == "IfcSpace" else self.contained
        home.setdefault(part.storey, []).append(element)
        for n, opening in enumerate(part.openings):
            self._opening(part, element, n, opening)
        return element

    def _element(self, part: Part, placement: Entity) -> Entity:
        ifc_class = OLD_CLASSES.get(part.ifc_class, part.ifc_class) if self.old else part.ifc_class
        element = self.rooted(ifc_class, part.role, Name=part.name, ObjectPlacement=placement)
        if part.ifc_class == "IfcSpace":
            element.CompositionType = "ELEMENT"
            if self.old:
                element.InteriorOrExteriorSpace = "INTERNAL"
        elif part.ifc_class == "IfcFooting" and self.old:
            element.PredefinedType = "PAD_FOOTING"
        typed = self._typed(part)
        if typed:
            typed.occurrences.append(element)
            element.ObjectType = part.kind
        if typed and typed.shape_map:
            items = [self.mapped(typed.shape_map)]
            kind = "MappedRepresentation"
        else:
            items, kind = self.solid(part.shape, part.material)
        element.Representation = self.shape(items, kind)
        if part.material:
            self.materials.setdefault(part.material, []).append(element)
        self._properties(part.role, element, part.properties)
        return element

    def _opening(self, part: Part, host: Entity, n: int, opening: Opening) -> None:
        at, shape = bar(opening.lo, opening.hi)
        items, kind = self.solid(shape, "")
        role = f"{part.role}/opening/{n}"
        hole = self.rooted(
            "IfcOpeningElement",
            role,
            Name=f"Opening {n + 1}",
            ObjectPlacement=self.placement(
                host.ObjectPlacement, self.axes(_difference(at, part.at))
            ),
            Representation=self.shape(items, kind),
        )
        if not self.old:
            hole.PredefinedType = "OPENING"
        self.rooted(
            "IfcRelVoidsElement",
            f"{role}/voids",
            RelatingBuildingElement=host,
            RelatedOpeningElement=hole,
        )
        if opening.filling:
            filling = opening.filling
            axes = self.axes(_difference(filling.at, at))
            element = self._element(filling, self.placement(hole.ObjectPlacement, axes))
            self.contained.setdefault(filling.storey, []).append(element)
            self.rooted(
                "IfcRelFillsElement",
                f"{role}/fills",
                RelatingOpeningElement=hole,
                RelatedBuildingElement=element,
            )

    def _typed(self, part: Part) -> _Typed | None:
        if not part.kind:
            return None
        key = (part.ifc_class, part.kind)
        if key not in self.types:
            shape_map = None
            if part.mapped:
                items, kind = self.solid(part.shape, part.material)
                shape_map = self.make(
                    "IfcRepresentationMap",
                    MappingOrigin=self.axes(),
                    MappedRepresentation=self.representation(items, kind),
                )
            self.types[key] = _Typed(self._type(part, shape_map), shape_map)
        return self.types[key]

    def _type(self, part: Part, shape_map: Entity | None) -> Entity:
        role = f"type/{part.ifc_class}/{part.kind}"
        maps = [shape_map] if shape_map else None
        if self.old and part.ifc_class in NO_OLD_TYPE:
            return self.rooted("IfcTypeProduct", role, Name=part.kind, RepresentationMaps=maps)
        entity = self.rooted(
            f"{part.ifc_class}Type",
            role,
            Name=part.kind,
            RepresentationMaps=maps,
            PredefinedType=PREDEFINED.get(part.ifc_class, "NOTDEFINED"),
        )
        if part.ifc_class == "IfcDoor":
            entity.OperationType = "SINGLE_SWING_LEFT"
        elif part.ifc_class == "IfcWindow":
            entity.PartitioningType = "SINGLE_PANEL"
        return entity

    def _properties(self, role: str, element: Entity, properties: Properties) -> None:
        kinds = {bool: "IfcBoolean", str: "IfcLabel", float: "IfcReal"}
        for name, values in properties.items():
            singles = [
                self._single(key, value, kinds[type(value)]) for key, value in values.items()
            ]
            pset = self.rooted("IfcPropertySet", f"{role}/{name}", Name=name, HasProperties=singles)
            self.rooted(
                "IfcRelDefinesByProperties",
                f"{role}/{name}/defines",
                RelatedObjects=[element],
                RelatingPropertyDefinition=pset,
            )

    def _single(self, name: str, value: str | bool | float, kind: str) -> Entity:
        return self.make(
            "IfcPropertySingleValue", Name=name, NominalValue=self.file.create_entity(kind, value)
        )

    # --- what ties elements together ------------------------------------------------------------

    def relations(self) -> None:
        for k, elements in sorted(self.contained.items()):
            self.rooted(
                "IfcRelContainedInSpatialStructure",
                f"storey/{k}/contains",
                RelatedElements=elements,
                RelatingStructure=self.storeys[k],
            )
        for k, rooms in sorted(self.rooms.items()):
            self._aggregate(f"storey/{k}", self.storeys[k], rooms)
        for (ifc_class, name), typed in self.types.items():
            self.rooted(
                "IfcRelDefinesByType",
                f"type/{ifc_class}/{name}/defines",
                RelatedObjects=typed.occurrences,
                RelatingType=typed.entity,
            )
        for name, elements in self.materials.items():
            self.rooted(
                "IfcRelAssociatesMaterial",
                f"material/{name}",
                RelatedObjects=elements,
                RelatingMaterial=self.make("IfcMaterial", Name=name),
            )

    def header(self, name: str) -> None:
        header = self.file.header.file_name
        header.name = name
        header.time_stamp = STAMP
        header.preprocessor_version = header.originating_system = "ifcbase samples"


def _difference(a: Vector, b: Vector) -> Vector:
    return as_vector([x - y for x, y in zip(a, b, strict=True)])
