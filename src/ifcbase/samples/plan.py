"""The plan of a sample building: its parts, planted contacts and edits, before any IFC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ifcbase.samples.shapes import Axis, Circle, Extrusion, Shape, Vector, bar, pipe, shifted
from ifcbase.samples.truth import ChangeKind, ContactKind, Revision

ARCHITECTURE = "Architecture"
STRUCTURE = "Structure"
SERVICES = "Services"
MODELS = (ARCHITECTURE, STRUCTURE, SERVICES)

BAY_X = 6.0  # metres between grid lines
BAY_Y = 5.0
HEIGHT = 3.5  # metres from storey to storey

Properties = Mapping[str, Mapping[str, str | bool | float]]


@dataclass(frozen=True, slots=True)
class Opening:
    """A box cut out of its host, and perhaps the door or window that fills it."""

    lo: Vector
    hi: Vector
    filling: Part | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One element. ``at`` is its origin in metres along the building's axes.

    ``role`` is what it is in the building, the same in every revision: its GlobalId comes from it.
    """

    model: str
    role: str
    ifc_class: str
    name: str
    storey: int
    at: Vector
    shape: Shape
    kind: str = ""  # name of its type
    material: str = ""
    properties: Properties = field(default_factory=dict)
    openings: tuple[Opening, ...] = ()
    mapped: bool = False  # its shape is its type's, shared by all of that type


@dataclass(frozen=True, slots=True)
class Contact:
    """A planted contact, by parts."""

    kind: ContactKind
    a: Part
    b: Part
    metres: float
    note: str


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit of revision B, by role; see ``truth.Change``."""

    kind: ChangeKind
    part: Part
    what: str = ""
    before: str | None = None
    after: str | None = None
    moved_by: Vector | None = None


@dataclass(slots=True)
class Plan:
    """What will be written, collected part by part."""

    storeys: int
    bays: tuple[int, int]
    revision: Revision
    parts: dict[tuple[str, str], Part] = field(default_factory=dict)
    contacts: list[Contact] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)

    @property
    def revised(self) -> bool:
        return self.revision == "B"

    def add(self, part: Part) -> Part:
        """Take a part in; a role names one part of its model."""
        key = (part.model, part.role)
        if key in self.parts:
            raise ValueError(f"{part.model} has two parts in the role {part.role}")
        self.parts[key] = part
        return part

    def part(self, model: str, role: str) -> Part:
        return self.parts[model, role]

    def swap(self, part: Part) -> Part:
        """Put a changed part in the place of the one with its role."""
        self.parts[part.model, part.role] = part
        return part

    def contact(self, kind: ContactKind, a: Part, b: Part, metres: float, note: str) -> None:
        self.contacts.append(Contact(kind, a, b, metres, note))

    def edit(
        self, kind: ChangeKind, part: Part, what: str = "", before: str = "", after: str = ""
    ) -> None:
        """Note an edit of revision B that the part already shows."""
        self.edits.append(Edit(kind, part, what, before or None, after or None))

    def move(self, part: Part, by: Vector) -> Part:
        """Revision B moves this part."""
        moved = self.swap(replace(part, at=shifted(part.at, by)))
        self.edits.append(Edit("moved", moved, "ObjectPlacement", moved_by=by))
        return moved


def solid(
    model: str,
    role: str,
    ifc_class: str,
    name: str,
    storey: int,
    corners: tuple[Vector, Vector],
    along: Axis = "z",
    *,
    kind: str = "",
    material: str = "",
    properties: Properties | None = None,
    openings: tuple[Opening, ...] = (),
) -> Part:
    """A box-shaped part between two corners whose heights count from its storey's floor."""
    lo, hi = (shifted(corner, (0.0, 0.0, storey * HEIGHT)) for corner in corners)
    at, shape = bar(lo, hi, along)
    return Part(
        model, role, ifc_class, name, storey, at, shape, kind, material, properties or {}, openings
    )


def tube(
    role: str,
    name: str,
    storey: int,
    start: Vector,
    length: float,
    along: Axis,
    radius: float,
    *,
    segments: int = 0,
    ifc_class: str = "IfcPipeSegment",
    tessellated: bool = False,
    system: str = "Cold water",
) -> Part:
    """A round part of the services; with ``segments`` it is faceted, else a swept circle."""
    shape: Shape = Extrusion(Circle(radius), length, along)
    if segments:
        shape = replace(pipe(length, along, radius, segments), tessellated=tessellated)
    millimetres = round(2000 * radius)
    word = "Pipe" if ifc_class == "IfcPipeSegment" else "Pipe coupling"
    return Part(
        SERVICES,
        role,
        ifc_class,
        name,
        storey,
        shifted(start, (0.0, 0.0, storey * HEIGHT)),
        shape,
        f"{word} DN{millimetres}",
        "Steel, galvanised",
        {"Sample_Services": {"System": system, "NominalDiameter": float(millimetres)}},
    )


def grid_name(i: int, j: int) -> str:
    """The name of a crossing of grid lines or of the bay north-east of it, such as B2."""
    letters = ""
    n = i
    while n >= 0:
        letters = chr(ord("A") + n % 26) + letters
        n = n // 26 - 1
    return f"{letters}{j + 1}"
