"""Random decisions of people, groups and rules on a growing chain against a simple truth."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.types.json import Jsonb

from ifcbase.ledger import rules
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import KINDS, Accepted, Chain, Clash, Pair, Thing
from tests.integration.world import World

__all__ = ["chain"]

MARGIN = 0.005
PAIRS: list[Pair] = [
    (("arc", a), ("mep", b)) for a, b in itertools.product(["a1", "a2"], ["b1", "b2"])
]
ACTIONS = [("reviewed", None), ("approved", None), ("ignored", "small overlap")]
DEPTHS = [0.01, 0.012, 0.05]
contacts = st.dictionaries(
    st.sampled_from(PAIRS),
    st.tuples(st.sampled_from(DEPTHS), st.sampled_from(["collision", "collision", "pierce"])),
    min_size=2,
)
Contact = tuple[float, str]


@dataclass(frozen=True)
class Word:
    """What was said last about a pair, and how it was then."""

    action: str
    reason: str | None
    contact: Contact | None
    rule: int | None = None


@dataclass
class Told:
    """A rule as the truth has it."""

    number: int
    action: str
    reason: str | None
    deepest: float | None
    kind: str | None
    about: Thing | None
    active: bool = True

    def fits(self, pair: Pair, contact: Contact) -> bool:
        return (
            self.active
            and (self.deepest is None or contact[0] <= self.deepest)
            and (self.kind is None or contact[1] == self.kind)
            and (self.about is None or self.about in pair)
        )


class Decisions(RuleBasedStateMachine):
    """Does the same to the database and to the truth."""

    world: World
    ledger: PostgresLedger
    numbers: Iterator[int]

    @initialize()
    def begin(self) -> None:
        number = next(self.numbers)
        # Rules are a project's: those of an earlier example must not decide here.
        self.world.sql("update core.decision_rules set active = false")
        self.chain = Chain(self.world, self.ledger, name=f"set {number}", prefix=f"{number}-")
        self.chain.revise("arc", ["a1", "a2"])
        self.chain.revise("mep", ["b1", "b2"])
        self.number, self.made = number, 0
        self.runs: dict[int, Mapping[Pair, Contact]] = {}
        self.waiting: list[tuple[int, Accepted]] = []
        self.accepted = 0
        self.people: dict[Pair, Word] = {}
        self.machines: dict[Pair, Word] = {}
        self.told: list[Told] = []
        self._finish(*self._accept(), dict.fromkeys(PAIRS, (0.01, "collision")))

    # What happens ----------------------------------------------------------------------------------

    @rule(found=contacts)
    def run(self, found: dict[Pair, Contact]) -> None:
        self._finish(*self._accept(), found)

    @rule()
    def accept_for_later(self) -> None:
        self.waiting.append(self._accept())

    @precondition(lambda self: self.waiting)
    @rule(found=contacts)
    def finish_late(self, found: dict[Pair, Contact]) -> None:
        self._finish(*self.waiting.pop(0), found)

    @rule(data=st.data(), what=st.sampled_from([*ACTIONS, ("approved", None), ("open", None)]))
    def decide(self, data: st.DataObject, what: tuple[str, str | None]) -> None:
        pair = data.draw(st.sampled_from(sorted(self._seen())))
        self.world.sql("select public.decide(array[%s]::bigint[], %s, %s)", self._id(pair), *what)
        self.people[pair] = Word(*what, self._seen()[pair])

    @rule(data=st.data(), what=st.sampled_from(ACTIONS))
    def decide_group(self, data: st.DataObject, what: tuple[str, str | None]) -> None:
        thing = data.draw(st.sampled_from(sorted({t for pair in self._seen() for t in pair})))
        states: dict[int, str] = dict(
            self.world.sql(
                "select pair_id, state from clash.pair_states where set_id = %s", self.chain.id
            )
        )
        members = [
            p
            for p in self._seen()
            if thing in p and states[self._id(p)] not in ("resolved", "removed")
        ]
        if not members:
            return
        group = f"element/{self.chain.element(thing)}"
        decided = rules.decide_group(
            self.world.connection, self.chain.id, group, what[0], reason=what[1]
        )
        assert decided == sorted(map(self._id, members))
        for pair in members:
            self.people[pair] = Word(*what, self._seen()[pair])

    @rule(
        what=st.sampled_from(ACTIONS),
        deepest=st.sampled_from([None, 0.011, 0.02]),
        kind=st.sampled_from([None, "pierce"]),
        about=st.sampled_from([None, None, ("arc", "a1")]),
    )
    def add_rule(
        self,
        what: tuple[str, str | None],
        deepest: float | None,
        kind: str | None,
        about: Thing | None,
    ) -> None:
        """Try the rule on the last result; then add it, and find the same once more."""
        last = self.runs[max(self.runs)]
        document: dict[str, Any] = {
            "name": f"{self.number} {self.made}", "action": what[0], "reason": what[1],
            "max_distance": deepest, "kind": KINDS[kind] if kind else None,
            "group_name": f"element/{self.chain.element(about)}" if about else None,
        }  # fmt: skip
        # What the rules there are would do to the same once more they do by themselves.
        self._finish(*self._accept(), last)
        result = self.world.value(
            "select id from clash.results where set_id = %s order by accepted desc limit 1",
            self.chain.id,
        )
        planned = self.world.sql(
            "select pair_id, action from core.plan_rule(%s, %s) order by 1", result, Jsonb(document)
        )
        before = self.world.value("select coalesce(max(id), 0) from core.decisions")
        number = rules.add_rule(self.world.connection, "default", document)
        self.made += 1
        self.told.append(Told(number, what[0], what[1], deepest, kind, about))
        self._finish(*self._accept(), last)
        assert planned == self.world.sql(
            "select finding_id, action from core.decisions where id > %s order by 1", before
        )

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def switch_rule(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.told))
        chosen.active = not chosen.active
        self.world.sql("select public.switch_rule(%s, %s)", chosen.number, chosen.active)

    # The truth -------------------------------------------------------------------------------------

    def _accept(self) -> tuple[int, Accepted]:
        self.accepted += 1
        return self.accepted, self.chain.accept()

    def _finish(self, order: int, accepted: Accepted, found: Mapping[Pair, Contact]) -> None:
        self.chain.finish(accepted, [Clash(pair, *how) for pair, how in sorted(found.items())])
        late = any(each > order for each in self.runs)
        self.runs[order] = found
        if late:
            return
        for pair, contact in found.items():
            if pair in self.people:
                continue
            fitting = next((each for each in self.told if each.fits(pair, contact)), None)
            said = self.machines.get(pair)
            state, reason, _ = self._review(pair)
            if fitting:
                if (state, reason) != (fitting.action, fitting.reason):
                    self.machines[pair] = Word(
                        fitting.action, fitting.reason, contact, fitting.number
                    )
            elif said and state != "open":
                self.machines[pair] = Word("open", None, contact, said.rule)

    def _seen(self) -> dict[Pair, Contact]:
        """Every pair that was seen, and how it was in the last result that saw it."""
        found: dict[Pair, Contact] = {}
        for order in sorted(self.runs):
            found |= self.runs[order]
        return found

    def _review(self, pair: Pair) -> tuple[str, str | None, bool]:
        word = self.people.get(pair) or self.machines.get(pair)
        if word is None:
            return "open", None, False
        by_rule = word.rule is not None
        if word.action == "approved" and word.contact:
            depth, kind = self._seen()[pair]
            if kind != word.contact[1]:
                return "open", "other kind", by_rule
            if depth > word.contact[0] + MARGIN:
                return "open", "deeper than approved", by_rule
        return word.action, word.reason, by_rule

    def _id(self, pair: Pair) -> int:
        return self.chain.pair_id(" ".join(f"{model}/{name}" for model, name in pair))

    @invariant()
    def reviews_are_what_was_said(self) -> None:
        if not self.runs:
            return
        stored = {
            row[0]: tuple(row[1:])
            for row in self.world.sql(
                "select pair_id, state, reason, by_rule from core.review_states(%s)", self.chain.id
            )
        }
        assert stored == {self._id(pair): self._review(pair) for pair in self._seen()}

    def teardown(self) -> None:
        if getattr(self, "runs", None):
            assert self.chain.differences() == []


@pytest.mark.timeout(240)
def test_any_words_end_in_the_reviews_the_truth_knows(chain: Chain) -> None:
    """Every example has models and a clash set of its own in the one database."""
    about = {"world": chain.world, "ledger": chain.ledger, "numbers": itertools.count(1)}
    bound = type("BoundDecisions", (Decisions,), about)
    run_state_machine_as_test(
        bound,
        settings=settings(
            max_examples=40,
            stateful_step_count=16,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
