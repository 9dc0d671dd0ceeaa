"""Prepared solids that were stored: equal to the byte, and refused when anything is odd."""

from __future__ import annotations

from pathlib import Path

import manifold3d
import numpy as np
import pytest

from ifcbase.clash.narrow import PairContacts, Solids, build, detect_pairs, stored
from ifcbase.clash.narrow import solids as solids_module
from ifcbase.errors import ReportInvalid
from ifcbase.ifc.meshset import MeshSet

from .shapes import L, Mesh, box, circle, move, of, prism, turn, without_top

HOLLOW = of(
    manifold3d.Manifold.cube((1.0, 1.0, 1.0), True)
    - manifold3d.Manifold.cube((0.5, 0.5, 0.5), True)
)
CROSSED: Mesh = of(
    manifold3d.Manifold.cube((1.0, 1.0, 1.0), True)
    - manifold3d.Manifold.cube((0.2, 0.2, 2.0), True)
    - manifold3d.Manifold.cube((2.0, 0.2, 0.2), True).translate((0.0, 0.3, 0.0))
)
NOTHING: Mesh = (np.zeros((0, 3)), np.zeros((0, 3), np.int32))
#: Convex, swept, split, flat, no mesh at all, and one too intricate to be cut exactly.
BALL = of(
    manifold3d.Manifold.cube((1.0, 1.0, 1.0), True)
    - manifold3d.Manifold.sphere(0.55, 24).translate((0.3, 0.2, 0.1))
)


def scene() -> MeshSet:
    rng = np.random.default_rng(11)
    shapes = [
        box((0, 0, 0), (0.6, 0.5, 0.4)),
        prism(L, 0.5),
        prism(circle(0.2), 0.7),
        HOLLOW,
        CROSSED,
        without_top(box((0, 0, 0), (1, 1, 1))),
        NOTHING,
        BALL,
    ]
    return MeshSet.from_meshes(
        [
            move(
                turn(shapes[k % 8], (1, 2, 3), float(rng.integers(90))),
                *(rng.random(3) * 2.5).tolist(),
            )
            for k in range(40)
        ]
    )


def found(meshes: MeshSet, solids: Solids | None) -> PairContacts:
    return detect_pairs(meshes, mode="clearance", clearance=0.2, solids_a=solids)


def assert_equal_to_the_byte(one: PairContacts, other: PairContacts) -> None:
    for name in ("a", "b", "kind", "distance", "measured", "p1", "p2", "at_least", "way"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
    assert one.undecided == other.undecided
    assert (one.candidates, one.touching) == (other.candidates, other.touching)


def test_a_run_with_stored_solids_is_equal_to_the_byte(tmp_path: Path) -> None:
    meshes = scene()
    fresh = build(meshes)
    assert fresh.approximate  # the scene holds one of those too
    stored.save(fresh, "key", tmp_path / "solids")
    again = stored.load(tmp_path / "solids", "key", meshes)
    assert again.approximate == fresh.approximate
    for name, column in fresh.pieces._asdict().items():
        assert getattr(again.pieces, name).tobytes() == column.tobytes(), name
    assert len(found(meshes, fresh)) > 20
    assert_equal_to_the_byte(found(meshes, fresh), found(meshes, again))
    assert [p.name for p in tmp_path.iterdir()] == ["solids"]  # no scratch file is left


def test_stored_solids_are_mapped_not_copied(tmp_path: Path) -> None:
    meshes = scene()
    stored.save(build(meshes), "key", tmp_path / "solids")
    pieces = stored.load(tmp_path / "solids", "key", meshes).pieces
    assert not pieces.pv.flags.owndata
    assert not pieces.pv.flags.writeable


def test_no_elements_can_be_stored_too(tmp_path: Path) -> None:
    nothing = MeshSet.from_meshes([])
    stored.save(build(nothing), "key", tmp_path / "solids")
    assert len(stored.load(tmp_path / "solids", "key", nothing)) == 0


@pytest.mark.parametrize("place", [0, 9, 45, 60, -1])
def test_a_changed_byte_is_noticed(tmp_path: Path, place: int) -> None:
    meshes = scene()
    path = tmp_path / "solids"
    stored.save(build(meshes), "key", path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(ReportInvalid):
        stored.load(path, "key", meshes)


def test_half_a_file_is_noticed(tmp_path: Path) -> None:
    meshes = scene()
    path = tmp_path / "solids"
    stored.save(build(meshes), "key", path)
    data = path.read_bytes()
    for size in (0, 30, len(data) // 2):
        path.write_bytes(data[:size])
        with pytest.raises(ReportInvalid):
            stored.load(path, "key", meshes)


def test_solids_of_another_file_version_or_mesh_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meshes = scene()
    path = tmp_path / "solids"
    stored.save(build(meshes), "key", path)
    with pytest.raises(ReportInvalid):
        stored.load(path, "another key", meshes)
    with pytest.raises(ReportInvalid):
        stored.load(path, "key", meshes.take(range(10)))
    with pytest.raises(FileNotFoundError):
        stored.load(tmp_path / "nothing here", "key", meshes)
    monkeypatch.setattr(stored, "SOLIDS_VERSION", solids_module.SOLIDS_VERSION + 1)
    with pytest.raises(ReportInvalid):
        stored.load(path, "key", meshes)


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [("pe", 0, 10_000), ("pe", 3, -1), ("ee", 0, 10_000), ("pv_at", 1, 10**9), ("piece", 2, -5)],
)
def test_indexes_that_leave_their_arrays_are_refused(column: str, row: int, value: int) -> None:
    """Compiled code would read whatever lies there."""
    meshes = scene()
    solids = build(meshes)
    arrays = {name: a.copy() for name, a in stored.to_arrays(solids).items()}
    arrays[column][row] = value
    with pytest.raises(ReportInvalid):
        stored.from_arrays(arrays, list(solids.approximate.values()), meshes)


def test_solids_move_with_their_meshes() -> None:
    meshes = scene()
    by = np.array([120.0, -35.0, 7.0])
    away = MeshSet(
        meshes.vertices + by, meshes.faces, meshes.vertex_offset, meshes.face_offset, meshes.closed
    )
    here = found(meshes, build(meshes))
    there = found(away, build(meshes).moved(away, by))
    assert here.kind.tolist() == there.kind.tolist()
    np.testing.assert_allclose(here.distance, there.distance, atol=1e-7)
