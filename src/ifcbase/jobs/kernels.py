"""The compiled kernels of clash detection, made by the parent: the sandboxed child only reads."""

from __future__ import annotations

import logging

from ifcbase.errors import FileUnwritable
from ifcbase.progress import Progress, silent

_LOG = logging.getLogger(__name__)


def is_ready(engine: str) -> bool:
    """Whether the engine finds all that it needs. Takes milliseconds."""
    if engine != "solid":
        return True
    from ifcbase.clash.narrow import native

    return native.is_ready()


def prepare(engine: str, progress: Progress = silent) -> None:
    """Compile once what the engine needs and does not find. Raises KernelsUnusable.

    Where they cannot be kept, each child compiles them for itself, which takes half a minute.
    """
    if is_ready(engine):
        return
    from ifcbase.clash.narrow.kernels import build

    try:
        build(progress)
    except FileUnwritable as error:
        _LOG.warning("%s: every check will compile them again", error.message)
