"""Old results are thinned, never forgotten: states, counts and decisions still follow from what stays."""

from __future__ import annotations

import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ifcbase.errors import FileMissing, Thinned
from ifcbase.files.local import LocalFiles
from ifcbase.ledger import chains, operations
from ifcbase.ledger.connect import translated
from tests.integration.ledger.chains import Chain, Clash, pair
from tests.integration.world import World

ONE, TWO, THREE = "arc/w1 mep/p1", "arc/w2 mep/p2", "arc/w3 mep/p3"


def age(world: World, days: int = 400) -> None:
    """Everything is from long ago."""
    for room in ("clash", "tester", "diff", "conversion"):
        world.sql(f"update {room}.results set finished_at = finished_at - interval '{days} days'")


def thin(world: World, keep: int = 1, batch: int = 3) -> list[int]:
    found: list[int] = []
    while rows := world.sql("select * from core.thin('180 days', %s, %s)", keep, batch):
        assert len(rows) <= batch
        found += [row[1] for row in rows]
    return found


def states(world: World) -> list[Any]:
    return [
        world.sql("select * from clash.state_changes order by result_id, pair_id"),
        world.sql("select * from clash.state_counts order by result_id, state, reason"),
        world.sql("select * from clash.pair_states order by pair_id"),
        world.sql("select * from core.decisions order by id"),
        world.sql("select id, clash_count, verdict, coverage from clash.results order by id"),
    ]


def verified(chain: Chain) -> None:
    for (each,) in chain.world.sql("select id from clash.sets"):
        assert chains.verify(chain.world.connection, each) == []


@pytest.fixture
def long_chain(chain: Chain) -> Chain:
    """Eight results: pairs come, go, come back, are not tested."""
    draw = random.Random(7)  # noqa: S311 - the same chain each time
    for _ in range(8):
        clashes = [each for each in (ONE, TWO, THREE) if draw.random() < 0.6]
        failed = frozenset({("arc", "w1")}) if draw.random() < 0.4 else frozenset()
        chain.run([c for c in clashes if not (failed and c == ONE)], failed=failed)
    chain.run([ONE])
    pair_id = chain.world.value("select min(id) from clash.pairs")
    chain.world.sql(
        "insert into core.decisions (project_id, finding_id, action, comment)"
        " values (1, %s, 'comment', 'seen')", pair_id,
    )  # fmt: skip
    return chain


def test_states_counts_and_decisions_stay_and_verify_agrees(long_chain: Chain) -> None:
    world = long_chain.world
    before = states(world)
    age(world)
    latest = world.value("select max(id) from clash.results")
    sightings = world.value("select count(*) from clash.sightings")
    thinned = thin(world)
    assert latest not in thinned
    assert len(thinned) == world.value("select count(*) from clash.results") - 1
    # The last time each pair was seen is still known in full.
    assert 0 < world.value("select count(*) from clash.sightings") < sightings
    assert world.sql(
        "select count(*) from clash.pair_states t where not exists (select from clash.sightings s"
        " where s.pair_id = t.pair_id and s.result_id = t.last_seen)"
    ) == [(0,)]
    assert states(world) == before
    verified(long_chain)
    assert states(world) == before
    assert thin(world) == []


def test_the_chain_goes_on_after_thinning(long_chain: Chain) -> None:
    world = long_chain.world
    age(world)
    thin(world)
    result = long_chain.run([TWO, Clash(pair(THREE), 0.05)])
    found: dict[str, str] = dict(
        world.sql(
            "select e.global_id, t.state from clash.pair_states t join clash.pairs p on p.id = t.pair_id"
            " join core.elements e on e.id = p.a_element where t.set_id = (select set_id from"
            " clash.results where id = %s)", result,
        )
    )  # fmt: skip
    assert found["w1"] == "resolved"
    assert found["w2"] in {"reopened", "persisting"}
    verified(long_chain)


def test_a_late_result_before_thinned_ones_takes_its_place(chain: Chain) -> None:
    world = chain.world
    chain.run([ONE])
    late = chain.accept()
    chain.run([TWO])
    chain.run([ONE, THREE])
    age(world)
    thin(world)
    chain.finish(late, [ONE, TWO])
    verified(chain)
    (state,) = world.sql(
        "select t.state from clash.pair_states t join clash.pairs p on p.id = t.pair_id"
        " join core.elements e on e.id = p.a_element where e.global_id = 'w2'"
    )
    assert state == ("resolved",)


def test_a_thinned_result_is_never_shown_as_if_it_were_empty(long_chain: Chain) -> None:
    world = long_chain.world
    age(world)
    first = min(thin(world))
    latest = world.value("select max(id) from clash.results")
    assert world.value("select clash_data from public.clash_results where id = %s", first) is None
    assert world.value("select clash_data from public.clash_results where id = %s", latest)
    for call in (
        "select * from clash.compare(%s, %s)", "select * from clash.plan_tolerance(%s, 0.01 * %s)",
    ):  # fmt: skip
        with pytest.raises(Thinned, match="thinned"), translated():
            world.sql(call, first, latest)


def test_nothing_recent_and_nothing_latest_is_thinned(long_chain: Chain) -> None:
    world = long_chain.world
    assert world.sql("select * from core.thinnable('180 days')") == []
    age(world)
    everything = world.value("select count(*) from clash.results")
    preview = world.sql("select result_id from core.thinnable('180 days', 3)")
    assert len(preview) == everything - 3
    assert world.value("select count(*) from clash.results where thinned_at is not null") == 0
    # Even who asks to keep none keeps the latest.
    assert len(world.sql("select * from core.thinnable('180 days', 0)")) == everything - 1


def test_two_at_once_do_not_thin_twice(long_chain: Chain) -> None:
    world = long_chain.world
    age(world)
    with psycopg.connect(world.dsn) as other:
        assert len(other.execute("select * from core.thin('180 days', 1, 2)").fetchall()) == 2
        assert world.sql("select * from core.thin('180 days', 1, 2)") == []
    assert len(world.sql("select * from core.thin('180 days', 1, 2)")) == 2


def test_what_was_uploaded_or_linked_is_not_let_go_with_the_job_that_made_the_same(
    long_chain: Chain,
) -> None:
    world = long_chain.world
    (job, *_) = [str(row[0]) for row in world.sql("select job_id from clash.results order by id")]
    digests = {name: letter * 64 for name, letter in (("up", "1"), ("link", "2"), ("old", "3"))}
    for name, digest in digests.items():
        world.sql("select core.add_file(1, %s, 5, 'out.json')", digest)
        world.sql(
            "insert into core.job_outputs (job_id, name, project_id, attempt_id, sha256)"
            " select %s, %s, 1, id, %s from core.attempts where job_id = %s",
            job, name, digest, job,
        )  # fmt: skip
    world.sql("select core.note_upload(1, 'uploads/out.json', %s, 5)", digests["up"])
    for name, ends in (("link", "1 h"), ("old", "-1 h")):
        world.sql(
            "insert into core.download_links (hash, project_id, sha256, name, expires_at)"
            " values (%s, 1, %s, 'out.json', now() + %s::interval)",
            digests[name], digests[name], ends,
        )  # fmt: skip
    age(world)
    thin(world)
    unwanted = world.sql("select sha256 from core.files where unwanted_at is not null")
    assert unwanted == [(digests["old"],)]


def test_files_of_thinned_jobs_are_let_go_unless_somebody_needs_them(long_chain: Chain) -> None:
    world = long_chain.world
    jobs = [str(row[0]) for row in world.sql("select job_id from clash.results order by id")]
    for number, job in enumerate(jobs):
        shared, own = "a" * 64, f"{number:064x}"
        for digest in (shared, own):
            world.sql("select core.add_file(1, %s, 5, 'out.json')", digest)
            world.sql(
                "insert into core.job_outputs (job_id, name, project_id, attempt_id, sha256)"
                " select %s, %s, 1, id, %s from core.attempts where job_id = %s",
                job, digest[:3], digest, job,
            )  # fmt: skip
    age(world)
    thin(world)
    unwanted = {
        row[0] for row in world.sql("select sha256 from core.files where unwanted_at is not null")
    }
    # The latest result has one of its own, and the shared one.
    assert unwanted == {f"{number:064x}" for number in range(len(jobs) - 1)}
    # Whoever brings the same bytes again wants them.
    world.sql("select core.add_file(1, %s, 5, 'again.json')", f"{0:064x}")
    assert world.value("select unwanted_at is null from core.files where sha256 = %s", f"{0:064x}")


def test_pairs_that_are_taken_apart_again_still_know_how_deep_they_were(chain: Chain) -> None:
    world = chain.world
    chain.run([Clash(pair(ONE), 0.3)])
    chain.revise("arc", ["w9", "w2", "w3"])
    chain.run(["arc/w9 mep/p1"])
    chain.link("arc/w1", "arc/w9")
    chain.run(["arc/w9 mep/p1"])
    age(world)
    assert len(thin(world)) == 2
    verified(chain)
    chain.link("arc/w1", "arc/w9", "different")
    verified(chain)
    deep = world.sql("select l.distance from clash.sets s, clash.last_contacts(s.id) l order by 1")
    assert deep == [(pytest.approx(0.02),), (pytest.approx(0.3),)]


def test_a_part_of_a_thinned_result_is_not_counted_as_all_of_it(long_chain: Chain) -> None:
    world = long_chain.world
    age(world)
    first = min(thin(world))
    latest = world.value("select max(id) from clash.results")
    for call in (
        "select * from clash.grouping(%s)",
        "select * from core.rule_outcomes(%s, '{}')",
    ):
        world.sql(call, latest)
        with pytest.raises(Thinned, match="thinned"), translated():
            world.sql(call, first)


def test_bytes_that_somebody_uploads_while_they_are_let_go_stay(
    long_chain: Chain, tmp_path: Path
) -> None:
    world, files = long_chain.world, LocalFiles(tmp_path / "files")
    project = world.value("select name from core.projects where id = 1")
    made = tmp_path / "made"
    stored = []
    for number in range(2):
        made.write_bytes(b"report %d" % number)
        stored.append(files.put(project, made))
        path = files.fetch(project, stored[-1].sha256)
        os.utime(path, (1, 1))
        world.sql("select core.add_file(1, %s, 8, 'o')", stored[-1].sha256)
    world.sql("update core.files set unwanted_at = clock_timestamp() - interval '1 hour'"
              " where sha256 = any(%s)", [each.sha256 for each in stored])  # fmt: skip
    # One is uploaded again just now and not noted yet; one was noted while retention looked.
    made.write_bytes(b"report 0")
    files.adopt(project, made, stored[0])
    world.sql("insert into core.uploads (project_id, path, sha256) values (1, 'uploads/o', %s)",
              stored[1].sha256)  # fmt: skip
    operations.remove_unwanted(world.connection, files)
    for each in stored:
        assert files.fetch(project, each.sha256).is_file()


def test_a_file_that_is_also_an_upload_is_not_let_go(long_chain: Chain) -> None:
    world = long_chain.world
    job = world.value("select min(job_id::text) from clash.results")
    for digest in ("a" * 64, "b" * 64):
        world.sql("select core.add_file(1, %s, 5, 'out.json')", digest)
        world.sql(
            "insert into core.job_outputs (job_id, name, project_id, attempt_id, sha256)"
            " select %s, %s, 1, id, %s from core.attempts where job_id = %s",
            job, digest[:3], digest, job,
        )  # fmt: skip
    world.sql(
        "insert into core.uploads (project_id, path, sha256) values (1, 'uploads/o', %s)", "a" * 64
    )
    world.sql("update clash.results set thinned_at = now() where job_id = %s", job)
    assert world.value("select core.let_go_of_files(array[%s::uuid])", job) == 1
    assert world.sql("select sha256 from core.files where unwanted_at is not null") == [("b" * 64,)]


@pytest.mark.parametrize("apart_s", [-86_400.0, 86_400.0])
def test_a_machine_whose_clock_is_a_day_off_removes_what_is_old_and_nothing_else(
    long_chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart_s: float
) -> None:
    """Files are stamped by another clock than the ledger's: a slow one made bytes that had just come
    again look older than the moment they were let go, and they were removed."""
    world, files = long_chain.world, LocalFiles(tmp_path / "files")
    project = world.value("select name from core.projects where id = 1")
    made = tmp_path / "made"
    hashes = {}
    for name, age_s in (("old", 7200.0), ("came again", 60.0)):
        made.write_text(name)
        hashes[name] = files.put(project, made).sha256
        world.sql("select core.add_file(1, %s, 8, 'o')", hashes[name])
        stamp = time.time() + apart_s - age_s
        os.utime(files.fetch(project, hashes[name]), (stamp, stamp))
    world.sql("update core.files set unwanted_at = clock_timestamp() - interval '1 hour'"
              " where sha256 = any(%s)", list(hashes.values()))  # fmt: skip
    real = tempfile.NamedTemporaryFile

    def stamped(**given: Any) -> Any:
        found = real(**given)
        os.utime(found.fileno(), (time.time() + apart_s,) * 2)
        return found

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", stamped)
    assert operations.remove_unwanted(world.connection, files) == 1
    assert files.fetch(project, hashes["came again"]).read_text() == "came again"
    with pytest.raises(FileMissing):
        files.fetch(project, hashes["old"])
    assert world.sql("select sha256 from core.files where removed_at is not null") == [
        (hashes["old"],)
    ]
    left = [each for each in files.folder.rglob(".*") if each.is_file()]
    assert left == [], "no file to read the clock stays"
