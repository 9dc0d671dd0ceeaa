"""States of IDS failures over the results of a series: nothing is resolved that was not judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ifcbase.ledger.postgres import PostgresLedger
from ifcbase.tester.ids.usage import Usage
from tests.integration.ledger.ids_series import Rule, Series
from tests.integration.servers import Database
from tests.integration.world import World

ALL = ("w1", "w2", "w3")


@pytest.fixture
def series(ledger: Database) -> Iterator[Series]:
    world, store = World(ledger.dsn), PostgresLedger(ledger.dsn)
    try:
        made = Series(world, store)
        made.revise(ALL)
        yield made
        assert made.differences() == []
    finally:
        store.close()
        world.close()


def walls(
    *failing: str, asked: str = "Fire=F90", applies: tuple[str, ...] = ALL, **more: Any
) -> Rule:
    return Rule(applies=applies, fails={asked: failing}, **more)


def test_new_persisting_resolved_reopened(series: Series) -> None:
    series.run(walls("w1", "w2"))
    assert series.states() == {"w1 Walls": "new", "w2 Walls": "new"}
    series.revise(ALL)
    series.run(walls("w1"))
    assert series.states() == {"w1 Walls": "persisting", "w2 Walls": "resolved"}
    series.revise(ALL)
    series.run(walls("w2", "w3"))
    assert series.states() == {
        "w1 Walls": "resolved", "w2 Walls": "reopened", "w3 Walls": "new"
    }  # fmt: skip


def test_every_change_is_one_row_and_every_result_is_counted(series: Series) -> None:
    first = series.run(walls("w1", "w2"))
    second = series.run(walls("w1"))
    third = series.run(walls("w1"))
    changes = series.world.sql(
        "select result_id, state, count(*) from tester.state_changes group by 1, 2 order by 1, 2"
    )
    assert changes == [(first, "new", 2), (second, "persisting", 1), (second, "resolved", 1)]
    counts = (
        "select state, findings, entered from tester.state_counts where result_id = %s order by 1"
    )
    assert series.world.sql(counts, third) == [("persisting", 1, 0), ("resolved", 1, 0)]
    trend = "select result_id, new, persisting, resolved from tester.trend order by accepted"
    assert series.world.sql(trend) == [(first, 2, 0, 0), (second, 0, 1, 1), (third, 0, 1, 1)]


def test_an_element_that_is_gone_is_removed_and_its_return_reopens(series: Series) -> None:
    series.run(walls("w1"))
    series.revise(["w2", "w3"])
    series.run(walls(applies=("w2", "w3")))
    assert series.states() == {"w1 Walls": "removed"}
    series.run(walls(applies=("w2", "w3")))
    assert series.states() == {"w1 Walls": "removed"}
    series.revise(ALL)
    series.run(walls("w1"))
    assert series.states() == {"w1 Walls": "reopened"}


def test_what_was_removed_stays_so_while_nobody_knows_what_became_of_it(series: Series) -> None:
    series.run(walls("w1"))
    series.revise(["w2", "w3"])
    series.run(walls(applies=("w2", "w3")))
    series.revise(["w2", "w3"], matched=False)
    series.run(walls(applies=("w2", "w3")))
    assert series.states() == {"w1 Walls": "removed"}


def test_a_prohibited_type_that_is_not_found_any_more_is_not_resolved(series: Series) -> None:
    """No inventory says whether the type is still there, or is another now."""
    series.revise([*ALL, "type-a"])
    rule: dict[str, Any] = {"usage": Usage.PROHIBITED, "name": "No such types"}
    series.run(Rule(applies=("type-a",), **rule))
    series.run(Rule(applies=(), **rule))
    assert series.states() == {"type-a No such types": "untested: no longer selected"}


def test_a_missing_element_of_an_unmatched_version_is_unlinked(series: Series) -> None:
    series.run(walls("w1"))
    series.revise(["w2", "w3"], matched=False)
    series.run(walls(applies=("w2", "w3")))
    assert series.states() == {"w1 Walls": "untested: unlinked"}
    series.world.sql("update core.model_versions set matched_at = now() where matched_at is null")
    assert series.states() == {"w1 Walls": "removed"}


def test_an_element_that_is_no_longer_applicable_is_not_resolved(series: Series) -> None:
    series.run(walls("w1"))
    series.run(walls(applies=("w2", "w3")))
    assert series.states() == {"w1 Walls": "untested: no longer selected"}
    series.run(walls())
    assert series.states() == {"w1 Walls": "resolved"}


def test_a_changed_requirement_resolves_nothing(series: Series) -> None:
    series.run(walls("w1", "w2"))
    series.run(walls("w1", asked="Fire=F30"))
    assert series.states() == {
        "w1 Walls": "persisting", "w2 Walls": "untested: definition changed"
    }  # fmt: skip
    # Judged by what it was last seen to fail, it is.
    series.run(walls(asked="Fire=F90"))
    assert series.states() == {
        "w1 Walls": "untested: definition changed", "w2 Walls": "resolved"
    }  # fmt: skip


def test_a_dropped_requirement_or_specification_resolves_nothing(series: Series) -> None:
    both = Rule(applies=ALL, fails={"Fire=F90": ["w1"], "Name=x": ["w2"]})
    series.run(both, walls("w3", name="Others", about="IFCSLAB"))
    series.run(walls())
    assert series.states() == {
        "w1 Walls": "resolved",
        "w2 Walls": "untested: no longer asked",
        "w3 Others": "untested: no longer asked",
    }


def test_no_failure_is_resolved_by_a_run_on_another_model(series: Series) -> None:
    series.run(walls("w1"))
    other = Series(series.world, series.ledger, model="str")
    other.revise(["s1"])
    other.run(walls(applies=("s1",)))
    assert series.states() == {"w1 Walls": "new"}
    rows = series.world.sql(
        "select model, new, resolved, untested from tester.trend order by accepted"
    )
    assert rows == [("arc", 1, 0, 0), ("str", 0, 0, 0)]
    series.run(walls())
    assert series.states() == {"w1 Walls": "resolved"}


def test_no_failure_is_resolved_by_a_run_without_its_ids(series: Series) -> None:
    series.ids = ("fire.ids", "names.ids")
    series.run(walls("w1", "w2"), walls("w3", name="Names", ids=1))
    series.ids = ("names.ids",)
    for _ in range(2):
        series.run(walls(name="Names"))
    states = {"w1 Walls": "new", "w2 Walls": "new", "w3 Names": "resolved"}
    assert series.states() == states
    # The run that asks both again goes on where each of them stood.
    series.ids = ("fire.ids", "names.ids")
    series.run(walls("w2"), walls("w3", name="Names", ids=1))
    assert series.states() == {
        "w1 Walls": "resolved", "w2 Walls": "persisting", "w3 Names": "reopened",
    }  # fmt: skip


def test_an_element_that_moved_to_a_model_that_is_not_judged_is_not_resolved(
    series: Series,
) -> None:
    series.run(walls("w1", "w2"))
    other = Series(series.world, series.ledger, model="str")
    other.revise(["s1"])
    other.run(walls(applies=("s1",)))
    link(series, "w1", "s1")
    series.revise(["w2", "w3"])
    for _ in range(2):
        series.run(walls(applies=("w2", "w3")))
        assert series.states() == {
            "w1 Walls": "untested: model not in the run", "w2 Walls": "resolved",
        }  # fmt: skip
    # Back where it was, and judged there.
    series.revise(ALL)
    series.run(walls())
    assert series.states() == {"w1 Walls": "resolved", "w2 Walls": "resolved"}


def test_another_applicability_keeps_what_is_still_judged(series: Series) -> None:
    series.run(walls("w1", "w2", "w3"))
    series.run(walls("w1", applies=("w1", "w2"), about="IFCWALL load-bearing"))
    assert series.states() == {
        "w1 Walls": "persisting", "w2 Walls": "resolved", "w3 Walls": "untested: definition changed",
    }  # fmt: skip


def test_edited_words_lose_no_history(series: Series) -> None:
    series.run(walls("w1", name="Fire of walls", identifier="A1"))
    series.run(walls("w1", name="Fire rating of walls", identifier="A1"))
    assert series.states() == {"w1 Fire rating of walls": "persisting"}
    series.run(walls("w1", name="Something else", identifier=None))
    assert series.states() == {"w1 Something else": "persisting"}
    specifications = series.world.value("select count(*) from tester.specifications")
    assert specifications == 1


def test_equal_specifications_stay_two(series: Series) -> None:
    series.run(walls("w1"), walls("w2"))
    series.run(walls("w1"), walls())
    found = series.world.sql("select state from tester.finding_states order by finding_id")
    assert found == [("persisting",), ("resolved",)]


def test_reordered_specifications_and_requirements_are_the_same(series: Series) -> None:
    one = Rule(applies=ALL, fails={"Fire=F90": ["w1"], "Name=x": []})
    series.run(one, walls("w2", name="Others", about="IFCSLAB"))
    turned = Rule(applies=ALL, fails={"Name=x": [], "Fire=F90": ["w1"]})
    series.run(walls("w2", name="Others", about="IFCSLAB"), turned)
    assert series.states() == {"w1 Walls": "persisting", "w2 Others": "persisting"}


def test_what_could_not_be_judged_is_not_resolved(series: Series) -> None:
    series.run(walls("w1", "w2"))
    series.run(walls(unjudged={"Fire=F90": ["w1"]}))
    assert series.states() == {"w1 Walls": "untested: not judged", "w2 Walls": "resolved"}
    series.run(walls("w2"))
    series.run(walls(applies=("w1", "w3"), unjudged={"": ["w2"]}))
    assert series.states() == {"w1 Walls": "resolved", "w2 Walls": "untested: not judged"}


def test_other_rules_of_judging_resolve_nothing(series: Series) -> None:
    series.run(walls("w1"))
    series.rules_version = "2"
    series.run(walls())
    assert series.states() == {"w1 Walls": "untested: other rules version"}


def test_a_prohibited_element_that_became_another_is_resolved(series: Series) -> None:
    rule = Rule(applies=("w1", "w2", "w3"), usage=Usage.PROHIBITED, name="None of these")
    series.run(rule)
    series.revise(["w1", "w2"])
    series.run(Rule(applies=("w1",), usage=Usage.PROHIBITED, name="None of these"))
    assert series.states() == {
        "w1 None of these": "persisting",
        "w2 None of these": "resolved",
        "w3 None of these": "removed",
    }
    series.run(Rule(applies=(), usage=Usage.PROHIBITED, name="None of these", about="other"))
    assert series.states()["w1 None of these"] == "untested: definition changed"


def test_a_missing_element_is_a_finding_until_there_is_one(series: Series) -> None:
    def some(*applies: str, **more: Any) -> Rule:
        return Rule(
            applies=applies, usage=Usage.REQUIRED, name="Some", fails={"Name=x": []}, **more
        )

    series.run(some())
    assert series.states() == {"- Some": "new"}
    series.run(some(unjudged={"": ["w1"]}))
    assert series.states() == {"- Some": "untested: not judged"}
    series.run(some("w1"))
    assert series.states() == {"- Some": "resolved"}
    series.run(some(about="IFCDOOR"))
    assert series.states() == {"- Some": "reopened"}
    series.run(some("w1", about="IFCSTAIR"))
    assert series.states() == {"- Some": "untested: definition changed"}


def test_types_and_materials_are_followed_as_far_as_is_known(series: Series) -> None:
    series.revise([*ALL, "type-a", "type-b"])
    types = ("type-a", "type-b")
    series.run(walls(*types, applies=types, name="Types"))
    series.run(walls(applies=("type-a",), name="Types"))
    assert series.states() == {
        "type-a Types": "resolved", "type-b Types": "untested: no longer selected"
    }  # fmt: skip
    things = series.world.sql("select ifc_class, name from tester.things order by name")
    assert things == [("IfcWallType", "type-a"), ("IfcWallType", "type-b")]


def test_a_late_result_is_put_in_its_place(series: Series) -> None:
    series.run(walls("w1"))
    late = series.accept()
    series.revise(ALL)
    after = series.run(walls("w1"))
    assert series.states() == {"w1 Walls": "persisting"}
    middle = series.finish(late, walls("w2"))
    assert series.states() == {"w1 Walls": "reopened", "w2 Walls": "resolved"}
    changes = series.world.sql(
        "select result_id, state from tester.state_changes where result_id in (%s, %s) order by 1, 2",
        middle, after,
    )  # fmt: skip
    assert changes == [
        (after, "reopened"), (after, "resolved"), (middle, "new"), (middle, "resolved")
    ]  # fmt: skip


def link(series: Series, old: str, new: str, verdict: str = "same") -> None:
    series.world.sql(
        """with made as (
             insert into core.links (project_id, from_element, to_element, verdict, method, confidence)
             select a.project_id, a.id, b.id, %s, 'content', 1 from core.elements a, core.elements b
              where a.global_id = %s and b.global_id = %s returning from_element, to_element)
           select from made""",
        verdict, old, new,
    )  # fmt: skip
    series.world.sql(
        "select core.refresh_identities(array(select id from core.elements where global_id in (%s, %s)))",
        old, new,
    )  # fmt: skip


def test_a_new_id_is_the_same_finding_once_it_is_linked(series: Series) -> None:
    series.run(walls("w1", "w2"))
    series.revise(["v1", "w2", "w3"], matched=False)
    series.run(walls("v1", applies=("v1", "w2", "w3")))
    assert series.states() == {
        "w1 Walls": "untested: unlinked", "v1 Walls": "new", "w2 Walls": "resolved",
    }  # fmt: skip
    link(series, "w1", "v1")
    assert series.states() == {"w1 Walls": "persisting", "w2 Walls": "resolved"}
    series.run(walls(applies=("v1", "w2", "w3")))
    assert series.states() == {"w1 Walls": "resolved", "w2 Walls": "resolved"}
    # A failure under the new id, first seen after the link, is the old finding, too.
    series.run(walls("v1", applies=("v1", "w2", "w3")))
    assert series.states()["w1 Walls"] == "reopened"
    link(series, "w1", "v1", "different")
    assert series.states()["v1 Walls"] == "reopened"
    assert series.states()["w1 Walls"] == "untested: unlinked"


def test_a_doubt_keeps_a_missing_element_from_being_removed(series: Series) -> None:
    series.run(walls("w1"))
    series.revise(["v1", "w2", "w3"])
    series.run(walls(applies=("v1", "w2", "w3")))
    assert series.states() == {"w1 Walls": "removed"}
    link(series, "w1", "v1", "doubtful")
    assert series.states() == {"w1 Walls": "untested: unlinked"}
    link(series, "w1", "v1", "different")
    assert series.states() == {"w1 Walls": "removed"}
    link(series, "w1", "v1", "doubtful")
    link(series, "w1", "v1", "same")
    assert series.states() == {"w1 Walls": "resolved"}, "v1 is the wall, and was judged"
    assert series.world.value("select count(*) from core.fresh_links") == 0


def test_two_ids_of_one_job_are_two_series(series: Series) -> None:
    series.ids = ("fire.ids", "names v2.ids")
    series.run(walls("w1"), walls("w2", ids=1))
    series.ids = ("names v3.ids",)
    result = series.run(walls("w2"))
    rows = series.world.sql(
        """select s.name, t.state from tester.finding_states t
             join tester.series s on s.id = t.series_id order by 1"""
    )
    assert rows == [("fire", "new"), ("names", "persisting")]
    rate = series.world.sql(
        "select ids, model, checks, checks_passed, passed, failed, round(rate::numeric, 4)::float8"
        " from tester.pass_rate where result_id = %s", result,
    )  # fmt: skip
    assert rate == [("names", "arc", 3, 2, 0, 1, 0.6667)]


def test_no_rate_where_nothing_was_checked(series: Series) -> None:
    series.run(walls(applies=()))
    assert series.world.sql("select checks, rate, passed from tester.pass_rate") == [(0, None, 1)]


def test_equal_applications_are_stored_once(series: Series) -> None:
    series.run(walls("w1"), walls(name="Again", asked="Name=x"))
    series.run(walls("w1", applies=("w1", "w2")))
    assert series.world.value("select count(*) from tester.applied") == 2


def test_findings_in_the_columns_of_all_checks(series: Series) -> None:
    series.run(walls("w1"), Rule(applies=(), usage=Usage.REQUIRED, name="Doors"))
    rows = series.world.sql(
        "select check_name, series, title, state, model, storey, class, global_id, review"
        " from core.open_findings order by title"
    )
    assert rows == [
        ("tester", "rules on arc", 'No element that "Doors" requires is there', "new", "arc", None,
         None, None, "open"),
        ("tester", "rules on arc", 'Wall "W1" fails "Walls": Fire shall be F90', "new", "arc",
         "Ground floor", "IfcWall", "w1", "open"),
    ]  # fmt: skip


def test_a_decision_outlasts_revisions_and_new_ids(series: Series) -> None:
    first = series.run(walls("w1", "w2"))
    finding = series.world.value(
        "select f.id from tester.findings f join core.elements e on e.id = f.element_id"
        " where e.global_id = 'w1'"
    )
    series.world.sql("select public.decide(%s, 'ignored', 'other', 'an old wall')", [finding])
    series.world.sql("select public.decide(%s, 'assigned', assigned_to => 'Ada')", [finding])
    open_ = "select global_id from core.open_findings order by 1"
    assert series.world.sql(open_) == [("w2",)]
    series.revise(["v1", "w2", "w3"])
    series.run(walls("v1", "w2", applies=("v1", "w2", "w3")))
    assert series.world.sql(open_) == [("v1",), ("w2",)]
    link(series, "w1", "v1")
    assert series.world.sql(open_) == [("w2",)]
    row = "select review, review_reason, assigned_to, state from core.all_findings where global_id = 'v1'"
    assert series.world.sql(row) == [("ignored", "other", "Ada", "persisting")]
    # A word on the old id now is one on the new id as well, and taken back by either.
    series.world.sql("select public.decide(%s, 'open')", [finding])
    assert series.world.sql(open_) == [("v1",), ("w2",)]
    assert first > 0


def test_a_decision_needs_a_finding_and_a_reason(series: Series) -> None:
    series.run(walls("w1"))
    finding = series.world.value("select id from tester.findings")
    with pytest.raises(psycopg.Error, match="this is no decision"):
        series.world.sql("select public.decide(%s, 'ignored')", [finding])
    with pytest.raises(psycopg.Error, match="no finding"):
        series.world.sql(
            "select core.append_decision(%s, 'open', null, null, null, null, null, null)", 99
        )
