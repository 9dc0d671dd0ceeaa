"""An inventory names every element once, survives JSON, and refuses what was tampered with."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import ifcopenshell
import ifcopenshell.guid
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.inventory import (
    Element,
    Inventory,
    number_repeats,
    read_inventory,
    synthetic_id,
)
from ifcbase.ifc.opening import open_model
from ifcbase.ifc.text import clean, is_clean
from tests.ifc_builder import IfcBuilder

SAFE = st.text(max_size=20).filter(is_clean)
NONEMPTY = st.text(min_size=1, max_size=22).filter(is_clean)


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    steps = sorted(draw(st.sets(st.integers(1, 10**6), max_size=12)))
    ids = [draw(st.sampled_from(["A", "B", "C"]) | NONEMPTY) for _ in steps]
    numbers = number_repeats(ids)
    elements = tuple(
        Element(
            step,
            global_id,
            n,
            draw(st.sampled_from(["IfcWall", "IfcSlab"])),
            draw(st.none() | SAFE),
            draw(st.none() | SAFE),
            draw(st.booleans()),
            draw(st.booleans()),
        )
        for step, global_id, n in zip(steps, ids, numbers, strict=True)
    )
    scale = draw(st.sampled_from([1.0, 0.001, 0.3048]))
    return Inventory("IFC4", scale, elements, repeated_ids=sum(map(bool, numbers)))


@settings(deadline=None, max_examples=60)
@given(inventories())
def test_json_round_trip(inventory: Inventory) -> None:
    assert Inventory.from_json(inventory.to_json()) == inventory


@settings(deadline=None, max_examples=40)
@given(inventories(), st.integers(0, 10**6 + 1))
def test_index_of_is_the_position_or_an_error(inventory: Inventory, step: int) -> None:
    steps = [e.step_id for e in inventory.elements]
    for at, each in enumerate(steps):
        assert inventory.index_of(each) == at
    if step not in steps:
        with pytest.raises(KeyError):
            inventory.index_of(step)
    assert inventory.indexes_of([step, *steps[::-2], step]).tolist() == sorted(
        {i for i, s in enumerate(steps) if s == step or s in steps[::-2]}
    )


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from("abc")))
def test_keys_never_repeat(ids: list[str]) -> None:
    keys = list(zip(ids, number_repeats(ids), strict=True))
    assert len(set(keys)) == len(keys)


def _document() -> dict[str, Any]:
    elements = (
        Element(5, "X", 0, "IfcWall", "a", "L1", True, True),
        Element(9, "X", 1, "IfcSlab", None, None, False, False),
    )
    return Inventory("IFC4", 1.0, elements, repeated_ids=1).to_document()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("schema", 7),
        ("schema", "IFC4\0"),
        ("unit_scale", 0),
        ("unit_scale", True),
        ("unit_scale", -1.0),
        ("step_id", [9, 5]),
        ("step_id", [5, 5]),
        ("step_id", [0, 5]),
        ("step_id", [5.0, 9]),
        ("step_id", [True, 9]),
        ("step_id", "59"),
        ("global_id", ["X"]),
        ("global_id", ["", "X"]),
        ("global_id", ["X" * 65, "X"]),
        ("global_id", [None, "X"]),
        ("class", [0, 2]),
        ("class", [-1, 0]),
        ("classes", ["IfcWall"]),
        ("classes", ["IfcWall", None]),
        ("storey", [0, 9]),
        ("storeys", [1, 2]),
        ("name", ["a"]),
        ("name", ["a", 3]),
        ("name", ["a\0", None]),
        ("name", ["a\ud800", None]),
        ("name", ["a" * 1001, None]),
        ("has_representation", [1, 2]),
        ("physical", [1, 2]),
        ("synthetic_ids", -1),
        ("synthetic_ids", 3),
        ("cleaned_names", "0"),
    ],
)
def test_tampered_inventories_are_refused(key: str, value: Any) -> None:
    document = _document()
    Inventory.from_document(dict(document))
    with pytest.raises(ReportInvalid):
        Inventory.from_document(document | {key: value})
    del document[key]
    with pytest.raises(ReportInvalid):
        Inventory.from_document(document)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"format": 1, "unit_scale": NaN}', "1"])
def test_what_is_no_inventory_is_refused(text: str) -> None:
    with pytest.raises(ReportInvalid):
        Inventory.from_json(text)


def test_n_is_derived_and_cannot_be_forged() -> None:
    document = _document() | {"n": [7, 7]}
    assert [e.n for e in Inventory.from_document(document).elements] == [0, 1]


def test_a_quarter_million_elements_are_quick_and_compact() -> None:
    elements = tuple(
        Element(i, f"{i:022d}", 0, "IfcWall", f"Basic Wall:Interior:{i}", f"L{i % 40}", True, True)
        for i in range(1, 250_001)
    )
    inventory = Inventory("IFC4", 1.0, elements)
    start = time.process_time()
    text = inventory.to_json()
    again = Inventory.from_json(text)
    assert time.process_time() - start < 10
    assert again == inventory
    assert len(text) < 100 * len(elements)


# --- reading models ------------------------------------------------------------------------------


def test_products_are_listed_by_step_id_with_class_name_and_storey() -> None:
    builder = IfcBuilder()
    ground = builder.storey("Ground")
    wall = builder.box("w", storey=ground)
    door = builder.box("d", ifc_class="IfcDoor")
    opening = builder.opening(wall, (0, 0, 0), (0.5, 1, 0.5), filling=door)
    part = builder.box("part", ifc_class="IfcBuildingElementPart")
    builder.aggregate(wall, [part])
    port = builder.root("IfcDistributionPort", "port")
    inventory = read_inventory(builder.file)
    steps = [e.step_id for e in inventory.elements]
    assert steps == sorted(steps)
    by_step = {e.step_id: e for e in inventory.elements}
    assert port.id() not in by_step
    for element, name in ((wall, "w"), (door, "d"), (opening, "opening"), (part, "part")):
        row = by_step[element.id()]
        assert (row.name, row.ifc_class) == (name, element.is_a())
        assert row.storey == "Ground"
        assert row.has_representation
    assert not by_step[ground.id()].has_representation


def test_element_in_a_space_is_on_the_storey_of_the_space() -> None:
    builder = IfcBuilder()
    storey = builder.storey("Level 2")
    space = builder.root("IfcSpace", "room")
    builder.aggregate(storey, [space])
    chair = builder.box("chair", ifc_class="IfcFurniture", storey=space)
    inventory = read_inventory(builder.file)
    assert inventory.elements[inventory.index_of(chair.id())].storey == "Level 2"


def test_circle_of_relations_ends() -> None:
    builder = IfcBuilder()
    one, two = builder.box("one"), builder.box("two")
    builder.aggregate(one, [two])
    builder.aggregate(two, [one])
    assert [e.storey for e in read_inventory(builder.file).elements] == [None, None]


@pytest.mark.parametrize(("unit", "scale"), [("m", 1.0), ("mm", 0.001)])
def test_unit_scale_is_metres_per_unit(unit: str, scale: float) -> None:
    assert read_inventory(IfcBuilder(unit=unit).file).unit_scale == pytest.approx(scale)


def test_model_without_a_project_or_elements_has_an_empty_inventory() -> None:
    inventory = read_inventory(ifcopenshell.file(schema="IFC4"))
    assert len(inventory) == 0
    assert inventory.unit_scale == 1.0
    assert Inventory.from_json(inventory.to_json()) == inventory


def test_repeated_global_ids_get_numbers_in_step_order() -> None:
    builder = IfcBuilder()
    same = ifcopenshell.guid.new()
    for name in ("first", "second", "third"):
        builder.box(name, GlobalId=same)
    inventory = read_inventory(builder.file)
    assert [(e.name, e.n) for e in inventory.elements] == [
        ("first", 0),
        ("second", 1),
        ("third", 2),
    ]
    assert inventory.repeated_ids == 2


def test_missing_global_ids_get_a_stable_key(tmp_path: Path) -> None:
    def inventory(padding: int) -> Inventory:
        builder = IfcBuilder()
        for _ in range(padding):  # other step ids in the next revision
            builder.file.create_entity("IfcCartesianPoint", (0.0, 0.0))
        walls = [builder.box(name) for name in ("a", "a", "b")]
        text = builder.file.to_string()
        for wall, missing in zip(walls, ("$", "$", "''"), strict=True):
            text = text.replace(f"'{wall.GlobalId}'", missing)
        path = tmp_path / "m.ifc"
        path.write_text(text)
        return read_inventory(open_model(path))

    first, second = inventory(0), inventory(9)
    assert first.synthetic_ids == 3
    keys = [(e.global_id, e.n) for e in first.elements]
    assert len(set(keys)) == 3
    assert all(key.startswith("~") and len(key) == 22 for key, _ in keys)
    assert [n for _, n in keys] == [0, 1, 0]
    assert keys == [(e.global_id, e.n) for e in second.elements]
    assert [e.step_id for e in first.elements] != [e.step_id for e in second.elements]


def test_synthetic_ids_depend_on_what_is_known() -> None:
    assert synthetic_id("IfcWall", "a", None, None) == synthetic_id("IfcWall", "a", None, None)
    assert synthetic_id("IfcWall", "a", None, None) != synthetic_id("IfcWall", None, "a", None)
    assert len(synthetic_id("IfcWall", "\ud800", None, "\0")) == 22


@pytest.mark.parametrize("identifier", ["Body", "Facetation", "Surface", "Whatever", None])
def test_bodies_under_any_name_count_as_representation(identifier: str | None) -> None:
    builder = IfcBuilder()
    body = builder.body((1, 1, 1))
    body.Representations[0].RepresentationIdentifier = identifier
    builder.box("w", Representation=body)
    assert read_inventory(builder.file).elements[0].has_representation


@pytest.mark.parametrize(
    ("identifier", "kind"),
    [("Axis", "Curve2D"), ("FootPrint", "Curve2D"), ("Box", "BoundingBox"), ("Annotation", None)],
)
def test_what_cannot_be_meshed_does_not_count(identifier: str, kind: str | None) -> None:
    builder = IfcBuilder()
    flat = builder.axis_only()
    flat.Representations[0].RepresentationIdentifier = identifier
    flat.Representations[0].RepresentationType = kind
    builder.box("w", Representation=flat)
    builder.box("none", Representation=None)
    assert [e.has_representation for e in read_inventory(builder.file).elements] == [False, False]


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet=st.characters(codec=None), max_size=30))
def test_cleaned_text_can_be_stored(text: str) -> None:
    cleaned = clean(text)
    assert is_clean(cleaned)
    assert clean(cleaned) == cleaned
    assert len(cleaned) == len(text)
    assert "\0" not in cleaned
    json.dumps(cleaned).encode("utf-8")
    cleaned.encode("utf-8")
    if is_clean(text):
        assert cleaned == text
