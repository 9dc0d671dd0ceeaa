"""Versions of installed packages, each looked up once: a look-up reads and parses a file."""

from __future__ import annotations

import importlib.metadata
from functools import cache


@cache
def installed(package: str) -> str:
    """The version of an installed package. Raises PackageNotFoundError."""
    return importlib.metadata.version(package)
