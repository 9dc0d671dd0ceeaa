"""Which files were found fit for which use: their bytes never change, their name is their hash."""

from __future__ import annotations

import threading
from collections import OrderedDict

#: Files that are remembered.
MOST_REMEMBERED = 10_000


class Fit:
    """Which files were found fit for which use, so that each is looked at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def __contains__(self, key: tuple[str, str]) -> bool:
        with self._lock:
            return key in self._seen

    def add(self, key: tuple[str, str]) -> None:
        """Note one; the oldest goes if there are too many."""
        with self._lock:
            self._seen[key] = None
            while len(self._seen) > MOST_REMEMBERED:
                self._seen.popitem(last=False)
