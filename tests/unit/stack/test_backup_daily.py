"""When a daily backup is due, what is made up for, and how a failure is tried again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import BackupFailed, ConfigError, IfcbaseError
from ifcbase.settings import load_settings
from ifcbase.stack.backup.daily import FIRST_S, LAST_S, Daily, pause_s, run_daily

ZONES = ["UTC", "Europe/Zurich", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]
NIGHT = Daily(time(2, 0), ZoneInfo("UTC"))
SECONDS = st.integers(0, 20 * 365 * 86_400)
MOMENTS = SECONDS.map(lambda s: datetime(2011, 12, 1, tzinfo=UTC) + timedelta(seconds=s))


@given(MOMENTS, st.times(), st.sampled_from(ZONES))
@settings(deadline=None, max_examples=300)
def test_due_moments_surround_now_and_are_a_day_apart(now: datetime, at: time, zone: str) -> None:
    daily = Daily(at.replace(tzinfo=None), ZoneInfo(zone))
    before, after = daily.due_before(now), daily.due_after(now)
    assert before <= now < after
    # Summer time makes a day an hour shorter or longer; Samoa once left out a whole one.
    assert timedelta(hours=22) <= after - before <= timedelta(hours=49)
    assert daily.due_after(before) == after
    assert daily.due_before(after) == after


def test_the_hour_is_that_of_the_zone() -> None:
    zurich = Daily(time(2, 0), ZoneInfo("Europe/Zurich"))
    winter, summer = datetime(2026, 1, 10, 12, tzinfo=UTC), datetime(2026, 7, 10, 12, tzinfo=UTC)
    assert zurich.due_after(winter) == datetime(2026, 1, 11, 1, tzinfo=UTC)
    assert zurich.due_after(summer) == datetime(2026, 7, 11, 0, tzinfo=UTC)


def test_an_hour_that_summer_time_skips_is_not_left_out() -> None:
    zurich = Daily(time(2, 30), ZoneInfo("Europe/Zurich"))
    evening = datetime(2026, 3, 28, 20, tzinfo=UTC)
    assert zurich.due_after(evening) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


class Night:
    """A clock that only waiting moves, and what was done when."""

    def __init__(self, start: datetime, days: float) -> None:
        self.now = start
        self.end = start + timedelta(days=days)
        self.stop = threading.Event()
        self.done: list[datetime] = []
        self.due: list[datetime] = []

    def wait(self, seconds: float) -> None:
        assert 0 < seconds <= 60
        self.now += timedelta(seconds=seconds)
        if self.now >= self.end:
            self.stop.set()

    def run(self, step: Callable[[datetime], None]) -> None:
        def noted(due: datetime) -> None:
            self.due.append(due)
            self.done.append(self.now)
            step(due)

        run_daily(NIGHT, noted, self.stop, now=lambda: self.now, wait=self.wait)


START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_once_at_the_start_and_then_each_night() -> None:
    night = Night(START, days=3)
    night.run(lambda _: None)
    assert night.done == [START, *(datetime(2026, 3, day, 2, tzinfo=UTC) for day in (2, 3, 4))]
    # At the start it is asked for what was due last: a machine that was off makes up for it.
    assert night.due == [datetime(2026, 3, day, 2, tzinfo=UTC) for day in (1, 2, 3, 4)]


@pytest.mark.parametrize("failure", [BackupFailed("the disk is full"), OSError(28, "No space")])
def test_a_failure_is_told_and_tried_again_with_patience(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    night = Night(START, days=0.5)
    failures = [failure] * 3

    def step(_: datetime) -> None:
        if failures:
            raise failures.pop()

    with caplog.at_level(logging.INFO):
        night.run(step)
    minutes = [round((each - START).total_seconds() / 60) for each in night.done]
    assert minutes == [0, 15, 45, 105]
    told = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(told) == 3
    assert "tried again at 2026-03-01 12:15 UTC" in told[0].getMessage()
    assert str(getattr(failure, "message", failure)) in told[0].getMessage()


def test_what_nobody_foresaw_ends_it_aloud() -> None:
    def step(_: datetime) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Night(START, days=1).run(step)


def test_told_to_stop_it_does_nothing_more() -> None:
    night = Night(START, days=9)
    night.run(lambda _: night.stop.set())
    assert night.done == [START]


@given(st.integers(1, 10_000))
@settings(deadline=None, max_examples=100)
def test_pauses_grow_and_have_an_end(failures: int) -> None:
    assert FIRST_S <= pause_s(failures) <= pause_s(failures + 1) <= LAST_S


@pytest.mark.parametrize(
    ("variable", "value"),
    [("IFCBASE_BACKUP_AT", "25:00"), ("IFCBASE_BACKUP_AT", "2"), ("IFCBASE_BACKUP_AT", "02:60"),
     ("IFCBASE_BACKUP_ZONE", "Europe/Atlantis"), ("IFCBASE_BACKUP_ZONE", "../etc/passwd")],
)  # fmt: skip
def test_a_wrong_time_or_zone_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(IfcbaseError, match=variable) as caught:
        load_settings()
    assert isinstance(caught.value, ConfigError)
