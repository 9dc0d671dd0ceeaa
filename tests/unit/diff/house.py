"""A small model with everything a diff looks at, and edits of it whose report is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.guid

from ifcbase.diff.compare import compare
from ifcbase.diff.report import DiffReport
from ifcbase.diff.request import parse_request
from tests.ifc_builder import IfcBuilder

#: (GlobalId, facet) of every row a report is expected to have.
Expected = set[tuple[str, str]]


def guid(number: int) -> str:
    """A GlobalId that is the same in every run."""
    return str(ifcopenshell.guid.compress(f"{number:032x}"))


@dataclass
class House:
    """``walls`` stand 4 m apart; the i-th has GlobalId ``guid(1000 + i)``."""

    builder: IfcBuilder
    walls: list[Any]
    storeys: list[Any]

    @property
    def file(self) -> Any:
        return self.builder.file

    @property
    def scale(self) -> float:
        """File units per metre."""
        return float(self.builder._per_metre)

    def write(self, path: Path) -> Path:
        return self.builder.write(path)


def house(count: int = 8, schema: str = "IFC4", unit: str = "m") -> House:
    """Walls with types, property sets, quantities, materials, classifications, on two storeys."""
    made = IfcBuilder(schema, unit)
    made.project.GlobalId = guid(1)
    per_metre = made._per_metre
    storeys = [made.storey(f"Level {k}") for k in range(2)]
    for k, storey in enumerate(storeys):
        storey.GlobalId = guid(10 + k)
        storey.Elevation = 3.0 * k * per_metre
    make = made.file.create_entity
    kinds = [
        made.root("IfcWallType", f"Type {k}", GlobalId=guid(20 + k), PredefinedType="STANDARD")
        for k in range(2)
    ]
    materials = [make("IfcMaterial", f"Material {k}") for k in range(2)]
    system = _system(made)
    walls = []
    for i in range(count):
        wall = made.box(f"Wall {i}", (4.0 * i, 0, 0), (2.0, 0.2, 2.5), GlobalId=guid(1000 + i))
        wall.Tag = f"T{i}"
        walls.append(wall)
        mark = make("IfcPropertySingleValue", "Mark", None, make("IfcLabel", f"M{i}"), None)
        # As long in every unit: a value that is written otherwise in another one.
        length = make(
            "IfcPropertySingleValue", "Length", None,
            make("IfcLengthMeasure", 2.0 * per_metre), None,
        )  # fmt: skip
        own = made.root(
            "IfcPropertySet", "Own", GlobalId=guid(3000 + i), HasProperties=[mark, length]
        )
        span = make("IfcQuantityLength", "Span", None, None, 2.0 * per_metre)
        area = make("IfcQuantityArea", "Side", None, None, 5.0)
        sizes = made.root(
            "IfcElementQuantity", "Sizes", GlobalId=guid(4000 + i), Quantities=[span, area]
        )
        for k, definition in enumerate((own, sizes)):
            made.root(
                "IfcRelDefinesByProperties", GlobalId=guid(5000 + 10 * i + k),
                RelatedObjects=[wall], RelatingPropertyDefinition=definition,
            )  # fmt: skip
        made.root("IfcRelDefinesByType", GlobalId=guid(6000 + i), RelatedObjects=[wall],
                  RelatingType=kinds[0])  # fmt: skip
        made.root("IfcRelAssociatesMaterial", GlobalId=guid(7000 + i), RelatedObjects=[wall],
                  RelatingMaterial=materials[0])  # fmt: skip
        made.root("IfcRelAssociatesClassification", GlobalId=guid(8000 + i), RelatedObjects=[wall],
                  RelatingClassification=_reference(made, system, "21.1"))  # fmt: skip
        contained = made.contain(storeys[0], [wall])
        contained.GlobalId = guid(9000 + i)
    made.aggregate(made.project, [storeys[0]])
    _units(made)
    return House(made, walls, storeys)


def _units(made: IfcBuilder) -> None:
    make = made.file.create_entity
    units = made.project.UnitsInContext
    area = make("IfcSIUnit", None, "AREAUNIT", None, "SQUARE_METRE")
    units.Units = [*units.Units, area]


def _system(made: IfcBuilder) -> Any:
    if made.file.schema == "IFC4X3":
        return made.file.create_entity("IfcClassification", Name="NL/SfB")
    return made.file.create_entity(
        "IfcClassification", Source="BIMLoket", Edition="2005", Name="NL/SfB"
    )


def _reference(made: IfcBuilder, system: Any, code: str) -> Any:
    word = "ItemReference" if made.file.schema == "IFC2X3" else "Identification"
    return made.file.create_entity(
        "IfcClassificationReference", Name="Walls", ReferencedSource=system, **{word: code}
    )


# --- edits: each takes the house and a wall's number and gives what the report is to say -----------


def renamed(made: House, i: int) -> Expected:
    made.walls[i].Name = f"Renamed {i}"
    return {(guid(1000 + i), "attributes")}


def moved(made: House, i: int) -> Expected:
    point = made.walls[i].ObjectPlacement.RelativePlacement.Location
    x, y, z = point.Coordinates
    point.Coordinates = (x, y + 0.003 * made.scale, z)
    return {(guid(1000 + i), "placement")}


def moved_in_its_shape(made: House, i: int) -> Expected:
    """The placement stays, the body is drawn elsewhere: it has moved all the same."""
    profile = _solid(made, i).SweptArea
    x, y = profile.Position.Location.Coordinates
    profile.Position.Location.Coordinates = (x + 0.05 * made.scale, y)
    return {(guid(1000 + i), "placement")}


def drawn_otherwise(made: House, i: int) -> Expected:
    """Another placement that the body makes up for: nothing has changed."""
    point = made.walls[i].ObjectPlacement.RelativePlacement.Location
    profile = _solid(made, i).SweptArea
    step = 0.7 * made.scale
    x, y, z = point.Coordinates
    point.Coordinates = (x - step, y, z)
    x, y = profile.Position.Location.Coordinates
    profile.Position.Location.Coordinates = (x + step, y)
    return set()


def turned(made: House, i: int) -> Expected:
    axes = made.walls[i].ObjectPlacement.RelativePlacement
    make = made.file.create_entity
    angle = math.radians(10)
    axes.Axis = make("IfcDirection", (0.0, 0.0, 1.0))
    axes.RefDirection = make("IfcDirection", (math.cos(angle), math.sin(angle), 0.0))
    return {(guid(1000 + i), "placement")}


def reshaped(made: House, i: int) -> Expected:
    _solid(made, i).Depth = 2.6 * made.scale
    return {(guid(1000 + i), "geometry")}


def opened(made: House, i: int) -> Expected:
    """An opening is told by its host's shape."""
    opening = made.builder.opening(made.walls[i], (4.0 * i + 0.5, -0.1, 0.5), (0.5, 0.4, 0.5))
    opening.GlobalId = guid(11000 + i)
    return {(guid(1000 + i), "geometry")}


def reclassed(made: House, i: int) -> Expected:
    replace_class(made, i, "IfcBeam")
    return {(guid(1000 + i), "class")}


def retyped(made: House, i: int) -> Expected:
    relation = _relation(made, "IfcRelDefinesByType", i)
    relation.RelatingType = made.file.by_type("IfcWallType")[1]
    return {(guid(1000 + i), "type")}


def marked(made: House, i: int) -> Expected:
    _definition(made, i, "Own").HasProperties[0].NominalValue.wrappedValue = "changed"
    return {(guid(1000 + i), "property")}


def unmarked(made: House, i: int) -> Expected:
    own = _definition(made, i, "Own")
    own.HasProperties = own.HasProperties[1:]
    return {(guid(1000 + i), "property")}


def measured(made: House, i: int) -> Expected:
    _definition(made, i, "Sizes").Quantities[0][3] = 2.001 * made.scale
    return {(guid(1000 + i), "quantity")}


def contained(made: House, i: int) -> Expected:
    relation = _relation(made, "IfcRelContainedInSpatialStructure", i, "RelatedElements")
    relation.RelatingStructure = made.storeys[1]
    return {(guid(1000 + i), "container")}


def aggregated(made: House, i: int) -> Expected:
    """Into an assembly of its own, which is added."""
    whole = made.builder.root("IfcElementAssembly", f"Whole {i}", GlobalId=guid(12000 + i))
    relation = made.builder.aggregate(whole, [made.walls[i]])
    relation.GlobalId = guid(13000 + i)
    return {(guid(1000 + i), "aggregate"), (guid(12000 + i), "added")}


def classified(made: House, i: int) -> Expected:
    relation = _relation(made, "IfcRelAssociatesClassification", i)
    system = made.file.by_type("IfcClassification")[0]
    relation.RelatingClassification = _reference(made.builder, system, "22.1")
    return {(guid(1000 + i), "classification")}


def other_material(made: House, i: int) -> Expected:
    relation = _relation(made, "IfcRelAssociatesMaterial", i)
    relation.RelatingMaterial = made.file.by_type("IfcMaterial")[1]
    return {(guid(1000 + i), "material")}


def deleted(made: House, i: int) -> Expected:
    for relation in list(made.file.get_inverse(made.walls[i])):
        made.file.remove(relation)
    made.file.remove(made.walls[i])
    return {(guid(1000 + i), "deleted")}


def added(made: House, i: int) -> Expected:
    """Far from the others, so that it cannot be one of them."""
    made.builder.box(
        f"Added {i}", (4.0 * i, 50.0, 0), (1, 1, 1), "IfcColumn", made.storeys[0],
        GlobalId=guid(14000 + i),
    )  # fmt: skip
    return {(guid(14000 + i), "added")}


def rewritten(made: House, i: int) -> Expected:
    """Another owner, another id of a relation, the same values: nothing has changed."""
    relation = _relation(made, "IfcRelAssociatesMaterial", i)
    relation.GlobalId = guid(15000 + i)
    relation.RelatingMaterial = made.file.create_entity("IfcMaterial", "Material 0")
    return set()


Edit = Callable[[House, int], Expected]
EDITS: tuple[Edit, ...] = (
    renamed, moved, moved_in_its_shape, drawn_otherwise, turned, reshaped, opened, reclassed, retyped,
    marked, unmarked, measured, contained, aggregated, classified, other_material, deleted, added,
    rewritten,
)  # fmt: skip


def replace_class(made: House, i: int, ifc_class: str) -> None:
    """Give a wall another class and leave it all else (its type is a type of walls no more)."""
    wall = made.walls[i]
    known = wall.get_info(include_identifier=False)
    named = {k: v for k, v in known.items() if k != "type" and v is not None}
    relations = [(r, at) for r in made.file.get_inverse(wall) for at in range(len(r))]
    fresh = made.file.create_entity(ifc_class)
    for name, value in named.items():
        if hasattr(fresh, name):
            setattr(fresh, name, value)
    for relation, at in relations:
        value = relation[at]
        if value == wall:
            relation[at] = fresh
        elif isinstance(value, tuple) and wall in value:
            relation[at] = [fresh if each == wall else each for each in value]
    made.file.remove(wall)
    made.walls[i] = fresh


def _solid(made: House, i: int) -> Any:
    return made.walls[i].Representation.Representations[0].Items[0]


def _definition(made: House, i: int, name: str) -> Any:
    for relation in made.file.by_type("IfcRelDefinesByProperties"):
        definition = relation.RelatingPropertyDefinition
        if made.walls[i] in relation.RelatedObjects and definition.Name == name:
            return definition
    raise KeyError(name)


def _relation(made: House, ifc_class: str, i: int, parts: str = "RelatedObjects") -> Any:
    return next(r for r in made.file.by_type(ifc_class) if made.walls[i] in getattr(r, parts))


# --- comparing --------------------------------------------------------------------------------------


def compared(old: Path, new: Path, **asked: Any) -> DiffReport:
    """The report on two files."""
    request = parse_request({"old_file": "old.ifc", "new_file": "new.ifc", **asked})
    return compare(request, {"old.ifc": old, "new.ifc": new})


def rows(report: DiffReport) -> Expected:
    """(GlobalId, facet) of every row."""
    found = []
    for change in report.changes:
        side = report.new if change.new is not None else report.old
        index = change.new if change.new is not None else change.old
        assert index is not None
        found.append((side.element(index).global_id, str(change.facet)))
    assert len(set(found)) == len(found)
    return set(found)
