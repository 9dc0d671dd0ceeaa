"""From an engine's contacts to the clashes of a set: right sides, no pair twice, fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ifcbase.clash.engine import Contacts, Members
from ifcbase.clash.report import Clashes, Kind, Measured, PairList
from ifcbase.errors import ReportInvalid
from ifcbase.ifc.relations import Relations

Indexes = npt.NDArray[np.int64]


def to_clashes(
    contacts: Contacts,
    a: Members,
    b: Members,
    sizes: Sequence[int],
    relations: Sequence[Relations],
    include_related: bool,
) -> tuple[Clashes, PairList]:
    """The clashes, sorted by (a_file, a, b_file, b), and the related pairs that were left out.

    ``sizes`` are the models' element counts. An element against itself is dropped; a pair that
    fits both ways round is reported once, the earlier element as a. Of several contacts of a pair
    the deepest stays (the nearest, for clearance). A distance that is no number becomes 0, marked
    as not measured. Raises ReportInvalid on strange elements or contacts without any point.
    """
    contacts = _finite(contacts)
    offsets: Indexes = np.concatenate([[0], np.cumsum(np.asarray(sizes, np.int64))])
    x: Indexes = offsets[contacts.x_model] + contacts.x.astype(np.int64)
    y: Indexes = offsets[contacts.y_model] + contacts.y.astype(np.int64)
    swap = _to_swap(x, y, a, b, offsets)
    x, y = np.where(swap, y, x), np.where(swap, x, y)
    p1 = np.where(swap[:, None], contacts.p_y, contacts.p_x)
    p2 = np.where(swap[:, None], contacts.p_x, contacts.p_y)
    keep = _one_per_pair(x, y, contacts, p1, p2)
    model_x = (np.searchsorted(offsets, x[keep], side="right") - 1).astype(np.int32)
    model_y = (np.searchsorted(offsets, y[keep], side="right") - 1).astype(np.int32)
    clashes = Clashes(
        a_file=model_x,
        a=(x[keep] - offsets[model_x]).astype(np.int32),
        b_file=model_y,
        b=(y[keep] - offsets[model_y]).astype(np.int32),
        kind=contacts.kind[keep].astype(np.uint8),
        distance=contacts.distance[keep].astype(np.float64),
        measured=contacts.measured[keep].astype(np.uint8),
        p1=p1[keep].astype(np.float64).reshape(-1, 3),
        p2=p2[keep].astype(np.float64).reshape(-1, 3),
        group=np.full(len(keep), -1, np.int32),
    )
    if include_related:
        return clashes, PairList.empty()
    related = _related(clashes, relations)
    left = take(clashes, np.flatnonzero(related))
    kept = take(clashes, np.flatnonzero(~related))
    return kept, PairList(left.a_file, left.a, left.b_file, left.b)


def worst_first(clashes: Clashes) -> npt.NDArray[np.intp]:
    """The rows of the clashes from the worst to the mildest: the deepest first, then the nearest of
    those that only come too close."""
    apart = clashes.kind == Kind.CLEARANCE
    rows: npt.NDArray[np.intp] = np.lexsort(
        (np.where(apart, clashes.distance, -clashes.distance), apart)
    )
    return rows


def take(clashes: Clashes, rows: npt.NDArray[np.intp]) -> Clashes:
    """Some of the clashes, in the order of ``rows``."""
    return Clashes(
        a_file=clashes.a_file[rows],
        a=clashes.a[rows],
        b_file=clashes.b_file[rows],
        b=clashes.b[rows],
        kind=clashes.kind[rows],
        distance=clashes.distance[rows],
        measured=clashes.measured[rows],
        p1=clashes.p1[rows],
        p2=clashes.p2[rows],
        group=clashes.group[rows],
    )


def to_pairs(x: Members, y: Members, a: Members, b: Members, sizes: Sequence[int]) -> PairList:
    """Pairs of elements (x[i], y[i]) put on the sides of a set as ``to_clashes`` does, each once.

    For what an engine leaves out of its contacts. Raises ReportInvalid on strange elements.
    """
    offsets: Indexes = np.concatenate([[0], np.cumsum(np.asarray(sizes, np.int64))])
    one: Indexes = offsets[x.model] + x.element.astype(np.int64)
    other: Indexes = offsets[y.model] + y.element.astype(np.int64)
    swap = _to_swap(one, other, a, b, offsets)
    both = np.stack([np.where(swap, other, one), np.where(swap, one, other)], axis=1)
    both = np.unique(both[both[:, 0] != both[:, 1]], axis=0)
    model = (np.searchsorted(offsets, both, side="right") - 1).astype(np.int32)
    element = (both - offsets[model]).astype(np.int32)
    return PairList(model[:, 0], element[:, 0], model[:, 1], element[:, 1])


def _to_swap(
    x: Indexes, y: Indexes, a: Members, b: Members, offsets: Indexes
) -> npt.NDArray[np.bool_]:
    """Which pairs stand the wrong way round; what fits both ways has the earlier element first."""
    in_a = _marks(a, offsets)
    in_b = _marks(b, offsets)
    straight = in_a[x] & in_b[y]
    crossed = in_a[y] & in_b[x]
    if not np.all(straight | crossed):
        raise ReportInvalid("the engine reports elements that were not in the clash set")
    swap: npt.NDArray[np.bool_] = crossed & (~straight | (y < x))
    return swap


def _finite(contacts: Contacts) -> Contacts:
    """A kernel that fails on one number has still found the contact."""
    good = np.isfinite(contacts.distance)
    on_x: npt.NDArray[np.bool_] = np.all(np.isfinite(contacts.p_x), axis=1)
    on_y: npt.NDArray[np.bool_] = np.all(np.isfinite(contacts.p_y), axis=1)
    if not np.all(on_x | on_y):
        raise ReportInvalid("the engine reports contacts without a point")
    return replace(
        contacts,
        distance=np.maximum(np.where(good, contacts.distance, 0.0), 0.0),
        measured=np.where(good, contacts.measured, Measured.NONE).astype(np.uint8),
        p_x=np.where(on_x[:, None], contacts.p_x, contacts.p_y),
        p_y=np.where(on_y[:, None], contacts.p_y, contacts.p_x),
    )


def _marks(members: Members, offsets: Indexes) -> npt.NDArray[np.bool_]:
    marks = np.zeros(int(offsets[-1]), np.bool_)
    marks[offsets[members.model] + members.element] = True
    return marks


def _one_per_pair(
    x: Indexes,
    y: Indexes,
    contacts: Contacts,
    p1: npt.NDArray[np.float64],
    p2: npt.NDArray[np.float64],
) -> npt.NDArray[np.intp]:
    """Rows to keep, sorted by pair; ties of distance are broken by the points, not by luck."""
    gap = contacts.kind == Kind.CLEARANCE
    rank = np.where(gap, contacts.distance, -contacts.distance)
    points = [*p2.T[::-1], *p1.T[::-1]]  # lexsort wants the last key to matter most
    order = np.lexsort([*points, contacts.kind, rank, gap, y, x])
    order = order[x[order] != y[order]]
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(x[order]) != 0) | (np.diff(y[order]) != 0)
    kept: npt.NDArray[np.intp] = order[first]
    return kept


def _related(clashes: Clashes, relations: Sequence[Relations]) -> npt.NDArray[np.bool_]:
    related = np.zeros(len(clashes), np.bool_)
    for model, known in enumerate(relations):
        rows = np.flatnonzero((clashes.a_file == model) & (clashes.b_file == model))
        related[rows] = known.related(clashes.a[rows], clashes.b[rows])
    return related
