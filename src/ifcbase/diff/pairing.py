"""Which element of the new file is which of the old one, and which of them are to be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from ifcbase.diff.content import Content
from ifcbase.diff.report import Doubt, Reidentified
from ifcbase.diff.steptext import Digest
from ifcbase.ifc.matching import Method, match
from ifcbase.ifc.selectors import select
from ifcbase.ifc.signatures import Signatures

#: What is cut out or added is told by the shape of its host; only a selector names it itself.
FEATURES = "IfcFeatureElement"


@dataclass(slots=True)
class Pairing:
    """Inventory indexes: elements in both files, those in one only, and those in doubt."""

    both: list[tuple[int, int]]
    added: list[int]
    deleted: list[int]
    reidentified: list[Reidentified] = field(default_factory=list)
    doubtful: list[Doubt] = field(default_factory=list)


def scope_of(content: Content, selector: str | None) -> set[int]:
    """Inventory indexes of what is to be compared of a file: all but features, or the selected."""
    if selector is not None:
        return set(select(content.file, content.inventory, "i", selector).tolist())
    values = content.values
    features = {
        name
        for name in {e.ifc_class for e in content.inventory.elements}
        if values.is_kind_of(name, FEATURES)
    }
    return {i for i, e in enumerate(content.inventory.elements) if e.ifc_class not in features}


def by_id(old: Content, new: Content) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pairs with equal GlobalIds, and the rest of the old and of the new file."""
    groups: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, content in enumerate((old, new)):
        for index, element in enumerate(content.inventory.elements):
            groups[element.global_id][side].append(index)
    both: list[tuple[int, int]] = []
    gone: list[int] = []
    appeared: list[int] = []
    for before, after in groups.values():
        if len(before) == 1 and len(after) == 1:
            both.append((before[0], after[0]))
            continue
        pairs = _within_group(old, new, before, after)
        both += pairs
        gone += sorted(set(before) - {i for i, _ in pairs})
        appeared += sorted(set(after) - {j for _, j in pairs})
    return sorted(both), sorted(gone), sorted(appeared)


def by_content(
    old: Signatures, new: Signatures, gone: Sequence[int], appeared: Sequence[int]
) -> tuple[list[Reidentified], list[Doubt]]:
    """Who of the rest of both files is one element under another GlobalId, surely or perhaps."""
    found = match(old.take(list(gone)), new.take(list(appeared)))
    reidentified = [
        Reidentified(gone[i], appeared[j], Method(int(method)), float(confidence))
        for i, j, method, confidence in zip(
            found.old, found.new, found.method, found.confidence, strict=True
        )
    ]
    doubtful = [
        Doubt(gone[i], None if j < 0 else appeared[j], float(confidence))
        for i, j, confidence in zip(
            found.doubtful_old, found.doubtful_new, found.doubtful_confidence, strict=True
        )
    ]
    return reidentified, doubtful


def _within_group(
    old: Content, new: Content, before: list[int], after: list[int]
) -> list[tuple[int, int]]:
    """Pairs among elements of one GlobalId: what says the same first, then in the files' order.

    A re-export may write them in another order.
    """
    if not before or not after:
        return []
    described = [
        {i: content.described(content.inventory.elements[i].step_id) for i in group}
        for content, group in ((old, before), (new, after))
    ]
    pairs: list[tuple[int, int]] = []
    left = [list(before), list(after)]
    for alike in ((0, 1, 2), (0, 2), (0,), ()):
        waiting: dict[tuple[Digest, ...], list[int]] = defaultdict(list)
        for j in left[1]:
            waiting[tuple(described[1][j][k] for k in alike)].append(j)
        for i in list(left[0]):
            key = tuple(described[0][i][k] for k in alike)
            if waiting[key] and None not in key:
                j = waiting[key].pop(0)
                pairs.append((i, j))
                left[0].remove(i)
                left[1].remove(j)
    return pairs
