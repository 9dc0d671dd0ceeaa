"""The write API through the ledger: leases, fencing, one result per (job, clash set), all or nothing."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from ifcbase.errors import (
    Conflict,
    LeaseLost,
    LedgerBusy,
    LedgerError,
    LedgerUnavailable,
    RequestInvalid,
)
from ifcbase.ledger.connect import translated
from ifcbase.ledger.copying import SIGHTING_COLUMNS, binary_rows
from ifcbase.ledger.interface import Attempt, Ledger, Writer
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.world import (
    Job,
    World,
    as_rows,
    coverage,
    element,
    footer,
    header,
    inventory,
    sightings,
    start,
)

WALLS = [element(f"wall-{i}") for i in range(4)]
PIPES = [element(f"pipe-{i}", ifc_class="IfcPipeSegment") for i in range(4)]
PAIRS = [(0, 4), (1, 5), (3, 4)]


def two_models(world: World, version: str = "1") -> Job:
    return world.job({"A": f"A{version}", "B": f"B{version}"})


def refs() -> list[dict[str, Any]]:
    rows = [
        {"ref": i, "input": "A.ifc", "global_id": e.global_id, "n": e.n}
        for i, e in enumerate(WALLS)
    ]
    return rows + [
        {"ref": 4 + i, "input": "B.ifc", "global_id": e.global_id, "n": e.n}
        for i, e in enumerate(PIPES)
    ]


def describe(writer: Writer, job: Job) -> None:
    writer.inventory(job.versions["A.ifc"], inventory(WALLS))
    writer.inventory(job.versions["B.ifc"], inventory(PIPES))


def write_result(
    writer: Writer, job: Job, name: str = "A x B", pairs: list[tuple[int, int]] = PAIRS, **more: Any
) -> int:
    """One result of the set, with the inventories it needs."""
    describe(writer, job)
    result = writer.open_result(header(name, **more))
    sides = [coverage(0, "a", "A.ifc", 4), coverage(1, "b", "B.ifc", 4)]
    writer.append_rows(result, "coverage", sides)
    writer.append_rows(result, "elements", refs())
    writer.append_sightings(result, sightings(pairs))
    return writer.finish_result(result, footer(len(pairs)))


def store_job(store: Ledger, attempt: Attempt, job: Job, **more: Any) -> int:
    with store.writing(attempt.token) as writer:
        result = write_result(writer, job, **more)
        writer.finish_job({"db_id": result}, {})
    return result


def visible(world: World, columns: str = "id") -> list[tuple[Any, ...]]:
    return world.sql(
        f"select {columns} from public.clash_results where project_id = %s order by accepted, id",
        world.project,
    )


# --- leases --------------------------------------------------------------------------------------


def test_a_job_is_taken_once_however_many_try(busy: World, store: PostgresLedger) -> None:
    job = two_models(busy)
    ready = threading.Barrier(8)

    def take(number: int) -> Attempt | None:
        ledger = PostgresLedger(store.dsn)
        try:
            ready.wait(30)
            return ledger.start_attempt(job.id, worker=str(number), host="h", lease_s=60)
        finally:
            ledger.close()

    with ThreadPoolExecutor(8) as pool:
        taken = [each for each in pool.map(take, range(8)) if each is not None]
    assert len(taken) == 1
    assert busy.state(job) == "running"
    assert busy.value("select count(*) from core.attempts where job_id = %s", job.id) == 1
    assert {given.name: given.model_version_id for given in taken[0].inputs} == job.versions
    assert [(given.model, given.number, given.inventoried) for given in taken[0].inputs] == [
        ("A", 1, False),
        ("B", 1, False),
    ]


def test_an_unknown_job_is_nothing_to_take(store: PostgresLedger) -> None:
    assert store.start_attempt(str(uuid.uuid4()), worker="w", host="h", lease_s=9) is None


@pytest.mark.parametrize("lease_s", [0.0, -1.0, 1e9, float("nan")])
def test_a_lease_must_end_some_day(busy: World, store: PostgresLedger, lease_s: float) -> None:
    job = two_models(busy)
    with pytest.raises(LedgerError):
        store.start_attempt(job.id, worker="w", host="h", lease_s=lease_s)
    assert busy.state(job) == "queued"


def test_a_heartbeat_renews_the_lease_and_tells_of_a_cancel(
    busy: World, store: PostgresLedger
) -> None:
    job = two_models(busy)
    attempt = start(store, job)
    left = "select lease_until - clock_timestamp() from core.attempts where token = %s"
    busy.sql(
        "update core.attempts set lease_until = clock_timestamp() + interval '3 s' where token = %s",
        attempt.token,
    )
    assert store.heartbeat(attempt.token, {"phase": "detecting", "fraction": 0.5}) is False
    assert 50 < busy.value(left, attempt.token).total_seconds() <= 60
    assert (
        busy.value("select progress ->> 'phase' from core.jobs where id = %s", job.id)
        == "detecting"
    )
    assert busy.value("select core.cancel_job(%s)", job.id) == "cancelling"
    assert store.heartbeat(attempt.token) is True
    assert busy.value("select progress is not null from core.jobs where id = %s", job.id)


def test_writing_renews_the_lease_as_well(busy: World, store: PostgresLedger) -> None:
    attempt = start(store, two_models(busy))
    busy.sql(
        "update core.attempts set lease_until = clock_timestamp() + interval '3 s' where token = %s",
        attempt.token,
    )
    with store.writing(attempt.token) as writer:
        writer.add_output("0" * 64, 1, "out.json")
    seconds = busy.value(
        "select extract(epoch from lease_until - clock_timestamp()) from core.attempts where token = %s",
        attempt.token,
    )
    assert seconds > 50


#: Every function of the write API but start_attempt, with arguments that would do for a live lease.
CALLS: dict[str, str] = {
    "heartbeat": "%(token)s, null",
    "fail_attempt": "%(token)s, 'failed', '{}', true, null",
    "finish_job": "%(token)s, '{}', null",
    "copy_target": "%(token)s, 'sightings'",
    "append_inventory": "%(token)s, %(version)s, '[]'",
    "append_copied_inventory": "%(token)s, %(version)s",
    "finish_inventory": "%(token)s, %(version)s, '{\"elements\": 0}'",
    "matching_due": "%(token)s",
    "unmatched_content": "%(token)s, %(version)s",
    "moved_candidates": "%(token)s, true",
    "store_links": "%(token)s, %(version)s, null, '[]'",
    "open_result": "%(token)s, %(header)s",
    "append_rows": "%(token)s, %(result)s, 'elements', '[]'",
    "append_copied": "%(token)s, %(result)s, 'sightings'",
    "add_output": "%(token)s, repeat('0', 64), 1, 'x'",
    "finish_result": "%(token)s, %(result)s, '{}'",
    "begin_save": "%(token)s, gen_random_uuid()",
    "save_rows": "%(token)s, gen_random_uuid(), 0, %(result)s, 'elements', '[]'",
    "save_inventory": "%(token)s, gen_random_uuid(), 0, %(version)s, '[]'",
    "keep_part": "%(token)s, gen_random_uuid(), 'x', 0, '[]'",
    "save_kept_rows": "%(token)s, gen_random_uuid(), 'x', 0, %(result)s, 'elements'",
    "save_links": "%(token)s, gen_random_uuid(), 'x', 0, %(version)s, null",
    "keep_unmatched": "%(token)s, gen_random_uuid(), 'x', %(version)s, 10",
    "keep_moved": "%(token)s, gen_random_uuid(), 'x', true, null, 10",
    "kept_page": "%(token)s, gen_random_uuid(), 'x', 0",
    "conclude_inventory": "%(token)s, gen_random_uuid(), %(version)s, '{\"elements\": 0}'",
    "conclude_result": "%(token)s, gen_random_uuid(), %(result)s, '{}'",
    "hold_attempt": "%(token)s, 60, 'x'",
}
#: What takes a job, or asks what became of one, by a token.
OF_TOKENS = {"start_attempt", "take_job", "attempt_outcome", "claim_attempt"}
#: What people call, with rights in a project instead of a lease.
OF_PEOPLE = {"decide", "decide_group", "add_rule", "switch_rule", "insert_clash_document"}


def test_the_table_of_calls_is_whole(busy: World) -> None:
    """A new function of the write API must be fenced, too."""
    doors = busy.sql("select proname from pg_proc where pronamespace = 'public'::regnamespace")
    assert {row[0] for row in doors} == set(CALLS) | OF_TOKENS | OF_PEOPLE


def call(world: World, function: str, token: str, job: Job, result: int, **more: Any) -> Any:
    with translated():
        return world.connection.execute(
            f"select public.{function}({CALLS[function]})",
            {
                "token": token, "version": job.versions["A.ifc"], "result": result,
                "header": Jsonb(header()), **more,
            },
        ).fetchone()  # fmt: skip


@pytest.mark.parametrize("function", sorted(CALLS))
def test_the_fence(busy: World, store: PostgresLedger, function: str) -> None:
    """No function works with a lapsed lease, after the reaper, with another token or with none."""
    job = two_models(busy)
    attempt = start(store, job)
    with store.writing(attempt.token) as writer:
        result = writer.open_result(header())
    for stranger in (str(uuid.uuid4()), None):
        with pytest.raises(LeaseLost):
            call(busy, function, stranger, job, result)  # type: ignore[arg-type]
    busy.lapse(attempt.token)
    with pytest.raises(LeaseLost):
        call(busy, function, attempt.token, job, result)
    assert busy.reap()[job.id] == "queued"
    with pytest.raises(LeaseLost):
        call(busy, function, attempt.token, job, result)
    second = start(store, job)
    with pytest.raises(LeaseLost):
        call(busy, function, attempt.token, job, result)
    assert second.number == 2
    assert busy.state(job) == "running"
    assert visible(busy) == []


def test_a_long_statement_does_not_cost_a_writer_its_lease(
    busy: World, store: PostgresLedger
) -> None:
    """Nobody can have taken a job from a transaction that holds its lease."""
    job = two_models(busy)
    attempt = start(store, job, lease_s=0.5)
    with store.writing(attempt.token) as writer:
        describe(writer, job)
        busy.sql("select pg_sleep(0.8)")
        assert job.id not in busy.reap(), "the reaper passes by a job that is being stored"
        write_result(writer, job)
        writer.finish_job({}, {})
    assert busy.state(job) == "finished"
    assert len(visible(busy)) == 1


def test_a_lease_that_lapsed_between_two_transactions_is_gone(
    busy: World, store: PostgresLedger
) -> None:
    attempt = start(store, two_models(busy), lease_s=0.3)
    with store.writing(attempt.token) as writer:
        writer.add_output("0" * 64, 1, "out.json")
    busy.sql("select pg_sleep(0.5)")
    with pytest.raises(LeaseLost), store.writing(attempt.token) as writer:
        writer.add_output("1" * 64, 1, "out.json")


# --- what an attempt may touch -------------------------------------------------------------------


def test_only_the_jobs_own_model_versions_are_described(busy: World, store: PostgresLedger) -> None:
    attempt = start(store, two_models(busy))
    other = busy.version("Other", "other")
    for function in ("append_inventory", "append_copied_inventory", "finish_inventory"):
        with pytest.raises(Conflict, match="not an input of this job"):
            call(busy, function, attempt.token, Job("", {"A.ifc": other}), 0)
    assert busy.value("select inventoried_at from core.model_versions where id = %s", other) is None


def test_only_the_attempts_own_results_are_written(busy: World, store: PostgresLedger) -> None:
    first, second = two_models(busy), two_models(busy)
    theirs, mine = start(store, first), start(store, second)
    with store.writing(theirs.token) as writer:
        result = writer.open_result(header())
    for function in ("append_rows", "append_copied", "finish_result"):
        with pytest.raises(LedgerError, match="no such result"):
            call(busy, function, mine.token, second, result)


@pytest.mark.parametrize("kind", ["selections", "coverage_", "results"])
def test_an_unknown_kind_of_rows_is_refused(busy: World, store: PostgresLedger, kind: str) -> None:
    attempt = start(store, two_models(busy))
    with pytest.raises(RequestInvalid, match=kind), store.writing(attempt.token) as writer:
        writer.append_rows(writer.open_result(header()), kind, [{}])


@pytest.mark.parametrize(
    ("kind", "row", "message"),
    [
        ("elements", {"ref": 99, "input": "A.ifc", "global_id": "nobody", "n": 0}, "element 99"),
        ("elements", {"ref": 99, "input": "A.ifc", "global_id": "wall-1", "n": 1}, "element 99"),
        ("elements", {"ref": 99, "input": "C.ifc", "global_id": "wall-1", "n": 0}, "element 99"),
        ("left_out", {"position": 0, "element": 77, "reason": "empty"}, "element 77"),
        ("coverage", coverage(5, "b", "C.ifc", 1), "no input C.ifc"),
        (
            "coverage",
            coverage(5, "b", "B.ifc", 1, mode="i", selector="IfcDoor"),
            "what IfcDoor matches in B.ifc was not appended",
        ),
        ("selection", {"input": "C.ifc", "selector": "IfcDoor", "matched": []}, "no model C.ifc"),
        (
            "selection",
            {"input": "A.ifc", "selector": "IfcDoor", "matched": [["nobody", 0]]},
            "IfcDoor names elements",
        ),
    ],
)
def test_rows_about_what_nobody_knows_are_refused_not_dropped(
    busy: World, store: PostgresLedger, kind: str, row: dict[str, Any], message: str
) -> None:
    job = two_models(busy)
    attempt = start(store, job)
    with pytest.raises(RequestInvalid, match=message), store.writing(attempt.token) as writer:
        describe(writer, job)
        result = writer.open_result(header())
        writer.append_rows(result, "coverage", [coverage(0, "a", "A.ifc", 4)])
        writer.append_rows(result, kind, [row])


def test_another_check_opens_no_clash_result(busy: World, store: PostgresLedger) -> None:
    attempt = start(store, busy.job({"A": "a"}, check="diff"))
    with pytest.raises(RequestInvalid), store.writing(attempt.token) as writer:
        writer.open_result(header())


# --- one result, whole or not at all -------------------------------------------------------------


def test_a_result_as_it_was_written(any_busy: World, any_store: PostgresLedger) -> None:
    job = two_models(any_busy)
    attempt = start(any_store, job)
    result = store_job(any_store, attempt, job)
    assert any_busy.state(job) == "finished"
    columns = (
        "id, original_clash_id, clash_set_name, output_filename, clash_count, verdict, set_version"
    )
    assert visible(any_busy, columns) == [(result, None, "A x B", "out.json", 3, "found", 1)]
    (document,) = any_busy.value(
        "select clash_data from public.clash_results where id = %s", result
    )
    assert {k: document[k] for k in ("name", "mode", "tolerance", "verdict")} == {
        "name": "A x B", "mode": "intersection", "tolerance": 0.01, "verdict": "found",
    }  # fmt: skip
    assert document["a"] == [
        {"file": "A.ifc", "mode": "a", "selected": 4, "tested": 4, "left_out": {}}
    ]
    assert set(document["clashes"]) == {"wall-0-pipe-0", "wall-1-pipe-1", "wall-3-pipe-0"}
    third = document["clashes"]["wall-3-pipe-0"]
    written = as_rows(sightings(PAIRS))[2]
    assert third == {
        "a_global_id": "wall-3", "b_global_id": "pipe-0", "a_ifc_class": "IfcWall",
        "b_ifc_class": "IfcPipeSegment", "a_name": None, "b_name": None, "type": "collision",
        "p1": [written["p1x"], written["p1y"], written["p1z"]],
        "p2": [written["p2x"], written["p2y"], written["p2z"]],
        "distance": written["distance"], "a_file": "A.ifc", "b_file": "B.ifc",
        "smart_group": 1, "position": third["position"],
    }  # fmt: skip
    assert third["position"] == pytest.approx([0.0, 1000001.05, 2.15])
    assert (
        any_busy.value("select count(*) from clash.result_elements where result_id = %s", result)
        == 0
    )


def test_sides_are_kept_when_the_set_turns_them_round(busy: World, store: PostgresLedger) -> None:
    """A pair is one whichever side its elements are on; the document keeps the sides."""
    first = two_models(busy)
    store_job(store, start(store, first), first)
    second = two_models(busy)
    with store.writing(start(store, second).token) as writer:
        result = writer.open_result(header())
        sides = [coverage(0, "a", "B.ifc", 4), coverage(1, "b", "A.ifc", 4)]
        writer.append_rows(result, "coverage", sides)
        writer.append_rows(result, "elements", refs())
        writer.append_sightings(result, sightings([(b, a) for a, b in PAIRS]))
        assert writer.finish_result(result, footer(3)) == result
        writer.finish_job({}, {})
    (document,) = busy.value("select clash_data from public.clash_results where id = %s", result)
    assert set(document["clashes"]) == {"pipe-0-wall-0", "pipe-1-wall-1", "pipe-0-wall-3"}
    assert document["clashes"]["pipe-0-wall-0"]["a_file"] == "B.ifc"
    pairs = busy.value("select count(*) from clash.pairs where project_id = %s", busy.project)
    assert pairs == 3


def test_everything_twice_is_everything_once(busy: World, store: PostgresLedger) -> None:
    job = two_models(busy)
    attempt = start(store, job)
    results = set()
    for _ in range(2):
        with store.writing(attempt.token) as writer:
            describe(writer, job)
            describe(writer, job)
            for _ in range(2):
                result = writer.open_result(header())
                rows = {
                    "selection": [
                        {"input": "A.ifc", "selector": "IfcWall", "matched": [["wall-0", 0]]}
                    ],
                    "coverage": [
                        coverage(0, "a", "A.ifc", 4, 3), coverage(1, "b", "B.ifc", 4),
                    ],
                    "elements": refs(),
                    "left_out": [{"position": 0, "element": 2, "reason": "no geometry"}],
                }  # fmt: skip
                for kind, each in rows.items():
                    writer.append_rows(result, kind, each)
                    writer.append_rows(result, kind, each)
                writer.append_sightings(result, sightings(PAIRS))
                writer.append_rows(result, "sightings", as_rows(sightings(PAIRS)))
                results.add(writer.finish_result(result, footer(3)))
    with store.writing(attempt.token) as writer:
        writer.finish_job({}, {})
    assert len(results) == 1
    assert visible(busy, "clash_count, related_left_out") == [(3, 0)]
    counted = {
        table: busy.value(
            f"select count(*) from clash.{table} where result_id = any(%s)", list(results)
        )
        for table in ("sightings", "coverage", "left_out", "result_elements")
    }
    assert counted == {"sightings": 3, "coverage": 2, "left_out": 1, "result_elements": 0}


def test_copied_rows_and_json_rows_are_equal(busy: World, store: PostgresLedger) -> None:
    columns = sightings([(a, 4 + b) for a in range(4) for b in range(4)])
    stored = []
    for way in ("copy", "json"):
        job = two_models(busy)
        with store.writing(start(store, job).token) as writer:
            if way == "copy":
                describe(writer, job)
            result = writer.open_result(header(way))
            writer.append_rows(
                result, "coverage", [coverage(0, "a", "A.ifc", 4), coverage(1, "b", "B.ifc", 4)]
            )
            writer.append_rows(result, "elements", refs())
            if way == "copy":
                writer.append_sightings(result, columns)
            else:
                writer.append_rows(result, "sightings", as_rows(columns))
            writer.finish_result(result, footer(16))
            writer.finish_job({}, {})
        stored.append(busy.sql(
            """select p.a_element, p.b_element, s.distance, s.p1x, s.p1y, s.p1z, s.p2x, s.p2y, s.p2z,
                      s.smart_group, s.a_position, s.b_position, s.kind, s.measured, s.flipped
                 from clash.sightings s join clash.pairs p on p.id = s.pair_id
                where s.result_id = %s order by 1, 2""",
            result,
        ))  # fmt: skip
    assert len(stored[0]) == 16
    assert stored[0] == stored[1]
    assert {row[9] for row in stored[0]} == {None, 0, 1}, "-1 means no group"


def test_an_inventory_by_json_is_the_same_as_by_copy(busy: World, store: PostgresLedger) -> None:
    odd = [
        element("x", n=0, name="Tür 墙\t1", storey=None),
        element("x", n=1, physical=False),
        element("y", has_representation=False, ifc_class="IfcSpace"),
    ]
    copied, sent = busy.job({"copied": "1"}), busy.job({"sent": "1"})
    with store.writing(start(store, copied).token) as writer:
        writer.inventory(copied.versions["copied.ifc"], inventory(odd))
    attempt = start(store, sent)
    version = sent.versions["sent.ifc"]
    rows = [
        {k: v for k, v in each._asdict().items() if k != "step_id"}
        for each in inventory(odd).elements
    ]
    for chunk in (rows[:2], rows[1:]):
        busy.sql("select public.append_inventory(%s, %s, %s)", attempt.token, version, Jsonb(chunk))
    facts = {"elements": 3, "schema": "IFC4", "repeated_ids": 1}
    assert (
        busy.value(
            "select public.finish_inventory(%s, %s, %s)", attempt.token, version, Jsonb(facts)
        )
        == 3
    )
    both = [
        busy.sql(
            """select e.global_id, e.n, c.first_number, c.last_number, c.fingerprint, c.ifc_class,
                      c.name, c.storey, c.physical, c.has_representation
                 from core.content c join core.elements e on e.id = c.element_id
                 join core.model_versions v on v.model_id = c.model_id where v.id = %s order by 1, 2""",
            each,
        )
        for each in (copied.versions["copied.ifc"], version)
    ]
    assert len(both[0]) == 3
    assert both[0] == both[1]
    facts_of = "select ifc_schema, elements, repeated_ids from core.model_versions where id = %s"
    assert busy.sql(facts_of, version) == busy.sql(facts_of, copied.versions["copied.ifc"])
    assert busy.sql(facts_of, version) == [("IFC4", 3, 1)]


def test_an_inventory_that_did_not_arrive_whole_is_refused(
    busy: World, store: PostgresLedger
) -> None:
    job = two_models(busy)
    attempt = start(store, job)
    for facts in ({"elements": 5}, {}):
        with pytest.raises(Conflict, match="0 arrived"), translated():
            busy.sql(
                "select public.finish_inventory(%s, %s, %s)",
                attempt.token, job.versions["A.ifc"], Jsonb(facts),
            )  # fmt: skip
    assert not busy.value(
        "select inventoried_at is not null from core.model_versions where id = %s",
        job.versions["A.ifc"],
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clash_count": 4}, "counts 4 clashes, 3 arrived"),
        ({"clash_count": 2}, "counts 2 clashes, 3 arrived"),
        ({"clash_count": None}, "3 arrived"),
    ],
)
def test_a_count_that_does_not_match_is_refused(
    busy: World, store: PostgresLedger, change: dict[str, Any], message: str
) -> None:
    job = two_models(busy)
    with pytest.raises(Conflict, match=message), store.writing(start(store, job).token) as writer:
        describe(writer, job)
        result = writer.open_result(header())
        writer.append_rows(
            result, "coverage", [coverage(0, "a", "A.ifc", 4), coverage(1, "b", "B.ifc", 4)]
        )
        writer.append_rows(result, "elements", refs())
        writer.append_sightings(result, sightings(PAIRS))
        writer.finish_result(result, footer(3) | change)
    assert visible(busy) == []


def broken_position(writer: Writer, result: int) -> None:
    writer.append_rows(
        result, "coverage", [coverage(0, "a", "A.ifc", 4), coverage(1, "b", "B.ifc", 4)]
    )
    writer.append_sightings(result, sightings(PAIRS, b_position=7))


def broken_kind(writer: Writer, result: int) -> None:
    writer.append_rows(
        result, "coverage", [coverage(0, "a", "A.ifc", 4), coverage(1, "b", "B.ifc", 4)]
    )
    columns = dict(sightings(PAIRS))
    columns["kind"] = columns["kind"] + 90
    writer.append_sightings(result, columns)


def broken_element(writer: Writer, result: int) -> None:
    writer.append_rows(
        result, "coverage", [coverage(0, "a", "A.ifc", 4), coverage(1, "b", "B.ifc", 4)]
    )
    writer.append_sightings(result, sightings([*PAIRS[:2], (0, 4711)]))


def broken_twice(writer: Writer, result: int) -> None:
    writer.append_rows(
        result, "coverage", [coverage(0, "a", "A.ifc", 4), coverage(1, "b", "B.ifc", 4)]
    )
    writer.append_sightings(result, sightings([(0, 4), (1, 5), (4, 0)]))


@pytest.mark.parametrize("break_it", [broken_position, broken_kind, broken_element, broken_twice])
def test_contacts_the_document_would_not_show_are_not_counted(
    busy: World, store: PostgresLedger, break_it: Callable[[Writer, int], None]
) -> None:
    job = two_models(busy)
    with (
        pytest.raises(Conflict, match="counts 3 clashes"),
        store.writing(start(store, job).token) as writer,
    ):
        describe(writer, job)
        result = writer.open_result(header())
        writer.append_rows(result, "elements", refs())
        break_it(writer, result)
        writer.finish_result(result, footer(3))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("column", ["distance", "p1x", "p2z"])
def test_a_contact_without_a_place_is_refused(
    busy: World, store: PostgresLedger, column: str, bad: float
) -> None:
    job = two_models(busy)
    with (
        pytest.raises(LedgerError, match="check constraint"),
        store.writing(start(store, job).token) as writer,
    ):
        describe(writer, job)
        result = writer.open_result(header())
        writer.append_rows(result, "elements", refs())
        columns = dict(sightings(PAIRS))
        columns[column] = columns[column].copy()
        columns[column][1] = bad
        writer.append_sightings(result, columns)


def test_a_result_must_say_what_it_tested(busy: World, store: PostgresLedger) -> None:
    """No silent zero: without coverage "no clashes" says nothing."""
    job = two_models(busy)
    with (
        pytest.raises(Conflict, match="what it tested"),
        store.writing(start(store, job).token) as writer,
    ):
        writer.finish_result(writer.open_result(header()), footer(0))
    assert visible(busy) == []


def test_every_element_left_out_is_named(busy: World, store: PostgresLedger) -> None:
    job = two_models(busy)
    with (
        pytest.raises(Conflict, match="left out"),
        store.writing(start(store, job).token) as writer,
    ):
        describe(writer, job)
        result = writer.open_result(header())
        writer.append_rows(
            result, "coverage", [coverage(0, "a", "A.ifc", 4, 3), coverage(1, "b", "B.ifc", 4)]
        )
        writer.finish_result(result, footer(0))


def test_a_job_does_not_end_while_a_result_is_open(busy: World, store: PostgresLedger) -> None:
    job = two_models(busy)
    with (
        pytest.raises(Conflict, match="still being written"),
        store.writing(start(store, job).token) as writer,
    ):
        writer.open_result(header())
        writer.finish_job({}, {})
    assert busy.state(job) == "running"


def test_a_writer_that_fails_leaves_nothing(busy: World, store: PostgresLedger) -> None:
    job = two_models(busy)
    attempt = start(store, job)
    counts = "select (select count(*) from {}) from core.projects where id = %s"
    tables = ("clash.results", "clash.pairs", "clash.sets", "core.elements", "core.content")
    before = [busy.value(counts.format(f"{t} where project_id = id"), busy.project) for t in tables]
    mine = "select count(*) from {} where project_id = %s"
    assert [busy.value(mine.format(t), busy.project) for t in tables] == [0] * 5, before
    with pytest.raises(ZeroDivisionError), store.writing(attempt.token) as writer:
        write_result(writer, job)
        raise ZeroDivisionError
    assert [busy.value(mine.format(t), busy.project) for t in tables] == [0] * 5
    assert store_job(store, attempt, job) == visible(busy)[0][0], "the same attempt stores it then"


def test_a_failed_attempt_takes_what_it_had_begun_with_it(
    busy: World, store: PostgresLedger
) -> None:
    job = two_models(busy)
    attempt = start(store, job)
    with store.writing(attempt.token) as writer:
        describe(writer, job)
        result = writer.open_result(header())
        writer.append_rows(result, "elements", refs())
        writer.append_rows(
            result, "coverage", [coverage(0, "a", "A.ifc", 4), coverage(1, "b", "B.ifc", 4)]
        )
        writer.append_sightings(result, sightings(PAIRS))
    assert visible(busy) == [], "an unfinished result is not shown"
    assert (
        store.fail_attempt(attempt.token, outcome="failed", error={}, may_retry=True, facts={})
        == "queued"
    )
    for table in ("sightings", "coverage", "result_elements"):
        assert busy.value(f"select count(*) from clash.{table} where result_id = %s", result) == 0
    assert store_job(store, start(store, job), job) > result


def test_two_sets_of_one_job_are_two_results(busy: World, store: PostgresLedger) -> None:
    job = two_models(busy)
    with store.writing(start(store, job).token) as writer:
        ids = [write_result(writer, job, name) for name in ("first", "second")]
        writer.finish_job({}, {})
    assert visible(busy, "id, clash_set_name, original_clash_id") == [
        (ids[0], "first", None),
        (ids[1], "second", None),
    ]


def test_a_second_attempt_does_not_overtake_one_that_is_storing(
    busy: World, store: PostgresLedger
) -> None:
    """Two attempts of one job: the one that holds the lease stores, the other finds nothing to do."""
    job = two_models(busy)
    slow = start(store, job, lease_s=0.3)
    other = PostgresLedger(store.dsn)
    try:
        with store.writing(slow.token) as writer:
            write_result(writer, job)
            busy.sql("select pg_sleep(0.5)")
            busy.reap()
            assert other.start_attempt(job.id, worker="w", host="h", lease_s=60) is None
            writer.finish_job({}, {})
        busy.reap()
        assert other.start_attempt(job.id, worker="w", host="h", lease_s=60) is None
    finally:
        other.close()
    assert len(visible(busy)) == 1


def test_one_job_has_one_result_per_set_even_with_two_finished_attempts(
    busy: World, store: PostgresLedger
) -> None:
    """The first attempt's result stands, also when the job is computed again after it was stored."""
    job = two_models(busy)
    first = start(store, job)
    with store.writing(first.token) as writer:
        result = write_result(writer, job)
    busy.lapse(first.token)
    busy.reap()
    second = start(store, job)
    with store.writing(second.token) as writer:
        assert write_result(writer, job, pairs=PAIRS[:1]) == result
        writer.finish_job({"db_id": result}, {})
    assert visible(busy, "id, clash_count") == [(result, 3)]


def test_a_lost_connection_is_tried_again_without_a_trace(
    busy: World, store: PostgresLedger
) -> None:
    job = two_models(busy)
    attempt = start(store, job)
    with pytest.raises(LedgerUnavailable), store.writing(attempt.token) as writer:
        write_result(writer, job)
        busy.sql(
            """select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()
                  and state = 'idle in transaction'"""
        )
        writer.finish_job({}, {})
    assert visible(busy) == []
    assert store_job(store, attempt, job) == visible(busy)[0][0]


def test_after_a_commit_of_unknown_outcome_the_second_try_is_fenced_off(
    busy: World, store: PostgresLedger
) -> None:
    job = two_models(busy)
    attempt = start(store, job)
    store_job(store, attempt, job)
    with pytest.raises(LeaseLost):
        store_job(store, attempt, job)
    assert len(visible(busy)) == 1


def test_a_writer_that_sleeps_loses_its_transaction(busy: World) -> None:
    job = two_models(busy)
    store = PostgresLedger(busy.dsn, writing_idle_s=0.3)
    try:
        attempt = start(store, job)
        with pytest.raises(LedgerUnavailable), store.writing(attempt.token) as writer:
            write_result(writer, job)
            busy.sql("select pg_sleep(1)")
            writer.finish_job({}, {})
        assert visible(busy) == []
    finally:
        store.close()


def test_two_jobs_over_the_same_sets_in_other_order_are_both_stored(busy: World) -> None:
    """They lock each other's sets; the loser is told to try again, and its second try succeeds."""
    jobs = [two_models(busy), two_models(busy)]
    both_hold_one = threading.Barrier(2)

    def run(number: int) -> bool:
        store = PostgresLedger(busy.dsn)
        order = ["one", "two"] if number == 0 else ["two", "one"]
        attempt = start(store, jobs[number])
        refused = False
        try:
            for tries in range(5):
                try:
                    with store.writing(attempt.token) as writer:
                        write_result(writer, jobs[number], order[0])
                        if tries == 0:
                            both_hold_one.wait(20)
                        write_result(writer, jobs[number], order[1])
                        writer.finish_job({}, {})
                except LedgerBusy:
                    refused = True
                else:
                    return refused
        finally:
            store.close()
        raise AssertionError("five tries were not enough")

    # The inventories exist, so that the two meet only at the sets.
    third = two_models(busy)
    ledger = PostgresLedger(busy.dsn)
    store_job(ledger, start(ledger, third), third)
    for name in ("one", "two"):
        busy.sql("insert into clash.sets (project_id, name) values (%s, %s)", busy.project, name)
    ledger.close()
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(run, range(2))) == [False, True]
    assert len(visible(busy)) == 5


# --- chains --------------------------------------------------------------------------------------


def test_a_late_result_of_an_earlier_job_becomes_the_origin(
    busy: World, store: PostgresLedger
) -> None:
    early, late = two_models(busy), two_models(busy)
    early_attempt, late_attempt = start(store, early), start(store, late)
    second = store_job(store, late_attempt, late)
    assert visible(busy, "id, original_clash_id") == [(second, None)]
    busy.sql(
        "insert into public.clash_results (project_id, clash_set_name, output_filename, clash_count,"
        " clash_data) values (%s, 'A x B', 'x', 0, '[]')",
        busy.project,
    )
    first = store_job(store, early_attempt, early)
    chain = visible(busy, "id, original_clash_id")
    assert [row[0] for row in chain[:2]] == [first, second]
    assert [row[1] for row in chain] == [None, first, first]


def test_a_changed_definition_is_a_new_version_of_the_set(
    busy: World, store: PostgresLedger
) -> None:
    definitions: list[dict[str, Any]] = [{"tolerance": 1}, {"tolerance": 2}, {"tolerance": 1}]
    for definition in definitions:
        job = two_models(busy)
        store_job(store, start(store, job), job, definition=definition)
    assert [row[0] for row in visible(busy, "set_version")] == [1, 2, 1]
    assert busy.value("select count(*) from clash.sets where project_id = %s", busy.project) == 1
    assert busy.value("select count(*) from clash.pairs where project_id = %s", busy.project) == 3


# --- the copy target -----------------------------------------------------------------------------


@pytest.fixture
def as_worker(busy: World, store: PostgresLedger) -> tuple[World, Job, Attempt]:
    """A connection that acts as ifc_worker, with a live lease."""
    job = two_models(busy)
    attempt = start(store, job)
    busy.sql("set role ifc_worker")
    return busy, job, attempt


def test_a_worker_copies_but_does_not_read_or_change(as_worker: tuple[World, Job, Attempt]) -> None:
    world, job, attempt = as_worker
    with world.connection.transaction():
        target = world.value("select public.copy_target(%s, 'elements')", attempt.token)
        with world.connection.cursor().copy(f"copy pg_temp.{target} from stdin") as copy:
            copy.write_row(("g", 0, "IfcWall", None, None, True, True, None))
        for statement in (
            f"select 1 from pg_temp.{target}",
            f"update pg_temp.{target} set n = 1",
            f"delete from pg_temp.{target}",
            f"drop table pg_temp.{target}",
            f"create trigger t before insert on pg_temp.{target} execute function auth.uid()",
        ):
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege),
                world.connection.transaction(),
            ):
                world.sql(statement)
        version = job.versions["A.ifc"]
        world.sql("select public.append_copied_inventory(%s, %s)", attempt.token, version)
        facts = Jsonb({"elements": 1, "schema": "IFC4", "repeated_ids": 0})
        assert (
            world.value("select public.finish_inventory(%s, %s, %s)", attempt.token, version, facts)
            == 1
        )


def test_a_worker_stores_a_whole_result_over_its_own_role(
    as_worker: tuple[World, Job, Attempt],
) -> None:
    world, job, attempt = as_worker

    def door(name: str, arguments: str, **values: Any) -> Any:
        with translated():
            row = world.connection.execute(
                f"select public.{name}({arguments})", {"token": attempt.token, **values}
            ).fetchone()
        assert row is not None
        return row[0]

    for model, elements in (("A.ifc", WALLS), ("B.ifc", PIPES)):
        rows = [{k: v for k, v in e._asdict().items() if k != "step_id"} for e in elements]
        values = {"v": job.versions[model], "rows": Jsonb(rows)}
        door("append_inventory", "%(token)s, %(v)s, %(rows)s", **values)
        facts = Jsonb({"elements": 4, "schema": "IFC4", "repeated_ids": 0})
        door("finish_inventory", "%(token)s, %(v)s, %(f)s", v=job.versions[model], f=facts)
    result = door("open_result", "%(token)s, %(h)s", h=Jsonb(header()))
    sides = [coverage(0, "a", "A.ifc", 4), coverage(1, "b", "B.ifc", 4)]
    for kind, rows in (("coverage", sides), ("elements", refs())):
        door("append_rows", "%(token)s, %(r)s, %(k)s, %(rows)s", r=result, k=kind, rows=Jsonb(rows))
    with world.connection.transaction():
        target = door("copy_target", "%(token)s, 'sightings'")
        with world.connection.cursor().copy(
            f"copy pg_temp.{target} from stdin (format binary)"
        ) as copy:
            copy.write(binary_rows(sightings(PAIRS), SIGHTING_COLUMNS))
        door("append_copied", "%(token)s, %(r)s, 'sightings'", r=result)
    assert door("finish_result", "%(token)s, %(r)s, %(f)s", r=result, f=Jsonb(footer(3))) == result
    door("finish_job", "%(token)s, '{}'")
    world.sql("reset role")
    assert visible(world, "id, clash_count") == [(result, 3)]


@pytest.mark.parametrize("kind", ["elements", "sightings"])
def test_a_worker_cannot_put_its_own_table_in_the_targets_place(
    as_worker: tuple[World, Job, Attempt], kind: str
) -> None:
    """Reading a caller's view would run the functions in it with the owner's rights."""
    world, job, attempt = as_worker
    with translated():
        result = world.value("select public.open_result(%s, %s)", attempt.token, Jsonb(header()))
    world.sql(
        "create function pg_temp.spy() returns text language plpgsql as $$"
        " begin raise exception 'ran as %', current_user; end $$"
    )
    take = {
        "elements": ("append_copied_inventory(%s, %s)", [attempt.token, job.versions["A.ifc"]]),
        "sightings": ("append_copied(%s, %s, 'sightings')", [attempt.token, result]),
    }
    for made in (
        f"create temp view incoming_{kind} as select pg_temp.spy() as global_id, 1 as n",
        f"create temp table incoming_{kind} (global_id text, n int)",
    ):
        world.sql(made)
        function, arguments = take[kind]
        with pytest.raises(Conflict, match="were copied"), translated():
            world.sql(f"select public.{function}", *arguments)
        with pytest.raises(Conflict, match="in the way"), translated():
            world.sql("select public.copy_target(%s, %s)", attempt.token, kind)
        word = made.split()[2]
        world.sql(f"drop {word} pg_temp.incoming_{kind}")


@pytest.mark.parametrize("kind", ["elements", "sightings"])
def test_copied_rows_do_not_outlive_their_transaction(
    as_worker: tuple[World, Job, Attempt], kind: str
) -> None:
    world, job, attempt = as_worker
    world.sql("select public.copy_target(%s, %s)", attempt.token, kind)
    if kind == "elements":
        arguments: list[Any] = [attempt.token, job.versions["A.ifc"]]
        function = "append_copied_inventory(%s, %s)"
    else:
        result = world.value("select public.open_result(%s, %s)", attempt.token, Jsonb(header()))
        arguments, function = [attempt.token, result], "append_copied(%s, %s, 'sightings')"
    with pytest.raises(Conflict, match="were copied"), translated():
        world.sql(f"select public.{function}", *arguments)


@pytest.mark.parametrize("name", ["uuid", "text", "jsonb", "bigint", "core.attempts"])
def test_a_workers_types_do_not_take_the_place_of_the_servers(
    as_worker: tuple[World, Job, Attempt], name: str
) -> None:
    """A domain in pg_temp named like a built-in type would run its check with the owner's rights."""
    world, job, attempt = as_worker
    base = "pg_catalog.int8" if "." in name or name == "bigint" else f"pg_catalog.{name}"
    world.sql(
        "create function pg_temp.spy() returns boolean language plpgsql as $$"
        " begin raise exception 'ran as %', current_user; end $$"
    )
    world.sql(f'create domain pg_temp."{name}" as {base} check (pg_temp.spy())')
    with translated():
        version = job.versions["A.ifc"]
        world.sql("select public.heartbeat(%s, '{}'::pg_catalog.jsonb)", attempt.token)
        rows = Jsonb([{k: v for k, v in WALLS[0]._asdict().items() if k != "step_id"}])
        with world.connection.transaction():
            world.sql(
                "select public.append_inventory(%s, %s, %s::pg_catalog.jsonb)",
                attempt.token,
                version,
                rows,
            )
            world.sql(
                "select public.finish_inventory(%s, %s, '{\"elements\": 1}'::pg_catalog.jsonb)",
                attempt.token,
                version,
            )
            world.sql(
                "select public.open_result(%s, %s::pg_catalog.jsonb)", attempt.token, Jsonb(header())
            )  # fmt: skip


def test_elements_delivered_twice_are_one_and_leave_nothing(
    busy: World, store: PostgresLedger
) -> None:
    job = two_models(busy)
    with store.writing(start(store, job).token) as writer:
        describe(writer, job)
        result = writer.open_result(header())
        writer.append_rows(result, "elements", refs())
        writer.append_rows(result, "elements", refs())
        known = busy.value("select count(*) from clash.known_elements(%s)", result)
    assert known == 0, "nobody else sees them before they are committed"
    assert (
        busy.value("select count(*) from clash.known_elements(%s)", result)
        == busy.value("select count(distinct ref) from clash.known_elements(%s)", result)
        == len(refs())
    )
