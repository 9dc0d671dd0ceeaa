"""Rules about values: how they are written, and restrictions that make sense."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from ifctester.facet import Facet

from ifcbase.tester.ids.audit import rules
from ifcbase.tester.ids.audit.context import Context, place_of
from ifcbase.tester.ids.finding import Finding
from ifcbase.tester.ids.regex import PatternInvalid, PatternTooCostly
from ifcbase.tester.ids.values import Literal, Restriction, Value, compiled, number

#: Codes after which a restriction cannot be matched with at all.
UNMATCHABLE: Final = frozenset({rules.PATTERN_INVALID.code, rules.PATTERN_COSTLY.code})

_INTEGERS: Final = frozenset(
    {"integer", "int", "long", "short", "byte", "nonNegativeInteger", "positiveInteger"}
    | {"nonPositiveInteger", "negativeInteger"}
    | {"unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte"}
)
_NUMBERS: Final = _INTEGERS | {"double", "float", "decimal"}
_TIMES: Final = frozenset({"date", "dateTime", "time", "duration"})
_TEXTS: Final = frozenset({"string", "normalizedString", "token", "anyURI", "anyUri"})
_BASES: Final = _NUMBERS | _TIMES | _TEXTS | {"boolean"}

_LENGTHS: Final = frozenset({"length", "minLength", "maxLength"})
_RANGES: Final = frozenset({"minInclusive", "minExclusive", "maxInclusive", "maxExclusive"})
_FACETS: Final = frozenset({"enumeration", "pattern"}) | _LENGTHS | _RANGES

_ZONE = r"(Z|[+-]\d{2}:\d{2})?"
_FORMS: Final = {
    "boolean": re.compile(r"true|false|0|1"),
    "integer": re.compile(r"[+-]?\d+"),
    "date": re.compile(rf"-?\d{{4,}}-\d{{2}}-\d{{2}}{_ZONE}"),
    "dateTime": re.compile(rf"-?\d{{4,}}-\d{{2}}-\d{{2}}T\d{{2}}:\d{{2}}:\d{{2}}(\.\d+)?{_ZONE}"),
    "time": re.compile(rf"\d{{2}}:\d{{2}}:\d{{2}}(\.\d+)?{_ZONE}"),
    "duration": re.compile(
        r"-?P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"
    ),
    "anyURI": re.compile(r"\S+"),
}


def well_formed(text: str, base: str) -> bool:
    """True if a text is written as values of an XSD base are."""
    if base in _INTEGERS:
        base = "integer"
    if base in _NUMBERS and base != "integer":
        return number(text) is not None
    form = _FORMS.get("anyURI" if base == "anyUri" else base)
    return form is None or form.fullmatch(text) is not None


def check(context: Context) -> Iterator[Finding]:
    """Each restriction by itself; texts (names, systems, materials) by their base, too."""
    for clause, number_, facet in context.specification.facets():
        place = place_of(clause, number_, facet)
        for name, value in _values(facet):
            where = f"{place} {name}"
            if isinstance(value, Restriction):
                yield from _restriction(context, where, value)
            if name != "value" or type(facet).__name__ in {"Classification", "Material"}:
                yield from _text(context, where, value)


def _values(facet: Facet) -> list[tuple[str, Value]]:
    named = [(p, getattr(facet, p, None)) for p in facet.parameters if not p.startswith("@")]
    return [(name, value) for name, value in named if value is not None]


def _text(context: Context, place: str, value: Value) -> Iterator[Finding]:
    if isinstance(value, Restriction):
        if value.base in _BASES and value.base not in _TEXTS:
            yield context.finding(rules.RESTRICTION_BASE, f"Found: {value.base}, text.", place)
    elif value == "":
        yield context.finding(rules.VALUE_EMPTY, "", place)


def _restriction(context: Context, place: str, value: Restriction) -> Iterator[Finding]:
    if value.base not in _BASES:
        yield context.finding(rules.RESTRICTION_BASE_UNKNOWN, f"Found: {value.base}.", place)
        return
    for name in value.options:
        fits = name in _FACETS
        if name in _LENGTHS:
            fits = value.base in _TEXTS
        elif name in _RANGES:
            fits = value.base in _NUMBERS | _TIMES
        if not fits:
            detail = f"Found: {name} for {value.base}."
            yield context.finding(rules.RESTRICTION_FACET, detail, place)
    for text in (*value.enumeration, *value.bounds.values()):
        if not well_formed(text, value.base):
            detail = f"Found: '{text}' for {value.base}."
            yield context.finding(rules.VALUE_FORM, detail, place)
    for pattern in value.patterns:
        try:
            compiled(pattern)
        except PatternInvalid as error:
            yield context.finding(rules.PATTERN_INVALID, f"'{pattern[:80]}': {error}.", place)
        except PatternTooCostly as error:
            yield context.finding(rules.PATTERN_COSTLY, f"'{pattern[:80]}': {error}.", place)
        if value.base not in _TEXTS:
            yield context.finding(rules.PATTERN_ON_NUMBER, f"Found: {value.base}.", place)
    if _contradicts_itself(value):
        yield context.finding(rules.RESTRICTION_CONTRADICTION, f"Found: {value}.", place)


def _contradicts_itself(value: Restriction) -> bool:
    low, high = value.options.get("minLength"), value.options.get("maxLength")
    if low is not None and high is not None and int(low) > int(high):
        return True
    if value.base not in _NUMBERS:
        return False
    bounds = {k: Decimal(v) for k, v in value.bounds.items() if number(v) is not None}
    lows = [bounds[k] for k in ("minInclusive", "minExclusive") if k in bounds]
    highs = [bounds[k] for k in ("maxInclusive", "maxExclusive") if k in bounds]
    if not lows or not highs:
        return False
    open_ended = "minExclusive" in bounds or "maxExclusive" in bounds
    return max(lows) > min(highs) or (open_ended and max(lows) == min(highs))


def value_findings(
    context: Context, place: str, value: Value, base: str, type_name: str
) -> Iterator[Finding]:
    """A value against the data type it will be compared with; ``base`` is that type's XSD base."""
    if isinstance(value, Restriction):
        yield from _base_fits(context, place, value, base, type_name)
    elif isinstance(value, Literal):
        if value.text == "":
            yield context.finding(rules.VALUE_EMPTY, "", place)
        elif not well_formed(value.text, base):
            detail = f"Found: '{value.text}' for {type_name}, which is xs:{base}."
            yield context.finding(rules.VALUE_FORM, detail, place)


def _base_fits(
    context: Context, place: str, value: Restriction, base: str, type_name: str
) -> Iterator[Finding]:
    if value.base == base or value.base not in _BASES:
        return
    detail = f"Found: {value.base} for {type_name}, which is xs:{base}."
    if any({value.base, base} <= family for family in (_NUMBERS, _TEXTS, _TEXTS | _TIMES)):
        yield context.finding(rules.RESTRICTION_BASE_UNUSUAL, detail, place)
    else:
        yield context.finding(rules.RESTRICTION_BASE, detail, place)
