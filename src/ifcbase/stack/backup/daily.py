"""A backup every day at a time of day: when it is due, what was missed, how a failure is tried again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from ifcbase.errors import IfcbaseError

_LOG = logging.getLogger(__name__)
#: Seconds before a failed backup is tried again; doubled each time, up to the last.
FIRST_S, LAST_S = 900.0, 4 * 3600.0
#: Longest wait in one piece (seconds): clocks are set, machines sleep.
_PIECE_S = 60.0


@dataclass(frozen=True)
class Daily:
    """Once a day at a time of day of a zone. Where summer time skips it, an hour later."""

    at: time
    zone: tzinfo

    def due_before(self, now: datetime) -> datetime:
        """The last moment until now at which a backup was due, as UTC."""
        today = now.astimezone(self.zone).date()
        moments = [self._on(today - timedelta(days=days)) for days in (0, 1)]
        return next((each for each in moments if each <= now), self._on(today - timedelta(days=2)))

    def due_after(self, now: datetime) -> datetime:
        """The next moment after now, as UTC."""
        today = now.astimezone(self.zone).date()
        moments = [self._on(today + timedelta(days=days)) for days in (0, 1)]
        return next((each for each in moments if each > now), self._on(today + timedelta(days=2)))

    def _on(self, day: date) -> datetime:
        return datetime.combine(day, self.at, self.zone).astimezone(UTC)


def pause_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return min(FIRST_S * 2.0 ** min(max(failures - 1, 0), 10), LAST_S)


def run_daily(
    daily: Daily,
    step: Callable[[datetime], None],
    stop: threading.Event,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    wait: Callable[[float], object] | None = None,
) -> None:
    """Until told to stop: ``step`` at each time that is due, at once if one was missed, and again
    after a pause where it fails. ``step`` gets the last due moment and leaves done what is done.
    ``now`` and ``wait`` (seconds) are for tests."""
    wait = wait or stop.wait
    failures = 0
    while not stop.is_set():
        try:
            step(daily.due_before(now()))
        except (IfcbaseError, OSError) as error:
            failures += 1
            until = now() + timedelta(seconds=pause_s(failures))
            said = error.message if isinstance(error, IfcbaseError) else str(error)
            hint = f" ({error.hint})" if isinstance(error, IfcbaseError) and error.hint else ""
            _LOG.error("failed: %s%s; tried again at %s UTC", said, hint, f"{until:%Y-%m-%d %H:%M}")
        else:
            failures = 0
            until = daily.due_after(now())
            _LOG.info("next at %s UTC", f"{until:%Y-%m-%d %H:%M}")
        while not stop.is_set() and (left := (until - now()).total_seconds()) > 0:
            wait(min(left, _PIECE_S))
