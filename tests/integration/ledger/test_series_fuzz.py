"""Random histories of IDS results and of diffs: whatever comes late, is linked, deleted or thinned, the
states that were kept step by step are those that follow from the rows.

`python -m tests.integration.ledger.test_series_fuzz DSN SECONDS` goes on as long as that, in a migrated
database of its own.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from ifcbase.errors import Conflict
from ifcbase.ledger.connect import translated
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.ledger.diff_series import FACETS, Comparison, Diffs
from tests.integration.ledger.ids_series import Rule, Series, Waiting
from tests.integration.servers import Database
from tests.integration.world import World

NAMES = ("w1", "w2", "w3", "w4")


class History:
    """What both kinds have in common: results that are finished late, deleted, thinned, and links."""

    check: str
    series: Series | Diffs

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311 - the same history each time
        self.waiting: list[Any] = []
        self.done: list[str] = []

    def some(self, names: tuple[str, ...] = NAMES, share: float = 0.5) -> tuple[str, ...]:
        return tuple(name for name in names if self.draw.random() < share)

    def steps(self) -> list[tuple[int, Callable[[], Any]]]:
        """What may happen, each with how often."""
        return [(2, self.delete), (2, self.thin), (2, self.link)]

    def results(self) -> list[int]:
        rows = self.series.world.sql(
            f"select r.id from {self.check}.results r join core.job_inputs i on i.job_id = r.job_id"
            " join core.model_versions v on v.id = i.model_version_id join core.models m"
            " on m.id = v.model_id where m.name = %s and r.state = 'finished'"
            " group by r.id order by r.accepted", self.series.model,
        )  # fmt: skip
        return [row[0] for row in rows]

    def delete(self) -> None:
        there = self.results()
        gone = self.draw.sample(there, min(len(there), self.draw.choice((1, 1, 2))))
        self.series.world.sql(f"delete from {self.check}.results where id = any(%s)", gone)

    def thin(self) -> None:
        there = self.results()
        if len(there) > 1:
            old = self.draw.choice(there[:-1])
            self.series.world.sql("select core.thin_result(%s, %s)", self.check, old)

    def link(self) -> None:
        rows = self.series.world.sql(
            "select e.id from core.elements e join core.models m on m.id = e.model_id"
            " where m.name = %s order by 1", self.series.model,
        )  # fmt: skip
        if len(rows) > 1:
            one, other = (row[0] for row in self.draw.sample(rows, 2))
            try:
                with translated():
                    self.series.world.sql(
                        "select core.state_link(%s, %s, %s)",
                        one, other, self.draw.choice(("same", "same", "different")),
                    )  # fmt: skip
            except Conflict:
                return  # both are in one version of the model: they are two things

    def go(self, count: int) -> None:
        """Take steps; after each the series verifies."""
        weights, steps = zip(*self.steps(), strict=True)
        for _ in range(count):
            (step,) = self.draw.choices(steps, weights)
            self.done.append(step.__name__)
            step()
            if self.results():
                assert self.series.differences() == [], self.done


class Failures(History):
    """IDS results of one model."""

    check = "tester"

    def __init__(self, world: World, store: PostgresLedger, seed: int) -> None:
        super().__init__(seed)
        self.series: Series = Series(world, store, ids=(f"{seed}.ids",), model=f"m{seed}")
        self.series.revise(NAMES)

    def steps(self) -> list[tuple[int, Callable[[], Any]]]:
        return [*super().steps(), (2, self.revise), (6, self.run), (2, self.wait), (3, self.late)]

    def revise(self) -> None:
        self.series.revise(self.some(share=0.7) or ("w1",), matched=self.draw.random() < 0.8)

    def rules(self, there: frozenset[str]) -> list[Rule]:
        made = []
        for name in self.some(("Walls", "Others"), 0.8) or ("Walls",):
            applies = self.some(tuple(sorted(there)), 0.8)
            failing = self.some(applies)
            left = tuple(each for each in applies if each not in failing)
            asked = self.draw.choice(("Fire=F90", "Fire=F90", "Fire=F30"))
            unjudged = {asked: self.some(left, 0.2)}
            made.append(Rule(applies, {asked: failing}, name=name, about=name, unjudged=unjudged))
        self.series.rules_version = self.draw.choice("1112")
        return made

    def run(self) -> None:
        self.series.run(*self.rules(self.series.present))

    def wait(self) -> None:
        self.waiting.append(self.series.accept())

    def late(self) -> None:
        if self.waiting:
            waiting: Waiting = self.waiting.pop(self.draw.randrange(len(self.waiting)))
            self.series.finish(waiting, *self.rules(waiting.elements))


class Changes(History):
    """Diffs of one model with itself."""

    check = "diff"

    def __init__(self, world: World, store: PostgresLedger, seed: int) -> None:
        super().__init__(seed)
        self.series: Diffs = Diffs(world, store, model=f"m{seed}")
        for _ in range(3):
            self.revise()

    def steps(self) -> list[tuple[int, Callable[[], Any]]]:
        return [*super().steps(), (1, self.revise), (6, self.run), (2, self.wait), (3, self.late)]

    def revise(self) -> None:
        facets = ("geometry", "placement", "attributes")
        elements = {
            name: {
                facet: self.draw.choice((1, 2, [1.5, {"a": 1}])) for facet in self.some(facets, 0.8)
            }
            for name in self.some(share=0.75) or ("w1",)
        }
        self.series.revise(elements)

    def asked(self) -> dict[str, Any]:
        return {
            "facets": self.draw.choice((FACETS, FACETS, FACETS[:1])),
            "tolerance": self.draw.choice((0.001, 0.001, 0.01)),
            "unjudged": self.some(share=0.1), "passed_over": self.some(share=0.1),
            "only": self.draw.choice(("", "", "", "IfcWall")),
        }  # fmt: skip

    def accepted(self) -> Comparison:
        old, new = self.draw.sample(range(len(self.series.revisions)), 2)
        if old > new and self.draw.random() < 0.7:
            old, new = new, old
        return self.series.accept(old, new)

    def run(self) -> None:
        self.series.finish(self.accepted(), **self.asked())

    def wait(self) -> None:
        self.waiting.append(self.accepted())

    def late(self) -> None:
        if self.waiting:
            waiting = self.waiting.pop(self.draw.randrange(len(self.waiting)))
            self.series.finish(waiting, **self.asked())


@pytest.mark.long
@pytest.mark.parametrize("kind", [Failures, Changes])
def test_states_kept_step_by_step_are_those_that_follow_from_the_rows(
    ledger: Database, kind: type[Failures] | type[Changes]
) -> None:
    world, store = World(ledger.dsn), PostgresLedger(ledger.dsn)
    try:
        for seed in range(3):
            kind(world, store, seed).go(25)
    finally:
        store.close()
        world.close()


def main(dsn: str, seconds: float, seed: int = 1000) -> None:
    """Histories one after another until the time is over; tells the seed of one that fails."""
    world, store = World(dsn), PostgresLedger(dsn)
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        for kind in (Failures, Changes):
            seed += 1
            history = kind(world, store, seed)
            try:
                history.go(40)
            except BaseException:
                sys.stderr.write(f"{kind.__name__} {seed}: {history.done}\n")
                raise
            count += len(history.done)
    sys.stdout.write(f"{count} steps, the last seed {seed}: all verify\n")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), *(int(each) for each in sys.argv[3:]))
