"""Tables of an IDS result for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ifcbase.cli.output import percent, shortened, table
from ifcbase.cli.sets import STATES

if TYPE_CHECKING:
    from ifcbase.cli.screen import Output


def ids_tables(out: Output, details: Mapping[str, Any]) -> None:
    """Every specification, the states of the failures, and the failures themselves."""
    rows: list[tuple[Any, ...]] = [
        (shortened(each["name"]), each["usage"], each["applicable"],
         each["applicable"] - each["failed"], each["failed"], each["unjudged"], each["verdict"])
        for each in details["specifications"]
    ]  # fmt: skip
    columns = ["specification", "usage", "applies to", "passed", "failed", "not judged", "verdict"]
    out.print(table("Specifications", columns, rows, right=columns[2:6]))
    rows = [
        (each["ids"], each["model"], percent(each["rate"]) or "nothing checked",
         *(each[state] for state in STATES))
        for each in details["series"]
    ]  # fmt: skip
    columns = ["IDS", "model", "checks passed", *STATES]
    out.print(table("Failures by state", columns, rows, right=columns[2:]))
    if details["failures"]:
        rows = [
            (shortened(each["specification"], 40), _element(each), each["reason"], each["storey"],
             each["state"])
            for each in details["failures"]
        ]  # fmt: skip
        columns = ["specification", "element", "reason", "storey", "now"]
        out.print(table("Failures", columns, rows))
    if details["left_out"]:
        rows = [
            (shortened(each["specification"], 40), each["global_id"], each["reason"])
            for each in details["left_out"]
        ]
        out.print(table("Not judged", ["specification", "GlobalId", "reason"], rows))


def _element(each: Mapping[str, Any]) -> str:
    if each["global_id"] is None:
        return ""
    return f"{each['class'] or ''} {each['name'] or each['global_id']}".strip()
