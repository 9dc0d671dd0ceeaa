"""From two mesh sets to the contacts between them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow import enclosed, native
from ifcbase.clash.narrow._sweep import boxes_meet
from ifcbase.clash.narrow.booleans import Booleans
from ifcbase.clash.narrow.kinds import APART, BOUND, CLEARANCE, COLLISION, TOUCHING
from ifcbase.clash.narrow.layout import COLUMNS, EMPTY, GENERAL, PIECES
from ifcbase.clash.narrow.solids import Solids, build, join
from ifcbase.clash.request import Mode
from ifcbase.errors import RequestInvalid
from ifcbase.ifc.meshset import MeshSet

#: Elements nearer than this, or overlapping by no more, touch (metres).
CONTACT_BAND = 1e-4
#: Changes whenever the same meshes could be given another kind or distance.
MEASURE_VERSION = 2

#: Pairs a thread takes at a time.
PORTION = 64

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float64]


@dataclass(slots=True)
class Undecided:
    """A pair that could not be judged, by element indexes, with the reason."""

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
    #: (n, 3) unit direction in which moving a by distance ends the overlap; 0 if there is none
    #: or it is not known (a bound without a way).
    way: FloatArray
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
    solids, local = _prepare(a, other, same, solids_a, solids_b, pairs)
    turned = _second_first(solids, local)
    local[turned] = local[turned][:, ::-1]
    rows = _measure(solids, local, band, reach, threads)
    undecided = enclosed.complete(solids, local, rows)
    rows[turned, 3:9] = rows[turned][:, [6, 7, 8, 3, 4, 5]]
    rows[turned, 10:13] *= -1.0
    chosen = _chosen(mode, tolerance, clearance, allow_touching, band, rows)
    undecided += _doubtful(solids, local, rows)
    return _contacts(pairs, rows, chosen, undecided)


def _check_lengths(**lengths: float) -> None:
    for name, value in lengths.items():
        if not np.isfinite(value) or value < 0:
            raise RequestInvalid(f"{name} must be a length of zero or more metres, not {value}")
    if not 0 < lengths["band"] <= 5e-4:
        raise RequestInvalid("band must be above 0 and at most 0.0005 m")


def _without(pairs: IntArray, skip: IntArray | None, n: int, same: bool) -> IntArray:
    if skip is None or len(skip) == 0 or len(pairs) == 0:
        return pairs
    left_out = np.asarray(skip, dtype=np.int64).reshape(-1, 2)
    if same:
        left_out = np.sort(left_out, axis=1)
    keys = pairs[:, 0].astype(np.int64) * n + pairs[:, 1]
    return pairs[~np.isin(keys, left_out[:, 0] * n + left_out[:, 1])]


def _prepare(
    a: MeshSet,
    b: MeshSet,
    same: bool,
    solids_a: Solids | None,
    solids_b: Solids | None,
    pairs: IntArray,
) -> tuple[Solids, IntArray]:
    """Solids of the elements that occur in pairs, of both sides in one, and pairs among them."""
    if same:
        solids, where = _side(a, solids_a, np.unique(pairs))
        return solids, where[pairs]
    left, where_a = _side(a, solids_a, np.unique(pairs[:, 0]))
    right, where_b = _side(b, solids_b, np.unique(pairs[:, 1]))
    local = np.stack([where_a[pairs[:, 0]], where_b[pairs[:, 1]] + len(left)], axis=1)
    return join(left, right), local.astype(np.int32)


def _side(meshes: MeshSet, ready: Solids | None, used: IntArray) -> tuple[Solids, IntArray]:
    """Solids of the used elements (or of all, when ready), and where each element is in them."""
    if ready is not None:
        return ready, np.arange(len(meshes), dtype=np.int32)
    where = np.full(len(meshes), -1, np.int32)
    where[used] = np.arange(len(used), dtype=np.int32)
    return build(meshes.take(used)), where


def _second_first(s: Solids, pairs: IntArray) -> npt.NDArray[np.bool_]:
    """Pairs to compute the other way round, so that swapping the sides changes nothing."""
    p = s.pieces
    n = len(s)
    keys = np.zeros((n, 10))
    keys[:, 0] = np.diff(p.v_at)
    keys[:, 1:7] = p.box
    filled = np.flatnonzero(keys[:, 0])
    keys[filled, 7:] = p.vertices[p.v_at[filled]]
    place = np.empty(n, np.int64)
    place[np.lexsort(keys.T[::-1])] = np.arange(n)
    turned: npt.NDArray[np.bool_] = place[pairs[:, 0]] > place[pairs[:, 1]]
    return turned


def _cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _measure(
    s: Solids, pairs: IntArray, band: float, reach: float, threads: int | None
) -> FloatArray:
    """All stages over all pairs."""
    rows = np.zeros((len(pairs), COLUMNS))
    p = s.pieces
    workers = threads or _cores()

    def over(chosen: npt.NDArray[np.int64], stage: Callable[[npt.NDArray[np.int64]], None]) -> None:
        # Many portions, because pairs differ widely.
        portions = [chosen[k : k + PORTION] for k in range(0, len(chosen), PORTION)]
        if workers == 1 or len(portions) < 2:
            for portion in portions:
                stage(portion)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(stage, portions))

    everything = np.arange(len(pairs))
    over(everything, lambda k: native.pairs.overlaps(p, pairs, k, band, rows))
    if s.approximate:
        Booleans(s).settle(pairs, band, rows)
    kind = rows[:, 0]
    apart = kind != COLLISION if reach > band else kind == TOUCHING
    over(np.flatnonzero(apart), lambda k: native.pairs.gaps(p, pairs, k, band, reach, rows))
    overlapping = np.flatnonzero(rows[:, 0] == COLLISION)
    united = overlapping[rows[overlapping, 1] == 0]
    over(united, lambda k: native.pairs.depths(p, pairs, k, band, rows))
    over(overlapping, lambda k: native.pairs.kinds(p, pairs, k, band, rows))
    pointed = overlapping[rows[overlapping, PIECES] >= 0]
    over(pointed, lambda k: native.pairs.points(p, pairs, k, rows))
    return rows


def _chosen(
    mode: Mode,
    tolerance: float,
    clearance: float,
    allow_touching: bool,
    band: float,
    rows: FloatArray,
) -> npt.NDArray[np.bool_]:
    """Rows that the mode reports."""
    kind, distance = rows[:, 0], rows[:, 2]
    touching, gap = kind == TOUCHING, kind == CLEARANCE
    chosen: npt.NDArray[np.bool_] = ~touching & ~gap & (kind != APART)
    if mode is Mode.INTERSECTION:
        chosen &= distance > max(tolerance, band)
    elif mode is Mode.COLLISION:
        chosen |= touching & allow_touching
    else:
        chosen |= (touching | gap) & (distance < clearance)
    return chosen


def _deep(rows: FloatArray) -> npt.NDArray[np.bool_]:
    """Rows that are overlaps."""
    deep: npt.NDArray[np.bool_] = ~np.isin(rows[:, 0], (APART, TOUCHING, CLEARANCE))
    return deep


def _contacts(
    pairs: IntArray,
    rows: FloatArray,
    chosen: npt.NDArray[np.bool_],
    undecided: list[tuple[int, str]],
) -> PairContacts:
    k = np.flatnonzero(chosen)
    notes = [Undecided(int(pairs[i, 0]), int(pairs[i, 1]), why) for i, why in undecided]
    return PairContacts(
        a=pairs[k, 0].astype(np.int32),
        b=pairs[k, 1].astype(np.int32),
        kind=rows[k, 0].astype(np.uint8),
        distance=rows[k, 2],
        measured=rows[k, 1].astype(np.uint8),
        p1=rows[k, 3:6],
        p2=rows[k, 6:9],
        at_least=rows[k, 9],
        way=np.where(_deep(rows[k])[:, None], rows[k, 10:13], 0.0),
        candidates=len(pairs),
        touching=int((rows[:, 0] == TOUCHING).sum()),
        undecided=sorted(notes, key=lambda u: (u.a, u.b, u.reason)),
    )


def _doubtful(s: Solids, pairs: IntArray, rows: FloatArray) -> list[tuple[int, str]]:
    """Pairs that could not be computed; depths of approximated elements are marked as bounds."""
    notes = [
        (k, "the computation failed numerically")
        for k in np.flatnonzero(np.isnan(rows).any(axis=1)).tolist()
    ]
    lost = np.isin(s.pieces.state[pairs], (EMPTY, GENERAL))
    for k in np.flatnonzero(lost.any(axis=1)).tolist():
        e = int(pairs[k][lost[k]][0])
        notes.append((k, s.approximate.get(e, "the element has no usable mesh")))
    if s.approximate:  # booleans decided whether; how deep is a bound
        rough = np.isin(pairs, np.array(list(s.approximate))).any(axis=1)
        rows[rough & _deep(rows), 1] = BOUND
    return notes


def warm_up() -> None:
    """Load every kernel this process may need, compiling them first if they are not there."""
    v = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float64)
    f = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], dtype=np.int32)
    away = v + np.array([3.0, 0.0, 0.0])
    two = (np.concatenate([v, away]), np.concatenate([f, f + 4]))
    tetrahedra = MeshSet.from_meshes([two, (v + 0.1, f), (v + np.array([1.5, 0.0, 0.0]), f)])
    detect_pairs(tetrahedra, mode=Mode.CLEARANCE, clearance=3.0)


__all__ = [
    "CONTACT_BAND",
    "MEASURE_VERSION",
    "PairContacts",
    "Undecided",
    "detect_pairs",
    "warm_up",
]
