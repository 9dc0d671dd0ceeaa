"""States of changes over the results of a series: nothing is resolved that was not compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.ledger.diff_series import Diffs
from tests.integration.servers import Database
from tests.integration.world import World


@pytest.fixture
def made(ledger: Database) -> Iterator[Diffs]:
    """A model whose w1 has another shape and whose w2 is gone since the first revision; in the third
    the shape is as it was and w2 is back."""
    world, store = World(ledger.dsn), PostgresLedger(ledger.dsn)
    found = Diffs(world, store)
    found.revise({"w1": {"geometry": 1}, "w2": {}, "w3": {}})
    found.revise({"w1": {"geometry": 2}, "w3": {}})
    found.revise({"w1": {"geometry": 1}, "w2": {}, "w3": {}})
    yield found
    assert found.differences() == []
    store.close()
    world.close()


NEVER_RESOLVED: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (
        "other facets are asked for",
        {"facets": ("attributes",)},
        {"w1 geometry": "untested: not asked for", "w2 deleted": "resolved"},
    ),
    (
        "the selector narrows",
        {"only": "IfcSlab"},
        {"w1 geometry": "untested: no longer selected", "w2 deleted": "untested: no longer selected"},
    ),
    (
        "the mesh fails",
        {"unjudged": ("w1",)},
        {"w1 geometry": "untested: no geometry", "w2 deleted": "resolved"},
    ),
    (
        "the tolerance is raised",
        {"tolerance": 0.01},
        {"w1 geometry": "untested: definition changed", "w2 deleted": "resolved"},
    ),
    (
        "the comparison does not span the change",
        {"old": 1, "facets": ()},
        {"w1 geometry": "new", "w2 deleted": "new", "w2 added": "new"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "expected"),
    [case[1:] for case in NEVER_RESOLVED],
    ids=[case[0].replace(" ", "-") for case in NEVER_RESOLVED],
)
def test_no_change_is_resolved_when(
    made: Diffs, how: dict[str, Any], expected: dict[str, str]
) -> None:
    made.run(0, 1)
    assert made.states() == {"w1 geometry": "new", "w2 deleted": "new"}
    made.run(**{"old": 0, "new": 2} | how)
    assert made.states() == expected
    # An honest comparison of the same two revisions resolves both.
    made.run(0, 2)
    assert {state for name, state in made.states().items() if name != "w2 added"} == {"resolved"}


def test_what_is_not_there_and_not_told_of_is_unlinked(made: Diffs) -> None:
    """It may have been taken for another: neither is its deletion resolved, nor its change."""
    made.revise({"w3": {}})
    made.run(0, 1)
    made.run(0, 3, passed_over=("w1", "w2"))
    assert made.states() == {
        "w1 geometry": "untested: unlinked",
        "w2 deleted": "untested: unlinked",
    }


def test_what_changed_or_came_and_then_went_is_removed(made: Diffs) -> None:
    made.revise({"w1": {"geometry": 2}, "w2": {}, "w4": {}})
    made.revise({"w2": {}})
    made.run(0, 1)
    made.run(0, 3)
    assert made.states()["w4 added"] == "new"
    made.run(0, 4)
    assert made.states() == {
        "w1 geometry": "removed", "w1 deleted": "new", "w2 deleted": "resolved",
        "w3 deleted": "persisting", "w4 added": "removed",
    }  # fmt: skip
    # What was removed stays so until its element is there again.
    made.run(0, 4, facets=("attributes",))
    assert made.states()["w1 geometry"] == "removed"
    # And where it is not told of, as it may have been taken for another.
    made.revise({"w2": {}})
    made.run(0, 5, passed_over=("w1",))
    assert made.states()["w1 geometry"] == "removed"


def test_a_change_is_not_resolved_by_an_id_that_turned_out_to_be_its_elements(made: Diffs) -> None:
    """The result saw one element go and another come, and compared neither with the other."""
    made.revise({"n1": {"geometry": 1}, "w3": {}})
    made.run(0, 1)
    made.run(0, 3)
    assert made.states()["w1 geometry"] == "removed"
    made.world.sql(
        "insert into core.links (project_id, from_element, to_element, verdict, method, confidence)"
        " values (%s, %s, %s, 'same', 'person', 1)",
        made.world.project, made.element("w1"), made.element("n1"),
    )  # fmt: skip
    made.world.sql("select core.refresh_identities(%s)", [made.element("w1"), made.element("n1")])
    assert made.states()["w1 geometry"] == "untested: not asked for"
