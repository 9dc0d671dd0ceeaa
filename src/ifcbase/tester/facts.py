"""What facets ask of instances again and again, read by position and remembered for a while.

IfcOpenShell finds an attribute by name in every call, searches the whole inheritance for one that is
not there, and works out the schema of the file each time it is asked for a type.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import ifcopenshell

Instance: TypeAlias = Any

wrapper: Any = ifcopenshell.ifcopenshell_wrapper

#: Where a class says that a value is not stored but follows from relations to it.
_INVERSE: Final = -1
#: Instances remembered: one element at a time is judged, with its type, by all who ask of it.
_REMEMBERED: Final = 256


class Kind(NamedTuple):
    """A class of a schema: it and all it inherits from, and its attributes' positions by name."""

    classes: frozenset[str]
    places: dict[str, int]


def kind_of(instance: Instance) -> Kind:
    """The class of an instance."""
    return _kind(instance.is_a(True))


@cache
def _kind(qualified: str) -> Kind:
    schema, _, name = qualified.partition(".")
    declaration = wrapper.schema_by_name(schema).declaration_by_name(name)
    entity = declaration.as_entity()
    if entity is None:  # a value with a type of its own: IfcLabel('x')
        return Kind(frozenset({declaration.name()}), {})
    places = {each.name(): _INVERSE for each in entity.all_inverse_attributes()}
    places.update((each.name(), at) for at, each in enumerate(entity.all_attributes()))
    classes = set()
    while entity is not None:
        classes.add(entity.name())
        entity = entity.supertype()
    return Kind(frozenset(classes), places)


def is_kind(instance: Instance, name: str) -> bool:
    """True if an instance is of a class, spelled as the schema spells it, or inherits from it."""
    return name in _kind(instance.is_a(True)).classes


def value_of(instance: Instance, name: str) -> Any:
    """An attribute, forward or inverse, None if the class has none of the name."""
    place = _kind(instance.is_a(True)).places.get(name)
    if place is None:
        return None
    return getattr(instance, name) if place == _INVERSE else instance.get_argument(place)


@lru_cache(maxsize=_REMEMBERED)
def defined_by(element: Instance) -> tuple[Instance, ...]:
    """The relations that give an occurrence properties, and in IFC2X3 its type."""
    return value_of(element, "IsDefinedBy") or ()


@lru_cache(maxsize=_REMEMBERED)
def type_of(element: Instance) -> Instance | None:
    """The element's type, a type itself for itself, None for all that cannot have one."""
    kind = kind_of(element)
    if "IfcObjectDefinition" not in kind.classes:
        return None
    if "IfcTypeObject" in kind.classes:
        return element
    if "IsTypedBy" in kind.places:
        typed = element.IsTypedBy
        return typed[0].RelatingType if typed else None
    for relation in defined_by(element):  # IFC2X3
        if is_kind(relation, "IfcRelDefinesByType"):
            return relation.RelatingType
    return None


def predefined_type_of(element: Instance) -> str | None:
    """The predefined type, the type's first, the words of its author for USERDEFINED."""
    element_type = type_of(element)
    if element_type is not None:
        found = _predefined_by(element_type)
        if found and found != "NOTDEFINED":
            return found
    own: str | None = value_of(element, "PredefinedType")
    if own == "USERDEFINED" or not own:
        own = value_of(element, "ObjectType")
    return own


@lru_cache(maxsize=_REMEMBERED)
def _predefined_by(element_type: Instance) -> str | None:
    found: str | None = value_of(element_type, "PredefinedType")
    if found == "USERDEFINED" or not found:
        named = "ElementType" in kind_of(element_type).places
        found = value_of(element_type, "ElementType" if named else "ProcessType")
    return found


@lru_cache(maxsize=_REMEMBERED)
def material_of(element: Instance) -> Instance | None:
    """The element's material, or the set of them that its usage is of; else its type's."""
    for relation in value_of(element, "HasAssociations") or ():
        if is_kind(relation, "IfcRelAssociatesMaterial"):
            material = relation.RelatingMaterial
            if is_kind(material, "IfcMaterialLayerSetUsage"):
                return material.ForLayerSet
            if is_kind(material, "IfcMaterialProfileSetUsage"):
                return material.ForProfileSet
            return material
    element_type = type_of(element)
    if element_type is None or element_type == element:
        return None
    return material_of(element_type)


def forget() -> None:
    """Let go of the model; instances of the next one may look the same as its."""
    for remembered in (defined_by, type_of, _predefined_by, material_of):
        remembered.cache_clear()
