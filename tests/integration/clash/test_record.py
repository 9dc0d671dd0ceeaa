"""What a report says of pairs it does not list arrives in the ledger, and decides about states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ifcbase.clash import handover
from ifcbase.clash.record import record
from ifcbase.clash.report import LIST_CUT, ClashReport, Verdict
from ifcbase.files.local import LocalFiles
from ifcbase.ifc.inventory import Inventory
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.migrated import busy, standing, store, template
from tests.integration.world import World, sha, start
from tests.unit.clash.reports import inventory, pair_list, report

__all__ = ["busy", "standing", "store", "template"]

ALL = [(0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 1, 0)]


def done(
    world: World, store: PostgresLedger, made: ClashReport, folder: Path, revision: str = ""
) -> None:
    """A job whose child left this report; ``revision`` is what makes f1 other bytes."""
    folder.mkdir()
    made.engine["measure_version"] = "1"
    (folder / "output.json").write_text("[]")
    contents = {}
    for each in made.files:
        content = f"{world.project} {each.name}{revision * (each.name == 'f1.ifc')}"
        contents[each.name.removesuffix(".ifc")] = content
        each.sha256 = sha(content)
    handover.write(made, folder)
    (only,) = made.sets
    sides = {"a": ["f0.ifc"], "b": ["f1.ifc"]}
    request = {
        "clash_sets": [
            {"name": "s", **{side: [{"file": f} for f in files] for side, files in sides.items()}}
        ]
    }
    assert only.definition.name == "s"
    attempt = start(store, world.job(contents, request=request))
    with store.writing(attempt.token) as writer:
        outcome = record(writer, attempt, folder, LocalFiles(folder.parent / "files"))
        writer.finish_job(outcome, {})


def states(world: World) -> list[tuple[str, str | None]]:
    """States of the pairs, in the order in which they were found."""
    return [
        (state, reason)
        for state, reason in world.sql(
            "select state, reason from clash.pair_states where project_id = %s order by pair_id",
            world.project,
        )
    ]


def test_pairs_left_out_of_the_list_are_not_resolved(
    busy: World, store: PostgresLedger, tmp_path: Path
) -> None:
    inventories = [inventory(3), inventory(2)]
    done(busy, store, report(ALL, inventories), tmp_path / "1")
    assert [state for state, _ in states(busy)] == ["new"] * 3
    second = report([], inventories)
    second.sets[0].related = pair_list(ALL[:1])
    second.sets[0].undecided = pair_list(ALL[1:2])
    done(busy, store, second, tmp_path / "2")
    assert sorted(states(busy)) == [
        ("resolved", None),
        ("untested", "related"),
        ("untested", "undecided"),
    ]
    assert busy.sql(
        "select related_left_out, undecided, incomplete, verdict from clash.results"
        " where project_id = %s order by accepted desc limit 1", busy.project,
    ) == [(1, 1, None, "inconclusive")]  # fmt: skip


def broken(made: ClashReport) -> ClashReport:
    """The same where f1 could not be read."""
    file = made.files[1]
    file.failure, file.inventory = "f1.ifc: a record is cut", Inventory("UNKNOWN", 1.0, ())
    made.sets[0].b[0].selected = np.zeros(0, np.int32)
    return made


def test_elements_of_a_file_that_could_not_be_read_are_untested_and_not_removed(
    busy: World, store: PostgresLedger, tmp_path: Path
) -> None:
    inventories = [inventory(3), inventory(2)]
    done(busy, store, report(ALL, inventories), tmp_path / "1")
    made = broken(report([], inventories))
    made.sets[0].warnings = ["side b, f1.ifc: not tested, because the file failed"]
    done(busy, store, made, tmp_path / "2", revision=" damaged")
    assert [state for state, _ in states(busy)] == ["untested"] * 3
    assert busy.sql(
        "select verdict, warnings from clash.results where project_id = %s"
        " order by accepted desc limit 1", busy.project,
    ) == [("inconclusive", ["side b, f1.ifc: not tested, because the file failed"])]  # fmt: skip
    # Nobody claims to know what the damaged version contains.
    assert busy.sql(
        "select v.number, v.inventoried_at is not null, v.elements from core.model_versions v"
        " join core.models m on m.id = v.model_id where m.project_id = %s and m.name = 'f1'"
        " order by v.number", busy.project,
    ) == [(1, True, 2), (2, False, None)]  # fmt: skip
    # The next version is compared with the last that was read.
    done(busy, store, report([], inventories), tmp_path / "3", revision=" mended")
    assert [state for state, _ in states(busy)] == ["resolved"] * 3


def test_a_version_that_could_not_be_read_is_read_by_a_later_job(
    busy: World, store: PostgresLedger, tmp_path: Path
) -> None:
    inventories = [inventory(3), inventory(2)]
    done(busy, store, broken(report([], inventories)), tmp_path / "1")
    done(busy, store, report(ALL, inventories), tmp_path / "2")
    assert [state for state, _ in states(busy)] == ["new"] * 3
    assert busy.sql(
        "select count(*) from core.model_versions v join core.models m on m.id = v.model_id"
        " where m.project_id = %s and v.inventoried_at is not null", busy.project,
    ) == [(2,)]  # fmt: skip


def test_a_list_that_was_cut_resolves_nothing(
    busy: World, store: PostgresLedger, tmp_path: Path
) -> None:
    inventories = [inventory(3), inventory(2)]
    done(busy, store, report(ALL, inventories), tmp_path / "1")
    cut = report(ALL[:1], inventories)
    cut.sets[0].incomplete = LIST_CUT
    done(busy, store, cut, tmp_path / "2")
    assert sorted(states(busy), key=str) == [
        ("persisting", None),
        ("untested", "list cut"),
        ("untested", "list cut"),
    ]


@pytest.mark.parametrize("why", ["incomplete", "undecided"])
def test_nothing_found_is_not_clean_where_something_is_missing(why: str) -> None:
    made = report([], [inventory(3), inventory(2)])
    (only,) = made.sets
    assert only.verdict() is Verdict.CLEAN
    setattr(only, why, LIST_CUT if why == "incomplete" else pair_list(ALL[:1]))
    assert only.verdict() is Verdict.INCONCLUSIVE
    only.related = pair_list(ALL[:1])
    assert only.related_left_out == 1
