"""Entries come back as written or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.meshing.audit import Outcome
from ifcbase.ifc.meshing.entry import read_entry, write_entry
from ifcbase.ifc.meshing.filemeshes import FileMeshes, federation_origin
from tests.unit.meshing.samples import file_meshes, same

KEY = "ab" * 32


@pytest.mark.parametrize("distrust", [False, True])
def test_an_entry_comes_back_byte_for_byte(tmp_path: Path, distrust: bool) -> None:
    path = tmp_path / "x.mesh"
    write_entry(file_meshes(), KEY, path)
    assert same(read_entry(path, KEY, distrust=distrust), file_meshes())
    assert [p.name for p in tmp_path.iterdir()] == ["x.mesh"]


def test_the_same_meshes_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_entry(file_meshes(), KEY, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_read_cannot_be_changed(tmp_path: Path) -> None:
    """The pages are shared by processes."""
    write_entry(file_meshes(), KEY, tmp_path / "x")
    meshes = read_entry(tmp_path / "x", KEY).meshes
    with pytest.raises(ValueError, match="read-only"):
        meshes.vertices[0] = 1.0


def test_a_file_of_no_elements(tmp_path: Path) -> None:
    nothing = file_meshes()
    nothing = FileMeshes(
        meshes=nothing.meshes.take([]),
        origin=np.zeros(3),
        step_ids=np.zeros(0, np.int64),
        outcome=np.zeros(0, np.uint8),
        findings=np.zeros(0, np.uint16),
        mesher=np.zeros(0, np.uint8),
        engine=nothing.engine,
    )
    write_entry(nothing, KEY, tmp_path / "x")
    assert len(read_entry(tmp_path / "x", KEY, distrust=True)) == 0


def test_an_entry_of_another_key_is_refused(tmp_path: Path) -> None:
    write_entry(file_meshes(), KEY, tmp_path / "x")
    with pytest.raises(ReportInvalid, match="key"):
        read_entry(tmp_path / "x", "cd" * 32)


@settings(deadline=None, max_examples=250, derandomize=True)
@given(data=st.data())
def test_every_changed_byte_is_noticed(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        write_entry(file_meshes(), KEY, path)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] ^= data.draw(st.integers(1, 255))
        if bytes(content) == path.read_bytes():
            return  # two changes undid each other
        path.write_bytes(content)
        with pytest.raises(ReportInvalid):
            read_entry(path, KEY)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(0, 100_000), st.booleans())
def test_every_half_written_entry_is_noticed(length: int, longer: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        write_entry(file_meshes(), KEY, path)
        content = path.read_bytes()
        cut = length % len(content)
        path.write_bytes(content + bytes(cut + 1) if longer else content[:cut])
        with pytest.raises(ReportInvalid):
            read_entry(path, KEY)


def _faces_out_of_range(m: FileMeshes) -> None:
    m.meshes.faces[0, 0] = 8


def _faces_negative(m: FileMeshes) -> None:
    m.meshes.faces[0, 0] = -1


def _faces_of_the_neighbour(m: FileMeshes) -> None:
    m.meshes.faces[-1, -1] = 20


def _nan(m: FileMeshes) -> None:
    m.meshes.vertices[0, 0] = np.nan


def _far_away(m: FileMeshes) -> None:
    m.meshes.vertices[0, 0] = 1e300


def _offsets_backwards(m: FileMeshes) -> None:
    m.meshes.vertex_offset[1] = 17


def _offsets_short(m: FileMeshes) -> None:
    m.meshes.face_offset[-1] -= 1


def _origin_crooked(m: FileMeshes) -> None:
    m.origin[0] += 0.5


def _origin_nan(m: FileMeshes) -> None:
    m.origin[0] = np.nan


def _outcome_unknown(m: FileMeshes) -> None:
    m.outcome[0] = 77


def _solid_without_mesh(m: FileMeshes) -> None:
    m.outcome[2] = Outcome.SOLID


def _mesh_without_outcome(m: FileMeshes) -> None:
    m.outcome[0] = Outcome.EMPTY


def _open_solid(m: FileMeshes) -> None:
    m.meshes.closed[0] = False


def _step_ids_repeated(m: FileMeshes) -> None:
    m.step_ids[1] = m.step_ids[0]


def _mesher_unknown(m: FileMeshes) -> None:
    m.mesher[0] = 3


def _findings_unknown(m: FileMeshes) -> None:
    m.findings[0] = 0x8000


def _column_short(m: FileMeshes) -> None:
    m.outcome = m.outcome[:-1]


def _reason_of_nobody(m: FileMeshes) -> None:
    m.reasons[5] = "who?"


def _engine_unnamed(m: FileMeshes) -> None:
    m.engine = {}


@pytest.mark.parametrize(
    "spoil",
    [
        _faces_out_of_range,
        _faces_negative,
        _faces_of_the_neighbour,
        _nan,
        _far_away,
        _offsets_backwards,
        _offsets_short,
        _origin_crooked,
        _origin_nan,
        _outcome_unknown,
        _solid_without_mesh,
        _mesh_without_outcome,
        _open_solid,
        _step_ids_repeated,
        _mesher_unknown,
        _findings_unknown,
        _column_short,
        _reason_of_nobody,
        _engine_unnamed,
    ],
)
def test_a_child_with_right_checksums_and_wrong_arrays_is_not_believed(
    tmp_path: Path, spoil: Callable[[FileMeshes], None]
) -> None:
    meshes = file_meshes()
    spoil(meshes)
    write_entry(meshes, KEY, tmp_path / "x")
    with pytest.raises(ReportInvalid):
        read_entry(tmp_path / "x", KEY, distrust=True)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.mkdir()  # a file cannot take the place of a folder
    with pytest.raises(OSError, match="directory"):
        write_entry(file_meshes(), KEY, target)
    assert list(tmp_path.iterdir()) == [target]


# --- origins -------------------------------------------------------------------------------------


def test_moving_to_another_origin_keeps_world_coordinates() -> None:
    found = file_meshes()
    other = np.array([499_000.0, 6_600_500.0, 10.0])
    moved = found.about(other)
    np.testing.assert_allclose(
        moved.vertices + other, found.meshes.vertices + found.origin, rtol=0, atol=1e-9
    )
    assert found.about(found.origin) is found.meshes


def test_the_federation_origin_does_not_depend_on_the_order_of_files() -> None:
    files = [file_meshes(seed) for seed in (5, 1, 9, 3)]
    expected = [500_000.0, 6_600_000.0, 3.0]
    assert federation_origin(files).tolist() == expected
    assert federation_origin(files[::-1]).tolist() == expected


def test_files_without_meshes_do_not_pull_the_federation_origin() -> None:
    empty = file_meshes(1000)
    empty.outcome[:] = Outcome.NO_GEOMETRY
    assert federation_origin([empty, file_meshes(2)]).tolist()[2] == 2.0
    assert federation_origin([empty]).tolist() == [0, 0, 0]
    assert federation_origin([]).tolist() == [0, 0, 0]
