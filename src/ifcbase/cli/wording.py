"""Refusals of a request in the words of the command line it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ifcbase.clash.request import ClashRequest, parse_request
from ifcbase.errors import RequestInvalid, SelectorInvalid

#: Fields of which the command line sets one value for all sets.
_SHARED = {
    "mode", "tolerance", "clearance", "check_all", "allow_touching", "include_related",
    "min_coverage", "name", "max_clashes",
}  # fmt: skip
HINT = "Correct the option and try again; `ifcbase clash --help` explains each."


def parsed(document: Mapping[str, Any], *, from_options: bool) -> ClashRequest:
    """The request, whose sets came from options or from a spec. Raises RequestInvalid and
    SelectorInvalid naming options, or fields of the spec."""
    try:
        if from_options:
            return parse_request(document, option_of)
        return parse_request(document, lambda where: _field_of(where, document))
    except SelectorInvalid:
        raise
    except RequestInvalid as error:
        hint = HINT if from_options else "Correct the file of --spec and try again."
        raise RequestInvalid(error.message, hint=hint) from error


def option_of(location: tuple[int | str, ...]) -> str:
    """ "--a-selector" for the selector of a file on side a."""
    names = [part for part in location if isinstance(part, str) and part != "clash_sets"]
    match names:
        case ["a" | "b" as side, "selector", *_]:
            return f"--{side}-selector"
        case ["a" | "b" as side, *_]:
            return f"--{side}"
        case ["output_filename", *_]:
            return "-o"
        case [name, *_] if name in _SHARED:
            return "--" + name.replace("_", "-")
    return ""


def _field_of(location: tuple[int | str, ...], document: Mapping[str, Any]) -> str:
    """The field of a spec, or the option where that is where the value came from."""
    match location:
        case ["clash_sets", int(number), str(name)] if name in document:
            given = document["clash_sets"][number]
            if isinstance(given, dict) and given.get(name) is None:
                return option_of((name,))
        case ["clash_sets", *_]:
            pass
        case _:
            return option_of(location)
    where = "clash_sets"
    for part in location[1:]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}"
    return where
