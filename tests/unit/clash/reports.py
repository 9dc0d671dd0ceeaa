"""Reports made up for tests: any that an engine could honestly give."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from ifcbase.clash.report import (
    Clashes,
    ClashReport,
    FileReport,
    Kind,
    LeftOut,
    Measured,
    PairList,
    SetReport,
    SideFile,
)
from ifcbase.clash.request import ClashSet
from ifcbase.ifc.inventory import Element, Inventory, number_repeats

COORDINATE = st.floats(-1e7, 1e7)


def inventory(size: int, ids: list[str] | None = None, name: str | None = "name") -> Inventory:
    ids = ids or [f"{i:022d}" for i in range(size)]
    numbers = number_repeats(ids)
    elements = tuple(
        Element(10 * i + 1, ids[i], numbers[i], "IfcWall", name, "L1", True, True)
        for i in range(size)
    )
    return Inventory("IFC4", 1.0, elements, repeated_ids=sum(map(bool, numbers)))


def clashes(pairs: list[tuple[int, int, int, int]], group: int = -1) -> Clashes:
    """Contacts at (index, 0, 0) for (a_file, a, b_file, b)."""
    size = len(pairs)
    table = np.array(pairs, np.int32).reshape(-1, 4)
    at = np.zeros((size, 3))
    at[:, 0] = np.arange(size)
    return Clashes(
        a_file=table[:, 0].copy(),
        a=table[:, 1].copy(),
        b_file=table[:, 2].copy(),
        b=table[:, 3].copy(),
        kind=np.full(size, Kind.PIERCE, np.uint8),
        distance=np.full(size, 0.25),
        measured=np.full(size, Measured.REFERENCE, np.uint8),
        p1=at,
        p2=at + 1,
        group=np.full(size, group, np.int32),
    )


def pair_list(pairs: list[tuple[int, int, int, int]]) -> PairList:
    """Pairs (a_file, a, b_file, b) that were left out."""
    table = np.array(pairs, np.int32).reshape(-1, 4)
    return PairList(*(table[:, column].copy() for column in range(4)))


def report(
    pairs: list[tuple[int, int, int, int]],
    inventories: list[Inventory],
    left_out: dict[int, LeftOut] | None = None,
    group: int = -1,
) -> ClashReport:
    """One set: file 0 on side a (less ``left_out``), all other files on side b."""
    names = [f"f{i}.ifc" for i in range(len(inventories))]
    definition = ClashSet.model_validate(
        {"name": "s", "a": [{"file": names[0]}], "b": [{"file": n} for n in names[1:]]}
    )
    sides = [
        SideFile(i, definition.a[0].mode, None, np.arange(len(each), dtype=np.int32))
        for i, each in enumerate(inventories)
    ]
    sides[0].left_out = dict(left_out or {})
    return ClashReport(
        files=[FileReport(n, f"{i:064x}", inventories[i]) for i, n in enumerate(names)],
        sets=[SetReport(definition, sides[:1], sides[1:], clashes(pairs, group))],
        engine={"name": "made up", "settings": {"a": True, "b": [1, 0.5, None]}},
    )


@st.composite
def any_report(draw: st.DrawFn) -> ClashReport:
    sizes = draw(st.lists(st.integers(0, 6), min_size=1, max_size=3))
    inventories = [inventory(size) for size in sizes]
    left = draw(st.dictionaries(st.integers(0, 5), st.sampled_from(list(LeftOut)), max_size=3))
    left = {i: reason for i, reason in left.items() if i < sizes[0]}
    rest = range(1, len(sizes))
    one = [(0, i) for i in range(sizes[0]) if i not in left]
    two = [(f, i) for f in rest for i in range(sizes[f])] if len(sizes) > 1 else one
    possible = sorted({(min(x, y), max(x, y)) for x in one for y in two if x != y})
    chosen = draw(st.lists(st.sampled_from(possible), unique=True)) if possible else []
    cut = sorted(draw(st.tuples(st.integers(0, len(chosen)), st.integers(0, len(chosen)))))
    made = report([(*x, *y) for x, y in sorted(chosen[: cut[0]])], inventories, left)
    (only,) = made.sets
    only.related = pair_list([(*x, *y) for x, y in sorted(chosen[cut[0] : cut[1]])])
    only.undecided = pair_list([(*x, *y) for x, y in sorted(chosen[cut[1] :])])
    found = only.clashes
    for i in range(len(found)):
        found.kind[i] = draw(st.sampled_from(list(Kind)))
        found.measured[i] = draw(st.sampled_from(list(Measured)))
        found.distance[i] = draw(st.floats(0, 100))
        found.p1[i] = draw(st.tuples(COORDINATE, COORDINATE, COORDINATE))
        found.p2[i] = draw(st.tuples(COORDINATE, COORDINATE, COORDINATE))
        found.group[i] = draw(st.integers(-1, 9))
    only.incomplete = draw(st.sampled_from([None, "list cut", "time"]))
    only.touching = draw(st.integers(0, 5))
    only.warnings = draw(st.lists(st.sampled_from(["side a is empty", "größer"]), max_size=2))
    return made
