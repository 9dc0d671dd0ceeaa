"""How the kernels are compiled, and where the machine code is kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit


def _cache_folder() -> Path:
    """A folder of its own for every version of the sources.

    numba looks only at the file a function is in: it would go on using machine code into which
    an older version of another file was compiled.
    """
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("_*.py")):
        digest.update(source.read_bytes())
    digest.update((Path(__file__).parent / "kinds.py").read_bytes())
    given = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("IFCBASE_HOME") or "~/.ifcbase"
    base = Path(given) if given else Path(home).expanduser().absolute() / "cache"
    return base / f"kernels-{digest.hexdigest()[:16]}"


def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


CACHE_FOLDER = _cache_folder()
CACHED = _usable(CACHE_FOLDER)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile on first use and keep it in CACHE_FOLDER, if that is writable.

    Threads run it without the interpreter's lock. Division by zero gives nan, as in numpy: rows
    with a nan are listed as undecided.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(CACHE_FOLDER)  # numba decides on the folder while decorating
    try:
        return njit(cache=CACHED, nogil=True, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before
