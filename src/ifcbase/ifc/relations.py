"""Which elements of a model belong together so closely that touching is no clash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.inventory import Inventory

if TYPE_CHECKING:
    import ifcopenshell

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int32]
#: No sane model nests things deeper; a broken one may go in circles.
DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Relations:
    """Per inventory index, the index of another element, or -1.

    ``assembly`` is the outermost whole an element is (part of), ``whole`` the one directly above
    it, ``host`` what an opening is cut from or a filling sits in, ``opening`` what a filling fills.
    """

    assembly: IntArray
    whole: IntArray
    host: IntArray
    opening: IntArray

    def related(self, i: IntArray, j: IntArray) -> BoolArray:
        """For pairs of indexes: parts of one assembly, or a host with its opening or filling."""
        same: BoolArray = (self.assembly[i] >= 0) & (self.assembly[i] == self.assembly[j])
        return same | self._belongs(i, j) | self._belongs(j, i)

    def _belongs(self, i: IntArray, j: IntArray) -> BoolArray:
        host, whole = self.host[i], self.whole[j]
        # A filling of a wall that is modelled as layers sits in the layers.
        in_host: BoolArray = (host >= 0) & ((host == j) | (host == whole))
        in_opening: BoolArray = (self.opening[i] >= 0) & (self.opening[i] == j)
        return in_host | in_opening


def read_relations(file: ifcopenshell.file, inventory: Inventory) -> Relations:
    """Openings, fillings and assemblies of an open model; spatial structure is no assembly."""
    size = len(inventory)
    whole, host, opening = (np.full(size, -1, np.int32) for _ in range(3))
    index = {element.step_id: at for at, element in enumerate(inventory.elements)}
    for kind in ("IfcRelAggregates", "IfcRelNests"):
        for relation in file.by_type(kind):
            above = relation.RelatingObject
            if above is None or not above.is_a("IfcElement") or above.id() not in index:
                continue
            for part in relation.RelatedObjects or ():
                if part.id() in index and part.id() != above.id():
                    whole[index[part.id()]] = index[above.id()]
    for relation in file.by_type("IfcRelVoidsElement"):
        cut, void = relation.RelatingBuildingElement, relation.RelatedOpeningElement
        if cut is not None and void is not None and cut.id() in index and void.id() in index:
            host[index[void.id()]] = index[cut.id()]
    for relation in file.by_type("IfcRelFillsElement"):
        void, filling = relation.RelatingOpeningElement, relation.RelatedBuildingElement
        if void is None or filling is None or void.id() not in index or filling.id() not in index:
            continue
        opening[index[filling.id()]] = index[void.id()]
        host[index[filling.id()]] = host[index[void.id()]]
    return Relations(_outermost(whole), whole, host, opening)


def _outermost(whole: IntArray) -> IntArray:
    """The end of each chain of wholes; a whole is its own; what has no part and no whole, -1."""
    top = np.arange(len(whole), dtype=np.int32)
    for _ in range(DEEPEST):
        above = whole[top]
        moves = above >= 0
        if not moves.any():
            break
        top = np.where(moves, above, top).astype(np.int32)
    alone = whole < 0
    alone[whole[whole >= 0]] = False
    return np.where(alone, -1, top).astype(np.int32)
