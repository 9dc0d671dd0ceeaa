"""Clocks that are wrong or jump: leases are decided by the database's clock alone, ages on a host by
one clock, and what is locked is never taken for old.

Files that retention lets go under clocks that differ are in tests/integration/operations, expired
tokens in tests/integration/gateway/test_authorisation.py.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import jwt
import pytest

from ifcbase.errors import Unauthenticated
from ifcbase.gateway.tokens import Tokens
from ifcbase.jobs.workfolder import job_folder, sweep_jobs
from ifcbase.settings import Settings
from tests.acceptance.stand import Stand
from tests.faults.whole import Boxes, assert_nothing_left, assert_whole, everyone

pytestmark = pytest.mark.long
DAY_S = 86_400


def set_clock(stand: Stand, seconds: float) -> None:
    """Written beside and renamed: a clock is read all the time."""
    made = stand.home / "clock.new"
    made.write_text(str(seconds), encoding="ascii")
    made.replace(stand.home / "clock")


def test_a_clock_that_jumps_costs_no_lease_and_takes_none(stand: Stand, boxes: Boxes) -> None:
    set_clock(stand, -DAY_S)
    stand.fault("hold")
    with stand.worker(faulty=True) as right:
        held = boxes.submit(stand)
        stand.wait_held(held)
        # A day behind, and its reaper looks at the other's lease.
        with stand.worker(module="tests.faults.skewed") as wrong:
            assert stand.outcomes(held) == [None]
            stand.no_fault()
            stand.ended(held)
            right.process.send_signal(signal.SIGSTOP)
            first = boxes.submit(stand)
            found = stand.ended(first)
            assert found["attempts"][0]["worker"].endswith(f"-{wrong.pid}")
            # What is written down are the database's moments.
            assert stand.query(
                "select a.started_at >= j.created_at and j.ended_at >= a.started_at"
                "       and abs(extract(epoch from now() - a.started_at)) < 3600 as right"
                "  from core.attempts a join core.jobs j on j.id = a.job_id where j.id = %s", first
            ) == [{"right": True}]  # fmt: skip
            # Now it is two days later, from one moment to the next, while it works and waits.
            for jump in (DAY_S, -DAY_S, 0.0):
                set_clock(stand, jump)
                job = boxes.submit(stand)
                found = stand.ended(job)
                assert found["state"] == "finished"
                assert len(found["attempts"]) == 1
            right.process.send_signal(signal.SIGCONT)
            pids = [*everyone(right), *everyone(wrong)]
            assert "lease was lost" not in wrong.log()
    jobs = [row["id"] for row in stand.query("select id::text as id from core.jobs")]
    assert len(jobs) == 5
    assert stand.query("select distinct outcome from core.attempts") == [{"outcome": "finished"}]
    assert_whole(stand, jobs)
    assert_nothing_left(stand.home, pids)


def test_what_is_in_use_is_not_swept_however_old_a_wrong_clock_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with job_folder(tmp_path, "1234567890") as folder:
        now = time.time()
        monkeypatch.setattr("ifcbase.jobs.workfolder.time.time", lambda: now + 365 * DAY_S)
        assert sweep_jobs(tmp_path) == 0
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("late_s", "taken"), [(-60, True), (2, True), (60, False)])
def test_a_token_may_be_a_moment_late_and_no_more(late_s: int, taken: bool) -> None:
    secret = "a secret of these tests that is long enough"
    settings = Settings(JWT_SECRET=secret)
    claims = {
        "sub": "00000000-0000-4000-8000-000000000001",
        "aud": "authenticated",
        "role": "authenticated",
        "exp": int(time.time()) - late_s,
    }
    tokens = Tokens(settings)
    if taken:
        assert tokens.claims(jwt.encode(claims, secret))["sub"] == claims["sub"]
    else:
        with pytest.raises(Unauthenticated):
            tokens.claims(jwt.encode(claims, secret))
