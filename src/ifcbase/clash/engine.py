"""What a detection engine must offer; ``detect`` does everything around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ifcbase.clash.report import FloatArray, IntArray, LeftOut
from ifcbase.clash.request import ClashSet
from ifcbase.errors import IfcbaseError
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.reading import ReadModel, Selection
from ifcbase.ifc.relations import Relations
from ifcbase.ifc.signatures import Signatures
from ifcbase.progress import Progress


def nothing_read(selections: Sequence[Selection]) -> ReadModel:
    """What is known of a file that could not be read."""
    none = np.zeros(0, np.int32)
    inventory = Inventory(schema="UNKNOWN", unit_scale=1.0, elements=())
    return ReadModel(inventory, Relations(none, none, none, none), dict.fromkeys(selections, none))


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One input: its name in the request, its bytes, and what all sets select of it."""

    name: str
    path: Path
    sha256: str
    selections: tuple[Selection, ...]


@dataclass(slots=True)
class LoadedModel:
    """What an engine has of one input; ``failure`` is why it has nothing, or no shapes."""

    model: ReadModel
    left_out: dict[int, LeftOut] = field(default_factory=dict)  # inventory index: reason
    failure: IfcbaseError | None = None
    signatures: Signatures | None = None  # only where the engine was told to make them


@dataclass(frozen=True, slots=True)
class Members:
    """Elements of several models: parallel arrays of model index and inventory index."""

    model: IntArray
    element: IntArray

    def __len__(self) -> int:
        return len(self.element)


@dataclass(frozen=True, slots=True)
class Undecided:
    """A pair that could not be judged, as (model index, inventory index) twice."""

    x: tuple[int, int]
    y: tuple[int, int]
    reason: str


#: A pair of elements that belong together.
Together = tuple[tuple[int, int], tuple[int, int]]


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
    #: Pairs not looked at because they belong together, as (model index, inventory index) twice.
    related: tuple[Together, ...] = ()
    undecided: tuple[Undecided, ...] = ()  # pairs that are not among the contacts, but might be


class Engine(Protocol):
    """Reads and meshes once for all clash sets, then answers set by set."""

    @property
    def repeatable(self) -> bool:
        """Whether another run on the files that were loaded would answer the same."""
        ...

    def load(self, files: Sequence[ModelFile], progress: Progress) -> list[LoadedModel]:
        """Read each file and make shapes of what is selected; say what has none, and why.

        A file that fails is said to have failed; the others are not touched by it.
        """
        ...

    def find(self, clash_set: ClashSet, a: Members, b: Members) -> Contacts:
        """Contacts between a and b, neither empty, all with shapes; b is a in a self clash."""
        ...

    def describe(self) -> dict[str, Any]:
        """Mesher, kernel, library versions, settings and measure version: stored with results."""
        ...
