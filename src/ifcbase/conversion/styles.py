"""Colours as a model gives them: styles of items, of the types' shared items, then of materials."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ifcbase.ifc.text import clean

if TYPE_CHECKING:
    import ifcopenshell

#: Representations are nested no deeper in any sane model.
DEEPEST = 20


class Material(NamedTuple):
    """A surface colour; channels are sRGB from 0 to 1, ``opacity`` 1 is opaque."""

    name: str
    red: float
    green: float
    blue: float
    opacity: float


#: What elements without any style get.
UNSTYLED = Material("no style", 0.7, 0.7, 0.7, 1.0)


@dataclass(slots=True)
class Styled:
    """The colour of one element, and how many its items have."""

    material: Material | None
    count: int


@dataclass(slots=True)
class StyleReader:
    """Reads styles of one model; what elements share is read once."""

    file: ifcopenshell.file
    _items: dict[int, tuple[Material | None, ...]] = field(default_factory=dict)
    _styles: dict[int, Material | None] = field(default_factory=dict)
    _materials: dict[int, Material | None] = field(default_factory=dict)

    def of(self, step_id: int) -> Styled:
        """The colour most of an element's items have; the first of those with equally many."""
        product = self.file.by_id(step_id)
        found: list[Material | None] = []
        if product.Representation is not None:
            for representation in product.Representation.Representations or ():
                if (representation.RepresentationIdentifier or "Body").lower() == "body":
                    found += self._of_representation(representation, 0)
        base = None
        if not found or None in found:
            base = self._of_material(product)
        colours = [each or base for each in found] or [base]
        known = Counter(each for each in colours if each is not None)
        if not known:
            return Styled(None, 0)
        best = max(known.values())
        return Styled(next(each for each in known if known[each] == best), len(known))

    def _of_representation(self, representation: Any, depth: int) -> list[Material | None]:
        if depth > DEEPEST:
            return []
        found: list[Material | None] = []
        for item in representation.Items or ():
            found += self._of_item(item, depth)
        return found

    def _of_item(self, item: Any, depth: int) -> tuple[Material | None, ...]:
        known = self._items.get(item.id())
        if known is None:
            known = self._items[item.id()] = tuple(self._look(item, depth))
        return known

    def _look(self, item: Any, depth: int) -> list[Material | None]:
        own = self._of_styled(item.StyledByItem)
        if own is not None:
            return [own]
        if item.is_a("IfcMappedItem"):
            return self._of_representation(item.MappingSource.MappedRepresentation, depth + 1)
        if item.is_a("IfcBooleanResult") and depth < DEEPEST:
            # A clipped solid carries its style on what is clipped.
            return list(self._of_item(item.FirstOperand, depth + 1))
        if item.is_a("IfcTessellatedFaceSet") and item.HasColours:
            return [each for colours in item.HasColours for each in _indexed(colours)]
        return [None]

    def _of_styled(self, styled_items: Any) -> Material | None:
        for styled in styled_items or ():
            for style in styled.Styles or ():
                found = self.of_style(style)
                if found is not None:
                    return found
        return None

    def of_style(self, style: Any) -> Material | None:
        """The colour of a presentation style, None if it gives none."""
        key = style.id()
        if key not in self._styles:
            self._styles[key] = None  # breaks circles
            if style.is_a("IfcPresentationStyleAssignment"):
                inner = (self.of_style(each) for each in style.Styles if hasattr(each, "id"))
                self._styles[key] = next((each for each in inner if each is not None), None)
            elif style.is_a("IfcSurfaceStyle"):
                self._styles[key] = _surface(style)
        return self._styles[key]

    def _of_material(self, product: Any) -> Material | None:
        definition = _material_of(product)
        for defining in (getattr(product, "IsTypedBy", None), getattr(product, "IsDefinedBy", ())):
            if definition is not None:
                break
            for relation in defining or ():
                if relation.is_a("IfcRelDefinesByType"):
                    definition = _material_of(relation.RelatingType)
        return None if definition is None else self.of_definition(definition)

    def of_definition(self, definition: Any, depth: int = 0) -> Material | None:
        """The colour of a material, or of the first in a set that has one."""
        key = definition.id()
        if key in self._materials or depth > DEEPEST:
            return self._materials.get(key)
        self._materials[key] = None
        if definition.is_a("IfcMaterial"):
            found = self._of_styled(
                item
                for representation in definition.HasRepresentation
                for shape in representation.Representations
                for item in shape.Items
                if item.is_a("IfcStyledItem")
            )
        else:
            parts = (self.of_definition(each, depth + 1) for each in _parts(definition))
            found = next((each for each in parts if each is not None), None)
        self._materials[key] = found
        return found


def _material_of(thing: Any) -> Any:
    for relation in getattr(thing, "HasAssociations", ()) or ():
        if relation.is_a("IfcRelAssociatesMaterial"):
            return relation.RelatingMaterial
    return None


#: Where the materials of a set, a list or a usage of one are.
_PARTS = (
    "ForLayerSet", "MaterialLayers", "ForProfileSet", "MaterialProfiles", "MaterialConstituents",
    "Materials", "Material",
)  # fmt: skip


def _parts(definition: Any) -> list[Any]:
    found: list[Any] = []
    for name in _PARTS:
        value = getattr(definition, name, None)
        found += value if isinstance(value, tuple) else [] if value is None else [value]
    return found


def _surface(style: Any) -> Material | None:
    for part in style.Styles or ():
        if part.is_a("IfcSurfaceStyleShading"):
            colour = part.SurfaceColour
            # IFC2X3 has it on renderings only.
            transparency = getattr(part, "Transparency", None) or 0.0
            return _material(
                style.Name or colour.Name or "",
                (colour.Red, colour.Green, colour.Blue),
                1.0 - transparency,
            )
    return None


def _indexed(colours: Any) -> list[Material]:
    opacity = 1.0 if colours.Opacity is None else colours.Opacity
    table = colours.Colours.ColourList
    used = [i for i in dict.fromkeys(colours.ColourIndex) if 0 < i <= len(table)]
    return [_material("", table[i - 1], opacity) for i in used]


def _material(name: str, colour: Any, opacity: float) -> Material:
    red, green, blue = (_channel(value) for value in colour)
    return Material(clean(name)[:200], red, green, blue, _channel(opacity))


def _channel(value: Any) -> float:
    """Within 0 and 1, whatever the file says, and rounded, so that equal colours are equal."""
    number = float(value) if isinstance(value, int | float) else 0.0
    return round(min(max(number, 0.0), 1.0), 4) + 0.0 if math.isfinite(number) else 0.0
