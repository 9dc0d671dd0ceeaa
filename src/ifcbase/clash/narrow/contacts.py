"""From two mesh sets to the contacts between them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow import _contact, enclosed
from ifcbase.clash.narrow._sweep import boxes_meet
from ifcbase.clash.narrow.kinds import APART, BOUND, CLEARANCE, TOUCHING
from ifcbase.clash.narrow.solids import EMPTY, GENERAL, Solids, build
from ifcbase.clash.request import Mode
from ifcbase.errors import RequestInvalid
from ifcbase.ifc.meshset import MeshSet

#: Elements nearer than this, or overlapping by no more, touch (metres).
CONTACT_BAND = 1e-4
#: Changes whenever the same meshes could be given another kind or distance.
MEASURE_VERSION = 1

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]


@dataclass(slots=True)
class Undecided:
    """A pair that could not be judged (or not exactly), by element indexes, with the reason."""

    a: int
    b: int
    reason: str


@dataclass(slots=True)
class PairContacts:
    """n contacts as columns, sorted by a, then b; a and b index the mesh sets given."""

    a: IntArray
    b: IntArray
    kind: npt.NDArray[np.uint8]  # the numbers of kinds.py
    distance: FloatArray  # metres: depth, or gap for CLEARANCE and TOUCHING; >= 0
    measured: npt.NDArray[np.uint8]  # EXACT or BOUND of kinds.py
    p1: FloatArray  # (n, 3) on the surface of a
    p2: FloatArray  # (n, 3) on the surface of b
    #: A proven lower bound of the depth; equals distance when that is exact.
    at_least: FloatArray
    #: Pairs whose boxes meet, those left out by ``skip`` not counted.
    candidates: int = 0
    #: Pairs in contact within the band, reported or not.
    touching: int = 0
    undecided: list[Undecided] = field(default_factory=list)
    measure_version: int = MEASURE_VERSION

    def __len__(self) -> int:
        return len(self.a)


def detect_pairs(
    a: MeshSet,
    b: MeshSet | None = None,
    *,
    mode: Mode | str,
    tolerance: float = 0.0,
    clearance: float = 0.0,
    allow_touching: bool = False,
    check_all: bool = True,  # noqa: ARG001 - see the docstring
    skip: IntArray | None = None,
    band: float = CONTACT_BAND,
    solids_a: Solids | None = None,
    solids_b: Solids | None = None,
    threads: int | None = None,
) -> PairContacts:
    """Contacts between a and b, or within a when b is None. Lengths in metres.

    ``intersection`` reports pairs deeper than ``tolerance``, ``collision`` pairs deeper than the
    contact band (and touching ones with ``allow_touching``), ``clearance`` pairs with a gap below
    ``clearance``, touching and penetrating ones included. ``check_all`` is accepted for ifcclash's
    sake; every pair is always measured in full. ``skip`` lists pairs (k, 2) not to test (in either
    order when b is None). ``solids_a`` and ``solids_b`` are ``build`` of the same meshes, to save
    doing it again. Raises RequestInvalid for lengths that make no sense.
    """
    mode = Mode(mode)
    _check_lengths(tolerance=tolerance, clearance=clearance, band=band)
    same = b is None
    other = a if b is None else b
    reach = clearance if mode is Mode.CLEARANCE else 0.0
    pairs = boxes_meet(a.aabb(), other.aabb(), max(reach, band), same)
    pairs = _without(pairs, skip, len(other), same)
    used_a, sa = _solids(a, solids_a, pairs, [0, 1] if same else [0])
    used_b, sb = (used_a, sa) if same else _solids(other, solids_b, pairs, [1])
    local = np.stack([used_a[pairs[:, 0]], used_b[pairs[:, 1]]], axis=1).astype(np.int32)
    rows = _run(sa, sb, local, band, reach, threads)
    undecided = enclosed.complete(sa, sb, local, rows)
    return _select(
        mode, tolerance, clearance, allow_touching, band, pairs, local, rows, sa, sb, undecided
    )


def _check_lengths(**lengths: float) -> None:
    for name, value in lengths.items():
        if not np.isfinite(value) or value < 0:
            raise RequestInvalid(f"{name} must be a length of zero or more metres, not {value}")
    if not 0 < lengths["band"] <= 5e-4:
        raise RequestInvalid("band must be above 0 and at most 0.0005 m")


def _without(pairs: IntArray, skip: IntArray | None, n: int, same: bool) -> IntArray:
    if skip is None or len(skip) == 0 or len(pairs) == 0:
        return pairs
    skip = np.asarray(skip, dtype=np.int64).reshape(-1, 2)
    if same:
        skip = np.sort(skip, axis=1)
    keys = pairs[:, 0].astype(np.int64) * n + pairs[:, 1]
    return pairs[~np.isin(keys, skip[:, 0] * n + skip[:, 1])]


def _solids(
    meshes: MeshSet, ready: Solids | None, pairs: IntArray, columns: Sequence[int]
) -> tuple[npt.NDArray[np.int64], Solids]:
    """Solids of the elements that occur in pairs, and where each element is among them."""
    if ready is not None:
        return np.arange(len(meshes)), ready
    used = np.unique(pairs[:, list(columns)])
    where = np.full(len(meshes), -1, np.int64)
    where[used] = np.arange(len(used))
    return where, build(meshes.take(used))


def _run(
    sa: Solids, sb: Solids, pairs: IntArray, band: float, reach: float, threads: int | None
) -> FloatArray:
    """The kernel over all pairs; work is dealt in many portions because pairs differ widely."""
    rows = np.zeros((len(pairs), _contact.COLUMNS))
    threads = threads or os.process_cpu_count() if hasattr(os, "process_cpu_count") else threads
    threads = threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    portion = 256
    begins = range(0, len(pairs), portion)

    def work(begin: int) -> None:
        end = min(begin + portion, len(pairs))
        _contact.detect(sa.pieces, sb.pieces, pairs, begin, end, band, reach, rows)

    if threads == 1 or len(begins) < 2:
        for begin in begins:
            work(begin)
    else:
        work(0)  # loads or compiles the kernel once, before the threads want it
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, begins[1:]))
    return rows


def _select(
    mode: Mode,
    tolerance: float,
    clearance: float,
    allow_touching: bool,
    band: float,
    pairs: IntArray,
    local: IntArray,
    rows: FloatArray,
    sa: Solids,
    sb: Solids,
    undecided: list[tuple[int, str]],
) -> PairContacts:
    kind = rows[:, 0].astype(np.uint8)
    depth = rows[:, 2]
    touching = kind == TOUCHING
    apart = (kind == APART) | (kind == CLEARANCE)
    overlapping = ~touching & ~apart
    if mode is Mode.INTERSECTION:
        chosen = overlapping & (depth > max(tolerance, band))
    elif mode is Mode.COLLISION:
        chosen = overlapping | touching if allow_touching else overlapping
    else:
        chosen = overlapping | ((touching | (kind == CLEARANCE)) & (depth < clearance))
    lost = np.flatnonzero(np.isnan(rows).any(axis=1)).tolist()
    undecided = undecided + [(k, "the computation failed numerically") for k in lost]
    notes = [Undecided(int(pairs[k, 0]), int(pairs[k, 1]), why) for k, why in undecided]
    notes += _doubtful(pairs, local, overlapping, rows, sa, sb)
    k = np.flatnonzero(chosen)
    return PairContacts(
        a=pairs[k, 0].astype(np.int32),
        b=pairs[k, 1].astype(np.int32),
        kind=kind[k],
        distance=np.maximum(depth[k], 0.0),
        measured=rows[k, 1].astype(np.uint8),
        p1=rows[k, 3:6].copy(),
        p2=rows[k, 6:9].copy(),
        at_least=rows[k, 9].copy(),
        candidates=len(pairs),
        touching=int(touching.sum()),
        undecided=sorted(notes, key=lambda u: (u.a, u.b)),
    )


def _doubtful(
    pairs: IntArray,
    local: IntArray,
    overlapping: npt.NDArray[np.bool_],
    rows: FloatArray,
    sa: Solids,
    sb: Solids,
) -> list[Undecided]:
    """Pairs of elements without usable pieces, and overlaps that rest on an approximation."""
    notes = []
    for column, side in ((0, sa), (1, sb)):
        lost = np.isin(side.pieces.state[local[:, column]], (EMPTY, GENERAL))
        for k in np.flatnonzero(lost).tolist():
            why = side.approximate.get(int(local[k, column]), "the element has no usable mesh")
            notes.append(Undecided(int(pairs[k, 0]), int(pairs[k, 1]), why))
        if side.approximate:
            rough = np.isin(local[:, column], np.array(list(side.approximate)))
            rows[rough & overlapping, 1] = BOUND
            for k in np.flatnonzero(rough & overlapping & ~lost).tolist():
                why = side.approximate[int(local[k, column])]
                notes.append(Undecided(int(pairs[k, 0]), int(pairs[k, 1]), why))
    return notes


def warm_up() -> None:
    """Compile the kernels into numba's cache (or load them); run it when installing."""
    v = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float64)
    f = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], dtype=np.int32)
    tetrahedra = MeshSet.from_meshes([(v, f), (v + 0.1, f), (v + [3, 0, 0], f)])
    detect_pairs(tetrahedra, mode=Mode.CLEARANCE, clearance=3.0)


__all__ = [
    "CONTACT_BAND",
    "MEASURE_VERSION",
    "PairContacts",
    "Undecided",
    "detect_pairs",
    "warm_up",
]
