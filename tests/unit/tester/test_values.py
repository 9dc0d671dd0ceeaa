"""Literals and restrictions: how an IDS compares what it demands with what a model holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.tester.ids.values import Literal, Restriction, nearly_equal, number, tolerance

BOUNDED = settings(deadline=None, max_examples=200, derandomize=True)
numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)


def restriction(base: str = "double", **options: Any) -> Restriction:
    decoded = {
        f"xs:{name}": [{"@value": v} for v in value]
        if isinstance(value, list)
        else {"@value": value}
        for name, value in options.items()
    }
    return Restriction().parse({"@base": f"xs:{base}", **decoded})


@BOUNDED
@given(numbers)
def test_a_number_equals_itself_in_every_size(wanted: float) -> None:
    assert nearly_equal(wanted, wanted)


@BOUNDED
@given(numbers, st.floats(min_value=0.0, max_value=0.999))
def test_within_the_tolerance_is_equal_and_beyond_is_not(wanted: float, share: float) -> None:
    inside = tolerance(wanted) * share
    outside = tolerance(wanted) * (2.0 - share)
    assert nearly_equal(wanted + inside, wanted)
    assert nearly_equal(wanted - inside, wanted)
    assert not nearly_equal(wanted + outside, wanted)
    assert not nearly_equal(wanted - outside, wanted)


@BOUNDED
@given(st.integers(-(10**9), 10**9), st.integers(0, 6))
def test_the_bound_itself_counts_in_whatever_binary_rounding_says(whole: int, scale: int) -> None:
    wanted = Decimal(whole).scaleb(-scale)
    bound = abs(wanted) * Decimal("1e-6") + Decimal("1e-6")
    assert nearly_equal(float(wanted + bound), float(wanted))
    assert nearly_equal(float(wanted - bound), float(wanted))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_finite_number_equals_no_number(value: float) -> None:
    assert not nearly_equal(value, 1.0)
    assert Literal("1") != value


@BOUNDED
@given(st.text())
def test_a_literal_equals_the_text_it_is_and_only_that(text: str) -> None:
    assert Literal(text) == text
    assert Literal(text) != text + "x"


@pytest.mark.parametrize(
    ("text", "value", "equal"),
    [
        ("true", True, True),
        ("1", True, True),
        ("false", False, True),
        ("0", False, True),
        ("TRUE", True, False),
        ("true", False, False),
        ("42", 42, True),
        ("42.3", 42, False),
        ("1e3", 1000, True),
        ("9007199254740993", 9007199254740992, False),  # one apart, the same as floats
        ("42", "42", True),
        ("42.0", "42", False),
        ("42", 42.0, True),
        ("42.", 42.0, True),
        (".5", 0.5, True),
        ("1_000", 1000.0, False),
        ("nan", float("nan"), False),
        ("inf", float("inf"), False),
        (" 42", 42.0, False),
        ("1", (1,), False),
        ("None", None, False),
        ("", "", True),
    ],
)
def test_a_literal_is_read_as_the_type_of_the_stored_value(
    text: str, value: object, equal: bool
) -> None:
    assert (Literal(text) == value) is equal
    assert (value == Literal(text)) is equal  # as IfcTester writes it


@pytest.mark.parametrize(("text", "wanted"), [("1.5E-3", 0.0015), ("+2", 2.0), ("-.5", -0.5)])
def test_numbers_are_read_as_xsd_spells_them(text: str, wanted: float) -> None:
    assert number(text) == wanted


@pytest.mark.parametrize("text", ["", ".", "1,5", "1.2.3", "e3", "0x10", "١"])
def test_other_spellings_are_no_numbers(text: str) -> None:
    assert number(text) is None


@BOUNDED
@given(numbers, numbers)
def test_inclusive_and_exclusive_bounds_divide_all_numbers(value: float, bound: float) -> None:
    text = repr(bound)
    at_least = restriction(minInclusive=text) == value
    below = restriction(maxExclusive=text) == value
    above = restriction(minExclusive=text) == value
    at_most = restriction(maxInclusive=text) == value
    assert at_least is not below
    assert above is not at_most


def test_all_bounds_must_hold() -> None:
    between = restriction(minInclusive="0", maxExclusive="10")
    assert [v for v in (-1.0, 0.0, 5, 10.0, 11) if between == v] == [0.0, 5]


@pytest.mark.parametrize("value", ["5", True, None, (5.0,), [5.0]])
def test_bounds_of_numbers_hold_for_numbers_alone(value: object) -> None:
    assert restriction(minInclusive="0") != value


def test_enumerated_values_are_alternatives_and_typed() -> None:
    assert restriction(enumeration=["42", "43"]) == 42.0000001
    assert restriction(enumeration=["42", "43"]) != 44.0
    assert restriction("string", enumeration="Foo") == "Foo"


def test_several_patterns_of_one_restriction_are_alternatives() -> None:
    # XML Schema Part 2, 4.3.4.3: pattern facets of one step are joined by "or".
    either = restriction("string", pattern=["A.*", "B.*"])
    assert either == "Abc"
    assert either == "Bcd"
    assert either != "Cde"


def test_a_pattern_must_cover_the_whole_text_and_only_texts() -> None:
    assert restriction("string", pattern="[A-Z]{2}") != "ABC"
    assert restriction("string", pattern=".*") != 42.0


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        ({"length": 3}, ["abc"]),
        ({"minLength": 3}, ["abc", "abcd"]),
        ({"maxLength": 2}, ["ab", ""]),
        ({"minLength": 1, "maxLength": 2}, ["ab"]),
    ],
)
def test_lengths_count_characters(options: dict[str, int], fits: list[str]) -> None:
    rule = restriction("string", **options)
    assert [text for text in ("ab", "abc", "abcd", "") if rule == text] == fits
    assert rule != 12


@pytest.mark.parametrize(
    ("base", "bound", "before", "after"),
    [
        ("date", "2024-02-01", "2024-01-31", "2024-02-02"),
        ("dateTime", "2024-02-01T10:00:00", "2024-02-01T09:59:59", "2024-02-01T10:00:01"),
        ("time", "10:00:00", "09:00:00", "11:00:00"),
        ("duration", "PT16H", "PT900M", "P1D"),
    ],
)
def test_dates_and_durations_are_ordered_in_time(
    base: str, bound: str, before: str, after: str
) -> None:
    assert restriction(base, minInclusive=bound) == bound
    assert restriction(base, minExclusive=bound) != bound
    assert restriction(base, minInclusive=bound) == after
    assert restriction(base, minInclusive=bound) != before
    assert restriction(base, maxInclusive=bound) == before
    assert restriction(base, minInclusive=bound) != "yesterday"


def test_the_base_is_read_whatever_the_prefix_of_xml_schema_is() -> None:
    assert Restriction().parse({"@base": "xsd:double"}).base == "double"
    assert Restriction().parse({"@base": "double"}).base == "double"
