"""Digests of what a file says, taken from its text: equal digests prove equal content.

They only ever prove equality. What differs in text may still mean the same, and is then read.
Numbers count as equal that are equal in 13 digits, for whoever writes a file anew rounds the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b

_RECORD = re.compile(rb"#(\d+)\s*=\s*((?>[^;']+|'[^']*')*);")
#: Texts, so that a "#12" inside one is not taken for a reference, references, and numbers that
#: somebody else may write otherwise: with an exponent, zeros at the end, or every digit there is.
_TOKEN = re.compile(rb"'[^']*'|#(\d+)|(\d+\.\d*E[-+]?\d+|\d+\.\d*0(?!\d)|(?=[\d.]{14})\d+\.\d*)")
_REFERENCE = re.compile(rb"'[^']*'|#(\d+)")
#: Significant digits that count. 1000 km from the origin the last of them is a micrometre, which is
#: the least tolerance there is.
_DIGITS = 13
#: No name of a class is longer.
_LONGEST = 100
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
        return b"" if span is None else _keyword_of(self._data[span[0] : span[0] + _LONGEST])

    def of(self, step_id: int) -> Digest:
        """The digest of a record and all it refers to."""
        known = self._known
        if step_id in known:
            return known[step_id]
        waiting = [step_id]
        opened: dict[int, tuple[bytes, list[int]]] = {}
        while waiting:
            at = waiting[-1]
            if at in known:
                waiting.pop()
                continue
            seen = at in opened
            if not seen:
                text = self._text(at)
                opened[at] = text, _references(text)
            text, references = opened[at]
            missing = [r for r in references if r not in known]
            if missing and not seen:
                waiting.extend(missing)
                continue
            # No such record, or a circle: its parts are waiting for itself.
            known[at] = None if missing or not text else _stamp(text, references, known)
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
        references = _references(text)
        digests: dict[int, Digest] = {}
        for reference in references:
            keyword = self.keyword(reference)
            if keyword in _PLACEMENTS:
                placement, digests[reference] = self.of(reference), b"@"
            elif keyword in _SHAPES:
                shape, digests[reference] = self.of(reference), b"@"
            else:
                digests[reference] = self.of(reference)
        return _stamp(text, references, digests), placement, shape

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
        text = self._data[span[0] : span[1]]
        keyword = _keyword_of(text)
        rooted = self._rooted.get(keyword)
        if rooted is None:
            rooted = self._rooted[keyword] = self._is_rooted(keyword)
        return _ROOT.sub(b"(", text, count=1) if rooted else text


def _keyword_of(text: bytes) -> bytes:
    return text[: text.find(b"(")].strip().upper()


def _stamp(text: bytes, references: list[int], digests: Mapping[int, Digest]) -> Digest:
    """The digest of a text in which references are replaced by digests; None if one is None."""
    parts = [digests[reference] for reference in references]
    if None in parts:
        return None
    following = iter(parts)

    def replaced(match: re.Match[bytes]) -> bytes:
        if match[2]:
            return _plain(match[2])
        return next(following) or b"" if match[1] else match[0]

    return blake2b(_TOKEN.sub(replaced, text), digest_size=16).digest()


@lru_cache(maxsize=20_000)  # a model's numbers are its few measures over and over again
def _plain(number: bytes) -> bytes:
    """A real number as most writers would write it."""
    text = repr(float(f"{float(number):.{_DIGITS}g}"))
    return text.removesuffix("0").encode() if text.endswith(".0") else text.encode()


def _references(text: bytes) -> list[int]:
    return [int(found) for found in _REFERENCE.findall(text) if found]
