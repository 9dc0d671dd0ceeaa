"""What existing clients send is taken or refused by name, never ignored."""

from __future__ import annotations

from typing import Any

import pytest

from ifcbase.diff.facets import CLIENT_KEYS, FACETS_OF, Facet, Relationship, facets_of
from ifcbase.diff.request import parse_request
from ifcbase.errors import RequestInvalid, SelectorInvalid

FILES = {"old_file": "a.ifc", "new_file": "b.ifc"}


def test_what_the_predecessors_clients_send_is_taken() -> None:
    request = parse_request(
        FILES
        | {
            "output_file": "diff.json",
            "relationships": ["property", "geometry"],
            "is_shallow": False,
            "filter_elements": "IfcWall",
            "old_version_id": None,
            "new_version_id": None,
        }
    )
    assert request.relationships == (Relationship.GEOMETRY, Relationship.PROPERTY)
    assert request.files() == ["a.ifc", "b.ifc"]
    assert not request.is_shallow


@pytest.mark.parametrize("nothing", [{}, {"relationships": None}, {"relationships": []}])
def test_no_relationships_are_all(nothing: dict[str, Any]) -> None:
    assert parse_request(FILES | nothing).relationships == tuple(Relationship)


def test_one_file_twice_is_one_model() -> None:
    assert parse_request({"old_file": "a.ifc", "new_file": "a.ifc"}).files() == ["a.ifc"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"relationships": ["geometry", "colour"]}, "relationships.1"),
        ({"relationships": "geometry"}, "relationships"),
        ({"tolerance": 0}, "tolerance"),
        ({"tolerance": 5}, "tolerance"),
        ({"tolerance": True}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"min_coverage": 1.5}, "min_coverage"),
        ({"old_version_id": 3}, "old_version_id"),
        ({"new_version_id": "x"}, "new_version_id"),
        ({"is_shallow": "perhaps"}, "is_shallow"),
        ({"precision": 3}, "precision"),
        ({"old_file": ""}, "old_file"),
        ({"new_file": "a\x00b"}, "new_file"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestInvalid, match=named):
        parse_request(FILES | wrong)


def test_a_wrong_selector_is_told_as_such() -> None:
    with pytest.raises(SelectorInvalid, match=r"filter_elements.*IfcNothing"):
        parse_request(FILES | {"filter_elements": "IfcNothing"})


@pytest.mark.parametrize("data", [None, [], "x", {}])
def test_what_is_no_request_is_refused(data: Any) -> None:
    with pytest.raises(RequestInvalid):
        parse_request(data)


def test_every_facet_can_be_asked_for_and_has_a_key() -> None:
    assert facets_of(tuple(Relationship)) == set(Facet) - {Facet.ADDED, Facet.DELETED}
    assert set(CLIENT_KEYS) == set(Facet) - {Facet.ADDED, Facet.DELETED}
    assert set(FACETS_OF) == set(Relationship)
    for relationship in Relationship:
        assert Facet.CLASS in facets_of((relationship,))


def test_one_unknown_relationship_is_one_sentence() -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse_request(FILES | {"relationships": ["colour"]})
    assert caught.value.message.startswith("relationships.0: ")
    assert "Tuple" not in caught.value.message
