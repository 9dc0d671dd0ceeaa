"""A workbook: summary, findings with filters, what was tested, what was not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from ifcbase.exchange.report import NOTHING_TESTED, Report
from ifcbase.exchange.rows import Value, columns, series_word
from ifcbase.exchange.text import cell, is_formula, moment, percent

if TYPE_CHECKING:
    import xlsxwriter
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

#: A sheet has 1,048,576 rows; what is beyond is said on the summary.
MAX_ROWS = 1_048_000
#: From here on a sheet may be larger than a plain zip file can hold.
_LARGE = 400_000

_OPTIONS = {
    # Rows are written as they come and forgotten: memory does not grow with the findings.
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
}


def write_xlsx(report: Report, path: Path) -> int:
    """Write the workbook and give the number of findings that are in it.

    Texts are text cells, never formulas or links; those that begin like a formula are also marked
    as quoted, so that editing them does not turn them into one.
    """
    # Here and not above: it takes long to load, and most reports are of other kinds.
    import xlsxwriter

    listed = min(report.total, MAX_ROWS)
    # A place that cannot be written is found before anything is made that would be left behind.
    path.open("wb").close()
    with tempfile.TemporaryDirectory(prefix="ifcbase-") as folder:
        try:
            with xlsxwriter.Workbook(str(path), _OPTIONS | {"tmpdir": folder}) as book:
                if listed > _LARGE:
                    book.use_zip64()
                _fill(book, report, listed)
        except xlsxwriter.exceptions.FileCreateError as error:
            # Its own exception hides that it is one of the system's.
            raise OSError(str(error)) from error
    return listed


def _fill(book: xlsxwriter.Workbook, report: Report, listed: int) -> None:
    book.set_properties(
        {
            "title": cell(report.title, 250),
            "author": cell(report.author, 250),
            "created": report.created.astimezone(UTC).replace(tzinfo=None),
        }
    )
    styles = _Styles(book)
    _summary(_Sheet(book.add_worksheet("Summary"), styles), report, listed)
    _findings(_Sheet(book.add_worksheet("Findings"), styles), report, listed)
    _tested(_Sheet(book.add_worksheet("Tested"), styles), report)
    if any(section.requirements for section in report.sections):
        _requirements(_Sheet(book.add_worksheet("Requirements"), styles), report)
    if any(section.left_out for section in report.sections):
        _left_out(_Sheet(book.add_worksheet("Not tested"), styles), report)


class _Styles:
    """The few formats of the workbook."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self.head: Format = book.add_format(
            {"bold": True, "bg_color": "#1F3A4D", "font_color": "#FFFFFF", "valign": "top"}
        )
        self.title: Format = book.add_format({"bold": True, "font_size": 16})
        self.bold: Format = book.add_format({"bold": True, "valign": "top"})
        self.text: Format = book.add_format({"valign": "top", "text_wrap": True})
        self.plain: Format = book.add_format({"valign": "top"})
        self.quoted: Format = book.add_format({"valign": "top", "quote_prefix": True})
        self.number: Format = book.add_format({"valign": "top", "num_format": "0.0##"})


class _Sheet:
    """A sheet that is written row after row."""

    def __init__(self, sheet: Worksheet, styles: _Styles) -> None:
        self._sheet = sheet
        self._styles = styles
        self._row = 0

    def widths(self, widths: Iterable[int]) -> None:
        """Set the widths of the columns, in characters."""
        for at, width in enumerate(widths):
            self._sheet.set_column(at, at, width)

    def title(self, text: str) -> None:
        """A row that is a heading."""
        self._sheet.write_string(self._row, 0, cell(text), self._styles.title)
        self._row += 1

    def pair(self, label: str, value: Value) -> None:
        """A row of a label and its value."""
        self._sheet.write_string(self._row, 0, cell(label), self._styles.bold)
        self._write(1, value, self._styles.text)
        self._row += 1

    def blank(self) -> None:
        """An empty row."""
        self._row += 1

    def head(self, names: Sequence[str], *, rows: int | None = None) -> None:
        """The heading of a table; with ``rows`` it is frozen and can be filtered."""
        for at, name in enumerate(names):
            self._sheet.write_string(self._row, at, cell(name), self._styles.head)
        if rows is not None:
            self._sheet.freeze_panes(self._row + 1, 0)
            self._sheet.autofilter(self._row, 0, self._row + rows, len(names) - 1)
            self._sheet.repeat_rows(self._row)
            self._sheet.set_landscape()
            self._sheet.fit_to_pages(1, 0)
        self._row += 1

    def row(self, values: Iterable[Value]) -> None:
        """A row of a table."""
        for at, value in enumerate(values):
            self._write(at, value, self._styles.plain)
        self._row += 1

    def _write(self, at: int, value: Value, style: Format) -> None:
        if isinstance(value, int | float):
            self._sheet.write_number(self._row, at, value, self._styles.number)
        elif value:
            text = cell(value)
            quoted = is_formula(text)
            self._sheet.write_string(self._row, at, text, self._styles.quoted if quoted else style)


def _summary(sheet: _Sheet, report: Report, listed: int) -> None:
    sheet.widths([28, 60, 14, 14, 14, 60])
    sheet.title(report.title)
    sheet.pair("Verdict", report.verdict)
    sheet.pair("Findings", float(report.total))
    if listed < report.total:
        sheet.pair("Listed", f"the first {listed}: a sheet has no room for more")
    sheet.pair("Made", moment(report.created))
    if report.project:
        sheet.pair("Project", report.project)
    for label, value in report.facts:
        sheet.pair(label, value)
    for warning in report.warnings:
        sheet.pair("Warning", warning)
    sheet.blank()
    sheet.head(
        [series_word(report.check), "outcome", "verdict", "findings", "not tested", "warnings"]
    )
    for each in report.sections:
        sheet.row(
            [
                each.name,
                each.sentence,
                each.verdict,
                float(len(each.findings)),
                float(len(each.left_out)),
                "; ".join(each.warnings),
            ]
        )
    sheet.blank()
    sheet.head(["model", "file", "version", "schema", "", "SHA-256"])
    for model in report.models:
        version = None if model.version is None else float(model.version)
        sheet.row([model.name, model.file, version, model.schema, None, model.sha256])
    for key, label in (("kind", "kind"), ("state", "state"), ("review", "review"),
                       ("class_pair", "classes"), ("storey", "storey")):  # fmt: skip
        if counts := report.counts(key):
            sheet.blank()
            sheet.head([label, "findings"])
            for value, count in counts:
                sheet.row([value or "(none)", float(count)])


def _findings(sheet: _Sheet, report: Report, listed: int) -> None:
    table = columns([each for _, each in report.findings()], series_word(report.check))
    sheet.widths(column.width for column in table)
    sheet.head([column.name for column in table], rows=listed)
    for number, (section, finding) in enumerate(report.findings()):
        if number == listed:
            break
        sheet.row(column.value(section, finding) for column in table)


def _tested(sheet: _Sheet, report: Report) -> None:
    names = [series_word(report.check), "part", "model", "selection", "selected", "tested",
             "left out"]  # fmt: skip
    sheet.widths([24, 10, 24, 40, 10, 10, 40])
    sheet.head(names, rows=sum(len(each.tested) for each in report.sections))
    for section in report.sections:
        for each in section.tested:
            left = ", ".join(f"{count} {why}" for why, count in sorted(each.left_out.items()))
            sheet.row(
                [section.name, each.part, each.model, each.selection, float(each.selected),
                 float(each.tested), left]
            )  # fmt: skip


def _requirements(sheet: _Sheet, report: Report) -> None:
    names = ["specification", "requirement", "tested", "passed", "failed", "not judged", "share"]
    sheet.widths([30, 70, 10, 10, 10, 10, 16])
    sheet.head(names, rows=sum(len(each.requirements) for each in report.sections))
    for section in report.sections:
        for each in section.requirements:
            sheet.row(
                [section.name, each.text, float(each.evaluated), float(each.passed),
                 float(each.failed), float(each.unjudged), percent(each.share, NOTHING_TESTED)]
            )  # fmt: skip


def _left_out(sheet: _Sheet, report: Report) -> None:
    names = [series_word(report.check), "part", "reason", "model", "class", "name", "GlobalId",
             "storey"]  # fmt: skip
    sheet.widths([24, 10, 24, 20, 20, 30, 25, 16])
    sheet.head(names, rows=min(sum(len(each.left_out) for each in report.sections), MAX_ROWS))
    rows = ((section, each) for section in report.sections for each in section.left_out)
    for number, (section, each) in enumerate(rows):
        if number == MAX_ROWS:
            break
        e = each.element
        sheet.row([section.name, each.part, each.reason, e.model, e.ifc_class, e.name, e.global_id,
                   e.storey])  # fmt: skip
