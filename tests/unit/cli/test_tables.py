"""What tables say of their rows."""

from __future__ import annotations

import pytest

from ifcbase.cli.clash_tables import coverage_table
from ifcbase.cli.output import console


@pytest.mark.parametrize(
    ("mode", "selector", "said"),
    [
        ("a", None, "all elements"),
        ("a", "IfcWall", "all elements"),
        ("i", "IfcWall", "IfcWall"),
        ("e", "IfcWall", "all but IfcWall"),
        (None, "IfcWall", "IfcWall"),
    ],
)
def test_excluded_elements_are_not_shown_as_the_tested_ones(
    mode: str | None, selector: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    side = {"side": "a", "file": "m.ifc", "mode": mode, "selector": selector, "selected": 3}
    console().print(coverage_table([side | {"tested": 3, "left_out": {}}]))
    assert f" {said} " in " ".join(capsys.readouterr().out.splitlines()[-1].split(" "))
