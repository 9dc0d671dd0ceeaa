"""Linking the elements of model versions that a job brings with those of the versions before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ifcbase.ifc.matching import Matches, Method, match, match_moved
from ifcbase.ifc.signatures import Ints, Signatures
from ifcbase.ledger.interface import MatchingDue, Unmatched, Writer

_WORDS = {Method.CONTENT: "content", Method.NEAREST: "nearest", Method.MOVED: "moved"}
Links = list[Mapping[str, Any]]


@dataclass(slots=True)
class _Compared:
    """One version, what it does not share with the one before, and what matching said of that."""

    due: MatchingDue
    unmatched: Unmatched
    matches: Matches


def link_versions(writer: Writer) -> None:
    """Match every version of the job that is due and store the links, with those that moved from
    one model to another. Versions without a predecessor are marked as matched."""
    compared = []
    for due in writer.matching_due():
        if due.previous is None:
            writer.store_links(due, [])
            continue
        unmatched = writer.unmatched(due.version)
        compared.append(_Compared(due, unmatched, match(unmatched.old, unmatched.new)))
    moved, movers = _moved(compared)
    for each in compared:
        links = _links(each, movers.get(each.due.version, set()))
        writer.store_links(each.due, links + moved.get(each.due.version, []))


def _links(each: _Compared, movers: set[int]) -> Links:
    """Statements on a version; those that are surely in another model now are not doubted here."""
    found, ids = each.matches, each.unmatched
    links: Links = [
        _link(int(ids.old_ids[i]), int(ids.new_ids[j]), "same", _WORDS[Method(m)], c)
        for i, j, m, c in zip(
            found.old, found.new, found.method.tolist(), found.confidence, strict=True
        )
    ]
    for i, j, c in zip(
        found.doubtful_old, found.doubtful_new, found.doubtful_confidence, strict=True
    ):
        if int(ids.old_ids[i]) not in movers:
            new = int(ids.new_ids[j]) if j >= 0 else None
            links.append(_link(int(ids.old_ids[i]), new, "doubtful", "nearest", c))
    return links


def _moved(compared: list[_Compared]) -> tuple[dict[int, Links], dict[int, set[int]]]:
    """By version of arrival: links from other models. By version of departure: who surely left."""
    links: dict[int, Links] = {}
    movers: dict[int, set[int]] = {}
    if len({each.due.model for each in compared}) < 2:
        return links, movers
    left = [(k, _left(each.matches)) for k, each in enumerate(compared)]
    gone = Signatures.concat([compared[k].unmatched.old.take(rows) for k, rows in left])
    came = Signatures.concat([each.unmatched.new.take(each.matches.appeared) for each in compared])
    gone_at, gone_ids = _places([(k, compared[k].unmatched.old_ids[rows]) for k, rows in left])
    came_at, came_ids = _places(
        [(k, each.unmatched.new_ids[each.matches.appeared]) for k, each in enumerate(compared)]
    )
    model = np.array([each.due.model for each in compared], np.int64)
    found = match_moved(gone, model[gone_at], came, model[came_at])
    for i, j, c in zip(found.old, found.new, found.confidence, strict=True):
        to, start = compared[came_at[j]].due.version, compared[gone_at[i]].due.version
        links.setdefault(to, []).append(
            _link(int(gone_ids[i]), int(came_ids[j]), "same", "moved", c)
        )
        movers.setdefault(start, set()).add(int(gone_ids[i]))
    for i, j, c in zip(
        found.doubtful_old, found.doubtful_new, found.doubtful_confidence, strict=True
    ):
        to = compared[came_at[j]].due.version
        links.setdefault(to, []).append(
            _link(int(gone_ids[i]), int(came_ids[j]), "doubtful", "moved", c)
        )
    return links, movers


def _left(matches: Matches) -> Ints:
    """Old rows that nobody in their own model surely is."""
    return np.sort(np.concatenate([matches.gone, matches.doubtful_old]))


def _places(parts: list[tuple[int, Ints]]) -> tuple[Ints, Ints]:
    """For rows of several versions: which version, and the element's id."""
    which = np.concatenate([np.full(len(ids), k, np.int64) for k, ids in parts])
    return which, np.concatenate([ids for _, ids in parts])


def _link(
    old: int, new: int | None, verdict: str, method: str, confidence: float
) -> dict[str, Any]:
    return {
        "from": old,
        "to": new,
        "verdict": verdict,
        "method": method,
        "confidence": round(float(confidence), 4),
    }
