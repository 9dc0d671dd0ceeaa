"""`ifcbase export RESULT --check tester`: IDS results of a real series as files, read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from ifcbase.errors import NotFound
from ifcbase.ledger.postgres import PostgresLedger
from ifcbase.settings import get_settings
from ifcbase.tester.ids.usage import Usage
from tests.integration.ledger.ids_series import Rule, Series
from tests.integration.ledger.test_export import rows, run, topics
from tests.integration.servers import Database
from tests.integration.world import World

ALL = ("w1", "w2", "w3")
FIRE = "Fire=F90"


@pytest.fixture
def series(ledger: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Series]:
    world, store = World(ledger.dsn), PostgresLedger(ledger.dsn)
    monkeypatch.setenv("DATABASE_URL", world.dsn)
    get_settings.cache_clear()
    try:
        made = Series(world, store)
        made.revise(ALL)
        yield made
    finally:
        get_settings.cache_clear()
        store.close()
        world.close()


def export(series: Series, result: int, *files: Path) -> None:
    project = series.world.value(
        "select name from core.projects where id = %s", series.world.project
    )
    written = [word for file in files for word in ("-o", file)]
    run("export", result, "--check", "tester", "--project", str(project), *written)


def test_an_old_result_keeps_the_states_it_left(series: Series, tmp_path: Path) -> None:
    first = series.run(Rule(ALL, {FIRE: ("w1", "w2")}))
    second = series.run(Rule(ALL, {FIRE: ("w1", "w3")}))
    export(series, first, tmp_path / "1.csv")
    export(series, second, tmp_path / "2.csv")
    assert {r["GlobalId"]: r["state"] for r in rows(tmp_path / "1.csv")} == {
        "w1": "new",
        "w2": "new",
    }
    assert {r["GlobalId"]: r["state"] for r in rows(tmp_path / "2.csv")} == {
        "w1": "persisting",
        "w3": "new",
    }
    assert "Fire is not F90" in rows(tmp_path / "2.csv")[0]["finding"]


def test_a_topic_keeps_its_id_from_result_to_result(series: Series, tmp_path: Path) -> None:
    for number in (1, 2):
        result = series.run(Rule(ALL, {FIRE: ("w1",)}))
        export(series, result, tmp_path / f"{number}.bcf")
    run("export", "-o", tmp_path / "open.bcf", "--check", "tester", "--project",
        str(series.world.value("select name from core.projects where id = %s", series.world.project)))  # fmt: skip
    one, two, now = (set(topics(tmp_path / f"{n}.bcf")) for n in ("1", "2", "open"))
    assert one == two == now
    assert len(one) == 1


def test_every_format_says_what_was_judged_and_what_not(series: Series, tmp_path: Path) -> None:
    result = series.run(
        Rule(ALL, {FIRE: ("w1",)}, unjudged={FIRE: ("w2",)}),
        Rule((), {}, name="Doors", about="IFCDOOR", usage=Usage.REQUIRED),
        Rule(("w3",), {}, name="No such wall", usage=Usage.PROHIBITED, about="IFCWALL.X"),
    )
    files = [tmp_path / f"r.{suffix}" for suffix in ("html", "xlsx", "csv", "bcf", "md")]
    export(series, result, *files)
    assert sorted(tmp_path.iterdir()) == sorted(files)
    listed = rows(tmp_path / "r.csv")
    assert [(r["GlobalId"], r["kind"]) for r in listed] == [
        ("w1", "attribute"),
        ("", "occurrence"),
        ("w3", "occurrence"),
    ]
    assert "No element it requires is there" in listed[1]["finding"]
    for suffix in ("md", "html"):
        text = (tmp_path / f"r.{suffix}").read_text(encoding="utf-8")
        assert "nothing was tested" in text
        assert "Only 75.0 % of what was asked for could be judged" in text
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    told = [cell for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row]
    assert "Fire shall be F90" in told


def test_a_number_of_another_check_is_not_mistaken(series: Series, tmp_path: Path) -> None:
    series.run(Rule(ALL, {FIRE: ("w1",)}))
    with pytest.raises(NotFound, match="diff result"):
        run("export", 1, "--check", "diff", "-o", tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []
