"""A network that breaks, stalls and loses answers, between a worker and its database and its queue.

The same over REST is in tests/integration/rest/test_faults.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.acceptance.stand import Stand, eventually
from tests.faults.whole import (
    Boxes,
    assert_nothing_left,
    assert_whole,
    descriptors,
    everyone,
    until_fenced_off,
)
from tests.faults.wire import Wire
from tests.integration.jobs.brokers import Broker

pytestmark = pytest.mark.long


@pytest.fixture
def wire(stand: Stand) -> Iterator[Wire]:
    """Between the worker and the database; the tests ask the database itself."""
    known = conninfo_to_dict(stand.database())
    with Wire((str(known["host"]), int(str(known["port"])))).running() as made:
        yield made


def through(wire: Wire, stand: Stand) -> str:
    return make_conninfo(stand.database(), host="127.0.0.1", port=wire.port, sslmode="disable")


def once(before: bytes, word: bytes, what: str) -> Callable[[bytes, bytes], str]:
    """Let ``what`` happen to the first connection on which a client says a word after another."""
    happened = False

    def watch(said: bytes, says: bytes) -> str:
        nonlocal happened
        if happened or word not in says or before not in said + says:
            return ""
        happened = True
        return what

    return watch


@pytest.mark.parametrize(
    ("before", "word", "what"),
    [
        (b"", b"PGCOPY", "half"),
        (b"", b"public.finish_job", "cut"),
        (b"public.finish_job", b"COMMIT", "unheard"),
    ],
    ids=["while rows are copied", "when the job is to end", "after it has ended, unheard"],
)
def test_a_save_that_breaks_is_stored_once(
    stand: Stand, boxes: Boxes, wire: Wire, before: bytes, word: bytes, what: str
) -> None:
    with stand.worker(DATABASE_URL=through(wire, stand)) as worker:
        first = boxes.submit(stand)
        stand.ended(first)
        opened = descriptors(worker)
        wire.watch = once(before, word, what)
        second = boxes.submit(stand)
        assert stand.ended(second)["state"] == "finished"
        eventually(lambda: wire.seen == [what], "it broke there", lambda: wire.seen)
        # An answer that got lost is no second attempt, and the worker takes the next job.
        third = boxes.submit(stand)
        assert stand.ended(third)["state"] == "finished"
        assert stand.outcomes(second) == ["finished"]
        # A pool may hold a connection more than before.
        assert descriptors(worker) <= opened + 4
        pids = everyone(worker)
    assert_whole(stand, [first, second, third])
    assert_nothing_left(stand.home, pids)


def test_a_stalled_network_costs_the_lease_and_what_comes_through_late_is_fenced_off(
    stand: Stand, boxes: Boxes, wire: Wire
) -> None:
    stand.fault("hold")
    with stand.worker(faulty=True, DATABASE_URL=through(wire, stand)) as cut_off:
        job = boxes.submit(stand)
        stand.wait_held(job)
        wire.stall()
        # Its child computes the whole result, for nobody.
        stand.no_fault()
        with stand.worker() as other:
            assert stand.ended(job)["state"] == "finished"
            results = stand.query("select * from clash.results")
            pids = everyone(other)
        wire.mend()
        until_fenced_off(cut_off)
        assert stand.query("select * from clash.results") == results
        assert stand.outcomes(job) == ["lost", "finished"]
        # It is a good worker again.
        next_one = boxes.submit(stand)
        assert stand.ended(next_one)["state"] == "finished"
        pids += everyone(cut_off)
    assert_whole(stand, [job, next_one])
    assert_nothing_left(stand.home, pids)


def test_a_network_that_is_cut_for_a_while_costs_neither_job_nor_worker(
    stand: Stand, boxes: Boxes, wire: Wire
) -> None:
    stand.fault("hold")
    # Longer than the cut: nobody else may have it.
    with stand.worker(
        faulty=True, DATABASE_URL=through(wire, stand), IFCBASE_LEASE_S="60"
    ) as worker:
        job = boxes.submit(stand)
        stand.wait_held(job)
        wire.cut()
        stand.no_fault()
        waiting = boxes.submit(stand)
        eventually(lambda: "no heartbeat" in worker.log(), "it is missed", worker.log)
        eventually(lambda: "not stored yet" in worker.log(), "the result waits", worker.log)
        wire.mend()
        assert stand.ended(job)["state"] == "finished"
        assert stand.ended(waiting)["state"] == "finished"
        assert worker.process.poll() is None, "the worker outlived it"
        pids = everyone(worker)
    assert stand.outcomes(job) == stand.outcomes(waiting) == ["finished"]
    assert_whole(stand, [job, waiting])
    assert_nothing_left(stand.home, pids)


def test_a_queue_that_is_cut_off_loses_no_job_and_no_result(
    stand: Stand, boxes: Boxes, tmp_path: Path
) -> None:
    broker = Broker(tmp_path)
    broker.start()
    try:
        stand.variables["REDIS_URL"] = broker.url
        with Wire(("127.0.0.1", broker.port)).running() as wire:
            url = broker.url.replace(f":{broker.port}/", f":{wire.port}/")
            stand.fault("hold")
            with stand.worker(faulty=True, REDIS_URL=url) as worker:
                job = boxes.submit(stand)
                stand.wait_held(job)
                wire.cut()
                stand.no_fault()
                # The queue is not needed to store what was computed.
                assert stand.ended(job)["state"] == "finished"
                eventually(
                    lambda: "queue cannot be reached" in worker.log(), "it is missed", worker.log
                )
                waiting = boxes.submit(stand)
                assert stand.job(waiting)["state"] == "queued"
                wire.mend()
                assert stand.ended(waiting)["state"] == "finished"
                pids = everyone(worker)
    finally:
        broker.kill()
    assert stand.outcomes(job) == stand.outcomes(waiting) == ["finished"]
    assert_whole(stand, [job, waiting])
    assert_nothing_left(stand.home, pids)
