"""Groups of pairs, decisions about them, and rules that are kept by command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from ifcbase.errors import Conflict, NotFound, RequestInvalid
from ifcbase.ledger import rules
from ifcbase.ledger.connect import translated
from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import Chain, Clash, pair
from tests.integration.ledger.test_decisions import decide, review

__all__ = ["chain"]

ONE, TWO, THREE = "arc/w1 mep/p1", "arc/w1 mep/p2", "arc/w2 mep/p3"
ALL = [ONE, TWO, THREE]


@pytest.fixture
def looks(chain: Chain) -> Chain:
    """Walls against two pipes and a duct, on two storeys."""
    chain.looks = {
        "arc/w1": {"name": "North wall"},
        "mep/p1": {"ifc_class": "IfcPipeSegment"},
        "mep/p2": {"ifc_class": "IfcPipeSegment", "storey": "Roof"},
        "mep/p3": {"ifc_class": "IfcDuctSegment", "storey": "Roof"},
    }
    return chain


def groups(chain: Chain, by: str) -> dict[str, tuple[str, int]]:
    """Label and number of pairs by the name of the group."""
    found = rules.list_groups(chain.world.connection, chain.id, by, limit=100)
    return {each["group_name"]: (each["label"], each["pairs"]) for each in found}


def decide_group(chain: Chain, group: str, action: str, **more: Any) -> list[int]:
    return rules.decide_group(chain.world.connection, chain.id, group, action, **more)


def test_pairs_are_grouped_by_what_they_have_in_common(looks: Chain) -> None:
    looks.run(ALL)
    wall = f"element/{looks.element('arc/w1')}"
    by_element = groups(looks, "element")
    assert by_element.pop(wall) == ("IfcWall North wall", 2)
    assert {count for _, count in by_element.values()} == {1}
    assert groups(looks, "class") == {
        "class/IfcPipeSegment+IfcWall": ("IfcPipeSegment and IfcWall", 2),
        "class/IfcDuctSegment+IfcWall": ("IfcDuctSegment and IfcWall", 1),
    }
    assert groups(looks, "storey") == {
        "storey/Ground floor+Ground floor": ("Ground floor and Ground floor", 1),
        "storey/Ground floor+Roof": ("Ground floor and Roof", 2),
    }
    assert groups(looks, "model") == {"model/arc+mep": ("arc and mep", 3)}


def test_smart_groups_are_those_of_the_result_that_saw_a_pair_last(looks: Chain) -> None:
    first = looks.run([Clash(pair(ONE), group=1), Clash(pair(TWO), group=1), Clash(pair(THREE))])
    assert groups(looks, "near") == {
        f"near/{first}/1": (f"close to each other in result {first}", 2)
    }
    second = looks.run([Clash(pair(ONE), group=4)], tolerance=0.02)
    assert groups(looks, "near") == {
        f"near/{first}/1": (f"close to each other in result {first}", 1),
        f"near/{second}/4": (f"close to each other in result {second}", 1),
    }


def test_what_is_resolved_or_removed_is_in_no_group(looks: Chain) -> None:
    looks.run(ALL)
    looks.run([ONE])
    assert groups(looks, "model") == {"model/arc+mep": ("arc and mep", 1)}


def test_a_group_says_how_much_of_it_is_open_and_how_deep_it_is(looks: Chain) -> None:
    looks.run([Clash(pair(ONE), 0.02), Clash(pair(TWO), 0.3), Clash(pair(THREE), 0.01)])
    decide(looks, ONE, "reviewed")
    looks.run([Clash(pair(ONE), 0.02), Clash(pair(TWO), 0.3)], failed=frozenset({("arc", "w2")}))
    (only,) = rules.list_groups(looks.world.connection, looks.id, "model", limit=9)
    assert (only["pairs"], only["open"], only["unseen"], only["deepest"]) == (3, 2, 1, 0.3)


def test_a_decision_on_a_group_is_one_on_each_of_its_pairs_and_says_so(looks: Chain) -> None:
    looks.run(ALL)
    group = "class/IfcPipeSegment+IfcWall"
    decided = decide_group(looks, group, "ignored", reason="flexible item", comment="hoses")
    assert decided == sorted([looks.pair_id(ONE), looks.pair_id(TWO)])
    assert review(looks, ONE) == review(looks, TWO) == ("ignored", "flexible item", False)
    assert review(looks, THREE)[0] == "open"
    assert looks.world.sql("select distinct group_name, comment from core.decisions") == [
        (group, "hoses")
    ]
    decide(looks, ONE, "open")
    assert looks.world.value("select count(*) from core.decisions where group_name is null") == 1


def test_each_pair_of_an_approved_group_is_approved_as_it_is_itself(looks: Chain) -> None:
    looks.run([Clash(pair(ONE), 0.02), Clash(pair(TWO), 0.3)])
    decide_group(looks, f"element/{looks.element('arc/w1')}", "approved")
    looks.run([Clash(pair(ONE), 0.04), Clash(pair(TWO), 0.3)])
    assert review(looks, ONE) == ("open", "deeper than approved", False)
    assert review(looks, TWO)[0] == "approved"


def test_a_group_of_an_element_is_found_by_any_id_it_had(looks: Chain) -> None:
    looks.run([ONE])
    looks.revise("arc", ["n1", "w2", "w3"])
    looks.run(["arc/n1 mep/p1", "arc/n1 mep/p2"])
    looks.link("arc/w1", "arc/n1")
    decide_group(looks, f"element/{looks.element('arc/n1')}", "reviewed")
    assert review(looks, ONE)[0] == review(looks, "arc/n1 mep/p2")[0] == "reviewed"


@pytest.mark.parametrize(
    ("group", "error", "says"),
    [
        ("class/IfcWall+IfcWall", NotFound, "no group"),
        ("element/999999", NotFound, "no group"),
        ("element/99999999999999999999999999", NotFound, "no group"),
        ("shape/round", RequestInvalid, "no name of a group"),
        ("", RequestInvalid, "no name of a group"),
    ],
)
def test_a_decision_on_no_group_is_refused(
    looks: Chain, group: str, error: type[Exception], says: str
) -> None:
    looks.run(ALL)
    with pytest.raises(error, match=says):
        decide_group(looks, group, "reviewed")
    assert looks.world.value("select count(*) from core.decisions") == 0


def test_a_decision_that_is_none_is_none_for_the_whole_group(looks: Chain) -> None:
    looks.run(ALL)
    with pytest.raises(RequestInvalid, match="this is no decision"):
        decide_group(looks, "model/arc+mep", "ignored", reason="because")
    assert looks.world.value("select count(*) from core.decisions") == 0


# Rules --------------------------------------------------------------------------------------------


def add(chain: Chain, **rule: Any) -> int:
    return rules.add_rule(chain.world.connection, "default", {"name": "r", **rule})


def test_a_rule_about_a_group_decides_about_its_pairs_as_planned(looks: Chain) -> None:
    result = looks.run(ALL)
    rule = {"action": "approved", "group_name": f"element/{looks.element('arc/w1')}"}
    plan = looks.world.sql(
        "select pair_id, action from core.plan_rule(%s, %s) order by 1", result, Jsonb(rule)
    )
    assert [each for each, _ in plan] == sorted([looks.pair_id(ONE), looks.pair_id(TWO)])
    add(looks, **rule)
    looks.run(ALL)
    assert plan == looks.world.sql(
        "select finding_id, action from core.decisions where rule_id is not null order by 1"
    )
    assert review(looks, ONE) == ("approved", None, True)
    assert review(looks, THREE)[0] == "open"


def test_a_rule_that_is_switched_off_takes_its_word_back_and_on_says_it_again(
    looks: Chain,
) -> None:
    add(looks, action="ignored", reason="small overlap", max_distance=0.05)
    looks.run(ALL)
    assert review(looks, ONE) == ("ignored", "small overlap", True)
    decide(looks, TWO, "approved")
    connection = looks.world.connection
    rules.switch_rule(connection, "default", "r", active=False)
    assert review(looks, ONE)[0] == "ignored"  # until the next result
    looks.run(ALL)
    assert [review(looks, each)[0] for each in ALL] == ["open", "approved", "open"]
    (listed,) = rules.list_rules(connection, "default")
    assert (listed["active"], listed["decided"]) == (False, 0)
    rules.switch_rule(connection, "default", "r", active=True)
    looks.run(ALL)
    assert [review(looks, each)[0] for each in ALL] == ["ignored", "approved", "ignored"]
    (listed,) = rules.list_rules(connection, "default")
    assert (listed["active"], listed["decided"], listed["max_distance"]) == (True, 2, 0.05)


@pytest.mark.parametrize(
    ("rule", "error", "says"),
    [
        ({"action": "ignored"}, RequestInvalid, "no rule"),
        ({"action": "open"}, RequestInvalid, "no rule"),
        ({}, RequestInvalid, "no rule"),
        ({"action": "reviewed", "name": ""}, RequestInvalid, "no rule"),
        ({"action": "reviewed", "name": None}, RequestInvalid, "no rule"),
        ({"action": "reviewed", "group_name": "near/1/2"}, RequestInvalid, "no rule"),
        ({"action": "reviewed", "max_distance": "deep"}, RequestInvalid, "no rule"),
        ({"action": "reviewed", "deepest": 1}, RequestInvalid, "a rule has no deepest"),
        ({"action": "reviewed", "id": 7}, RequestInvalid, "a rule has no id"),
        ({"action": "reviewed", "set_id": 99}, NotFound, "no such clash set"),
        ({"action": "reviewed", "name": "taken"}, Conflict, "a rule named taken already"),
    ],
)
def test_a_rule_that_is_none_is_refused(
    looks: Chain, rule: dict[str, Any], error: type[Exception], says: str
) -> None:
    add(looks, name="taken", action="reviewed")
    with pytest.raises(error, match=says):
        add(looks, **rule)
    assert looks.world.value("select count(*) from core.decision_rules") == 1


def test_a_rule_cannot_be_about_a_set_of_another_project(looks: Chain) -> None:
    looks.run(ALL)
    looks.world.sql("insert into core.projects (name) values ('other')")
    with pytest.raises(NotFound, match="no such clash set"):
        rules.add_rule(
            looks.world.connection, "other", {"name": "r", "action": "reviewed", "set_id": looks.id}
        )


def test_who_may_not_decide_adds_and_switches_no_rule(looks: Chain) -> None:
    looks.run(ALL)
    number = add(looks, action="reviewed")
    claims = json.dumps({"sub": "6f1c8d1e-0000-4000-8000-000000000001", "role": "authenticated"})
    for statement in (
        'select public.add_rule(1, \'{"name": "x", "action": "reviewed"}\')',
        f"select public.switch_rule({number}, false)",
        f"select public.decide_group({looks.id}, 'model/arc+mep', 'reviewed')",
    ):
        with (
            pytest.raises(Conflict, match="you may not decide"),
            translated(),
            looks.world.connection.transaction(),
        ):
            looks.world.sql("select set_config('request.jwt.claims', %s, true)", claims)
            looks.world.sql("set local role authenticated")
            looks.world.sql(statement)
    assert looks.world.sql("select active from core.decision_rules") == [(True,)]


# Other measures -----------------------------------------------------------------------------------


def test_after_another_measure_approvals_stay_and_list_the_difference(looks: Chain) -> None:
    looks.run([Clash(pair(ONE), 0.02), Clash(pair(TWO), 0.02)])
    decide(looks, ONE, "approved")
    looks.run([Clash(pair(ONE), 0.05), Clash(pair(TWO), 0.05)], measure="2")
    ((state, remeasured, difference),) = looks.world.sql(
        "select state, remeasured, difference from core.review_states(%s) where remeasured",
        looks.id,
    )
    assert (state, remeasured, round(difference, 9)) == ("approved", True, 0.03)
