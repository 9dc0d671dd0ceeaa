"""`ifcbase convert` as people call it: what is written, exit codes, refusals before any work."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ifcbase.jobs import registry
from tests.ifc_builder import IfcBuilder
from tests.unit.cli.calling import Caller


@pytest.fixture
def wall(tmp_path: Path) -> Path:
    builder = IfcBuilder()
    builder.box("[bold]wall[/bold]")
    return builder.write(tmp_path / "wall.ifc")


@pytest.fixture
def gap(tmp_path: Path) -> Path:
    """Two walls, one of which cannot be meshed."""
    builder = IfcBuilder()
    builder.box("good")
    broken = builder.box("broken")
    shell = builder.file.create_entity("IfcClosedShell", [])
    broken.Representation.Representations[0].Items = [
        builder.file.create_entity("IfcFacetedBrep", shell)
    ]
    return builder.write(tmp_path / "gap.ifc")


def crash(*_: object, **__: object) -> None:
    """What the child calls in the place of a conversion."""
    os.kill(os.getpid(), signal.SIGSEGV)


def test_a_model_is_converted(ifcbase: Caller, wall: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = ifcbase("convert", wall, tmp_path / "out" / "a.obj", "--log", tmp_path / "a.log")
    assert (done.code, done.err) == (0, "")
    assert "1 of 1 elements, converted" in done.out
    assert "mtllib a.mtl" in (tmp_path / "out" / "a.obj").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "a.mtl").is_file()
    assert "1 of 1 elements" in (tmp_path / "a.log").read_text(encoding="utf-8")
    assert str(tmp_path / "out" / "a.mtl") in done.out


def test_what_is_missing_makes_it_inconclusive(ifcbase: Caller, gap: Path) -> None:
    done = ifcbase("convert", gap, "a.glb")
    assert done.code == 3
    assert "1 of 2 elements, inconclusive" in done.out
    assert "left out: 1 no geometry" in done.out
    assert "broken: " in done.out
    assert "only 50.0 % of the elements with geometry were converted" in done.out
    done = ifcbase("convert", gap, "a.glb", "--min-coverage", "0.5", "--json")
    assert done.code == 0
    document = json.loads(done.out)
    assert (document["verdict"], document["coverage"]) == ("converted", 0.5)
    assert [each["name"] for each in document["left_out"]] == ["broken"]
    assert [each["name"] for each in document["outputs"]] == ["a.glb"]


def test_the_second_conversion_takes_kept_meshes(
    ifcbase: Caller, wall: Path, tmp_path: Path
) -> None:
    assert ifcbase("convert", wall, "a.glb").code == 0
    (kept,) = (tmp_path / "home").rglob("*.mesh")
    before = kept.stat().st_ino
    assert ifcbase("convert", wall, "b.glb").code == 0
    assert [path.stat().st_ino for path in (tmp_path / "home").rglob("*.mesh")] == [before]
    assert Path("a.glb").read_bytes() == Path("b.glb").read_bytes()


def test_a_crash_is_tried_again_with_meshers_apart(
    ifcbase: Caller, wall: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = registry.check_named("conversion")
    broken = dataclasses.replace(good, run="tests.unit.cli.test_convert:crash")
    monkeypatch.setitem(registry.CHECKS, "conversion", broken)
    done = ifcbase("convert", wall, "a.glb")
    assert done.code == 0, done
    assert "trying again" in done.err
    assert Path("a.glb").is_file()


def test_a_crash_every_time_is_an_error(
    ifcbase: Caller, wall: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = "tests.unit.cli.test_convert:crash"
    broken = dataclasses.replace(registry.check_named("conversion"), run=at, run_again=at)
    monkeypatch.setitem(registry.CHECKS, "conversion", broken)
    done = ifcbase("convert", wall, "a.glb")
    assert done.code == 2
    assert "SIGSEGV" in done.err
    assert not Path("a.glb").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["wall.ifc", "a.step"], "OUT: .step files are not written"),
        (["wall.ifc", "wall"], "OUT: files without an extension are not written"),
        (["nowhere.ifc", "a.glb"], "nowhere.ifc does not exist"),
        (["wall.ifc", "no/such/a.glb"], "there is no folder"),
        (["rules.ids", "a.glb"], "rules.ids is not an IFC file in STEP form"),
        (["wall.ifc", "a.glb", "--include", "IfcNope"], "--include: the selector"),
        (["wall.ifc", "a.glb", "--scale", "1:100"], "--scale has no effect on .glb"),
        (["wall.ifc", "a.svg", "--scale", "100"], "--scale: write 1:N"),
        (["wall.ifc", "a.glb", "--min-coverage", "2"], "--min-coverage"),
        (["wall.ifc", "a.glb", "--model", "House"], "--model goes with --submit"),
        (["wall.ifc", "a.glb", "--project", "x"], "--project goes with --submit"),
        (["wall.ifc"], "OUT"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(
    ifcbase: Caller, wall: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("work was begun")

    monkeypatch.setattr("ifcbase.cli.running.computed", never)
    Path("rules.ids").write_text("<ids/>", encoding="utf-8")
    done = ifcbase("convert", *arguments)
    assert done.code == 2
    assert said in done.err
    assert "hint: " in done.err
    assert sorted(path.name for path in wall.parent.iterdir()) == ["rules.ids", "wall.ifc"]


def test_the_output_does_not_take_the_place_of_the_model(ifcbase: Caller, wall: Path) -> None:
    link = wall.with_name("same.glb")
    link.symlink_to(wall)
    done = ifcbase("convert", wall, link)
    assert done.code == 2
    assert "which it would overwrite" in done.err
    assert wall.read_bytes().startswith(b"ISO-10303-21;")
