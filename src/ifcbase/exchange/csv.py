"""CSV as RFC 4180 describes it: one row per finding, CRLF, nothing a spreadsheet would run."""

from __future__ import annotations

import csv
from pathlib import Path

from ifcbase.exchange.report import Report
from ifcbase.exchange.rows import Value, columns, series_word
from ifcbase.exchange.text import inert

BOM = "\ufeff"


def write_csv(report: Report, path: Path, *, bom: bool = True) -> int:
    """Write all findings and give their number. ``bom``: Excel then reads UTF-8 as UTF-8.

    Texts that a spreadsheet program could take for a formula get an apostrophe in front; numbers
    are ours and stay numbers.
    """
    with path.open("w", encoding="utf-8", newline="") as stream:
        if bom:
            stream.write(BOM)
        table = columns([each for _, each in report.findings()], series_word(report.check))
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow([column.name for column in table])
        for section, finding in report.findings():
            writer.writerow([_plain(column.value(section, finding)) for column in table])
    return report.total


def _plain(value: Value) -> str:
    if isinstance(value, float):
        # A whole number as people write it; else the shortest text that is the same number.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return inert(value or "")
