"""A conversion's result as `ifcbase results show` tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ifcbase.cli.output import left_out_text, table

if TYPE_CHECKING:
    from ifcbase.cli.screen import Output


def conversion_tables(out: Output, details: dict[str, Any]) -> None:
    """How much is in the output, and each element that is not."""
    facts = details["facts"]
    if facts.get("selected") is not None:
        out.say(f"{facts['converted']} of {facts['selected']} elements")
        held = [f"{value} {key.replace('_', ' ')}" for key, value in facts["counts"].items()]
        out.say(", ".join(held))
    for name, value in facts.get("conversion_options", {}).items():
        out.say(f"{name}: {value}")
    if not facts.get("left_out_counts"):
        return
    out.say(f"left out: {left_out_text(facts['left_out_counts'])}")
    columns = ["class", "name", "storey", "GlobalId", "reason", "detail"]
    keys = ["ifc_class", "name", "storey", "global_id", "reason", "detail"]
    rows = [[each[key] for key in keys] for each in details["left_out"]]
    out.print(table("Left out", columns, rows))
