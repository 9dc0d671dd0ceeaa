"""A finished result that is deleted leaves everything as if it had never been."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import Chain, thing
from tests.integration.ledger.diff_series import Diffs
from tests.integration.ledger.ids_series import Rule, Series
from tests.integration.servers import Database
from tests.integration.world import World

__all__ = ["chain"]

ONE, TWO, THREE = "arc/w1 mep/p1", "arc/w2 mep/p2", "arc/w3 mep/p3"
#: What is deleted, by the numbers of the runs.
WHICH = {
    "the first": (0,), "the middle": (3,), "the latest": (6,), "the two ends": (0, 6),
    "every second": (1, 3, 5), "all": tuple(range(7)),
}  # fmt: skip


# Clashes --------------------------------------------------------------------------------------------


def clash_runs(chain: Chain) -> list[Callable[[], int]]:
    """Pairs come, go, come back, are not tested, lose an element and get it under another id."""

    def without_w3() -> int:
        chain.revise("arc", ["w1", "w2"])
        return chain.run([ONE])

    def again() -> int:
        chain.revise("arc", ["w1", "w2", "w3"])
        return chain.run([ONE, THREE])

    return [
        lambda: chain.run([ONE, TWO]),
        lambda: chain.run([ONE, TWO, THREE]),
        lambda: chain.run([THREE]),
        lambda: chain.run([TWO], failed=frozenset({thing("arc/w1")})),
        without_w3,
        again,
        lambda: chain.run([ONE, TWO]),
    ]


def told_of_clashes(chain: Chain) -> dict[str, Any]:
    """Everything derived, by names and places instead of ids."""
    pairs = (
        "(select string_agg(e.global_id, ' ' order by e.global_id) from clash.pairs p"
        " join core.elements e on e.id in (p.a_element, p.b_element) where p.id = t.pair_id)"
    )
    place = "(select count(*) from clash.results o where o.set_id = {0}.set_id and o.accepted <= {0}.accepted)"
    at = f"(select {place.format('r')} from clash.results r where r.id = t."
    return {
        "changes": chain.world.sql(
            f"select {pairs}, {at}result_id), t.state, t.reason from clash.state_changes t"
            " join clash.results x on x.id = t.result_id where x.set_id = %s order by 1, 2", chain.id,
        ),
        "states": chain.world.sql(
            f"select {pairs}, t.state, t.reason, {at}since_result), {at}first_result), {at}last_seen)"
            " from clash.pair_states t where t.set_id = %s order by 1", chain.id,
        ),
        "counts": chain.world.sql(
            f"select {at}result_id), t.state, t.reason, t.pairs, t.entered from clash.state_counts t"
            " join clash.results x on x.id = t.result_id where x.set_id = %s order by 1, 2, 3", chain.id,
        ),
        "trend": chain.world.sql(
            "select new, persisting, reopened, resolved, removed, untested from clash.trend"
            " where set_id = %s order by accepted", chain.id,
        ),
    }  # fmt: skip


@pytest.fixture
def chains(chain: Chain) -> Iterator[Callable[[], Chain]]:
    """Chains of models of their own in the one database."""
    numbers = itertools.count(1)

    def fresh() -> Chain:
        number = next(numbers)
        made = Chain(chain.world, chain.ledger, name=f"set {number}", prefix=f"{number}-")
        made.revise("arc", ["w1", "w2", "w3"])
        made.revise("mep", ["p1", "p2", "p3"])
        return made

    yield fresh
    left = chain.world.sql("select to_regclass('pg_temp.rewound')")
    assert left == [(None,)]


def test_a_deleted_result_leaves_its_chain_as_if_it_had_never_been(
    chains: Callable[[], Chain],
) -> None:
    for name, gone in WHICH.items():
        whole, part = chains(), chains()
        ids = [run() for run in clash_runs(whole)]
        for number, run in enumerate(clash_runs(part)):
            if number not in gone:
                run()
            elif number in (4, 5):  # the revision is there, whether or not it was tested
                part.revise("arc", ["w1", "w2"] if number == 4 else ["w1", "w2", "w3"])
        deleted = [ids[number] for number in gone]
        whole.world.sql("delete from clash.results where id = any(%s)", deleted)
        if len(gone) == len(ids):
            assert not any(told_of_clashes(whole).values()), name
            continue
        assert told_of_clashes(whole) == told_of_clashes(part), name
        assert whole.differences() == [], name
        left = [each for each in ids if each not in deleted]
        assert whole.world.sql(
            "select id, original_clash_id from public.clash_results"
            " where clash_set_name = %s order by id", whole.name,
        ) == [(each, left[0] if each != left[0] else None) for each in left], name  # fmt: skip
        # What follows stands on what is left.
        whole.run([THREE])
        part.run([THREE])
        assert told_of_clashes(whole) == told_of_clashes(part), name
        assert whole.differences() == [], name


def test_results_deleted_one_by_one_in_any_order_leave_the_same(
    chains: Callable[[], Chain],
) -> None:
    told = []
    for order in ((1, 4, 5), (5, 4, 1), (4, 1, 5)):
        made = chains()
        ids = [run() for run in clash_runs(made)]
        for number in order:
            made.world.sql("delete from clash.results where id = %s", ids[number])
            assert made.differences() == []
        told.append(told_of_clashes(made))
    assert told[0] == told[1] == told[2]


def test_a_late_result_finds_its_place_where_others_were_deleted(
    chains: Callable[[], Chain],
) -> None:
    made = chains()
    made.run([ONE])
    late = made.accept()
    gone = made.run([TWO])
    made.run([ONE])
    made.world.sql("delete from clash.results where id = %s", gone)
    made.finish(late, [TWO])
    assert made.state(ONE) == "reopened"
    assert made.state(TWO) == "resolved"
    assert made.differences() == []


def test_links_hold_where_a_result_under_the_former_id_was_deleted(
    chains: Callable[[], Chain],
) -> None:
    made = chains()
    first = made.run([ONE])
    made.revise("arc", ["n1", "w2", "w3"])
    made.run(["arc/n1 mep/p1"])
    made.link("arc/w1", "arc/n1")
    assert made.state(ONE) == "persisting"
    made.world.sql("delete from clash.results where id = %s", first)
    assert made.state(ONE) == "new"
    assert made.differences() == []
    made.link("arc/w1", "arc/n1", "different")
    assert made.differences() == []


def test_decisions_stay_and_speak_again_when_the_clash_is_seen_again(
    chains: Callable[[], Chain],
) -> None:
    made = chains()
    only = made.run([ONE])
    pair_id = made.pair_id(ONE)
    made.world.sql("select public.decide(array[%s::bigint], 'approved')", pair_id)
    made.world.sql("delete from clash.results where id = %s", only)
    assert made.world.sql("select * from clash.pair_states where pair_id = %s", pair_id) == []
    made.run([ONE])
    shown = "select finding_id, state, review from clash.current_findings where series = %s"
    assert made.world.sql(shown, made.name) == [(pair_id, "new", "approved")]


def test_the_original_somebody_gave_goes_and_the_first_of_the_chain_takes_its_place(
    chain: Chain,
) -> None:
    """A reference to what was deleted is never left, nor does it keep a result from going."""
    insert = (
        "insert into public.clash_results (clash_set_name, output_filename, clash_count, clash_data,"
        " original_clash_id) values ('given', 'out', 0, '[]', %s) returning id"
    )
    one, two = (int(chain.world.value(insert, None)) for _ in range(2))
    three = int(chain.world.value(insert, two))
    chain.world.sql("delete from clash.results where id = %s", two)
    originals = "select id, original_clash_id from public.clash_results where clash_set_name = 'given' order by id"
    assert chain.world.sql(originals) == [(one, None), (three, one)]
    chain.world.sql("delete from clash.results where id = %s", one)
    assert chain.world.sql(originals) == [(three, None)]


def test_who_deleted_what_is_noted_and_its_job_stays(chain: Chain) -> None:
    result = chain.run([ONE])
    job = chain.world.value("select job_id::text from clash.results where id = %s", result)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        chain.world.sql("delete from core.jobs where id = %s", job)
    with chain.world.connection.transaction():
        chain.world.sql("set local role service_role")
        chain.world.sql("delete from clash.results where id = %s", result)
    assert chain.world.sql("select caller, action, object from core.audit") == [
        ("role:service_role", "delete result", f'clash result {result} of "A x B", found')
    ]
    assert chain.world.value("select state from core.jobs where id = %s", job) == "finished"


def test_a_project_goes_with_its_chains(chain: Chain) -> None:
    """Nothing is derived again of what goes as a whole."""
    for found in ([ONE], [ONE, TWO], []):
        chain.run(found)
    chain.world.sql("delete from core.projects where id = 1")
    for table in ("clash.results", "clash.state_changes", "clash.pair_state_rows", "core.audit"):
        assert chain.world.value(f"select count(*) from {table}") == 0


def test_who_writes_the_chain_is_waited_for(chain: Chain) -> None:
    """Deleting and finishing at once would each derive without the other."""
    first = chain.run([ONE])
    with psycopg.connect(chain.world.dsn) as other:
        other.execute("select from clash.sets where id = %s for no key update", (chain.id,))
        waited = pytest.raises(psycopg.errors.LockNotAvailable)
        with waited, chain.world.connection.transaction():
            chain.world.sql("set local lock_timeout = '50ms'")
            chain.world.sql("delete from clash.results where id = %s", first)
    assert chain.state(ONE) == "new"


# IDS failures ---------------------------------------------------------------------------------------


def ids_runs(series: Series) -> list[Callable[[], int]]:
    def walls(*failing: str, applies: tuple[str, ...] = ("w1", "w2", "w3"), **more: Any) -> Rule:
        return Rule(applies=applies, fails={"Fire=F90": failing}, **more)

    def without_w3() -> int:
        series.revise(("w1", "w2"))
        return series.run(walls("w1", applies=("w1", "w2")))

    def again() -> int:
        series.revise(("w1", "w2", "w3"))
        return series.run(walls("w1", "w3"))

    return [
        lambda: series.run(walls("w1", "w2")),
        lambda: series.run(walls("w1", "w2", "w3")),
        lambda: series.run(walls("w3")),
        lambda: series.run(walls("w2", unjudged={"Fire=F90": ["w1"]})),
        without_w3,
        again,
        lambda: series.run(walls("w1", "w2")),
    ]


def told_of_failures(series: Series) -> dict[str, Any]:
    place = "(select count(*) from tester.chain({0}) o where o.accepted <= r.accepted)"
    finding = (
        "(select e.global_id from tester.findings f join core.elements e on e.id = f.element_id"
        " where f.id = t.finding_id)"
    )
    number = series.series_id()
    at = f"(select {place.format(number)} from tester.results r where r.id = t."
    return {
        "changes": series.world.sql(
            f"select {finding}, {at}result_id), t.state, t.reason from tester.state_changes t"
            " join tester.findings f on f.id = t.finding_id where f.series_id = %s order by 1, 2", number,
        ),
        "states": series.world.sql(
            f"select {finding}, t.state, t.reason, {at}since_result), {at}first_result), {at}last_seen)"
            " from tester.finding_states t where t.series_id = %s order by 1", number,
        ),
        "counts": series.world.sql(
            f"select {at}result_id), t.state, t.reason, t.findings, t.entered"
            " from tester.state_counts t where t.series_id = %s order by 1, 2, 3", number,
        ),
    }  # fmt: skip


@pytest.fixture
def store(ledger: Database) -> Iterator[tuple[World, PostgresLedger]]:
    world, found = World(ledger.dsn), PostgresLedger(ledger.dsn)
    yield world, found
    found.close()
    world.close()


def test_a_deleted_ids_result_leaves_its_series_as_if_it_had_never_been(
    store: tuple[World, PostgresLedger],
) -> None:
    for number, name in enumerate(("the middle", "the two ends", "all")):
        gone = WHICH[name]
        whole, part = (
            Series(*store, ids=(f"{letter}{number}.ids",), model=f"{letter}{number}")
            for letter in "wp"
        )
        for each in (whole, part):
            each.revise(("w1", "w2", "w3"))
        ids = [run() for run in ids_runs(whole)]
        for which, run in enumerate(ids_runs(part)):
            if which not in gone:
                run()
            elif which in (4, 5):
                part.revise(("w1", "w2") if which == 4 else ("w1", "w2", "w3"))
        deleted = [ids[which] for which in gone]
        whole.world.sql("delete from public.tester_results where id = any(%s)", deleted)
        if len(gone) == len(ids):
            assert not any(told_of_failures(whole).values()), name
            continue
        assert told_of_failures(whole) == told_of_failures(part), name
        assert whole.differences() == [], name
        ids_runs(whole)[0]()
        ids_runs(part)[0]()
        assert told_of_failures(whole) == told_of_failures(part), name
        assert whole.differences() == [], name


def test_a_deleted_result_of_two_ids_files_leaves_both_series(
    store: tuple[World, PostgresLedger],
) -> None:
    series = Series(*store, ids=("a.ids", "b.ids"))
    series.revise(("w1", "w2"))
    for one, other in ((("w1",), ("w2",)), (("w1",), ()), (("w2",), ("w2",))):
        last = series.run(
            Rule(applies=("w1", "w2"), fails={"Fire=F90": one}, name="One", ids=0),
            Rule(applies=("w1", "w2"), fails={"Fire=F30": other}, name="Two", ids=1),
        )
    series.world.sql("delete from tester.results where id = %s", last)
    assert series.states() == {"w1 One": "persisting", "w2 Two": "resolved"}
    assert series.differences() == []


# Changes --------------------------------------------------------------------------------------------


def compared(world: World, store: PostgresLedger, model: str, leaving: tuple[int, ...]) -> Diffs:
    """Things come, change, change back, go; each step is compared, and once all of them."""
    made = Diffs(world, store, model)
    for elements in (
        {"w1": {"geometry": 1}, "w2": {"geometry": 1}},
        {"w1": {"geometry": 2}, "w2": {"geometry": 1}, "w3": {}},
        {"w1": {"geometry": 1}, "w2": {"geometry": 2}, "w3": {}},
        {"w1": {"geometry": 3}, "w3": {}},
    ):
        made.revise(elements)
    steps = ((0, 1), (1, 2), (0, 2), (2, 3), (2, 0), (0, 3), (0, 3))
    for number, (old, new) in enumerate(steps):
        if number not in leaving:
            made.run(old, new, facets=("attributes",) if number == 5 else ("geometry",))
    return made


def told_of_changes(made: Diffs) -> dict[str, Any]:
    number = made.series_id()
    finding = (
        "(select e.global_id || ' ' || f.facet from diff.findings f"
        " join core.elements e on e.id = f.element_id where f.id = t.finding_id)"
    )
    place = "(select count(*) from diff.results o where o.series_id = r.series_id and o.accepted <= r.accepted)"
    at = f"(select {place} from diff.results r where r.id = t."
    return {
        "changes": made.world.sql(
            f"select {finding}, {at}result_id), t.state, t.reason from diff.state_changes t"
            " join diff.results x on x.id = t.result_id where x.series_id = %s order by 1, 2", number,
        ),
        "states": made.world.sql(
            f"select {finding}, t.state, t.reason, {at}since_result), {at}first_result), {at}last_seen)"
            " from diff.finding_states t where t.series_id = %s order by 1", number,
        ),
    }  # fmt: skip


def test_a_deleted_diff_leaves_its_series_as_if_it_had_never_been(
    store: tuple[World, PostgresLedger],
) -> None:
    for number, name in enumerate(("the first", "the middle", "the latest", "all")):
        gone = WHICH[name]
        whole = compared(*store, f"w{number}", ())
        ids = [
            row[0]
            for row in whole.world.sql(
                "select id from diff.results where series_id = %s order by accepted",
                whole.series_id(),
            )
        ]
        deleted = [ids[which] for which in gone]
        whole.world.sql("delete from public.diff_results where id = any(%s)", deleted)
        if len(gone) == len(ids):
            assert not any(told_of_changes(whole).values()), name
            continue
        assert told_of_changes(whole) == told_of_changes(compared(*store, f"p{number}", gone)), name
        assert whole.differences() == [], name


def test_a_late_diff_does_not_take_a_comparison_back_in_time_for_one_that_saw_a_change(
    store: tuple[World, PostgresLedger],
) -> None:
    made = Diffs(*store)
    for geometry in (1, 2):
        made.revise({"w1": {"geometry": geometry}})
    first = made.run(0, 1)
    made.run(1, 0)
    late = made.accept(0, 1)
    made.run(0, 1)
    made.finish(late, facets=("attributes",))
    assert made.states() == {"w1 geometry": "persisting"}
    made.world.sql(
        "delete from diff.results where id > %s and series_id = %s", first + 1, made.series_id()
    )
    assert made.world.sql("select last_seen from diff.finding_states") == [(first,)]
    assert made.differences() == []


# Both -----------------------------------------------------------------------------------------------


def test_a_deletion_that_fails_changes_nothing(chain: Chain) -> None:
    first = chain.run([ONE])
    chain.run([TWO])
    before = told_of_clashes(chain)
    with pytest.raises(psycopg.errors.DivisionByZero), chain.world.connection.transaction():
        chain.world.sql("delete from clash.results where id = %s", first)
        chain.world.sql("select 1 / 0")
    assert told_of_clashes(chain) == before
    assert chain.differences() == []


def test_foreign_results_of_the_other_checks_go_without_a_chain(chain: Chain) -> None:
    for table, columns, values in (
        ("tester", "ifc_filename, ids_filename, test_results, pass_count, fail_count",
         "'a', 'b', '{}', 0, 0"),
        ("diff", "old_file, new_file, diff_count, diff_data", "'a', 'b', 0, '{}'"),
        ("conversion", "input_filename, output_filename, conversion_options",
         "'a', 'b', '{}'"),
    ):  # fmt: skip
        view = f"public.{table}_results"
        chain.world.sql(f"insert into {view} ({columns}) values ({values})")
        chain.world.sql(f"delete from {view}")
        assert chain.world.value(f"select count(*) from {view}") == 0
