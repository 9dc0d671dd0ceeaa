"""Elements of several colours: each face has the colour of the item it comes from."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import collada
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.conversion.painting import _lying_on
from tests.ifc_builder import IfcBuilder
from tests.unit.conversion.building import FAR, GLASS, RED, Converter, colour, items


@pytest.fixture(scope="module", params=["near", "far"])
def window(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wall, and a window whose red sill (1 m wide, 0.2 m high) bears a glass pane (1 m high)."""
    builder = IfcBuilder()
    at = (0.0, 0.0, 0.0) if request.param == "near" else FAR
    builder.box("Wall", (at[0] + 3, at[1], at[2]), (4, 0.2, 3), "IfcWall")
    sill = builder.box("Window", at, (1, 0.2, 0.2), "IfcWindow")
    pane = builder.box("pane", at, (0.8, 0.1, 1.0))
    [glass] = items(pane)
    above = builder.file.create_entity("IfcCartesianPoint", (0.0, 0.0, 0.2))
    glass.Position = builder.file.create_entity("IfcAxis2Placement3D", above)
    shape = sill.Representation.Representations[0]
    shape.Items = [*shape.Items, glass]
    builder.file.remove(pane)
    colour(builder, items(sill)[0], RED, name="red")
    colour(builder, glass, GLASS, 0.6, name="glass")
    return builder.write(tmp_path_factory.mktemp("window") / "window.ifc")


def glb(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    length = struct.unpack("<I", data[12:16])[0]
    return json.loads(data[20 : 20 + length]), data[28 + length :]


def heights(document: dict[str, Any], binary: bytes) -> dict[str, list[tuple[float, float]]]:
    """By the name of a mesh's node and a colour's name: least and greatest z of its faces."""
    found: dict[str, list[tuple[float, float]]] = {}
    views, accessors = document["bufferViews"], document["accessors"]
    for node in document["nodes"]:
        if "mesh" not in node:
            continue
        for part in document["meshes"][node["mesh"]]["primitives"]:
            points, faces = (accessors[part["attributes"]["POSITION"]], accessors[part["indices"]])
            start = points.get("byteOffset", 0) + views[0].get("byteOffset", 0)
            xyz = np.frombuffer(binary, "<f4", 3 * points["count"], start).reshape(-1, 3)
            start = faces.get("byteOffset", 0) + views[1]["byteOffset"]
            z = xyz[np.frombuffer(binary, "<u4", faces["count"], start), 2]
            name = f"{node['name']} {document['materials'][part['material']]['name']}"
            found.setdefault(name, []).append((float(z.min()), float(z.max())))
    return found


def test_a_window_has_a_part_of_each_colour_where_its_item_is(
    converter: Converter, window: Path
) -> None:
    path, report = converter(window, "a.glb")
    assert (report.counts["several_colours"], report.counts["painted"]) == (1, 1)
    assert report.warnings == []
    document, binary = glb(path)
    names = [node["name"] for node in document["nodes"] if "mesh" in node]
    assert sorted(names) == ["Wall", "Window"]
    found = heights(document, binary)
    assert set(found) == {"Wall no style", "Window red", "Window glass"}
    [(least, most)] = found["Window red"]
    [(low, high)] = found["Window glass"]
    assert most - least == pytest.approx(0.2, abs=1e-3)
    assert (low - least, high - low) == pytest.approx((0.2, 1.0), abs=1e-3)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of a matrix class in pycollada
def test_the_same_in_obj_and_dae(converter: Converter, window: Path) -> None:
    path, _ = converter(window, "a.obj")
    text = path.read_text(encoding="utf-8")
    [told] = [each for each in text.split("\no ") if each.startswith("Window")]
    assert [line.split("_")[-1] for line in told.splitlines() if line.startswith("usemtl")] == [
        "glass",
        "red",
    ]
    assert told.count("\nf ") == 24
    path, _ = converter(window, "a.dae")
    scene = collada.Collada(str(path))
    counts = sorted(len(each.primitives) for each in scene.geometries)
    assert counts == [1, 2]
    bound = [p.material for g in scene.scene.objects("geometry") for p in g.primitives()]
    assert len(bound) == 3
    assert None not in bound


def test_the_same_bytes_come_again(converter: Converter, window: Path) -> None:
    first, _ = converter(window, "a.glb", kept=False)
    second, _ = converter(window, "a.glb")
    assert first.read_bytes() == second.read_bytes()


def test_after_a_crash_an_element_has_one_colour_and_that_is_said(
    converter: Converter, window: Path
) -> None:
    path, report = converter(window, "a.glb", isolated=True)
    assert (report.counts["several_colours"], report.counts["painted"]) == (1, 0)
    [warning] = report.warnings
    assert "1 of 2 elements have several colours" in warning
    assert len(heights(*glb(path))) == 2


def squares(z: float, turned: bool) -> Any:
    """A unit square at a height as two triangles, cut along one diagonal or the other."""
    a, b, c, d = ((0, 0, z), (1, 0, z), (1, 1, z), (0, 1, z))
    return [[a, b, c], [a, c, d]] if not turned else [[b, c, d], [b, d, a]]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True), st.booleans(),
       st.floats(-1e6, 1e6))  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_faces_are_found_again_however_they_are_cut(
    levels: list[int], turned: bool, shift: float
) -> None:
    triangles = np.array([t for z in levels for t in squares(z / 100, turned=False)]) + shift
    faces = np.array([t for z in reversed(levels) for t in squares(z / 100, turned)]) + shift
    found = _lying_on(faces, triangles) // 2
    assert found.tolist() == [i for i in reversed(range(len(levels))) for _ in range(2)]


def test_a_face_on_no_plane_takes_the_nearest() -> None:
    triangles = np.array([squares(0.0, turned=False)[0], squares(5.0, turned=False)[0]])
    face = np.array([[(0.2, 0.1, 4.0), (0.2, 0.1, 4.5), (0.3, 0.2, 4.2)]])
    assert _lying_on(face, triangles).tolist() == [1]
