"""The document is ifcclash's, nothing overwrites anything, and any JSON reader takes it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.clash.output import to_document, write_output
from ifcbase.clash.report import ClashReport, LeftOut
from ifcbase.ifc.text import is_clean
from tests.unit.clash.reports import any_report, inventory, report

#: What readers of ifcclash's results rely on.
SET_FIELDS = {"name", "a", "b", "mode", "tolerance", "check_all", "allow_touching", "clashes"}
CLASH_FIELDS = {
    "a_global_id",
    "b_global_id",
    "a_ifc_class",
    "b_ifc_class",
    "a_name",
    "b_name",
    "type",
    "p1",
    "p2",
    "distance",
}


def strict(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)


def test_shape_is_that_of_ifcclash(tmp_path: Path) -> None:
    made = report([(0, 0, 1, 1)], [inventory(2), inventory(3)])
    path = tmp_path / "out.json"
    write_output(made, path)
    (only,) = strict(path.read_text(encoding="utf-8"))
    assert set(only) >= SET_FIELDS
    assert only["a"] == [{"file": "f0.ifc", "mode": "a"}]
    ((key, clash),) = only["clashes"].items()
    assert key == f"{0:022d}-{1:022d}"
    assert set(clash) >= CLASH_FIELDS
    assert "smart_group" not in clash
    assert (clash["type"], clash["distance"], clash["p1"]) == ("pierce", 0.25, [0, 0, 0])
    assert (clash["a_file"], clash["b_file"]) == ("f0.ifc", "f1.ifc")
    assert only["verdict"] == "found"


def test_equal_global_ids_overwrite_nothing() -> None:
    """ifcclash keeps one of these four."""
    same = ["A" * 22, "A" * 22]
    made = report(
        [(0, 0, 1, 0), (0, 0, 1, 1), (0, 1, 1, 0), (0, 1, 1, 1)],
        [inventory(2, same), inventory(2, same)],
    )
    (only,) = to_document(made)
    key = f"{'A' * 22}-{'A' * 22}"
    assert list(only["clashes"]) == [key, f"{key}#2", f"{key}#3", f"{key}#4"]
    numbers = [(c["a_n"], c["b_n"]) for c in only["clashes"].values()]
    assert numbers == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_smart_groups_and_positions_are_given_when_grouped() -> None:
    (only,) = to_document(report([(0, 0, 1, 0)], [inventory(1), inventory(1)], group=3))
    (clash,) = only["clashes"].values()
    assert clash["smart_group"] == 3
    assert clash["position"] == [0.5, 0.5, 0.5]


def test_coverage_names_what_was_left_out_and_why() -> None:
    made = report([], [inventory(3), inventory(1)], {1: LeftOut.NO_GEOMETRY})
    (only,) = to_document(made)
    side = only["coverage"]["a"][0]
    assert (side["selected"], side["tested"], side["gaps"]) == (3, 2, 1)
    (left,) = side["left_out"]
    assert left["reason"] == "no geometry"
    assert left["global_id"] == f"{1:022d}"
    assert only["verdict"] == "inconclusive"
    (lenient,) = to_document(made, min_coverage=0.5)
    assert lenient["verdict"] == "clean"


def test_hostile_names_are_cleaned_and_counted() -> None:
    made = report(
        [(0, 0, 1, 0)], [inventory(1, name="a\0b\ud800"), inventory(1, name="fine \U0001f600")]
    )
    made.sets[0].warnings = ["\x1b[31m"]
    (only,) = to_document(made)
    (clash,) = only["clashes"].values()
    assert clash["a_name"] == "a\ufffdb\ufffd"
    assert clash["b_name"] == "fine \U0001f600"
    assert only["cleaned_texts"] == 2
    json.dumps(only, allow_nan=False, ensure_ascii=False).encode("utf-8")


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [t for k, v in value.items() for t in [k, *_texts(v)]]
    if isinstance(value, list):
        return [t for v in value for t in _texts(v)]
    return [value] if isinstance(value, str) else []


@settings(deadline=None, max_examples=40)
@given(any_report(), st.text(alphabet=st.characters(codec=None), max_size=10))
def test_every_report_becomes_strict_json(made: ClashReport, name: str) -> None:
    for file in made.files:
        elements = tuple(e._replace(name=name) for e in file.inventory.elements)
        object.__setattr__(file.inventory, "elements", elements)
    document = to_document(made)
    text = json.dumps(document, allow_nan=False)
    assert strict(text) == document
    assert all(map(is_clean, _texts(document)))
    for each, only in zip(document, made.sets, strict=True):
        assert len(each["clashes"]) == len(only.clashes)
        assert all(math.isfinite(c["distance"]) for c in each["clashes"].values())


def test_order_is_that_of_the_report() -> None:
    found = [(0, 0, 1, 2), (0, 1, 1, 0), (0, 1, 1, 1)]
    (only,) = to_document(report(found, [inventory(2), inventory(3)]))
    order = [(c["a_global_id"], c["b_global_id"]) for c in only["clashes"].values()]
    assert order == [(f"{a:022d}", f"{b:022d}") for _, a, _, b in found]
