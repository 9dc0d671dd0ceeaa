"""Short ways to run detection on models the tests write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ifcbase.clash.detect import detect
from ifcbase.clash.report import ClashReport, SetReport
from ifcbase.clash.request import parse_request
from tests.ifc_builder import IfcBuilder

Run = Callable[..., SetReport]


def names_of(report: ClashReport, each: SetReport) -> list[tuple[str | None, str | None]]:
    """Pairs of element names in the order of the report."""
    found = each.clashes
    rows = zip(found.a_file, found.a, found.b_file, found.b, strict=True)
    return [
        (
            report.files[i].inventory.elements[a].name,
            report.files[j].inventory.elements[b].name,
        )
        for i, a, j, b in rows
    ]


class Bench:
    """Writes models by name and runs one clash set on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, Path] = {}
        self.report: ClashReport | None = None

    def add(self, name: str, builder: IfcBuilder) -> str:
        self.files[name] = builder.write(self.folder / name)
        return name

    def run(self, a: Any, b: Any = (), **values: Any) -> SetReport:
        """Sides are file names, or dicts as in a request, or lists of them."""
        shared = {k: values.pop(k) for k in list(values) if k.startswith(("smart", "max_", "min_"))}
        sides = [[s] if isinstance(s, str | dict) else list(s) for s in (a, b)]
        one = {"name": "set", "mode": "collision"} | values
        one["a"], one["b"] = ([{"file": f} if isinstance(f, str) else f for f in s] for s in sides)
        self.report = detect(parse_request({"clash_sets": [one]} | shared), self.files)
        return self.report.sets[0]

    def pairs(self, a: Any, b: Any = (), **values: Any) -> list[tuple[str | None, str | None]]:
        each = self.run(a, b, **values)
        assert self.report is not None
        return names_of(self.report, each)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
