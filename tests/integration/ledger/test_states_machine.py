"""Random histories of a chain against a simple truth: revisions, runs, late results, links that are
stated, doubted, confirmed and revoked, results that are deleted or thinned."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

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

from ifcbase.errors import Conflict
from ifcbase.ledger.connect import translated
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import Accepted, Chain, Clash, Pair, Spec, Thing
from tests.integration.ledger.truth import Done, Key, State, Truth
from tests.integration.world import World

__all__ = ["chain"]

NAMES = {"arc": ["a1", "a2", "a3", "a4"], "mep": ["b1", "b2", "b3"], "str": ["c1", "c2"]}
THINGS = [(model, name) for model, names in NAMES.items() for name in names]
ON_A = [each for each in THINGS if each[0] == "arc"]
ON_B = [each for each in THINGS if each[0] != "arc"]

specs = st.builds(
    Spec,
    b=st.sampled_from([("mep",), ("mep", "str"), ("mep", "str")]),
    chosen_a=st.none() | st.frozensets(st.sampled_from(ON_A), min_size=1),
    failed=st.just(frozenset()) | st.frozensets(st.sampled_from(THINGS), max_size=2),
    mode=st.sampled_from(["intersection"] * 3 + ["clearance", "collision"]),
    tolerance=st.sampled_from([0.01, 0.01, 0.02]),
    include_related=st.booleans(),
    measure=st.sampled_from(["1", "1", "1", "2"]),
    incomplete=st.sampled_from([None, None, None, "time", "list cut"]),
)


class History(RuleBasedStateMachine):
    """Does the same to the database and to the truth."""

    world: World
    ledger: PostgresLedger
    numbers: Iterator[int]

    @initialize()
    def begin(self) -> None:
        number = next(self.numbers)
        self.chain = Chain(self.world, self.ledger, name=f"set {number}", prefix=f"{number}-")
        self.truth = Truth()
        self.waiting: list[tuple[int, Accepted, dict[str, bool]]] = []
        self.accepted = 0
        #: The results that are there, by the order of acceptance.
        self.results: dict[int, int] = {}
        self.known: set[Thing] = set()
        self.checked = True
        for model, names in NAMES.items():
            self.chain.revise(model, names[:2])

    @rule(model=st.sampled_from(sorted(NAMES)), data=st.data(), matched=st.booleans())
    def revise(self, model: str, data: st.DataObject, matched: bool) -> None:
        names = data.draw(st.frozensets(st.sampled_from(NAMES[model])))
        self.chain.revise(model, names, matched=matched or model != "arc")

    @rule(spec=specs, data=st.data())
    def run(self, spec: Spec, data: st.DataObject) -> None:
        self._finish(*self._accept(), spec, data)

    @rule()
    def accept_for_later(self) -> None:
        self.waiting.append(self._accept())

    @precondition(lambda self: self.waiting)
    @rule(spec=specs, data=st.data())
    def finish_late(self, spec: Spec, data: st.DataObject) -> None:
        self._finish(*self.waiting.pop(0), spec, data)

    @precondition(lambda self: len(self.known) > 2)
    @rule(data=st.data(), verdict=st.sampled_from(["same", "same", "doubtful", "different"]))
    def state_link(self, data: st.DataObject, verdict: str) -> None:
        one = data.draw(st.sampled_from(sorted(self.known)))
        side = [x for x in sorted(self.known) if (x[0] == "arc") == (one[0] == "arc") and x != one]
        others: list[Thing | None] = [*side, *([None] if verdict == "doubtful" else [])]
        if not others:
            return
        other = data.draw(st.sampled_from(others))
        self.chain.link(one, other, verdict)
        self.truth.links.append((one, other, verdict))
        self.checked = False

    @precondition(lambda self: self._open_doubts())
    @rule(data=st.data(), verdict=st.sampled_from(["same", "different"]))
    def settle_doubt(self, data: st.DataObject, verdict: str) -> None:
        """A person confirms or rejects a doubt that is open, through the ledger's own door."""
        one, other = data.draw(st.sampled_from(self._open_doubts()))
        elements = [self.chain.element(one), None if other is None else self.chain.element(other)]
        if other is None and verdict == "same":
            return
        try:
            with translated():
                self.world.sql("select core.state_link(%s, %s, %s)", *elements, verdict)
        except Conflict:
            return  # both are in one version of a model: they are two things
        self.truth.links.append((one, other, verdict))
        self.checked = False

    @precondition(lambda self: self._in_force("same"))
    @rule(data=st.data())
    def revoke_link(self, data: st.DataObject) -> None:
        """A person takes back that two are one."""
        one, other = data.draw(st.sampled_from(self._in_force("same")))
        assert other is not None
        elements = [self.chain.element(one), self.chain.element(other)]
        with translated():
            self.world.sql("select core.state_link(%s, %s, 'different')", *elements)
        self.truth.links.append((one, other, "different"))
        self.checked = False

    @precondition(lambda self: self.truth.runs)
    @rule(data=st.data())
    def delete_result(self, data: st.DataObject) -> None:
        gone = data.draw(st.sets(st.sampled_from(sorted(self.results)), min_size=1, max_size=2))
        ids = [self.results.pop(order) for order in gone]
        self.world.sql("delete from clash.results where id = any(%s)", ids)
        self.truth.runs = [run for run in self.truth.runs if run.order not in gone]
        self.checked = False

    @precondition(lambda self: len(self.truth.runs) > 1)
    @rule(data=st.data())
    def thin_result(self, data: st.DataObject) -> None:
        """Whatever retention takes away, states do not change."""
        order = data.draw(st.sampled_from(sorted(self.results)[:-1]))
        self.world.sql("select core.thin_result('clash', %s)", self.results[order])
        self.checked = False

    def _in_force(self, wanted: str) -> list[tuple[Thing, Thing | None]]:
        found = [
            (one, other) for _, one, other, verdict in self.truth.in_force() if verdict == wanted
        ]
        return sorted(found, key=lambda each: (each[0], each[1] or ("", "")))

    def _open_doubts(self) -> list[tuple[Thing, Thing | None]]:
        found = [
            (one, other)
            for _, one, other, verdict in self.truth.in_force()
            if verdict == "doubtful" and self.truth.in_doubt(one)
        ]
        return sorted(found, key=lambda each: (each[0], each[1] or ("", "")))

    def _accept(self) -> tuple[int, Accepted, dict[str, bool]]:
        self.accepted += 1
        matched = {m: self.chain.matched[self.chain.files[m]] for m in NAMES}
        return self.accepted, self.chain.accept(), matched

    def _finish(
        self,
        order: int,
        accepted: Accepted,
        matched: dict[str, bool],
        spec: Spec,
        data: st.DataObject,
    ) -> None:
        # What failed or was not selected cannot clash; the ledger refuses nothing of the kind.
        done = Done(order, spec, accepted.contents, matched, frozenset())
        in_run = {m: names for m, names in accepted.contents.items() if m in (*spec.a, *spec.b)}
        done = replace(done, contents=in_run)
        a, b = (Truth._side(done, side, spec.failed) for side in "ab")
        possible = sorted(itertools.product(sorted(a), sorted(b)))
        clashes: frozenset[Pair] = frozenset()
        if possible:
            clashes = data.draw(st.frozensets(st.sampled_from(possible), max_size=4))
            left = sorted(set(possible) - clashes)
            pairs = st.frozensets(st.sampled_from(left), max_size=2) if left else st.just(clashes)
            related = frozenset() if spec.include_related else data.draw(pairs) - clashes
            undecided = data.draw(pairs) - clashes - related
            spec = replace(spec, related=related, undecided=undecided)
            done = replace(done, spec=spec)
        only = Accepted(accepted.job, accepted.contents)
        self.results[order] = self.chain.finish(only, [Clash(x) for x in sorted(clashes)], spec)
        self.truth.runs.append(replace(done, clashes=clashes))
        self.known |= {(m, name) for m, names in accepted.contents.items() for name in names}
        self.checked = False

    @invariant()
    def the_ledger_tells_the_truth(self) -> None:
        if self.checked:
            return
        self.checked = True
        if not self.truth.runs:
            if self.accepted > len(self.waiting):
                left = "select count(*) from clash.pair_state_rows where set_id = %s"
                assert self.world.value(left, self.chain.id) == 0
            return
        stored = self._stored()
        expected = self.truth.states()
        assert [each for _, each in stored] == [each for _, each in expected]
        present = self._named(
            self.world.sql(
                "select pair_id, state, reason from clash.pair_states where set_id = %s",
                self.chain.id,
            )
        )  # fmt: skip
        assert present == expected[-1][1]

    def _stored(self) -> list[tuple[int, dict[Key, State]]]:
        """The state of every pair after every result, from the changes that are stored."""
        now: dict[Key, State] = {}
        found = []
        for (result,) in self.world.sql(
            "select id from clash.results where set_id = %s order by accepted", self.chain.id
        ):
            now |= self._named(
                self.world.sql(
                    "select pair_id, state, reason from clash.state_changes where result_id = %s",
                    result,
                )
            )  # fmt: skip
            found.append((result, dict(now)))
        return found

    def _named(self, rows: list[tuple[int, str, str | None]]) -> dict[Key, State]:
        elements = {
            pair: ((m1.removeprefix(self.chain.prefix), g1), (m2.removeprefix(self.chain.prefix), g2))
            for pair, m1, g1, m2, g2 in self.world.sql(
                "select p.id, ma.name, a.global_id, mb.name, b.global_id from clash.pairs p "
                "join core.elements a on a.id = p.a_element join core.models ma on ma.id = a.model_id "
                "join core.elements b on b.id = p.b_element join core.models mb on mb.id = b.model_id "
                "where p.set_id = %s", self.chain.id,
            )
        }  # fmt: skip
        named = {
            frozenset(self.truth.lasting(each) for each in elements[pair]): (state, reason)
            for pair, state, reason in rows
        }
        assert len(named) == len(rows), "one pair is stored as two"
        return named

    def teardown(self) -> None:
        if hasattr(self, "truth") and self.truth.runs:
            assert self.chain.differences() == []
            ((results, counted),) = self.world.sql(
                "select count(distinct r.id), count(distinct c.result_id) from clash.results r "
                "left join clash.state_counts c on c.result_id = r.id where r.set_id = %s",
                self.chain.id,
            )
            assert counted <= results


@pytest.mark.timeout(240)
def test_any_history_ends_in_the_states_the_truth_knows(chain: Chain) -> None:
    """Every example has models and a clash set of its own in the one database."""
    about = {"world": chain.world, "ledger": chain.ledger, "numbers": itertools.count(1)}
    bound = type("BoundHistory", (History,), about)
    run_state_machine_as_test(
        bound,
        settings=settings(
            max_examples=40,
            stateful_step_count=14,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
