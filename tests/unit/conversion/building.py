"""A small coloured building of known boxes, and conversions of it on kept meshes."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ifcbase.conversion.convert import Meshes, convert
from ifcbase.conversion.report import ConversionReport
from ifcbase.conversion.request import parse_request
from ifcbase.ifc.mesh_cache import MeshCache
from tests.ifc_builder import IfcBuilder, Vector

#: A place in a national grid, in metres: single precision is off by centimetres there.
FAR: Vector = (155000.123, 463000.456, 12.0)
RED, GLASS = (0.8, 0.1, 0.1), (0.2, 0.6, 0.9)


def colour(
    builder: IfcBuilder, item: Any, rgb: Vector, transparency: float = 0.0, name: str = "paint"
) -> Any:
    """Give an item a surface style."""
    make = builder.file.create_entity
    shading = make(
        "IfcSurfaceStyleRendering", make("IfcColourRgb", None, *rgb), transparency,
        ReflectanceMethod="NOTDEFINED",
    )  # fmt: skip
    style = make("IfcSurfaceStyle", name, "BOTH", [shading])
    return make("IfcStyledItem", item, [style], None)


def items(element: Any) -> list[Any]:
    return list(element.Representation.Representations[0].Items)


def storey(builder: IfcBuilder, name: str, height: float, at: Vector = (0, 0, 0)) -> Any:
    place = builder.placement((at[0], at[1], at[2] + height))
    return builder.root("IfcBuildingStorey", name, ObjectPlacement=place)


def building(path: Path, at: Vector = (0.0, 0.0, 0.0), unit: str = "m") -> Path:
    """Two storeys of 3 m: a red wall with an opening and a glass pane, a slab whose material is
    coloured, a column through both, a proxy without a shape."""
    builder = IfcBuilder(unit=unit)
    make = builder.file.create_entity

    def moved(x: float, y: float, z: float) -> Vector:
        return (at[0] + x, at[1] + y, at[2] + z)

    house = builder.root("IfcBuilding", "House & <Garden>")
    ground, upper = (
        storey(builder, name, height, at) for name, height in (("Ground", 0.0), ("Upper", 3.0))
    )
    builder.aggregate(builder.project, [house])
    builder.aggregate(house, [ground, upper])

    wall = builder.box('Wall <1> & "co"', moved(0, 0, 0), (4, 0.2, 3), "IfcWall", ground)
    colour(builder, items(wall)[0], RED, name="red")
    pane = builder.box("=Pane", moved(1, 0, 1), (1, 0.2, 1), "IfcWindow", ground)
    colour(builder, items(pane)[0], GLASS, 0.6, name="glass")
    builder.opening(wall, moved(1, 0, 1), (1, 0.2, 1), pane)
    slab = builder.box("Slab", moved(0, 0, 2.8), (4, 5, 0.2), "IfcSlab", upper)
    concrete = make("IfcMaterial", "Concrete")
    styled = colour(builder, None, (0.5, 0.5, 0.5), name="grey")
    definition = make("IfcStyledRepresentation", builder.context, "Style", "Material", [styled])
    make("IfcMaterialDefinitionRepresentation", None, None, [definition], concrete)
    builder.root("IfcRelAssociatesMaterial", RelatedObjects=[slab], RelatingMaterial=concrete)
    builder.box("Column", moved(3, 3, 0), (0.5, 0.5, 6), "IfcColumn", ground)
    proxy = builder.root("IfcBuildingElementProxy", "nothing to see")
    builder.contain(ground, [proxy])
    builder.file.header.file_name.time_stamp = "2026-01-02T03:04:05"
    return builder.write(path)


@dataclass
class Converter:
    """Converts into new folders; meshes that were made once are kept."""

    root: Path
    cache: MeshCache

    def __call__(
        self, model: Path, output: str, *, kept: bool = True, isolated: bool = False, **options: Any
    ) -> tuple[Path, ConversionReport]:
        """The written file and the report."""
        folder = Path(tempfile.mkdtemp(dir=self.root))
        stage = folder / "meshes"
        stage.mkdir()
        request = parse_request(
            {"input_filename": model.name, "output_filename": output, **options}
        )
        report = convert(
            request, model, folder, Meshes(stage, self.cache if kept else None, isolated)
        )
        if kept:
            assert self.cache.admit_all(stage) == []
        shutil.rmtree(stage)
        return folder / report.outputs[0].file, report
