"""Decisions: who said what about a pair, what holds, and what rules add."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg
import pytest

from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import Chain, Clash, pair

__all__ = ["chain"]

ONE, TWO, THREE = "arc/w1 mep/p1", "arc/w2 mep/p2", "arc/w3 mep/p3"


def at(text: str, depth: float, kind: str = "collision") -> Clash:
    return Clash(pair(text), depth, kind)


def decide(chain: Chain, text: str, action: str, reason: str | None = None, **more: Any) -> int:
    ((ids,),) = chain.world.sql(
        "select public.decide(array[%s]::bigint[], %s, %s, %s, %s, %s)",
        chain.pair_id(text), action, reason, more.get("comment"), more.get("to"), more.get("due"),
    )  # fmt: skip
    return int(ids[0])


def review(chain: Chain, text: str) -> tuple[Any, ...]:
    """State, reason and whether a rule said so."""
    return chain.world.sql(
        "select state, reason, by_rule from core.review_states(%s, array[%s]::bigint[])",
        chain.id, chain.pair_id(text),
    )[0]  # fmt: skip


def add_rule(chain: Chain, name: str, action: str, **columns: Any) -> int:
    names = ", ".join(["project_id", "name", "action", *columns])
    marks = ", ".join(["%s"] * (3 + len(columns)))
    return int(
        chain.world.value(
            f"insert into core.decision_rules ({names}) values ({marks}) returning id",
            1, name, action, *columns.values(),
        )
    )  # fmt: skip


def test_the_latest_word_holds_and_taking_it_back_opens_again(chain: Chain) -> None:
    chain.run([ONE])
    assert review(chain, ONE) == ("open", None, False)
    for action, reason in (("reviewed", None), ("approved", None), ("ignored", "fix on site")):
        decide(chain, ONE, action, reason)
        assert review(chain, ONE) == (action, reason, False)
    decide(chain, ONE, "open")
    assert review(chain, ONE) == ("open", None, False)


def test_comments_owner_and_due_date_do_not_change_the_state(chain: Chain) -> None:
    chain.run([ONE])
    decide(chain, ONE, "reviewed")
    decide(chain, ONE, "comment", comment="see site note 4")
    decide(chain, ONE, "assigned", to="mep team")
    decide(chain, ONE, "due", due="2026-12-24")
    decide(chain, ONE, "assigned", to="structure team")
    ((state, to, due),) = chain.world.sql(
        "select state, assigned_to, due::text from core.review_states(%s)", chain.id
    )
    assert (state, to, due) == ("reviewed", "structure team", "2026-12-24")


@pytest.mark.parametrize(
    ("action", "reason", "comment"),
    [
        ("ignored", None, None),
        ("ignored", "because", None),
        ("ignored", "other", None),
        ("ignored", "other", ""),
        ("approved", "fix on site", None),
        ("comment", None, None),
        ("solved", None, None),
    ],
)
def test_what_is_no_decision_is_refused(
    chain: Chain, action: str, reason: str | None, comment: str | None
) -> None:
    chain.run([ONE])
    with pytest.raises(psycopg.Error) as caught:
        decide(chain, ONE, action, reason, comment=comment)
    assert caught.value.sqlstate == "PT422"
    assert review(chain, ONE) == ("open", None, False)


def test_decisions_are_appended_and_never_changed(chain: Chain) -> None:
    chain.run([ONE])
    decide(chain, ONE, "reviewed")
    for statement in ("update core.decisions set action = 'open'", "delete from core.decisions"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only ever appended"):
            chain.world.sql(statement)
    assert review(chain, ONE) == ("reviewed", None, False)


@pytest.mark.parametrize(
    ("depth", "kind", "expected"),
    [
        (0.020, "collision", ("approved", None)),
        (0.025, "collision", ("approved", None)),
        (0.0251, "collision", ("open", "deeper than approved")),
        (0.001, "collision", ("approved", None)),
        (0.020, "pierce", ("open", "other kind")),
    ],
)
def test_an_approval_holds_within_its_envelope(
    chain: Chain, depth: float, kind: str, expected: tuple[str, str | None]
) -> None:
    chain.run([at(ONE, 0.02)])
    decide(chain, ONE, "approved")
    chain.run([at(ONE, depth, kind)])
    assert review(chain, ONE)[:2] == expected
    chain.run([at(ONE, 0.02)])
    assert review(chain, ONE)[:2] == ("approved", None)


def test_an_approved_gap_may_widen_but_not_close(chain: Chain) -> None:
    chain.run([at(ONE, 0.03, "clearance")], mode="clearance", tolerance=0.05)
    decide(chain, ONE, "approved")
    chain.run([at(ONE, 0.049, "clearance")], mode="clearance", tolerance=0.05)
    assert review(chain, ONE)[:2] == ("approved", None)
    chain.run([at(ONE, 0.024, "clearance")], mode="clearance", tolerance=0.05)
    assert review(chain, ONE)[:2] == ("open", "closer than approved")


def test_the_margin_is_a_setting_of_the_project(chain: Chain) -> None:
    chain.world.sql("update core.projects set approval_margin = 0.001")
    chain.run([at(ONE, 0.02)])
    decide(chain, ONE, "approved")
    chain.world.sql("update core.projects set approval_margin = 0.1")
    chain.run([at(ONE, 0.022)])  # the margin at approval holds, not a later one
    assert review(chain, ONE)[:2] == ("open", "deeper than approved")


def test_after_another_measure_version_approvals_stay_and_are_listed(chain: Chain) -> None:
    chain.run([at(ONE, 0.02)])
    decide(chain, ONE, "approved")
    chain.run([at(ONE, 0.03)], measure="2")
    ((state, remeasured, difference),) = chain.world.sql(
        "select state, remeasured, difference from core.review_states(%s)", chain.id
    )
    assert (state, remeasured, round(difference, 6)) == ("approved", True, 0.01)
    decide(chain, ONE, "approved")
    assert chain.world.sql("select remeasured from core.review_states(%s)", chain.id) == [(False,)]


STRICT = ["open", "reviewed", "approved", "ignored"]


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(STRICT, 2)))
def test_when_two_pairs_merge_the_stricter_decision_holds(
    chain: Chain, one: str, other: str
) -> None:
    chain.run([ONE])
    chain.revise("arc", ["n1", "w2", "w3"])
    chain.run(["arc/n1 mep/p1"])
    decide(chain, ONE, one, "fix on site" if one == "ignored" else None)
    decide(chain, "arc/n1 mep/p1", other, "fix on site" if other == "ignored" else None)
    chain.link("arc/w1", "arc/n1")
    assert review(chain, ONE)[0] == min(one, other, key=STRICT.index)
    # What is said from now on is said of the one pair they are.
    decide(chain, ONE, "ignored", "flexible item")
    assert review(chain, ONE)[:2] == ("ignored", "flexible item")


def test_an_approval_survives_ids_that_were_issued_anew(chain: Chain) -> None:
    chain.run([ONE])
    decide(chain, ONE, "approved")
    chain.revise("arc", ["n1", "w2", "w3"])
    chain.run(["arc/n1 mep/p1"])
    assert review(chain, "arc/n1 mep/p1")[0] == "open"
    chain.link("arc/w1", "arc/n1")
    assert review(chain, "arc/n1 mep/p1")[:2] == ("approved", None)


# Rules --------------------------------------------------------------------------------------------


def test_a_rule_decides_when_a_result_is_finished_and_is_marked(chain: Chain) -> None:
    chain.looks = {"arc/w1": {"ifc_class": "IfcSlab"}, "mep/p1": {"ifc_class": "IfcPipeSegment"}}
    rule = add_rule(
        chain, "small pipes", "ignored", reason="flexible item",
        one_class="IfcPipeSegment", other_class="IfcSlab", max_distance=0.03,
    )  # fmt: skip
    chain.run([at(ONE, 0.02), at(TWO, 0.02)])
    assert review(chain, ONE) == ("ignored", "flexible item", True)
    assert review(chain, TWO) == ("open", None, False)
    assert chain.world.sql("select rule_id, decided_by from core.decisions") == [(rule, None)]
    chain.run([at(ONE, 0.02)])
    assert chain.world.value("select count(*) from core.decisions") == 1


def test_a_rule_that_fits_no_longer_takes_its_word_back(chain: Chain) -> None:
    add_rule(chain, "shallow", "ignored", reason="small overlap", max_distance=0.03)
    chain.run([at(ONE, 0.02)])
    chain.run([at(ONE, 0.2)])
    assert review(chain, ONE)[:2] == ("open", None)


@pytest.mark.parametrize("first", ["person", "rule"])
def test_a_rule_never_decides_over_a_person(chain: Chain, first: str) -> None:
    if first == "person":
        chain.run([ONE])
        decide(chain, ONE, "open")
        add_rule(chain, "all", "ignored", reason="fix on site")
        chain.run([ONE])
    else:
        add_rule(chain, "all", "ignored", reason="fix on site")
        chain.run([ONE])
        assert review(chain, ONE) == ("ignored", "fix on site", True)
        decide(chain, ONE, "reviewed")
        chain.run([ONE])
    assert review(chain, ONE) == ("open" if first == "person" else "reviewed", None, False)


def test_the_first_rule_that_fits_holds(chain: Chain) -> None:
    add_rule(chain, "b first", "reviewed", max_distance=0.05)
    add_rule(chain, "a second", "ignored", reason="small overlap")
    chain.run([at(ONE, 0.02), at(TWO, 0.5)])
    assert review(chain, ONE)[0] == "reviewed"
    assert review(chain, TWO)[0] == "ignored"


def test_a_late_result_decides_nothing(chain: Chain) -> None:
    late = chain.accept()
    chain.run([TWO])
    add_rule(chain, "all", "reviewed")
    chain.finish(late, [ONE])
    assert chain.world.value("select count(*) from core.decisions") == 0


def test_the_later_run_agrees_with_the_plan(chain: Chain) -> None:
    chain.run([at(ONE, 0.02), at(TWO, 0.2), at(THREE, 0.02)])
    decide(chain, THREE, "reviewed")
    result = chain.run([at(ONE, 0.02), at(TWO, 0.2), at(THREE, 0.02)])
    plan = chain.world.sql(
        "select pair_id, action from core.plan_rule(%s, %s::jsonb)",
        result, '{"name": "x", "action": "approved", "max_distance": 0.03}',
    )  # fmt: skip
    assert plan == [(chain.pair_id(ONE), "approved")]
    assert chain.world.value("select count(*) from core.decisions") == 1  # the plan changed nothing
    add_rule(chain, "x", "approved", max_distance=0.03)
    chain.run([at(ONE, 0.02), at(TWO, 0.2), at(THREE, 0.02)])
    made = chain.world.sql(
        "select finding_id, action from core.decisions where rule_id is not null"
    )
    assert made == plan


def test_a_planned_tolerance_is_what_the_later_run_finds(chain: Chain) -> None:
    result = chain.run([at(ONE, 0.02), at(TWO, 0.2)])
    plan: dict[int, str] = dict(
        chain.world.sql("select pair_id, outcome from clash.plan_tolerance(%s, 0.05)", result)
    )
    assert plan == {chain.pair_id(ONE): "no longer reported", chain.pair_id(TWO): "stays"}
    chain.run([at(TWO, 0.2)], tolerance=0.05)
    assert chain.state(ONE) == "untested: definition changed"
    assert chain.state(TWO) == "persisting"


# Who may ------------------------------------------------------------------------------------------


def test_the_worker_role_and_strangers_may_not_decide(chain: Chain) -> None:
    chain.run([ONE])
    number = chain.pair_id(ONE)
    for role in ("anon", "ifc_worker", "authenticated"):
        with chain.world.connection.transaction(force_rollback=True):
            chain.world.sql(f"set local role {role}")
            with pytest.raises(psycopg.Error) as caught:
                chain.world.sql("select public.decide(array[%s]::bigint[], 'reviewed')", number)
            assert caught.value.sqlstate in {"42501", "PT403"}
    with chain.world.connection.transaction():
        chain.world.sql("set local role service_role")
        chain.world.sql("select public.decide(array[%s]::bigint[], 'reviewed')", number)
    assert review(chain, ONE)[0] == "reviewed"
