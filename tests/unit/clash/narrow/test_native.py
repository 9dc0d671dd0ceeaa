"""Compiled kernels: made ahead, loaded without numba, never made where they are used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ifcbase.clash.narrow as narrow
from ifcbase.clash.narrow import build, kernels, native, warm_up
from ifcbase.clash.narrow.layout import COLUMN_TYPES
from ifcbase.errors import FileUnwritable, KernelsUnusable
from ifcbase.ifc.meshset import MeshSet

from .shapes import box

SOURCE = Path(narrow.__file__).parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with this version's kernels (compiled by now, or at this first use)."""
    warm_up()
    place = tmp_path_factory.mktemp("cache") / "kernels"
    place.mkdir()
    for group in native.GROUPS:
        path = native.find(group)
        assert path is not None
        shutil.copy(path, place)
    return place.parent


#: The program may have come with kernels beside it; a test says itself where there are any.
WITHOUT_PACKAGE = """
from pathlib import Path
from ifcbase.clash.narrow import native
native.package_folder = lambda: Path({place!r})
"""


def run(code: str, cache: Path) -> str:
    code = WITHOUT_PACKAGE.format(place=str(cache / "none")) + code
    environment = {k: v for k, v in os.environ.items() if k != "IFCBASE_HOME"}
    environment |= {"PYTHONPATH": str(SOURCE), "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


EVERYTHING = """
import json, sys
import numpy as np
from ifcbase.clash.narrow import detect_pairs, kernels, native
from ifcbase.ifc.meshset import MeshSet

def refuse(*_, **__):
    raise AssertionError("something was compiled")

kernels.build_group = kernels.build = refuse
v = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
f = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
              [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]], np.int32)
inner = (v * 0.5 + 0.25, f[:, ::-1])
hollow = (np.concatenate([v, inner[0]]), np.concatenate([f, inner[1] + 8]))
two = (np.concatenate([v, v + [3, 0, 0]]), np.concatenate([f, f + 8]))
shapes = [(v, f), (v + 0.3, f), (v + [0, 0, 0.99995], f), (v * 3 - 1, f[2:]), (v * 0.1 + 0.4, f),
          hollow, two, (two[0] + 0.4, two[1]), (v + [0, 4.02, 0], f), (v + [0, 3, 0], f)]
m = MeshSet.from_meshes(shapes)
kinds = set()
for mode in ("collision", "intersection", "clearance"):
    r = detect_pairs(m, mode=mode, clearance=0.05, allow_touching=True)
    r2 = detect_pairs(m, m, mode=mode, clearance=0.05, allow_touching=True)
    kinds |= set(r.kind.tolist())
called = [n for g in (native.pairs, native.meshes) for n in vars(g) if n[0] != "_"]
print(json.dumps([sorted(kinds), called, "numba" in sys.modules]))
"""


def test_a_process_with_ready_kernels_compiles_nothing_and_writes_nothing(made: Path) -> None:
    """The sandbox's child may read the cache, not write it; and numba alone takes half a second."""
    before = {p.name: p.stat().st_mtime_ns for p in (made / "kernels").iterdir()}
    made.chmod(0o555)
    (made / "kernels").chmod(0o555)
    try:
        kinds, loaded, numba = json.loads(run(EVERYTHING, made))
    finally:
        (made / "kernels").chmod(0o755)
        made.chmod(0o755)
    assert not numba
    assert len(kinds) >= 4
    assert {"walk", "overlaps", "gaps", "depths", "kinds", "points", "prepare", "tidy"} <= {*loaded}
    assert {p.name: p.stat().st_mtime_ns for p in (made / "kernels").iterdir()} == before


def test_asking_whether_all_is_there_loads_no_compiler(made: Path, tmp_path: Path) -> None:
    code = "import sys\nprint(native.is_ready(), 'numba' in sys.modules, 'llvmlite' in sys.modules)"
    assert run(code, made).split() == ["True", "False", "False"]
    assert run(code, tmp_path).split() == ["False", "False", "False"]


def test_every_door_is_in_the_files_with_its_signature(made: Path) -> None:
    from ifcbase.clash.narrow._doors import DOORS

    for group in native.GROUPS:
        doors, code = native.unpack((made / "kernels" / native.file_name(group)).read_bytes())
        assert doors.keys() == DOORS[group].keys()
        assert all("S" not in signature.split() for signature in doors.values())
        for name in doors:
            assert native.symbol(name).encode() in code


def test_the_columns_are_what_the_kernels_take() -> None:
    pieces = build(MeshSet.from_meshes([box((0, 0, 0), (1, 1, 1))])).pieces
    assert [(c.dtype.str[1:], c.ndim) for c in pieces] == list(COLUMN_TYPES)


def test_arguments_that_do_not_fit_are_refused() -> None:
    """Machine code would read past the end of them."""
    v, f = box((0, 0, 0), (1, 1, 1))
    out = np.zeros(1)
    native.pairs.winding(np.full(3, 0.5), v, f, out)
    assert abs(out[0]) == pytest.approx(1.0)
    for wrong in (v.astype(np.float32), v.ravel(), v[:, ::-1], np.asfortranarray(v)):
        with pytest.raises(TypeError):
            native.pairs.winding(np.full(3, 0.5), wrong, f, out)
    with pytest.raises(TypeError):
        native.pairs.winding(np.full(3, 0.5), v, f)
    with pytest.raises(AttributeError):
        native.pairs.no_such_kernel()


def test_changed_sources_get_kernels_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = native.key()
    copy = tmp_path / "narrow"
    shutil.copytree(Path(narrow.__file__).parent, copy, ignore=shutil.ignore_patterns("__*__"))
    monkeypatch.setattr(native, "_SOURCES", copy)
    try:
        native.key.cache_clear()
        assert native.key() == before
        with (copy / "_mesh.py").open("a") as file:
            file.write("\n# changed\n")
        native.key.cache_clear()
        assert native.key() != before
    finally:
        native.key.cache_clear()


@pytest.mark.parametrize("place", [0, 12, 50, -1])
def test_a_damaged_file_is_never_run(made: Path, place: int) -> None:
    data = bytearray((made / "kernels" / native.file_name("pairs")).read_bytes())
    data[place] ^= 1
    with pytest.raises(KernelsUnusable):
        native.unpack(bytes(data))


def test_a_damaged_file_is_made_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "kernels"
    place.mkdir()
    (place / native.file_name("pairs")).write_bytes(b"half a file")
    good = made / "kernels" / native.file_name("pairs")

    def remake(group: str, into: Path) -> Path:
        return Path(shutil.copy(good, into / native.file_name(group)))

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(native, "package_folder", lambda: tmp_path / "none")
    monkeypatch.setattr(kernels, "build_group", remake)
    native.Group("pairs").to_surface  # noqa: B018 - the first use loads
    assert (place / native.file_name("pairs")).read_bytes() == good.read_bytes()


def test_nothing_is_compiled_when_all_is_there(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(made))
    monkeypatch.setattr(native, "package_folder", lambda: made / "none")
    monkeypatch.setattr(kernels, "build_group", None)
    assert [p.parent for p in kernels.build()] == [made / "kernels"] * 2
    assert native.is_ready()


def test_kernels_beside_the_program_are_found_first(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(native, "package_folder", lambda: tmp_path / "beside")
    assert not native.is_ready()
    for place in (tmp_path / "kernels", tmp_path / "beside"):
        shutil.copytree(made / "kernels", place)
        assert {native.find(group) for group in native.GROUPS} == {*place.iterdir()}


def test_a_build_tells_how_far_it_is(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, float]] = []

    def pretend(group: str, place: Path, tell: object) -> Path:
        assert callable(tell)
        for fraction in (0.5, 1.0):
            tell(fraction)
        return Path(shutil.copy(made / "kernels" / native.file_name(group), place))

    monkeypatch.setattr(kernels, "build_group", pretend)

    def tell(phase: str, fraction: float, note: str = "") -> None:
        assert not note
        told.append((phase, fraction))

    paths = kernels.build(tell, into=tmp_path)
    assert {p.name for p in paths} == {native.file_name(g) for g in native.GROUPS}
    assert {phase for phase, _ in told} == {kernels.PHASE}
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert told[-1][1] == 1.0


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileUnwritable, match="file"):
        kernels.build(into=tmp_path / "file" / "kernels")


def test_a_compiler_that_fails_is_reported_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(KernelsUnusable) as caught:
        kernels.build_group("no such group", tmp_path)
    assert "no such group" in (caught.value.detail or "")
    assert list(tmp_path.iterdir()) == []
