"""What clients send is understood, and what cannot be done is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from ifcbase.conversion.request import ConversionRequest, Format, parse_request
from ifcbase.conversion.switches import REFUSED, WITHOUT_EFFECT, is_neutral
from ifcbase.errors import OutputUnsupported, RequestInvalid, SelectorInvalid

BASE = {"input_filename": "a.ifc", "output_filename": "a.glb"}
#: All that the newer of the two existing services sends when nothing is asked for.
EVERYTHING_NEUTRAL: dict[str, Any] = {
    **dict.fromkeys(REFUSED),
    **{name: False for name in REFUSED if name not in {"model", "dimensionality", "kernel"}},
    "model": True,
    "verbose": True,
    "quiet": False,
    "threads": None,
    "cache_file": None,
    "include": None,
    "exclude": None,
    "bounds": None,
    "scale": None,
    "digits": None,
    "section_height": None,
    "section_height_from_storeys": False,
    "convert_back_units": False,
    "y_up": False,
    "weld_vertices": False,
    "center_model": False,
    "log_file": None,
    "validate": False,
}


def parsed(**fields: Any) -> ConversionRequest:
    return parse_request(BASE | fields)


def test_what_the_n8n_node_sends_is_understood() -> None:
    request = parsed(
        verbose=True, plan=False, model=True, weld_vertices=False, use_world_coords=True,
        convert_back_units=False, sew_shells=False, merge_boolean_operands=False,
        disable_opening_subtractions=False, include=["IfcWall", "IfcSlab"], exclude=["IfcDoor"],
        log_file="a.log",
    )  # fmt: skip
    assert (request.include, request.exclude) == ("IfcWall, IfcSlab", "IfcDoor")
    assert request.options() == {"include": "IfcWall, IfcSlab", "exclude": "IfcDoor"}
    assert request.format is Format.GLB


def test_all_switches_at_rest_ask_for_nothing() -> None:
    assert parse_request(BASE | EVERYTHING_NEUTRAL) == parsed()


def test_a_request_survives_being_stored() -> None:
    request = parsed(include=["IfcWall"], section_height=None, min_coverage=0.5)
    assert parse_request(request.model_dump(mode="json")) == request


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_switch_that_cannot_be_honoured_is_refused_by_its_name(name: str) -> None:
    value: Any = False if name == "model" else 3.5
    assert not is_neutral(name, value)
    with pytest.raises(RequestInvalid, match=rf"{name}: not supported; \w+"):
        parsed(**{name: value})


def test_several_refused_switches_are_all_named() -> None:
    with pytest.raises(RequestInvalid, match=r"plan: .*; sew_shells: "):
        parsed(plan=True, sew_shells=True)


def test_validate_is_refused_under_the_name_it_has_there() -> None:
    with pytest.raises(RequestInvalid, match="validate_geometry"):
        parsed(validate=True)


@pytest.mark.parametrize("name", sorted(WITHOUT_EFFECT))
def test_switches_without_effect_leave_no_trace(name: str) -> None:
    assert parsed(**{name: True}) == parsed()


def test_an_unknown_option_is_refused_and_not_ignored() -> None:
    with pytest.raises(RequestInvalid, match="colour_scheme: there is no such option"):
        parsed(colour_scheme="dark")


@pytest.mark.parametrize("name", ["a.step", "a.ifc", "a", "a.glb.exe", "folder.glb/a", "a.glb "])
def test_an_extension_nobody_writes_is_refused(name: str) -> None:
    with pytest.raises(OutputUnsupported, match=r"output_filename: .*only \.glb, \.obj"):
        parsed(output_filename=name)


@pytest.mark.parametrize(
    "name",
    [
        "../a.glb", "x/../../a.glb", "/etc/a.glb", "//a.glb", "C:/a.glb", "C:a.glb", "x\\..\\a.glb",
        "a\0.glb", "a\n.glb", ".glb", "..",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["output_filename", "log_file"])
def test_a_path_outside_of_the_output_folder_is_refused(field: str, name: str) -> None:
    with pytest.raises(OutputUnsupported, match=field):
        parsed(**{field: name})


def test_folders_below_the_output_folder_are_fine() -> None:
    assert parsed(output_filename="week 12/./ground.GLB").output_filename == "week 12/ground.GLB"
    assert parsed(output_filename="b/A.OBJ").side_file == "b/A.mtl"
    assert parsed(output_filename="a.glb").side_file is None


@pytest.mark.parametrize("log", ["a.obj", "a.mtl"])
def test_the_log_takes_the_place_of_no_output(log: str) -> None:
    with pytest.raises(RequestInvalid, match="log_file"):
        parsed(output_filename="a.obj", log_file=log)


@pytest.mark.parametrize(
    ("words", "selector"),
    [
        (["IfcWall"], "IfcWall"),
        (["entities", "IfcWall", "IfcSlab"], "IfcWall, IfcSlab"),
        (["entities IfcWall", "IfcSlab"], "IfcWall, IfcSlab"),
        (["IfcWall", "Name=/W.*/"], "IfcWall, Name=/W.*/"),
        (["attribute", "Name", 'W"1'], 'IfcElement, Name="W\\"1"'),
        (["arg", "Tag", "12*"], "IfcElement, Tag=/12.*$/"),
        ([""], None),
        ([], None),
        ("", None),
        ("  ", None),
    ],
)
def test_lists_of_the_program_become_selectors(words: Any, selector: str | None) -> None:
    assert parsed(include=words).include == selector


@pytest.mark.parametrize(
    "words", [["layers", "A-WALL"], ["attribute", "Name"], ["attribute", "Weight", "1"], [1]]
)
def test_lists_that_say_something_else_are_refused(words: Any) -> None:
    with pytest.raises(RequestInvalid, match="include"):
        parsed(include=words)


@pytest.mark.parametrize("selector", ["IfcNope", "IfcWall, Name=", "IfcWall,,", "x" * 20_000])
def test_selectors_that_cannot_be_understood_are_refused(selector: str) -> None:
    with pytest.raises((SelectorInvalid, RequestInvalid), match="exclude"):
        parsed(exclude=selector)


@pytest.mark.parametrize(
    ("output", "field", "value"),
    [
        ("a.glb", "bounds", "10x10"),
        ("a.glb", "digits", 3),
        ("a.csv", "section_height", 0.0),
        ("a.csv", "center_model", True),
        ("a.svg", "y_up", True),
        ("a.xlsx", "convert_back_units", True),
        ("a.glb", "convert_back_units", True),
        ("a.svg", "use_element_names", True),
    ],
)
def test_what_a_format_does_not_look_at_is_refused(output: str, field: str, value: Any) -> None:
    with pytest.raises(RequestInvalid, match=rf"{field} has no effect on \{output[1:]}"):
        parsed(output_filename=output, **{field: value})


@pytest.mark.parametrize(
    "fields",
    [
        {"bounds": "10"},
        {"bounds": "0x10"},
        {"bounds": "10x999999"},
        {"scale": "100"},
        {"scale": "1:0"},
        {"bounds": "10x10", "scale": "1:100"},
        {"section_height": float("nan")},
        {"section_height": 1e9},
    ],
)
def test_sizes_of_plans_must_make_sense(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid, match=next(iter(fields))):
        parsed(output_filename="a.svg", **fields)


def test_only_one_way_of_naming() -> None:
    with pytest.raises(RequestInvalid, match="only one of"):
        parsed(use_element_names=True, use_element_guids=True)


@pytest.mark.parametrize("given", [None, [], "a.ifc", 3])
def test_what_is_no_object_is_refused(given: Any) -> None:
    with pytest.raises(RequestInvalid):
        parse_request(given)


def test_fields_can_be_named_in_other_words() -> None:
    with pytest.raises(OutputUnsupported, match=r"^OUT: \.step files"):
        parse_request(BASE | {"output_filename": "a.step"}, {"output_filename": "OUT"}.__getitem__)
