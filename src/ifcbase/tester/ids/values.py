"""What an IDS demands of a value: a literal, or a restriction; both compare by IDS's own rules.

IfcTester's facets compare a model's value with ``==``; these objects are what they compare with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import cached_property, lru_cache
from math import isfinite
from typing import Any, Final

from elementpath.datatypes import Date10, DateTime10, Duration, Time
from ifctester.facet import Restriction as StockRestriction

from ifcbase.tester.ids.regex import Pattern

#: Relative and absolute part of the tolerance (IDS documentation, tolerance.md).
EPSILON: Final = 1.0e-6
_EXACT_EPSILON: Final = Decimal("1e-6")

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def number(text: str) -> float | None:
    """The number a text of XSD's double spells, None if it spells none."""
    return float(text) if _NUMBER.fullmatch(text) else None


def tolerance(wanted: float) -> float:
    """By how much a stored number may miss the wanted one, in the number's own unit."""
    return abs(wanted) * EPSILON + EPSILON


def nearly_equal(value: float, wanted: float) -> bool:
    """Equality of floating-point numbers; the bounds themselves count in, as the cases have it."""
    if not (isfinite(value) and isfinite(wanted)):
        return False
    missed, allowed = abs(value - wanted), tolerance(wanted)
    if abs(missed - allowed) > 1e-9 * allowed:
        return missed <= allowed
    # At the bound, binary rounding would decide; the decimals that people wrote do instead.
    exact = Decimal(repr(wanted))
    return abs(Decimal(repr(value)) - exact) <= abs(exact) * _EXACT_EPSILON + _EXACT_EPSILON


class Literal:
    """A simple value, equal to a model's value if that value's own type can spell it so."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Literal):
            return self.text == other.text
        if isinstance(other, str):
            return self.text == other
        if isinstance(other, bool):
            return _BOOLEANS.get(self.text) is other
        if isinstance(other, int):
            return number(self.text) is not None and Decimal(self.text) == other
        if isinstance(other, float):
            wanted = number(self.text)
            return wanted is not None and nearly_equal(other, wanted)
        return False

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Literal({self.text!r})"


#: Facets that bound an ordered value: whether the sign is "greater", and whether the bound is in.
_BOUNDS: Final = {
    "minInclusive": (True, True),
    "minExclusive": (True, False),
    "maxInclusive": (False, True),
    "maxExclusive": (False, False),
}
#: Texts of which a restriction remembers whether they meet it.
_MAX_JUDGED: Final = 10_000
_ORDERED: Final[dict[str, Callable[[str], Any]]] = {
    "date": Date10.fromstring,
    "dateTime": DateTime10.fromstring,
    "time": Time.fromstring,
    "duration": Duration.fromstring,
}


class Restriction(StockRestriction):  # type: ignore[misc]
    """An XSD restriction: patterns and enumerations are alternatives, all else must hold."""

    base: str
    options: dict[str, Any]

    def parse(self, ids_dict: dict[str, Any]) -> Restriction:
        """Take over a decoded ``xs:restriction``, whatever prefix its base is written with."""
        super().parse(ids_dict)
        self.base = str(ids_dict.get("@base", "xs:string")).rpartition(":")[2]
        self.options.pop("@base", None)
        self._judged: dict[str, bool] = {}
        return self

    @cached_property
    def enumeration(self) -> list[str]:
        return self._texts("enumeration")

    @cached_property
    def patterns(self) -> list[str]:
        return self._texts("pattern")

    @cached_property
    def bounds(self) -> dict[str, str]:
        return {name: str(self.options[name]) for name in _BOUNDS if name in self.options}

    def _texts(self, name: str) -> list[str]:
        value = self.options.get(name, [])
        return [str(v) for v in value] if isinstance(value, list) else [str(value)]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Restriction):
            return self.base == other.base and self.options == other.options
        if isinstance(other, str):
            # The same few names and classes come again with every element.
            known = self._judged.get(other)
            if known is None:
                known = self._judge(other)
                if len(self._judged) < _MAX_JUDGED:
                    self._judged[other] = known
            return known
        return other is not None and not isinstance(other, (tuple, list)) and self._judge(other)

    def _judge(self, other: object) -> bool:
        if self.enumeration and not any(Literal(text) == other for text in self.enumeration):
            return False
        if self.patterns and not (
            isinstance(other, str)
            and any(compiled(pattern).matches(other) for pattern in self.patterns)
        ):
            return False
        return self._length_fits(other) and all(
            self._within(name, bound, other) for name, bound in self.bounds.items()
        )

    def __hash__(self) -> int:
        return hash((self.base, str(self.options)))

    def _length_fits(self, other: object) -> bool:
        wanted = {name: self.options.get(name) for name in ("length", "minLength", "maxLength")}
        if all(limit is None for limit in wanted.values()):
            return True
        if not isinstance(other, str):
            return False
        exact, low, high = wanted.values()
        return (
            (exact is None or len(other) == int(exact))
            and (low is None or len(other) >= int(low))
            and (high is None or len(other) <= int(high))
        )

    def _within(self, name: str, bound: str, other: object) -> bool:
        greater, inclusive = _BOUNDS[name]
        if isinstance(other, str) and self.base in _ORDERED:
            read = _ORDERED[self.base]
            try:
                value, limit = read(other), read(bound)
                if value == limit:
                    return inclusive
                return bool(value > limit) if greater else bool(value < limit)
            except (ValueError, TypeError, OverflowError):
                return False  # the model's text is no date at all, so it lies in no range of dates
        limit_number = number(bound)
        if limit_number is None or isinstance(other, bool) or not isinstance(other, (int, float)):
            return False
        if isinstance(other, float) and nearly_equal(other, limit_number):
            return inclusive
        if other == limit_number:
            return inclusive
        return other > limit_number if greater else other < limit_number


Value = str | Literal | Restriction | None


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Pattern:
    """The pattern ready to match; raises PatternInvalid or PatternTooCostly."""
    return Pattern(pattern)
