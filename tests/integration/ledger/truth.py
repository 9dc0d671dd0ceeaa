"""The truth about a chain, worked out in memory from what was done: no SQL, no shared code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.integration.ledger.chains import Pair, Spec, Thing

State = tuple[str, str | None]
Key = frozenset[Thing]


@dataclass(frozen=True)
class Done:
    """A finished run: its place, what its models held, what it found."""

    order: int
    spec: Spec
    contents: dict[str, frozenset[str]]
    matched: dict[str, bool]
    clashes: frozenset[Pair]


@dataclass
class Truth:
    """All that was done, in any order."""

    runs: list[Done] = field(default_factory=list)
    links: list[tuple[Thing, Thing | None, str]] = field(default_factory=list)

    def states(self) -> list[tuple[int, dict[Key, State]]]:
        """After each run, in the order of acceptance, the state of every pair."""
        now: dict[Key, State] = {}
        seen_in: dict[Key, Done] = {}
        names: dict[Key, Pair] = {}
        found = []
        for run in sorted(self.runs, key=lambda each: each.order):
            here = {}
            for clash in run.clashes:
                key = frozenset(self.lasting(each) for each in clash)
                here[key] = clash
            for key, clash in here.items():
                before = now.get(key, ("", None))[0]
                if not before:
                    now[key] = ("new", None)
                elif before in ("resolved", "removed"):
                    now[key] = ("reopened", None)
                else:
                    now[key] = ("persisting", None)
                seen_in[key] = run
                names[key] = clash
            for key in now.keys() - here.keys():
                now[key] = self._absent(now[key], names[key], run, seen_in[key])
            found.append((run.order, dict(now)))
        return found

    # What is one thing -----------------------------------------------------------------------------

    def _in_force(self) -> list[tuple[int, Thing, Thing | None, str]]:
        latest: dict[frozenset[Thing | None], tuple[int, Thing, Thing | None, str]] = {}
        for number, (one, other, verdict) in enumerate(self.links):
            latest[frozenset({one, other})] = (number, one, other, verdict)
        return list(latest.values())

    def kin(self, thing: Thing) -> set[Thing]:
        """Everything that is one thing with it."""
        found = {thing}
        while True:
            more = {
                x
                for _, one, other, verdict in self._in_force()
                if verdict == "same" and other is not None and ({one, other} & found)
                for x in (one, other)
            }
            if more <= found:
                return found
            found |= more

    def lasting(self, thing: Thing) -> Thing:
        """One name for all of them."""
        return min(self.kin(thing))

    def _in_doubt(self, thing: Thing) -> bool:
        mine = [each for each in self._in_force() if each[1] == thing]
        if any(verdict == "same" for *_, verdict in mine):
            return False
        for number, _, other, verdict in mine:
            if verdict != "doubtful":
                continue
            if other is not None:
                return True
            if not any(n > number and v != "doubtful" for n, _, _, v in mine):
                return True
        return False

    # What absence means ----------------------------------------------------------------------------

    def _absent(self, before: State, pair: Pair, run: Done, seen: Done) -> State:
        if before[0] == "resolved":
            return before
        judged = self._judge(pair, run, seen)
        gone_before = before[0] == "removed"
        if gone_before and judged[1] in ("model not in the run", "unlinked"):
            return before
        return judged

    def _judge(self, pair: Pair, run: Done, seen: Done) -> State:
        for thing in pair:
            if self._surely_gone(thing, run):
                return ("removed", None)
        for thing in pair:
            kin = self.kin(thing)
            if not self._there(kin, run) and any(m not in run.contents for m, _ in kin):
                return ("untested", "model not in the run")
        if not all(self._there(self.kin(thing), run) for thing in pair):
            return ("untested", "unlinked")
        one, other = (self.kin(thing) for thing in pair)
        for failed, reason in (
            (frozenset(), "no longer selected"),
            (run.spec.failed, "no geometry"),
        ):
            a, b = (self._side(run, side, failed) for side in "ab")
            if not ((one & a and other & b) or (one & b and other & a)):
                return ("untested", reason)
        for reason, left_out in (("related", run.spec.related), ("undecided", run.spec.undecided)):
            if frozenset(map(self.lasting, pair)) in {
                frozenset(map(self.lasting, x)) for x in left_out
            }:
                return ("untested", reason)
        if not _looks_for_all(run.spec, seen.spec):
            return ("untested", "definition changed")
        if (run.spec.measure, run.spec.mesher) != (seen.spec.measure, seen.spec.mesher):
            return ("untested", "other measure version")
        if run.spec.incomplete:
            cut = run.spec.incomplete == "list cut"
            return ("untested", "list cut" if cut else "run incomplete")
        return ("resolved", None)

    def _surely_gone(self, thing: Thing, run: Done) -> bool:
        kin = self.kin(thing)
        if self._there(kin, run) or any(model not in run.contents for model, _ in kin):
            return False
        return not any(not run.matched[each[0]] or self._in_doubt(each) for each in kin)

    @staticmethod
    def _there(kin: Iterable[Thing], run: Done) -> bool:
        return any(name in run.contents.get(model, frozenset()) for model, name in kin)

    @staticmethod
    def _side(run: Done, side: str, failed: frozenset[Thing]) -> set[Thing]:
        spec = run.spec
        if side == "b" and not spec.b:
            side = "a"
        models, chosen = (spec.a, spec.chosen_a) if side == "a" else (spec.b, spec.chosen_b)
        everything = {(m, name) for m in models for name in run.contents[m]}
        return {each for each in everything if chosen is None or each in chosen} - failed


def _looks_for_all(now: Spec, then: Spec) -> bool:
    if now.mode != then.mode:
        return False
    if then.include_related and not now.include_related:
        return False
    if now.mode == "collision":
        return True
    if then.check_all and not now.check_all:
        return False
    if now.mode == "clearance":
        return now.tolerance >= then.tolerance
    return now.tolerance <= then.tolerance
