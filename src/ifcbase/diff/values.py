"""Values of a model in a plain form that two files can be compared by: SI units, no step ids."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ifcbase.ifc.text import clean

if TYPE_CHECKING:
    import ifcopenshell

#: Two numbers are one if they differ by less than this share, or by less than this at all: what a
#: number loses on its way through a text or another unit is no change.
RELATIVE, ABSOLUTE = 1e-9, 1e-9
#: No sane definition nests deeper; a broken one may go in circles.
DEEPEST = 30
#: Who wrote it and when; where it is and how it looks are facets of their own.
_APART = frozenset({"GlobalId", "OwnerHistory", "ObjectPlacement", "Representation"})

Plain = None | bool | int | float | str | list[Any] | dict[str, Any]


class Values:
    """Reads attributes of one open model; lengths come in metres, areas in m2, angles in radians."""

    def __init__(self, file: ifcopenshell.file) -> None:
        import ifcopenshell

        self._schema = ifcopenshell.ifcopenshell_wrapper.schema_by_name(file.schema_identifier)
        self._declared: dict[str, list[tuple[str, str | None]]] = {}
        self._known: dict[int, Plain] = {}
        self.scales = _scales(file)

    def is_rooted(self, keyword: bytes) -> bool:
        """Whether a class has a GlobalId."""
        names = self._names(keyword.decode("ascii", "replace"))
        return bool(names) and names[0][0] == "GlobalId"

    def has_class(self, ifc_class: str) -> bool:
        """Whether the file's schema has such a class."""
        return self._entity(ifc_class) is not None

    def is_kind_of(self, ifc_class: str, above: str) -> bool:
        """Whether a class of the file's schema is another or a subtype of it."""
        entity = self._entity(ifc_class)
        while entity is not None:
            if entity.name() == above:
                return True
            entity = entity.supertype()
        return False

    def needed(self, ifc_class: str) -> set[str]:
        """The attributes that the schema demands of a class."""
        entity = self._entity(ifc_class)
        found = [] if entity is None else entity.all_attributes()
        return {str(a.name()) for a in found if not a.optional()}

    def attributes(self, product: ifcopenshell.entity_instance) -> dict[str, Plain]:
        """The attributes of a product but its id, owner, place and shape."""
        return {
            name: self._plain(product[at], kind, DEEPEST)
            for at, (name, kind) in enumerate(self._names(product.is_a()))
            if name not in _APART
        }

    def whole(self, entity: ifcopenshell.entity_instance) -> Plain:
        """An entity and all it refers to; of rooted ones only class and name."""
        return self._entity_value(entity, DEEPEST)

    def named(self, definition: ifcopenshell.entity_instance) -> Iterator[tuple[str, Plain]]:
        """Names and values of a property set, a set of quantities or a predefined set."""
        if definition.is_a("IfcPropertySet"):
            for one in definition.HasProperties or ():
                yield clean(one.Name or ""), self._property(one)
        elif definition.is_a("IfcElementQuantity"):
            for one in definition.Quantities or ():
                yield clean(one.Name or ""), self._quantity(one)
        else:
            for name, value in self.attributes(definition).items():
                if name not in {"Name", "Description"} and value is not None:
                    yield name, value

    # --- inside ------------------------------------------------------------------------------

    def _property(self, one: ifcopenshell.entity_instance) -> Plain:
        own = _scale_of(getattr(one, "Unit", None))
        if one.is_a("IfcPropertySingleValue"):
            return self._plain(one.NominalValue, None, DEEPEST, own)
        rest = {
            name: self._plain(one[at], kind, DEEPEST, own)
            for at, (name, kind) in enumerate(self._names(one.is_a()))
            if name not in {"Name", "Description", "Specification", "Unit", "EnumerationReference"}
        }
        said = {name: value for name, value in rest.items() if value is not None}
        return next(iter(said.values())) if len(said) == 1 else said

    def _quantity(self, one: ifcopenshell.entity_instance) -> Plain:
        if not one.is_a("IfcPhysicalSimpleQuantity"):
            return self._entity_value(one, DEEPEST)
        kind = self._names(one.is_a())[3][1]
        return self._plain(one[3], kind, DEEPEST, _scale_of(one.Unit))

    def _plain(self, value: Any, kind: str | None, depth: int, own: float | None = None) -> Plain:
        """A value; ``kind`` is its declared type, ``own`` the scale of a unit given beside it."""
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            scale = self.scales.get(kind or "", 1.0) if own is None else own
            number = value * scale
            return number if math.isfinite(number) else str(number)
        if isinstance(value, str):
            return clean(value)
        if isinstance(value, tuple):
            return [self._plain(each, kind, depth, own) for each in value]
        if value.id() == 0:  # a value of a defined type, not an entity
            return self._plain(value.wrappedValue, value.is_a(), depth, own)
        return self._entity_value(value, depth)

    def _entity_value(self, entity: ifcopenshell.entity_instance, depth: int) -> Plain:
        key = entity.id()
        if key in self._known:
            return self._known[key]
        if depth == 0:
            return {"class": entity.is_a()}
        names = self._names(entity.is_a())
        if names and names[0][0] == "GlobalId":
            found = {
                "class": entity.is_a(),
                "Name": None if not entity.Name else clean(entity.Name),
            }
        else:
            parts = {
                name: self._plain(entity[at], kind, depth - 1)
                for at, (name, kind) in enumerate(names)
            }
            found = {"class": entity.is_a(), **{n: p for n, p in parts.items() if p is not None}}
        if depth == DEEPEST:  # else it may be cut short
            self._known[key] = found
        return found

    def _names(self, ifc_class: str) -> list[tuple[str, str | None]]:
        """Names of a class's attributes and the defined types of their values."""
        if ifc_class not in self._declared:
            entity = self._entity(ifc_class)
            self._declared[ifc_class] = (
                []
                if entity is None
                else [(a.name(), _defined(a.type_of_attribute())) for a in entity.all_attributes()]
            )
        return self._declared[ifc_class]

    def _entity(self, ifc_class: str) -> Any:
        try:
            return self._schema.declaration_by_name(ifc_class).as_entity()
        except RuntimeError:  # how the library says "not found"
            return None


def same(one: Plain, other: Plain) -> bool:
    """Whether two plain values say the same; an empty text says as little as none."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(same(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return (one or None) == (other or None)


def _defined(declared: Any) -> str | None:
    """The defined type at the end of an attribute's declaration, None for plain and entities."""
    while True:
        aggregation = declared.as_aggregation_type()
        if aggregation is not None:
            declared = aggregation.type_of_element()
            continue
        named = declared.as_named_type()
        return None if named is None else str(named.declared_type().name())


def _scale_of(unit: ifcopenshell.entity_instance | None) -> float | None:
    """The scale to SI of a unit given beside a value; None for none."""
    import ifcopenshell.util.unit

    if unit is None or unit.is_a("IfcMonetaryUnit"):
        return None
    return float(ifcopenshell.util.unit.get_unit_scale(unit))


def _scales(file: ifcopenshell.file) -> dict[str, float]:
    """The scale to SI of every measure type for which the project names a unit."""
    import ifcopenshell.util.unit as units

    schema = file.schema_identifier
    found: dict[str, float] = {}
    projects = file.by_type("IfcProject")
    assignment = projects[0].UnitsInContext if projects else None
    for unit in (assignment.Units if assignment else None) or ():
        kind = getattr(unit, "UnitType", None)
        if kind and kind not in found:
            found[kind] = float(units.get_unit_scale(unit))
    return {measure: found[kind] for measure, kind in _measures(schema).items() if kind in found}


def _measures(schema: str) -> dict[str, str]:
    """Measure types of a schema and the unit type each is given in."""
    import ifcopenshell
    import ifcopenshell.util.unit as units

    declarations = ifcopenshell.ifcopenshell_wrapper.schema_by_name(schema).declarations()
    names = [d.name() for d in declarations if d.as_type_declaration() is not None]
    return {n: units.get_measure_unit_type(n) for n in names if n.endswith("Measure")}
