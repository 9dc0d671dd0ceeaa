"""What a rule looks at: one specification, and the IFC schemas it declares."""

from __future__ import annotations

from ifctester.facet import Facet

from ifcbase.tester.ids.audit.ifcschema import IfcSchema
from ifcbase.tester.ids.audit.rules import Rule
from ifcbase.tester.ids.document import Clause, Specification
from ifcbase.tester.ids.finding import Finding
from ifcbase.tester.ids.values import Value


class Context:
    """One specification of an IDS under audit."""

    def __init__(self, ids: str, index: int, specification: Specification) -> None:
        self.ids = ids
        self.index = index
        self.specification = specification
        self.schemas = [IfcSchema.of(version) for version in specification.ifcVersion]

    def finding(self, rule: Rule, detail: str, place: str = "") -> Finding:
        """The rule's finding in this specification; the detail says what exactly was found."""
        where = f"specification {self.index + 1} '{self.specification.name}'"
        return Finding(
            rule.code,
            f"{rule.sentence} {detail}".strip(),
            ids=self.ids,
            place=f"{where}, {place}" if place else where,
            specification=self.index,
            severity=rule.severity,
        )

    def facets(self, kind: str) -> list[tuple[str, Clause, Facet]]:
        """Facets of a kind ("Entity"): their place in words, their clause, and they themselves."""
        return [
            (place_of(clause, number, facet), clause, facet)
            for clause, number, facet in self.specification.facets()
            if type(facet).__name__ == kind
        ]

    def applicable(self, schema: IfcSchema) -> list[str] | None:
        """The classes to which the specification applies in a schema, None if it names none."""
        names: list[Value] = [
            facet.name
            for facet in self.specification.applicability
            if type(facet).__name__ == "Entity"
        ]
        return schema.classes(names[0]) if names else None


def place_of(clause: Clause, number: int, facet: Facet) -> str:
    name = type(facet).__name__
    return f"{clause} {number} ({name[0].lower()}{name[1:]})"
