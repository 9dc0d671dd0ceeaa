"""IfcTester's facets, corrected where they judge wrongly; each correction says what it corrects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

import ifcopenshell
import ifcopenshell.util.classification
import ifcopenshell.util.element
import ifcopenshell.util.type
from ifctester import facet as stock

from ifcbase.tester.facts import Instance, is_kind, material_of, predefined_type_of, type_of
from ifcbase.tester.ids.values import Literal, Restriction
from ifcbase.tester.properties import Held, attributes, property_sets

Elements: TypeAlias = Sequence[Instance]


class _Facet(stock.Facet):  # type: ignore[misc]
    """Reads values into our comparing objects; elements are never applicable twice."""

    #: Parameters whose simple values compare as typed values, not as texts.
    typed: frozenset[str] = frozenset()
    cardinality: str

    def parse(self, xml: dict[str, Any]) -> _Facet:
        super().parse({k: v for k, v in xml.items() if not _is_restriction(v)})
        for name, value in xml.items():
            if _is_restriction(value):
                setattr(self, name, Restriction().parse(value["restriction"]))
            elif isinstance(value, dict) and value.get("simpleValue", "") is None:
                setattr(self, name, "")  # an empty element is an empty text, not no demand
        for name in self.typed:
            value = getattr(self, name)
            if isinstance(value, str):
                setattr(self, name, Literal(value))
        return self

    def to_ids_value(self, parameter: Any) -> dict[str, Any]:
        text = parameter.text if isinstance(parameter, Literal) else parameter
        return dict(super().to_ids_value(text))

    def filter(self, ifc_file: ifcopenshell.file, elements: Elements | None) -> list[Instance]:
        # The stock attribute filter lists an element once for every class that brings the name.
        return list({e.id(): e for e in super().filter(ifc_file, elements)}.values())

    def answer(self, passed: bool, result: Any, reason: dict[str, Any]) -> Any:
        """The stock result for a judgement of ours, turned round if the facet is prohibited."""
        if self.cardinality == "prohibited":
            return result(not passed, {"type": "PROHIBITED"})
        return result(passed, reason)


def _is_restriction(value: Any) -> bool:
    return isinstance(value, dict) and "restriction" in value


class Entity(_Facet, stock.Entity):  # type: ignore[misc]
    """Classes match exactly; in IFC2X3 a type gives a class only to names IFC2X3 does not have."""

    def filter(
        self, ifc_file: ifcopenshell.file, elements: Elements | None = None
    ) -> list[Instance]:
        if elements is not None:
            return [e for e in elements if self(e)]
        found: dict[int, Instance] = {}
        for name in ifc_file.types():
            if name.upper() == self.name:
                found.update((e.id(), e) for e in ifc_file.by_type(name, include_subtypes=False))
        if ifc_file.schema == "IFC2X3":
            for element_type in ifc_file.by_type("IfcTypeProduct"):
                if _class_by_type(element_type) == self.name:
                    typed = ifcopenshell.util.element.get_types(element_type)
                    found.update((e.id(), e) for e in typed if self(e))
        if self.predefinedType is None:
            return list(found.values())
        return [e for e in found.values() if self(e)]

    def __call__(self, inst: Instance) -> stock.EntityResult:
        actual = inst.is_a().upper()
        if actual != self.name:
            mapped = _mapped_class(inst)
            if mapped is None or mapped != self.name:
                return stock.EntityResult(False, {"type": "NAME", "actual": mapped or actual})
        if self.predefinedType is None:
            return stock.EntityResult(True)
        actual_type = predefined_type_of(inst)
        # A pattern that happens to cover the word USERDEFINED is about the type's own name.
        passed = actual_type == self.predefinedType or (
            self.predefinedType == "USERDEFINED"
            and isinstance(self.predefinedType, str)
            and ifcopenshell.util.element.is_userdefined_type(inst)
        )
        return stock.EntityResult(passed, {"type": "PREDEFINEDTYPE", "actual": actual_type})


def _mapped_class(inst: Instance) -> str | None:
    """The class an IFC2X3 occurrence has through its type, None in all other cases."""
    if not (inst.is_a(True).startswith("IFC2X3.") and is_kind(inst, "IfcObject")):
        return None
    element_type = type_of(inst)
    if element_type is None or element_type == inst:
        return None
    allowed = ifcopenshell.util.type.get_applicable_entities(element_type.is_a(), "IFC2X3")
    if allowed and inst.is_a() not in allowed:
        return None
    return _class_by_type(element_type)


def _class_by_type(element_type: Instance) -> str | None:
    name = element_type.is_a().upper().removesuffix("TYPE").removesuffix("STYLE")
    return None if name in _ifc2x3_names() else name


@cache
def _ifc2x3_names() -> frozenset[str]:
    schema = ifcopenshell.ifcopenshell_wrapper.schema_by_name("IFC2X3")
    return frozenset(entity.name_uc() for entity in schema.entities())


class Attribute(_Facet, stock.Attribute):  # type: ignore[misc]
    """Numbers are compared in SI, and an optional attribute that has no value passes.

    The stock facet compares them in the unit of the model, and wants a value.
    """

    typed = frozenset({"value"})

    def __call__(self, inst: Instance) -> stock.AttributeResult:
        held = [h for _, h in attributes(inst, self.name)]
        optional = self.cardinality == "optional"
        if optional and all(h.value is None for h in held):
            return stock.AttributeResult(True)
        reason = self._fault(held, inst)
        return self.answer(reason is None, stock.AttributeResult, reason or {})

    def _fault(self, held: list[Held], owner: Instance) -> dict[str, Any] | None:
        if not held:
            return {"type": "NOVALUE"}
        present = [h for h in held if not h.empty]
        if not present:
            values = [h.value for h in held]
            return {"type": "FALSEY", "actual": values if len(values) > 1 else values[0]}
        if self.value is not None:
            for h in present:
                value = h.comparable(owner)
                if value != self.value:
                    return {"type": "VALUE", "actual": value}
        return None


class Property(_Facet, stock.Property):  # type: ignore[misc]
    """Judges what the element and its type hold by type, unit and value, kind by kind alike.

    The stock facet neither types nor converts what a type hands down, rounds and skips units, and
    stops on values that are incomplete.
    """

    typed = frozenset({"value"})

    def __call__(self, inst: Instance) -> stock.PropertyResult:
        sets = property_sets(inst)
        if isinstance(self.propertySet, str):
            named = [sets[self.propertySet]] if self.propertySet in sets else []
        else:
            named = [held for name, held in sets.items() if name == self.propertySet]
        optional = self.cardinality == "optional"
        if not named:
            return stock.PropertyResult(True) if optional else self._answer({"type": "NOPSET"})
        for held in named:
            reason = self._fault(held, inst)
            if reason is not None and not (optional and reason["type"] == "NOVALUE"):
                return self._answer(reason)
        return self._answer(None)

    def _answer(self, reason: dict[str, Any] | None) -> stock.PropertyResult:
        return self.answer(reason is None, stock.PropertyResult, reason or {})

    def _fault(
        self, held: Mapping[str, tuple[Held, ...] | None], owner: Instance
    ) -> dict[str, Any] | None:
        """Why one property set does not do; every property that is meant must do."""
        if isinstance(self.baseName, str):
            meant = [held[self.baseName]] if self.baseName in held else []
        else:
            meant = [held[name] for name in held if name == self.baseName]
        present = [[v for v in values or () if not v.empty] for values in meant]
        if None in meant or not any(present):
            return {"type": "NOVALUE"}
        for values in filter(None, present):
            wanted = self.dataType.upper() if self.dataType else None
            typed = [v for v in values if wanted in (None, v.data_type.upper())]
            if not typed:
                actual = values[0].data_type
                return {"type": "DATATYPE", "actual": actual, "dataType": self.dataType}
            compared = [v.comparable(owner) for v in typed]
            if self.value is not None and not any(v == self.value for v in compared):
                return {"type": "VALUE", "actual": compared}
        return None


class Classification(_Facet, stock.Classification):  # type: ignore[misc]
    """System and value must be met by one and the same reference."""

    def __call__(self, inst: Instance) -> stock.ClassificationResult:
        result = super().__call__(inst)
        prohibited = self.cardinality == "prohibited"
        if self.value is None or self.system is None or result.is_pass is prohibited:
            return result  # the parts are not met even by different references, or not both asked
        references = set(ifcopenshell.util.classification.get_references(inst))
        if not references:
            return result  # optional, and not classified at all
        for reference in list(references):
            inherited = ifcopenshell.util.classification.get_inherited_references(reference)
            references.update(inherited)
        passed = any(self._both(reference) for reference in references)
        systems = sorted({str(self._system(r)) for r in references})
        return self.answer(
            passed, stock.ClassificationResult, {"type": "SYSTEM", "actual": systems}
        )

    def _both(self, reference: Instance) -> bool:
        code = getattr(reference, "Identification", getattr(reference, "ItemReference", None))
        return bool(self.value == code and self.system == self._system(reference))

    @staticmethod
    def _system(reference: Instance) -> str | None:
        classification = ifcopenshell.util.classification.get_classification(reference)
        return None if classification is None else classification.Name


class PartOf(_Facet, stock.PartOf):  # type: ignore[misc]
    """An element in several groups is part of each of them, not of the first one alone."""

    def parse(self, xml: dict[str, Any]) -> PartOf:
        xml = dict(xml)
        for name, value in (xml.pop("entity", None) or {}).items():
            xml[name] = value
        super().parse(xml)
        return self

    def __call__(self, inst: Instance) -> stock.PartOfResult:
        if self.relation != "IFCRELASSIGNSTOGROUP":
            return super().__call__(inst)
        groups = [
            relation.RelatingGroup
            for relation in getattr(inst, "HasAssignments", None) or ()
            if relation.is_a("IfcRelAssignsToGroup")
        ]
        if not groups:
            return self.answer(False, stock.PartOfResult, {"type": "NOVALUE"})
        of_class = [g for g in groups if self.name is None or g.is_a().upper() == self.name]
        if not of_class:
            classes = sorted({g.is_a().upper() for g in groups})
            return self.answer(False, stock.PartOfResult, {"type": "ENTITY", "actual": classes})
        types = [predefined_type_of(g) for g in of_class]
        passed = self.predefinedType is None or any(t == self.predefinedType for t in types)
        reason = {"type": "PREDEFINEDTYPE", "actual": sorted(map(str, types))}
        return self.answer(passed, stock.PartOfResult, reason)


class Material(_Facet, stock.Material):  # type: ignore[misc]
    """A layer, profile or constituent without a material is legal and must not stop the check."""

    def __call__(self, inst: Instance) -> stock.MaterialResult:
        material = material_of(inst)
        if material is None:
            optional = self.cardinality == "optional"
            return (
                stock.MaterialResult(True)
                if optional
                else self.answer(False, stock.MaterialResult, {"type": "NOVALUE"})
            )
        if self.value is None:
            return self.answer(True, stock.MaterialResult, {})
        names = sorted({name for name in _material_names(material) if name})
        passed = any(name == self.value for name in names)
        return self.answer(passed, stock.MaterialResult, {"type": "VALUE", "actual": names})


_PARTS: Final = ("Materials", "MaterialLayers", "MaterialProfiles", "MaterialConstituents")


def _material_names(material: Instance) -> Iterable[str | None]:
    """Names and categories of a material, or of a set, its parts and their materials."""
    for name in ("Name", "LayerSetName", "Category"):
        yield getattr(material, name, None)
    for parts in _PARTS:
        for part in getattr(material, parts, None) or ():
            yield from _material_names(part)
    inner = getattr(material, "Material", None)
    if inner is not None:
        yield from _material_names(inner)


#: The facets by their element names in the IDS.
FACETS: Final[dict[str, type[_Facet]]] = {
    "entity": Entity,
    "partOf": PartOf,
    "classification": Classification,
    "attribute": Attribute,
    "property": Property,
    "material": Material,
}
