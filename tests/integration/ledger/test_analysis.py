"""Comparison and analytics on chains whose answers are known."""

from __future__ import annotations

import datetime as dt

from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import Chain, Clash, pair, thing

__all__ = ["chain"]

ONE, TWO, THREE = "arc/w1 mep/p1", "arc/w2 mep/p2", "arc/w3 mep/p3"


def at(text: str, depth: float) -> Clash:
    return Clash(pair(text), depth)


def dated(chain: Chain, *days: int) -> None:
    """Let the results of the chain be finished on these days of a month, at noon."""
    ids = chain.world.sql("select id from clash.results order by accepted")
    for (result,), day in zip(ids, days, strict=True):
        moment = dt.datetime(2026, 3, day, 12, tzinfo=dt.UTC)
        chain.world.sql("update clash.results set finished_at = %s where id = %s", moment, result)


def test_two_results_are_compared_pair_by_pair(chain: Chain) -> None:
    a = chain.run([at(ONE, 0.02), at(TWO, 0.02)])
    b = chain.run([at(TWO, 0.05), at(THREE, 0.01)])
    found = {
        row[0]: row[1:]
        for row in chain.world.sql(
            "select pair_id, change, round(difference::numeric, 6)::float8, state, reason "
            "from clash.compare(%s, %s)", a, b,
        )
    }  # fmt: skip
    assert found == {
        chain.pair_id(ONE): ("gone", None, "resolved", None),
        chain.pair_id(TWO): ("persisted", 0.03, None, None),
        chain.pair_id(THREE): ("appeared", None, "new", None),
    }


def test_what_is_gone_is_never_called_solved_unless_it_was_resolved(chain: Chain) -> None:
    a = chain.run([ONE, TWO, THREE])
    chain.revise("arc", ["w1", "w2"])
    b = chain.run([], failed=frozenset({thing("arc/w2")}))
    gone = chain.world.sql(
        "select pair_id, state, reason from clash.compare(%s, %s) where change = 'gone'",
        a, b,
    )  # fmt: skip
    assert sorted(gone) == sorted(
        [
            (chain.pair_id(ONE), "resolved", None),
            (chain.pair_id(TWO), "untested", "no geometry"),
            (chain.pair_id(THREE), "removed", None),
        ]
    )
    assert chain.world.sql("select change from clash.compare(%s, %s)", b, a) == [("appeared",)] * 3


def test_a_pair_with_other_ids_persists(chain: Chain) -> None:
    a = chain.run([ONE])
    chain.revise("arc", ["n1"])
    b = chain.run(["arc/n1 mep/p1"])
    chain.link("arc/w1", "arc/n1")
    assert chain.world.sql("select change from clash.compare(%s, %s)", a, b) == [("persisted",)]


def test_comparing_says_that_definition_or_measure_differ(chain: Chain) -> None:
    a = chain.run([ONE])
    b = chain.run([ONE], tolerance=0.02, measure="2")
    columns = "same_set, a_version, b_version, stricter, a_measure, b_measure, measured_alike"
    ask = f"select {columns} from clash.comparable(%s, %s)"
    assert chain.world.sql(ask, a, b) == [(True, 1, 2, False, "1", "2", False)]
    assert chain.world.sql(ask, b, a) == [(True, 2, 1, True, "2", "1", False)]


def test_the_trend_counts_states_after_each_result_and_day(chain: Chain) -> None:
    for clashes in ([ONE, TWO], [ONE], [ONE, TWO, THREE], []):
        chain.run(clashes)
    dated(chain, 1, 2, 2, 4)
    columns = "new, persisting, reopened, resolved, removed, untested"
    assert chain.world.sql(
        f"select {columns} from clash.trend where set_id = %s order by accepted", chain.id
    ) == [(2, 0, 0, 0, 0, 0), (0, 1, 0, 1, 0, 0), (1, 1, 1, 0, 0, 0), (0, 0, 0, 3, 0, 0)]
    assert chain.world.sql(
        "select day::text, new, reopened from clash.trend_by_day where set_id = %s order by day",
        chain.id,
    ) == [("2026-03-01", 2, 0), ("2026-03-02", 1, 1), ("2026-03-04", 0, 0)]
    assert chain.world.sql("select clash_count, resolved from clash.latest") == [(0, 3)]


def test_last_week_is_the_last_result_that_was_there_then(chain: Chain) -> None:
    ids = [chain.run([ONE]) for _ in range(3)]
    dated(chain, 1, 5, 12)
    for moment, expected in (
        ("2026-02-20", ids[0]),
        ("2026-03-02", ids[0]),
        ("2026-03-05 12:00+00", ids[1]),
        ("2026-03-11", ids[1]),
        ("2026-03-20", ids[2]),
    ):
        assert (
            chain.world.value("select clash.result_before(%s, %s::timestamptz)", chain.id, moment)
            == expected
        )


def test_pairs_by_class_storey_discipline_and_model(chain: Chain) -> None:
    chain.looks = {
        "arc/w1": {"ifc_class": "IfcSlab", "storey": "First floor"},
        "mep/p1": {"ifc_class": "IfcPipeSegment", "storey": "First floor"},
        "mep/p2": {"ifc_class": "IfcPipeSegment"},
    }
    chain.run([ONE, TWO, THREE])
    chain.world.sql(
        "update core.models set discipline = case name when 'arc' then 'architecture' end"
    )
    found = {
        key: chain.world.sql(
            "select one, other, state, pairs from clash.breakdown(%s, %s)", chain.id, key
        )
        for key in ("class", "storey", "discipline", "model")
    }
    assert sorted(found["class"]) == [
        ("IfcPipeSegment", "IfcSlab", "new", 1),
        ("IfcPipeSegment", "IfcWall", "new", 1),
        ("IfcWall", "IfcWall", "new", 1),
    ]
    assert found["storey"] == [
        ("Ground floor", "Ground floor", "new", 2),
        ("First floor", "First floor", "new", 1),
    ]
    assert found["discipline"] == [("architecture", "architecture", "new", 3)]
    assert found["model"] == [("arc", "mep", "new", 3)]


def test_a_removed_element_is_still_described_as_it_was(chain: Chain) -> None:
    chain.looks = {"arc/w1": {"ifc_class": "IfcSlab"}}
    chain.run([ONE])
    chain.revise("arc", ["w2"])
    chain.run([])
    assert chain.world.sql("select state, one_class from clash.present_pairs(%s)", chain.id) == [
        ("removed", "IfcSlab")
    ]


def test_time_to_close_counts_from_first_sighting_to_resolved(chain: Chain) -> None:
    chain.run([ONE, TWO, THREE])
    chain.run([TWO, THREE])
    chain.run([THREE])
    dated(chain, 1, 4, 11)
    assert chain.world.sql("select * from clash.time_to_close(%s)", chain.id) == [
        (2, dt.timedelta(days=3), dt.timedelta(days=10), 1)
    ]


def test_groups_reduce_clashes_to_topics(chain: Chain) -> None:
    result = chain.run([ONE, TWO, THREE])
    chain.world.sql(
        "update clash.sighting_rows set smart_group = 0 where pair_id in (%s, %s)",
        chain.pair_id(ONE), chain.pair_id(TWO),
    )  # fmt: skip
    assert chain.world.sql("select * from clash.grouping(%s)", result) == [(3, 1, 1, 2)]
