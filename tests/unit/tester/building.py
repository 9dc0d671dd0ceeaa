"""Small IDS files and models for the tests, written out where they are used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.guid

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<ids xmlns="http://standards.buildingsmart.org/IDS" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<info><title>{title}</title></info><specifications>{specifications}</specifications></ids>
"""

OPTIONAL = 'minOccurs="0" maxOccurs="unbounded"'
REQUIRED = 'minOccurs="1" maxOccurs="unbounded"'
PROHIBITED = 'minOccurs="0" maxOccurs="0"'


def ids_text(*specifications: str, title: str = "Rules") -> str:
    return _HEAD.format(title=title, specifications="".join(specifications))


def specification(
    requirements: str = "",
    *,
    applicability: str | None = None,
    occurs: str = OPTIONAL,
    versions: str = "IFC4",
    name: str = "A rule",
) -> str:
    where = entity("IFCWALL") if applicability is None else applicability
    demanded = f"<requirements>{requirements}</requirements>" if requirements else ""
    return (
        f'<specification name="{name}" ifcVersion="{versions}">'
        f"<applicability {occurs}>{where}</applicability>{demanded}</specification>"
    )


def simple(tag: str, text: str) -> str:
    return f"<{tag}><simpleValue>{text}</simpleValue></{tag}>"


def restricted(tag: str, base: str = "string", **facets: str | list[str]) -> str:
    inner = "".join(
        f'<xs:{name} value="{value}"/>'
        for name, values in facets.items()
        for value in (values if isinstance(values, list) else [values])
    )
    return f'<{tag}><xs:restriction base="xs:{base}">{inner}</xs:restriction></{tag}>'


def entity(name: str, predefined_type: str | None = None) -> str:
    inner = name if name.startswith("<") else simple("name", name)
    if predefined_type is not None:
        inner += simple("predefinedType", predefined_type)
    return f"<entity>{inner}</entity>"


def attribute(name: str, value: str = "", cardinality: str | None = None) -> str:
    """``value`` and a ``name`` that starts with < are XML; else the name is a simple value."""
    inner = name if name.startswith("<") else simple("name", name)
    return f"<attribute{_cardinality(cardinality)}>{inner}{value}</attribute>"


def property_(
    value: str = "", *, data_type: str | None = "IFCLABEL", cardinality: str | None = None
) -> str:
    kind = f' dataType="{data_type}"' if data_type else ""
    names = simple("propertySet", "Set") + simple("baseName", "Item")
    return f"<property{kind}{_cardinality(cardinality)}>{names}{value}</property>"


def _cardinality(cardinality: str | None) -> str:
    return f' cardinality="{cardinality}"' if cardinality else ""


def write_ids(folder: Path, *specifications: str, name: str = "rules.ids") -> Path:
    path = folder / name
    path.write_text(ids_text(*specifications), encoding="utf-8")
    return path


class Model:
    """A model under construction; every rooted entity gets a fresh GlobalId."""

    def __init__(self, schema: str = "IFC4") -> None:
        self.file = ifcopenshell.file(schema=schema)

    def add(self, ifc_class: str, *values: Any, **attributes: Any) -> Any:
        instance = self.file.create_entity(ifc_class, *values, **attributes)
        if hasattr(instance, "GlobalId") and instance.GlobalId is None:
            instance.GlobalId = ifcopenshell.guid.new()
        return instance

    def project(self, *units: Any) -> Any:
        """A project with these units."""
        assignment = self.add("IfcUnitAssignment", Units=units or [self.si("LENGTHUNIT", "METRE")])
        return self.add("IfcProject", Name="Project", UnitsInContext=assignment)

    def si(self, kind: str, name: str, prefix: str | None = None) -> Any:
        return self.add("IfcSIUnit", UnitType=kind, Name=name, Prefix=prefix)

    def converted(self, kind: str, name: str, factor: float, unit: Any, **more: Any) -> Any:
        """A unit that is so many of another."""
        value = self.file.create_entity("IfcReal", factor)
        measure = self.add("IfcMeasureWithUnit", ValueComponent=value, UnitComponent=unit)
        exponents = self.add("IfcDimensionalExponents", *[0] * 7)
        suffix = "WithOffset" if more else ""
        return self.add(
            f"IfcConversionBasedUnit{suffix}",
            Dimensions=exponents,
            UnitType=kind,
            Name=name,
            ConversionFactor=measure,
            **more,
        )

    def property(self, element: Any, item: Any, pset: str = "Set") -> Any:
        """Give an element a property set with one property entity."""
        found = self.add("IfcPropertySet", Name=pset, HasProperties=[item])
        self.add(
            "IfcRelDefinesByProperties",
            RelatedObjects=[element],
            RelatingPropertyDefinition=found,
        )
        return found

    def single(self, element: Any, ifc_type: str, value: Any, pset: str = "Set") -> Any:
        nominal = self.file.create_entity(ifc_type, value)
        item = self.add("IfcPropertySingleValue", Name="Item", NominalValue=nominal)
        return self.property(element, item, pset)

    def typed(self, element: Any, element_type: Any) -> None:
        self.add("IfcRelDefinesByType", RelatedObjects=[element], RelatingType=element_type)

    def write(self, folder: Path, name: str = "model.ifc") -> Path:
        path = folder / name
        self.file.write(str(path))
        return path
