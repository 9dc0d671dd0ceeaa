"""`ifcbase export`: results and findings of a real chain as files, read back by other readers."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element as Node

import pytest
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]
from typer.testing import CliRunner, Result

from ifcbase.cli.app import app
from ifcbase.errors import NotFound, RequestInvalid
from ifcbase.exchange.recorded import decision_text
from ifcbase.settings import get_settings
from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import Chain, Clash, pair

__all__ = ["chain"]

ONE, TWO, THREE = "arc/w1 mep/p1", "arc/w2 mep/p2", "arc/w3 mep/p3"


@pytest.fixture
def told(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chain]:
    """Two results: one clash resolved in the second, one persisting, one new."""
    monkeypatch.setenv("DATABASE_URL", chain.world.dsn)
    get_settings.cache_clear()
    chain.run([ONE, Clash(pair(TWO), 0.02)])
    chain.run([Clash(pair(TWO), 0.04), THREE])
    yield chain
    get_settings.cache_clear()


def run(*words: str | int | Path) -> Result:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def results(chain: Chain) -> list[int]:
    return [row[0] for row in chain.world.sql("select id from clash.results order by accepted")]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def topics(path: Path) -> dict[str, Node]:
    """Markup by topic id."""
    with zipfile.ZipFile(path) as archive:
        return {
            name.split("/")[0]: fromstring(archive.read(name))
            for name in archive.namelist()
            if name.endswith("markup.bcf")
        }


def test_a_result_is_exported_with_the_states_it_left(told: Chain, tmp_path: Path) -> None:
    """An old result does not get the states of today."""
    first, second = results(told)
    run("export", first, "-o", tmp_path / "first.csv")
    run("export", second, "-o", tmp_path / "second.csv")
    assert [row["state"] for row in rows(tmp_path / "first.csv")] == ["new", "new"]
    states = {
        row["name a"] or row["GlobalId a"]: row["state"] for row in rows(tmp_path / "second.csv")
    }
    assert sorted(states.values()) == ["new", "persisting"]
    (deep,) = [row for row in rows(tmp_path / "second.csv") if row["state"] == "persisting"]
    assert (deep["clash set"], deep["distance (mm)"]) == (told.name, "40")


def test_a_topic_keeps_its_id_from_result_to_result(told: Chain, tmp_path: Path) -> None:
    first, second = results(told)
    for number, result in enumerate((first, second)):
        run("export", result, "-o", tmp_path / f"{number}.bcf")
    one, two = topics(tmp_path / "0.bcf"), topics(tmp_path / "1.bcf")
    assert len(one) == len(two) == 2
    assert len(set(one) & set(two)) == 1


def test_open_findings_have_the_ids_their_results_have(told: Chain, tmp_path: Path) -> None:
    run("export", "-o", tmp_path / "open.bcf", "--bcf", "3.0")
    run("export", results(told)[-1], "-o", tmp_path / "last.bcf", "--bcf", "3.0")
    assert set(topics(tmp_path / "open.bcf")) == set(topics(tmp_path / "last.bcf"))


def test_decisions_become_status_owner_and_comments(told: Chain, tmp_path: Path) -> None:
    two, three = told.pair_id(TWO), told.pair_id(THREE)
    run("decide", two, "--approve", "--comment", "as agreed on site")
    run("decide", three, "--assign", "mep@example.org")
    run("export", results(told)[-1], "-o", tmp_path / "x.bcf")
    found = topics(tmp_path / "x.bcf").values()
    (approved,) = [each for each in found if each.find("Topic[@TopicStatus='Closed']") is not None]
    assert approved.findtext("Comment/Comment") == "approved: as agreed on site"
    (assigned,) = [each for each in found if each.findtext("Topic/AssignedTo")]
    assert assigned.findtext("Topic/AssignedTo") == "mep@example.org"
    run("export", "-o", tmp_path / "open.csv")
    assert [row["assigned to"] for row in rows(tmp_path / "open.csv")] == ["mep@example.org"]


def test_what_is_chosen_is_what_is_written(told: Chain, tmp_path: Path) -> None:
    run("export", "-o", tmp_path / "gone.csv", "--state", "resolved")
    assert [row["state"] for row in rows(tmp_path / "gone.csv")] == ["resolved"]
    run("export", "-o", tmp_path / "none.csv", "--assigned", "nobody@example.org")
    assert rows(tmp_path / "none.csv") == []
    run("export", "-o", tmp_path / "none.html", "--assigned", "nobody@example.org")
    assert "no findings" in (tmp_path / "none.html").read_text(encoding="utf-8")


def test_clashes_of_a_group_are_one_entry(told: Chain, tmp_path: Path) -> None:
    last = results(told)[-1]
    told.world.sql("update clash.sighting_rows set smart_group = 1 where result_id = %s", last)
    run("export", last, "-o", tmp_path / "g.csv", "--by-group")
    (row,) = rows(tmp_path / "g.csv")
    assert row["finding"].startswith("2 findings together")
    assert row["elements"] == "4"


def test_coverage_and_elements_not_tested_are_in_the_report(told: Chain, tmp_path: Path) -> None:
    done = run("export", results(told)[-1], "-o", tmp_path / "r.html", "-o", tmp_path / "r.xlsx")
    assert "r.html" in done.stdout
    assert "r.xlsx" in done.stdout
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "What was tested" in page
    assert "side a" in page


def test_a_result_inserted_from_outside_says_that_its_clashes_are_not_listed(
    told: Chain, tmp_path: Path
) -> None:
    """No silent zero: it counts clashes that the tables do not have."""
    (inserted,) = told.world.sql(
        "insert into public.clash_results (clash_set_name, output_filename, clash_count, clash_data)"
        " values ('theirs', 'o.json', 7, '[]') returning id"
    )
    run("export", inserted[0], "-o", tmp_path / "x.md")
    text = (tmp_path / "x.md").read_text(encoding="utf-8")
    assert "counts 7 clashes; 0 of them" in text
    assert "What it tested is not known" in text


def test_nothing_is_written_for_what_does_not_exist(told: Chain, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        run("export", 999_999, "-o", tmp_path / "x.bcf")
    with pytest.raises(RequestInvalid, match=r"\.pdf"):
        run("export", "-o", tmp_path / "x.pdf")
    with pytest.raises(RequestInvalid, match="--state"):
        run("export", results(told)[0], "-o", tmp_path / "x.csv", "--state", "new")
    with pytest.raises(RequestInvalid, match=r"BCF 1\.0"):
        run("export", "-o", tmp_path / "x.bcf", "--bcf", "1.0")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"action": "ignored", "reason": "false positive"}, "ignored (false positive)"),
        ({"action": "comment", "comment": "see photo"}, "see photo"),
        ({"action": "assigned", "assigned_to": None}, "assigned to nobody"),
        ({"action": "due", "due": "2026-12-01", "comment": "at last"}, "due 2026-12-01: at last"),
    ],
)
def test_a_decision_is_one_sentence(given: dict[str, Any], text: str) -> None:
    empty = {"reason": None, "comment": None, "assigned_to": None, "due": None}
    assert decision_text(empty | given) == text
