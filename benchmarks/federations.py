"""The models that are measured: shared ones, tiled copies of them, and generated buildings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import ifcopenshell
import ifcopenshell.guid
import ifcopenshell.util.unit

from ifcbase.samples import generate

#: Metres from one tile to the next.
TILE = 40.0


@dataclass(frozen=True, slots=True)
class Federation:
    """Two sides of files."""

    name: str
    a: tuple[Path, ...]
    b: tuple[Path, ...]

    @property
    def size_mb(self) -> float:
        return sum(path.stat().st_size for path in self.a + self.b) / 1e6


def shared(models: Path) -> list[Federation]:
    """The federations in the folder of shared models."""

    def files(pattern: str) -> tuple[Path, ...]:
        return tuple(sorted(models.glob(pattern)))

    return [
        Federation("pcert", files("pcert/*Architecture.ifc"), files("pcert/*Structural.ifc")),
        Federation("duplex", files("duplex/*Architecture.ifc"), files("duplex/*Electrical.ifc")),
        Federation(
            "schependomlaan",
            files("schependomlaan/architect/*.ifc"),
            files("schependomlaan/subcontractors/*.ifc"),
        ),
    ]


def tiled(federation: Federation, times: int, folder: Path) -> Federation:
    """The federation several times side by side, each copy with GlobalIds of its own."""
    sides = [
        tuple(_moved(path, n, folder) for path in side for n in range(times))
        for side in (federation.a, federation.b)
    ]
    return Federation(f"{federation.name} x {times}", *sides)


def _moved(path: Path, number: int, folder: Path) -> Path:
    target = folder / f"{path.stem}-{number}.ifc"
    if number == 0:
        target.write_bytes(path.read_bytes())
        return target
    model = ifcopenshell.open(str(path))
    scale = ifcopenshell.util.unit.calculate_unit_scale(model)
    for root in model.by_type("IfcRoot"):
        root.GlobalId = ifcopenshell.guid.new()
    for placement in model.by_type("IfcLocalPlacement"):
        if placement.PlacementRelTo is None:
            at = placement.RelativePlacement
            x, y, z = at.Location.Coordinates
            moved = (x + TILE * number / scale, y, z)
            at.Location = model.create_entity("IfcCartesianPoint", moved)
    model.write(str(target))
    return target


def generated(elements: int, folder: Path) -> Federation:
    """A generated building of so many elements: hosts against services."""
    folder.mkdir(parents=True, exist_ok=True)
    made = generate(folder, elements=elements)
    first, *rest = made.files.values()
    return Federation(f"generated {elements}", (first,), tuple(rest))


def revised(path: Path, folder: Path) -> Path:
    """The same model with other bytes, as a new revision: one name is changed."""
    target = folder / path.name
    text = path.read_bytes()
    name = rb"FILE_NAME\s*\((?:\s|/\*.*?\*/)*'[^']*'"
    fresh, changed = re.subn(name, b"FILE_NAME('a new revision'", text, count=1, flags=re.DOTALL)
    if not changed:
        raise ValueError(f"{path.name} has no FILE_NAME to change")
    target.write_bytes(fresh)
    return target
