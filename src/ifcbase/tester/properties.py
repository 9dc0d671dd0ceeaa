"""What properties and quantities an element has, its type's included, and their typed values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

from ifcbase.tester import facts
from ifcbase.tester.facts import Instance, defined_by, is_kind, type_of, value_of, wrapper
from ifcbase.tester.units import project_unit, to_si

#: Attributes every property set has before a predefined one's own begin.
_OWN_ATTRIBUTES: Final = 4


@dataclass(frozen=True, slots=True)
class Held:
    """One value a property holds: its data type as the schema spells it, and the unit it is in."""

    data_type: str
    value: Any
    unit: Instance | None = None

    def comparable(self, owner: Instance) -> Any:
        """The value as IDS compares it: numbers in SI; ``owner`` is an instance of the same file."""
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            return self.value
        unit = self.unit or project_unit(owner.file, self.data_type)
        # Without a unit an integer stays one, so that it compares exactly.
        return self.value if unit is None else to_si(self.value, unit)

    @property
    def empty(self) -> bool:
        """True for what counts as no value: null, an empty text or list, an unknown logical."""
        if isinstance(self.value, str):
            logical = self.data_type.upper() in {"IFCLOGICAL", "LOGICAL"}
            return not self.value or (logical and self.value == "UNKNOWN")
        return self.value is None or self.value == ()


class PropertySet(Mapping[str, "tuple[Held, ...] | None"]):
    """Values held by property, None for kinds of property IDS does not support; read from the file
    when they are asked for: an IDS asks for few of those that a model has."""

    def __init__(self) -> None:
        self.definitions: list[Instance] = []
        self._members: dict[str, Instance | tuple[Held, ...]] | None = None

    def __getitem__(self, name: str) -> tuple[Held, ...] | None:
        member = self._read()[name]
        return member if isinstance(member, tuple) else _held(member)

    def __contains__(self, name: object) -> bool:
        return name in self._read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def _read(self) -> dict[str, Instance | tuple[Held, ...]]:
        if self._members is None:
            self._members = {}
            for definition in self.definitions:
                self._members.update(_members(definition))
        return self._members


@lru_cache(maxsize=256)
def property_sets(element: Instance) -> dict[str, PropertySet]:
    """By set and by property: the values held.

    What an occurrence says wins over what its type says, property by property. Cached by instance:
    call ``forget`` before and after each model.
    """
    found: dict[str, PropertySet] = {}
    for definition in _definitions(element):
        name = value_of(definition, "Name")
        if name:
            found.setdefault(name, PropertySet()).definitions.append(definition)
    return found


def forget() -> None:
    """Let go of the model; instances of the next one may look the same as its."""
    property_sets.cache_clear()
    _members.cache_clear()
    project_unit.cache_clear()
    facts.forget()


def _definitions(element: Instance) -> Iterator[Instance]:
    if is_kind(element, "IfcTypeObject"):
        yield from element.HasPropertySets or ()
    elif is_kind(element, "IfcObjectDefinition"):
        element_type = type_of(element)
        if element_type is not None:
            yield from _definitions(element_type)
        for relation in defined_by(element):
            if is_kind(relation, "IfcRelDefinesByProperties"):
                yield from _related(relation.RelatingPropertyDefinition)
    elif element.is_a(True) == "IFC2X3.IfcMaterial":
        for extended in element.file.by_type("IfcExtendedMaterialProperties"):
            if extended.Material == element:
                yield extended
    else:  # materials and profiles
        yield from value_of(element, "HasProperties") or ()


def _related(definition: Instance) -> Iterable[Instance]:
    if definition.is_a("IfcPropertySetDefinitionSet"):
        members: Iterable[Instance] = definition.wrappedValue
        return members
    return (definition,)


@lru_cache(maxsize=1024)
def _members(definition: Instance) -> dict[str, Instance | tuple[Held, ...]]:
    """Remembered, for the sets of types and those that many elements share."""
    for name in ("HasProperties", "Quantities", "Properties", "ExtendedProperties"):
        members = value_of(definition, name)
        if members is not None:
            return {value_of(member, "Name"): member for member in members}
    return {
        name: (held,)
        for name, held in list(attributes(definition))[_OWN_ATTRIBUTES:]
        if held.value is not None and not hasattr(held.value, "is_a")
    }


def attributes(instance: Instance, wanted: Any = None) -> Iterator[tuple[str, Held]]:
    """The attributes a file stores for an instance, by name, in the order of the schema.

    ``wanted`` compares with a name; without it all are given.
    """
    for index, (name, data_type, derived) in enumerate(_declared(instance.is_a(True))):
        if not derived and (wanted is None or name == wanted):
            yield name, Held(data_type, instance.get_argument(index))


@cache
def _declared(qualified: str) -> tuple[tuple[str, str, bool], ...]:
    """Name, data type, and whether it is redeclared as derived, of every attribute of a class."""
    schema, _, ifc_class = qualified.partition(".")
    entity = wrapper.schema_by_name(schema).declaration_by_name(ifc_class).as_entity()
    return tuple(
        (attribute.name(), _type_name(attribute), bool(derived))
        for attribute, derived in zip(entity.all_attributes(), entity.derived(), strict=True)
    )


def _held(member: Instance) -> tuple[Held, ...] | None:
    if is_kind(member, "IfcPropertySingleValue"):
        return _typed([member.NominalValue], member.Unit)
    if is_kind(member, "IfcPhysicalSimpleQuantity"):
        _, data_type, _ = _declared(member.is_a(True))[3]
        return (Held(data_type, member[3], member.Unit),)
    if is_kind(member, "IfcPropertyEnumeratedValue"):
        reference = member.EnumerationReference
        return _typed(member.EnumerationValues, reference.Unit if reference else None)
    if is_kind(member, "IfcPropertyListValue"):
        return _typed(member.ListValues, member.Unit)
    if is_kind(member, "IfcPropertyBoundedValue"):
        point = value_of(member, "SetPointValue")
        return _typed([member.UpperBoundValue, member.LowerBoundValue, point], member.Unit)
    if is_kind(member, "IfcPropertyTableValue"):
        defining = _typed(member.DefiningValues, member.DefiningUnit)
        return defining + _typed(member.DefinedValues, member.DefinedUnit)
    return None


def _typed(values: Iterable[Instance] | None, unit: Instance | None) -> tuple[Held, ...]:
    return tuple(Held(v.is_a(), v.wrappedValue, unit) for v in values or () if v is not None)


def _type_name(attribute: Any) -> str:
    """The data type an attribute is declared with: IfcLengthMeasure, or "logical"."""
    declared = attribute.type_of_attribute()
    if declared.as_named_type():
        return str(declared.as_named_type().declared_type().name())
    return str(declared.as_simple_type().declared_type()) if declared.as_simple_type() else ""
