"""What is left out is counted and said; what cannot be used at all is an error that helps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import trimesh

from ifcbase.conversion import handover
from ifcbase.conversion.report import LeftOut, Verdict
from ifcbase.conversion.run import run
from ifcbase.errors import (
    FileEmpty,
    FileMissing,
    IfcTruncated,
    IfcUnparsable,
    NotIfc,
    ReportInvalid,
    RequestInvalid,
    SchemaUnsupported,
)
from tests.ifc_builder import IfcBuilder
from tests.unit.conversion.building import Converter

SHAPES = pytest.mark.parametrize("output", ["a.glb", "a.obj", "a.dae", "a.svg"])


@pytest.fixture(scope="module")
def gappy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wall that converts, one whose opening consumes it, one without a body, one whose shell has no face."""
    builder = IfcBuilder()
    builder.box("good")
    eaten = builder.box("eaten", (5, 0, 0))
    builder.opening(eaten, (4, -1, -1), (3, 3, 3))
    builder.box("line", (9, 0, 0), Representation=builder.axis_only())
    broken = builder.box("broken", (12, 0, 0))
    hollow = builder.file.create_entity(
        "IfcFacetedBrep", builder.file.create_entity("IfcClosedShell", [])
    )
    broken.Representation.Representations[0].Items = [hollow]
    return builder.write(tmp_path_factory.mktemp("gappy") / "gappy.ifc")


@SHAPES
def test_what_is_left_out_is_counted_with_its_reason(
    gappy: Path, converter: Converter, output: str
) -> None:
    _, report = converter(gappy, output, log_file="a.log")
    names = {report.inventory.elements[i].name: reason for i, reason in report.left_out.items()}
    assert names == {
        "eaten": LeftOut.EMPTY,
        "line": LeftOut.NO_REPRESENTATION,
        "broken": LeftOut.NO_GEOMETRY,
    }
    assert (len(report.selected), report.converted, report.gaps) == (4, 1, 1)
    assert report.coverage == 0.5
    assert report.verdict() is Verdict.INCONCLUSIVE
    assert report.verdict(min_coverage=0.5) is Verdict.CONVERTED
    ((_, why),) = report.reasons.items()
    assert why


def test_the_log_names_what_was_left_out(gappy: Path, converter: Converter) -> None:
    path, report = converter(gappy, "a.glb", log_file="logs/a.log")
    assert [each.name for each in report.outputs] == ["a.glb", "logs/a.log"]
    text = (path.parent / "output.log").read_text(encoding="utf-8")
    assert "1 of 4 elements, inconclusive" in text
    assert text.count("left out: ") == 3


def test_elements_can_be_chosen(house: Path, converter: Converter) -> None:
    def names(**options: Any) -> set[str | None]:
        _, report = converter(house, "a.glb", **options)
        return {report.inventory.elements[i].name for i in report.selected}

    assert names(include=["IfcWall", "IfcSlab"]) == {'Wall <1> & "co"', "Slab"}
    assert names(exclude="IfcWall, IfcBuildingElementProxy") == {"=Pane", "Slab", "Column"}
    assert names(include=["IfcElement"], exclude=["IfcOpeningElement", "IfcSlab"]) == {
        'Wall <1> & "co"', "=Pane", "Column", "nothing to see",
    }  # fmt: skip
    assert names(include=["attribute", "Name", "S*b"]) == {"Slab"}
    assert names(include="IfcOpeningElement") == {"opening"}


@pytest.mark.parametrize("output", ["a.glb", "a.obj", "a.dae", "a.svg", "a.xlsx", "a.csv"])
def test_an_empty_selection_is_inconclusive_and_still_a_valid_file(
    house: Path, converter: Converter, output: str
) -> None:
    path, report = converter(house, output, include="IfcChimney")
    assert report.verdict() is Verdict.INCONCLUSIVE
    assert report.verdict(min_coverage=0.0) is Verdict.INCONCLUSIVE
    assert report.coverage == 0.0
    assert report.warnings == ["the selection leaves no element to convert"]
    assert path.stat().st_size > 0
    if output == "a.glb":
        assert len(trimesh.load_scene(path).geometry) == 0


def test_a_class_of_another_schema_is_said(house: Path, converter: Converter) -> None:
    _, report = converter(house, "a.csv", include=["IfcWall", "IfcBridge"])
    assert report.warnings == ["include: IfcBridge is not a class of IFC4 and matches nothing"]
    assert report.verdict() is Verdict.CONVERTED


def test_a_model_without_any_shape_is_inconclusive(tmp_path: Path, converter: Converter) -> None:
    builder = IfcBuilder()
    for name in ("a", "b"):
        builder.root("IfcWall", name)
    _, report = converter(builder.write(tmp_path / "bare.ifc"), "a.glb")
    assert report.warnings == ["none of 2 elements has a shape"]
    assert report.verdict() is Verdict.INCONCLUSIVE


def test_a_model_without_elements_is_inconclusive(tmp_path: Path, converter: Converter) -> None:
    _, report = converter(IfcBuilder().write(tmp_path / "empty.ifc"), "a.svg")
    assert report.warnings == ["the model has no element to convert"]
    assert report.verdict() is Verdict.INCONCLUSIVE


def test_a_model_without_storeys_is_cut_once(gappy: Path, converter: Converter) -> None:
    _, report = converter(gappy, "a.svg")
    assert "the model has no storeys: it is cut once" in report.warnings
    assert report.counts["plans"] == 1


def test_elements_that_share_a_globalid_are_all_there(tmp_path: Path, converter: Converter) -> None:
    builder = IfcBuilder()
    first = builder.box("one")
    builder.box("two", (3, 0, 0), GlobalId=first.GlobalId)
    path, report = converter(builder.write(tmp_path / "twins.ifc"), "a.glb", use_element_guids=True)
    assert report.converted == 2
    scene = trimesh.load_scene(path)
    assert len(scene.geometry) == 2
    assert {name for name in scene.graph.nodes if name.startswith(first.GlobalId)} == {
        first.GlobalId, f"{first.GlobalId}#2",
    }  # fmt: skip


@pytest.mark.parametrize("schema", ["IFC2X3", "IFC4", "IFC4X3_ADD2"])
def test_all_schemas_are_converted(tmp_path: Path, converter: Converter, schema: str) -> None:
    builder = IfcBuilder(schema)
    wall = builder.box("wall", storey=builder.storey("Ground"))
    model = builder.write(tmp_path / f"{schema}.ifc")
    _, report = converter(model, "a.glb")
    assert report.converted == 1
    _, report = converter(model, "a.csv")
    assert report.converted == 1
    assert wall.GlobalId == report.inventory.elements[report.selected[0]].global_id


# --- input that cannot be used -------------------------------------------------------------------

HEAD = "ISO-10303-21;\nHEADER;\nFILE_SCHEMA(('{}'));\nENDSEC;\nDATA;\n"
END = "ENDSEC;\nEND-ISO-10303-21;\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('<?xml version="1.0"?><ids xmlns="http://standards.buildingsmart.org/IDS"/>', NotIfc),
        ("", FileEmpty),
        ("Dear Sir or Madam", NotIfc),
        (HEAD.format("IFC4") + "#1=IFCWALL('", IfcTruncated),
        (HEAD.format("IFC4") + "#1=IFCNOTHING();\n" + END, IfcUnparsable),
        (HEAD.format("CIS2") + END, SchemaUnsupported),
        (HEAD.format("IFC5") + END, SchemaUnsupported),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    tmp_path: Path, converter: Converter, text: str, error: type[Exception]
) -> None:
    path = tmp_path / "model.ifc"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(error) as caught:
        converter(path, "a.glb")
    assert getattr(caught.value, "hint", "")


def test_an_ids_in_the_place_of_the_model_is_called_by_its_name(
    tmp_path: Path, converter: Converter
) -> None:
    path = tmp_path / "rules.ifc"
    path.write_text("<ids/>", encoding="utf-8")
    with pytest.raises(NotIfc, match=r"rules\.ifc is not an IFC file.*XML") as caught:
        converter(path, "a.glb")
    assert "What is converted is an IFC file" in caught.value.hint


def test_a_missing_file_is_an_error(tmp_path: Path, converter: Converter) -> None:
    with pytest.raises(FileMissing):
        converter(tmp_path / "nowhere.ifc", "a.glb")


# --- the job's side ------------------------------------------------------------------------------


@pytest.fixture
def left(gappy: Path, tmp_path: Path) -> Path:
    """A folder as the child of a job leaves it."""
    request = {"input_filename": "g.ifc", "output_filename": "x/a.csv", "log_file": "a.log"}
    run(request, {"g.ifc": str(gappy)}, tmp_path)
    return tmp_path


def test_a_report_is_read_as_it_was_written(gappy: Path, tmp_path: Path) -> None:
    phases: list[tuple[str, float]] = []

    def progress(phase: str, fraction: float, note: str = "") -> None:
        phases.append((phase, fraction))

    run(
        {"input_filename": "g.ifc", "output_filename": "a.obj"},
        {"g.ifc": str(gappy)}, tmp_path, progress,
    )  # fmt: skip
    report = handover.read(tmp_path)
    assert (report.converted, report.gaps) == (1, 1)
    assert [each.name for each in report.outputs] == ["a.obj", "a.mtl"]
    assert report.signatures is not None
    assert len(report.signatures) == len(report.inventory)
    fractions = [fraction for _, fraction in phases]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)


def test_a_job_whose_file_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r"a\.ifc was not given"):
        run({"input_filename": "a.ifc", "output_filename": "a.glb"}, {}, tmp_path)
    with pytest.raises(RequestInvalid):
        run({"input_filename": "a.ifc"}, {}, tmp_path)


def _change(document: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split(".")
    at: Any = document
    for step in way:
        at = at[int(step)] if step.isdecimal() else at[step]
    at[int(last) if last.isdecimal() else last] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 2),
        ("selected", [0, 0]),
        ("selected", [99]),
        ("selected", [-1]),
        ("left_out", [[99, "no geometry"]]),
        ("left_out", [[0, "it is a secret"]]),
        ("left_out", [[0, "no geometry"], [0, "no geometry"]]),
        ("reasons", [[0, "why"]]),
        ("counts", {"elements": 1_000_000}),
        ("counts", {"elements": -1}),
        ("warnings", ["a\0b"]),
        ("outputs", []),
        ("outputs.0.file", "../../etc/passwd"),
        ("outputs.0.file", "output.glb"),
        ("outputs.0.sha256", "0" * 64),
        ("outputs.0.size", 1),
        ("outputs.1.file", "output.csv"),
        ("origin", [0, 0]),
        ("sha256", "x"),
        ("format", "exe"),
        ("format", "glb"),
        ("inventory", {}),
        ("signatures", {}),
        ("signatures.volume", "AAAA"),
        ("signatures.volume", "%"),
        ("extra", 1),
    ],
)
def test_a_report_that_contradicts_itself_is_refused(left: Path, path: str, value: Any) -> None:
    file = left / "report.json"
    handover.read(left)
    document = json.loads(file.read_text(encoding="utf-8"))
    _change(document, path, value)
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ReportInvalid):
        handover.read(left)


def test_an_output_that_was_changed_removed_or_linked_is_refused(left: Path) -> None:
    output = left / "output.csv"
    kept = output.read_bytes()
    output.write_bytes(kept + b"x")
    with pytest.raises(ReportInvalid):
        handover.read(left)
    output.unlink()
    with pytest.raises(ReportInvalid, match="not there"):
        handover.read(left)
    (left / "other").write_bytes(kept)
    output.symlink_to(left / "other")
    with pytest.raises(ReportInvalid, match="not there"):
        handover.read(left)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"version": NaN}'])
def test_what_is_no_report_is_refused(left: Path, text: str) -> None:
    (left / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(ReportInvalid):
        handover.read(left)
    (left / "report.json").unlink()
    with pytest.raises(ReportInvalid):
        handover.read(left)
