"""Made-up models of boxes with their signatures, as the child of a job would hand them over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ifcbase.ifc.inventory import Element, Inventory, number_repeats
from ifcbase.ifc.meshset import MeshSet
from ifcbase.ifc.signatures import Shapes, Signatures, Traits, hash64, measure, sign

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
FACES = np.array(
    [[0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5]]
)  # fmt: skip

Point = Sequence[float]


@dataclass(frozen=True)
class Box:
    """One element: a box of a size at a place (its least corner), metres."""

    id: str
    at: Point = (0.0, 0.0, 0.0)
    size: Point = (0.3, 0.3, 3.0)
    ifc_class: str = "IfcColumn"
    name: str | None = None
    properties: str = ""
    meshed: bool = True
    placed: bool = True


def model(boxes: Iterable[Box]) -> tuple[Inventory, Signatures]:
    """The inventory of these boxes and its signatures."""
    boxes = list(boxes)
    numbers = number_repeats([b.id for b in boxes])
    elements = tuple(
        Element(i + 1, b.id, n, b.ifc_class, b.name, "Ground floor", True, True)
        for i, (b, n) in enumerate(zip(boxes, numbers, strict=True))
    )
    inventory = Inventory("IFC4", 1.0, elements, repeated_ids=sum(map(bool, numbers)))
    return inventory, sign(inventory, _traits(boxes), _shapes(boxes))


def signatures(boxes: Iterable[Box]) -> Signatures:
    """The signatures of these boxes."""
    return model(boxes)[1]


def _traits(boxes: list[Box]) -> Traits:
    places = [b.at if b.placed else (np.nan,) * 3 for b in boxes]
    return Traits(
        np.array(places, float).reshape(-1, 3),
        np.array([hash64(b.properties) for b in boxes], np.int64),
    )


def _shapes(boxes: list[Box]) -> Shapes:
    nothing = (np.zeros((0, 3)), np.zeros((0, 3), int))
    return measure(
        MeshSet.from_meshes(
            [
                (CORNERS * np.asarray(b.size) + np.asarray(b.at), FACES) if b.meshed else nothing
                for b in boxes
            ]
        )
    )
