"""What a detection engine must offer; ``detect`` does everything around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ifcbase.clash.report import FloatArray, IntArray, LeftOut
from ifcbase.clash.request import ClashSet
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.opening import FileFacts
from ifcbase.ifc.relations import Relations
from ifcbase.progress import Progress

if TYPE_CHECKING:
    import ifcopenshell


@dataclass(frozen=True, slots=True)
class OpenModel:
    """One input as the detection holds it while it runs."""

    name: str
    path: Path
    facts: FileFacts
    file: ifcopenshell.file
    inventory: Inventory
    relations: Relations


@dataclass(frozen=True, slots=True)
class Members:
    """Elements of several models: parallel arrays of model index and inventory index."""

    model: IntArray
    element: IntArray

    def __len__(self) -> int:
        return len(self.element)


@dataclass(frozen=True, slots=True)
class Contacts:
    """What an engine found, unordered: x and y may be either side, and pairs may repeat."""

    x_model: IntArray
    x: IntArray
    y_model: IntArray
    y: IntArray
    kind: npt.NDArray[np.uint8]  # report.Kind
    distance: FloatArray  # metres, >= 0
    measured: npt.NDArray[np.uint8]  # report.Measured
    p_x: FloatArray  # (n, 3), world metres, on x
    p_y: FloatArray  # (n, 3), on y
    touching: int = 0  # pairs in contact only, whether among the contacts or not


class Engine(Protocol):
    """Makes shapes once for all clash sets, then answers set by set."""

    def prepare(
        self, models: Sequence[OpenModel], wanted: Sequence[IntArray], progress: Progress
    ) -> list[dict[int, LeftOut]]:
        """Make shapes of the wanted elements of each model; say which have none, and why."""
        ...

    def find(self, clash_set: ClashSet, a: Members, b: Members) -> Contacts:
        """Contacts between a and b, neither empty, all with shapes; b is a in a self clash."""
        ...

    def describe(self) -> dict[str, Any]:
        """Mesher, kernel, library versions, settings and measure version: stored with results."""
        ...
