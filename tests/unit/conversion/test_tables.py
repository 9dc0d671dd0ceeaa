"""Cells of tables: nothing runs in a spreadsheet, nothing is lost, numbers stay numbers."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.conversion import csv as csv_writer
from ifcbase.conversion import xlsx
from ifcbase.conversion.tables import COLUMNS, LONGEST, Property, Row, cell, safe
from tests.ifc_builder import IfcBuilder
from tests.unit.conversion.building import Converter

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\n=x",
    " =1+1",
    "＝1",
    '=cmd|"/c calc"!A1',
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_a_text(text: str) -> None:
    assert safe(text) == "'" + text


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.text())
def test_no_text_begins_like_a_formula(text: str) -> None:
    found = safe(text)
    assert found.lstrip(" ")[:1] not in {*"=+-@\t\r\n＝＋－＠"}
    assert len(found) <= LONGEST
    assert "\0" not in found
    assert safe(found) == found


def test_a_text_too_long_for_a_cell_is_cut_and_says_so() -> None:
    found = safe("x" * 100_000)
    assert len(found) == LONGEST
    assert found.endswith("… (cut)")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (3, 3),
        (2.5, 2.5),
        (-0.0, 0.0),
        (None, None),
        (2**60, str(2**60)),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (["a", 1, None], "a, 1, "),
        (["=a", 1], "'=a, 1"),
        ({"id": 3, "b": 2, "a": [1, 2]}, "a=(1, 2); b=2"),
        ("", ""),
    ],
)
def test_values_become_cells(value: Any, expected: Any) -> None:
    found = cell(value)
    assert (found, type(found)) == (expected, type(expected))


def row(name: str, *properties: Property) -> Row:
    return Row((name, "IfcWall", name, *[None] * (len(COLUMNS) - 4), 1), properties)


def test_every_property_of_any_element_is_a_column(tmp_path: Path) -> None:
    rows = [
        row("a", Property("Pset_B", "X", 1.5, "element"), Property("Pset_A", "Y", True, "type")),
        row('b "quoted",\nin lines', Property("Pset_A", "X", 'say "hi"', "element")),
    ]
    path = tmp_path / "a.csv"
    csv_writer.write(rows, path)
    assert b"\r\n" in path.read_bytes()
    with path.open(encoding="utf-8", newline="") as stream:
        head, first, second = list(csv.reader(stream))
    assert head == [*COLUMNS, "Pset_A.X", "Pset_A.Y", "Pset_B.X"]
    assert first[-3:] == ["", "TRUE", "1.5"]
    assert second[0] == 'b "quoted",\nin lines'
    assert second[-3:] == ['say "hi"', "", ""]


def test_rows_that_do_not_fit_into_a_sheet_go_on_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "SHEET_ROWS", 4)
    path = tmp_path / "a.xlsx"
    xlsx.write([row(f"e{i}", Property("P", "x", i, "element")) for i in range(7)], [], path)
    book = openpyxl.load_workbook(path)
    names = ["Elements", "Elements 2", "Elements 3", "Properties", "Properties 2", "Properties 3"]
    assert book.sheetnames == [*names, "About"]
    found = [r[0].value for name in names[:3] for r in book[name].iter_rows(min_row=2)]
    assert found == [f"e{i}" for i in range(7)]


def test_properties_of_the_element_win_over_those_of_its_type(
    tmp_path: Path, converter: Converter
) -> None:
    builder = IfcBuilder()
    make = builder.file.create_entity

    def pset(name: str, **values: str) -> Any:
        single = [
            make("IfcPropertySingleValue", key, None, make("IfcLabel", value), None)
            for key, value in values.items()
        ]
        return builder.root("IfcPropertySet", name, HasProperties=single)

    kind = builder.root(
        "IfcWallType", "=Type", PredefinedType="SOLIDWALL",
        HasPropertySets=[pset("Pset_X", A="type", B="type")],
    )  # fmt: skip
    wall = builder.box("wall")
    builder.root("IfcRelDefinesByType", RelatedObjects=[wall], RelatingType=kind)
    definition = pset("Pset_X", A="own", C="-own")
    builder.root(
        "IfcRelDefinesByProperties", RelatedObjects=[wall], RelatingPropertyDefinition=definition
    )
    path, _ = converter(builder.write(tmp_path / "typed.ifc"), "a.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        (found,) = csv.DictReader(stream)
    assert (found["Pset_X.A"], found["Pset_X.B"], found["Pset_X.C"]) == ("own", "type", "'-own")
    assert (found["Type"], found["PredefinedType"]) == ("'=Type", "SOLIDWALL")
