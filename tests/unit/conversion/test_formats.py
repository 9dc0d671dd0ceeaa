"""What is written, read again by others: trimesh, pycollada, openpyxl, an XML parser."""

from __future__ import annotations

import csv
import json
import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import collada
import numpy as np
import openpyxl
import pytest
import trimesh

from ifcbase.conversion.report import ConversionReport, Verdict
from tests.unit.conversion.building import FAR, GLASS, RED, Converter

SVG = "{http://www.w3.org/2000/svg}"
#: The extents of the building, z upwards.
LEAST, MOST = np.array([0.0, 0.0, 0.0]), np.array([4.0, 5.0, 6.0])


def glb(path: Path) -> dict[str, Any]:
    """The JSON chunk of a binary glTF; the header is checked on the way."""
    data = path.read_bytes()
    magic, version, total = struct.unpack_from("<4sII", data)
    assert (magic, version, total) == (b"glTF", 2, len(data))
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    assert length % 4 == 0
    found: dict[str, Any] = json.loads(data[20 : 20 + length])
    return found


def turned(points: Any) -> Any:
    """From y upwards back to z upwards."""
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)


def by_name(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [node for node in document["nodes"] if node["name"] == name]
    return dict(found)


# --- GLB -----------------------------------------------------------------------------------------


def test_another_reader_finds_every_element_where_it_is(house: Path, converter: Converter) -> None:
    path, report = converter(house, "a.glb")
    scene = trimesh.load_scene(path)
    assert len(scene.geometry) == report.converted == 4
    points = turned(scene.to_geometry().vertices)
    assert np.allclose([points.min(axis=0), points.max(axis=0)], [LEAST, MOST], atol=1e-6)
    assert sum(len(m.faces) for m in scene.geometry.values()) == report.counts["triangles"]
    volumes = {n: abs(m.volume) for n, m in scene.geometry.items()}
    assert sum(volumes.values()) == pytest.approx(4 * 0.2 * 3 - 0.2 + 0.2 + 4 + 1.5, abs=1e-4)


def test_metadata_is_kept(house: Path, converter: Converter) -> None:
    document = glb(converter(house, "a.glb")[0])
    wall = by_name(document, 'Wall <1> & "co"')
    extras = wall["extras"]
    assert (extras["ifc_class"], extras["storey"], extras["n"]) == ("IfcWall", "Ground", 0)
    assert len(extras["global_id"]) == 22
    ground = by_name(document, "Ground")
    assert ground["extras"]["elevation"] == 0.0
    inside = {document["nodes"][i]["name"] for i in ground["children"]}
    assert inside == {'Wall <1> & "co"', "=Pane", "Column"}
    project = by_name(document, "test")
    (building,) = [document["nodes"][i] for i in project["children"]]
    assert building["name"] == "House & <Garden>"


def test_colours_and_transparency_are_kept(house: Path, converter: Converter) -> None:
    document = glb(converter(house, "a.glb")[0])
    materials = {each["name"]: each for each in document["materials"]}
    assert set(materials) == {"red", "glass", "grey", "no style"}
    glass = materials["glass"]
    assert glass["alphaMode"] == "BLEND"
    assert glass["pbrMetallicRoughness"]["baseColorFactor"][3] == pytest.approx(0.4)
    assert "alphaMode" not in materials["red"]
    # The standard wants linear channels; back in sRGB they are those of the model.
    linear = np.array(materials["red"]["pbrMetallicRoughness"]["baseColorFactor"][:3])
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert srgb == pytest.approx(RED, abs=1e-4)

    def colour_of(name: str) -> str:
        mesh = document["meshes"][by_name(document, name)["mesh"]]
        return str(document["materials"][mesh["primitives"][0]["material"]]["name"])

    assert colour_of("Slab") == "grey"  # by its material
    assert colour_of("=Pane") == "glass"
    assert colour_of("Column") == "no style"


def test_georeferenced_models_keep_their_millimetres(
    house: Path, far_house: Path, converter: Converter
) -> None:
    """World coordinates in single precision would be off by centimetres."""
    near, far = (converter(model, "a.glb")[0] for model in (house, far_house))
    document = glb(far)
    root = document["nodes"][0]
    x, y, z = root["translation"]
    origin = np.array(document["asset"]["extras"]["local_origin"])
    assert np.array([x, -z, y]) == pytest.approx(origin)
    assert np.abs(origin - FAR).max() < 10
    root.pop("translation")
    shapes = []
    for path, where in ((near, np.zeros(3)), (far, np.array(FAR))):
        scene = trimesh.load_scene(path)
        local = glb(path)["asset"]["extras"]["local_origin"]
        meshes = {name: np.asarray(m.vertices, np.float64) for name, m in scene.geometry.items()}
        boxes = [
            (v.min(axis=0) + local - where, v.max(axis=0) + local - where) for v in meshes.values()
        ]
        shapes.append(np.sort(np.array(boxes).reshape(-1, 6), axis=0))
    assert np.abs(shapes[0] - shapes[1]).max() < 5e-4


def test_a_centred_model_says_where_it_was(far_house: Path, converter: Converter) -> None:
    path, report = converter(far_house, "a.glb", center_model=True)
    document = glb(path)
    assert "translation" not in document["nodes"][0]
    assert document["asset"]["extras"]["local_origin"] == list(report.origin or ())


@pytest.mark.parametrize(
    ("field", "pattern"),
    [
        ("use_element_guids", r"[0-9A-Za-z_$]{22}"),
        ("use_element_step_ids", r"\d+"),
        ("use_element_types", r"Ifc\w+"),
    ],
)
def test_elements_are_named_as_asked(
    house: Path, converter: Converter, field: str, pattern: str
) -> None:
    document = glb(converter(house, "a.glb", **{field: True})[0])
    names = [node["name"] for node in document["nodes"] if "mesh" in node]
    assert len(names) == 4
    assert all(re.fullmatch(pattern, name) for name in names)


# --- OBJ and DAE ---------------------------------------------------------------------------------


def test_obj_is_read_again_with_its_materials(house: Path, converter: Converter) -> None:
    path, report = converter(house, "sub/plan.obj")
    library = path.with_suffix(".mtl")
    assert [each.name for each in report.outputs] == ["sub/plan.obj", "sub/plan.mtl"]
    text = path.read_text(encoding="utf-8")
    assert "mtllib plan.mtl\n" in text
    assert text.count("\no ") == 4
    assert re.search(r"\ng Ground IfcWall [^\n]{22}\n", text)
    found = trimesh.load_mesh(path, process=False)
    assert np.allclose(found.bounds, [LEAST, MOST], atol=1e-6)
    assert len(found.faces) == report.counts["triangles"]
    names = re.findall(r"newmtl (.+)", library.read_text(encoding="utf-8"))
    assert sorted(set(re.findall(r"usemtl (.+)", text))) == sorted(names)
    assert "d 0.4" in library.read_text(encoding="utf-8")


def test_obj_has_world_coordinates_and_units_as_asked(
    far_house: Path, converter: Converter
) -> None:
    def bounds(**options: Any) -> Any:
        path, _ = converter(far_house, "a.obj", **options)
        rows = re.findall(r"^v (\S+) (\S+) (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        points = np.array(rows, np.float64)
        return np.array([points.min(axis=0), points.max(axis=0)])

    world = np.array([FAR + LEAST, FAR + MOST])
    assert bounds() == pytest.approx(world, abs=5e-5)
    assert bounds(convert_back_units=True) == pytest.approx(world * 1000, abs=0.05)
    assert np.abs(bounds(center_model=True)).max() < 10
    assert bounds(digits=1)[0][0] == 155000.1
    least, most = bounds(y_up=True)
    assert (least[1], most[1]) == pytest.approx((FAR[2], FAR[2] + 6.0), abs=5e-5)
    assert (-most[2], -least[2]) == pytest.approx((FAR[1], FAR[1] + 5.0), abs=5e-5)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_dae_is_read_again_by_pycollada(house: Path, converter: Converter) -> None:
    path, report = converter(house, "a.dae")
    document = collada.Collada(str(path))
    assert document.assetInfo.upaxis == "Z_UP"
    placed = list(document.scene.objects("geometry"))
    assert len(placed) == report.converted
    parts = [part for each in placed for part in each.primitives()]
    points = np.concatenate([part.vertex for part in parts])
    assert np.allclose([points.min(axis=0), points.max(axis=0)], [LEAST, MOST], atol=1e-6)
    assert sum(part.ntriangles for part in parts) == report.counts["triangles"]
    diffuse = {tuple(np.round(p.material.effect.diffuse[:3], 4)) for p in parts}
    assert {RED, GLASS} <= diffuse


def test_dae_carries_structure_keys_and_the_date_of_the_model(
    house: Path, converter: Converter
) -> None:
    path, _ = converter(house, "a.dae")
    tree = ET.parse(path)  # noqa: S314  our own file
    space = {"c": "http://www.collada.org/2005/11/COLLADASchema"}
    assert tree.findtext(".//c:created", namespaces=space) == "2026-01-02T03:04:05Z"
    (storey,) = tree.findall(".//c:node[@name='Ground']", space)
    assert len(storey.findall("c:node", space)) == 3
    names = {e.text for e in tree.findall(".//c:technique[@profile='ifcbase']/c:name", space)}
    assert 'Wall <1> & "co"' in names
    ids = [e.get("id") for e in tree.iter() if e.get("id")]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("output", ["a.glb", "a.obj", "a.dae"])
def test_welding_leaves_the_shapes_alone(house: Path, converter: Converter, output: str) -> None:
    (path, plain), (other, welded) = (
        converter(house, output, weld_vertices=weld) for weld in (False, True)
    )
    assert welded.counts["triangles"] == plain.counts["triangles"]
    assert welded.counts["vertices"] <= plain.counts["vertices"]
    if output == "a.obj":
        a, b = (trimesh.load_mesh(each, process=False) for each in (path, other))
        assert np.allclose(a.triangles, b.triangles)


# --- SVG -----------------------------------------------------------------------------------------


def plans(path: Path) -> dict[str, dict[str, Any]]:
    """By storey and by element: the path and its area."""
    root = ET.parse(path).getroot()  # noqa: S314  our own file
    found: dict[str, dict[str, Any]] = {}
    for group in root.findall(f"{SVG}g"):
        name = group.get("data-name") or ""
        found[name] = {}
        for each in group.iter(f"{SVG}path"):
            area = 0.0
            for chain in re.findall(r"M([^MZ]+)Z", each.get("d") or ""):
                points = np.array([p.split() for p in chain.split("L")], np.float64)
                x, y = points[:, 0], -points[:, 1]
                area += float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
            title = each.findtext(f"{SVG}title") or ""
            found[name][title] = (each.get("class"), area)
    return found


def test_plans_have_the_areas_of_what_is_cut(house: Path, converter: Converter) -> None:
    path, report = converter(house, "a.svg")
    found = plans(path)
    assert list(found) == ["Upper", "Ground"]
    # The wall is cut through its opening, in which the pane stands.
    assert found["Ground"]['Wall <1> & "co"'] == ("IfcWall", pytest.approx(3 * 0.2))
    assert found["Ground"]["=Pane"] == ("IfcWindow", pytest.approx(0.2))
    assert found["Ground"]["Column"] == ("IfcColumn", pytest.approx(0.25))
    assert found["Upper"] == {"Column": ("IfcColumn", pytest.approx(0.25))}
    assert report.counts["drawn"] == 3
    assert report.counts["not_cut"] == 1  # the slab
    assert report.verdict() is Verdict.CONVERTED


def test_plans_are_cut_where_asked(house: Path, converter: Converter) -> None:
    path, _ = converter(house, "a.svg", section_height=2.9, section_height_from_storeys=True)
    found = plans(path)
    assert found["Ground"]["Slab"] == ("IfcSlab", pytest.approx(20.0))
    assert found["Ground"]['Wall <1> & "co"'][1] == pytest.approx(0.8)
    path, report = converter(house, "a.svg", section_height=4.0)
    assert list(plans(path)) == ["at 4 m"]
    assert report.counts["plans"] == 1


def test_a_storey_where_nothing_is_cut_is_said(house: Path, converter: Converter) -> None:
    path, report = converter(house, "a.svg", exclude="IfcColumn")
    assert plans(path)["Upper"] == {}
    assert report.warnings == ["Upper: nothing is cut at this height"]


@pytest.mark.parametrize(
    ("options", "width"), [({}, None), ({"bounds": "800x600"}, "800"), ({"scale": "1:100"}, "60mm")]
)
def test_plans_have_the_size_asked_for(
    house: Path, converter: Converter, options: dict[str, Any], width: str | None
) -> None:
    path, _ = converter(house, "a.svg", **options)
    root = ET.parse(path).getroot()  # noqa: S314  our own file
    assert root.get("width") == width
    _, _, across, down = map(float, (root.get("viewBox") or "").split())
    assert across == pytest.approx(4.0 + 2.0)
    assert down > across


# --- tables --------------------------------------------------------------------------------------


def test_tables_list_what_has_no_shape_too(house: Path, converter: Converter) -> None:
    path, report = converter(house, "a.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert report.converted == len(rows) == 5
    assert report.verdict() is Verdict.CONVERTED
    names = {row["Name"]: row for row in rows}
    assert "nothing to see" in names
    assert names["Slab"]["Material"] == "Concrete"
    assert names["Column"]["Storey"] == "Ground"


def test_a_name_is_no_formula(house: Path, converter: Converter) -> None:
    path, _ = converter(house, "a.csv")
    assert b"'=Pane" in path.read_bytes()
    path, _ = converter(house, "a.xlsx")
    book = openpyxl.load_workbook(path)
    sheet = book["Elements"]
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert any(cell.value == "'=Pane" for cell in cells)
    assert all(cell.data_type != "f" for cell in cells)


def test_a_workbook_is_read_again_by_openpyxl(house: Path, converter: Converter) -> None:
    path, report = converter(house, "a.xlsx")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Elements", "Properties", "About"]
    assert book["Elements"].max_row == 1 + report.converted
    about = {row[0].value: row[1].value for row in book["About"].iter_rows(min_row=2)}
    assert about["Elements"] == 5
    assert about["SHA-256 of the model"] == report.sha256


# --- all of them ---------------------------------------------------------------------------------

EVERY = pytest.mark.parametrize("output", ["a.glb", "a.obj", "a.dae", "a.svg", "a.xlsx", "a.csv"])


@EVERY
def test_the_same_model_gives_the_same_bytes(
    far_house: Path, converter: Converter, output: str
) -> None:
    """Again, and with meshes made anew instead of kept, here or in another process."""

    def hashes(report: ConversionReport) -> list[str]:
        return [each.sha256 for each in report.outputs]

    options: dict[str, Any] = {"log_file": "a.log"}
    first = hashes(converter(far_house, output, **options)[1])
    assert hashes(converter(far_house, output, **options)[1]) == first
    if output in {"a.glb", "a.obj"}:
        assert hashes(converter(far_house, output, kept=False, **options)[1]) == first
        apart = converter(far_house, output, kept=False, isolated=True, **options)[1]
        assert hashes(apart) == first


@EVERY
def test_options_that_say_nothing_change_nothing(
    house: Path, converter: Converter, output: str
) -> None:
    idle: dict[str, Any] = {"verbose": True, "use_world_coords": True, "threads": 4}
    first, second = (converter(house, output, **each)[1].outputs for each in ({}, idle))
    assert first == second
