"""Children that crash, eat all memory or hang: typed errors with their history, and the queue goes on.

One fault at a time is in tests/acceptance/test_budgets.py and test_deaths.py, what becomes of the
child's own children in tests/integration/sandbox.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.stand import Stand
from tests.faults.whole import Boxes, assert_nothing_left, assert_whole, descriptors, everyone

pytestmark = pytest.mark.long


def submit(stand: Stand, boxes: Boxes, poison: str, **settings: Any) -> str:
    return stand.submit(boxes.request(name=poison), boxes.walls, boxes.pipes, **settings)


def test_a_poisonous_job_has_its_history_and_never_blocks_what_is_behind_it(
    stand: Stand, boxes: Boxes
) -> None:
    with stand.worker(module="tests.faults.poisonous") as worker:
        good = [boxes.submit(stand)]
        stand.ended(good[0])
        before = descriptors(worker)
        crashing = submit(stand, boxes, "segfault", job_attempts=2)
        hogging = submit(stand, boxes, "hog", job_memory_mb=400, job_attempts=2)
        hanging = submit(stand, boxes, "hang", job_timeout_s=1.5, job_attempts=2)
        good += [boxes.submit(stand), boxes.submit(stand)]
        jobs = {name: stand.ended(name) for name in (crashing, hogging, hanging, *good)}
        # All that was opened for a child is closed with it, however it ended.
        assert descriptors(worker) <= before + 2
        assert worker.process.poll() is None, "the worker lives"
        pids = everyone(worker)
    assert {jobs[each]["state"] for each in good} == {"finished"}
    assert {jobs[each]["state"] for each in (crashing, hogging, hanging)} == {"failed"}
    assert_whole(stand, list(jobs))
    assert_nothing_left(stand.home, pids)

    # The crash may have been chance: tried as often as allowed. The others were tried once.
    crash = jobs[crashing]["attempts"]
    assert [each["number"] for each in crash] == [1, 2]
    for each in crash:
        assert each["worker"].endswith(f"-{worker.pid}")
        assert each["outcome"] == "failed"
        assert each["error"]["code"] == "native-crash"
        assert each["facts"]["signal"] == "SIGSEGV"
        assert "about to segfault" in each["facts"]["stderr_tail"]
        assert each["facts"]["peak_memory_mb"] > 10
    (hog,) = jobs[hogging]["attempts"]
    assert hog["error"]["code"] == jobs[hogging]["error"]["code"] == "memory-budget"
    assert hog["facts"]["peak_memory_mb"] > 100
    (hang,) = jobs[hanging]["attempts"]
    assert hang["error"]["code"] == jobs[hanging]["error"]["code"] == "time-budget"
    # Deaf to SIGTERM: it was killed.
    assert hang["facts"]["signal"] == "SIGKILL"
    # Nobody behind a poison waited for more than its end: the last one was taken from the same
    # queue in the order it came in.
    started = [stand.job(each)["attempts"][0]["started_at"] for each in (hanging, *good[1:])]
    assert started == sorted(started)
