"""How the kernels are compiled: by ``kernels.py``, never while they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, types


def kernel(function: Callable[..., Any]) -> Any:
    """A function of the compiled part. Only other kernels call it; doors are in ``_doors.py``.

    Division by zero gives nan, as in numpy: rows with a nan are listed as undecided.
    """
    compiled = njit(
        nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
    )(function)
    resolve = compiled.get_call_template

    def with_plain_types(arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        # numba would compile anew for every constant somebody passes.
        plain = {name: types.unliteral(t) for name, t in named.items()}
        return resolve(tuple(types.unliteral(t) for t in arguments), plain)

    compiled.get_call_template = with_plain_types
    return compiled
