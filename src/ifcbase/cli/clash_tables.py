"""The tables of a clash result, of a check run here or of a recorded one."""

from __future__ import annotations

from typing import Any

from ifcbase.clash.request import SelectMode
from ifcbase.cli.output import left_out_text, millimetres, table


def coverage_table(sides: list[dict[str, Any]]) -> Any:
    """What each side really tested."""
    rows = [
        (
            s["side"],
            s["file"],
            f"{s['model']} v{s['number']}" if s.get("number") else "",
            selection(s["mode"], s["selector"]),
            s["selected"],
            s["tested"],
            left_out_text(s["left_out"]),
        )
        for s in sides
    ]
    columns = ["side", "file", "model", "selector", "selected", "tested", "left out"]
    return table("Tested", columns, rows, right=["selected", "tested"])


def selection(mode: str | None, selector: str | None) -> str:
    """Which elements a side takes, in words; ``mode`` is a, i or e."""
    if not selector or mode == SelectMode.ALL:
        return "all elements"
    return f"all but {selector}" if mode == SelectMode.EXCLUDE else selector


def contacts_table(title: str, contacts: list[dict[str, Any]]) -> Any:
    """Clashes with what their elements are."""
    rows = [
        (
            c["kind"],
            millimetres(c["distance"]) if c["measured"] else "",
            f"{c['a_class'] or ''} {c['a_name'] or c['a_global_id']}",
            f"{c['b_class'] or ''} {c['b_name'] or c['b_global_id']}",
            c.get("a_storey") or c.get("b_storey") or "",
            f"{c['x']:.2f} {c['y']:.2f} {c['z']:.2f}",
        )
        for c in contacts
    ]
    columns = ["kind", "distance", "a", "b", "storey", "at (m)"]
    return table(title, columns, rows, right=["distance"])
