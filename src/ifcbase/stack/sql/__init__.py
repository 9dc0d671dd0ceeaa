"""The queries of ``stack``, one per ``.sql`` file; the first line of each says what it answers."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def query(name: str) -> str:
    """The text of ``<name>.sql``."""
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
