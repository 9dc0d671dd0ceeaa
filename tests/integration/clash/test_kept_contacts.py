"""Contacts are measured once: what is answered from kept ones equals what is measured anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ifcbase.clash import handover
from ifcbase.clash.kept import SUFFIX
from ifcbase.clash.narrow import contacts
from ifcbase.clash.run import OUTPUT, kept_in, run
from ifcbase.ifc.inventory import read_inventory
from ifcbase.ifc.mesh_cache import STAGE
from ifcbase.ifc.opening import open_model
from ifcbase.ifc.traits import read_signatures
from tests.ifc_builder import IfcBuilder

#: Name: corner and size in metres. "near" is 30 mm from the wall, "flush" touches it.
BOXES = {
    "wall": ((0, 0, 0), (5, 0.2, 3)),
    "through": ((2, -1, 1), (0.1, 2, 0.1)),
    "into": ((3, 0.18, 1), (0.1, 2, 0.1)),
    "near": ((4, 0.23, 1), (0.1, 2, 0.1)),
    "flush": ((4.5, 0.2, 1), (0.1, 2, 0.1)),
}


class Desk:
    """Runs as a worker does: the cache is read, what is new is admitted afterwards."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.files: dict[str, Path] = {}
        self.runs = 0
        self.measured: list[int] = []
        real = contacts.detect_pairs

        def watched(*args: Any, **values: Any) -> Any:
            found = real(*args, **values)
            self.measured.append(found.candidates)
            return found

        monkeypatch.setattr("ifcbase.clash.narrow.detect_pairs", watched)
        for name, box in BOXES.items():
            self.write(name, *box)

    def write(self, name: str, corner: Any, size: Any) -> None:
        builder = IfcBuilder()
        builder.box(name, corner, size)
        self.files[name] = builder.write(self.folder / f"{name}.ifc")

    def run(
        self, a: tuple[Any, ...] = ("wall",), b: tuple[Any, ...] = tuple(BOXES)[1:], *,
        kept: bool = True, sign: bool = False, **values: Any,
    ) -> tuple[bytes, int]:  # fmt: skip
        """The report's bytes, and how many pairs were measured for it."""
        self.runs += 1
        output = self.folder / f"run-{self.runs}"
        output.mkdir()
        cache = kept_in(self.folder / ("cache" if kept else f"none-{self.runs}"), 1 << 30)
        sides = [[{"file": n} if isinstance(n, str) else n for n in side] for side in (a, b)]
        one = {"name": "s", "mode": "collision", "a": sides[0], "b": sides[1]} | values
        self.measured.clear()
        run(
            [one],
            {name: str(path) for name, path in self.files.items()},
            output,
            mesh_cache=str(cache.folder),
            sign=sign,
        )
        assert cache.admit_all(output / STAGE) == []
        return (output / OUTPUT).read_bytes(), sum(self.measured)

    @property
    def last(self) -> Path:
        return self.folder / f"run-{self.runs}"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


def test_a_second_run_measures_nothing_and_says_the_same(desk: Desk) -> None:
    cold, measured = desk.run()
    assert measured == 3
    assert desk.run() == (cold, 0)
    assert desk.run(kept=False) == (cold, 3)


def test_a_revised_file_is_measured_and_nothing_else(desk: Desk) -> None:
    desk.run()
    desk.write("into", (3, 0.15, 1), (0.1, 2, 0.1))
    revised, measured = desk.run()
    assert measured == 1
    assert desk.run(kept=False)[0] == revised


@pytest.mark.parametrize(
    "rule",
    [
        {"mode": "collision", "allow_touching": True},
        {"mode": "intersection", "tolerance": 0.01},
        {"mode": "intersection", "tolerance": 0.03},
    ],
)
def test_other_tolerances_are_answered_from_the_same_measurements(
    desk: Desk, rule: dict[str, Any]
) -> None:
    desk.run()
    answered, measured = desk.run(**rule)
    assert measured == 0
    assert desk.run(kept=False, **rule)[0] == answered


def test_gaps_are_measured_apart(desk: Desk) -> None:
    desk.run()
    found, measured = desk.run(mode="clearance", clearance=0.05)
    assert measured == 4
    assert desk.run(mode="clearance", clearance=0.05) == (found, 0)
    assert b'"clearance"' in found
    assert desk.run(mode="clearance", clearance=0.02)[1] > 0


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (("wall", "into"), ()),
        (("wall", "into"), ("wall", "into")),
        (("wall", "into"), ("into", "through", "wall")),
        (("into",), ("wall",)),
    ],
)
def test_other_sides_are_not_mixed_up(desk: Desk, a: tuple[str, ...], b: tuple[str, ...]) -> None:
    desk.run()
    desk.run(a=("through", "into"), b=("wall",))
    mixed, _ = desk.run(a=a, b=b)
    assert desk.run(a=a, b=b) == (mixed, 0)
    assert desk.run(a=a, b=b, kept=False)[0] == mixed


def test_a_damaged_entry_is_measured_again(desk: Desk) -> None:
    cold, _ = desk.run()
    for path in (desk.folder / "cache").rglob("*" + SUFFIX):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert desk.run() == (cold, 3)
    assert desk.run() == (cold, 0)


def test_meshes_of_another_selection_are_measured_for_themselves(desk: Desk) -> None:
    builder = IfcBuilder()
    builder.box("one", (0, 0, 0), (1, 1, 1))
    builder.box("two", (3, 0, 0), (1, 1, 1), ifc_class="IfcBeam")
    desk.files["both"] = builder.write(desk.folder / "both.ifc")
    desk.write("across", (-1, 0.4, 0.4), (6, 0.1, 0.1))
    whole, _ = desk.run(a=("both",), b=("across",))
    beams = {"file": "both", "mode": "i", "selector": "IfcBeam"}
    part, measured = desk.run(a=(beams,), b=("across",))
    assert measured == 1
    assert part != whole
    assert desk.run(a=(beams,), b=("across",), kept=False)[0] == part
    assert desk.run(a=("both",), b=("across",)) == (whole, 0)


def test_signatures_are_those_of_reading_and_are_kept(desk: Desk) -> None:
    desk.run(sign=True)
    for file in handover.read(desk.last).files:
        model = open_model(desk.files[file.name])
        inventory = read_inventory(model)
        direct = read_signatures(model, inventory, desk.files[file.name])
        assert file.signatures is not None
        assert np.array_equal(file.signatures.content, direct.content)
        assert np.array_equal(file.signatures.volume, direct.volume, equal_nan=True)
    first = (desk.last / handover.ARRAYS).read_bytes()
    desk.run(sign=True)
    assert list((desk.last / STAGE).iterdir()) == []
    assert len((desk.last / handover.ARRAYS).read_bytes()) == len(first)


def test_a_model_known_without_signatures_is_signed_when_they_are_wanted(desk: Desk) -> None:
    desk.run()
    assert all(file.signatures is None for file in handover.read(desk.last).files)
    desk.run(sign=True)
    assert all(file.signatures is not None for file in handover.read(desk.last).files)
    assert {path.suffix for path in (desk.last / STAGE).iterdir()} == {".reading", ".signed"}
