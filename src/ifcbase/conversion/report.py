"""What a conversion wrote and what it could not: the hand-over from compute to record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ifcbase.conversion.request import Format
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import Signatures


class LeftOut(StrEnum):
    """Why a selected element is not in the output."""

    NO_REPRESENTATION = "no representation"  # it has no body at all
    NO_GEOMETRY = "no geometry"  # it has one, but no mesh could be made
    EMPTY = "empty after openings"  # its openings consume it

    @property
    def counts_as_gap(self) -> bool:
        """True if something that should have been converted was not."""
        return self is LeftOut.NO_GEOMETRY


class Verdict(StrEnum):
    CONVERTED = "converted"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        return 0 if self is Verdict.CONVERTED else 3


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that was written: what it is in the job's folder and to those who asked."""

    file: str  # "output.glb", in the folder
    name: str  # as the request names it
    sha256: str
    size: int


@dataclass(slots=True)
class ConversionReport:
    """The outcome of one conversion: one result in the ledger."""

    name: str  # the model as the request names it
    sha256: str
    inventory: Inventory
    format: Format
    selected: list[int]  # indexes into the inventory, ascending
    left_out: dict[int, LeftOut]  # inventory index: why
    reasons: dict[int, str]  # inventory index: a sentence, for those with no geometry
    counts: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    outputs: list[OutputFile] = field(default_factory=list)
    origin: tuple[float, float, float] | None = None
    engine: dict[str, Any] = field(default_factory=dict)
    signatures: Signatures | None = None

    @property
    def converted(self) -> int:
        return len(self.selected) - len(self.left_out)

    @property
    def gaps(self) -> int:
        """Elements with a representation that should be in the output and are not."""
        return sum(1 for reason in self.left_out.values() if reason.counts_as_gap)

    @property
    def coverage(self) -> float:
        """Share of the selected elements with a representation that are in the output.

        Zero where there was nothing to convert: then the output says nothing.
        """
        return self.converted / (self.converted + self.gaps) if self.converted else 0.0

    def left_out_counts(self) -> dict[str, int]:
        """How many elements each reason left out."""
        return dict(sorted(Counter(str(reason) for reason in self.left_out.values()).items()))

    def verdict(self, min_coverage: float = 1.0) -> Verdict:
        """Nothing converted is never a success."""
        if not self.converted or self.coverage < min_coverage:
            return Verdict.INCONCLUSIVE
        return Verdict.CONVERTED
