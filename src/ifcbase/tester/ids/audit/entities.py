"""Rules about entity names and predefined types, in entity and partOf facets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from ifctester.facet import Facet

from ifcbase.tester.ids.audit import rules
from ifcbase.tester.ids.audit.context import Context
from ifcbase.tester.ids.audit.ifcschema import IfcSchema
from ifcbase.tester.ids.finding import Finding
from ifcbase.tester.ids.values import Restriction


def check(context: Context) -> Iterator[Finding]:
    for place, _, facet in context.facets("Entity") + context.facets("PartOf"):
        unknown = list(_names(context, place, facet))
        yield from unknown
        if facet.predefinedType is not None and not unknown:
            yield from _predefined_types(context, place, facet)
    yield from _contradiction(context)


def _names(context: Context, place: str, facet: Facet) -> Iterator[Finding]:
    restricted = isinstance(facet.name, Restriction)
    spelled = facet.name.enumeration if restricted else [facet.name]
    known_somewhere = frozenset(chain.from_iterable(s.names for s in context.schemas))
    for name in spelled:
        missing = [s.version for s in context.schemas if name not in s.names]
        if name.upper() != name and name.upper() in known_somewhere:
            yield context.finding(rules.ENTITY_CASE, f"Found: {name}.", place)
        elif missing and (not restricted or name not in known_somewhere):
            detail = f"{name} is not in {' and '.join(missing)}."
            yield context.finding(rules.ENTITY_UNKNOWN, detail, place)
        elif any(s.is_abstract(name) for s in context.schemas):
            yield context.finding(rules.ENTITY_ABSTRACT, f"Found: {name}.", place)
    if restricted:
        empty = [s.version for s in context.schemas if not s.classes(facet.name)]
        if empty:
            detail = f"{facet.name} in {' and '.join(empty)}."
            yield context.finding(rules.ENTITY_NO_MATCH, detail, place)


def _predefined_types(context: Context, place: str, facet: Facet) -> Iterator[Finding]:
    for schema in context.schemas:
        classes = schema.classes(facet.name)
        own = [t for name in classes if (t := schema.predefined_types(name)) is not None]
        of_types = [t for name in classes if (t := schema.type_predefined_types(name)) is not None]
        if not own and not of_types:
            detail = f"Found: {', '.join(classes[:5])} in {schema.version}."
            yield context.finding(rules.PREDEFINED_TYPE_MISSING, detail, place)
            continue
        if not own:
            detail = f"Found: {', '.join(classes[:5])} in {schema.version}."
            yield context.finding(rules.PREDEFINED_TYPE_BY_TYPE, detail, place)
        items = set(chain.from_iterable(own + of_types))
        if "USERDEFINED" not in items and not any(i == facet.predefinedType for i in items):
            detail = f"Found: {facet.predefinedType} in {schema.version}."
            yield context.finding(rules.PREDEFINED_TYPE_UNKNOWN, detail, place)


def _contradiction(context: Context) -> Iterator[Finding]:
    for place, clause, facet in context.facets("Entity"):
        if clause != "requirement":
            continue
        pairs = [(s, context.applicable(s), s.classes(facet.name)) for s in context.schemas]
        compared = [(s, a, b) for s, a, b in pairs if a and b]
        if compared and not any(_common(*pair) for pair in compared):
            yield context.finding(rules.ENTITY_CONTRADICTION, f"Required: {facet.name}.", place)


def _common(schema: IfcSchema, applicable: list[str], required: list[str]) -> bool:
    one = set(chain.from_iterable(map(schema.occurrences, applicable)))
    other = set(chain.from_iterable(map(schema.occurrences, required)))
    return not one.isdisjoint(other)
