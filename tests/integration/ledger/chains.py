"""Writes chains of results as workers do, from sets of names: no IFC, the real write API."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import MEASURES, Signatures
from ifcbase.ledger.interface import Attempt, Columns, Writer
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.world import Job, World, element, inventory, sha, start

#: An element: (model, GlobalId). A pair: the one on side a, the one on side b.
Thing = tuple[str, str]
Pair = tuple[Thing, Thing]
KINDS = {"protrusion": 1, "pierce": 2, "collision": 3, "clearance": 4, "contained": 5,
         "touching": 7}  # fmt: skip


def thing(text: str) -> Thing:
    """ "arc/w1" is element w1 of the model arc."""
    model, _, name = text.partition("/")
    return model, name


def key(name: str) -> tuple[str, int]:
    """ "w1#1" is the second element with the GlobalId w1."""
    global_id, _, n = name.partition("#")
    return global_id, int(n or 0)


def pair(text: str) -> Pair:
    """ "arc/w1 mep/p1"."""
    a, b = text.split()
    return thing(a), thing(b)


def shapeless(found: Inventory) -> Signatures:
    """Signatures of elements that differ by their names alone, and have no shape."""
    size = len(found)
    columns: dict[str, np.ndarray[Any, Any]] = {
        name: np.full(
            (size, width) if width > 1 else size, 0 if dtype is np.int64 else np.nan, dtype
        )
        for name, (dtype, width) in MEASURES.items()
    }
    return Signatures.of(found, columns)


@dataclass(frozen=True)
class Clash:
    """A contact between two elements."""

    pair: Pair
    depth: float = 0.02
    kind: str = "collision"
    group: int = -1


@dataclass(frozen=True)
class Spec:
    """What a run is asked to do, and what becomes of it."""

    #: Models of each side; the elements of a side that are selected (None: all of them).
    a: tuple[str, ...] = ("arc",)
    b: tuple[str, ...] = ("mep",)
    chosen_a: frozenset[Thing] | None = None
    chosen_b: frozenset[Thing] | None = None
    #: The text of the selector (of its own for what it selects, if it is None).
    selector: str | None = None
    failed: frozenset[Thing] = frozenset()
    why_failed: str = "no geometry"
    mode: str = "intersection"
    tolerance: float = 0.01
    include_related: bool = False
    check_all: bool = False
    #: Elements of side a that its selector leaves out.
    excluded_a: frozenset[Thing] | None = None
    measure: str | None = "1"
    mesher: str = "one"
    kernel: str = "one"
    engine: str = "one"
    incomplete: str | None = None
    #: Pairs that were met and left out because they belong together.
    related: frozenset[Pair] = frozenset()
    #: Pairs that could not be judged.
    undecided: frozenset[Pair] = frozenset()
    allow_touching: bool = False

    def definition(self) -> dict[str, Any]:
        """The definition as the ledger keeps it."""
        found: dict[str, Any] = {"mode": self.mode, "include_related": self.include_related}
        if self.mode == "intersection":
            return found | {"tolerance": self.tolerance, "check_all": self.check_all}
        if self.mode == "clearance":
            return found | {"clearance": self.tolerance, "check_all": self.check_all}
        return found | {"allow_touching": self.allow_touching}


@dataclass(frozen=True)
class Accepted:
    """A job that waits, with the elements of each model as they were when it was accepted."""

    job: Job
    contents: dict[str, frozenset[str]]


@dataclass
class Chain:
    """One clash set in a world: revise models, accept jobs, finish them."""

    world: World
    ledger: PostgresLedger
    name: str = "A x B"
    prefix: str = ""
    #: Of each model the elements of its present revision, by GlobalId with class and storey.
    present: dict[str, frozenset[str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    matched: dict[str, bool] = field(default_factory=dict)
    looks: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Of elements whose GlobalId repeats: what each is named, in the order of the file. The second
    #: is called "w1#1".
    repeated: dict[str, list[str]] = field(default_factory=dict)
    _revisions: int = 0

    def revise(self, model: str, elements: Iterable[str], *, matched: bool = True) -> None:
        """A new revision of a model with these elements."""
        self._revisions += 1
        names = frozenset(elements)
        for each, known in self.repeated.items():
            if thing(each)[0] == model and thing(each)[1] in names:
                names |= {f"{thing(each)[1]}#{n}" for n in range(1, len(known))}
        self.present[model] = names
        self.files[model] = f"{self.prefix}{model} {self._revisions}"
        self.matched[self.files[model]] = matched

    def accept(self, models: Collection[str] | None = None) -> Accepted:
        """A job on the present revisions."""
        chosen = sorted(models if models is not None else self.present)
        job = self.world.job({self.prefix + m: self.files[m] for m in chosen})
        return Accepted(job, {m: self.present[m] for m in chosen})

    def run(self, clashes: Iterable[str | Clash] = (), **spec: Any) -> int:
        """Accept a job on the models of both sides and finish it; gives the result."""
        asked = replace(Spec(), **spec)
        return self.finish(self.accept({*asked.a, *asked.b}), clashes, asked)

    def finish(
        self, accepted: Accepted, clashes: Iterable[str | Clash] = (), spec: Spec | None = None
    ) -> int:
        """Do an accepted job: inventories, then the result."""
        spec = spec or Spec()
        found = [c if isinstance(c, Clash) else Clash(pair(c)) for c in clashes]
        attempt = start(self.ledger, accepted.job)
        with self.ledger.writing(attempt.token) as writer:
            self._describe(writer, attempt, accepted)
        for given in attempt.inputs:
            if not given.inventoried and self.matched[self._file_of(given.sha256)]:
                self.world.sql(
                    "update core.model_versions set matched_at = now() where id = %s",
                    given.model_version_id,
                )
        with self.ledger.writing(attempt.token) as writer:
            result = self._write(writer, accepted, found, spec)
            writer.finish_job({"verdict": "found", "clash_count": len(found)}, {})
        return result

    def _file_of(self, digest: str) -> str:
        return next(each for each in self.matched if sha(each) == digest)

    def _describe(self, writer: Writer, attempt: Attempt, accepted: Accepted) -> None:
        for given in attempt.inputs:
            if given.inventoried or given.model_version_id is None:
                continue
            model = given.name.removesuffix(".ifc").removeprefix(self.prefix)
            names = sorted(accepted.contents[model])
            rows = [
                element(global_id, n=n, **self._looks(model, global_id, n))
                for global_id, n in map(key, names)
            ]
            found = inventory(rows)
            writer.inventory(given.model_version_id, found, shapeless(found))

    def _looks(self, model: str, global_id: str, n: int) -> dict[str, Any]:
        given = f"{model}/{global_id}"
        named = {"name": self.repeated[given][n]} if given in self.repeated else {}
        return named | self.looks.get(given, {})

    def _write(self, writer: Writer, accepted: Accepted, found: list[Clash], spec: Spec) -> int:
        definition = spec.definition()
        result = writer.open_result(
            {
                "set": self.name,
                "definition": definition,
                "definition_hash": sha(json.dumps(definition, sort_keys=True)),
                "settings": definition,
                "output_filename": "out.json",
            }
        )  # fmt: skip
        sides = [("a", m) for m in spec.a] + [("b", m) for m in spec.b]
        chosen = {"a": spec.chosen_a, "b": spec.chosen_b}
        selections, coverage, left_out = [], [], []
        refs: dict[Thing, int] = {}
        for model, names in sorted(accepted.contents.items()):
            for name in sorted(names):
                refs[model, name] = len(refs)
        for position, (side, model) in enumerate(sides):
            everything = {(model, name) for name in accepted.contents[model]}
            only = chosen[side]
            selected = everything if only is None else everything & only
            told = spec.selector or "only " + " ".join(sorted(n for _, n in selected))
            selector = None if only is None else told
            file = f"{self.prefix}{model}.ifc"
            mode = "i" if selector else "a"
            if side == "a" and spec.excluded_a is not None:
                mode, selector = "e", "all but those"
                matched = [key(name) for _, name in sorted(everything & spec.excluded_a)]
                selected = everything - spec.excluded_a
                selections.append({"input": file, "selector": selector, "matched": matched})
            elif selector:
                matched = [key(name) for _, name in sorted(selected)]
                selections.append({"input": file, "selector": selector, "matched": matched})
            failed = sorted(selected & spec.failed)
            left_out += [
                {"position": position, "element": refs[each], "reason": spec.why_failed}
                for each in failed
            ]
            coverage.append(
                {
                    "position": position, "side": side, "input": file,
                    "mode": mode, "selector": selector,
                    "selected": len(selected), "tested": len(selected) - len(failed),
                    "left_out": {spec.why_failed: len(failed)} if failed else {},
                }
            )  # fmt: skip
        writer.append_rows(result, "selection", selections)
        writer.append_rows(result, "coverage", coverage)
        elements = [
            {"ref": ref, "input": f"{self.prefix}{m}.ifc",
             "global_id": key(name)[0], "n": key(name)[1]}
            for (m, name), ref in refs.items()
        ]  # fmt: skip
        writer.append_rows(result, "elements", elements)
        writer.append_rows(result, "left_out", left_out)
        skipped = [
            {"a": refs[a], "b": refs[b], "reason": reason}
            for reason, pairs in (("related", spec.related), ("undecided", spec.undecided))
            for a, b in sorted(pairs)
        ]
        writer.append_rows(result, "pairs_left_out", skipped)
        writer.append_sightings(result, _columns(found, refs, sides))
        return writer.finish_result(
            result,
            {
                "clash_count": len(found), "verdict": "found" if found else "clean",
                "coverage": 1.0, "warnings": [], "incomplete": spec.incomplete,
                "related_left_out": len(spec.related), "undecided": len(spec.undecided),
                "engine": {"measure_version": spec.measure, "mesher": spec.mesher,
                           "kernel": spec.kernel, "name": spec.engine},
            },
        )  # fmt: skip

    # Reading ---------------------------------------------------------------------------------------

    @property
    def id(self) -> int:
        """The chain's clash set."""
        return int(self.world.value("select id from clash.sets where name = %s", self.name))

    def element(self, name: str | Thing) -> int:
        """The id of an element."""
        model, named = thing(name) if isinstance(name, str) else name
        global_id, n = key(named)
        return int(
            self.world.value(
                "select e.id from core.elements e join core.models m on m.id = e.model_id "
                "where m.name = %s and e.global_id = %s and e.n = %s",
                self.prefix + model, global_id, n,
            )
        )  # fmt: skip

    def link(self, before: str | Thing, after: str | Thing | None, verdict: str = "same") -> None:
        """State that an element became another, and draw the conclusions."""
        elements = [self.element(before)] + ([] if after is None else [self.element(after)])
        self.world.sql(
            "insert into core.links (project_id, from_element, to_element, verdict, method, "
            "confidence) values (1, %s, %s, %s, 'person', 1)",
            elements[0], elements[1] if after is not None else None, verdict,
        )  # fmt: skip
        self.world.sql("select core.refresh_identities(%s)", elements)

    def pair_id(self, text: str) -> int:
        """The id of a pair, which of several that are one."""
        a, b = sorted(self.element(each) for each in pair(text))
        return int(
            self.world.value(
                "select coalesce(identity_id, id) from clash.pairs "
                "where set_id = %s and a_element = %s and b_element = %s",
                self.id, a, b,
            )
        )  # fmt: skip

    def state(self, text: str) -> str:
        """The present state of a pair with its reason: "untested: no geometry"."""
        ((state, reason),) = self.world.sql(
            "select state, reason from clash.pair_states where pair_id = %s", self.pair_id(text)
        )
        return f"{state}: {reason}" if reason else str(state)

    def states(self) -> dict[str, int]:
        """How many pairs are in each state."""
        return dict(
            self.world.sql(
                "select state, count(*) from clash.pair_states where set_id = %s group by 1",
                self.id,
            )
        )

    def differences(self) -> list[tuple[Any, ...]]:
        """What verifying the chain finds."""
        return self.world.sql("select * from clash.verify_chain(%s)", self.id)


def _columns(
    found: list[Clash], refs: Mapping[Thing, int], sides: list[tuple[str, str]]
) -> Columns:
    where = {key: position for position, key in reversed(list(enumerate(sides)))}
    b_letter = "b" if any(side == "b" for side, _ in sides) else "a"
    n = len(found)
    zeros = np.zeros(n)
    return {
        "a": np.array([refs[c.pair[0]] for c in found], np.int32),
        "b": np.array([refs[c.pair[1]] for c in found], np.int32),
        "a_position": np.array([where["a", c.pair[0][0]] for c in found], np.int16),
        "b_position": np.array([where[b_letter, c.pair[1][0]] for c in found], np.int16),
        "kind": np.array([KINDS[c.kind] for c in found], np.uint8),
        "measured": np.full(n, 2, np.uint8),
        "distance": np.array([c.depth for c in found], np.float64),
        **{f"p{i}{axis}": zeros for i in (1, 2) for axis in "xyz"},
        "smart_group": np.array([c.group for c in found], np.int32),
    }
