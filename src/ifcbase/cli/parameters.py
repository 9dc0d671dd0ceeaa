"""Texts, paths and what was not given reach a command without the library that judges the rest.

Typer judges every parameter by pydantic, also those of which there is nothing to judge; loading it
takes longer than starting the command. Where Typer keeps its judges otherwise than here, all stays
as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

_PLAIN: dict[Any, Callable[[Any], Any]] = {
    str: str,
    Path: Path,
    list[str]: list,
    list[Path]: lambda values: [Path(each) for each in values],
}


class _Late:
    """In the place of a parameter's judge, which is made when there is something to judge."""

    def __init__(self, descriptor: Any, make: Callable[[Any], Any]) -> None:
        self._descriptor = descriptor
        self._make = make

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the command gets it. Raises what the judge raises."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        wanted = self._descriptor.annotation
        # A default is of its type; what is typed is text.
        if isinstance(wanted, type) and type(value) is wanted:
            return value
        if wanted in _PLAIN and not _asks_more(self._descriptor.parameter_info):
            texts = value if isinstance(value, (list, tuple)) else [value]
            if all(isinstance(each, (str, Path)) for each in texts):
                return _PLAIN[wanted](value)
        return self._make(self._descriptor).coerce(value, param=param, ctx=ctx)


def lighten() -> None:
    """Let Typer make the judge of a parameter when there is something to judge."""
    try:
        from typer._coercion import build_runtime_param
        from typer.core import _TyperParameter
    except ImportError:  # another version of Typer: its own way is right, only slower
        return

    def late(parameter: Any) -> Any:
        if parameter._runtime_param is None:
            parameter._runtime_param = _Late(parameter.type_descriptor, build_runtime_param)
        return parameter._runtime_param

    if hasattr(_TyperParameter, "get_runtime_param"):
        _TyperParameter.get_runtime_param = late  # type: ignore[assignment]


def _asks_more(info: Any) -> bool:
    """Whether more is asked of a text or a path than to be one."""
    return bool(
        info.parser or info.exists or info.resolve_path or info.allow_dash or info.path_type
    )
