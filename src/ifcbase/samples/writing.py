"""Writing one model of a planned building as an IFC file with ifcopenshell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ifcbase.samples.ifc_frame import STAMP, FrameWriter, Style
from ifcbase.samples.ifc_shapes import Entity
from ifcbase.samples.plan import HEIGHT, Opening, Part, Properties
from ifcbase.samples.shapes import Vector, as_vector, bar

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


class _Writer(FrameWriter):
    def __init__(self, model: str, style: Style) -> None:
        super().__init__(model, style)
        self.contained: dict[int, list[Entity]] = {}
        self.rooms: dict[int, list[Entity]] = {}
        self.types: dict[tuple[str, str], _Typed] = {}
        self.materials: dict[str, list[Entity]] = {}

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
            self.aggregate(f"storey/{k}", self.storeys[k], rooms)
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
