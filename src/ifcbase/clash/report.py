"""What a clash detection found and what it really tested; the hand-over from compute to record.

A report is columnar: elements are named by (file index, index in that file's inventory), never by
GlobalId alone, so that files sharing GlobalIds lose nothing. Lengths are metres, points are world
coordinates in metres (float64).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.clash.request import ClashSet, SelectMode
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import Signatures


class Kind(IntEnum):
    """Contact kinds; the numbers are stored and never change their meaning."""

    PROTRUSION = 1
    PIERCE = 2
    COLLISION = 3
    CLEARANCE = 4
    CONTAINED = 5
    DUPLICATE = 6
    TOUCHING = 7

    @property
    def word(self) -> str:
        return self.name.lower()


class Measured(IntEnum):
    """How a distance was obtained."""

    NONE = 0  # the mode does not measure
    REFERENCE = 1  # as IfcOpenShell's tree reports it
    EXACT = 2  # separation depth or gap of the meshes
    BOUND = 3  # an upper bound of the depth


#: ``SetReport.incomplete`` of a list that was cut at its greatest length.
LIST_CUT = "list cut"


class LeftOut(StrEnum):
    """Why a selected element was not tested."""

    NO_REPRESENTATION = "no representation"  # it has no body at all: nothing to test
    NO_GEOMETRY = "no geometry"  # it has one, but no mesh could be made
    EMPTY = "empty after openings"  # its openings consume it
    FILE_FAILED = "file failed"

    @property
    def counts_as_gap(self) -> bool:
        """True if something that should have been tested was not (makes a run inconclusive)."""
        return self in {LeftOut.NO_GEOMETRY, LeftOut.FILE_FAILED}


class Verdict(StrEnum):
    FOUND = "found"
    CLEAN = "clean"
    INCONCLUSIVE = "inconclusive"


IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]


@dataclass(slots=True)
class Clashes:
    """n contacts as columns. a and b are sides of the set as the request gave them."""

    a_file: IntArray
    a: IntArray
    b_file: IntArray
    b: IntArray
    kind: npt.NDArray[np.uint8]
    distance: FloatArray  # depth of penetration, or gap for kind CLEARANCE; >= 0
    measured: npt.NDArray[np.uint8]
    p1: FloatArray  # (n, 3) on the element of side a
    p2: FloatArray  # (n, 3) on the element of side b
    group: IntArray  # smart group, or -1

    def __len__(self) -> int:
        return len(self.a)

    @classmethod
    def empty(cls) -> Clashes:
        i, u, f = np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.float64)
        p = np.zeros((0, 3), np.float64)
        return cls(i, i, i, i, u, f, u, p, p, i)


@dataclass(slots=True)
class PairList:
    """n pairs that were met and not reported; sides as in ``Clashes``.

    Who leaves pairs out before they are looked at names every such pair there could have been.
    """

    a_file: IntArray
    a: IntArray
    b_file: IntArray
    b: IntArray

    def __len__(self) -> int:
        return len(self.a)

    @classmethod
    def empty(cls) -> PairList:
        i = np.zeros(0, np.int32)
        return cls(i, i, i, i)


@dataclass(slots=True)
class SideFile:
    """What one side of a set selected in one file, and what of it could be tested."""

    file: int  # index in ClashReport.files
    mode: SelectMode
    selector: str | None
    selected: IntArray  # indexes into the file's inventory
    left_out: dict[int, LeftOut] = field(default_factory=dict)  # inventory index: reason

    @property
    def tested(self) -> int:
        return len(self.selected) - len(self.left_out)

    @property
    def gaps(self) -> int:
        """Elements with a representation that should have been tested and were not."""
        return sum(1 for reason in self.left_out.values() if reason.counts_as_gap)


@dataclass(slots=True)
class SetReport:
    """The outcome of one clash set: one result in the ledger."""

    definition: ClashSet
    a: list[SideFile]
    b: list[SideFile]  # empty: side a against itself
    clashes: Clashes
    related: PairList = field(default_factory=PairList.empty)  # left out: they belong together
    undecided: PairList = field(default_factory=PairList.empty)  # nobody could judge them
    touching: int = 0  # pairs in contact within the band, reported or not
    warnings: list[str] = field(default_factory=list)
    #: Why the list of clashes is not whole (LIST_CUT, or the words of who cut the run short).
    incomplete: str | None = None

    @property
    def related_left_out(self) -> int:
        """Pairs of hosts with their fillings, or parts of one assembly, that were left out."""
        return len(self.related)

    @property
    def coverage(self) -> float:
        """Share of the selected elements with a representation that were tested (1.0: all).

        Zero where a side had nothing to test: then no pair of elements was looked at.
        """
        if self.empty_sides:
            return 0.0
        sides = self.a + self.b
        gaps = sum(side.gaps for side in sides)
        tested = sum(side.tested for side in sides)
        return tested / (tested + gaps)

    @property
    def empty_sides(self) -> list[str]:
        """Sides on which nothing was tested at all."""
        empty = [] if sum(s.tested for s in self.a) else ["a"]
        if self.b and not sum(s.tested for s in self.b):
            empty.append("b")
        return empty

    def verdict(self, min_coverage: float = 1.0) -> Verdict:
        """Found clashes win over inconclusive; nothing tested is never clean."""
        if len(self.clashes):
            return Verdict.FOUND
        if self.incomplete or self.undecided or self.empty_sides or self.coverage < min_coverage:
            return Verdict.INCONCLUSIVE
        if any(len(s.selected) == 0 for s in self.a + self.b):
            return Verdict.INCONCLUSIVE
        return Verdict.CLEAN


@dataclass(slots=True)
class FileReport:
    """One input file as the detection read it."""

    name: str  # as the request names it
    sha256: str
    inventory: Inventory
    signatures: Signatures | None = None
    failure: str | None = None  # why nothing of it could be tested, for people

    @property
    def is_read(self) -> bool:
        """Whether the inventory says what the file contains; a file may be read and not meshed."""
        return self.failure is None or len(self.inventory) > 0


@dataclass(slots=True)
class ClashReport:
    files: list[FileReport]
    sets: list[SetReport]
    engine: dict[str, Any]  # mesher, kernel, library versions, settings, measure version
