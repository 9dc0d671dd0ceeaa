"""What a mesher is: a file and the elements wanted in, one mesh or one reason per element out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ifcbase.errors import ComputeError
from ifcbase.ifc.meshset import MeshSet

if TYPE_CHECKING:
    import ifcopenshell

#: Classes whose shape is taken away from another element.
OPENING_CLASSES = frozenset({"IfcOpeningElement", "IfcOpeningStandardCase", "IfcVoidingFeature"})


class Product(Protocol):
    """What meshing needs to know of an inventory's element."""

    @property
    def step_id(self) -> int: ...
    @property
    def global_id(self) -> str: ...
    @property
    def ifc_class(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """The elements to mesh, as columns; a mesher's row i is element i."""

    step_ids: npt.NDArray[np.int64]
    global_ids: tuple[str, ...]
    ifc_classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.global_ids)

    @classmethod
    def of(cls, products: Iterable[Product]) -> Wanted:
        chosen = list(products)
        return cls(
            np.array([p.step_id for p in chosen], np.int64),
            tuple(p.global_id for p in chosen),
            tuple(p.ifc_class for p in chosen),
        )

    def take(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Wanted:
        return Wanted(
            self.step_ids[np.asarray(rows, np.int64)],
            tuple(self.global_ids[i] for i in rows),
            tuple(self.ifc_classes[i] for i in rows),
        )


@dataclass(slots=True)
class Source:
    """A file to mesh; the model is opened when a mesher or the audit first needs it."""

    path: Path
    _model: ifcopenshell.file | None = field(default=None, repr=False)
    _openings: dict[int, tuple[int, ...]] | None = field(default=None, repr=False)
    #: What a mesher that always does the whole file made of it, by settings of its own.
    whole: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def model(self) -> ifcopenshell.file:
        if self._model is None:
            import ifcopenshell  # native code, only where a model is read

            try:
                self._model = ifcopenshell.open(str(self.path))
            except (ifcopenshell.Error, OSError, RuntimeError) as error:
                raise ComputeError(
                    f"{self.path.name} cannot be opened for meshing", detail=repr(error)
                ) from error
        return self._model

    @property
    def openings(self) -> dict[int, tuple[int, ...]]:
        """Step ids of each element's openings, by the element's step id."""
        if self._openings is None:
            found: dict[int, tuple[int, ...]] = {}
            for relation in self.model.by_type("IfcRelVoidsElement"):
                host = relation.RelatingBuildingElement
                opening = relation.RelatedOpeningElement
                if host is not None and opening is not None:
                    found[host.id()] = (*found.get(host.id(), ()), opening.id())
            self._openings = found
        return self._openings


@dataclass(slots=True)
class Meshed:
    """One row per wanted element, about ``origin`` (world metres): an empty mesh where none came.

    ``unsure`` are rows the mesher itself has doubts about, with the reason; ``failures`` are rows
    it made nothing of; ``consumed`` are rows that it says openings consume. ``resolution`` is the worst rounding of a coordinate in metres.
    """

    meshes: MeshSet
    origin: npt.NDArray[np.float64]
    failures: dict[int, str] = field(default_factory=dict)
    unsure: dict[int, str] = field(default_factory=dict)
    consumed: set[int] = field(default_factory=set)
    resolution: float = 0.0


class Mesher(Protocol):
    """Makes meshes in metres with openings cut, in one thread."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def mesh(self, source: Source, wanted: Wanted) -> Meshed:
        """Mesh the wanted elements. Raises ComputeError if the file as a whole cannot be meshed."""
        ...


def assemble(
    parts: Sequence[tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]] | None],
) -> MeshSet:
    """A MeshSet with one row per part; None is an empty mesh."""
    nothing = (np.zeros((0, 3)), np.zeros((0, 3), np.int32))
    return MeshSet.from_meshes([nothing if part is None else part for part in parts], closed=False)
