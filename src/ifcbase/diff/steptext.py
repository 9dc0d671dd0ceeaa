"""Digests of what a file says, taken from its text: equal digests prove equal content.

They only ever prove equality. What differs in text may still mean the same, and is then read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b

_RECORD = re.compile(rb"#(\d+)\s*=\s*((?>[^;']+|'[^']*')*);")
#: Texts, so that a "#12" inside one is not taken for a reference, and references.
_TOKEN = re.compile(rb"'[^']*'|#(\d+)")
_KEYWORD = re.compile(rb"\s*(\w+)")
#: Id and owner of a rooted entity: who wrote it and when, not what it is.
_ROOT = re.compile(rb"\(\s*(?:'[^']*'|\$)\s*,\s*(?:#\d+|\$)\s*,")
_PLACEMENTS = frozenset({b"IFCLOCALPLACEMENT", b"IFCGRIDPLACEMENT", b"IFCLINEARPLACEMENT"})
_SHAPES = frozenset({b"IFCPRODUCTDEFINITIONSHAPE", b"IFCPRODUCTREPRESENTATION"})

Digest = bytes | None


class StepText:
    """The records of a STEP file; digests leave step ids, GlobalIds and owners out.

    ``is_rooted`` says of a class keyword whether it is an IfcRoot. A digest is None where the
    text cannot be trusted to prove anything: comments, circles, references to nothing.
    """

    def __init__(self, data: bytes, is_rooted: Callable[[bytes], bool]) -> None:
        self._data = data
        start = data.find(b"DATA;")
        plain = b"/*" not in data and start >= 0
        self._spans: dict[int, tuple[int, int]] = (
            {int(m[1]): m.span(2) for m in _RECORD.finditer(data, start)} if plain else {}
        )
        self._is_rooted = is_rooted
        self._rooted: dict[bytes, bool] = {}
        self._known: dict[int, Digest] = {}

    def keyword(self, step_id: int) -> bytes:
        """The class of a record in upper case, empty if there is none."""
        span = self._spans.get(step_id)
        found = _KEYWORD.match(self._data, *span) if span else None
        return found[1].upper() if found else b""

    def of(self, step_id: int) -> Digest:
        """The digest of a record and all it refers to."""
        known = self._known
        if step_id in known:
            return known[step_id]
        waiting, open_ = [step_id], set()
        while waiting:
            at = waiting[-1]
            if at in known:
                waiting.pop()
                continue
            text = self._text(at)
            missing = [r for r in _references(text) if r not in known] if text else []
            if not text or (at in open_ and missing):
                # No such record, or a circle: its parts are waiting for itself.
                known[at] = None
                waiting.pop()
                continue
            if missing:
                open_.add(at)
                waiting.extend(missing)
                continue
            known[at] = self._stamp(text, lambda r: known[r])
            waiting.pop()
        return known[step_id]

    def of_element(self, step_id: int) -> tuple[Digest, Digest, Digest]:
        """Digests of a product's attributes, of its placement and of its shape.

        A product without placement or shape has an empty digest there.
        """
        text = self._text(step_id)
        if not text:
            return None, None, None
        placement: Digest = b""
        shape: Digest = b""
        apart: set[int] = set()
        for reference in _references(text):
            keyword = self.keyword(reference)
            if keyword in _PLACEMENTS:
                placement = self.of(reference)
            elif keyword in _SHAPES:
                shape = self.of(reference)
            else:
                continue
            apart.add(reference)
        own = self._stamp(text, lambda r: b"@" if r in apart else self.of(r))
        return own, placement, shape

    def placed_within(self, step_id: int, above: int) -> Digest:
        """The digest of a product's placement counted from another product's, if it hangs on it.

        Else that of the whole placement.
        """
        top = self._placement_of(above)
        at = self._placement_of(step_id)
        steps: list[bytes] = []
        seen: set[int] = set()
        while at is not None and at != top and at not in seen:
            seen.add(at)
            references = _references(self._text(at))
            higher = [r for r in references if self.keyword(r) in _PLACEMENTS]
            for reference in references:
                if reference not in higher:
                    digest = self.of(reference)
                    if digest is None:
                        return None
                    steps.append(digest)
            at = higher[0] if higher else None
        return b"".join(steps) + (b"within" if at == top else b"world")

    def _placement_of(self, step_id: int) -> int | None:
        for reference in _references(self._text(step_id)):
            if self.keyword(reference) in _PLACEMENTS:
                return reference
        return None

    def _text(self, step_id: int) -> bytes:
        """A record without the id and owner of a rooted entity; empty if there is none."""
        span = self._spans.get(step_id)
        if span is None:
            return b""
        text = self._data[slice(*span)]
        keyword = self.keyword(step_id)
        if keyword not in self._rooted:
            self._rooted[keyword] = self._is_rooted(keyword)
        return _ROOT.sub(b"(", text, count=1) if self._rooted[keyword] else text

    @staticmethod
    def _stamp(text: bytes, digest_of: Callable[[int], Digest]) -> Digest:
        """The digest of a text in which references are replaced by digests."""
        lost = False

        def plain(match: re.Match[bytes]) -> bytes:
            nonlocal lost
            if match[1] is None:
                return match[0]
            digest = digest_of(int(match[1]))
            lost = lost or digest is None
            return digest or b""

        stamped = _TOKEN.sub(plain, text)
        return None if lost else blake2b(stamped, digest_size=16).digest()


def _references(text: bytes) -> list[int]:
    return [int(found) for found in _TOKEN.findall(text) if found]
