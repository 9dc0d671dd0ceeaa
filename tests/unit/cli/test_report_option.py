"""`ifcbase clash --report`: refused early, written whole, said."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import pytest

from tests.ifc_builder import IfcBuilder
from tests.unit.cli.calling import Caller


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--report", "r.pdf"], "no report is written as .pdf"),
        (["--report", "r"], "no report is written as a file without an ending"),
        (["--report", "gone/r.html"], "there is no folder gone"),
        (["--report", "r.csv", "--report", "./r.csv"], "r.csv is named twice"),
        (["--report", "r.html", "-o", "r.html"], "r.html is named twice"),
        (["--report", "r.bcf", "--bcf", "1.0"], "BCF 1.0 is not written"),
        (["--report", "r.bcf", "--submit"], "--report goes with a direct run"),
    ],
)
def test_a_report_that_cannot_be_is_refused_before_the_work(
    ifcbase: Caller, model: Path, options: list[str], said: str
) -> None:
    called = ifcbase("clash", "--a", "model.ifc", *options)
    assert called.code == 2
    assert said in called.err
    assert {path.name for path in model.parent.iterdir()} <= {"model.ifc", "home"}


def test_reports_are_written_beside_the_table(ifcbase: Caller, tmp_path: Path) -> None:
    # A beam through a wall.
    for name, at, size in (
        ("A rev 1", (0.0, 0.0, 0.0), (3.0, 0.2, 3.0)),
        ("B rev 1", (1.0, -1.0, 1.0), (0.2, 3.0, 0.2)),
    ):
        made = IfcBuilder()
        made.box(f"=box of {name}", at, size)
        made.write(tmp_path / f"{name}.ifc")
    called = ifcbase(
        "clash", "--a", "A rev 1.ifc", "--b", "B rev 1.ifc", "--bcf", "3",
        *(word for suffix in ("html", "csv", "bcf", "xlsx", "md") for word in ("--report", f"r.{suffix}")),
    )  # fmt: skip
    assert called.code == 1, called.err
    assert "report written to r.html" in called.out
    with (tmp_path / "r.csv").open(encoding="utf-8-sig", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["model a"] == "A"
    assert row["name a"] == "'=box of A rev 1"
    with zipfile.ZipFile(tmp_path / "r.bcf") as archive:
        assert b'VersionId="3.0"' in archive.read("bcf.version")
        assert sum(name.endswith("markup.bcf") for name in archive.namelist()) == 1
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]
