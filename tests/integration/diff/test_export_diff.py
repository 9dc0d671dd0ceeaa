"""`ifcbase export RESULT --check diff`: recorded diffs as files, read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ifcbase.settings import get_settings
from tests.integration.diff.test_record import WALL, Desk, desk, edited
from tests.integration.ledger.test_export import rows, run, topics
from tests.unit.diff import house as building
from tests.unit.diff.house import house

__all__ = ["desk"]


@pytest.fixture
def connected(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("DATABASE_URL", desk.world.dsn)
    get_settings.cache_clear()
    yield desk
    get_settings.cache_clear()


def export(desk: Desk, result: int, *files: Path) -> None:
    written = [word for file in files for word in ("-o", file)]
    run("export", result, "--check", "diff", "--project", desk.project, *written)


def test_a_diff_is_exported_with_its_values_and_states(connected: Desk, tmp_path: Path) -> None:
    old = connected.file("a", house(4))
    new = connected.file(
        "b", edited((building.marked, 0), (building.moved, 0), (building.deleted, 1))
    )
    result = connected.diff(old, new)
    target = tmp_path / "out"
    target.mkdir()
    files = [target / f"r.{suffix}" for suffix in ("html", "xlsx", "csv", "bcf", "md")]
    export(connected, result, *files)
    assert sorted(target.iterdir()) == sorted(files)
    told = rows(target / "r.csv")
    assert {(r["GlobalId"], r["kind"], r["state"]) for r in told} == {
        (WALL[0], "property", "new"),
        (WALL[0], "placement", "new"),
        (WALL[1], "deleted", "new"),
    }
    (moved,) = [r for r in told if r["kind"] == "placement"]
    assert "moved by 3.0 mm" in " ".join(moved.values())
    markdown = (target / "r.md").read_text(encoding="utf-8")
    assert "1 deleted, 1 changed" in markdown
    assert len(topics(target / "r.bcf")) == 3


def test_topics_of_a_diff_are_those_of_its_findings(connected: Desk, tmp_path: Path) -> None:
    old = connected.file("a", house(4))
    result = connected.diff(old, connected.file("b", edited((building.marked, 0))))
    export(connected, result, tmp_path / "result.bcf")
    run("export", "-o", tmp_path / "open.bcf", "--check", "diff", "--project", connected.project)
    assert set(topics(tmp_path / "result.bcf")) == set(topics(tmp_path / "open.bcf"))
