"""How the kernels are compiled: by ``build.py``, never while they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(function: Callable[..., Any]) -> Any:
    """A function of the compiled part. Only other kernels call it; doors are in ``_doors.py``.

    Division by zero gives nan, as in numpy: rows with a nan are listed as undecided.
    """
    return njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)(
        function
    )
