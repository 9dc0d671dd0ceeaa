"""Linking the elements of model versions that a job brings with those of the versions before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ifcbase.errors import Conflict, LedgerBusy
from ifcbase.ifc.matching import Matches, Method, match, match_moved
from ifcbase.ifc.signatures import Ints, Signatures
from ifcbase.ledger.interface import Candidates, MatchingDue, Unmatched, Writer

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
    one model of the project to another, whichever job brought it. Raises LedgerBusy if another
    version came meanwhile: then all that was to be saved is saved anew."""
    due = list(writer.matching_due())
    compared = []
    for each in due:
        if each.previous is not None:
            unmatched = writer.unmatched(each.version)
            compared.append(_Compared(each, unmatched, match(unmatched.old, unmatched.new)))
    moved, movers = _moved(writer, due, compared)
    links = {each.due.version: _links(each, movers) for each in compared}
    for each in due:
        try:
            writer.store_links(each, links.get(each.version, []) + moved.get(each.version, []))
        except Conflict as error:
            # Over REST each call stands by itself, and what was matched may be an old picture.
            raise LedgerBusy(error.message) from error


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


def _moved(
    writer: Writer, due: list[MatchingDue], compared: list[_Compared]
) -> tuple[dict[int, Links], set[int]]:
    """By version of the job: links between models. And the elements that surely left theirs."""
    links: dict[int, Links] = {}
    movers: set[int] = set()
    ours = {each.version for each in due}
    gone = [_own(each, earlier=True) for each in compared]
    came = [_own(each, earlier=False) for each in compared]
    if any(len(each.ids) for each in came) or len(compared) < len(due):
        gone.append(writer.moved_candidates(earlier=True))
    if not any(len(each.ids) for each in gone):
        return links, movers
    left = _together(gone)
    came.append(
        writer.moved_candidates(earlier=False, classes=np.unique(left.look.ifc_class).tolist())
    )
    if not any(len(each.ids) for each in came):
        return links, movers
    arrived = _together(came)
    found = match_moved(left.look, left.models, arrived.look, arrived.models)

    def state(i: int, j: int, verdict: str, confidence: float) -> None:
        old, new = int(left.ids[i]), int(arrived.ids[j])
        start, to = int(left.versions[i]), int(arrived.versions[j])
        if to in ours:
            links.setdefault(to, []).append(_link(old, new, verdict, "moved", confidence))
            if verdict == "same":
                movers.add(old)
        elif start in ours:
            # It arrived before this one left: for a while both were there, so it may be a copy.
            links.setdefault(start, []).append(_link(old, new, "doubtful", "moved", confidence))

    for i, j, c in zip(found.old, found.new, found.confidence, strict=True):
        state(i, j, "same", c)
    for i, j, c in zip(
        found.doubtful_old, found.doubtful_new, found.doubtful_confidence, strict=True
    ):
        state(i, j, "doubtful", c)
    return links, movers


def _own(each: _Compared, *, earlier: bool) -> Candidates:
    """What left a version's model (nobody there surely is it), or arrived in it."""
    if earlier:
        rows = np.sort(np.concatenate([each.matches.gone, each.matches.doubtful_old]))
        ids, look = each.unmatched.old_ids[rows], each.unmatched.old.take(rows)
    else:
        rows = each.matches.appeared
        ids, look = each.unmatched.new_ids[rows], each.unmatched.new.take(rows)
    size = len(rows)
    return Candidates(
        versions=np.full(size, each.due.version, np.int64),
        models=np.full(size, each.due.model, np.int64),
        ids=ids,
        look=look,
    )


def _together(parts: list[Candidates]) -> Candidates:
    """All of them, in order."""

    def column(name: str) -> Ints:
        return np.concatenate([getattr(each, name) for each in parts]).astype(np.int64)

    look = Signatures.concat([each.look for each in parts])
    return Candidates(column("versions"), column("models"), column("ids"), look)


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
