"""What a sample building is known to contain: contacts between models and edits of a revision."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

ContactKind = Literal["clash", "gap", "touching", "contained", "duplicate"]
ChangeKind = Literal["added", "deleted", "moved", "renamed", "property", "reclassified"]
Revision = Literal["A", "B"]
Unit = Literal["m", "mm"]
Schema = Literal["IFC2X3", "IFC4", "IFC4X3"]

#: Elements of different models that are not planted are farther apart than this, in metres.
APART_M = 0.1


@dataclass(frozen=True, slots=True)
class Planted:
    """One contact between physical elements of two models, known by construction.

    ``depth_or_gap_m``: for ``clash``, ``contained`` and ``duplicate`` the separation depth, the
    length of the shortest translation that ends the overlap; for ``gap`` the smallest distance of
    the surfaces; for ``touching`` 0.
    """

    kind: ContactKind
    model_a: str
    global_id_a: str
    model_b: str
    global_id_b: str
    depth_or_gap_m: float
    note: str


@dataclass(frozen=True, slots=True)
class Change:
    """One edit of revision B against revision A.

    ``what`` names the attribute or ``Set.Property``; ``before`` and ``after`` are its values.
    ``moved_by_m`` is the displacement in metres along the building's own axes.
    """

    kind: ChangeKind
    model: str
    global_id: str
    name: str
    what: str = ""
    before: str | None = None
    after: str | None = None
    moved_by_m: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A written sample building and its truth.

    ``truth`` is complete between the models for physical elements (IfcElement without openings;
    spaces are not physical): whatever it does not list is farther apart than ``APART_M``.
    ``changes`` lists the edits of revision B against A; it is empty for A.
    ``within_m`` says how far a true depth or gap may be from the planted one (jitter).
    ``reissued`` maps, per model, the GlobalIds without ``reissue_ids`` to those in the file.
    """

    files: dict[str, Path]
    truth: list[Planted]
    changes: list[Change] = field(default_factory=list)
    within_m: float = 1e-6
    reissued: dict[str, dict[str, str]] = field(default_factory=dict)
