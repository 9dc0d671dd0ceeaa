"""Which backups stay: the last of each of so many days, weeks and months, and always the newest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Keep:
    """Of how many days, weeks and months the last backup is kept."""

    daily: int = 7
    weekly: int = 5
    monthly: int = 12


def obsolete(names: Iterable[str], keep: Keep, trusted: Iterable[str] = ()) -> list[str]:
    """The names of those that go, the oldest first. The newest stays, and so does the newest of the
    ``trusted`` (those that were verified): a series of broken ones must not push it out."""
    ordered = sorted(names, key=_moment, reverse=True)
    kept = set(ordered[:1])
    verified = sorted(trusted, key=_moment, reverse=True)
    kept |= set(verified[:1])
    for count, form in ((keep.daily, "%Y-%m-%d"), (keep.weekly, "%G-%V"), (keep.monthly, "%Y-%m")):
        periods: dict[str, str] = {}
        for name in ordered:
            period = _moment(name)[0].strftime(form)
            if period not in periods and len(periods) < count:
                periods[period] = name
        kept |= set(periods.values())
    return [name for name in reversed(ordered) if name not in kept]


def _moment(name: str) -> tuple[datetime, int]:
    """When a set was made, and its number where a second had several."""
    _, stamp, *number = name.split("-")
    made = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return made, int(number[0]) if number else 1
