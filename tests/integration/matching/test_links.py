"""Links from matching to identities, pairs and states: in the database, through the write API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from ifcbase.errors import Conflict, IfcbaseError, LeaseLost, NotFound, RequestInvalid
from ifcbase.ledger import links
from ifcbase.ledger.linking import link_versions
from ifcbase.ledger.postgres import PostgresLedger
from tests.boxes import Box, model
from tests.integration.world import World, coverage, footer, header, sightings, start

COLUMNS = [Box(f"column-{i}", (3.0 * i, 0, 0)) for i in range(4)]
PIPES = [Box(f"pipe-{i}", (3.0 * i, 0.1, 1), (0.1, 5, 0.1), "IfcPipeSegment") for i in range(4)]


def reissued(boxes: list[Box], by: float = 0.0, tag: str = "new") -> list[Box]:
    """The same boxes under other ids, each moved by some metres."""
    return [replace(b, id=f"{tag}-{b.id}", at=(b.at[0] + by, b.at[1] - by, b.at[2])) for b in boxes]


class Runs:
    """Runs of one clash set of two models, columns against pipes, written as a worker does."""

    def __init__(self, world: World, store: PostgresLedger) -> None:
        self.world, self.store = world, store
        self.contents: dict[str, str] = {}

    def version(self, name: str, boxes: list[Box]) -> str:
        """The content that stands for these boxes as a file of the model."""
        return f"{self.world.project} {name} {boxes}"

    def bring(self, models: dict[str, list[Box]]) -> None:
        """A job that brings these models and finds nothing of its own."""
        job = self.world.job({name: self.version(name, found) for name, found in models.items()})
        attempt = start(self.store, job)
        with self.store.writing(attempt.token) as writer:
            for given in attempt.inputs:
                if not given.inventoried:
                    found = models[given.name.removesuffix(".ifc")]
                    writer.inventory(job.versions[given.name], *model(found))
            link_versions(writer)

    def run(
        self, columns: list[Box], pipes: list[Box], clashing: list[tuple[str, str]], **more: Any
    ) -> int:
        """One job on these models that finds these pairs of ids."""
        job = self.world.job(
            {"A": self.version("A", columns), "B": self.version("B", pipes)},
        )
        attempt = start(self.store, job)
        with self.store.writing(attempt.token) as writer:
            for name, boxes in (("A.ifc", columns), ("B.ifc", pipes)):
                writer.inventory(job.versions[name], *model(boxes))
            link_versions(writer)
            result = writer.open_result(
                header(definition={"mode": "intersection", "tolerance": 0.01})
            )
            writer.append_rows(
                result,
                "coverage",
                [
                    coverage(0, "a", "A.ifc", len(columns)),
                    coverage(1, "b", "B.ifc", len(pipes)),
                ],
            )
            ids = [("A.ifc", b.id) for b in columns] + [("B.ifc", b.id) for b in pipes]
            writer.append_rows(
                result,
                "elements",
                [
                    {"ref": i, "input": name, "global_id": id_, "n": 0}
                    for i, (name, id_) in enumerate(ids)
                ],
            )
            pairs = [(ids.index(("A.ifc", a)), ids.index(("B.ifc", b))) for a, b in clashing]
            if pairs:
                writer.append_sightings(result, sightings(pairs))
            finished = writer.finish_result(result, footer(len(pairs), **more))
            writer.finish_job({}, {})
        return finished

    def states(self) -> dict[str, str]:
        """The state of each pair, named by the ids it was first seen with."""
        rows = self.world.sql(
            "select a.global_id, b.global_id, s.state, s.reason from clash.pair_states s"
            " join clash.pairs p on p.id = s.pair_id join core.elements a on a.id = p.a_element"
            " join core.elements b on b.id = p.b_element where s.project_id = %s",
            self.world.project,
        )
        return {
            " x ".join(sorted((a, b))): state + (f": {reason}" if reason else "")
            for a, b, state, reason in rows
        }

    def links(self, verdict: str = "same") -> dict[str, str | None]:
        """The links in force, by GlobalIds."""
        rows = self.world.sql(
            "select a.global_id, b.global_id from core.links_in_force() l"
            " join core.elements a on a.id = l.from_element"
            " left join core.elements b on b.id = l.to_element"
            " where l.project_id = %s and l.verdict = %s",
            self.world.project,
            verdict,
        )
        return dict(rows)

    def doubts(self) -> dict[str, dict[str, Any]]:
        """Open doubts by the old GlobalId."""
        name = self.world.value("select name from core.projects where id = %s", self.world.project)
        found = links.open_doubts(self.world.connection, name)
        return {each["from_global_id"]: each for each in found}

    def settle(self, link: int, **more: Any) -> None:
        name = self.world.value("select name from core.projects where id = %s", self.world.project)
        links.settle(self.world.connection, name, link, **more)

    def verify(self) -> None:
        """Deriving everything again from the sources gives what is stored."""
        for (chain,) in self.world.sql(
            "select id from clash.sets where project_id = %s", self.world.project
        ):
            assert self.world.sql("select * from clash.verify_chain(%s)", chain) == []


@pytest.fixture
def runs(busy: World, store: PostgresLedger) -> Runs:
    return Runs(busy, store)


def clash(*numbers: int, tag: str = "", pipe_tag: str = "") -> list[tuple[str, str]]:
    return [(f"{tag}column-{i}", f"{pipe_tag}pipe-{i}") for i in numbers]


def test_pairs_keep_their_identity_when_all_ids_are_reissued(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, clash(0, 1, 2))
    # Moved by some tenths of a millimetre, so that no hash is equal.
    runs.run(reissued(COLUMNS, 0.0007), PIPES, clash(0, 1, tag="new-"))
    assert runs.links() == {f"column-{i}": f"new-column-{i}" for i in range(4)}
    assert runs.states() == {
        "column-0 x pipe-0": "persisting",
        "column-1 x pipe-1": "persisting",
        "column-2 x pipe-2": "resolved",
    }
    runs.verify()


def test_identity_lasts_over_many_reissued_versions(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, clash(0, 1))
    for number in range(1, 4):
        tag = f"v{number}-"
        columns = [replace(b, id=tag + b.id) for b in COLUMNS]
        pipes = [replace(b, id=tag + b.id) for b in PIPES]
        runs.run(columns, pipes, clash(0, 1, tag=tag, pipe_tag=tag))
    assert runs.states() == {
        "column-0 x pipe-0": "persisting",
        "column-1 x pipe-1": "persisting",
    }
    runs.verify()


def test_the_first_version_is_matched_at_once(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, [])
    rows = runs.world.sql(
        "select matched_at is not null, matched_with from core.model_versions where project_id = %s",
        runs.world.project,
    )
    assert rows == [(True, None), (True, None)]
    assert runs.links() == {}


def test_a_doubtful_element_is_never_removed_until_a_person_says_so(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, clash(0, 1))
    moved = [replace(b, id=f"new-{b.id}", at=(b.at[0] + 0.4, 0, 0)) for b in COLUMNS[:1]]
    runs.run(moved + COLUMNS[1:], PIPES, clash(1))
    assert runs.links() == {}
    assert runs.states()["column-0 x pipe-0"] == "untested: unlinked"
    doubt = runs.doubts()["column-0"]
    assert (doubt["to_global_id"], doubt["pairs"]) == ("new-column-0", 1)
    runs.settle(doubt["id"], same=False, note="a new column")
    assert runs.doubts() == {}
    assert runs.states()["column-0 x pipe-0"] == "removed"
    runs.verify()


def test_one_confirmation_heals_all_pairs_of_an_element(runs: Runs) -> None:
    both = [("column-0", "pipe-0"), ("column-0", "pipe-1")]
    runs.run(COLUMNS, PIPES, both)
    moved = [replace(COLUMNS[0], id="new-column-0", at=(0.4, 0, 0))]
    runs.run(moved + COLUMNS[1:], PIPES, [("new-column-0", "pipe-0"), ("new-column-0", "pipe-1")])
    assert sorted(runs.states().values()) == ["new", "new"] + ["untested: unlinked"] * 2
    runs.settle(runs.doubts()["column-0"]["id"], same=True)
    assert runs.states() == {
        "column-0 x pipe-0": "persisting",
        "column-0 x pipe-1": "persisting",
    }
    assert runs.doubts() == {}
    runs.verify()


def test_a_person_may_name_another_element_than_the_one_proposed(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, clash(0))
    news = [
        replace(COLUMNS[0], id="near", at=(0.4, 0, 0)),
        replace(COLUMNS[0], id="right", at=(0.8, 0, 0)),
    ]
    runs.run(news + COLUMNS[1:], PIPES, [("right", "pipe-0")])
    doubt = runs.doubts()["column-0"]
    assert doubt["to_global_id"] == "near"
    runs.settle(doubt["id"], same=True, to_global_id="right")
    assert runs.links() == {"column-0": "right"}
    assert runs.links("different") == {"column-0": "near"}
    assert runs.states() == {"column-0 x pipe-0": "persisting"}
    assert runs.doubts() == {}
    runs.verify()


def test_a_doubt_without_a_candidate_can_be_rejected(runs: Runs) -> None:
    old = [replace(COLUMNS[0], id="one"), replace(COLUMNS[0], id="two")]  # one over the other
    runs.run(old + COLUMNS[1:], PIPES, [("one", "pipe-0"), ("two", "pipe-0")])
    runs.run([COLUMNS[0], *COLUMNS[1:]], PIPES, [])
    doubts = runs.doubts()
    assert set(doubts) == {"one", "two"}
    open_one = next(d for d in doubts.values() if d["to_element"] is None)
    with pytest.raises(RequestInvalid, match="nobody was proposed"):
        runs.settle(open_one["id"], same=True)
    runs.settle(open_one["id"], same=False)
    name = open_one["from_global_id"]
    assert runs.states()[" x ".join(sorted((name, "pipe-0")))] == "removed"
    other = "two" if name == "one" else "one"
    assert runs.states()[" x ".join(sorted((other, "pipe-0")))] == "untested: unlinked"
    runs.verify()


def test_what_is_gone_is_removed(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, clash(0, 1))
    runs.run(COLUMNS[1:], PIPES, clash(1))
    assert runs.states()["column-0 x pipe-0"] == "removed"
    assert runs.links("doubtful") == {}
    runs.verify()


def test_an_element_that_went_to_another_model_is_the_same(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, clash(0, 1))
    mover = replace(COLUMNS[3], id="column-3")
    runs.run(COLUMNS[:3], [*PIPES, mover], clash(0, 1))
    rows = runs.world.sql(
        "select a.global_id, ma.name, mb.name, l.method from core.links l"
        " join core.elements a on a.id = l.from_element join core.models ma on ma.id = a.model_id"
        " join core.elements b on b.id = l.to_element join core.models mb on mb.id = b.model_id"
        " where l.project_id = %s",
        runs.world.project,
    )
    assert rows == [("column-3", "A", "B", "moved")]
    runs.verify()


MOVER = COLUMNS[3]


def moves(runs: Runs) -> list[tuple[str, str, str, str]]:
    """Statements in force between models: from which, to which, about which, in what words."""
    return [
        tuple(row)
        for row in runs.world.sql(
            "select ma.name, mb.name, a.global_id, l.verdict from core.links_in_force() l"
            " join core.elements a on a.id = l.from_element"
            " join core.models ma on ma.id = a.model_id"
            " join core.elements b on b.id = l.to_element"
            " join core.models mb on mb.id = b.model_id"
            " where l.project_id = %s and ma.id <> mb.id order by 1, 2, 3",
            runs.world.project,
        )
    ]


def test_an_element_that_arrives_with_a_later_job_than_it_left_is_the_same(runs: Runs) -> None:
    """Its pair was removed, and a new one was found."""
    runs.run(COLUMNS, PIPES, [("column-3", "pipe-0")])
    runs.run(COLUMNS[:3], PIPES, [])
    assert runs.states() == {"column-3 x pipe-0": "removed"}  # as far as anybody knows
    runs.run(COLUMNS[:3], [*PIPES, replace(MOVER, id="arrived")], [])
    assert moves(runs) == [("A", "B", "column-3", "same")]
    # While it was on its way it was nowhere, and not gone.
    history = runs.world.sql(
        "select c.state, c.reason from clash.state_changes c join clash.results r"
        " on r.id = c.result_id where c.project_id = %s order by r.accepted",
        runs.world.project,
    )
    assert history[:2] == [("new", None), ("untested", "unlinked")]
    assert "removed" not in {state for state, _ in history}
    runs.verify()


def test_an_element_that_left_after_its_like_arrived_is_doubtful_and_not_removed(
    runs: Runs,
) -> None:
    """For a while both were there: it may be a copy, and a person has to say so."""
    runs.run(COLUMNS, PIPES, [("column-3", "pipe-0")])
    runs.run(COLUMNS, [*PIPES, replace(MOVER, id="arrived")], [("column-3", "pipe-0")])
    runs.run(COLUMNS[:3], [*PIPES, replace(MOVER, id="arrived")], [])
    assert moves(runs) == [("A", "B", "column-3", "doubtful")]
    assert runs.states() == {"column-3 x pipe-0": "untested: unlinked"}
    runs.verify()
    runs.settle(runs.doubts()["column-3"]["id"], same=False)
    assert runs.states() == {"column-3 x pipe-0": "removed"}
    runs.verify()


def test_elements_of_a_model_that_is_split_are_the_same_in_the_new_one(runs: Runs) -> None:
    """All of a first version is new, and nobody looked there for what had moved."""
    runs.run(COLUMNS, PIPES, [("column-3", "pipe-0")])
    runs.bring({"A": COLUMNS[:3], "C": [replace(MOVER, id="arrived")]})
    assert moves(runs) == [("A", "C", "column-3", "same")]
    runs.run(COLUMNS[:3], PIPES, [])
    assert runs.states() == {"column-3 x pipe-0": "untested: model not in the run"}
    runs.verify()


def test_a_model_that_is_split_may_come_in_two_jobs(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, [("column-3", "pipe-0")])
    runs.run(COLUMNS[:3], PIPES, [])
    runs.bring({"C": [replace(MOVER, id="arrived")]})
    assert moves(runs) == [("A", "C", "column-3", "same")]
    assert runs.states() == {"column-3 x pipe-0": "untested: model not in the run"}
    runs.verify()


def test_what_always_stood_in_two_models_has_not_moved_when_one_drops_it(runs: Runs) -> None:
    """Architects and engineers both draw the columns: one of two copies is gone, no more."""
    runs.run(COLUMNS, [*PIPES, replace(MOVER, id="copy")], [("column-3", "pipe-0")])
    runs.run(COLUMNS[:3], [*PIPES, replace(MOVER, id="copy")], [])
    assert moves(runs) == []
    assert runs.states() == {"column-3 x pipe-0": "removed"}
    runs.verify()


def test_what_moved_is_not_taken_from_another_project(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, [("column-3", "pipe-0")])
    runs.run(COLUMNS[:3], PIPES, [])
    other = runs.world.value(
        "insert into core.projects (name) values (%s) returning id", f"o{runs.world.project}"
    )
    here, runs.world.project = runs.world.project, other
    runs.bring({"B": PIPES})
    runs.bring({"B": [*PIPES, replace(MOVER, id="arrived")]})
    runs.world.project = here
    assert moves(runs) == []


def late(world: World, store: PostgresLedger, order: list[int]) -> Runs:
    """Three versions of the columns, described in an order other than that of their numbers."""
    runs = Runs(world, store)
    versions = [
        COLUMNS,
        reissued(COLUMNS, 0.0007, "b"),
        reissued(reissued(COLUMNS, 0.0007, "b")[:3], 0.0007, "c"),
    ]
    jobs = [world.job({"A": runs.version("A", boxes)}) for boxes in versions]
    for number in order:
        attempt = start(store, jobs[number])
        with store.writing(attempt.token) as writer:
            writer.inventory(jobs[number].versions["A.ifc"], *model(versions[number]))
            link_versions(writer)
    return runs


@pytest.mark.parametrize("order", [[0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1], [1, 0, 2]])
def test_versions_in_any_order_give_the_same_links(
    busy: World, store: PostgresLedger, order: list[int]
) -> None:
    found = late(busy, store, order)
    assert found.links() == {
        **{f"column-{i}": f"b-column-{i}" for i in range(4)},
        **{f"b-column-{i}": f"c-b-column-{i}" for i in range(3)},
    }
    assert found.doubts() == {}
    with_previous = busy.sql(
        "select v.number, w.number from core.model_versions v"
        " left join core.model_versions w on w.id = v.matched_with"
        " where v.project_id = %s order by 1",
        busy.project,
    )
    assert with_previous == [(1, None), (2, 1), (3, 2)]


def test_matching_twice_states_nothing_twice(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, clash(0))
    columns = reissued(COLUMNS, 0.0007)
    runs.run(columns, PIPES, clash(0, tag="new-"))
    count = "select count(*) from core.links where project_id = %s"
    before = runs.world.value(count, runs.world.project)
    runs.world.sql(
        "update core.model_versions set matched_at = null, matched_with = null where project_id = %s",
        runs.world.project,
    )
    runs.run(columns, PIPES, clash(0, tag="new-"))
    assert runs.world.value(count, runs.world.project) == before == 4
    runs.verify()


def test_matching_never_overrules_a_person(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, clash(0))
    columns = reissued(COLUMNS)
    runs.run(columns, PIPES, clash(0, tag="new-"))
    (old, new) = runs.world.sql(
        "select from_element, to_element from core.links l join core.elements e"
        " on e.id = l.from_element where e.global_id = 'column-0' and l.project_id = %s",
        runs.world.project,
    )[0]
    runs.world.sql("select core.state_link(%s, %s, 'different', 'replaced')", old, new)
    assert runs.states()["column-0 x pipe-0"] == "removed"
    runs.world.sql(
        "update core.model_versions set matched_at = null where project_id = %s", runs.world.project
    )
    runs.run(columns, PIPES, clash(0, tag="new-"))
    assert "column-0" not in runs.links()
    runs.verify()


def test_two_elements_of_one_version_are_never_one(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, clash(0))
    ids = [
        row[0]
        for row in runs.world.sql(
            "select id from core.elements where project_id = %s and global_id like 'column-%%'"
            " order by id",
            runs.world.project,
        )
    ]
    with pytest.raises(Exception, match="two things"):
        runs.world.sql("select core.state_link(%s, %s, 'same')", ids[0], ids[1])


def test_settling_what_is_not_open_is_refused(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, clash(0))
    with pytest.raises(NotFound, match="no open doubtful link"):
        runs.settle(10**9, same=True)


def test_statements_must_be_about_the_versions_of_the_job(
    busy: World, store: PostgresLedger
) -> None:
    stranger = Runs(busy, store)
    stranger.run(COLUMNS, PIPES, [])
    foreign = busy.value("select min(id) from core.elements where project_id = %s", busy.project)
    job = busy.job({"C": stranger.version("C", COLUMNS)})
    attempt = start(store, job)
    with store.writing(attempt.token) as writer:
        writer.inventory(job.versions["C.ifc"], *model(COLUMNS))
        (due,) = writer.matching_due()
    row = {"from": foreign, "to": None, "verdict": "doubtful", "method": "nearest", "confidence": 0}
    for links_, error in (
        ([row], RequestInvalid),
        ([{**row, "from": 10**12}], RequestInvalid),
    ):
        with pytest.raises(error), store.writing(attempt.token) as writer:
            writer.store_links(due, links_)
    with pytest.raises(Conflict, match="came in between"), store.writing(attempt.token) as writer:
        writer.store_links(replace(due, previous=due.version), [])
    other = busy.value(
        "select min(id) from core.model_versions where project_id = %s", busy.project
    )
    with pytest.raises(IfcbaseError), store.writing(attempt.token) as writer:
        writer.unmatched(other)
    busy.lapse(attempt.token)
    busy.reap()
    with pytest.raises(LeaseLost), store.writing(attempt.token) as writer:
        writer.matching_due()


def test_an_inventory_without_signatures_is_matched_by_ids_and_doubted_else(
    busy: World, store: PostgresLedger
) -> None:
    runs = Runs(busy, store)
    for boxes in (COLUMNS, reissued(COLUMNS[:1]) + COLUMNS[1:]):
        job = busy.job({"A": runs.version("A", boxes)})
        attempt = start(store, job)
        with store.writing(attempt.token) as writer:
            writer.inventory(job.versions["A.ifc"], model(boxes)[0])
            link_versions(writer)
    assert runs.links() == {}
    assert set(runs.links("doubtful")) == {"column-0"}


def test_a_late_matching_settles_what_results_could_not_say(runs: Runs) -> None:
    """Results stored before a version was matched say "unlinked"; matching it later heals them."""
    runs.run(COLUMNS, PIPES, clash(0, 1))
    runs.run(COLUMNS[1:], PIPES, clash(1))
    runs.world.sql(
        "update core.model_versions set matched_at = null where project_id = %s and number = 2",
        runs.world.project,
    )
    assert runs.states()["column-0 x pipe-0"] == "untested: unlinked"
    job = runs.world.job({"A": runs.version("A", COLUMNS[1:])})
    attempt = start(runs.store, job)
    with runs.store.writing(attempt.token) as writer:
        link_versions(writer)
    assert runs.states()["column-0 x pipe-0"] == "removed"
    runs.verify()


def test_content_keeps_its_row_while_an_element_looks_the_same(runs: Runs) -> None:
    runs.run(COLUMNS, PIPES, [])
    heavier = [replace(COLUMNS[0], size=(0.4, 0.3, 3)), *COLUMNS[1:]]
    runs.run(heavier, PIPES, [])
    rows = runs.world.sql(
        "select e.global_id, c.first_number, c.last_number, (c.signature).volume::numeric(6, 3)::text"
        " from core.content c join core.elements e on e.id = c.element_id"
        " where c.project_id = %s and e.global_id like 'column-%%' order by 1, 2",
        runs.world.project,
    )
    assert rows == [
        ("column-0", 1, 1, "0.270"),
        ("column-0", 2, None, "0.360"),
        ("column-1", 1, None, "0.270"),
        ("column-2", 1, None, "0.270"),
        ("column-3", 1, None, "0.270"),
    ]


def test_rows_of_an_inventory_may_come_as_json(busy: World, store: PostgresLedger) -> None:
    job = busy.job({"A": "json"})
    attempt = start(store, job)
    rows = [
        {
            "global_id": "g", "n": 0, "ifc_class": "IfcWall", "physical": True,
            "has_representation": True,
            "signature": {"cx": 1.5, "volume": 2, "content": -(2**62), "vertices": 8},
        }
    ]  # fmt: skip
    busy.sql(
        "select public.append_inventory(%s, %s, %s)",
        attempt.token, job.versions["A.ifc"], Jsonb(rows),
    )  # fmt: skip
    busy.sql(
        "select public.finish_inventory(%s, %s, '{\"elements\": 1}')",
        attempt.token, job.versions["A.ifc"],
    )  # fmt: skip
    found = busy.sql(
        "select (signature).cx, (signature).px, (signature).content from core.content"
        " where project_id = %s",
        busy.project,
    )
    assert found == [(1.5, None, -(2**62))]


@pytest.mark.parametrize(
    ("old", "new", "version"), [(0, 9, None), (9, 0, None), (9, None, None), (0, 1, 9)]
)
def test_a_link_names_what_exists(
    busy: World, store: PostgresLedger, old: int, new: int | None, version: int | None
) -> None:
    """Elements and version are looked up for all rows at once, no longer for each by a reference."""
    Runs(busy, store).run(COLUMNS, PIPES, [])
    known = busy.sql("select id from core.elements where project_id = %s", busy.project)

    def element(i: int | None) -> int | None:
        return None if i is None else 2**62 if i == 9 else known[i][0]

    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        busy.sql(
            "insert into core.links (project_id, from_element, to_element, model_version_id, verdict,"
            " method, confidence) values (%s, %s, %s, %s, 'different', 'person', 1)",
            busy.project, element(old), element(new), None if version is None else 2**62,
        )  # fmt: skip
