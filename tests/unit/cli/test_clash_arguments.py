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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--clearance", "0.1"], "--clearance has no effect with --mode intersection"),
        (["--clearance", "0.1", "--mode", "collision"], "--clearance has no effect"),
        (["--tolerance", "0.1", "--mode", "collision"], "--tolerance has no effect"),
        (["--allow-touching"], "--allow-touching has no effect with --mode intersection"),
        (["--mode", "clearance", "--clearance", "1", "--tolerance", "0"], "--tolerance has no"),
    ],
)
def test_options_without_effect_are_refused(
    ifcbase: Caller, model: Path, options: list[str], said: str
) -> None:
    called = ifcbase("clash", "--a", model, *options)
    assert called.code == 2
    assert f"error: {said}" in called.err


def test_a_model_given_twice_is_taken_once_and_said(ifcbase: Caller, model: Path) -> None:
    called = ifcbase("clash", "--a", model, "--a", "./model.ifc", "--a", "away.ifc")
    assert called.code == 2
    assert "note: --a model.ifc is given twice and taken once" in called.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mode", "touch"], "--mode: Input should be"),
        (["--tolerance", "-1"], "--tolerance: Input should be"),
        (["--mode", "clearance", "--clearance", "1e9"], "--clearance: Input should be"),
        (["--a-selector", "((("], "--a-selector: "),
        (["--b", "other.ifc", "--b-selector", "((("], "--b-selector: "),
        (["--min-coverage", "7"], "--min-coverage: Input should be"),
    ],
)
def test_a_wrong_value_is_named_by_its_option(
    ifcbase: Caller, model: Path, options: list[str], said: str
) -> None:
    called = ifcbase("clash", "--a", model, *options)
    assert called.code == 2
    assert called.err.startswith(f"error: {said}")
    assert "clash_sets" not in called.err
    assert "send the request" not in called.err
    assert called.err.count("Input should be") <= 1


def test_a_wrong_value_in_a_spec_is_named_by_its_field(ifcbase: Caller, model: Path) -> None:
    spec = model.parent / "sets.json"
    spec.write_text(json.dumps([{"a": [{"file": "model.ifc"}], "mode": "x"}]), encoding="utf-8")
    called = ifcbase("clash", "--spec", spec)
    assert called.code == 2
    assert called.err.startswith("error: clash_sets[0].mode: Input should be")
    assert "hint: Correct the file of --spec" in called.err


def test_a_wrong_option_beside_a_spec_is_named_once(ifcbase: Caller, model: Path) -> None:
    spec = model.parent / "sets.json"
    sets = [{"name": name, "a": [{"file": "model.ifc"}]} for name in ("one", "two")]
    spec.write_text(json.dumps(sets), encoding="utf-8")
    called = ifcbase("clash", "--spec", spec, "--mode", "x")
    assert called.err.startswith("error: --mode: Input should be")
    assert called.err.count("Input should be") == 1
    assert "clash_sets" not in called.err
