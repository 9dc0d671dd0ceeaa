"""Patterns: the language of XML Schema, in bounded time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.tester.ids.regex import MAX_PATTERN, Pattern, PatternInvalid, PatternTooCostly

BOUNDED = settings(deadline=None, max_examples=300, derandomize=True)

#: Patterns that mean the same in XML Schema and in Python.
atoms = st.sampled_from(["a", "b", "[ab]", "[^a]", "[a-c]", ".", r"\d", r"\s", "(a|b)", "(ab|)"])
repeats = st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "{2,}"])
pieces = st.builds(lambda atom, repeat: atom + repeat, atoms, repeats)
groups = st.lists(pieces, min_size=1, max_size=3).map("".join)
patterns = st.recursive(
    groups,
    lambda inner: st.one_of(
        st.builds(lambda p, r: f"({p}){r}", inner, repeats),
        st.builds(lambda p, q: f"{p}|{q}", inner, inner),
        st.builds(lambda p, q: f"{p}{q}", inner, inner),
    ),
    max_leaves=4,
)


@BOUNDED
@given(patterns, st.text("abc1 ", max_size=8))
def test_the_automaton_agrees_with_re(pattern: str, text: str) -> None:
    expected = re.fullmatch(pattern, text) is not None
    assert Pattern(pattern)._automaton.matches(text) is expected
    assert Pattern(pattern).matches(text) is expected


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+b", "a" * 5_000),
        ("(a|a)*b", "a" * 5_000),
        ("(a|aa)+c", "a" * 5_000),
        ("(.*)*x", "y" * 5_000),
        (".*a.*a.*a.*a.*b", "a" * 5_000),
        (".*.*=", "a" * 50_000),
        ("([a-zA-Z0-9_]+)*!", "a" * 5_000),
    ],
)
def test_regression_a_regex_bomb_does_not_hang_the_check(pattern: str, text: str) -> None:
    started = time.monotonic()
    assert not Pattern(pattern).matches(text)
    assert time.monotonic() - started < 2.0


@pytest.mark.parametrize(
    "pattern",
    [
        "a{100000}",
        "(a{1000}){1000}",
        "((((a{50}){50}){50}){50}){50}",
        "(){1000000000}",
        "(|){1000000000}",
        "a{99999999999999999999}",
        "a" * (MAX_PATTERN + 1),
        "(" * 4_000 + "a" + ")" * 4_000,
    ],
)
def test_regression_a_pattern_that_grows_without_end_is_refused_at_once(pattern: str) -> None:
    started = time.monotonic()
    with pytest.raises(PatternTooCostly):
        Pattern(pattern)
    assert time.monotonic() - started < 5.0


@pytest.mark.parametrize("pattern", ["(", "[", "a**", "(?:a)", r"\bword", r"(a)\1", "a{3,1}"])
def test_what_xml_schema_does_not_know_is_no_pattern(pattern: str) -> None:
    with pytest.raises(PatternInvalid):
        Pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "match", "other"),
    [
        ("a^b$", "a^b$", "ab"),  # no anchors in XML Schema
        ("[a-z-[aeiou]]+", "xyz", "axy"),  # subtraction
        (r"\p{Lu}+", "ÄÖ", "äö"),
        (r"\i\c*", "x1", "1x"),
        (r"[0-9]{2,3}\/-", "12/-", "1/-"),
        (r"\d+", "12", "1a"),
        (r"\D+", "ab", "a1"),
        (r"\S+", "ab", "a b"),
        (r"[^\s]+", "ab", "a b"),
        ("a.c", "abc", "a\nc"),
        (r"\w+", "Wand", "zwei Worte"),
        ("♫+", "♫♫", ""),
    ],
)
def test_the_syntax_of_xml_schema(pattern: str, match: str, other: str) -> None:
    compiled = Pattern(pattern)
    for matches in (compiled.matches, compiled._automaton.matches):
        assert matches(match)
        assert not matches(other)


def test_long_texts_are_matched_as_short_ones_are() -> None:
    pattern = Pattern("x*y")
    assert pattern.matches("x" * 199 + "y")
    assert pattern.matches("x" * 20_000 + "y")
    assert not pattern.matches("x" * 20_000)


def test_the_memory_of_moves_is_bounded() -> None:
    pattern = Pattern("(..)*")
    for start in range(0x4E00, 0x4E00 + 30_000, 10):
        assert pattern._automaton.matches("".join(map(chr, range(start, start + 10))))
    assert len(pattern._automaton._moves) <= 20_000
