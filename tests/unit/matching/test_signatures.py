"""Signatures measure what they say, do not depend on how a file is written, and are not trusted."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from ifcbase.clash import handover
from ifcbase.errors import ReportInvalid
from ifcbase.ifc.meshset import MeshSet
from ifcbase.ifc.signatures import MEASURES, Signatures, measure
from ifcbase.ledger.signing import composites
from tests.boxes import CORNERS, FACES, Box, model, signatures
from tests.unit.clash import reports

FAR = np.array([500_000.0, 6_600_000.0, 100.0])


def test_a_box_is_measured() -> None:
    shapes = measure(MeshSet.from_meshes([(CORNERS * [2, 3, 4] + 1, FACES)]), FAR)
    assert np.allclose(shapes.centroid, np.add(FAR, (2, 2.5, 3)))
    assert np.allclose(shapes.extents, [[2, 3, 4]])
    assert shapes.volume == pytest.approx([24])
    assert shapes.area == pytest.approx([52])
    assert shapes.vertices.tolist() == [8]


def test_triangles_may_be_cut_and_turned_as_they_like() -> None:
    finer = np.vstack([FACES[1:], [[0, 2, 8], [2, 6, 8], [6, 0, 8]]])
    points = np.vstack([CORNERS, [[0.3, 0.6, 0.0]]])
    one, other = measure(
        MeshSet.from_meshes([(CORNERS, FACES), (points, finer[:, [0, 2, 1]])])
    ).centroid
    assert np.allclose(one, other)


def test_an_open_sheet_has_the_centre_of_its_surface() -> None:
    sheet = np.array([[0, 0, 0], [4, 0, 0], [4, 2, 0], [0, 2, 0]], float)
    shapes = measure(MeshSet.from_meshes([(sheet, [[0, 1, 2], [0, 2, 3]])]))
    assert np.allclose(shapes.centroid, [[2, 1, 0]])
    assert shapes.volume == pytest.approx([0])


def test_an_empty_mesh_has_no_measures() -> None:
    nothing = (np.zeros((0, 3)), np.zeros((0, 3), int))
    shapes = measure(MeshSet.from_meshes([nothing, (CORNERS, FACES), nothing]))
    assert np.isnan(shapes.volume).tolist() == [True, False, True]
    assert shapes.vertices.tolist() == [0, 8, 0]


def test_many_triangles_are_measured_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    meshes = MeshSet.from_meshes([(CORNERS + i, FACES) for i in range(50)])
    whole = measure(meshes)
    monkeypatch.setattr("ifcbase.ifc.signatures.CHUNK", 30)
    pieces = measure(meshes)
    for field in fields(whole):
        assert np.array_equal(getattr(whole, field.name), getattr(pieces, field.name))


@pytest.mark.parametrize(
    "change",
    [
        {"at": (0.01, 0, 0)},
        {"size": (0.3, 0.3, 3.1)},
        {"name": "other"},
        {"properties": "other"},
        {"ifc_class": "IfcBeam"},
        {"meshed": False},
        {"placed": False},
    ],
)
def test_content_differs_by_everything_but_the_id(change: dict[str, object]) -> None:
    box = Box("a", name="name")
    one = signatures([box, replace(box, id="b")]).content
    assert one[0] == one[1]
    other = signatures([replace(box, **change)]).content  # type: ignore[arg-type]
    assert other[0] != one[0]


def test_signatures_come_through_the_hand_over(tmp_path: Path) -> None:
    report = reports.report([], [reports.inventory(1)])
    inventory, signed = model([Box("a"), Box("b", meshed=False), Box("c", placed=False)])
    report.files[0].inventory, report.files[0].signatures = inventory, signed
    handover.write(report, tmp_path)
    back = handover.read(tmp_path).files[0].signatures
    assert back is not None
    for field in fields(signed):
        one, other = getattr(signed, field.name), getattr(back, field.name)
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), field.name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("centroid", 1e300),
        ("centroid", np.inf),
        ("centroid", np.nan),
        ("extents", -1.0),
        ("volume", -1.0),
        ("volume", np.nan),
        ("area", np.inf),
        ("placement", -1e12),
        ("vertices", -1),
        ("vertices", 2**40),
        ("vertices", 0),
    ],
)
def test_impossible_measures_are_refused(name: str, value: float) -> None:
    inventory, signed = model([Box("a"), Box("b")])
    columns = {key: getattr(signed, key).copy() for key in MEASURES}
    assert len(Signatures.of(inventory, columns)) == 2
    columns[name][1] = value
    with pytest.raises(ReportInvalid, match="signatures"):
        Signatures.of(inventory, columns)
    columns[name] = columns[name][:1]
    with pytest.raises(ReportInvalid, match="length"):
        Signatures.of(inventory, columns)


def test_composite_values_have_nothing_for_nan() -> None:
    _, signed = model([Box("a", meshed=False, placed=False)])
    (text,) = composites(signed, 1)
    assert text is not None
    assert text.startswith("(" + "," * 11 + "0,")
    assert list(composites(None, 2)) == [None, None]
