"""What a diff found and what it really compared; the hand-over from compute to record.

Elements are named by their index in the inventory of the old or the new file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ifcbase.diff.facets import Facet
from ifcbase.diff.request import DiffRequest
from ifcbase.ifc.inventory import Element, Inventory
from ifcbase.ifc.matching import Method
from ifcbase.ifc.signatures import Signatures


class Verdict(StrEnum):
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        """What the command line returns for it."""
        return {Verdict.CHANGED: 1, Verdict.UNCHANGED: 0, Verdict.INCONCLUSIVE: 3}[self]


@dataclass(slots=True)
class FileReport:
    """One of the two files; ``selected`` counts the elements that were to be compared."""

    name: str
    sha256: str
    inventory: Inventory
    selected: int
    signatures: Signatures | None = None

    def element(self, index: int) -> Element:
        return self.inventory.elements[index]


@dataclass(slots=True)
class Change:
    """One facet of one element: its values before and after by name, only those that differ.

    ``old`` is None for what was added, ``new`` for what was deleted.
    """

    facet: Facet
    old: int | None
    new: int | None
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Reidentified:
    """An element whose GlobalId was issued anew, and how sure that is (0 to 1)."""

    old: int
    new: int
    method: Method
    confidence: float


@dataclass(slots=True)
class Doubt:
    """An old element of which nobody can say whether it is gone; perhaps it is ``new``."""

    old: int
    new: int | None
    confidence: float


@dataclass(slots=True)
class Unjudged:
    """A facet of an element in both versions that could not be compared, and why."""

    facet: Facet
    old: int
    new: int
    reason: str


@dataclass(slots=True)
class DiffReport:
    """The difference between two files."""

    request: DiffRequest
    old: FileReport
    new: FileReport
    #: Elements in both versions that were compared.
    compared: int
    #: Of those, the ones with a shape whose geometry was to be compared.
    shaped: int
    changes: list[Change]
    reidentified: list[Reidentified] = field(default_factory=list)
    doubtful: list[Doubt] = field(default_factory=list)
    unjudged: list[Unjudged] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    engine: dict[str, Any] = field(default_factory=dict)

    @property
    def added(self) -> list[int]:
        """Indexes in the new file."""
        return [c.new for c in self.changes if c.facet is Facet.ADDED and c.new is not None]

    @property
    def deleted(self) -> list[int]:
        """Indexes in the old file."""
        return [c.old for c in self.changes if c.facet is Facet.DELETED and c.old is not None]

    @property
    def changed(self) -> list[tuple[int, int]]:
        """Indexes in the old and the new file of elements with at least one changed facet."""
        pairs = [(c.old, c.new) for c in self.changes if c.old is not None and c.new is not None]
        return list(dict.fromkeys(pairs))

    @property
    def diff_count(self) -> int:
        """Elements added, deleted and changed."""
        return len(self.added) + len(self.deleted) + len(self.changed)

    @property
    def unchanged(self) -> int:
        """Elements in both versions without a change; some may be in ``unjudged``."""
        return self.compared - len(self.changed)

    @property
    def by_facet(self) -> dict[Facet, int]:
        counts = Counter(change.facet for change in self.changes)
        return {facet: counts[facet] for facet in Facet if counts[facet]}

    @property
    def coverage(self) -> float:
        """The share of elements in both versions whose facets could all be compared."""
        lost = len({(row.old, row.new) for row in self.unjudged})
        return 1.0 if not self.compared else 1.0 - lost / self.compared

    @property
    def verdict(self) -> Verdict:
        """Changes win over inconclusive, as found clashes do."""
        if self.changes:
            return Verdict.CHANGED
        if self.doubtful or self.coverage < self.request.min_coverage:
            return Verdict.INCONCLUSIVE
        if not self.old.selected and not self.new.selected:
            return Verdict.INCONCLUSIVE  # nothing was compared
        return Verdict.UNCHANGED

    @property
    def summary(self) -> dict[str, int]:
        """Counts as clients read them, and ours."""
        return {
            "added": len(self.added),
            "deleted": len(self.deleted),
            "changed": len(self.changed),
            "unchanged": self.unchanged,
            "reidentified": len(self.reidentified),
            "doubtful": len(self.doubtful),
            "unjudged": len({(row.old, row.new) for row in self.unjudged}),
        }
