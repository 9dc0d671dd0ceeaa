"""IDS and diff results are thinned as clash results are: states, counts and decisions stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ifcbase.errors import Thinned
from ifcbase.ledger import diffs, export, ids
from ifcbase.ledger.connect import translated
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.ledger.diff_series import Diffs
from tests.integration.ledger.ids_series import Rule, Series
from tests.integration.servers import Database
from tests.integration.world import World

ALL = ("w1", "w2", "w3")


@pytest.fixture
def store(ledger: Database) -> Iterator[tuple[World, PostgresLedger]]:
    world, found = World(ledger.dsn), PostgresLedger(ledger.dsn)
    yield world, found
    found.close()
    world.close()


def age(world: World, check: str) -> None:
    """Everything is old."""
    world.sql(f"update {check}.results set finished_at = finished_at - interval '400 days'")


def thin(world: World, check: str) -> list[int]:
    """What is old and not the latest of a series goes, in batches of two."""
    found: list[int] = []
    while rows := world.sql("select result_id from core.thin('180 days', 1, 2)"):
        found += [row[0] for row in rows]
    return found


def walls(
    *failing: str, applies: tuple[str, ...] = ALL, asked: str = "Fire=F90", **more: Any
) -> Rule:
    return Rule(applies=applies, fails={asked: failing}, **more)


# IDS failures ---------------------------------------------------------------------------------------


@pytest.fixture
def series(store: tuple[World, PostgresLedger]) -> Series:
    """Five results: failures come, go, come back, are not judged, are asked otherwise."""
    made = Series(*store)
    made.revise(ALL)
    made.run(walls("w1", "w2"))
    made.run(walls("w2", "w3"))
    made.run(walls("w1", unjudged={"Fire=F90": ["w3"]}))
    made.revise(("w1", "w3"))
    made.run(walls("w1", applies=("w1", "w3"), asked="Fire=F30"))
    made.run(walls("w1", applies=("w1",)))
    return made


def told(world: World, check: str) -> list[Any]:
    """All that must not change."""
    tables = ["finding_states", "state_changes"] + (["state_counts"] if check == "tester" else [])
    return [world.sql(f"select * from {check}.{table} order by 1, 2") for table in tables] + [
        world.sql("select * from core.decisions order by id"),
        world.sql(
            "select finding_id, title, state, reason, storey, class, review from core.all_findings"
            " order by 1"
        ),
        world.sql(f"select id, verdict, coverage from {check}.results order by id"),
    ]


def test_states_counts_coverage_and_decisions_of_failures_stay(series: Series) -> None:
    world = series.world
    finding = world.value("select min(finding_id) from tester.finding_states")
    world.sql("select public.decide(array[%s::bigint], 'approved')", finding)
    age(world, "tester")
    before, failures = told(world, "tester"), world.value("select count(*) from tester.failures")
    rate = "select result_id, specifications, failed, checks, rate from tester.pass_rate order by 1"
    rates = world.sql(rate)
    left_out = world.sql("select * from tester.left_out order by 1, 2, 3, 4")
    latest = world.value("select max(id) from tester.results")
    thinned = thin(world, "tester")
    assert latest not in thinned
    assert len(thinned) == 4
    # What each finding was last seen to fail is still known in full.
    assert 0 < world.value("select count(*) from tester.failures") < failures
    assert world.value("select count(*) from tester.seen_failures") == failures
    assert world.sql(
        "select from tester.finding_states t where not exists (select from tester.failures f"
        " where f.finding_id = t.finding_id and f.result_id = t.last_seen)"
    ) == []  # fmt: skip
    assert told(world, "tester") == before
    assert world.sql(rate) == rates
    assert world.sql("select * from tester.left_out order by 1, 2, 3, 4") == left_out
    assert series.differences() == []
    assert thin(world, "tester") == []


def test_a_late_ids_result_before_thinned_ones_takes_its_place(
    store: tuple[World, PostgresLedger],
) -> None:
    series = Series(*store)
    series.revise(ALL)
    series.run(walls("w1"))
    late = series.accept()
    series.run(walls("w2"))
    series.run(walls("w1"))
    series.run(walls("w1"))
    age(series.world, "tester")
    assert len(thin(series.world, "tester")) == 3
    series.finish(late, walls("w1", "w2", "w3"))
    assert series.states() == {
        "w1 Walls": "persisting", "w2 Walls": "resolved", "w3 Walls": "resolved",
    }  # fmt: skip
    # It reopened where w1 was seen again, in a result that is thinned.
    assert (
        series.world.value("select count(*) from tester.state_changes where state = 'reopened'")
        == 1
    )
    assert series.differences() == []


def test_failures_that_are_taken_apart_again_still_have_their_reason(
    store: tuple[World, PostgresLedger],
) -> None:
    series = Series(*store)
    series.revise(("w1", "w2"))
    series.run(walls("w1", applies=("w1", "w2")))
    series.revise(("n1", "w2"))
    series.run(walls("n1", applies=("n1", "w2")))

    def say(verdict: str) -> None:
        one, other = (
            series.world.value("select id from core.elements where global_id = %s", name)
            for name in ("w1", "n1")
        )
        series.world.sql("select core.state_link(%s, %s, %s)", one, other, verdict)

    say("same")
    series.run(walls("n1", applies=("n1", "w2")))
    age(series.world, "tester")
    assert len(thin(series.world, "tester")) == 2
    assert series.differences() == []
    say("different")
    assert series.differences() == []
    assert series.world.value("select count(*) from tester.failures") == 2


def test_a_thinned_ids_result_is_refused_where_its_failures_are_asked_for(series: Series) -> None:
    age(series.world, "tester")
    first = min(thin(series.world, "tester"))
    connection = series.world.connection
    for call in (
        lambda: ids.read(connection, first, None),
        lambda: export.judged_findings(connection, "tester", first),
    ):
        with pytest.raises(Thinned, match="thinned"):
            call()
    rest = ids.read(connection, first, None, ["specifications", "left_out", "series"])
    assert [each["failed"] for each in rest["specifications"]] == [2]
    latest = series.world.value("select max(id) from tester.results")
    assert len(ids.read(connection, latest, None)["failures"]) == 1


# Changes --------------------------------------------------------------------------------------------


@pytest.fixture
def compared(store: tuple[World, PostgresLedger]) -> Diffs:
    """Six results: changes come, stay, change again, are taken back."""
    made = Diffs(*store)
    for elements in (
        {"w1": {"geometry": 1}, "w2": {"placement": 1}, "w3": {}},
        {"w1": {"geometry": 2}, "w2": {"placement": 1.0}, "w3": {}, "w4": {}},
        {"w1": {"geometry": 3}, "w2": {"placement": 2}, "w3": {}, "w4": {}},
        {"w1": {"geometry": 1}, "w2": {"placement": 2}},
    ):
        made.revise(elements)
    for old, new in ((0, 1), (0, 2), (0, 2), (1, 2), (0, 3), (0, 3)):
        made.run(old, new)
    return made


def test_states_and_decisions_of_changes_stay(compared: Diffs) -> None:
    world = compared.world
    finding = world.value("select min(finding_id) from diff.finding_states")
    world.sql("select public.decide(array[%s::bigint], 'approved')", finding)
    age(world, "diff")
    before, changes = told(world, "diff"), world.value("select count(*) from diff.changes")
    latest = world.value("select max(id) from diff.results")
    thinned = thin(world, "diff")
    assert latest not in thinned
    assert len(thinned) == 5
    assert 0 < world.value("select count(*) from diff.changes") < changes
    assert world.value("select count(*) from diff.seen_changes") == changes
    assert told(world, "diff") == before
    assert compared.differences() == []
    assert thin(world, "diff") == []


def test_a_change_to_something_else_is_told_from_the_same_after_thinning(
    store: tuple[World, PostgresLedger],
) -> None:
    """A late result is held against digests on both sides: 1.50 and 1.5 are one number."""
    made = Diffs(*store)
    for geometry in ([0], [1.5, {"b": 1, "a": None}], [2]):
        made.revise({"w1": {"geometry": geometry}})
    made.run(0, 1)
    late = made.accept(0, 1)
    made.run(0, 1)
    made.run(0, 2)
    made.run(0, 2)
    made.world.sql(
        'update diff.changes set after = \'{"geometry": [1.50, {"a": null, "b": 1.0}]}\''
        " where result_id = (select min(id) + 1 from diff.results)"
    )
    age(made.world, "diff")
    assert len(thin(made.world, "diff")) == 3
    made.finish(late)
    assert made.world.sql(
        "select c.state, c.reason from diff.state_changes c join diff.results r on r.id = c.result_id"
        " order by r.accepted"
    ) == [("new", None), ("persisting", None), ("reopened", "changed again"), ("persisting", None)]
    assert made.differences() == []


def test_a_thinned_diff_is_refused_where_its_changes_are_asked_for(compared: Diffs) -> None:
    age(compared.world, "diff")
    first = min(thin(compared.world, "diff"))
    connection = compared.world.connection
    for call in (
        lambda: diffs.show_changes(connection, first, None),
        lambda: export.judged_findings(connection, "diff", first),
    ):
        with pytest.raises(Thinned, match="thinned"):
            call()
    assert diffs.show_changes(connection, first, None, ["not_compared"])["not_compared"] == []
    with pytest.raises(Thinned), translated():
        compared.world.sql("select core.require_whole('diff', %s)", first)


def test_a_change_is_listed_though_all_that_is_left_of_it_is_a_digest(compared: Diffs) -> None:
    """Deleting the result that saw it last leaves the thinned ones before."""
    age(compared.world, "diff")
    thin(compared.world, "diff")
    listed = "select count(*) from diff.current_findings"
    latest = compared.world.value("select max(id) from diff.results")
    compared.world.sql("delete from diff.results where id = %s", latest)
    there = compared.world.value("select count(*) from diff.finding_states")
    assert compared.world.value(listed) == there > 0
    assert (
        compared.world.value("select count(*) from diff.current_findings where title is null") == 0
    )
    assert compared.differences() == []
