"""States of pairs: what is new, persisting, reopened, resolved, removed, and what nobody tested."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import Chain, Spec, thing

__all__ = ["chain"]

ONE, TWO = "arc/w1 mep/p1", "arc/w2 mep/p2"


def agrees(chain: Chain) -> bool:
    """Whether deriving everything again changes nothing."""
    return chain.differences() == []


def test_a_clash_is_new_then_persisting_then_resolved_then_reopened(chain: Chain) -> None:
    seen = []
    for clashes in ([ONE], [ONE], [], [], [ONE], [ONE]):
        chain.run(clashes)
        seen.append(chain.state(ONE))
    assert seen == ["new", "persisting", "resolved", "resolved", "reopened", "persisting"]
    assert agrees(chain)


def test_only_changes_are_stored_and_counts_say_what_entered(chain: Chain) -> None:
    chain.run([ONE, TWO])
    chain.run([ONE, TWO])
    third = chain.run([ONE])
    changes = chain.world.sql(
        "select state, count(*) from clash.state_changes group by state order by state"
    )
    assert changes == [("new", 2), ("persisting", 2), ("resolved", 1)]
    counts = chain.world.sql(
        "select state, pairs, entered from clash.state_counts where result_id = %s order by state",
        third,
    )
    assert counts == [("persisting", 1, 0), ("resolved", 1, 1)]


NEVER_RESOLVED: list[tuple[str, dict[str, Any], str]] = [
    ("the model is dropped", {"b": ("other",)}, "model not in the run"),
    ("the selector narrows", {"chosen_a": frozenset({thing("arc/w2")})}, "no longer selected"),
    ("the selector excludes", {"excluded_a": frozenset({thing("arc/w1")})}, "no longer selected"),
    ("the selector breaks", {"chosen_b": frozenset()}, "no longer selected"),
    ("the mesh fails", {"failed": frozenset({thing("mep/p1")})}, "no geometry"),
    ("the tolerance is raised", {"tolerance": 0.02}, "definition changed"),
    ("the mode changes", {"mode": "collision"}, "definition changed"),
    ("the measure version changes", {"measure": "2"}, "other measure version"),
    ("the mesher changes", {"mesher": "another"}, "other measure version"),
    ("the kernel changes", {"kernel": "another"}, "other measure version"),
    ("the engine changes", {"engine": "another"}, "other measure version"),
    ("the run is cut short", {"incomplete": "time"}, "run incomplete"),
    ("the list is cut", {"incomplete": "list cut"}, "list cut"),
]


@pytest.mark.parametrize(
    ("how", "reason"),
    [case[1:] for case in NEVER_RESOLVED],
    ids=[case[0].replace(" ", "-") for case in NEVER_RESOLVED],
)
def test_nothing_is_resolved_when(chain: Chain, how: dict[str, Any], reason: str) -> None:
    chain.revise("other", ["x1"])
    chain.run([ONE])
    chain.run([], **how)
    assert chain.state(ONE) == f"untested: {reason}"
    assert "resolved" not in chain.states()
    # An honest run tells the two cases apart: still there, or really gone.
    chain.run([ONE])
    assert chain.state(ONE) == "persisting"
    chain.run([])
    assert chain.state(ONE) == "resolved"
    assert agrees(chain)


def test_nothing_is_resolved_when_nobody_knows_how_it_was_measured(chain: Chain) -> None:
    """Two results that do not say how they measured did not measure alike."""
    chain.run([ONE], measure=None)
    chain.run([], measure=None)
    assert chain.state(ONE) == "untested: other measure version"
    assert agrees(chain)


def test_nothing_is_resolved_when_exclusions_are_switched_on(chain: Chain) -> None:
    chain.run([ONE], include_related=True)
    chain.run([], include_related=False)
    assert chain.state(ONE) == "untested: definition changed"
    chain.run([], include_related=True)
    assert chain.state(ONE) == "resolved"
    assert agrees(chain)


def test_nothing_is_resolved_when_a_rule_is_switched_off(chain: Chain) -> None:
    chain.run([ONE], check_all=True)
    chain.run([], check_all=False)
    assert chain.state(ONE) == "untested: definition changed"
    # Another set tests the same elements: that says nothing about this one.
    other = Chain(chain.world, chain.ledger, name="other rule")
    other.present, other.files, other.matched = chain.present, chain.files, chain.matched
    other.run([])
    assert chain.state(ONE) == "untested: definition changed"
    assert agrees(chain)


def test_nothing_is_resolved_when_a_link_is_doubtful(chain: Chain) -> None:
    chain.run([ONE])
    chain.revise("arc", ["w2", "w3", "n1"])
    chain.link("arc/w1", None, "doubtful")
    chain.run([])
    assert chain.state(ONE) == "untested: unlinked"
    assert agrees(chain)


def test_nothing_is_removed_while_a_version_is_not_matched(chain: Chain) -> None:
    chain.run([ONE])
    chain.revise("arc", ["w2", "w3"], matched=False)
    chain.run([])
    assert chain.state(ONE) == "untested: unlinked"
    chain.world.sql("update core.model_versions set matched_at = now() where matched_at is null")
    assert chain.state(ONE) == "removed"
    assert agrees(chain)


def test_a_stricter_definition_does_resolve(chain: Chain) -> None:
    chain.run([ONE, TWO], tolerance=0.02)
    chain.run([TWO], tolerance=0.01)
    assert chain.state(ONE) == "resolved"
    chain.run([TWO], mode="clearance", tolerance=0.05)
    chain.run([], mode="clearance", tolerance=0.04)
    assert chain.state(TWO) == "untested: definition changed"
    chain.run([], mode="clearance", tolerance=0.06)
    assert chain.state(TWO) == "resolved"
    assert agrees(chain)


def test_elements_tested_on_the_same_side_only_were_not_tested_against_each_other(
    chain: Chain,
) -> None:
    chain.run([ONE])
    chain.revise("other", ["x1"])
    chain.run([], a=("arc", "mep"), b=("other",))
    assert chain.state(ONE) == "untested: no longer selected"
    assert agrees(chain)


def test_a_self_clash_tests_every_two_of_its_elements(chain: Chain) -> None:
    chain.run(["arc/w1 arc/w2"], a=("arc",), b=())
    chain.run([], a=("arc",), b=())
    assert chain.state("arc/w1 arc/w2") == "resolved"
    assert agrees(chain)


def test_an_element_that_is_gone_is_removed_and_not_resolved(chain: Chain) -> None:
    chain.run([ONE])
    chain.revise("arc", ["w2", "w3"])
    chain.run([])
    assert chain.state(ONE) == "removed"
    chain.run([], failed=frozenset({thing("mep/p1")}))
    assert chain.state(ONE) == "removed"
    chain.revise("arc", ["w1", "w2", "w3"])
    chain.run([ONE])
    assert chain.state(ONE) == "reopened"
    assert agrees(chain)


def test_an_element_that_returns_without_its_clash_is_judged_again(chain: Chain) -> None:
    chain.run([ONE])
    chain.revise("arc", ["w2"])
    chain.run([])
    chain.revise("arc", ["w1", "w2"])
    chain.run([], chosen_a=frozenset({thing("arc/w2")}))
    assert chain.state(ONE) == "untested: no longer selected"
    chain.run([])
    assert chain.state(ONE) == "resolved"
    assert agrees(chain)


def test_dropping_a_model_says_nothing_of_what_was_removed_from_it(chain: Chain) -> None:
    chain.revise("other", ["x1"])
    chain.run([ONE])
    chain.revise("arc", ["w2"])
    chain.run([])
    chain.run([], a=("other",))
    assert chain.state(ONE) == "removed"
    assert agrees(chain)


# Identity -----------------------------------------------------------------------------------------


def test_a_pair_whose_elements_got_other_ids_stays_the_pair_it_was(chain: Chain) -> None:
    """Without it every re-issued id would be one clash resolved and another new."""
    chain.run([ONE, TWO])
    chain.revise("arc", ["n1", "w2", "w3"])
    accepted = chain.accept()
    with_inventory = chain.finish(accepted, [TWO])  # the new ids are known from here on
    chain.link("arc/w1", "arc/n1")
    assert chain.state(ONE) == "resolved"  # n1 is w1, and was tested without a clash
    chain.run(["arc/n1 mep/p1", TWO])
    assert chain.pair_id("arc/n1 mep/p1") == chain.pair_id(ONE)
    assert chain.state(ONE) == "reopened"
    assert chain.states() == {"reopened": 1, "persisting": 1}
    assert with_inventory
    assert agrees(chain)


def test_a_late_link_heals_what_looked_removed_and_new(chain: Chain) -> None:
    chain.run([ONE])
    chain.revise("arc", ["n1", "w2", "w3"])
    chain.run(["arc/n1 mep/p1"])
    chain.run(["arc/n1 mep/p1"])
    assert chain.state(ONE) == "removed"
    assert chain.states() == {"removed": 1, "persisting": 1}
    chain.link("arc/w1", "arc/n1")
    assert chain.states() == {"persisting": 1}
    assert agrees(chain)
    chain.link("arc/n1", "arc/w1", "different")
    assert chain.states() == {"removed": 1, "persisting": 1}
    assert agrees(chain)


def test_rejecting_a_doubt_derives_anew_what_was_unlinked(chain: Chain) -> None:
    chain.run([ONE])
    chain.revise("arc", ["n1", "w2"])
    chain.run([])
    chain.link("arc/w1", "arc/n1", "doubtful")
    assert chain.state(ONE) == "untested: unlinked"
    chain.link("arc/w1", "arc/n1", "different")
    assert chain.state(ONE) == "removed"
    chain.link("arc/w1", "arc/n1", "same")
    assert chain.state(ONE) == "resolved"
    assert agrees(chain)


def test_an_element_moved_to_a_model_outside_of_the_run_is_not_removed(chain: Chain) -> None:
    chain.revise("annex", ["m1"])
    chain.run([ONE])
    chain.run([ONE], a=("arc", "annex"))
    chain.link("arc/w1", "annex/m1")
    chain.revise("arc", ["w2"])
    chain.run([])
    assert chain.state(ONE) == "untested: model not in the run"
    chain.run([], a=("arc", "annex"))
    assert chain.state(ONE) == "resolved"
    assert agrees(chain)


def test_statements_about_a_new_revision_do_not_derive_the_whole_chain_again(chain: Chain) -> None:
    chain.run([ONE, TWO])
    chain.run([ONE, TWO])
    before = chain.world.value("select max(xmin::text::bigint) from clash.state_counts")
    chain.revise("arc", ["n1", "w2", "w3"])
    late = chain.accept()
    other = Chain(chain.world, chain.ledger, name="inventory only")
    other.present, other.files, other.matched = chain.present, chain.files, chain.matched
    other.finish(late, [])
    chain.link("arc/w1", "arc/n1")
    assert chain.world.value(
        "select max(c.xmin::text::bigint) from clash.state_counts c join clash.results r "
        "on r.id = c.result_id where r.set_id = %s", chain.id,
    ) == before  # fmt: skip
    chain.run(["arc/n1 mep/p1", TWO])
    assert chain.states() == {"persisting": 2}
    assert agrees(chain)


# Order --------------------------------------------------------------------------------------------


def test_a_late_result_takes_its_place_and_what_follows_is_derived_again(chain: Chain) -> None:
    late = chain.accept()
    on_time = chain.run([ONE])
    assert chain.state(ONE) == "new"
    chain.finish(late, [ONE, TWO])
    assert chain.state(ONE) == "persisting"
    assert chain.state(TWO) == "resolved"
    assert chain.world.sql(
        "select state from clash.state_changes where result_id = %s order by state", on_time
    ) == [("persisting",), ("resolved",)]
    assert agrees(chain)


def test_a_result_of_a_job_accepted_first_is_the_first_of_the_chain(chain: Chain) -> None:
    first, second, third = chain.accept(), chain.accept(), chain.accept()
    ids = [chain.finish(job, [ONE]) for job in (third, first, second)]
    assert chain.world.sql("select id, original_clash_id from clash.results order by accepted") == [
        (ids[1], None),
        (ids[2], ids[1]),
        (ids[0], ids[1]),
    ]
    assert chain.world.sql("select first_result, last_seen from clash.pair_states") == [
        (ids[1], ids[0])
    ]
    assert agrees(chain)


def test_a_document_of_somebody_else_does_not_disturb_the_chain(chain: Chain) -> None:
    chain.run([ONE])
    chain.world.sql(
        "insert into public.clash_results (clash_set_name, output_filename, clash_count, "
        "clash_data) values (%s, 'x.json', 0, '[]')", chain.name,
    )  # fmt: skip
    assert chain.state(ONE) == "new"
    chain.run([ONE])
    assert chain.state(ONE) == "persisting"
    assert agrees(chain)


def test_a_pair_that_is_still_there_is_not_written_again(chain: Chain) -> None:
    """Every result wrote every pair of its set anew, only to say when it was last seen."""
    chain.run([ONE, TWO])
    chain.run([ONE, TWO])
    written = "select pair_id, ctid::text, xmin::text from clash.pair_state_rows order by 1"
    before = chain.world.sql(written)
    third = chain.run([ONE, TWO])
    assert chain.world.sql(written) == before
    assert chain.world.sql("select distinct last_seen from clash.pair_states") == [(third,)]
    fourth = chain.run([ONE])
    assert dict(chain.world.sql("select state, last_seen from clash.pair_states")) == {
        "persisting": fourth, "resolved": third,
    }  # fmt: skip
    assert agrees(chain)


def test_sightings_go_with_their_pair_and_their_result(chain: Chain) -> None:
    """No reference takes them along any more."""
    first = chain.run([ONE, TWO])
    chain.run([ONE, TWO])
    chain.world.sql("delete from clash.pairs where id = %s", chain.pair_id(ONE))
    left = "select result_id, count(*) from clash.sighting_rows group by 1 order by 1"
    assert [each[1] for each in chain.world.sql(left)] == [1, 1]
    chain.world.sql("delete from clash.results where id > %s", first)
    assert chain.world.sql(left) == [(first, 1)]


# Verifying ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("update clash.pair_state_rows set state = 'resolved'", {"state"}),
        ("delete from clash.state_changes where state = 'new'", {"change"}),
        ("update clash.state_counts set pairs = pairs + 1", {"count"}),
        ("update clash.pair_state_rows set last_seen = first_result", {"state"}),
        (("update clash.pairs set identity_id = (select min(id) from clash.pairs) "
          "where id = (select max(id) from clash.pairs)"), {"identity", "change", "state", "count"}),
    ],
    ids=["state", "change", "count", "last-seen", "identity"],
)  # fmt: skip
def test_verifying_finds_what_was_tampered_with(chain: Chain, damage: str, what: set[str]) -> None:
    chain.run([ONE, TWO])
    chain.run([ONE])
    chain.run([ONE])
    chain.world.sql(damage)
    assert {row[0] for row in chain.differences()} == what
    if "identity" not in what:
        assert agrees(chain)  # what is derived was put in the place of what was stored


def test_the_state_at_any_result_is_known(chain: Chain) -> None:
    results = [chain.run(clashes) for clashes in ([ONE], [ONE, TWO], [])]
    found = [
        sorted(
            state for (state,) in chain.world.sql("select state from clash.state_at(%s)", result)
        )
        for result in results
    ]
    assert found == [["new"], ["new", "persisting"], ["resolved", "resolved"]]


def test_the_defaults_of_a_run_are_what_the_cases_above_vary() -> None:
    assert Spec().definition() == {
        "mode": "intersection",
        "include_related": False,
        "tolerance": 0.01,
        "check_all": False,
    }
