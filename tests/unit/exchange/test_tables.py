"""CSV and XLSX: every finding is there, other readers agree, and nothing in them runs."""

from __future__ import annotations

import csv
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ifcbase.exchange import xlsx
from ifcbase.exchange.csv import write_csv
from ifcbase.exchange.report import Finding, Report, Section
from ifcbase.exchange.text import CUT, MAX_CELL, cell, inert, is_formula, line, percent
from ifcbase.exchange.xlsx import write_xlsx
from ifcbase.ifc.text import is_clean
from tests.unit.exchange.made import (
    NASTY,
    POINT,
    any_report,
    element,
    finding,
    full_finding,
    ids_report,
    report,
)

QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def csv_rows(path: Path, encoding: str = "utf-8-sig") -> list[list[str]]:
    with path.open(encoding=encoding, newline="") as stream:
        return list(csv.reader(stream, strict=True))


def table(path: Path) -> list[dict[str, str]]:
    head, *rows = csv_rows(path)
    return [dict(zip(head, row, strict=True)) for row in rows]


def book(path: Path) -> Any:
    return openpyxl.load_workbook(path)


def sheet_rows(path: Path, sheet: str) -> list[dict[str, Any]]:
    head, *rows = list(book(path)[sheet].iter_rows(values_only=True))
    return [dict(zip(head, row, strict=True)) for row in rows]


# --- CSV -----------------------------------------------------------------------------------------


def test_csv_says_all_of_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    assert write_csv(report(full_finding(), finding(1)), path) == 2
    full, plain = table(path)
    assert full == {
        "clash set": "Walls vs pipes",
        "finding": "Wall 7 clashes with Pipe 7",
        "kind": "pierce",
        "distance (mm)": "12.3",
        "measured": "exact",
        "state": "persisting: seen again",
        "review": "reviewed: to be moved",
        "priority": "High",
        "assigned to": "mep@example.org",
        "due": "2026-12-01",
        "group": "3",
        "reason": "It was there before.",
        "storey": "Level 1",
        "model a": "Architecture",
        "class a": "IfcWall",
        "name a": "Wall 7",
        "GlobalId a": "0000000000000000000007",
        "model b": "Services",
        "class b": "IfcPipeSegment",
        "name b": "Pipe 7",
        "GlobalId b": "0000000000000000001007",
        "x (m)": "2681234.123456",
        "y (m)": "1247890.654321",
        "z (m)": "408.25",
        "since": "2026-11-01 08:00 UTC",
        "comments": "anna: Move the pipe. | ben: Done on Monday.",
    }
    assert plain["assigned to"] == ""
    assert float(plain["x (m)"]) == POINT[0]


def test_csv_is_as_rfc_4180_and_excel_want_it(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    write_csv(report(finding(1, title='He said "no",\nthen left')), path)
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.endswith(b"\r\n")
    assert b'"He said ""no"",\nthen left"' in data
    write_csv(report(finding(1)), path, bom=False)
    assert not path.read_bytes().startswith(b"\xef\xbb\xbf")


@QUICK
@given(made=any_report())
def test_csv_has_one_row_per_finding_and_no_formula(tmp_path: Path, made: Report) -> None:
    path = tmp_path / "any.csv"
    assert write_csv(made, path) == made.total
    head, *rows = csv_rows(path)
    assert len(rows) == made.total
    numbers = {"distance (mm)", "x (m)", "y (m)", "z (m)", "elements"}
    for row in rows:
        assert len(row) == len(head)
        for name, value in zip(head, row, strict=True):
            assert is_clean(value)
            assert len(value) <= MAX_CELL + 1
            if name in numbers and value:
                float(value)
            else:
                assert not is_formula(value)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", " =1", "＝1"])
def test_what_a_spreadsheet_would_run_is_made_inert(text: str) -> None:
    assert is_formula(text)
    assert inert(text) == "'" + text
    assert not is_formula(inert(text))


@pytest.mark.parametrize("text", ["Wall", "1 - 2", "a=b", "", "'", "3.5", "Ø 100"])
def test_plain_texts_stay_as_they_are(text: str) -> None:
    assert inert(text) == text


# --- XLSX ----------------------------------------------------------------------------------------


def test_the_workbook_has_its_sheets_with_filters_and_frozen_heads(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    assert write_xlsx(report(full_finding(), finding(1), finding(2)), path) == 3
    made = book(path)
    assert made.sheetnames == ["Summary", "Findings", "Tested", "Not tested"]
    sheet = made["Findings"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == f"A1:{sheet.cell(1, sheet.max_column).column_letter}4"
    first = sheet_rows(path, "Findings")[0]
    assert first["distance (mm)"] == 12.3
    assert first["x (m)"] == POINT[0]
    assert first["GlobalId b"] == "0000000000000000001007"
    assert first["state"] == "persisting: seen again"


def test_the_workbook_says_what_was_tested_and_what_not(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    write_xlsx(report(finding(1)), path)
    a, b = sheet_rows(path, "Tested")
    assert (a["selected"], a["tested"], a["left out"]) == (10, 8, "2 no geometry")
    assert (b["selected"], b["tested"]) == (0, 0)
    (left,) = sheet_rows(path, "Not tested")
    assert (left["name"], left["reason"]) == ("Wall 5", "no geometry")
    summary = {row[0]: row[1] for row in book(path)["Summary"].iter_rows(values_only=True)}
    assert summary["Verdict"] == "found"
    assert summary["Findings"] == 1
    assert summary["Project"] == "tower"


def test_no_element_tested_is_not_a_hundred_percent(tmp_path: Path) -> None:
    path = tmp_path / "ids.xlsx"
    write_xlsx(ids_report(0), path)
    (rule,) = sheet_rows(path, "Requirements")
    assert rule["share"] == "nothing tested"
    write_xlsx(ids_report(3), path)
    (rule,) = sheet_rows(path, "Requirements")
    assert rule["share"] == "100 %"


@settings(QUICK, max_examples=15)
@given(made=any_report())
def test_every_text_of_a_workbook_is_text(tmp_path: Path, made: Report) -> None:
    path = tmp_path / "any.xlsx"
    assert write_xlsx(made, path) == made.total
    loaded = book(path)
    assert loaded["Findings"].max_row == made.total + 1
    for sheet in loaded:
        for row in sheet.iter_rows():
            for each in row:
                assert each.data_type in {"s", "n", "inlineStr"}, each.value
                assert each.hyperlink is None
                if isinstance(each.value, str) and is_formula(each.value):
                    assert each.quotePrefix or sheet.title == "Summary", each.value


@pytest.mark.parametrize("text", NASTY)
def test_a_nasty_name_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.xlsx"
    write_xlsx(report(finding(1, elements=(element(1, name=text),))), path)
    (row,) = sheet_rows(path, "Findings")
    got = row["name"] or ""
    assert got == cell(text)
    if len(text) > MAX_CELL:
        assert got.endswith(CUT)


def test_formula_like_names_are_marked_as_quoted(tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    write_xlsx(report(finding(1, title="=HYPERLINK(1)")), path)
    (shown,) = [c for c in book(path)["Findings"][2] if c.value == "=HYPERLINK(1)"]
    assert shown.data_type == "s"
    assert shown.quotePrefix


def test_a_full_sheet_is_said_on_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "MAX_ROWS", 2)
    path = tmp_path / "r.xlsx"
    assert write_xlsx(report(finding(1), finding(2), finding(3)), path) == 2
    assert book(path)["Findings"].max_row == 3
    values = [row[1] for row in book(path)["Summary"].iter_rows(values_only=True)]
    assert "the first 2: a sheet has no room for more" in values


def test_bytes_depend_on_the_report_alone(tmp_path: Path) -> None:
    made = report(full_finding(), finding(1))
    for writer, name in ((write_xlsx, "x.xlsx"), (write_csv, "x.csv")):
        writer(made, tmp_path / name)
        first = (tmp_path / name).read_bytes()
        time.sleep(2.1 if name == "x.xlsx" else 0)  # a zip's clock ticks every two seconds
        writer(made, tmp_path / name)
        assert (tmp_path / name).read_bytes() == first


@pytest.mark.parametrize("writer", [write_csv, write_xlsx])
def test_memory_does_not_grow_with_the_findings(tmp_path: Path, writer: Any) -> None:
    base = finding(1)

    def peak(size: int) -> int:
        many: list[Finding] = [base] * size
        made = replace(report(), sections=[Section("s", "found", "", many)])
        tracemalloc.start()
        writer(made, tmp_path / "many")
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    small, large = peak(100), peak(900)
    assert large - small < 400_000, (small, large)


# --- texts ---------------------------------------------------------------------------------------


@given(st.text(), st.integers(len(CUT) + 1, 60))
@example("x" * 61, 60)
def test_cut_texts_say_so(text: str, limit: int) -> None:
    made = cell(text, limit)
    assert len(made) <= limit
    assert is_clean(made)
    assert "\r" not in made
    assert made.endswith(CUT) or len(made) == len(text) - text.count("\r\n")


@given(st.text())
def test_a_line_is_one_line(text: str) -> None:
    assert len(line(text).splitlines()) <= 1
    assert line(text) == line(text).strip() or line(text).endswith(CUT)


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "nothing"), (1.0, "100 %"), (0.99999, "99.9 %"), (0.0, "0.0 %"), (0.825, "82.5 %")],
)
def test_shares_are_never_rounded_up_to_all(share: float | None, text: str) -> None:
    assert percent(share, "nothing") == text
