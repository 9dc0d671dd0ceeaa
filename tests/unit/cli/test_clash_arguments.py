"""What `ifcbase clash` refuses before anything runs, and in which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.calling import Caller


@pytest.mark.parametrize("named", ["model.ifc", "./model.ifc", "link.ifc", "sub/../model.ifc"])
def test_report_does_not_take_the_place_of_a_model(
    ifcbase: Caller, model: Path, named: str
) -> None:
    (model.parent / "sub").mkdir()
    (model.parent / "link.ifc").symlink_to(model)
    before = model.read_bytes()
    called = ifcbase("clash", "--a", "model.ifc", "-o", named)
    assert called.code == 2
    assert f"error: -o {named.removeprefix('./')} is the same file as the input" in called.err
    assert model.read_bytes() == before


def test_report_does_not_take_the_place_of_the_spec(ifcbase: Caller, model: Path) -> None:
    spec = model.parent / "sets.json"
    spec.write_text(json.dumps([{"name": "s", "a": [{"file": "model.ifc"}]}]), encoding="utf-8")
    called = ifcbase("clash", "--spec", spec, "-o", "sets.json")
    assert called.code == 2
    assert "is the same file as the input" in called.err
    assert "clash_sets" not in spec.read_text(encoding="utf-8")


def test_a_spec_nested_without_end_is_a_sentence(ifcbase: Caller, model: Path) -> None:
    spec = model.parent / "sets.json"
    spec.write_text("[" * 200_000 + "]" * 200_000, encoding="utf-8")
    called = ifcbase("clash", "--spec", spec)
    assert called.code == 2
    assert "nested too deeply" in called.err


def test_a_spec_saved_with_a_byte_order_mark_is_read(ifcbase: Caller, model: Path) -> None:
    spec = model.parent / "sets.json"
    spec.write_text(json.dumps([{"a": [{"file": "away.ifc"}]}]), encoding="utf-8-sig")
    called = ifcbase("clash", "--spec", spec)
    assert called.code == 2
    assert "away.ifc" in called.err
