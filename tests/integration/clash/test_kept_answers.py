"""Answers as a whole are kept: given again for the same request and bytes, and for nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ifcbase.clash import answers, handover
from ifcbase.clash.request import parse_request
from ifcbase.clash.run import OUTPUT, kept_answer, kept_in, run
from ifcbase.ifc.mesh_cache import STAGE
from tests.ifc_builder import IfcBuilder

HOW: dict[str, Any] = {"engine": "solid", "keep_going": False, "sign": False}


class Desk:
    """Two boxes that overlap by 20 mm, and a cache that admits what runs leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = kept_in(folder / "cache", 1 << 30)
        self.files: dict[str, Path] = {}
        self.runs = 0
        self.write("wall", (0, 0, 0), (5, 0.2, 3))
        self.write("pipe", (3, 0.18, 1), (0.1, 2, 0.1))

    def write(self, name: str, corner: Any, size: Any) -> None:
        builder = IfcBuilder()
        builder.box(name, corner, size)
        self.files[name] = builder.write(self.folder / f"{name}.ifc")

    def request(self, **values: Any) -> Any:
        one = {"name": "s", "mode": "collision", "a": [{"file": "wall"}], "b": [{"file": "pipe"}]}
        return [one | values]

    def run(self, request: Any, **options: Any) -> Path:
        """Compute, as the command line does for what was not asked before."""
        output = self._fresh()
        files = {name: str(path) for name, path in self.files.items()}
        how = {"keep_answer": True} | HOW | options
        run(request, files, output, mesh_cache=str(self.cache.folder), **how)
        assert self.cache.admit_all(output / STAGE) == []
        return output

    def kept(self, request: Any, **options: Any) -> Path | None:
        """The folder with what is kept for a request."""
        output = self._fresh()
        how = HOW | options
        found = kept_answer(self.cache, parse_request(request), self.files, output, **how)
        assert found == (output / OUTPUT).exists()
        return output if found else None

    def _fresh(self) -> Path:
        self.runs += 1
        output = self.folder / f"run-{self.runs}"
        output.mkdir()
        return output


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Where the question was answered once; nobody changes anything here."""
    desk = Desk(tmp_path_factory.mktemp("asked"))
    desk.run(desk.request())
    assert desk.kept(desk.request()) is not None
    return desk


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in answers.FILES]


def test_the_same_question_gets_the_same_bytes(desk: Desk) -> None:
    first = desk.run(desk.request())
    again = desk.kept(desk.request())
    assert again is not None
    assert contents(again) == contents(first)
    assert len(handover.read(again, parse_request(desk.request())).sets[0].clashes) == 1
    # The name of the output file is no part of the question.
    named = {"clash_sets": desk.request(), "output_filename": "o.json"}
    assert desk.kept(named) is not None


def test_nothing_is_kept_for_who_does_not_ask_for_it(desk: Desk) -> None:
    desk.run(desk.request(), keep_answer=False)
    assert desk.kept(desk.request()) is None


@pytest.mark.parametrize(
    "other",
    [
        {"mode": "intersection"},
        {"mode": "clearance", "clearance": 0.05},
        {"allow_touching": True},
        {"name": "another"},
        {"a": [{"file": "pipe"}], "b": [{"file": "wall"}]},
        {"a": [{"file": "wall", "mode": "i", "selector": "IfcWall"}]},
    ],
)
def test_another_question_is_not_answered_by_it(asked: Desk, other: dict[str, Any]) -> None:
    assert asked.kept(asked.request(**other)) is None


@pytest.mark.parametrize("how", [{"keep_going": True}, {"sign": True}, {"engine": "reference"}])
def test_another_way_to_answer_is_not_answered_by_it(asked: Desk, how: dict[str, Any]) -> None:
    assert asked.kept(asked.request(), **how) is None


def test_other_bytes_under_the_same_name_are_not_answered_by_it(desk: Desk) -> None:
    before = desk.run(desk.request())
    desk.write("pipe", (3, 1, 1), (0.1, 2, 0.1))
    assert desk.kept(desk.request()) is None
    after = desk.run(desk.request())
    assert len(handover.read(before).sets[0].clashes) == 1
    assert len(handover.read(after).sets[0].clashes) == 0


def test_another_program_is_not_answered_by_it(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ifcbase.clash.answers._program", lambda: "another")
    assert asked.kept(asked.request()) is None


def test_a_damaged_answer_is_computed_again(desk: Desk) -> None:
    first = desk.run(desk.request())
    (path,) = (desk.folder / "cache").rglob("*" + answers.SUFFIX)
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + b"?")
    assert desk.kept(desk.request()) is None
    assert not path.exists()
    assert contents(desk.run(desk.request())) == contents(first)
    assert path.read_bytes() == raw


def test_an_answer_without_one_of_the_files_is_not_kept(desk: Desk) -> None:
    desk.files["pipe"].write_bytes(b"ISO-10303-21;")
    output = desk.run(desk.request(), keep_going=True)
    assert handover.read(output).files[1].failure is not None
    assert desk.kept(desk.request(), keep_going=True) is None


def test_a_missing_file_is_left_to_a_run_to_name(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(asked.files, "pipe", asked.folder / "nowhere.ifc")
    assert asked.kept(asked.request()) is None


def test_a_huge_answer_is_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ifcbase.clash.answers.LARGEST", 100)
    desk.run(desk.request())
    assert desk.kept(desk.request()) is None
