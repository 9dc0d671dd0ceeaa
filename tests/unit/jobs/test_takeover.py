"""After how long a dead worker's job is in other hands, by the defaults: counted, not waited for."""

from __future__ import annotations

import inspect

from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.settings import Settings
from ifcbase.stack.doctor.checks import State
from ifcbase.stack.doctor.machine import leases

#: What the promise is, in seconds.
TAKEN_OVER_S = 30.0


def test_a_job_is_taken_over_within_half_a_minute_by_default() -> None:
    settings = Settings()
    # It was renewed a moment before its worker died; the reaper looked a moment before it lapsed;
    # and whoever is to take it is not told, but looks at the queue by himself.
    looks = inspect.signature(ProcrastinateEngine).parameters["poll_s"].default
    assert settings.lease_s + settings.reap_s + looks <= TAKEN_OVER_S


def test_a_lease_outlives_several_signs_of_life_by_default() -> None:
    """A takeover that comes soon must not come to workers that live."""
    settings = Settings()
    assert settings.lease_s >= 10 * settings.heartbeat_s
    assert leases(settings)[0] is State.OK
    assert leases(Settings(lease_s=2, heartbeat_s=1))[0] is State.WRONG
