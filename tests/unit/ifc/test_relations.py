"""Which pairs belong together: hosts, openings, fillings, and parts of one assembly."""

from __future__ import annotations

from typing import Any

import numpy as np

from ifcbase.ifc.inventory import read_inventory
from ifcbase.ifc.relations import read_relations
from tests.ifc_builder import IfcBuilder


def related(builder: IfcBuilder, one: Any, two: Any) -> bool:
    inventory = read_inventory(builder.file)
    relations = read_relations(builder.file, inventory)
    i = np.array([inventory.index_of(one.id())], np.int32)
    j = np.array([inventory.index_of(two.id())], np.int32)
    (forth,), (back,) = relations.related(i, j), relations.related(j, i)
    assert forth == back
    return bool(forth)


def test_host_opening_and_filling_belong_together() -> None:
    builder = IfcBuilder()
    wall, other = builder.box("wall"), builder.box("other")
    door = builder.box("door", ifc_class="IfcDoor")
    opening = builder.opening(wall, (0, 0, 0), (1, 1, 1), filling=door)
    assert related(builder, wall, opening)
    assert related(builder, opening, door)
    assert related(builder, wall, door)
    assert not related(builder, other, door)
    assert not related(builder, other, wall)
    assert not related(builder, other, opening)


def test_two_fillings_of_one_wall_do_not() -> None:
    builder = IfcBuilder()
    wall = builder.box("wall")
    doors = [builder.box("door", ifc_class="IfcDoor") for _ in range(2)]
    for door in doors:
        builder.opening(wall, (0, 0, 0), (1, 1, 1), filling=door)
    assert not related(builder, *doors)


def test_filling_and_the_layers_of_its_wall_belong_together() -> None:
    builder = IfcBuilder()
    wall = builder.box("wall", Representation=None)
    layer = builder.box("layer", ifc_class="IfcBuildingElementPart")
    builder.aggregate(wall, [layer])
    door = builder.box("door", ifc_class="IfcDoor")
    builder.opening(wall, (0, 0, 0), (1, 1, 1), filling=door)
    assert related(builder, door, layer)


def test_parts_of_one_assembly_belong_together_at_any_depth() -> None:
    builder = IfcBuilder()
    frame = builder.root("IfcElementAssembly", "frame")
    sub = builder.root("IfcElementAssembly", "sub")
    beam, bolt, stray = builder.box("beam"), builder.box("bolt"), builder.box("stray")
    builder.aggregate(frame, [sub, beam])
    builder.aggregate(sub, [bolt])
    assert related(builder, beam, bolt)
    assert related(builder, frame, bolt)
    assert not related(builder, stray, beam)


def test_elements_of_one_storey_are_no_assembly() -> None:
    builder = IfcBuilder()
    storey = builder.storey("L1")
    one, two = builder.box("one", storey=storey), builder.box("two", storey=storey)
    space = builder.root("IfcSpace", "space")
    builder.aggregate(storey, [space])
    assert not related(builder, one, two)


def test_two_assemblies_are_not_one() -> None:
    builder = IfcBuilder()
    parts = []
    for name in "ab":
        whole = builder.root("IfcElementAssembly", name)
        parts.append(builder.box(name))
        builder.aggregate(whole, [parts[-1]])
    assert not related(builder, *parts)


def test_circle_of_wholes_ends() -> None:
    builder = IfcBuilder()
    one, two = builder.box("one"), builder.box("two")
    builder.aggregate(one, [two])
    builder.aggregate(two, [one])
    inventory = read_inventory(builder.file)
    assert len(read_relations(builder.file, inventory).assembly) == 2


def test_empty_model_has_no_relations() -> None:
    builder = IfcBuilder()
    inventory = read_inventory(builder.file)
    none = np.zeros(0, np.int32)
    assert read_relations(builder.file, inventory).related(none, none).shape == (0,)
