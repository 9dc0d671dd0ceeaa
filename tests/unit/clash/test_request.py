"""Requests: both known shapes are accepted, and what cannot work is refused at submit."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ifcbase.clash.request import ClashRequest, Mode, SelectMode, parse_request
from ifcbase.errors import RequestInvalid, SelectorInvalid


def one_set(**values: Any) -> dict[str, Any]:
    return {"name": "set", "a": [{"file": "a.ifc"}], "b": [{"file": "b.ifc"}]} | values


def test_ifcclash_file_is_accepted() -> None:
    request = parse_request(
        [
            {
                "name": "A vs B",
                "mode": "intersection",
                "tolerance": 0.002,
                "check_all": True,
                "a": [{"file": "a.ifc", "mode": "i", "selector": "IfcWall"}],
                "b": [{"file": "b.ifc", "mode": "a"}],
            },
            {
                "name": "self",
                "mode": "clearance",
                "clearance": 0.5,
                "check_all": False,
                "a": [{"file": "c.ifc"}],
            },
        ]
    )
    first, second = request.clash_sets
    assert (first.mode, first.tolerance, first.check_all) == (Mode.INTERSECTION, 0.002, True)
    assert first.a[0].mode is SelectMode.INCLUDE
    assert second.is_self_clash
    assert second.clearance == 0.5
    assert request.files() == ["a.ifc", "b.ifc", "c.ifc"]


def test_result_of_ifcclash_can_be_run_again() -> None:
    (clash_set,) = parse_request([one_set(clashes={"x-y": {}})]).clash_sets
    assert clash_set.name == "set"


def test_pipeline_request_is_accepted() -> None:
    request = parse_request(
        {
            "clash_sets": [{"name": "x", "a": [{"file": "a.ifc"}], "b": []}],
            "output_filename": "out.json",
            "mode": "clearance",
            "clearance": 0.05,
            "check_all": True,
            "smart_grouping": True,
            "input_version_id": "v1",
            "input_version_ids": {"a.ifc": "v1"},
            "input_audit_id": 7,
        }
    )
    (clash_set,) = request.clash_sets
    assert (clash_set.mode, clash_set.clearance, clash_set.check_all) == ("clearance", 0.05, True)
    assert clash_set.tolerance == 0.01
    assert request.smart_grouping
    assert request.max_cluster_distance == 5.0
    assert request.min_coverage == 1.0
    assert not request.include_related


def test_values_of_a_set_win_over_those_of_the_request() -> None:
    request = parse_request(
        {
            "clash_sets": [
                one_set(name="own", tolerance=0.5, mode="collision", allow_touching=False),
                one_set(name="shared"),
                one_set(name="null", tolerance=None),
            ],
            "tolerance": 0.02,
            "allow_touching": True,
            "include_related": True,
        }
    )
    assert [s.tolerance for s in request.clash_sets] == [0.5, 0.02, 0.02]
    assert [s.allow_touching for s in request.clash_sets] == [False, True, True]
    assert [s.mode for s in request.clash_sets] == ["collision", "intersection", "intersection"]
    assert all(s.include_related for s in request.clash_sets)


def test_the_longest_list_is_no_part_of_the_definition() -> None:
    """A shorter list says less of the same question: the chain goes on, and what is missing from it
    is untested."""
    request = parse_request({"clash_sets": [one_set(), one_set(name="own", max_clashes=7)],
                             "max_clashes": 100})  # fmt: skip
    assert [each.max_clashes for each in request.clash_sets] == [100, 7]
    assert request.clash_sets[0].definition() == request.clash_sets[1].definition()
    assert parse_request([one_set()]).clash_sets[0].max_clashes is None


@pytest.mark.parametrize("b", [[], None, "absent"])
def test_no_b_is_a_self_clash(b: Any) -> None:
    values = one_set(b=b)
    if b == "absent":
        del values["b"]
    (clash_set,) = parse_request([values]).clash_sets
    assert clash_set.is_self_clash


def test_sets_without_a_name_get_different_ones() -> None:
    request = parse_request([one_set(name=n) for n in ("", None, "Unnamed", "  ", "x")])
    names = [s.name for s in request.clash_sets]
    assert names == ["Unnamed 2", "Unnamed 3", "Unnamed", "Unnamed 4", "x"]
    nameless = one_set()
    del nameless["name"]
    assert parse_request([nameless]).clash_sets[0].name == "Unnamed"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"tolerance": -0.001}, "clash_sets[0].tolerance"),
        ({"tolerance": math.nan}, "clash_sets[0].tolerance"),
        ({"tolerance": math.inf}, "clash_sets[0].tolerance"),
        ({"tolerance": True}, "clash_sets[0].tolerance"),
        ({"tolerance": "wide"}, "clash_sets[0].tolerance"),
        ({"tolerance": 101}, "clash_sets[0].tolerance"),
        ({"max_clashes": 0}, "clash_sets[0].max_clashes"),
        ({"max_clashes": True}, "clash_sets[0].max_clashes"),
        ({"mode": "clearance"}, "clearance must be more than 0"),
        ({"mode": "clearance", "clearance": 0}, "clearance must be more than 0"),
        ({"mode": "clearance", "clearance": -1}, "clash_sets[0].clearance"),
        ({"mode": "touch"}, "clash_sets[0].mode"),
        ({"a": []}, "clash_sets[0].a"),
        ({"a": None}, "clash_sets[0].a"),
        ({"a": [{"file": ""}]}, "clash_sets[0].a[0].file"),
        ({"a": [{"file": "x\0.ifc"}]}, "clash_sets[0].a[0].file"),
        ({"a": [{"file": "x" * 1025}]}, "clash_sets[0].a[0].file"),
        ({"a": [{"file": "x", "mode": "z"}]}, "clash_sets[0].a[0].mode"),
        ({"a": [{"file": "x", "mode": "e"}]}, "mode 'e' needs a selector"),
        ({"a": [{"file": "x", "mode": "i", "selector": " "}]}, "mode 'i' needs a selector"),
        ({"a": [{"file": "x", "colour": 1}]}, "clash_sets[0].a[0].colour"),
        ({"name": "x" * 256}, "clash_sets[0].name"),
        ({"name": "x\0"}, "clash_sets[0].name"),
        ({"name": "x\ud800"}, "clash_sets[0].name"),
        ({"name": 7}, "clash_sets[0].name"),
        ({"toleranse": 0.1}, "clash_sets[0].toleranse"),
    ],
)
def test_what_cannot_work_is_refused_naming_the_field(values: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse_request([one_set(**values)])
    assert field in caught.value.message
    with pytest.raises(ValidationError):
        ClashRequest.model_validate([one_set(**values)])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"clash_sets": []}, "clash_sets"),
        ({"clash_sets": None}, "clash_sets"),
        ({"clash_sets": ["x"]}, "clash_sets[0]"),
        ({"tolerance": -1}, "tolerance"),
        ({"clearance": math.nan}, "clearance"),
        ({"max_cluster_distance": 0}, "max_cluster_distance"),
        ({"min_coverage": 1.1}, "min_coverage"),
        ({"smart_groping": True}, "smart_groping"),
        ({"clash_sets": [one_set(), one_set()]}, "two clash sets are named 'set'"),
        ({"clash_sets": [one_set(), one_set(name=" set ")]}, "two clash sets are named 'set'"),
    ],
)
def test_bad_requests_name_the_field(values: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse_request({"clash_sets": [one_set()]} | values)
    assert field in caught.value.message


@pytest.mark.parametrize("data", [None, 7, "text", [], [[]], {}])
def test_what_is_no_request_is_refused(data: Any) -> None:
    with pytest.raises(RequestInvalid):
        parse_request(data)


def test_bad_selector_is_told_apart_and_quoted() -> None:
    sides = {"b": [{"file": "b.ifc", "selector": "IfcWall,, {x}"}]}
    with pytest.raises(SelectorInvalid) as caught:
        parse_request([one_set(**sides)])
    assert "clash_sets[0].b[0].selector" in caught.value.message
    assert "IfcWall,, {x}" in caught.value.message
    with pytest.raises(RequestInvalid):
        parse_request([one_set(**sides, tolerance=-1)])


def test_many_problems_are_counted_not_dumped() -> None:
    with pytest.raises(RequestInvalid, match=r"and \d+ more"):
        parse_request([one_set(name=str(i), tolerance=-1) for i in range(20)])


def test_selector_without_a_mode_includes_and_an_empty_one_is_none() -> None:
    files = [
        {"file": "1", "selector": "IfcWall"},
        {"file": "2", "selector": ""},
        {"file": "3", "selector": None, "mode": None},
        {"file": "4", "selector": "IfcWall", "mode": "e"},
    ]
    (clash_set,) = parse_request([one_set(a=files)]).clash_sets
    assert [s.mode.value for s in clash_set.a] == ["i", "a", "a", "e"]
    assert [s.selector for s in clash_set.a] == ["IfcWall", None, None, "IfcWall"]


def test_selector_that_mode_a_does_not_use_is_warned_about() -> None:
    files = [{"file": "a.ifc", "selector": "IfcWall", "mode": "a"}]
    (clash_set,) = parse_request([one_set(a=files)]).clash_sets
    (warning,) = clash_set.warnings()
    assert "IfcWall" in warning
    assert "a.ifc" in warning
    (plain,) = parse_request([one_set()]).clash_sets
    assert plain.warnings() == []
    assert clash_set.definition() == plain.definition()


# --- definitions ---------------------------------------------------------------------------------


def definition(**values: Any) -> str:
    return parse_request([one_set(**values)]).clash_sets[0].definition()


@pytest.mark.parametrize(
    "values",
    [
        {"name": "other"},
        {"a": [{"file": "revision 2.ifc"}]},
        {"clearance": 0.3},
        {"allow_touching": True},
        {"a": [{"file": "a.ifc"}, {"file": "a2.ifc"}]},
    ],
)
def test_what_does_not_decide_the_results_does_not_change_the_definition(
    values: dict[str, Any],
) -> None:
    assert definition(**values) == definition()


@pytest.mark.parametrize(
    "values",
    [
        {"tolerance": 0.02},
        {"check_all": True},
        {"mode": "collision"},
        {"mode": "clearance", "clearance": 0.1},
        {"b": []},
        {"include_related": True},
        {"a": [{"file": "a.ifc", "selector": "IfcWall"}]},
        {"a": [{"file": "a.ifc", "selector": "IfcWall", "mode": "e"}]},
    ],
)
def test_what_decides_the_results_changes_the_definition(values: dict[str, Any]) -> None:
    assert definition(**values) != definition()


def test_definition_takes_the_lasting_names_of_models() -> None:
    (one,) = parse_request([one_set()]).clash_sets
    (two,) = parse_request([one_set(a=[{"file": "a v2.ifc"}])]).clash_sets
    names = {"a.ifc": "Architecture", "a v2.ifc": "Architecture", "b.ifc": "Structure"}
    assert one.definition(names) == two.definition(names)
    assert one.definition_hash(names) == two.definition_hash(names)
    assert one.definition(names) != one.definition(names | {"b.ifc": "Services"})
    assert json.loads(one.definition(names))["a"][0]["model"] == "Architecture"


def test_definition_is_pinned() -> None:
    """The ledger stores its hash: a change breaks the chain of every clash set."""
    (clash_set,) = parse_request([one_set()]).clash_sets
    assert clash_set.definition() == (
        '{"a":[{"mode":"a","selector":null}],"b":[{"mode":"a","selector":null}],'
        '"check_all":false,"format":1,"include_related":false,"mode":"intersection",'
        '"tolerance":0.01}'
    )
    expected = "3211cc2f4ce0dbc97f405e4d4bc1f34411f813964d4b8196491c4ec6bfbf502c"
    assert clash_set.definition_hash() == expected


def test_equal_numbers_give_equal_definitions() -> None:
    assert definition(tolerance=0) == definition(tolerance=-0.0) == definition(tolerance="0.0")


@settings(deadline=None, max_examples=60)
@given(
    tolerance=st.floats(0, 100),
    clearance=st.floats(1e-9, 100),
    mode=st.sampled_from(["intersection", "collision", "clearance"]),
    name=st.text(alphabet=st.characters(codec="utf-8"), max_size=300),
    selector=st.sampled_from([None, "", "IfcWall", "IfcWall,,"]),
    smart=st.booleans(),
)
def test_a_request_survives_being_stored(
    tolerance: float, clearance: float, mode: str, name: str, selector: str | None, smart: bool
) -> None:
    data = {
        "clash_sets": [one_set(name=name, a=[{"file": "f", "selector": selector}])],
        "tolerance": tolerance,
        "clearance": clearance,
        "mode": mode,
        "smart_grouping": smart,
    }
    try:
        request = parse_request(data)
    except (RequestInvalid, SelectorInvalid):
        return
    stored = json.loads(json.dumps(request.model_dump(mode="json")))
    again = parse_request(stored)
    assert again == request
    assert [s.definition() for s in again.clash_sets] == [
        s.definition() for s in request.clash_sets
    ]
