"""IfcTester's facets, corrected where they judge wrongly; each correction says what it corrects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

import ifcopenshell
import ifcopenshell.util.classification
import ifcopenshell.util.element
import ifcopenshell.util.type
from ifctester import facet as stock

from ifcbase.tester.ids.values import Literal, Restriction

#: An entity instance of IfcOpenShell, which has no types of its own for it.
Instance: TypeAlias = Any
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
                    found.update(
                        (e.id(), e) for e in ifcopenshell.util.element.get_types(element_type)
                    )
        return [e for e in found.values() if self(e)]

    def __call__(self, inst: Instance) -> stock.EntityResult:
        actual = inst.is_a().upper()
        if actual != self.name:
            mapped = _mapped_class(inst)
            if mapped is None or mapped != self.name:
                return stock.EntityResult(False, {"type": "NAME", "actual": mapped or actual})
        if self.predefinedType is None:
            return stock.EntityResult(True)
        actual_type = ifcopenshell.util.element.get_predefined_type(inst)
        # A pattern that happens to cover the word USERDEFINED is about the type's own name.
        passed = actual_type == self.predefinedType or (
            self.predefinedType == "USERDEFINED"
            and isinstance(self.predefinedType, str)
            and ifcopenshell.util.element.is_userdefined_type(inst)
        )
        return stock.EntityResult(passed, {"type": "PREDEFINEDTYPE", "actual": actual_type})


def _mapped_class(inst: Instance) -> str | None:
    """The class an IFC2X3 occurrence has through its type, None in all other cases."""
    if inst.file.schema != "IFC2X3":
        return None
    element_type = ifcopenshell.util.element.get_type(inst)
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
    """An optional attribute that has no value passes (the stock facet wants one)."""

    typed = frozenset({"value"})

    def __call__(self, inst: Instance) -> stock.AttributeResult:
        if self.cardinality == "optional":
            names = [self.name] if isinstance(self.name, str) else inst.get_info(recursive=False)
            if all(getattr(inst, n, None) is None for n in names if n == self.name):
                return stock.AttributeResult(True)
        return super().__call__(inst)


class Property(_Facet, stock.Property):  # type: ignore[misc]
    """A property that bounds nothing has no value; the stock facet stops with an assertion."""

    typed = frozenset({"value"})

    def __call__(self, inst: Instance) -> stock.PropertyResult:
        try:
            return super().__call__(inst)
        except AssertionError:
            # Raised for bounded and table values of which every part is missing.
            if self.cardinality == "optional":
                return stock.PropertyResult(True)
            return self.answer(False, stock.PropertyResult, {"type": "NOVALUE"})


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
        types = [ifcopenshell.util.element.get_predefined_type(g) for g in of_class]
        passed = self.predefinedType is None or any(t == self.predefinedType for t in types)
        reason = {"type": "PREDEFINEDTYPE", "actual": sorted(map(str, types))}
        return self.answer(passed, stock.PartOfResult, reason)


class Material(_Facet, stock.Material):  # type: ignore[misc]
    """A layer, profile or constituent without a material is legal and must not stop the check."""

    def __call__(self, inst: Instance) -> stock.MaterialResult:
        material = ifcopenshell.util.element.get_material(inst, should_skip_usage=True)
        if material is None or self.value is None:
            return super().__call__(inst)
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
