"""Selectors: refused early with a reason, and applied so that nothing selected is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import SelectorInvalid
from ifcbase.ifc.inventory import Inventory, read_inventory
from ifcbase.ifc.selectors import SelectorMode, check_selector, select, unknown_classes
from tests.ifc_builder import IfcBuilder


@pytest.mark.parametrize(
    "selector",
    [
        "IfcWall",
        "IfcWall, IfcSlab",
        "IfcWall, Name=/W.*/",
        'IfcWall, Pset_WallCommon.FireRating="R 30"',
        "IfcWall + IfcSlab, ! IfcWallStandardCase",
        "3sl2f$Dbz5ihvOFr1Wlkff",
        "IfcElement, location=/L.*/, material!=concrete",
        "IfcRoad",  # a class of one supported schema only
        "IfcBuildingElement",
        "/* walls */ IfcWall",
    ],
)
def test_selectors_that_are_understood(selector: str) -> None:
    check_selector(selector)


@pytest.mark.parametrize(
    ("selector", "reason"),
    [
        ("IfcWall,, ", "',' at position 9"),
        ("IfcWall Name=x", "'N' at position 9"),
        ("IfcWall, Name=", "ends where more is expected"),
        ("IfcWall, Name", "ends where more is expected"),
        ("", "empty"),
        ("   ", "empty"),
        ('IfcWall, Name="a\0"', "control characters"),
        ('IfcWall, Name="\ud800"', "lone surrogates"),
        ("IfcNothing", "IfcNothing is not a class"),
        ("IfcWall, ! IfcNothing", "IfcNothing is not a class"),
        ("IfcLabel", "IfcLabel is not a class"),  # a type, not an entity
        ("IfcWall, Name=/(/", "not a regular expression"),
        ("IfcWall, /(/.x=1", "not a regular expression"),
    ],
)
def test_selectors_that_are_refused_say_why_in_one_sentence(selector: str, reason: str) -> None:
    with pytest.raises(SelectorInvalid) as caught:
        check_selector(selector)
    assert reason in caught.value.message
    assert repr(selector) in caught.value.message
    assert "\n" not in caught.value.message


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        check_selector(text)
    except SelectorInvalid as error:
        assert len(error.message) < 1000  # noqa: PT017


@pytest.fixture(scope="module")
def model() -> tuple[IfcBuilder, Inventory]:
    builder = IfcBuilder()
    storey = builder.storey("L1")
    wall = builder.box("W1", storey=storey, GlobalId="1" * 22)
    builder.box("W2", GlobalId="2" * 22)
    builder.box("S1", ifc_class="IfcSlab", GlobalId="3" * 22)
    builder.box("twin", ifc_class="IfcBeam", GlobalId="0" * 22)
    builder.box("twin", ifc_class="IfcBeam", GlobalId="0" * 22)
    builder.opening(wall, (0, 0, 0), (0.1, 0.1, 0.1))
    builder.box("room", ifc_class="IfcSpace")
    builder.root("IfcWallType", "W1")
    return builder, read_inventory(builder.file)


def names(
    model: tuple[IfcBuilder, Inventory], mode: SelectorMode, selector: str | None
) -> list[str | None]:
    builder, inventory = model
    found = select(builder.file, inventory, mode, selector)
    assert found.dtype == np.int32
    assert np.all(np.diff(found) > 0)
    return [inventory.elements[i].name for i in found]


ALL = ["W1", "W2", "S1", "twin", "twin"]


@pytest.mark.parametrize(
    ("mode", "selector", "expected"),
    [
        ("a", None, ALL),
        ("a", "IfcWall", ALL),
        ("i", "IfcWall", ["W1", "W2"]),
        ("e", "IfcWall", ["S1", "twin", "twin"]),
        ("i", "IfcWall, Name=W2", ["W2"]),
        ("i", "IfcWall, Name=W2 + IfcSlab", ["W2", "S1"]),
        ("i", "IfcElement, ! IfcWall", ["S1", "twin", "twin", "opening"]),
        ("i", "IfcOpeningElement", ["opening"]),
        ("i", "IfcSpace", ["room"]),
        ("i", "IfcElement, location=L1", ["W1", "opening"]),
        ("i", "2" * 22, ["W2"]),
        ("i", "IfcPump", []),
        ("e", "IfcPump", ALL),
        ("i", "IfcWallType", []),  # a type is no element
        ("i", "IfcRoad", []),  # not in this model's schema
        ("e", "IfcElement", []),
    ],
)
def test_modes(
    model: tuple[IfcBuilder, Inventory],
    mode: SelectorMode,
    selector: str | None,
    expected: list[str],
) -> None:
    assert names(model, mode, selector) == expected


def test_global_id_of_several_elements_selects_all_of_them(
    model: tuple[IfcBuilder, Inventory],
) -> None:
    """The library looks up one element per GlobalId and would leave the twin out."""
    assert names(model, "i", "0" * 22) == ["twin", "twin"]
    assert names(model, "e", "0" * 22) == ["W1", "W2", "S1"]
    assert names(model, "i", f"IfcBeam, ! {'0' * 22}") == []


def test_mode_without_its_selector_is_refused(model: tuple[IfcBuilder, Inventory]) -> None:
    with pytest.raises(SelectorInvalid):
        names(model, "i", None)


def test_bad_selector_is_refused_where_it_is_applied(model: tuple[IfcBuilder, Inventory]) -> None:
    with pytest.raises(SelectorInvalid):
        names(model, "i", "IfcWall,,")


@pytest.mark.parametrize("schema", ["IFC2X3", "IFC4", "IFC4X3_ADD2"])
@pytest.mark.parametrize("name", ["IfcBuildingElement", "IfcBuiltElement"])
def test_class_renamed_in_ifc4x3_selects_in_every_schema(schema: str, name: str) -> None:
    builder = IfcBuilder(schema)
    builder.box("w")
    inventory = read_inventory(builder.file)
    assert names((builder, inventory), "i", name) == ["w"]
    assert unknown_classes(inventory.schema, name) == []


def test_unknown_classes_names_what_a_schema_lacks() -> None:
    selector = "IfcRoad + IfcWall, ! IfcBuiltElement + IfcRoad"
    assert unknown_classes("IFC2X3", selector) == ["IfcRoad"]
    assert unknown_classes("IFC4X3", selector) == []
