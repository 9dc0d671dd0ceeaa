"""`ifcbase diff` on files: what it prints, what it writes, its exit codes and its refusals."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import ifcopenshell
import pytest

from tests.unit.cli.calling import Caller
from tests.unit.diff import house as building
from tests.unit.diff.house import House, guid, house


def written(folder: Path, made: House) -> Path:
    folder.mkdir(exist_ok=True)
    return made.write(folder / "House.ifc")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return written(tmp_path / "a", house(3))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    made = house(3)
    building.moved(made, 0)
    building.marked(made, 1)
    building.added(made, 2)
    return written(tmp_path / "b", made)


def test_changes_are_shown_by_class_and_facet(ifcbase: Caller, old: Path, new: Path) -> None:
    done = ifcbase("diff", old, new)
    assert done.code == 1
    assert "a/House.ifc to b/House.ifc: 1 added, 0 deleted, 2 changed" in done.out
    assert "moved by 3.0 mm (0, 0.003, 0)" in done.out
    assert "Own.Mark: M1 to changed" in done.out
    assert guid(1000) in done.out


def test_the_report_as_json_and_as_a_file(
    ifcbase: Caller, old: Path, new: Path, tmp_path: Path
) -> None:
    target = tmp_path / "diff.json"
    done = ifcbase("diff", old, new, "-o", target, "--json")
    assert done.code == 1
    shown = json.loads(done.out)
    assert shown == json.loads(target.read_text())
    assert (shown["diff_count"], shown["verdict"]) == (3, "changed")
    marked = shown["changed"][guid(1001)]["properties_changed"]
    assert marked == {"before": {"Own.Mark": "M1"}, "after": {"Own.Mark": "changed"}}


def test_the_same_file_is_unchanged(ifcbase: Caller, old: Path) -> None:
    done = ifcbase("diff", old, old)
    assert done.code == 0
    assert "unchanged" in done.out
    assert "byte for byte" in done.out


def test_only_what_is_asked_for_is_compared(ifcbase: Caller, old: Path, new: Path) -> None:
    done = ifcbase("diff", old, new, "--relationships", "geometry,type", "--selector", "IfcWall",
                   "--tolerance", "0.01", "--json")  # fmt: skip
    assert done.code == 0
    document = json.loads(done.out)
    assert document["relationships"] == ["geometry", "type"]
    assert (document["filter_elements"], document["tolerance"]) == ("IfcWall", 0.01)


def test_nothing_selected_is_inconclusive(ifcbase: Caller, old: Path, new: Path) -> None:
    done = ifcbase("diff", old, new, "--selector", "IfcSlab")
    assert done.code == 3
    assert "leaves no element to compare" in done.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--relationships", "colour"], "relationships"),
        (["--relationships", ","], "names nothing"),
        (["--selector", "IfcNothing"], "IfcNothing"),
        (["--tolerance", "3"], "tolerance"),
        (["--project", "x"], "--project goes with --submit"),
        (["--model", "x"], "--model goes with --submit"),
        (["-o", "nowhere/diff.json"], "there is no folder"),
    ],
)
def test_what_cannot_be_done_is_refused(
    ifcbase: Caller, old: Path, new: Path, options: list[str], said: str
) -> None:
    done = ifcbase("diff", old, new, *options)
    assert done.code == 2
    assert said in done.err


def test_the_report_takes_the_place_of_no_model(ifcbase: Caller, old: Path, new: Path) -> None:
    before = new.read_bytes()
    assert ifcbase("diff", old, new, "-o", new).code == 2
    assert new.read_bytes() == before


def test_a_file_that_is_no_model_is_refused(ifcbase: Caller, old: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "rules.ids"
    wrong.write_text("<ids/>")
    done = ifcbase("diff", old, wrong)
    assert done.code == 2
    assert "not an IFC file" in done.err
    assert ifcbase("diff", old, tmp_path / "missing.ifc").code == 2


def test_reports_list_every_change(ifcbase: Caller, old: Path, new: Path, tmp_path: Path) -> None:
    made = [f"r.{suffix}" for suffix in ("html", "csv", "bcf", "xlsx", "md")]
    done = ifcbase("diff", old, new, *(word for name in made for word in ("--report", name)))
    assert done.code == 1, done.err
    assert all(f"report written to {name}" in done.out for name in made)
    with (tmp_path / "r.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3
    with zipfile.ZipFile(tmp_path / "r.bcf") as archive:
        topics = [n for n in archive.namelist() if n.endswith("markup.bcf")]
        assert len(topics) == 3
        assert any(guid(1001).encode() in archive.read(n) for n in archive.namelist())
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "moved by 3.0 mm" in page
    assert "1 added, 0 deleted, 2 changed" in page


def test_a_report_of_a_submitted_diff_is_refused_with_what_helps(
    ifcbase: Caller, old: Path, new: Path
) -> None:
    done = ifcbase("diff", old, new, "--submit", "--report", "r.html")
    assert done.code == 2
    assert "--report goes with a direct run" in done.err
    assert "ifcbase export RESULT --check diff" in " ".join(done.err.split())


def test_the_second_diff_takes_kept_meshes(
    ifcbase: Caller, old: Path, new: Path, tmp_path: Path
) -> None:
    made = ifcopenshell.open(str(new))
    solid = made.by_type("IfcExtrudedAreaSolid")[0]
    solid.Depth = 2 * solid.Depth
    made.write(str(new))
    first = ifcbase("diff", old, new, "--json")
    kept = sorted((tmp_path / "home").rglob("*.mesh"))
    assert kept
    stamps = [path.stat().st_ino for path in kept]
    again = ifcbase("diff", old, new, "--json")
    assert (again.code, again.out) == (first.code, first.out)
    assert sorted((tmp_path / "home").rglob("*.mesh")) == kept
    assert [path.stat().st_ino for path in kept] == stamps  # nothing was admitted anew
