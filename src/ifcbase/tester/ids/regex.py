"""XSD patterns, matched in bounded time.

XSD patterns are regular languages: an automaton decides them in time linear in the text. Python's
``re`` is quicker but backtracks, without end for some patterns; it is used only where its work is
bounded by the shape of the pattern.
"""

from __future__ import annotations

import re
import unicodedata

# The parser of Python's own ``re``: elementpath translates XSD syntax into Python's, and this is
# what Python itself makes of it. A second parser of our own could disagree with ``re.compile``.
from re import _constants as op
from re import _parser as re_parser
from typing import Any, Final

from elementpath.regex import RegexError, translate_pattern

#: States an automaton may have; a pattern that needs more is refused.
MAX_STATES: Final = 5_000
MAX_PATTERN: Final = 10_000
#: Longest text left to ``re`` (a simple pattern costs at most text ** 3 steps there).
_SHORT: Final = 200
_MAX_CACHED_MOVES: Final = 20_000


class PatternInvalid(ValueError):
    """Not a regular expression of XML Schema."""


class PatternTooCostly(ValueError):
    """A regular expression whose automaton would be larger than allowed."""


class Pattern:
    """One XSD pattern; ``matches`` tells whether the whole text is in its language."""

    def __init__(self, source: str) -> None:
        if len(source) > MAX_PATTERN:
            raise PatternTooCostly(f"the pattern is longer than {MAX_PATTERN} characters")
        self.source = source
        try:
            python = translate_pattern(
                source, back_references=False, lazy_quantifiers=False, anchors=False
            )
            tree = re_parser.parse(python)
        except (RegexError, re.error) as error:
            raise PatternInvalid(str(error)) from error
        except (OverflowError, RecursionError) as error:
            raise PatternTooCostly(str(error) or "the pattern nests too deep") from error
        self._quick = re.compile(python) if _is_simple(tree) else None
        self._automaton = _Automaton(tree)

    def matches(self, text: str) -> bool:
        """True if the whole text matches; time is linear in its length."""
        if self._quick is not None and len(text) <= _SHORT:
            return self._quick.fullmatch(text) is not None
        return self._automaton.matches(text)


def _is_simple(tree: Any) -> bool:
    """True if ``re`` needs at most a cubic number of steps: few repeats, each of one character."""
    repeats = 0
    waiting = [tree]
    while waiting:
        for code, argument in waiting.pop():
            if code in (op.MAX_REPEAT, op.MIN_REPEAT):
                low, high, body = argument
                if len(body) != 1 or body[0][0] not in _ONE_CHARACTER:
                    return False
                repeats += low != high
            elif code is op.SUBPATTERN:
                waiting.append(argument[3])
            elif code is op.BRANCH:
                waiting.extend(argument[1])
    return repeats <= 2


_ONE_CHARACTER = frozenset({op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY})


class _Automaton:
    """Thompson's construction, run as a set of states; moves are remembered (a lazy DFA)."""

    def __init__(self, tree: Any) -> None:
        self._tests: list[tuple[Any, Any] | None] = []  # of a state: what it consumes, or None
        self._next: list[list[int]] = []
        self._work = 0
        self._end = self._state(None)
        try:
            start = self._chain(tree, self._end)
        except RecursionError as error:
            raise PatternTooCostly("the pattern nests too deep") from error
        self._start = self._closure({start})
        self._moves: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def matches(self, text: str) -> bool:
        states = self._start
        for character in text:
            key = (states, character)
            following = self._moves.get(key)
            if following is None:
                following = self._closure(
                    {
                        target
                        for state in states
                        if (test := self._tests[state]) is not None and _accepts(test, character)
                        for target in self._next[state]
                    }
                )
                if len(self._moves) >= _MAX_CACHED_MOVES:
                    self._moves.clear()
                self._moves[key] = following
            if not following:
                return False
            states = following
        return self._end in states

    def _state(self, test: tuple[Any, Any] | None, *following: int) -> int:
        if len(self._tests) >= MAX_STATES:
            raise PatternTooCostly(f"the pattern needs more than {MAX_STATES} states")
        self._tests.append(test)
        self._next.append(list(following))
        return len(self._tests) - 1

    def _closure(self, states: set[int]) -> frozenset[int]:
        found, waiting = set(states), list(states)
        while waiting:
            state = waiting.pop()
            if self._tests[state] is None:
                for target in self._next[state]:
                    if target not in found:
                        found.add(target)
                        waiting.append(target)
        return frozenset(found)

    def _chain(self, tree: Any, end: int) -> int:
        self._work += 1  # repeats of nothing make no states and must end all the same
        if self._work > 4 * MAX_STATES:
            raise PatternTooCostly("the pattern repeats too much")
        for item in reversed(list(tree)):
            end = self._item(item, end)
        return end

    def _item(self, item: tuple[Any, Any], end: int) -> int:
        code, argument = item
        if code in _ONE_CHARACTER:
            return self._state(item, end)
        if code is op.SUBPATTERN:
            return self._chain(argument[3], end)
        if code is op.BRANCH:
            return self._state(None, *(self._chain(branch, end) for branch in argument[1]))
        if code in (op.MAX_REPEAT, op.MIN_REPEAT):
            low, high, body = argument
            return self._repeat(low, high, body, end)
        if code in (op.AT, op.ASSERT_NOT):
            return end  # the anchors that the translation wraps around every pattern
        raise PatternInvalid(f"{code} has no meaning in a pattern of XML Schema")

    def _repeat(self, low: int, high: int, body: Any, end: int) -> int:
        if high is op.MAXREPEAT:
            loop = self._state(None, end)
            self._next[loop].append(self._chain(body, loop))
            end = loop
        else:
            last = end
            for _ in range(high - low):
                end = self._state(None, last, self._chain(body, end))
        for _ in range(low):
            end = self._chain(body, end)
        return end


def _accepts(test: tuple[Any, Any], character: str) -> bool:
    code, argument = test
    if code is op.ANY:
        return character not in "\n\r"
    if code is op.LITERAL:
        return bool(ord(character) == argument)
    if code is op.NOT_LITERAL:
        return bool(ord(character) != argument)
    negated, found = False, False
    point = ord(character)
    for kind, value in argument:
        if kind is op.NEGATE:
            negated = True
        elif kind is op.LITERAL:
            found = found or point == value
        elif kind is op.RANGE:
            found = found or value[0] <= point <= value[1]
        else:
            found = found or _in_category(value, character)
    return found is not negated


def _in_category(category: Any, character: str) -> bool:
    name = str(category)
    negated = "_NOT_" in name
    if name.endswith("DIGIT"):
        found = unicodedata.category(character) == "Nd"
    elif name.endswith("SPACE"):
        found = character.isspace()
    else:
        found = character.isalnum() or character == "_"
    return found is not negated
