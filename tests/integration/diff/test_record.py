"""Diffs through the doors of the ledger: rows, lasting findings and what becomes of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ifcbase.diff.record import record
from ifcbase.diff.run import run
from ifcbase.errors import ReportInvalid, RequestInvalid
from ifcbase.files.local import LocalFiles
from ifcbase.jobs.engine import Connection
from ifcbase.jobs.submit import Given, submit
from ifcbase.ledger.postgres import PostgresLedger
from ifcbase.settings import Settings
from tests.integration.world import World
from tests.unit.diff import house as building
from tests.unit.diff.house import House, guid, house


class NoQueue:
    """Delivers to nobody: the test takes the jobs itself."""

    def deliver(self, connection: Connection, queue: str, job_id: str) -> None: ...

    def committed(self, connection: Connection) -> None: ...


@dataclass
class Desk:
    """Accepts diffs of files in a folder and does them."""

    world: World
    store: PostgresLedger
    folder: Path
    settings: Settings = field(default_factory=Settings)
    count: int = 0

    @property
    def project(self) -> str:
        return str(
            self.world.value("select name from core.projects where id = %s", self.world.project)
        )

    def file(self, name: str, made: House) -> Path:
        path = self.folder / name / "House.ifc"
        path.parent.mkdir(exist_ok=True)
        return made.write(path)

    def accept(self, old: Path, new: Path, *, model: str | None = None, **asked: Any) -> str:
        """Accept a diff; gives the job."""
        request = {"old_file": "old.ifc", "new_file": "new.ifc", **asked}
        given = {"old.ifc": Given(old, model), "new.ifc": Given(new, model)}
        return submit(
            self.world.connection, NoQueue(), LocalFiles(self.folder / "store"), self.settings,  # type: ignore[arg-type]
            "diff", request, given, project=self.project,
        ).job_id  # fmt: skip

    def do(self, job: str) -> int:
        """Compute and record a job; gives its result."""
        attempt = self.store.start_attempt(job, worker="w", host="h", lease_s=60.0)
        assert attempt is not None
        self.count += 1
        output = self.folder / f"output-{self.count}"
        output.mkdir()
        files = LocalFiles(self.folder / "store")
        inputs = {i.name: str(files.fetch(self.project, i.sha256)) for i in attempt.inputs}
        run(attempt.request, inputs, output)
        with self.store.writing(attempt.token) as writer:
            outcome = record(writer, attempt, output, files)
            writer.finish_job(outcome, {})
        return int(outcome["db_id"])

    def diff(self, old: Path, new: Path, **asked: Any) -> int:
        return self.do(self.accept(old, new, **asked))

    def states(self) -> dict[tuple[str, str], tuple[str, str | None]]:
        """(GlobalId, facet) to state and reason of every finding, by the first id of its element."""
        return {
            (a, b): (c, d)
            for a, b, c, d in self.world.sql(
                "select e.global_id, f.facet, t.state, t.reason from diff.finding_states t"
                " join diff.findings f on f.id = t.finding_id"
                " left join core.identities i on i.element_id = f.element_id"
                " join core.elements e on e.id = coalesce(i.root_id, f.element_id)"
                " where t.project_id = %s",
                self.world.project,
            )
        }

    def verified(self) -> None:
        for (series,) in self.world.sql("select id from diff.series"):
            assert self.world.sql("select * from diff.verify_series(%s)", series) == []


@pytest.fixture
def desk(busy: World, store: PostgresLedger, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(busy, store, tmp_path)
    yield made
    made.verified()


WALL = {i: guid(1000 + i) for i in range(8)}


def edited(*edits: tuple[building.Edit, int]) -> House:
    made = house(4)
    for edit, i in edits:
        edit(made, i)
    return made


def test_a_diff_is_stored_with_its_rows_and_read_as_clients_do(desk: Desk) -> None:
    old = desk.file("a", house(4))
    new = desk.file("b", edited((building.marked, 0), (building.moved, 0), (building.deleted, 1),
                                (building.added, 2)))  # fmt: skip
    result = desk.diff(old, new)
    (row,) = desk.world.sql(
        "select old_file, new_file, diff_count, verdict, coverage, diff_data from public.diff_results"
        " where id = %s", result,
    )  # fmt: skip
    assert row[:5] == ("old.ifc", "new.ifc", 3, "changed", 1.0)
    assert row[5]["added"] == [guid(14002)]
    assert row[5]["deleted"] == [WALL[1]]
    assert row[5]["changed"] == {
        WALL[0]: {
            "properties_changed": True, "placement_changed": True, "geometry_changed": True,
        }
    }  # fmt: skip
    assert row[5]["summary"]["changed"] == 1
    rows = desk.world.sql(
        "select e.global_id, f.facet, c.before, c.after from diff.changes c"
        " join diff.findings f on f.id = c.finding_id join core.elements e on e.id = c.element_id"
        " where c.result_id = %s order by 1, 2", result,
    )  # fmt: skip
    assert {(r[0], r[1]) for r in rows} == {
        (WALL[0], "property"), (WALL[0], "placement"), (WALL[1], "deleted"), (guid(14002), "added"),
    }  # fmt: skip
    told = {r[1]: (r[2], r[3]) for r in rows}
    assert told["property"] == ({"Own.Mark": "M0"}, {"Own.Mark": "changed"})
    assert told["placement"][1]["moved_by"] == [0.0, 0.003, 0.0]
    (churn,) = desk.world.sql(
        "select series, old_number, new_number, added, deleted, changed, unchanged, reidentified,"
        " doubtful, share from diff.churn where result_id = %s", result,
    )  # fmt: skip
    # Unchanged: two walls, two storeys.
    assert churn == ("House", 1, 2, 1, 1, 1, 4, 0, 0, 3 / 7)


def test_findings_are_read_over_all_checks(desk: Desk) -> None:
    old = desk.file("a", house(4))
    new = desk.file("b", edited((building.marked, 0), (building.moved, 1), (building.deleted, 2)))
    desk.diff(old, new)
    found = desk.world.sql(
        "select title, state, review, series, model, class, storey, global_id, check_name"
        " from core.all_findings where project_id = %s order by title", desk.world.project,
    )  # fmt: skip
    rest = ("new", "open", "House", "House", "IfcWall", "Level 0")
    assert found == [
        ('Wall "Wall 0": Own.Mark changed', *rest, WALL[0], "diff"),
        ('Wall "Wall 1" moved by 3 mm', *rest, WALL[1], "diff"),
        ('Wall "Wall 2" was deleted', *rest, WALL[2], "diff"),
    ]


def test_a_later_step_says_nothing_about_an_earlier_change(desk: Desk) -> None:
    a, b = desk.file("a", house(4)), desk.file("b", edited((building.marked, 0)))
    c = desk.file("c", edited((building.marked, 0), (building.moved, 1)))
    desk.diff(a, b)
    desk.diff(b, c)
    assert desk.states() == {
        (WALL[0], "property"): ("new", None),
        (WALL[1], "placement"): ("new", None),
    }
    # Compared from the beginning, both are still there.
    desk.diff(a, c)
    assert {state for state, _ in desk.states().values()} == {"persisting"}


def test_a_change_that_was_taken_back_is_resolved_by_a_comparison_that_spans_it(desk: Desk) -> None:
    a, b = (
        desk.file("a", house(4)),
        desk.file("b", edited((building.marked, 0), (building.moved, 1))),
    )
    back = edited((building.moved, 1), (building.renamed, 2))
    c = desk.file("c", back)
    desk.diff(a, b)
    desk.diff(a, c)
    assert desk.states() == {
        (WALL[0], "property"): ("resolved", None),
        (WALL[1], "placement"): ("persisting", None),
        (WALL[2], "attributes"): ("new", None),
    }


def test_what_changes_again_is_open_again(desk: Desk) -> None:
    made = edited((building.moved, 0))
    a, b = desk.file("a", house(4)), desk.file("b", made)
    building.moved(made, 0)
    c = desk.file("c", made)
    desk.diff(a, b)
    finding = desk.world.value(
        "select id from diff.findings where project_id = %s", desk.world.project
    )
    desk.world.sql("select public.decide(array[%s]::bigint[], 'approved')", finding)
    review = "select review, review_reason from diff.current_findings where finding_id = %s"
    assert desk.world.sql(review, finding) == [("approved", None)]
    desk.diff(b, c)
    assert desk.states() == {(WALL[0], "placement"): ("reopened", "changed again")}
    assert desk.world.sql(review, finding) == [("open", "changed since")]


def test_changes_of_an_element_that_is_deleted_are_removed(desk: Desk) -> None:
    made = edited((building.moved, 0), (building.added, 3))
    a, b = desk.file("a", house(4)), desk.file("b", made)
    building.deleted(made, 0)
    c = desk.file("c", made)
    desk.diff(a, b)
    desk.diff(b, c)
    assert desk.states() == {
        (WALL[0], "placement"): ("removed", None),
        (WALL[0], "deleted"): ("new", None),
        (guid(14003), "added"): ("new", None),
    }


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"relationships": ["attributes"]}, "not asked for"),
        ({"filter_elements": "IfcSlab"}, "no longer selected"),
        ({"tolerance": 0.001}, "definition changed"),
    ],
)
def test_what_a_narrower_comparison_does_not_look_at_is_untested(
    desk: Desk, asked: dict[str, Any], reason: str
) -> None:
    a, b = desk.file("a", house(4)), desk.file("b", edited((building.moved, 0)))
    c = desk.file("c", edited((building.renamed, 1)))
    desk.diff(a, b)
    desk.diff(a, c, **asked)
    assert desk.states()[WALL[0], "placement"] == ("untested", reason)
    desk.diff(a, c)
    assert desk.states()[WALL[0], "placement"] == ("resolved", None)


def test_a_late_result_takes_its_place(desk: Desk) -> None:
    a, b = desk.file("a", house(4)), desk.file("b", edited((building.moved, 0)))
    first = desk.accept(a, b)
    second = desk.accept(a, b, tolerance=0.0002)
    desk.do(second)
    assert desk.states()[WALL[0], "placement"] == ("new", None)
    desk.do(first)
    assert desk.states()[WALL[0], "placement"] == ("persisting", None)
    changes = desk.world.sql(
        "select r.job_id::text, c.state from diff.state_changes c"
        " join diff.results r on r.id = c.result_id where c.project_id = %s order by r.accepted",
        desk.world.project,
    )  # fmt: skip
    assert changes == [(first, "new"), (second, "persisting")]


def test_a_comparison_back_in_time_makes_no_findings(desk: Desk) -> None:
    a, b = desk.file("a", house(4)), desk.file("b", edited((building.moved, 0)))
    desk.diff(a, b)
    before = desk.states()
    result = desk.diff(b, a)
    assert desk.world.value("select diff_count from diff.results where id = %s", result) == 1
    assert desk.states() == before


def test_a_known_file_is_the_version_it_was(desk: Desk) -> None:
    a, b = desk.file("a", house(4)), desk.file("b", edited((building.moved, 0)))
    c = desk.file("c", edited((building.moved, 0), (building.marked, 1)))
    for old, new in ((a, b), (b, c), (a, c), (a, b)):
        desk.accept(old, new)
    numbers = desk.world.sql(
        "select v.number from core.model_versions v where v.project_id = %s order by 1",
        desk.world.project,
    )
    assert numbers == [(1,), (2,), (3,)]


def test_an_unknown_file_is_not_made_the_version_after_a_known_one(desk: Desk) -> None:
    a, b = desk.file("a", house(4)), desk.file("b", edited((building.moved, 0)))
    desk.accept(a, b)
    older = desk.file("c", edited((building.renamed, 0)))
    with pytest.raises(RequestInvalid, match="older version cannot be stored after it"):
        desk.accept(older, b)
    assert desk.world.value(
        "select count(*) from core.jobs where project_id = %s", desk.world.project
    ) == 1  # fmt: skip


def test_new_ids_are_matches_and_no_findings(desk: Desk) -> None:
    made = house(4)
    for i, wall in enumerate(made.walls):
        wall.GlobalId = guid(20000 + i)
    building.marked(made, 0)
    result = desk.diff(desk.file("a", house(4)), desk.file("b", made))
    assert desk.world.sql(
        "select o.global_id, n.global_id, m.verdict from diff.matches m"
        " join core.elements o on o.id = m.old_element join core.elements n on n.id = m.new_element"
        " where m.result_id = %s order by 1", result,
    ) == [(WALL[i], guid(20000 + i), "same") for i in range(4)]  # fmt: skip
    # The finding is of the lasting element, which the ledger's own links know.
    assert desk.states() == {(WALL[0], "property"): ("new", None)}


NEW_ID = guid(30001)


def replaced(made: House, i: int) -> building.Expected:
    """Another id, another place, another shape, another name: nobody can tell that it is the same."""
    made.walls[i].GlobalId = guid(30000 + i)
    point = made.walls[i].ObjectPlacement.RelativePlacement.Location
    x, y, z = point.Coordinates
    point.Coordinates = (x + 300.0 * made.scale, y, z)
    building.reshaped(made, i)
    made.walls[i].Name = "Another"
    return set()


def say(desk: Desk, verdict: str) -> None:
    """What a person says of the wall before and after."""
    ids = [
        desk.world.value(
            "select id from core.elements where project_id = %s and global_id = %s",
            desk.world.project, global_id,
        )
        for global_id in (WALL[1], NEW_ID)
    ]  # fmt: skip
    desk.world.sql("select core.state_link(%s, %s, %s)", *ids, verdict)


def decide(desk: Desk, finding: int, action: str) -> None:
    desk.world.sql(
        "select core.append_decision(%s, %s, %s, null, null, null, null, null)",
        finding, action, "small overlap" if action == "ignored" else None,
    )  # fmt: skip


def facet_findings(desk: Desk, facet: str) -> list[int]:
    rows = desk.world.sql(
        "select id from diff.findings where project_id = %s and facet = %s order by id",
        desk.world.project, facet,
    )  # fmt: skip
    return [row[0] for row in rows]


def test_one_confirmation_takes_back_that_an_element_went_and_another_came(desk: Desk) -> None:
    desk.diff(desk.file("a", house(4)), desk.file("b", edited((replaced, 1))))
    apart = {(WALL[1], "deleted"): ("new", None), (NEW_ID, "added"): ("new", None)}
    assert desk.states() == apart
    say(desk, "same")
    again = ("resolved", "found again")
    assert desk.states() == {(WALL[1], "deleted"): again, (WALL[1], "added"): again}
    desk.verified()
    say(desk, "different")
    assert desk.states() == apart


def test_one_confirmation_makes_the_changes_under_both_ids_one_finding(desk: Desk) -> None:
    """It made one of two pairs and of two IDS failures, but left two findings of every changed facet."""
    files = [
        desk.file("a", house(4)),
        desk.file("b", edited((building.marked, 1))),
        desk.file("c", edited((building.marked, 1), (replaced, 1))),
        desk.file("d", edited((building.unmarked, 1), (replaced, 1))),
    ]
    for old, new in itertools.pairwise(files):
        desk.diff(old, new)
    first, second = facet_findings(desk, "property")
    decide(desk, first, "approved")
    decide(desk, second, "ignored")
    assert desk.states()[WALL[1], "property"] == ("removed", None)
    say(desk, "same")
    assert desk.states() == {
        (WALL[1], "property"): ("reopened", "changed again"),
        (WALL[1], "deleted"): ("resolved", "found again"),
        (WALL[1], "added"): ("resolved", "found again"),
    }
    shown = (
        "select finding_id, review, global_id from diff.current_findings"
        " where project_id = %s and title like '%%changed'"
    )
    assert desk.world.sql(shown, desk.world.project) == [(first, "approved", NEW_ID)], (
        "the stricter"
    )
    decide(desk, second, "open")
    assert desk.world.sql(shown, desk.world.project) == [(first, "open", NEW_ID)]
    desk.verified()
    desk.world.sql("update diff.findings set identity_id = null where id = %s", second)
    (series,) = desk.world.sql("select series_id from diff.findings where id = %s", second)[0]
    assert "identity" in {
        row[0] for row in desk.world.sql("select * from diff.verify_series(%s)", series)
    }
    desk.world.sql("update diff.findings set identity_id = %s where id = %s", first, second)
    desk.world.sql("select * from diff.verify_series(%s)", series)
    # The next change is one of the same finding, under whichever id.
    desk.diff(files[3], desk.file("e", edited((replaced, 1))))
    assert len(facet_findings(desk, "property")) == 2
    say(desk, "different")
    assert len({row for row in desk.states() if row[1] == "property"}) == 2


def test_a_project_goes_with_its_links_and_what_they_made_one(desk: Desk) -> None:
    desk.diff(desk.file("a", house(4)), desk.file("b", edited((replaced, 1))))
    say(desk, "same")
    project = desk.world.project
    desk.world.sql("delete from core.projects where id = %s", project)
    for table in (
        "core.links",
        "core.identities",
        "core.elements",
        "diff.findings",
        "diff.results",
    ):
        assert desk.world.value(f"select count(*) from {table} where project_id = %s", project) == 0


def test_a_report_on_another_request_is_refused(desk: Desk) -> None:
    a, b = desk.file("a", house(4)), desk.file("b", edited((building.moved, 0)))
    job = desk.accept(a, b)
    attempt = desk.store.start_attempt(job, worker="w", host="h", lease_s=60.0)
    assert attempt is not None
    output = desk.folder / "other"
    output.mkdir()
    run({"old_file": "old.ifc", "new_file": "new.ifc", "tolerance": 0.5},
        {"old.ifc": str(a), "new.ifc": str(b)}, output)  # fmt: skip
    files = LocalFiles(desk.folder / "store")
    with (
        pytest.raises(ReportInvalid, match="another request"),
        desk.store.writing(attempt.token) as writer,
    ):
        record(writer, attempt, output, files)
    assert desk.world.sql("select 1 from diff.results where job_id = %s", job) == []
