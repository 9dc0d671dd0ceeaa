"""Nothing is called resolved, or removed, that was not tested: each way it could happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ifcbase.errors import Conflict, RequestInvalid
from ifcbase.ledger.interface import Writer
from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import Chain, Clash, pair, thing
from tests.integration.world import coverage, footer, header, start

__all__ = ["chain"]

ONE, TWO = "arc/w1 mep/p1", "arc/w2 mep/p2"


def agrees(chain: Chain) -> bool:
    """Whether deriving everything again changes nothing."""
    return chain.differences() == []


# Selections ---------------------------------------------------------------------------------------


def select(*names: str) -> dict[str, Any]:
    """A run whose selector has one text, whatever it matches."""
    return {"chosen_a": frozenset(thing(name) for name in names), "selector": "IfcWall"}


def test_a_selector_that_matches_less_in_the_same_version_tested_less(chain: Chain) -> None:
    """The first set matched was kept for the text, and the pair was called resolved."""
    chain.run([ONE, TWO], **select("arc/w1", "arc/w2"))
    chain.run([TWO], **select("arc/w2"))
    assert chain.state(ONE) == "untested: no longer selected"
    chain.run([TWO], **select("arc/w1", "arc/w2"))
    assert chain.state(ONE) == "resolved"
    assert agrees(chain)


def test_a_selector_that_matches_more_does_not_grow_what_others_matched(chain: Chain) -> None:
    """What was matched later was added to the set of earlier results, which never saw it."""
    chain.run([ONE])
    late = chain.accept()
    chain.run([], **select("arc/w2"))
    chain.run([], **select("arc/w2", "arc/w3"))
    chain.finish(late, [ONE])
    assert chain.state(ONE) == "untested: no longer selected"
    assert chain.world.sql(
        "select count(*) from core.selection_elements group by selection_id order by 1"
    ) == [(1,), (2,)]
    assert agrees(chain)


def test_results_in_which_a_selector_matched_the_same_share_the_selection(chain: Chain) -> None:
    for _ in range(3):
        chain.run([TWO], **select("arc/w2", "arc/w3"))
    chain.run([], **select())
    assert chain.world.sql("select count(*) from core.selections") == [(2,)]
    assert chain.world.sql(
        "select count(distinct selection_id), count(*) from clash.coverage where mode = 'i'"
    ) == [(2, 4)]
    assert chain.world.sql("select count(*) from clash.result_selections") == [(0,)]


def writes(chain: Chain, write: Callable[[Writer, int], None]) -> None:
    """A result that is being written, and thrown away."""
    attempt = start(chain.ledger, chain.accept().job)
    with chain.ledger.writing(attempt.token) as writer:
        write(writer, writer.open_result(header(chain.name)))


def test_one_result_cannot_match_two_sets_with_one_selector(chain: Chain) -> None:
    chain.run([ONE])

    def write(writer: Writer, result: int) -> None:
        for matched in (["w1", "w2"], ["w2", "w1"], ["w1"]):
            rows = {"input": "arc.ifc", "selector": "x", "matched": [[m, 0] for m in matched]}
            writer.append_rows(result, "selection", [rows])

    with pytest.raises(Conflict, match=r"matched other elements of arc\.ifc before"):
        writes(chain, write)


def test_coverage_needs_the_selection_of_its_own_result(chain: Chain) -> None:
    chain.run([TWO], **select("arc/w2"))

    def write(writer: Writer, result: int) -> None:
        row = coverage(0, "a", "arc.ifc", 1, mode="i", selector="IfcWall")
        writer.append_rows(result, "coverage", [row])

    with pytest.raises(RequestInvalid, match="was not appended"):
        writes(chain, write)


# Pairs that are left out --------------------------------------------------------------------------


def test_nothing_is_resolved_when_its_elements_become_related(chain: Chain) -> None:
    chain.run([ONE, TWO])
    chain.run([TWO], related=frozenset({pair(ONE)}))
    assert chain.state(ONE) == "untested: related"
    chain.run([TWO])
    assert chain.state(ONE) == "resolved"  # met no more, related or not
    assert agrees(chain)


def test_a_related_pair_of_an_earlier_result_counts_for_a_pair_that_comes_late(
    chain: Chain,
) -> None:
    """Keeping only related pairs the chain knew would forget those a late result brings in."""
    late = chain.accept()
    chain.run([TWO], related=frozenset({pair(ONE)}))
    chain.finish(late, [ONE])
    assert chain.state(ONE) == "untested: related"
    assert agrees(chain)


def test_a_related_pair_is_known_by_whatever_ids_its_elements_have(chain: Chain) -> None:
    chain.run([ONE])
    chain.revise("arc", ["n1", "w2", "w3"])
    chain.run([], related=frozenset({pair("arc/n1 mep/p1")}))
    chain.link("arc/w1", "arc/n1")
    assert chain.state(ONE) == "untested: related"
    assert agrees(chain)


def test_related_pairs_sent_twice_are_kept_once_and_those_that_are_lost_are_missed(
    chain: Chain,
) -> None:
    chain.run([ONE])

    def write(writer: Writer, result: int) -> None:
        inputs = [("arc.ifc", "w1"), ("arc.ifc", "w2"), ("mep.ifc", "p1"), ("mep.ifc", "p2")]
        writer.append_rows(result, "coverage", [coverage(0, "a", "arc.ifc", 3),
                                                coverage(1, "b", "mep.ifc", 3)])  # fmt: skip
        writer.append_rows(
            result,
            "elements",
            [{"ref": i, "input": f, "global_id": g, "n": 0} for i, (f, g) in enumerate(inputs)],
        )
        once, more = {"a": 0, "b": 2, "reason": "related"}, {"a": 3, "b": 1, "reason": "related"}
        for rows in ([once], [once, more], [once | {"a": 2, "b": 0}]):
            writer.append_rows(result, "pairs_left_out", rows)
        writer.finish_result(result, footer(0, related_left_out=3))

    with pytest.raises(Conflict, match="counts 3 related pairs that were left out, 2 arrived"):
        writes(chain, write)


def test_a_related_pair_of_an_element_nobody_knows_is_refused(chain: Chain) -> None:
    chain.run([ONE])
    row = {"a": 5, "b": 6, "reason": "related"}
    with pytest.raises(RequestInvalid, match=r"element [56] is in no inventory"):
        writes(chain, lambda w, result: w.append_rows(result, "pairs_left_out", [row]))


def test_nothing_is_resolved_when_a_pair_could_not_be_judged(chain: Chain) -> None:
    result = chain.run([ONE, TWO])
    result = chain.run([TWO], undecided=frozenset({pair(ONE)}))
    assert chain.state(ONE) == "untested: undecided"
    assert chain.world.value("select undecided from clash.results where id = %s", result) == 1
    chain.run([TWO], related=frozenset({pair(ONE)}), undecided=frozenset({pair(ONE)}))
    assert chain.state(ONE) == "untested: related"
    assert agrees(chain)


def test_nothing_is_resolved_when_touching_is_switched_off(chain: Chain) -> None:
    touching = Clash(pair(ONE), depth=0.0, kind="touching")
    chain.run([touching], mode="collision", allow_touching=True)
    chain.run([], mode="collision", allow_touching=False)
    assert chain.state(ONE) == "untested: definition changed"
    chain.run([], mode="collision", allow_touching=True)
    assert chain.state(ONE) == "resolved"
    assert agrees(chain)


# Sides, models and files --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"b": ()}, "model not in the run"),
        ({"b": ("other",)}, "model not in the run"),
        ({"a": ("other",)}, "model not in the run"),
        ({"a": ("mep",), "b": ("other",)}, "model not in the run"),
        ({"a": ("arc", "mep"), "b": ("other",)}, "no longer selected"),
        ({"chosen_b": frozenset()}, "no longer selected"),
        ({"chosen_a": frozenset(), "chosen_b": frozenset()}, "no longer selected"),
    ],
    ids=["b-emptied", "b-another", "a-another", "both-others", "one-side", "b-none", "none"],
)
def test_nothing_is_resolved_when_sides_change(
    chain: Chain, how: dict[str, Any], reason: str
) -> None:
    chain.revise("other", ["x1"])
    chain.run([ONE])
    chain.run([], **how)
    assert chain.state(ONE) == f"untested: {reason}"
    assert agrees(chain)


def test_swapped_sides_still_test_the_pair(chain: Chain) -> None:
    chain.run([ONE])
    chain.run([], a=("mep",), b=("arc",))
    assert chain.state(ONE) == "resolved"
    assert agrees(chain)


@pytest.mark.parametrize("why", ["empty after openings", "no representation", "file failed"])
def test_nothing_is_resolved_when_an_element_has_no_shape_any_more(chain: Chain, why: str) -> None:
    chain.run([ONE])
    chain.run([], failed=frozenset({thing("arc/w1")}), why_failed=why)
    assert chain.state(ONE) == "untested: no geometry"
    assert agrees(chain)


def test_nothing_is_resolved_or_removed_when_a_file_could_not_be_read(chain: Chain) -> None:
    """A run that goes on without a broken file knows nothing about what is in it."""
    chain.run([ONE])
    chain.revise("arc", [])
    attempt = start(chain.ledger, chain.accept().job)
    with chain.ledger.writing(attempt.token) as writer:
        result = writer.open_result(header(chain.name, {"mode": "intersection", "tolerance": 0.01}))
        sides = [coverage(0, "a", "arc.ifc", 0), coverage(1, "b", "mep.ifc", 3)]
        writer.append_rows(result, "coverage", sides)
        engine = {"measure_version": "1", "mesher": "one"}
        writer.finish_result(result, footer(0, engine=engine, incomplete="arc.ifc is broken"))
        writer.finish_job({}, {})
    assert chain.state(ONE) == "untested: unlinked"
    assert agrees(chain)


def test_nothing_is_resolved_when_another_file_is_taken_for_a_model(chain: Chain) -> None:
    chain.run([ONE, TWO])
    chain.revise("arc", ["x1", "x2"])
    chain.run([])
    assert chain.states() == {"removed": 2}
    chain.revise("arc", ["w1", "w2"])
    chain.run([ONE])
    assert chain.states() == {"reopened": 1, "resolved": 1}
    assert agrees(chain)


# GlobalIds that repeat ----------------------------------------------------------------------------


def look(chain: Chain, *names: str) -> None:
    """Names by which elements of one GlobalId are told apart here, in the order of the file."""
    chain.repeated = {"arc/w1": list(names)}


def test_elements_of_one_id_that_changed_places_are_not_called_resolved(chain: Chain) -> None:
    look(chain, "left", "right")
    chain.revise("arc", ["w1", "w2"])
    chain.run([ONE, TWO])
    look(chain, "right", "left")
    chain.revise("arc", ["w1", "w2"])
    chain.run([])
    assert chain.state(ONE) == "untested: ambiguous id"
    assert chain.state(TWO) == "resolved"
    assert agrees(chain)


@pytest.mark.parametrize(
    ("before", "after"), [(["left"], ["right", "left"]), (["left", "right"], ["right"])]
)
def test_an_id_that_begins_or_ceases_to_repeat_is_ambiguous(
    chain: Chain, before: list[str], after: list[str]
) -> None:
    look(chain, *before)
    chain.revise("arc", ["w1", "w2"])
    chain.run([ONE])
    look(chain, *after)
    chain.revise("arc", ["w1", "w2"])
    chain.run([])
    assert chain.state(ONE) == "untested: ambiguous id"
    assert agrees(chain)


def test_elements_of_one_id_that_stayed_what_they_were_are_tested(chain: Chain) -> None:
    look(chain, "left", "right")
    chain.revise("arc", ["w1", "w2"])
    chain.run([ONE])
    chain.revise("arc", ["w1", "w2", "w3"])
    chain.run([])
    assert chain.state(ONE) == "resolved"
    assert agrees(chain)


def test_the_second_of_one_id_that_went_is_removed_only_if_the_first_stayed(chain: Chain) -> None:
    look(chain, "left", "right")
    chain.revise("arc", ["w1"])
    chain.run([Clash((("arc", "w1#1"), ("mep", "p1")))])
    look(chain, "left")
    chain.revise("arc", ["w1"])
    chain.run([])
    assert chain.states() == {"removed": 1}
    look(chain, "right")
    chain.revise("arc", ["w1"])
    chain.run([])
    assert chain.states() == {"removed": 1}
    assert agrees(chain)


def test_the_second_of_one_id_that_may_be_the_first_now_is_not_removed(chain: Chain) -> None:
    look(chain, "left", "right")
    chain.revise("arc", ["w1"])
    chain.run([Clash((("arc", "w1#1"), ("mep", "p1")))])
    look(chain, "right")
    chain.revise("arc", ["w1"])
    chain.run([])
    assert chain.world.sql("select state, reason from clash.pair_states") == [
        ("untested", "ambiguous id")
    ]
    assert agrees(chain)


# The end of a job ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clash_sets", "missing"),
    [
        (["A x B", "other"], r"1 clash set it was asked for \(other\)"),
        (["one", "other"], r"2 clash sets it was asked for \(one, other\)"),
    ],
)
def test_a_job_ends_with_a_result_of_every_set_it_was_asked_for(
    chain: Chain, clash_sets: list[str], missing: str
) -> None:
    chain.run([ONE])
    named = [{"name": name} for name in clash_sets]
    versions = {"arc": chain.files["arc"], "mep": chain.files["mep"]}
    for request in ({"clash_sets": named}, named):
        attempt = start(chain.ledger, chain.world.job(versions, request=request))

        def write(writer: Writer) -> None:
            result = writer.open_result(header())
            writer.append_rows(result, "coverage", [coverage(0, "a", "arc.ifc", 3)])
            writer.finish_result(result, footer(0))
            writer.finish_job({}, {})

        with (
            pytest.raises(Conflict, match=missing),
            chain.ledger.writing(attempt.token) as writer,
        ):
            write(writer)


def test_a_clash_job_without_any_result_does_not_end(chain: Chain) -> None:
    job = chain.accept().job
    attempt = start(chain.ledger, job)
    with (
        pytest.raises(Conflict, match="no result of 1 clash set"),
        chain.ledger.writing(attempt.token) as writer,
    ):
        writer.finish_job({}, {})
    assert chain.world.state(job) == "running"
