"""One table as CSV (RFC 4180, UTF-8): a row per element, a column per property any of them has."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from ifcbase.conversion.tables import COLUMNS, Cell, Row


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the table; the order of columns is fixed, then by property set and name."""
    names = sorted({(each.group, each.name) for row in rows for each in row.properties})
    column = {name: i for i, name in enumerate(names)}
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow([*COLUMNS, *(f"{group}.{name}" for group, name in names)])
        for row in rows:
            cells: list[Cell] = [None] * len(names)
            for each in row.properties:
                cells[column[each.group, each.name]] = each.value
            writer.writerow([_shown(value) for value in (*row.cells, *cells)])


def _shown(value: Cell) -> Cell:
    """Booleans as spreadsheets read them."""
    return {True: "TRUE", False: "FALSE"}[value] if isinstance(value, bool) else value
