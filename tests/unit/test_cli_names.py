"""File names as the ledger keeps them."""

from __future__ import annotations

from pathlib import Path

from ifcbase.cli.submitting import _short_names


def test_the_ledger_keeps_no_path_of_the_machine_a_file_came_from() -> None:
    assert _short_names({"../x/arc.ifc": Path("../x/arc.ifc"), "mep.ifc": Path("mep.ifc")}) == {
        "../x/arc.ifc": "arc.ifc",
        "mep.ifc": "mep.ifc",
    }


def test_equal_names_in_two_folders_stay_two_files() -> None:
    names = _short_names({"a/m.ifc": Path("a/m.ifc"), "b/m.ifc": Path("b/m.ifc")})
    assert names == {"a/m.ifc": "a/m.ifc", "b/m.ifc": "b/m.ifc"}


def test_one_file_under_two_paths_is_one_file() -> None:
    names = _short_names({"m.ifc": Path("m.ifc"), "./m.ifc": Path("m.ifc")})
    assert names == {"m.ifc": "m.ifc", "./m.ifc": "m.ifc"}
