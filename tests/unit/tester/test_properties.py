"""Properties: kinds, types, units, and what a type hands down."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import ifcopenshell
import ifctester.ids
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.tester.check import check
from ifcbase.tester.properties import forget, property_sets
from ifcbase.tester.report import SpecificationReport
from ifcbase.tester.units import to_si
from tests.unit.tester.building import (
    Model,
    attribute,
    entity,
    property_,
    restricted,
    simple,
    specification,
    write_ids,
)


def judged(folder: Path, model: Model, *requirements: str, versions: str = "IFC4") -> list[bool]:
    return [s.status for s in reports(folder, model, *requirements, versions=versions)]


def reports(
    folder: Path, model: Model, *requirements: str, versions: str = "IFC4"
) -> list[SpecificationReport]:
    rules = [specification(r, versions=versions) for r in requirements]
    report = check(model.write(folder), [write_ids(folder, *rules)])
    assert all(s.complete for s in report.specifications), report
    return report.specifications


def stock(folder: Path) -> list[bool]:
    rules = ifctester.ids.open(str(folder / "rules.ids"))
    model = ifcopenshell.open(str(folder / "model.ifc"))
    rules.validate(model)
    return [s.status for s in rules.specifications]


def is_(value: str, data_type: str | None = "IFCREAL", cardinality: str | None = None) -> str:
    return property_(simple("value", value), data_type=data_type, cardinality=cardinality)


def walled() -> tuple[Model, Any]:
    model = Model()
    model.project()
    return model, model.add("IfcWall")


# --- kinds of properties -------------------------------------------------------------------------


def reals(model: Model, *values: float) -> list[Any]:
    return [model.file.create_entity("IfcReal", value) for value in values]


def test_regression_a_list_of_numbers_was_compared_without_tolerance(tmp_path: Path) -> None:
    model, wall = walled()
    values = reals(model, 1.0, 2.0000001)
    model.property(wall, model.add("IfcPropertyListValue", Name="Item", ListValues=values))
    assert judged(tmp_path, model, is_("2.0"), is_("3.0")) == [True, False]
    assert stock(tmp_path) == [False, False]


def test_any_value_of_an_enumeration_will_do(tmp_path: Path) -> None:
    model, wall = walled()
    labels = [model.file.create_entity("IfcLabel", v) for v in ("NEW", "OLD")]
    item = model.add("IfcPropertyEnumeratedValue", Name="Item", EnumerationValues=labels)
    model.property(wall, item)
    wanted = [is_(v, "IFCLABEL") for v in ("NEW", "OLD", "ELSE")]
    assert judged(tmp_path, model, *wanted, is_("1")) == [True, True, False, False]


def test_each_bound_is_a_value(tmp_path: Path) -> None:
    model, wall = walled()
    low, high = reals(model, 1.0, 5.0)
    item = model.add(
        "IfcPropertyBoundedValue", Name="Item", LowerBoundValue=low, UpperBoundValue=high
    )
    model.property(wall, item)
    assert judged(tmp_path, model, is_("1"), is_("5"), is_("3")) == [True, True, False]


@pytest.mark.parametrize(
    ("cardinality", "passes"), [("required", False), ("optional", True), ("prohibited", True)]
)
def test_regression_a_property_that_bounds_nothing_stopped_the_check(
    tmp_path: Path, cardinality: str, passes: bool
) -> None:
    model, wall = walled()
    model.property(wall, model.add("IfcPropertyBoundedValue", Name="Item"))
    rule = property_(data_type="IFCREAL", cardinality=cardinality)
    assert judged(tmp_path, model, rule) == [passes]
    with pytest.raises(AssertionError):
        stock(tmp_path)


def test_both_columns_of_a_table_count(tmp_path: Path) -> None:
    model, wall = walled()
    labels = [model.file.create_entity("IfcLabel", v) for v in ("a", "b")]
    item = model.add(
        "IfcPropertyTableValue",
        Name="Item",
        DefiningValues=labels,
        DefinedValues=reals(model, 1.0, 2.0),
    )
    model.property(wall, item)
    wanted = [is_("a", "IFCLABEL"), is_("2"), is_("3"), is_("b", None)]
    assert judged(tmp_path, model, *wanted) == [True, True, False, True]
    assert stock(tmp_path) == [True, True, False, False]  # wants a data type to find anything


def test_what_ids_does_not_support_is_no_value(tmp_path: Path) -> None:
    model, wall = walled()
    inner = model.add("IfcPropertySingleValue", Name="Item", NominalValue=reals(model, 1.0)[0])
    item = model.add("IfcComplexProperty", Name="Item", UsageName="x", HasProperties=[inner])
    model.property(wall, item)
    report = reports(tmp_path, model, property_(data_type="IFCREAL"))[0]
    assert report.status is False
    assert "does not contain" in report.requirements[0].failures[0].reason


def test_regression_a_complex_quantity_stops_nobody(tmp_path: Path) -> None:
    model, wall = walled()
    length = model.add("IfcQuantityLength", Name="Item", LengthValue=2.0)
    layers = model.add(
        "IfcPhysicalComplexQuantity",
        Name="Layers",
        HasQuantities=[model.add("IfcQuantityLength", Name="x", LengthValue=1.0)],
        Discrimination="layer",
    )
    quantities = model.add("IfcElementQuantity", Name="Set", Quantities=[length, layers])
    model.add(
        "IfcRelDefinesByProperties", RelatedObjects=[wall], RelatingPropertyDefinition=quantities
    )
    assert judged(tmp_path, model, is_("2", "IFCLENGTHMEASURE"), is_("2")) == [True, False]


@pytest.mark.parametrize(
    ("ifc_type", "value", "has_value"),
    [
        ("IfcLabel", "", False),
        ("IfcLabel", "UNKNOWN", True),
        ("IfcLogical", "UNKNOWN", False),
        ("IfcLogical", False, True),
        ("IfcBoolean", False, True),
        ("IfcReal", 0.0, True),
        ("IfcInteger", 0, True),
        ("IfcDuration", "P0D", True),
    ],
)
def test_what_counts_as_a_value(tmp_path: Path, ifc_type: str, value: Any, has_value: bool) -> None:
    model, wall = walled()
    model.single(wall, ifc_type, value)
    rules = [property_(data_type=ifc_type.upper()), property_(data_type=None)]
    assert judged(tmp_path, model, *rules) == [has_value, has_value]


def test_a_null_value_is_no_value(tmp_path: Path) -> None:
    model, wall = walled()
    model.property(wall, model.add("IfcPropertySingleValue", Name="Item"))
    rules = [property_(cardinality=c) for c in ("required", "optional", "prohibited")]
    assert judged(tmp_path, model, *rules) == [False, True, True]


def test_reasons_name_what_was_found(tmp_path: Path) -> None:
    model, wall = walled()
    model.single(wall, "IfcLabel", "blue")
    model.single(model.add("IfcWall"), "IfcLabel", "x", pset="Another")
    value, kind = reports(tmp_path, model, is_("red", "IFCLABEL"), property_(data_type="IFCREAL"))
    assert [r.reason for r in value.requirements[0].failures] == [
        'The property value "blue" does not match the requirements',
        "The required property set does not exist",
    ]
    assert "IfcLabel" in kind.requirements[0].failures[0].reason


# --- several sets and properties -----------------------------------------------------------------


def test_every_property_and_set_that_is_meant_must_do(tmp_path: Path) -> None:
    model, wall = walled()
    model.single(wall, "IfcLabel", "x", pset="Set_A")
    model.single(wall, "IfcLabel", "y", pset="Set_B")

    def rule(sets: str, value: str, cardinality: str = "required") -> str:
        names = restricted("propertySet", pattern=sets) + simple("baseName", "Item")
        inner = names + (simple("value", value) if value else "")
        return f'<property dataType="IFCLABEL" cardinality="{cardinality}">{inner}</property>'

    rules = [rule("Set_.", ""), rule("Set_.", "x"), rule("Set_A", "x"), rule("Other.*", "")]
    assert judged(tmp_path, model, *rules) == [True, False, True, False]


def test_regression_an_optional_property_missing_in_one_set_hid_another_set(
    tmp_path: Path,
) -> None:
    model, wall = walled()
    other = model.add("IfcPropertySingleValue", Name="Other")
    model.property(wall, other, pset="Set_A")
    model.single(wall, "IfcLabel", "wrong", pset="Set_B")
    names = restricted("propertySet", pattern="Set_.") + simple("baseName", "Item")
    inner = names + simple("value", "right")
    rule = f'<property dataType="IFCLABEL" cardinality="optional">{inner}</property>'
    assert judged(tmp_path, model, rule) == [False]
    assert stock(tmp_path) == [True]


# --- what a type hands down ----------------------------------------------------------------------


def inherited(ifc_type: str, value: Any) -> tuple[Model, Any]:
    model, wall = walled()
    nominal = model.file.create_entity(ifc_type, value)
    item = model.add("IfcPropertySingleValue", Name="Item", NominalValue=nominal)
    handed_down = model.add("IfcPropertySet", Name="Set", HasProperties=[item])
    kind = model.add("IfcWallType", PredefinedType="NOTDEFINED", HasPropertySets=[handed_down])
    model.typed(wall, kind)
    return model, wall


def test_properties_come_from_the_type_unless_the_occurrence_says_otherwise(
    tmp_path: Path,
) -> None:
    model, wall = inherited("IfcLabel", "from the type")
    assert judged(tmp_path, model, is_("from the type", "IFCLABEL")) == [True]
    model.single(wall, "IfcLabel", "own")
    rules = [is_("from the type", "IFCLABEL"), is_("own", "IFCLABEL")]
    assert judged(tmp_path, model, *rules) == [False, True]


def test_regression_the_type_of_an_inherited_property_went_unchecked(tmp_path: Path) -> None:
    model, wall = inherited("IfcText", "x")
    other = model.add("IfcPropertySingleValue", Name="Other")
    model.property(wall, other)
    rules = [is_("x", "IFCLABEL"), is_("x", "IFCTEXT")]
    assert judged(tmp_path, model, *rules) == [False, True]
    assert stock(tmp_path) == [True, True]


# --- other bearers of properties -----------------------------------------------------------------


def test_materials_and_profiles_have_properties(tmp_path: Path) -> None:
    model = Model()
    item = model.add("IfcPropertySingleValue", Name="Item", NominalValue=reals(model, 1.0)[0])
    material = model.add("IfcMaterial", Name="Brick")
    model.add("IfcMaterialProperties", Name="Set", Properties=[item], Material=material)
    profile = model.add("IfcProfileDef", ProfileType="AREA")
    model.add("IfcProfileProperties", Name="Set", Properties=[item], ProfileDefinition=profile)
    for bearer in (material, profile):
        assert [held.value for held in property_sets(bearer)["Set"]["Item"] or ()] == [1.0]
    forget()


def test_an_ifc2x3_material_has_its_extended_properties() -> None:
    model = Model("IFC2X3")
    item = model.add("IfcPropertySingleValue", Name="Item", NominalValue=reals(model, 1.0)[0])
    brick, steel = (model.add("IfcMaterial", Name=name) for name in ("Brick", "Steel"))
    model.add(
        "IfcExtendedMaterialProperties", Material=brick, ExtendedProperties=[item], Name="Set"
    )
    assert list(property_sets(brick)) == ["Set"]
    assert property_sets(steel) == {}
    forget()


def test_predefined_property_sets_have_types_and_units(tmp_path: Path) -> None:
    model = Model()
    model.project(model.si("LENGTHUNIT", "METRE", "MILLI"))
    wall = model.add("IfcWall")
    lining = model.add("IfcDoorLiningProperties", Name="Set", LiningDepth=100.0)
    model.add("IfcRelDefinesByProperties", RelatedObjects=[wall], RelatingPropertyDefinition=lining)
    rules = [
        is_(value, kind).replace("Item", "LiningDepth")
        for value, kind in (
            ("0.1", "IFCPOSITIVELENGTHMEASURE"),
            ("100", "IFCPOSITIVELENGTHMEASURE"),
            ("0.1", "IFCREAL"),
        )
    ]
    assert judged(tmp_path, model, *rules) == [True, False, False]


# --- units ---------------------------------------------------------------------------------------


def test_numbers_are_compared_in_si(tmp_path: Path) -> None:
    model = Model()
    model.project(model.si("LENGTHUNIT", "METRE", "MILLI"), model.si("MASSUNIT", "GRAM"))
    wall = model.add("IfcWall")
    model.single(wall, "IfcLengthMeasure", 2000.0)
    model.single(wall, "IfcMassMeasure", 500.0, pset="Mass")
    mass = is_("0.5", "IFCMASSMEASURE").replace(">Set<", ">Mass<")
    assert judged(tmp_path, model, is_("2", "IFCLENGTHMEASURE"), mass) == [True, True]


def test_the_unit_of_the_property_wins_over_the_project(tmp_path: Path) -> None:
    model = Model()
    model.project(model.si("LENGTHUNIT", "METRE", "MILLI"))
    nominal = model.file.create_entity("IfcLengthMeasure", 2.0)
    metre = model.si("LENGTHUNIT", "METRE")
    item = model.add("IfcPropertySingleValue", Name="Item", NominalValue=nominal, Unit=metre)
    model.property(model.add("IfcWall"), item)
    assert judged(tmp_path, model, is_("2", "IFCLENGTHMEASURE")) == [True]


def test_regression_a_pound_was_rounded_to_0_454_kg(tmp_path: Path) -> None:
    model = Model()
    kilogram = model.si("MASSUNIT", "GRAM", "KILO")
    model.project(model.converted("MASSUNIT", "POUND", 0.45359237, kilogram))
    model.single(model.add("IfcWall"), "IfcMassMeasure", 10.0)
    rule = is_("4.5359237", "IFCMASSMEASURE")
    assert judged(tmp_path, model, rule) == [True]
    assert stock(tmp_path) == [False]


def test_regression_derived_units_were_not_converted(tmp_path: Path) -> None:
    model = Model()
    hour = model.converted("TIMEUNIT", "HOUR", 3600.0, model.si("TIMEUNIT", "SECOND"))
    parts = [
        model.add("IfcDerivedUnitElement", Unit=unit, Exponent=exponent)
        for unit, exponent in ((model.si("LENGTHUNIT", "METRE", "KILO"), 1), (hour, -1))
    ]
    speed = model.add("IfcDerivedUnit", Elements=parts, UnitType="LINEARVELOCITYUNIT")
    model.project(speed)
    model.single(model.add("IfcWall"), "IfcLinearVelocityMeasure", 36.0)
    rule = is_("10", "IFCLINEARVELOCITYMEASURE")
    assert judged(tmp_path, model, rule) == [True]
    assert stock(tmp_path) == [False]


def test_density_is_in_kilograms() -> None:
    model = Model()
    parts = [
        model.add("IfcDerivedUnitElement", Unit=unit, Exponent=exponent)
        for unit, exponent in (
            (model.si("MASSUNIT", "GRAM"), 1),
            (model.si("LENGTHUNIT", "METRE", "CENTI"), -3),
        )
    ]
    density = model.add("IfcDerivedUnit", Elements=parts, UnitType="MASSDENSITYUNIT")
    assert to_si(2.4, density) == pytest.approx(2400.0)


def test_temperatures_are_in_kelvins() -> None:
    model = Model()
    celsius = model.si("THERMODYNAMICTEMPERATUREUNIT", "DEGREE_CELSIUS")
    kelvin = model.si("THERMODYNAMICTEMPERATUREUNIT", "KELVIN")
    fahrenheit = model.converted(
        "THERMODYNAMICTEMPERATUREUNIT", "FAHRENHEIT", 5 / 9, kelvin, ConversionOffset=255.372222222
    )
    assert to_si(20.0, celsius) == pytest.approx(293.15)
    assert to_si(20.0, kelvin) == 20.0
    assert to_si(68.0, fahrenheit) == pytest.approx(293.15)


def test_money_and_units_of_ones_own_keep_their_numbers() -> None:
    model = Model()
    euro = model.add("IfcMonetaryUnit", Currency="EUR")
    pieces = model.add(
        "IfcContextDependentUnit",
        Dimensions=model.add("IfcDimensionalExponents", *[0] * 7),
        UnitType="USERDEFINED",
        Name="PIECES",
    )
    assert to_si(5.0, euro) == 5.0
    assert to_si(5.0, pieces) == 5.0


def test_regression_lengths_in_attributes_were_compared_in_the_models_unit(tmp_path: Path) -> None:
    model = Model()
    model.project(model.si("LENGTHUNIT", "METRE", "MILLI"))
    model.add("IfcDoor", OverallHeight=2100.0, Name="2100")
    rules = [
        specification(attribute(name, value), applicability=entity("IFCDOOR"))
        for name, value in (
            ("OverallHeight", simple("value", "2.1")),
            ("OverallHeight", restricted("value", "double", maxInclusive="2.2")),
            ("OverallHeight", simple("value", "2100")),
            ("Name", simple("value", "2100")),
        )
    ]
    report = check(model.write(tmp_path), [write_ids(tmp_path, *rules)])
    assert [s.status for s in report.specifications] == [True, True, False, True]
    assert stock(tmp_path) == [False, False, True, True]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.floats(-1e6, 1e6),
    st.sampled_from([None, "MILLI", "CENTI", "KILO"]),
    st.sampled_from([("METRE", 1), ("SQUARE_METRE", 2), ("CUBIC_METRE", 3)]),
)
def test_prefixes_count_in_every_dimension(
    value: float, prefix: str | None, unit: tuple[str, int]
) -> None:
    name, power = unit
    scale = {None: 1.0, "MILLI": 1e-3, "CENTI": 1e-2, "KILO": 1e3}[prefix] ** power
    kind = {1: "LENGTHUNIT", 2: "AREAUNIT", 3: "VOLUMEUNIT"}[power]
    assert math.isclose(to_si(value, Model().si(kind, name, prefix)), value * scale, rel_tol=1e-12)


def test_a_model_without_project_still_has_texts_and_numbers(tmp_path: Path) -> None:
    model = Model()
    wall = model.add("IfcWall")
    model.single(wall, "IfcLabel", "x")
    model.single(wall, "IfcLengthMeasure", 2.0, pset="Length")
    length = is_("2", "IFCLENGTHMEASURE").replace(">Set<", ">Length<")
    assert judged(tmp_path, model, is_("x", "IFCLABEL"), length) == [True, True]


def test_regression_the_step_number_of_a_set_passed_for_a_property(tmp_path: Path) -> None:
    model, wall = walled()
    model.single(wall, "IfcLabel", "")
    names = simple("propertySet", "Set") + restricted("baseName", pattern=".*")
    assert judged(tmp_path, model, f"<property>{names}</property>") == [False]
    assert stock(tmp_path) == [True]
