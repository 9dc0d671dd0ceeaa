"""What the child runs: bad input ends in the right error, good input in files one can trust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ifcbase.clash import handover
from ifcbase.clash.request import parse_request
from ifcbase.clash.run import OUTPUT, run
from ifcbase.errors import (
    FileEmpty,
    FileMissing,
    IfcbaseError,
    IfcTruncated,
    IfcUnparsable,
    NotIfc,
    RequestInvalid,
    SchemaUnsupported,
    SelectorInvalid,
)
from tests.ifc_builder import IfcBuilder


@pytest.fixture
def good(tmp_path: Path) -> Path:
    builder = IfcBuilder()
    builder.box("wall", (0, 0, 0), (5, 0.2, 3))
    builder.box("pipe", (2, -1, 1), (0.1, 2, 0.1), "IfcBeam")
    return builder.write(tmp_path / "good.ifc")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def request(**values: Any) -> dict[str, Any]:
    one = {"name": "s", "a": [{"file": "x.ifc"}], "mode": "collision"}
    return {"clash_sets": [one | values]}


def test_output_and_hand_over_agree(good: Path, out: Path) -> None:
    asked = request() | {"smart_grouping": True, "output_filename": "o.json"}
    run(asked, {"x.ifc": str(good)}, out)
    assert {p.name for p in out.iterdir()} == {OUTPUT, handover.WORDS, handover.ARRAYS}
    report = handover.read(out, parse_request(asked))
    (document,) = json.loads((out / OUTPUT).read_text(encoding="utf-8"))
    (clash,) = document["clashes"].values()
    assert (clash["a_name"], clash["b_name"]) == ("wall", "pipe")
    assert (clash["type"], clash["smart_group"]) == ("pierce", 0)
    (only,) = report.sets
    assert len(only.clashes) == len(document["clashes"])
    assert document["verdict"] == only.verdict().value == "found"
    assert document["engine"] == report.engine


def test_ifcclash_file_runs_as_well(good: Path, out: Path) -> None:
    run(request()["clash_sets"], {"x.ifc": str(good)}, out)
    assert len(handover.read(out).sets[0].clashes) == 1


def damaged(good: Path, kind: str) -> Path:
    path = good.with_name(f"{kind}.ifc")
    text = good.read_text()
    contents = {
        "empty": "",
        "garbage": "this is not a model",
        "truncated": text[: len(text) // 2],
        "unclosed": text.replace("END-ISO-10303-21;", ""),
        "holed": text.replace("IFCCARTESIANPOINT", "IFCCARTESIANPOIN", 1),
        "draft": text.replace("'IFC4'", "'IFC4X1'"),
    }
    if kind in contents:
        path.write_text(contents[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("missing", FileMissing),
        ("empty", FileEmpty),
        ("garbage", NotIfc),
        ("truncated", IfcTruncated),
        ("unclosed", IfcTruncated),
        ("holed", IfcUnparsable),
        ("draft", SchemaUnsupported),
    ],
)
def test_bad_files(good: Path, out: Path, kind: str, error: type[IfcbaseError]) -> None:
    with pytest.raises(error):
        run(request(), {"x.ifc": str(damaged(good, kind))}, out)
    assert list(out.iterdir()) == []


def test_one_bad_file_among_good_ones_is_the_error(good: Path, out: Path) -> None:
    inputs = {"x.ifc": str(good), "y.ifc": str(damaged(good, "truncated"))}
    with pytest.raises(IfcTruncated, match=r"truncated\.ifc"):
        run(request(b=[{"file": "y.ifc"}]), inputs, out)


def test_file_the_request_names_but_nobody_gave(good: Path, out: Path) -> None:
    with pytest.raises(FileMissing, match=r"y\.ifc"):
        run(request(b=[{"file": "y.ifc"}]), {"x.ifc": str(good)}, out)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"tolerance": -0.01}, RequestInvalid),
        ({"mode": "clearance", "clearance": 0}, RequestInvalid),
        ({"a": []}, RequestInvalid),
        ({"a": [{"file": "x.ifc", "selector": "IfcWall,,"}]}, SelectorInvalid),
        ({"a": [{"file": "x.ifc", "selector": "IfcNothing"}]}, SelectorInvalid),
    ],
)
def test_bad_requests(
    good: Path, out: Path, values: dict[str, Any], error: type[IfcbaseError]
) -> None:
    with pytest.raises(error):
        run(request(**values), {"x.ifc": str(good)}, out)


def test_model_without_elements_is_inconclusive(tmp_path: Path, out: Path) -> None:
    empty = IfcBuilder().write(tmp_path / "empty.ifc")
    run(request(), {"x.ifc": str(empty)}, out)
    (document,) = json.loads((out / OUTPUT).read_text())
    assert document["verdict"] == "inconclusive"
    assert document["coverage"]["a"][0]["selected"] == 0
    assert "no element" in document["warnings"][0]


def test_selector_that_matches_nothing_says_so(good: Path, out: Path) -> None:
    run(request(a=[{"file": "x.ifc", "selector": "IfcPump"}]), {"x.ifc": str(good)}, out)
    (document,) = json.loads((out / OUTPUT).read_text())
    assert document["verdict"] == "inconclusive"
    assert document["coverage"]["a"][0]["selector"] == "IfcPump"
    assert any("IfcPump" in warning for warning in document["warnings"])


@pytest.mark.parametrize(
    "hostile", [rb"a\X2\0000\X0\b", rb"a\X2\D800\X0\b", rb"a\X\1Bb", b"a\xff\xfeb", b"NaN"]
)
def test_hostile_names_arrive_as_text_that_can_be_stored(
    good: Path, out: Path, hostile: bytes
) -> None:
    good.write_bytes(good.read_bytes().replace(b"'wall'", b"'" + hostile + b"'"))
    run(request(), {"x.ifc": str(good)}, out)
    (document,) = json.loads((out / OUTPUT).read_text(encoding="utf-8"))
    (clash,) = document["clashes"].values()
    clash["a_name"].encode("utf-8")
    assert "\0" not in clash["a_name"]
    assert "\x1b" not in clash["a_name"]
    assert len(handover.read(out).sets[0].clashes) == 1
