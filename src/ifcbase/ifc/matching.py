"""Which element of a new version is which of the old one: in stages, one to one, with a confidence.

1. The same key (GlobalId, n): the same element.
2. Equal content that occurs once on either side.
3. The nearest neighbour in place, size, volume, class and properties within ``Tolerance``. It is
   the same only if each is the other's best and no rival comes close; else it is doubtful.
4. What is left and has an unmatched new element of its class near it is doubtful, the rest gone.

Hashes never decide against anything: what they miss is looked at by distance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.neighbours import Candidates, best_two, nearest, once, sorted_once
from ifcbase.ifc.signatures import Floats, Ints, Signatures

Mask = npt.NDArray[np.bool_]

#: A second best must cost more than this many times the best, plus the margin.
RATIO, MARGIN = 2.0, 0.1
#: What it costs that properties differ, that one side has no shape, that the class differs: the
#: last is more than the limit 1, so that another class is never "the same" without a person.
OTHER_PROPERTIES, NO_SHAPE, OTHER_CLASS = 0.3, 0.3, 1.1
#: Nothing costlier is even proposed.
MOST = 1.0 + OTHER_CLASS
#: The least confidence of "the same"; doubtful proposals lie below.
LEAST_CONFIDENCE = 0.5


class Method(IntEnum):
    """How two elements were found to be one."""

    EXACT = 0
    CONTENT = 1
    NEAREST = 2
    MOVED = 3


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two elements may be apart and still be one, in metres.

    ``volume`` is a share; a change of all surfaces by ``surface`` metres is allowed besides.
    Within ``near`` an unmatched new element of the class makes a vanished one doubtful.
    """

    place: float = 0.02
    size: float = 0.02
    volume: float = 0.02
    surface: float = 0.002
    near: float = 1.0


@dataclass(frozen=True, slots=True)
class Matches:
    """Rows of ``old`` and ``new`` that are one element, and what became of the others.

    ``doubtful`` pairs have -1 in ``doubtful_new`` where nobody can be proposed. Every old row is
    in exactly one of ``old``, ``doubtful_old`` and ``gone``; a new row in ``new``, or in
    ``appeared``, whether proposed to an old one or not.
    """

    old: Ints
    new: Ints
    method: npt.NDArray[np.uint8]
    confidence: Floats
    doubtful_old: Ints
    doubtful_new: Ints
    doubtful_confidence: Floats
    gone: Ints
    appeared: Ints


_DEFAULT = Tolerance()


def match(old: Signatures, new: Signatures, *, tolerance: Tolerance = _DEFAULT) -> Matches:
    """Match two versions of one model."""
    work = _Work(old, new, tolerance)
    work.by_key()
    work.by_content(None)
    work.by_distance(None)
    return work.result()


def match_moved(
    gone: Signatures,
    gone_model: Ints,
    appeared: Signatures,
    appeared_model: Ints,
    *,
    tolerance: Tolerance = _DEFAULT,
) -> Matches:
    """Match what is missing in its model with what is new in another model of the federation.

    Model numbers are parallel to the rows; two elements of one model are never matched here.
    An equal GlobalId breaks a tie between equals; alone it proves nothing. Doubtful pairs always
    name a new element.
    """
    models = (gone_model.astype(np.int64), appeared_model.astype(np.int64))
    work = _Work(gone, appeared, tolerance, Method.MOVED)
    work.by_content(models)
    work.by_distance(models)
    found = work.result()
    named = found.doubtful_new >= 0
    return Matches(
        found.old,
        found.new,
        found.method,
        found.confidence,
        found.doubtful_old[named],
        found.doubtful_new[named],
        found.doubtful_confidence[named],
        np.sort(np.concatenate([found.gone, found.doubtful_old[~named]])),
        found.appeared,
    )


@dataclass(slots=True)
class _Work:
    old: Signatures
    new: Signatures
    tolerance: Tolerance
    moved: Method | None = None
    pairs: list[tuple[Ints, Ints, int, Floats]] = field(default_factory=list)
    doubts: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    free_old: Mask = field(init=False)
    free_new: Mask = field(init=False)
    proposed: Mask = field(init=False)  # new rows that are some doubtful one's candidate
    old_class: Ints = field(init=False)
    new_class: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.free_old = np.ones(len(self.old), np.bool_)
        self.free_new = np.ones(len(self.new), np.bool_)
        self.proposed = np.zeros(len(self.new), np.bool_)
        codes: dict[str, int] = {}
        self.old_class, self.new_class = (
            np.array([codes.setdefault(c, len(codes)) for c in words.tolist()], np.int64)
            for words in (self.old.ifc_class, self.new.ifc_class)
        )

    # --- stages ------------------------------------------------------------------------------

    def by_key(self) -> None:
        """The same GlobalId and the same n."""
        place = {
            key: at
            for at, key in enumerate(
                zip(self.new.global_id.tolist(), self.new.n.tolist(), strict=True)
            )
        }
        keys = zip(self.old.global_id.tolist(), self.old.n.tolist(), strict=True)
        at = np.fromiter((place.get(key, -1) for key in keys), np.int64, len(self.old))
        i = np.flatnonzero(at >= 0)
        self._accept(i, at[i], Method.EXACT, np.ones(len(i)))

    def by_content(self, models: tuple[Ints, Ints] | None) -> None:
        """Equal content that occurs once among the unmatched on either side."""
        i, j = np.flatnonzero(self.free_old), np.flatnonzero(self.free_new)
        i, j = i[once(self.old.content[i])], j[once(self.new.content[j])]
        _, x, y = np.intersect1d(
            self.old.content[i], self.new.content[j], assume_unique=True, return_indices=True
        )
        i, j = i[x], j[y]
        if models is not None:
            apart = models[0][i] != models[1][j]
            i, j = i[apart], j[apart]
        known = self.old.shaped[i] | ~np.isnan(self.old.placement[i]).any(axis=1)
        self._accept(i, j, Method.CONTENT, np.where(known, 1.0, 0.9))

    def by_distance(self, models: tuple[Ints, Ints] | None) -> None:
        """The nearest in place and size: by shapes, by placements where there is none, and last,
        only to be proposed, those of another class."""
        for shaped, any_class in ((True, False), (False, False), (True, True)):
            self._assign(self._candidates(shaped, any_class, models))
        if models is None:
            self._doubt_the_rest()

    # --- nearest neighbours ------------------------------------------------------------------

    def _candidates(
        self, shaped: bool, any_class: bool, models: tuple[Ints, Ints] | None
    ) -> Candidates:
        """Pairs within the tolerance box: in six dimensions by shape, in three by placement."""
        limit = self.tolerance
        free_old = np.flatnonzero(self.free_old)
        free_new = np.flatnonzero(self.free_new & ~self.proposed)
        if shaped:
            i, j = free_old[self.old.shaped[free_old]], free_new[self.new.shaped[free_new]]
            a, b = (
                np.hstack([s.centroid[rows] / limit.place, s.extents[rows] / limit.size])
                for s, rows in ((self.old, i), (self.new, j))
            )
        else:
            i, j = (
                rows[~np.isnan(s.placement[rows]).any(axis=1)]
                for s, rows in ((self.old, free_old), (self.new, free_new))
            )
            a, b = self.old.placement[i] / limit.place, self.new.placement[j] / limit.place
        if not any_class:  # a dimension in which classes are far apart
            a = np.column_stack([a, self.old_class[i] * 10.0])
            b = np.column_stack([b, self.new_class[j] * 10.0])
        x, y, apart = nearest(a, b, 1.0, np.inf)
        # Also from the other side: who has many near rivals must not hide that it is somebody's.
        y2, x2, apart2 = nearest(b, a, 1.0, np.inf)
        i, j = np.concatenate([i[x], i[x2]]), np.concatenate([j[y], j[y2]])
        cost = np.concatenate([apart, apart2])
        if not shaped:
            cost = cost + NO_SHAPE
            # Two shapes that were not within the tolerance are not brought together by placements.
            keep = ~(self.old.shaped[i] & self.new.shaped[j])
            i, j, cost = i[keep], j[keep], cost[keep]
        cost = cost + OTHER_PROPERTIES * (self.old.properties[i] != self.new.properties[j])
        cost = cost + OTHER_CLASS * (self.old_class[i] != self.new_class[j])
        if shaped:
            cost = np.maximum(cost, self._by_volume(i, j))
        keep = cost <= MOST
        if models is not None:
            keep &= models[0][i] != models[1][j]
            same_id = self.old.global_id[i] == self.new.global_id[j]
            cost = np.where(same_id, cost / 2, cost)
        return sorted_once(i[keep], j[keep], cost[keep])

    def _by_volume(self, i: Ints, j: Ints) -> Floats:
        """Difference of volumes as a multiple of what is allowed."""
        one, other = self.old, self.new
        largest = np.maximum(one.volume[i], other.volume[j])
        skin = np.maximum(one.area[i], other.area[j]) * self.tolerance.surface
        allowed = self.tolerance.volume * largest + skin
        apart = np.abs(one.volume[i] - other.volume[j])
        return np.asarray(np.where(apart > 0, apart / np.maximum(allowed, 1e-12), 0.0))

    def _assign(self, found: Candidates) -> None:
        """Accept pairs in which each is the other's clear best; the rivals of the rest wait."""
        if not len(found.i):
            return
        best_i, second_i = best_two(found.i, found.cost, len(self.old))
        best_j, second_j = best_two(found.j, found.cost, len(self.new))
        mutual = (found.cost == best_i[found.i]) & (found.cost == best_j[found.j])
        rival = np.minimum(second_i[found.i], second_j[found.j])
        clear = rival > RATIO * found.cost + MARGIN
        same = mutual & clear & (found.cost <= 1.0)
        i, j = found.i[same], found.j[same]
        self._accept(i, j, Method.NEAREST, 1.0 - (1.0 - LEAST_CONFIDENCE) * found.cost[same])
        # The others are proposed one to one, cheapest first; nobody is said to be the same.
        left = self.free_old[found.i] & self.free_new[found.j]
        rest = Candidates(found.i[left], found.j[left], found.cost[left])
        order = np.lexsort((rest.j, rest.i, rest.cost))
        pairs = []
        for at in order.tolist():
            a, b = int(rest.i[at]), int(rest.j[at])
            if self.free_old[a] and not self.proposed[b]:
                self.free_old[a], self.proposed[b] = False, True
                share = max(0.0, 1.0 - float(rest.cost[at]) / MOST)
                pairs.append((a, b, LEAST_CONFIDENCE * share))
        self._doubt(pairs)
        # Whoever wanted the same and lost is as doubtful.
        lost = np.unique(rest.i[self.free_old[rest.i]])
        self.free_old[lost] = False
        self.doubts.append((lost, np.full(len(lost), -1), np.zeros(len(lost))))

    def _doubt_the_rest(self) -> None:
        """What vanished while something new of its class is near, or cannot be located."""
        open_new = np.flatnonzero(self.free_new)
        pairs: list[tuple[int, int, float]] = []
        for i, j in self._by_class(np.flatnonzero(self.free_old), open_new):
            near, whom = np.full(len(i), np.inf), np.full(len(i), -1, np.int64)
            a, b = self.old.shaped[i], self.new.shaped[j]
            anything = np.ones(len(j), np.bool_)
            # Placements only where a shape is missing: many elements share the model's origin.
            for place, here, there in (
                ("centroid", a, b),
                ("placement", ~a, anything),
                ("placement", a, ~b),
            ):
                self._closer(
                    place, (i, np.flatnonzero(here)), (j, np.flatnonzero(there)), near, whom
                )
            # What cannot be located may be anywhere.
            lost = np.isfinite(near) | self._nowhere(self.old, i)
            lost |= self._nowhere(self.new, j).any()
            pairs += [
                (int(i[k]), int(whom[k]), float(near[k])) for k in np.flatnonzero(lost).tolist()
            ]
        chosen: list[tuple[int, int, float]] = []
        for old, new, apart in sorted(pairs, key=lambda each: (each[2], each[0])):
            self.free_old[old] = False
            if new >= 0 and not self.proposed[new]:
                self.proposed[new] = True
                share = max(0.0, 1.0 - apart / self.tolerance.near)
                chosen.append((old, new, LEAST_CONFIDENCE / 2 * share))
            else:
                chosen.append((old, -1, 0.0))
        self._doubt(chosen)

    def _closer(
        self, place: str, old: tuple[Ints, Ints], new: tuple[Ints, Ints], near: Floats, whom: Ints
    ) -> None:
        """Note who is nearer than known; ``old`` and ``new`` are rows and positions among them."""
        (i, here), (j, there) = old, new
        a, b = getattr(self.old, place)[i[here]], getattr(self.new, place)[j[there]]
        known_a, known_b = (np.flatnonzero(~np.isnan(p).any(axis=1)) for p in (a, b))
        x, y, apart = nearest(a[known_a], b[known_b], self.tolerance.near, 2.0, 1)
        at, to = here[known_a[x]], there[known_b[y]]
        closer = apart < near[at]
        near[at[closer]], whom[at[closer]] = apart[closer], j[to[closer]]

    def _by_class(self, i: Ints, j: Ints) -> Iterator[tuple[Ints, Ints]]:
        for code in np.intersect1d(self.old_class[i], self.new_class[j]).tolist():
            yield i[self.old_class[i] == code], j[self.new_class[j] == code]

    @staticmethod
    def _nowhere(side: Signatures, rows: Ints) -> Mask:
        """Rows with neither a shape nor a placement."""
        unplaced = np.isnan(side.placement[rows]).any(axis=1)
        return np.asarray(unplaced & ~side.shaped[rows])

    # --- keeping account ---------------------------------------------------------------------

    def _accept(self, i: Ints, j: Ints, method: Method, confidence: Floats) -> None:
        self.free_old[i] = False
        self.free_new[j] = False
        self.pairs.append((i, j, int(self.moved or method), confidence))

    def _doubt(self, pairs: list[tuple[int, int, float]]) -> None:
        if pairs:
            i, j, confidence = zip(*pairs, strict=True)
            self.doubts.append(
                (np.array(i, np.int64), np.array(j, np.int64), np.array(confidence, np.float64))
            )

    def result(self) -> Matches:
        nothing = np.zeros(0, np.int64)
        i = np.concatenate([nothing, *(p[0] for p in self.pairs)])
        order = np.argsort(i, kind="stable")
        method = np.concatenate([np.full(len(p[0]), p[2], np.uint8) for p in self.pairs])
        doubtful = np.concatenate([nothing, *(d[0] for d in self.doubts)])
        by_old = np.argsort(doubtful, kind="stable")
        return Matches(
            old=i[order],
            new=np.concatenate([nothing, *(p[1] for p in self.pairs)])[order],
            method=method[order],
            confidence=np.concatenate([np.zeros(0), *(p[3] for p in self.pairs)])[order],
            doubtful_old=doubtful[by_old],
            doubtful_new=np.concatenate([nothing, *(d[1] for d in self.doubts)])[by_old],
            doubtful_confidence=np.concatenate([np.zeros(0), *(d[2] for d in self.doubts)])[by_old],
            gone=np.flatnonzero(self.free_old),
            appeared=np.flatnonzero(self.free_new),
        )
