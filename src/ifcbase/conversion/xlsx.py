"""A workbook: a sheet of elements, a sheet with a row per property, and what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from ifcbase.conversion.tables import COLUMNS, Cell, Row

#: Rows that a sheet can hold, the heading included.
SHEET_ROWS = 1_048_576
#: The format demands a date; a real one would make every file another.
WHEN = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
PROPERTIES = ("GlobalId", "Class", "Name", "Set", "Property", "Value", "Source")


def write(rows: Sequence[Row], facts: Iterable[tuple[str, Cell]], path: Path) -> None:
    """Write the sheets; ``facts`` are names and values for the sheet about the conversion."""
    import xlsxwriter

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(path, options) as book:
        book.set_properties({"created": WHEN, "author": "ifcbase"})
        bold = book.add_format({"bold": True})
        _write_table(book, bold, "Elements", COLUMNS, (row.cells for row in rows))
        _write_table(book, bold, "Properties", PROPERTIES, _properties(rows))
        _write_table(book, bold, "About", ("What", "Value"), facts)


def _properties(rows: Sequence[Row]) -> Iterator[tuple[Cell, ...]]:
    for row in rows:
        for each in row.properties:
            yield (*row.cells[:3], each.group, each.name, each.value, each.source)


def _write_table(
    book: Any, bold: Any, name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> None:
    """A sheet, and further ones where the rows do not fit into it."""
    waiting = iter(rows)
    part = list(islice(waiting, SHEET_ROWS - 1))
    number = 1
    while part or number == 1:
        sheet = book.add_worksheet(name if number == 1 else f"{name} {number}")
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(columns) - 1, 24)
        sheet.write_row(0, 0, columns, bold)
        for at, row in enumerate(part, 1):
            for column, value in enumerate(row):
                if value is not None:
                    _write_cell(sheet, at, column, value)
        sheet.autofilter(0, 0, len(part), len(columns) - 1)
        part = list(islice(waiting, SHEET_ROWS - 1))
        number += 1


def _write_cell(sheet: Any, row: int, column: int, value: Cell) -> None:
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value)
    else:
        sheet.write_string(row, column, value)
