"""Documents made fit for the database."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.ifc.text import is_clean
from ifcbase.ledger.payloads import clean_payload

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec=None), max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


def leaves(value: Any) -> list[Any]:
    """Everything in a document, keys too."""
    if isinstance(value, dict):
        return [*value, *(leaf for each in value.values() for leaf in leaves(each))]
    if isinstance(value, list):
        return [leaf for each in value for leaf in leaves(each)]
    return [value]


@settings(deadline=None, max_examples=200)
@given(DOCUMENTS)
def test_whatever_it_is_the_database_can_read_it(document: Any) -> None:
    found = clean_payload(document)
    for leaf in leaves(found):
        assert is_clean(leaf) if isinstance(leaf, str) else True
        assert math.isfinite(leaf) if isinstance(leaf, float) else True
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert len(leaves(found)) == len(leaves(document)), "nothing is lost"
    assert clean_payload(found) == found


@pytest.mark.parametrize("text", ["Wände & Türen\n\tEG", "🏗", "\u2028", "a\r\nb"])
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    document = {"text": text, "more": [text, {text: 1.5}], "n": 3, "yes": True, "no": None}
    assert clean_payload(document) == document


def test_two_keys_that_differ_in_what_is_replaced_both_stay() -> None:
    assert sorted(clean_payload({"a\x00": 1, "a\x01": 2, "a\ufffd": 3}).values()) == [1, 2, 3]


def test_numbers_that_json_does_not_have_are_null() -> None:
    numbers = (float("nan"), float("inf"), -float("inf"), 0.0)
    assert clean_payload({"at": numbers}) == {"at": [None, None, None, 0.0]}
