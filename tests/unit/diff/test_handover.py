"""The report survives the way to the parent, which trusts nothing; what clients get from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ifcbase.diff import handover, output
from ifcbase.diff.compare import compare
from ifcbase.diff.report import DiffReport
from ifcbase.diff.request import parse_request
from ifcbase.diff.run import run
from ifcbase.errors import FileMissing, NotIfc, ReportInvalid
from tests.unit.diff import house as building
from tests.unit.diff.house import guid, house


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("diff")
    made = house(6)
    building.moved(made, 0)
    building.marked(made, 0)
    building.deleted(made, 1)
    building.added(made, 2)
    for i in (3, 4):
        made.walls[i].GlobalId = guid(60_000 + i)
    made.walls[4].ObjectPlacement.RelativePlacement.Location.Coordinates = (16.4, 0.0, 0.0)
    return {
        "old.ifc": house(6).write(folder / "old.ifc"),
        "new.ifc": made.write(folder / "new.ifc"),
    }


@pytest.fixture(scope="module")
def report(files: dict[str, Path]) -> DiffReport:
    request = parse_request({"old_file": "old.ifc", "new_file": "new.ifc", "is_shallow": False})
    return compare(request, files, signed=True)


def test_a_report_arrives_as_it_was(report: DiffReport, tmp_path: Path) -> None:
    handover.write(report, tmp_path)
    read = handover.read(tmp_path)
    assert output.document(read) == output.document(report)
    assert read.request == report.request
    for mine, theirs in ((read.old, report.old), (read.new, report.new)):
        assert mine.inventory == theirs.inventory
        assert mine.signatures is not None
        assert theirs.signatures is not None
        assert (mine.signatures.content == theirs.signatures.content).all()
    assert (read.summary, read.verdict) == (report.summary, report.verdict)


Damage = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(format=2),
        lambda d: d["models"].pop(),
        lambda d: d["models"][0].update(name="other.ifc"),
        lambda d: d["models"][0].update(sha256="x"),
        lambda d: d["models"][1]["inventory"]["name"].pop(),
        lambda d: d["models"][1]["signatures"].update(volume="AAAA"),
        lambda d: d["models"][1]["signatures"].pop("area"),
        lambda d: d["words"]["changes"][0].__setitem__(0, "colour"),
        lambda d: d["words"]["changes"][0].__setitem__(2, 999),
        lambda d: d["words"]["changes"][0].__setitem__(2, None),
        lambda d: d["words"]["changes"].append(d["words"]["changes"][0]),
        lambda d: d["words"]["changes"].append(["attributes", 1, 1, {}, {"a": "b\u0000"}]),
        lambda d: d["words"].update(compared=0),
        lambda d: d["words"].update(selected=[999, 1]),
        lambda d: d["words"]["reidentified"].append([0, 999, 1, 1.0]),
        lambda d: d["words"]["reidentified"].append([0, 1, 1, 1.5]),
        lambda d: d["words"]["doubtful"].append([999, None, 0.1]),
        lambda d: d["words"]["unjudged"].append(["geometry", 0, 0, ""]),
        lambda d: d["words"]["warnings"].append("\ud800"),
        lambda d: d["words"].update(more=1),
        lambda d: d.pop("words"),
    ],
)
def test_a_report_that_does_not_hold_together_is_refused(
    report: DiffReport, tmp_path: Path, damage: Damage
) -> None:
    handover.write(report, tmp_path)
    file = tmp_path / handover.REPORT
    document = json.loads(file.read_text())
    damage(document)
    file.write_text(json.dumps(document))
    with pytest.raises(ReportInvalid):
        handover.read(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": NaN}', "[" * 100_000])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ReportInvalid):
        handover.read(tmp_path)
    (tmp_path / handover.REPORT).write_text(text)
    with pytest.raises(ReportInvalid):
        handover.read(tmp_path)


def test_the_document_has_the_clients_shape_first(report: DiffReport) -> None:
    document = output.document(report)
    assert list(document)[:4] == ["added", "deleted", "changed", "diff_count"]
    assert document["added"] == [guid(14_002)]
    assert document["deleted"] == [guid(1001)]
    changed = document["changed"][guid(1000)]
    assert changed["properties_changed"] == {
        "before": {"Own.Mark": "M0"}, "after": {"Own.Mark": "changed"},
    }  # fmt: skip
    assert changed["placement_changed"]["after"]["moved_by"] == [0.0, 0.003, 0.0]
    assert changed["geometry_changed"] is True
    assert document["diff_count"] == 3
    assert document["summary"] == {
        "added": 1, "deleted": 1, "changed": 1, "unchanged": 5, "reidentified": 1, "doubtful": 1,
        "unjudged": 0,
    }  # fmt: skip
    (again,) = document["reidentified"]
    assert (again["old"], again["new"], again["method"]) == (guid(1003), guid(60_003), "content")
    (doubt,) = document["doubtful"]
    assert (doubt["old"], doubt["new"]) == (guid(1004), guid(60_004))
    json.dumps(document, allow_nan=False)


def test_a_shallow_document_says_which_facets_only(files: dict[str, Path]) -> None:
    request = parse_request({"old_file": "old.ifc", "new_file": "new.ifc"})
    changed = output.document(compare(request, files))["changed"]
    assert changed[guid(1000)] == {
        "properties_changed": True, "placement_changed": True, "geometry_changed": True,
    }  # fmt: skip


def test_a_run_leaves_both_files(files: dict[str, Path], tmp_path: Path) -> None:
    inputs = {name: str(path) for name, path in files.items()}
    seen: list[float] = []

    def progress(phase: str, fraction: float, note: str = "") -> None:
        seen.append(fraction)
        assert phase
        assert isinstance(note, str)

    run(
        {"old_file": "old.ifc", "new_file": "new.ifc"}, inputs, tmp_path,
        progress,
    )  # fmt: skip
    report = handover.read(tmp_path)
    written = json.loads((tmp_path / "output.json").read_bytes())
    assert written["diff_count"] == report.diff_count == 3
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_files_that_are_no_models_are_refused(files: dict[str, Path], tmp_path: Path) -> None:
    request = parse_request({"old_file": "old.ifc", "new_file": "new.ifc"})
    with pytest.raises(FileMissing):
        compare(request, {"old.ifc": files["old.ifc"]})
    ids = tmp_path / "rules.ids"
    ids.write_text("<ids/>")
    with pytest.raises(NotIfc):
        compare(request, files | {"new.ifc": ids})
