"""What the gateway needs to serve: database, migrations, files."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ifcbase.errors import FileUnwritable, IfcbaseError

#: For how long an answer holds, so that who asks often costs little (seconds).
LOOK_S = 1.0
Look = Callable[[], None]


class Checks:
    """Things the gateway needs, looked at afresh once a second however many ask."""

    def __init__(
        self, looks: Mapping[str, Look], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._looks = looks
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[str, str] = {}
        self._until = -math.inf

    def words(self) -> dict[str, str]:
        """Each by name: "ok", or the code of what is wrong."""
        with self._lock:
            if self._clock() >= self._until:
                self._found = {name: _word(look) for name, look in self._looks.items()}
                self._until = self._clock() + LOOK_S
            return dict(self._found)


def _word(look: Look) -> str:
    try:
        look()
    except IfcbaseError as error:
        return error.code
    return "ok"


def writable(folder: Path) -> None:
    """Raises FileUnwritable unless files can be made in a folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileUnwritable("a folder cannot be made", detail=str(error)) from error
    if not os.access(folder, os.W_OK):
        raise FileUnwritable("a folder cannot be written")
