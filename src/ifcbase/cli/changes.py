"""Changes of a diff as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ifcbase.cli.output import counted, shortened, table
from ifcbase.diff.words import in_words

if TYPE_CHECKING:
    from ifcbase.cli.screen import Output

Row = Mapping[str, Any]


def show_recorded(out: Output, details: Mapping[str, Any]) -> None:
    """The rows of a recorded diff."""
    counts = details["counts"] or {}
    for name in ("reidentified", "doubtful", "unjudged"):
        if counts.get(name):
            out.say(f"{counted(counts[name], 'element')} {_MEANING[name]}")
    if details["changes"]:
        out.print(facets_table(details["changes"]))
        out.say()
        out.print(changes_table(details["changes"]))
    if details["not_compared"]:
        lines = [(row["global_id"], row["facet"], row["reason"]) for row in details["not_compared"]]
        out.say()
        out.print(table("Not compared", ["GlobalId", "facet", "reason"], lines))


_MEANING = {
    "reidentified": "with another GlobalId than before",
    "doubtful": "of the old model that may be there under another GlobalId",
    "unjudged": "that could not be compared wholly",
}


def facets_table(rows: Sequence[Row]) -> Table:
    """How many elements of each class changed in each facet."""
    counts = Counter((row["class"], str(row["facet"])) for row in rows)
    facets = list(dict.fromkeys(str(row["facet"]) for row in rows))
    classes = sorted({row["class"] for row in rows})
    lines = [(name, *(counts[name, facet] or "" for facet in facets)) for name in classes]
    return table("Changes by class", ["elements", *facets], lines, right=facets)


def changes_table(rows: Sequence[Row]) -> Table:
    """One line per element and facet."""
    lines = [
        (
            row["facet"],
            row["class"],
            shortened(row["name"] or "", 40),
            row["storey"],
            row["global_id"],
            shortened(in_words(str(row["facet"]), row["before"], row["after"]), 90),
        )
        for row in rows
    ]
    return table("Changes", ["facet", "class", "name", "storey", "GlobalId", "change"], lines)
