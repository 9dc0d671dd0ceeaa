"""Results of checks other than clash in `ifcbase results`: their line in the list, and one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ifcbase.cli import changes
from ifcbase.cli.conversion_results import conversion_tables
from ifcbase.cli.ids_results import ids_tables
from ifcbase.cli.output import console, counted, percent, table, verdict_text
from ifcbase.errors import RequestInvalid
from ifcbase.jobs.engine import Connection
from ifcbase.ledger import conversions, diffs, ids, results

if TYPE_CHECKING:
    from ifcbase.cli.screen import Output

#: What the count of a result counts.
_THINGS = {"tester": "failed specification", "diff": "change"}


def known(check: str) -> str:
    """The name of a check that has results. Raises RequestInvalid."""
    if check not in ("clash", *results.OTHERS):
        names = ", ".join(("clash", *results.OTHERS))
        raise RequestInvalid(f"there is no check {check!r}", hint=f"The checks are: {names}.")
    return check


def found(header: Mapping[str, Any]) -> str:
    """ "2 failed specifications"; nothing for what is not counted."""
    if header["count"] is None:
        return ""
    return counted(int(header["count"]), _THINGS[header["check"]])


def models_of(header: Mapping[str, Any]) -> str:
    """ "Architecture v2, Services v1"."""
    return ", ".join(f"{each['model']} v{each['number']}" for each in header["models"])


def detail(connection: Connection, check: str, result: int, limit: int | None) -> dict[str, Any]:
    """What belongs to a result beside its header, by name."""
    if check not in _DETAILS:
        return {}
    return _DETAILS[check][0](connection, result, limit)


def show(header: Mapping[str, Any], details: dict[str, Any]) -> None:
    """One result for people."""
    out = console()
    said = [text for text in (found(header), verdict_text(header["verdict"])) if text]
    out.say(f"{header['check']} result {header['id']}, {header['name']}: {', '.join(said)}")
    if header["models"]:
        out.say(f"models: {models_of(header)}")
    if header["coverage"] is not None:
        out.say(f"tested: {percent(header['coverage'])}")
    for warning in header["warnings"] or []:
        out.say(f"warning: {warning}")
    if header["check"] in _DETAILS:
        _DETAILS[header["check"]][1](out, details)
    if header["outputs"]:
        rows = [(each["name"], each["sha256"][:12]) for each in header["outputs"]]
        out.print(table("Files of its job", ["name", "sha256"], rows))


#: By check: what reads the rows of a result, and what shows them.
_DETAILS: dict[
    str,
    tuple[
        Callable[[Connection, int, int | None], dict[str, Any]],
        Callable[[Output, dict[str, Any]], None],
    ],
] = {
    "conversion": (conversions.read, conversion_tables),
    "diff": (diffs.show_changes, changes.show_recorded),
    "tester": (ids.read, ids_tables),
}
