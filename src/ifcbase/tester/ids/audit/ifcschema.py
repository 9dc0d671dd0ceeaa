"""What the IFC schemas say about entities, attributes and data types (IfcOpenShell's metadata)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final

import ifcopenshell
import ifcopenshell.util.type

from ifcbase.tester.ids.values import Restriction, Value

wrapper: Any = ifcopenshell.ifcopenshell_wrapper

_BASE_BY_SIMPLE_TYPE: Final = {
    "string": "string",
    "integer": "integer",
    "real": "double",
    "number": "double",
    "boolean": "boolean",
    "logical": "string",
}
#: Types whose IDS base is not that of what EXPRESS derives them from (IDS documentation, data types).
_BASE_BY_NAME: Final = {
    "IFCDATE": "date",
    "IFCDATETIME": "dateTime",
    "IFCTIME": "time",
    "IFCDURATION": "duration",
    "IFCURIREFERENCE": "anyURI",
    "IFCCOUNTMEASURE": "integer",
}


class Kind(StrEnum):
    """What an attribute holds."""

    VALUE = "value"
    OBJECT = "object"
    SELECT = "select"
    LIST = "list"
    BINARY = "binary"
    DERIVED = "derived"


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of an entity; ``base`` is the XSD base of its values, if it has such."""

    name: str
    kind: Kind
    base: str | None = None
    type_name: str = ""


class IfcSchema:
    """One IFC version; names are in capitals throughout, except those of attributes."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._schema = wrapper.schema_by_name(version)
        self._entities: dict[str, Any] = {e.name_uc(): e for e in self._schema.entities()}
        self._attributes: dict[str, dict[str, Attribute]] = {}

    @staticmethod
    @cache
    def of(version: str) -> IfcSchema:
        """The schema by the name an IDS gives it: IFC2X3, IFC4 or IFC4X3_ADD2."""
        return IfcSchema(version)

    @cached_property
    def _by_type(self) -> dict[str, tuple[str, list[str]]]:
        """IFC2X3 only: classes an element has through its type: (that type, occurrence classes)."""
        found: dict[str, tuple[str, list[str]]] = {}
        if self.version != "IFC2X3":
            return found
        for type_name, entity in self._entities.items():
            name = type_name.removesuffix("TYPE").removesuffix("STYLE")
            if name != type_name and name not in self._entities:
                occurrences = ifcopenshell.util.type.get_applicable_entities(
                    entity.name(), "IFC2X3"
                )
                if occurrences:
                    found[name] = (type_name, [o.upper() for o in occurrences])
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """All names an entity facet may use."""
        return frozenset(self._entities) | frozenset(self._by_type)

    def classes(self, value: Value) -> list[str]:
        """The names that meet the value, sorted."""
        if isinstance(value, str):
            return [value] if value in self.names else []
        if isinstance(value, Restriction):
            return sorted(name for name in self.names if name == value)
        return sorted(self.names)

    def occurrences(self, name: str) -> set[str]:
        """The name itself, and the classes elements of that name have in a file."""
        return {name, *self._by_type.get(name, ("", []))[1]}

    def is_abstract(self, name: str) -> bool:
        return name in self._entities and bool(self._entities[name].is_abstract())

    def is_a(self, name: str, ancestor: str) -> bool:
        """True if the entity is the ancestor or one of its subtypes."""
        entity = self._entities.get(name)
        while entity is not None:
            if entity.name_uc() == ancestor:
                return True
            entity = entity.supertype()
        return False

    def predefined_types(self, name: str) -> tuple[str, ...] | None:
        """The entity's list of predefined types, None if it has no such attribute."""
        name = self._by_type.get(name, (name, []))[0]
        entity = self._entities.get(name)
        for attribute in entity.all_attributes() if entity is not None else ():
            if attribute.name() == "PredefinedType":
                named = attribute.type_of_attribute().as_named_type()
                enumeration = named.declared_type().as_enumeration_type() if named else None
                return tuple(enumeration.enumeration_items()) if enumeration else None
        return None

    def type_predefined_types(self, name: str) -> tuple[str, ...] | None:
        """The predefined types of the entity's type (IFC2X3 gives many only to the type)."""
        return self.predefined_types(f"{name}TYPE")

    def attributes(self, name: str) -> dict[str, Attribute]:
        """The attributes elements of that name have in a file, and the redeclared derived ones."""
        if name not in self._attributes:
            found: dict[str, Attribute] = {}
            for occurrence in sorted(self.occurrences(name)):
                entity = self._entities.get(occurrence)
                if entity is not None:
                    found.update(
                        (attribute.name(), _attribute(attribute, derived))
                        for attribute, derived in zip(
                            entity.all_attributes(), entity.derived(), strict=True
                        )
                    )
            self._attributes[name] = found
        return self._attributes[name]

    def attributes_anywhere(self, name: Value) -> list[Attribute]:
        """Attributes of that name of any entity, each kind and type once."""
        found = (_attribute(a, derived=False) for own, a in self._own_attributes if own == name)
        return list(dict.fromkeys(found))

    @cached_property
    def _own_attributes(self) -> list[tuple[str, Any]]:
        return [(a.name(), a) for entity in self._entities.values() for a in entity.attributes()]

    def is_inverse(self, name: str, attribute: str) -> bool:
        return any(
            inverse.name() == attribute
            for occurrence in self.occurrences(name)
            if occurrence in self._entities
            for inverse in self._entities[occurrence].all_inverse_attributes()
        )

    def is_derived(self, name: str, attribute: str) -> bool:
        """True for attributes that the schema computes and a file never holds."""
        entity = self._entities.get(name)
        while entity is not None:
            if f"calc_{entity.name()}_{attribute}(" in self._derivations:
                return True
            entity = entity.supertype()
        return False

    @cached_property
    def _derivations(self) -> str:
        # The metadata leaves derived attributes out; IfcOpenShell's rules hold a function for each.
        rules = files("ifcopenshell") / "express" / "rules" / f"{self.version}.py"
        return rules.read_text(encoding="utf-8") if rules.is_file() else ""

    def data_type_base(self, name: str) -> str | None:
        """The XSD base of a data type a property may have; "" if it has none, None if unknown."""
        try:
            declaration = self._schema.declaration_by_name(name)
        except RuntimeError:
            return None  # how the wrapper says that there is no such name
        if declaration.as_enumeration_type():
            return "string"
        if declaration.as_type_declaration():
            return _declared(declaration).base or ""
        return None


def _attribute(attribute: Any, derived: bool) -> Attribute:
    found = _declared(attribute.type_of_attribute())
    kind = Kind.DERIVED if derived else found.kind
    return Attribute(attribute.name(), kind, found.base, found.type_name)


def _declared(declared: Any) -> Attribute:
    """Follow a type to what it is made of."""
    name = ""
    while True:
        if isinstance(declared, wrapper.aggregation_type):
            return Attribute("", Kind.LIST, None, name)
        if isinstance(declared, wrapper.simple_type):
            simple = declared.declared_type()
            base = _BASE_BY_NAME.get(name.upper()) or _BASE_BY_SIMPLE_TYPE.get(simple)
            return Attribute("", Kind.VALUE if base else Kind.BINARY, base, name or simple)
        if isinstance(declared, wrapper.named_type):
            declared = declared.declared_type()
            continue
        name = name or declared.name()
        if declared.as_entity():
            return Attribute("", Kind.OBJECT, None, name)
        if declared.as_select_type():
            return Attribute("", Kind.SELECT, None, name)
        if declared.as_enumeration_type():
            return Attribute("", Kind.VALUE, "string", name)
        declared = declared.declared_type()
