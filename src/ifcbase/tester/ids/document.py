"""An IDS as objects: IfcTester's, built with the corrected facets."""

from __future__ import annotations

from typing import Any, Literal, cast

from ifctester.facet import Facet
from ifctester.ids import Specification as StockSpecification

from ifcbase.tester.facets import FACETS
from ifcbase.tester.ids.usage import Usage

UNBOUNDED = "unbounded"


Clause = Literal["applicability", "requirement"]


class Specification(StockSpecification):  # type: ignore[misc]
    """One specification, its facets ours."""

    name: str
    identifier: str | None
    description: str | None
    instructions: str | None
    ifcVersion: list[str]  # noqa: N815 - the name the base class gives it
    minOccurs: int | str  # noqa: N815
    maxOccurs: int | str  # noqa: N815
    applicability: list[Facet]
    requirements: list[Facet]

    def parse(self, ids_dict: dict[str, Any]) -> Specification:
        super().parse(ids_dict)
        self.identifier = ids_dict.get("@identifier") or None
        self.description = self.description or None
        self.instructions = self.instructions or None
        return self

    def parse_clause(self, clause: dict[str, Any]) -> list[Facet]:
        return [
            FACETS[name]().parse(dict(facet or {}))
            for name, facets in clause.items()
            if name in FACETS
            for facet in (facets if isinstance(facets, list) else [facets])
        ]

    @property
    def usage(self) -> Usage:
        if self.maxOccurs == 0:
            return Usage.PROHIBITED
        return Usage.OPTIONAL if self.minOccurs == 0 else Usage.REQUIRED

    def facets(self) -> list[tuple[Clause, int, Facet]]:
        """All facets with their clause and their position in it, from 1."""
        return [
            (cast(Clause, clause), number, facet)
            for clause, facets in (
                ("applicability", self.applicability),
                ("requirement", self.requirements),
            )
            for number, facet in enumerate(facets, 1)
        ]


class IdsDocument:
    """A decoded IDS file."""

    def __init__(self, name: str, sha256: str, document: dict[str, Any]) -> None:
        self.name = name
        self.sha256 = sha256
        info = document.get("info") or {}
        self.title = str(info.get("title") or "Untitled")
        entries = document["specifications"]["specification"]
        self.specifications = [
            Specification().parse(entry)
            for entry in (entries if isinstance(entries, list) else [entries])
        ]
