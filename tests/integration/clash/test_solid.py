"""The solid engine around its kernels: kept meshes, broken files, what it finds in a real scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ifcbase.clash import handover
from ifcbase.clash.detect import detect
from ifcbase.clash.report import LeftOut, Verdict
from ifcbase.clash.request import parse_request
from ifcbase.clash.run import OUTPUT, kept_in, run
from ifcbase.errors import IfcTruncated, IfcUnparsable
from ifcbase.ifc.mesh_cache import STAGE, MeshCache
from ifcbase.ifc.meshing import pool
from ifcbase.jobs.meshes import KeptMeshes
from ifcbase.jobs.sandbox import Sandbox, SandboxJob
from tests.ifc_builder import IfcBuilder
from tests.integration.clash.conftest import names_of


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A wall, a beam through it, and one 20 mm into it."""
    made = {}
    for name, box in {
        "wall": ((0, 0, 0), (5, 0.2, 3)),
        "through": ((2, -1, 1), (0.1, 2, 0.1)),
        "into": ((3, 0.18, 1), (0.1, 2, 0.1)),
    }.items():
        builder = IfcBuilder()
        builder.box(name, *box)
        made[name] = builder.write(tmp_path / f"{name}.ifc")
    return made


def asked(**values: Any) -> dict[str, Any]:
    one = {"name": "s", "mode": "collision", "a": [{"file": "wall"}]}
    return {"clash_sets": [one | {"b": [{"file": "through"}, {"file": "into"}]} | values]}


def job(files: dict[str, Path], tmp_path: Path, name: str, **options: Any) -> Path:
    """One job as a worker runs it; gives its output folder."""
    output = tmp_path / name
    meshes = KeptMeshes(kept_in(tmp_path / "cache", 1 << 30), "solid")
    with Sandbox(work_folder=tmp_path / "work", memory_mb=4096, spare=False) as sandbox:
        sandbox.run(
            SandboxJob(
                run="ifcbase.clash.run:run",
                request=asked(),
                inputs=files,
                folder=output,
                timeout_s=200,
                memory_mb=4096,
                options=meshes.options() | options,
            )
        )
    meshes.admit(output)
    return output


def test_a_job_keeps_its_meshes_and_the_next_one_makes_none(
    files: dict[str, Path], tmp_path: Path
) -> None:
    cold = job(files, tmp_path, "cold")
    assert len(list((cold / STAGE).iterdir())) == 11  # of three files, and contacts of two pairs
    kept = sorted(p.name for p in (tmp_path / "cache").rglob("*.*"))
    assert kept == sorted(p.name for p in (cold / STAGE).iterdir())
    warm = job(files, tmp_path, "warm")
    assert list((warm / STAGE).iterdir()) == []
    assert (warm / OUTPUT).read_bytes() == (cold / OUTPUT).read_bytes()


def test_a_damaged_entry_is_made_again(files: dict[str, Path], tmp_path: Path) -> None:
    cache = MeshCache(tmp_path / "cache", 1 << 30)
    cold, warm = tmp_path / "cold", tmp_path / "warm"
    for folder in (cold, warm):
        folder.mkdir()
        run(asked(), {n: str(p) for n, p in files.items()}, folder, mesh_cache=str(cache.folder))
        if folder == cold:
            assert cache.admit_all(cold / STAGE) == []
            for path in cache.folder.rglob("*.reading"):
                path.write_bytes(path.read_bytes()[:-1] + b" ")
    assert {p.suffix for p in (warm / STAGE).iterdir()} >= {".reading"}
    assert (warm / OUTPUT).read_bytes() == (cold / OUTPUT).read_bytes()


def test_each_file_is_meshed_once_for_all_sets_and_sides(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[str]] = []
    real = pool.mesh_files

    def watched(chosen: Any, **values: Any) -> Any:
        given.append([each.path.stem for each in chosen])
        return real(chosen, **values)

    monkeypatch.setattr("ifcbase.clash.solid.mesh_files", watched)
    sides = [[{"file": "wall"}], [{"file": "through"}], [{"file": "wall"}, {"file": "through"}]]
    sets = [
        {"name": f"{i}-{j}", "mode": "collision", "a": a, "b": b}
        for i, a in enumerate(sides)
        for j, b in enumerate([*sides, []])
    ]
    report = detect(parse_request(sets), files)
    assert given == [["wall", "through"]]
    pairs = {each.definition.name: names_of(report, each) for each in report.sets}
    straight, crossed = [("wall", "through")], [("through", "wall")]
    assert pairs["0-1"] == pairs["0-2"] == pairs["2-2"] == pairs["2-3"] == straight
    assert pairs["1-0"] == crossed
    assert pairs["0-0"] == pairs["0-3"] == pairs["1-1"] == []


def test_one_broken_file_stops_the_run_unless_told_to_keep_going(files: dict[str, Path]) -> None:
    broken = files["into"]
    broken.write_text(broken.read_text()[:600])
    with pytest.raises(IfcTruncated, match=r"into\.ifc"):
        detect(parse_request(asked()), files)
    report = detect(parse_request(asked()), files, keep_going=True)
    assert names_of(report, report.sets[0]) == [("wall", "through")]
    assert report.files[2].failure is not None
    assert any("into" in text and "failed" in text for text in report.sets[0].warnings)


def test_a_request_may_ask_to_keep_going(files: dict[str, Path], tmp_path: Path) -> None:
    files["into"].write_text(
        files["into"].read_text().replace("IFCEXTRUDEDAREASOLID", "IFCNOTHING")
    )
    given = {name: str(path) for name, path in files.items()}
    with pytest.raises(IfcUnparsable, match="into"):
        run(asked(), given, tmp_path)
    run(asked() | {"keep_going": True}, given, tmp_path)
    report = handover.read(tmp_path)
    assert [each.is_read for each in report.files] == [True, True, False]
    assert report.files[2].failure is not None
    assert names_of(report, report.sets[0]) == [("wall", "through")]


def test_a_run_that_lacks_a_file_is_never_clean(files: dict[str, Path]) -> None:
    files["through"].unlink()
    rest = asked(b=[{"file": "through"}, {"file": "into"}], mode="intersection", tolerance=5)
    report = detect(parse_request(rest), files, keep_going=True)
    assert len(report.sets[0].clashes) == 0
    assert report.sets[0].verdict(min_coverage=0.0) is Verdict.INCONCLUSIVE


def test_a_file_that_no_mesher_survives_is_named_and_its_elements_are_gaps(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pool.mesh_files

    def lost(chosen: Any, **values: Any) -> Any:
        made = real(chosen, **values)
        made[2].meshes, made[2].error = None, IfcTruncated("into.ifc: crashed")
        return made

    monkeypatch.setattr("ifcbase.clash.solid.mesh_files", lost)
    report = detect(parse_request(asked()), files, keep_going=True)
    side = report.sets[0].b[1]
    assert list(side.left_out.values()) == [LeftOut.FILE_FAILED]
    assert report.sets[0].coverage < 1


@pytest.mark.models
def test_real_building_swapped_is_the_same(models_folder: Path) -> None:
    folder = models_folder / "pcert"
    names = ("Building-Architecture.ifc", "Building-Structural.ifc")
    one, two = ([{"file": name}] for name in names)
    sets = [
        {"name": "ab", "mode": "collision", "a": one, "b": two},
        {"name": "ba", "mode": "collision", "a": two, "b": one},
    ]
    report = detect(parse_request(sets), {name: folder / name for name in names})
    ab, ba = (names_of(report, each) for each in report.sets)
    assert {(y, x) for x, y in ba} == set(ab)
    first, second = (each.clashes.distance for each in report.sets)
    assert sorted(first.tolist()) == pytest.approx(sorted(second.tolist()), abs=1e-9)
