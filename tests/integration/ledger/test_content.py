"""Content ranges: whatever order versions are inventoried in, each says what its elements were."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.world import Job, World, element, inventory, start

#: What a version holds: the name of each element by its GlobalId and n.
Truth = dict[tuple[str, int], str]
KEYS = [("a", 0), ("a", 1), ("b", 0), ("c", 0)]
NAMES = ["", "one", "two"]


@dataclass(frozen=True)
class Story:
    """Versions of two models and the order in which they are inventoried."""

    versions: dict[str, list[Truth]]
    order: list[tuple[str, int]]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    content = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(NAMES), max_size=4)
    versions = {
        "A": draw(st.lists(content, min_size=1, max_size=6)),
        "B": draw(st.lists(content, min_size=0, max_size=2)),
    }
    every = [(model, i) for model, found in versions.items() for i in range(len(found))]
    return Story(versions, draw(st.permutations(every)))


def write(store: PostgresLedger, job: Job, model: str, truth: Truth) -> None:
    elements = [element(g, n=n, name=name or None) for (g, n), name in truth.items()]
    attempt = start(store, job)
    with store.writing(attempt.token) as writer:
        writer.inventory(job.versions[f"{model}.ifc"], inventory(elements))


def stored(world: World, version: int) -> Truth:
    """The content at a version, and a failure if an element has two."""
    rows = world.sql(
        """select e.global_id, e.n, coalesce(c.name, '') from core.model_versions v
             join core.content c on c.model_id = v.model_id and c.first_number <= v.number
              and (c.last_number is null or c.last_number >= v.number)
             join core.elements e on e.id = c.element_id and e.model_id = v.model_id
            where v.id = %s""",
        version,
    )
    found = {(g, n): name for g, n, name in rows}
    assert len(found) == len(rows), "ranges of one element overlap"
    return found


def fewest_rows(versions: list[Truth], known: list[int]) -> int:
    """How many ranges describe the known versions if each is as long as it can be."""
    count = 0
    for key in KEYS:
        before = None
        for i in sorted(known):
            now = versions[i].get(key)
            count += now is not None and now != before
            before = now
    return count


def check(
    world: World, story: Story, ids: dict[str, list[int]], known: list[tuple[str, int]]
) -> None:
    for model, i in known:
        assert stored(world, ids[model][i]) == story.versions[model][i], f"{model} version {i + 1}"
    rows = world.sql(
        """select m.name, c.first_number, c.last_number from core.content c
             join core.models m on m.id = c.model_id where c.project_id = %s""",
        world.project,
    )
    for model, versions in story.versions.items():
        numbers = [i + 1 for m, i in known if m == model]
        mine = [row for row in rows if row[0] == model]
        assert len(mine) == fewest_rows(versions, [n - 1 for n in numbers]), "ranges are merged"
        for _, first, last in mine:
            assert first in numbers, "a range begins at a version somebody has seen"
            assert last is None or last in numbers
            assert last is None or last < max(numbers), "what still holds has no end"


@given(stories())
@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_version_keeps_its_content_in_any_order(
    busy: World, store: PostgresLedger, story: Story
) -> None:
    busy.project = busy.value(
        "insert into core.projects (name) values (%s) returning id", f"p{secrets.token_hex(6)}"
    )
    jobs = {
        model: [busy.job({model: f"{model}{i}"}) for i in range(len(found))]
        for model, found in story.versions.items()
    }
    ids = {model: [job.versions[f"{model}.ifc"] for job in found] for model, found in jobs.items()}
    known: list[tuple[str, int]] = []
    for model, i in story.order:
        write(store, jobs[model][i], model, story.versions[model][i])
        known.append((model, i))
        check(busy, story, ids, known)


def test_a_later_version_between_two_equal_ones_splits_their_range(
    any_busy: World, any_store: PostgresLedger
) -> None:
    story = Story({"A": [{("a", 0): "one"}, {("a", 0): "two"}, {}, {("a", 0): "one"}]}, [])
    jobs = [any_busy.job({"A": str(i)}) for i in range(4)]
    ids = {"A": [job.versions["A.ifc"] for job in jobs]}
    known: list[tuple[str, int]] = []
    for i in (0, 3, 2, 1):
        write(any_store, jobs[i], "A", story.versions["A"][i])
        known.append(("A", i))
        check(any_busy, story, ids, known)
    rows = any_busy.sql(
        "select name, first_number, last_number from core.content where project_id = %s order by 2",
        any_busy.project,
    )
    assert rows == [("one", 1, 1), ("two", 2, 2), ("one", 4, None)]


def test_versions_of_one_model_inventoried_at_once(busy: World) -> None:
    """They wait for each other; the ranges are as if one had come after the other."""
    versions: list[Truth] = [
        {key: NAMES[(i + j) % 3] for j, key in enumerate(KEYS) if (i + j) % 4} for i in range(6)
    ]
    jobs = [busy.job({"A": str(i)}) for i in range(6)]
    ready = threading.Barrier(6)

    def run(i: int) -> None:
        store = PostgresLedger(busy.dsn)
        try:
            ready.wait(30)
            write(store, jobs[i], "A", versions[i])
        finally:
            store.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, range(6)))
    ids = {"A": [job.versions["A.ifc"] for job in jobs]}
    check(busy, Story({"A": versions}, []), ids, [("A", i) for i in range(6)])


def test_two_jobs_describing_one_version_describe_it_once(
    busy: World, store: PostgresLedger
) -> None:
    first, second = busy.job({"A": "same"}), busy.job({"A": "same"})
    assert first.versions == second.versions
    write(store, first, "A", {("a", 0): "one"})
    write(store, second, "A", {("b", 0): "another reading"})
    assert stored(busy, first.versions["A.ifc"]) == {("a", 0): "one"}
    assert busy.value(
        "select count(*) from core.incoming_elements i join core.attempts a on a.id = i.attempt_id "
        "where a.project_id = %s", busy.project,
    ) == 0  # fmt: skip


def test_the_same_file_may_return_as_a_later_version(busy: World, store: PostgresLedger) -> None:
    contents = ["old", "new", "old"]
    jobs = [busy.job({"A": content}) for content in contents]
    numbers = [
        busy.value("select number from core.model_versions where id = %s", job.versions["A.ifc"])
        for job in jobs
    ]
    assert numbers == [1, 2, 3]
    assert busy.job({"A": "old"}).versions == jobs[2].versions, (
        "the latest bytes again are no version"
    )
    for job, name in zip(jobs, ["one", "two", "one"], strict=True):
        write(store, job, "A", {("a", 0): name})
    assert [stored(busy, job.versions["A.ifc"]) for job in jobs] == [
        {("a", 0): "one"}, {("a", 0): "two"}, {("a", 0): "one"},
    ]  # fmt: skip
