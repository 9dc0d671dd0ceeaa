"""Rules about attribute names, kinds and values."""

from __future__ import annotations

from collections.abc import Iterator

from ifctester.facet import Facet

from ifcbase.tester.ids.audit import rules
from ifcbase.tester.ids.audit.context import Context
from ifcbase.tester.ids.audit.ifcschema import Attribute, IfcSchema, Kind
from ifcbase.tester.ids.audit.restrictions import value_findings
from ifcbase.tester.ids.audit.rules import Rule
from ifcbase.tester.ids.finding import Finding, Severity

_UNCHECKABLE = {
    Kind.OBJECT: rules.ATTRIBUTE_OBJECT,
    Kind.SELECT: rules.ATTRIBUTE_SELECT,
    Kind.LIST: rules.ATTRIBUTE_LIST,
    Kind.BINARY: rules.ATTRIBUTE_BINARY,
}


def check(context: Context) -> Iterator[Finding]:
    for place, _, facet in context.facets("Attribute"):
        for schema in context.schemas:
            classes = context.applicable(schema)
            if classes == []:
                continue  # a rule about entities has spoken
            yield from _in_schema(context, place, facet, schema, classes)


def _in_schema(
    context: Context, place: str, facet: Facet, schema: IfcSchema, classes: list[str] | None
) -> Iterator[Finding]:
    if classes is None:
        named, of_whom = sorted(schema.names), "any entity"
        found = schema.attributes_anywhere(facet.name)
    else:
        named, of_whom = classes, ", ".join(classes[:5])
        found = [a for c in named for a in schema.attributes(c).values() if a.name == facet.name]
    stored = [a for a in found if a.kind is not Kind.DERIVED]
    if not stored:
        rule = _why_missing(facet, schema, named, bool(found))
        detail = f"Found: {facet.name} of {of_whom} in {schema.version}."
        yield context.finding(rule, detail, place)
        return
    if facet.value is None:
        return
    usable = [a for a in stored if a.kind is Kind.VALUE]
    if not usable:
        detail = f"Found: {stored[0].name} of {of_whom} in {schema.version}."
        yield context.finding(_UNCHECKABLE[stored[0].kind], detail, place)
        return
    yield from _least_wrong(context, place, facet, usable)


def _why_missing(facet: Facet, schema: IfcSchema, classes: list[str], derived: bool) -> Rule:
    if derived:
        return rules.ATTRIBUTE_DERIVED
    names = [facet.name] if isinstance(facet.name, str) else facet.name.enumeration
    for name in names:
        if any(schema.is_inverse(c, name) for c in classes):
            return rules.ATTRIBUTE_INVERSE
        if any(schema.is_derived(c, name) for c in classes):
            return rules.ATTRIBUTE_DERIVED
    return rules.ATTRIBUTE_UNKNOWN


def _least_wrong(
    context: Context, place: str, facet: Facet, attributes: list[Attribute]
) -> Iterator[Finding]:
    """A value is sound if one of the attributes that are meant can take it."""
    judged = [
        list(value_findings(context, place, facet.value, base, type_name))
        for base, type_name in sorted({(a.base or "", a.type_name) for a in attributes})
    ]
    errors = [sum(f.severity is Severity.ERROR for f in findings) for findings in judged]
    yield from judged[errors.index(min(errors))]
