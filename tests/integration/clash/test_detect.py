"""Detection on real IFC files of boxes whose clashes are known by construction."""

from __future__ import annotations

import dataclasses
from typing import Any

import ifcopenshell.guid
import numpy as np
import pytest

from ifcbase.clash.detect import detect
from ifcbase.clash.output import to_document
from ifcbase.clash.report import LIST_CUT, Clashes, Kind, LeftOut, Measured, Verdict
from ifcbase.clash.request import parse_request
from ifcbase.errors import RequestInvalid
from tests.ifc_builder import IfcBuilder
from tests.integration.clash.conftest import Bench


def scene(**options: Any) -> IfcBuilder:
    """A wall, a pipe through it, a pipe 30 mm in front of it and one far away."""
    builder = IfcBuilder(**options)
    builder.box("wall", (0, 0, 0), (5, 0.2, 3))
    builder.box("through", (2, -1, 1), (0.1, 2, 0.1), "IfcBeam")
    builder.box("near", (3, 0.23, 1), (0.1, 2, 0.1), "IfcBeam")
    builder.box("far", (50, 0, 0), (1, 1, 1), "IfcBeam")
    return builder


@pytest.mark.parametrize("schema", ["IFC2X3", "IFC4", "IFC4X3_ADD2"])
@pytest.mark.parametrize("unit", ["m", "mm"])
def test_known_scene_in_every_schema_and_unit(bench: Bench, schema: str, unit: str) -> None:
    bench.add("m.ifc", scene(schema=schema, unit=unit))
    walls = {"file": "m.ifc", "selector": "IfcWall"}
    beams = {"file": "m.ifc", "selector": "IfcBeam"}
    assert bench.pairs(walls, beams) == [("wall", "through")]
    assert bench.pairs("m.ifc") == [("wall", "through")]
    only = bench.run(walls, beams, mode="intersection", tolerance=0.01)
    assert only.clashes.kind.tolist() == [Kind.PIERCE]
    assert only.clashes.measured.tolist() == [Measured.EXACT]
    # The shortest way out of the wall is along the beam.
    assert only.clashes.distance.tolist() == pytest.approx([1.0], abs=2e-5)
    gap = bench.run(walls, beams, mode="clearance", clearance=0.05)
    near = [i for i, d in enumerate(gap.clashes.distance) if abs(d - 0.03) < 1e-6]
    assert len(near) == 1
    assert abs(gap.clashes.p1[near[0]][1] - 0.2) < 1e-6
    assert abs(gap.clashes.p2[near[0]][1] - 0.23) < 1e-6


def test_points_lie_on_their_own_elements_whichever_side_asks(bench: Bench) -> None:
    bench.add("m.ifc", scene())
    walls = {"file": "m.ifc", "selector": "IfcWall"}
    near = {"file": "m.ifc", "selector": "IfcBeam, Name=near"}
    one = bench.run(walls, near, mode="clearance", clearance=0.05).clashes
    two = bench.run(near, walls, mode="clearance", clearance=0.05).clashes
    assert one.p1[0][1] == pytest.approx(0.2)
    assert two.p1[0][1] == pytest.approx(0.23)


def test_georeferenced_models_keep_their_millimetres(bench: Bench) -> None:
    builder = IfcBuilder()
    east, north = 500_000.0, 6_000_000.0
    builder.box("base", (east, north, 0))
    builder.box("gap 3 mm", (east, north + 1.003, 0.1), (1, 1, 0.5))
    builder.box("gap 9 mm", (east, north - 1.009, 0.1), (1, 1, 0.5))
    bench.add("m.ifc", builder)
    found = bench.run("m.ifc", mode="clearance", clearance=0.005)
    assert found.clashes.distance.tolist() == pytest.approx([0.003], abs=1e-6)
    assert found.clashes.p1[0][:2].tolist() == pytest.approx([east, north], abs=3)


def test_two_files_sharing_global_ids_lose_nothing(bench: Bench) -> None:
    """ifcclash keys results by the pair of GlobalIds and finds two of these four."""
    ids = [ifcopenshell.guid.new() for _ in range(4)]
    for name, east in (("here.ifc", 0.0), ("there.ifc", 50.0)):
        builder = IfcBuilder()
        for number in range(2):
            y = 5.0 * number
            builder.box(f"{name} wall {number}", (east, y, 0), GlobalId=ids[2 * number])
            beam = (east + 0.5, y + 0.3, 0.3)
            size = (2, 0.2, 0.2)
            builder.box(
                f"{name} beam {number}", beam, size, "IfcBeam", GlobalId=ids[2 * number + 1]
            )
        bench.add(name, builder)
    both = ["here.ifc", "there.ifc"]
    walls = [{"file": f, "selector": "IfcWall"} for f in both]
    beams = [{"file": f, "selector": "IfcBeam"} for f in both]
    expected = [(f"{f} wall {n}", f"{f} beam {n}") for f in both for n in range(2)]
    assert bench.pairs(walls, beams) == expected
    assert bench.pairs(both) == expected
    assert bench.report is not None
    assert bench.report.files[0].inventory.repeated_ids == 0


def test_same_model_under_two_names_clashes_with_itself_and_is_warned_about(bench: Bench) -> None:
    builder = IfcBuilder()
    builder.box("w")
    bench.add("a.ifc", builder)
    bench.add("b.ifc", builder)
    found = bench.run("a.ifc", "b.ifc", mode="clearance", clearance=0.1)
    assert len(found.clashes) == 1
    assert (found.clashes.a_file[0], found.clashes.b_file[0]) == (0, 1)
    assert any("byte for byte" in warning for warning in found.warnings)


def test_repeated_global_ids_inside_one_file_lose_nothing(bench: Bench) -> None:
    builder = IfcBuilder()
    same = ifcopenshell.guid.new()
    builder.box("slab", (0, 0, 0), (10, 1, 1), "IfcSlab")
    for number in range(3):
        at = (1 + 3.0 * number, -1, 0.4)
        builder.box(f"pipe {number}", at, (0.1, 3, 0.1), "IfcBeam", GlobalId=same)
    bench.add("m.ifc", builder)
    assert bench.pairs("m.ifc") == [("slab", f"pipe {n}") for n in range(3)]
    assert bench.report is not None
    assert bench.report.files[0].inventory.repeated_ids == 2


def test_element_on_both_sides_is_reported_once_and_never_with_itself(bench: Bench) -> None:
    bench.add("m.ifc", scene())
    walls = {"file": "m.ifc", "selector": "IfcWall"}
    assert bench.pairs("m.ifc", "m.ifc") == [("wall", "through")]
    assert bench.pairs("m.ifc", walls) == [("through", "wall")]
    assert bench.pairs([walls, "m.ifc"]) == [("wall", "through")]


def test_exclude_takes_the_rest(bench: Bench) -> None:
    bench.add("m.ifc", scene())
    without = {"file": "m.ifc", "selector": "IfcBeam, Name=through", "mode": "e"}
    each = bench.run(without)
    assert len(each.a[0].selected) == 3
    assert len(each.clashes) == 0
    assert each.verdict() is Verdict.CLEAN


def test_touching_pairs_are_counted_and_reported_on_demand(bench: Bench) -> None:
    builder = IfcBuilder()
    builder.box("below", (0, 0, 0))
    builder.box("on it", (0.1, 0.1, 1), (0.5, 0.5, 0.5))
    bench.add("m.ifc", builder)
    silent = bench.run("m.ifc")
    assert (len(silent.clashes), silent.touching) == (0, 1)
    assert silent.verdict() is Verdict.CLEAN
    loud = bench.run("m.ifc", allow_touching=True)
    assert (len(loud.clashes), loud.touching) == (1, 1)


# --- related elements ----------------------------------------------------------------------------


def window_wall() -> IfcBuilder:
    """A window larger than its opening, so that it cuts into its own wall."""
    builder = IfcBuilder()
    wall = builder.box("wall", (0, 0, 0), (5, 0.2, 3))
    window = builder.box("window", (1.9, 0.05, 0.9), (1.2, 0.1, 1.2), "IfcWindow")
    builder.opening(wall, (2, 0, 1), (1, 0.2, 1), filling=window)
    return builder


def test_a_list_longer_than_asked_for_is_cut_and_says_so(bench: Bench) -> None:
    builder = IfcBuilder()
    builder.box("wall", (0, 0, 0), (9, 0.2, 3))
    for i, depth in enumerate((0.05, 0.15, 0.1)):
        builder.box(f"pipe {i}", (2 * i, 0.2 - depth, 1), (0.3, 2, 0.3), "IfcBeam")
    bench.add("m.ifc", builder)
    walls = {"file": "m.ifc", "selector": "IfcWall"}
    beams = {"file": "m.ifc", "selector": "IfcBeam"}
    whole = bench.run(walls, beams)
    assert (len(whole.clashes), whole.incomplete) == (3, None)
    enough = bench.run(walls, beams, max_clashes=3, smart_grouping=True)
    assert (len(enough.clashes), enough.incomplete, enough.warnings) == (3, None, [])
    assert bench.pairs(walls, beams, max_clashes=2) == [("wall", "pipe 1"), ("wall", "pipe 2")]
    cut = bench.run(walls, beams, max_clashes=1, smart_grouping=True)
    assert bench.report is not None
    (document,) = to_document(bench.report)
    assert (len(cut.clashes), cut.incomplete, cut.coverage) == (1, LIST_CUT, 1.0)
    assert cut.verdict() is Verdict.FOUND
    assert document["coverage"]["incomplete"] == LIST_CUT
    assert document["warnings"] == [
        "the list of clashes was cut: 3 were found, and the 1 worst are kept (max_clashes)"
    ]


def test_filling_in_its_own_host_is_left_out_and_counted(bench: Bench) -> None:
    bench.add("m.ifc", window_wall())
    each = bench.run("m.ifc")
    assert (len(each.clashes), each.related_left_out) == (0, 1)
    with_related = bench.run("m.ifc", include_related=True)
    assert (len(with_related.clashes), with_related.related_left_out) == (1, 0)


def test_parts_of_one_assembly_are_left_out_and_counted(bench: Bench) -> None:
    builder = scene()
    frame = builder.root("IfcElementAssembly", "frame")
    builder.aggregate(frame, builder.file.by_type("IfcWall") + builder.file.by_type("IfcBeam"))
    bench.add("m.ifc", builder)
    each = bench.run("m.ifc")
    assert (len(each.clashes), each.related_left_out) == (0, 1)
    assert bench.pairs("m.ifc", include_related=True) == [("wall", "through")]


# --- coverage ------------------------------------------------------------------------------------


def test_elements_without_shape_are_named_with_the_reason(bench: Bench) -> None:
    builder = IfcBuilder()
    builder.box("good")
    builder.box("bare", Representation=None)
    builder.box("axis", Representation=builder.axis_only())
    flat = builder.body((1, 1, 1))
    flat.Representations[0].Items[0].SweptArea.XDim = 0.0
    builder.box("broken", Representation=flat)
    consumed = builder.box("consumed", (9, 0, 0))
    builder.opening(consumed, (9, 0, 0), (1, 1, 1))
    bench.add("m.ifc", builder)
    request = parse_request([{"a": [{"file": "m.ifc"}], "mode": "collision"}])
    # The solid engine tests what is left of the flat box as a surface.
    bench.report = detect(request, bench.files, engine="reference")
    (each,) = bench.report.sets
    assert bench.report is not None
    elements = bench.report.files[0].inventory.elements
    (side,) = each.a
    assert {elements[i].name: reason for i, reason in side.left_out.items()} == {
        "bare": LeftOut.NO_REPRESENTATION,
        "axis": LeftOut.NO_REPRESENTATION,
        "broken": LeftOut.NO_GEOMETRY,
        "consumed": LeftOut.EMPTY,
    }
    assert (side.tested, side.gaps) == (1, 1)
    assert each.coverage == 0.5
    assert each.verdict() is Verdict.INCONCLUSIVE
    assert any("no geometry" in warning for warning in each.warnings)


@pytest.mark.parametrize("a", ["empty.ifc", {"file": "full.ifc", "selector": "IfcPump"}])
@pytest.mark.parametrize("b", [(), "full.ifc"])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("mode", ["intersection", "collision", "clearance"])
def test_empty_side_never_crashes_and_is_never_clean(
    bench: Bench, a: Any, b: Any, flip: bool, mode: str
) -> None:
    """An empty group is a segmentation fault in the library, an empty include a TypeError."""
    bench.add("empty.ifc", IfcBuilder())
    bench.add("full.ifc", scene())
    sides = (b, a) if flip and b else (a, b)
    each = bench.run(*sides, mode=mode, clearance=0.1)
    assert len(each.clashes) == 0
    assert each.verdict() is Verdict.INCONCLUSIVE
    assert each.empty_sides == (["b"] if flip and b else ["a"])
    assert each.warnings


def test_model_whose_elements_have_no_shape_at_all(bench: Bench) -> None:
    builder = IfcBuilder()
    builder.box("bare", Representation=None)
    bench.add("bare.ifc", builder)
    bench.add("full.ifc", scene())
    each = bench.run("bare.ifc", "full.ifc")
    assert each.verdict() is Verdict.INCONCLUSIVE
    assert any("none of 1 elements has a shape" in w for w in each.warnings)


def test_class_of_another_schema_is_warned_about(bench: Bench) -> None:
    bench.add("m.ifc", scene(schema="IFC2X3"))
    each = bench.run({"file": "m.ifc", "selector": "IfcWall + IfcRoad"})
    assert len(each.a[0].selected) == 1
    assert any("IfcRoad is not a class of IFC2X3" in w for w in each.warnings)


def test_selector_that_is_not_used_is_warned_about(bench: Bench) -> None:
    bench.add("m.ifc", scene())
    each = bench.run({"file": "m.ifc", "selector": "IfcWall", "mode": "a"})
    assert len(each.a[0].selected) == 4
    assert any("is not used" in warning for warning in each.warnings)


# --- several sets --------------------------------------------------------------------------------


def test_sets_do_not_disturb_each_other(bench: Bench) -> None:
    bench.add("m.ifc", scene())
    bench.add("n.ifc", window_wall())
    sets = [
        {"name": "one", "a": [{"file": "m.ifc"}], "mode": "collision"},
        {"name": "two", "a": [{"file": "n.ifc"}], "b": [{"file": "m.ifc"}], "mode": "collision"},
        {"name": "three", "a": [{"file": "m.ifc", "selector": "IfcPump"}]},
        {"name": "four", "a": [{"file": "m.ifc"}], "mode": "clearance", "clearance": 0.05},
    ]
    together = detect(parse_request(sets), bench.files)
    assert [f.name for f in together.files] == ["m.ifc", "n.ifc"]
    for values, each in zip(sets, together.sets, strict=True):
        request = parse_request([values])
        alone = detect(request, bench.files).sets[0]
        assert len(alone.clashes) == len(each.clashes)
        for column in ("a", "b", "kind", "distance", "p1", "p2"):
            assert np.allclose(getattr(alone.clashes, column), getattr(each.clashes, column))


def test_result_is_the_same_every_time(bench: Bench) -> None:
    bench.add("m.ifc", scene())
    values = {"mode": "clearance", "clearance": 60, "smart_grouping": True}
    one = bench.run("m.ifc", **values).clashes
    two = bench.run("m.ifc", **values).clashes
    assert len(one) > 3
    for column in dataclasses.fields(Clashes):
        assert np.array_equal(getattr(one, column.name), getattr(two, column.name))


def test_smart_grouping_numbers_clashes_only_when_asked(bench: Bench) -> None:
    bench.add("m.ifc", scene())
    assert bench.run("m.ifc").clashes.group.tolist() == [-1]
    assert bench.run("m.ifc", smart_grouping=True).clashes.group.tolist() == [0]


def test_progress_rises_to_one_and_names_the_phases(bench: Bench) -> None:
    bench.add("m.ifc", scene())
    seen: list[tuple[str, float]] = []

    def progress(phase: str, fraction: float, note: str = "") -> None:
        seen.append((phase, fraction))

    detect(parse_request([{"a": [{"file": "m.ifc"}]}]), bench.files, progress=progress)
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert list(dict.fromkeys(phase for phase, _ in seen)) == ["meshing", "finding"]


def test_engine_says_what_it_is(bench: Bench) -> None:
    bench.add("m.ifc", scene())
    bench.run("m.ifc")
    assert bench.report is not None
    engine = bench.report.engine
    assert engine["name"] == "solid"
    assert any("0.9." in version for version in engine["mesher"]["versions"])
    assert engine["versions"]["manifold3d"]
    assert engine["measure_version"]


def test_the_reference_stays_selectable(bench: Bench) -> None:
    bench.add("m.ifc", scene())
    request = parse_request([{"a": [{"file": "m.ifc"}], "mode": "collision"}])
    found = detect(request, bench.files, engine="reference")
    assert (found.engine["name"], found.engine["kernel"]) == ("reference", "opencascade")
    assert len(found.sets[0].clashes) == 1
    assert found.sets[0].clashes.measured.tolist() == [Measured.NONE]


def test_an_unknown_engine_is_refused(bench: Bench) -> None:
    bench.add("m.ifc", scene())
    with pytest.raises(RequestInvalid, match="solid, reference"):
        detect(parse_request([{"a": [{"file": "m.ifc"}]}]), bench.files, engine="fastest")
