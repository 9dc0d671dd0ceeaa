"""The commands on sets and pairs, on a real chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ifcbase.cli import trend
from ifcbase.cli.app import app
from ifcbase.cli.compare import seconds
from ifcbase.errors import Conflict, IfcbaseError, NotFound, RequestInvalid
from ifcbase.settings import get_settings
from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import Chain, Clash, pair

__all__ = ["chain"]

ONE, TWO, THREE = "arc/w1 mep/p1", "arc/w2 mep/p2", "arc/w3 mep/p3"


@contextmanager
def at(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands talk to the database of this chain."""
    monkeypatch.setenv("DATABASE_URL", chain.world.dsn)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def told(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chain]:
    """Three results: one clash resolved, one persisting and deeper, one new."""
    with at(chain, monkeypatch):
        chain.run([ONE, Clash(pair(TWO), 0.02)])
        chain.run([ONE, Clash(pair(TWO), 0.02)])
        chain.run([Clash(pair(TWO), 0.04), THREE])
        yield chain


def run(*words: str | int) -> Result:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def read(*words: str | int) -> Any:
    return json.loads(run(*words, "--json").stdout)


def test_sets_say_where_they_stand(told: Chain) -> None:
    (found,) = read("sets", "list")
    assert (found["set"], found["results"], found["new"], found["resolved"]) == (told.name, 3, 1, 1)
    shown = run("sets", "show", told.name).stdout
    assert "1 new, 1 persisting, 1 resolved" in shown
    with pytest.raises(NotFound):
        run("sets", "show", "nobody")


def test_pairs_are_listed_by_state_and_shown_with_their_history(told: Chain) -> None:
    (found,) = read("pairs", "list", "--state", "resolved")
    assert found["pair_id"] == told.pair_id(ONE)
    assert len(read("pairs", "list", "--set", told.name, "--review", "open")) == 3
    shown = read("pairs", "show", told.pair_id(ONE))
    assert [each["state"] for each in shown["history"]] == ["new", "persisting", "resolved"]
    assert len(shown["sightings"]) == 2
    assert "resolved" in run("pairs", "show", told.pair_id(ONE)).stdout


def test_pairs_are_listed_by_storey_and_discipline_of_either_element(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.looks = {"arc/w1": {"storey": "Roof"}, "mep/p2": {"storey": "Roof"}}
    chain.revise("str", ["s1"])
    with at(chain, monkeypatch):
        chain.run([ONE, TWO, THREE, "arc/w3 str/s1"], b=("mep", "str"))
        chain.world.sql(
            "update core.models set discipline = case name when 'mep' then 'mechanical'"
            " when 'str' then 'structure' end"
        )

        def listed(*words: str) -> set[int]:
            return {each["pair_id"] for each in read("pairs", "list", *words)}

        one, two, three, last = (chain.pair_id(each) for each in (ONE, TWO, THREE, "arc/w3 str/s1"))
        assert listed("--storey", "roof") == {one, two}
        assert listed("--storey", "Ground floor") == {one, two, three, last}
        assert listed("--discipline", "Mechanical") == {one, two, three}
        assert listed("--discipline", "structure", "--storey", "Ground floor") == {last}
        assert listed("--discipline", "structure", "--storey", "Roof") == set()
        assert "no such pairs" in run("pairs", "list", "--storey", "Cellar").stdout
        with pytest.raises(RequestInvalid, match="no model of the project is of the discipline"):
            run("pairs", "list", "--discipline", "plumbing")


def test_comparing_a_set_with_itself_over_time(told: Chain) -> None:
    found = read("compare", "--set", told.name)
    assert {each["pair_id"]: each["change"] for each in found["pairs"]} == {
        told.pair_id(ONE): "gone",
        told.pair_id(TWO): "persisted",
        told.pair_id(THREE): "appeared",
    }
    text = run("compare", found["a"], found["b"]).stdout
    assert "1 appeared, 1 deeper, 1 resolved" in text
    first = read("compare", "--set", told.name, "--since", "7d")
    assert first["a"] < found["a"]


def test_decisions_from_the_command_line(told: Chain) -> None:
    (found,) = read(
        "decide", told.pair_id(TWO), "--approve", "--assign", "mep", "--due", "2026-12-24"
    )
    assert (found["review"], found["assigned_to"], found["due"]) == (
        "approved",
        "mep",
        "2026-12-24",
    )
    run("decide", told.pair_id(ONE), told.pair_id(THREE), "--ignore", "fix on site")
    assert len(read("pairs", "list", "--review", "ignored")) == 2
    refused = run("decide", told.pair_id(ONE), "--ignore", "because")
    assert refused.exit_code == 2
    assert "fix on site" in refused.output
    for wrong in (["--approve", "--open"], [], ["--due", "soon"], ["--ignore", "other"]):
        with pytest.raises(RequestInvalid):
            run("decide", told.pair_id(ONE), *wrong)


def test_pairs_are_named_by_what_they_are(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    chain.looks = {"arc/w1": {"name": "North wall [with brackets]"}}
    chain.revise("mep", ["0123456789abcdefghijkl"])
    with at(chain, monkeypatch):
        chain.run(["arc/w1 mep/0123456789abcdefghijkl"])
        (found,) = read("pairs", "list")
        assert (found["one_name"], found["other_name"]) == ("North wall [with brackets]", None)
        shown = run("pairs", "list").stdout
        assert "IfcWall North wall [with brackets] (w1)" in shown
        assert "IfcWall (01234567)" in shown


def test_deciding_about_a_group(told: Chain) -> None:
    (found,) = read("pairs", "groups", "--set", told.name, "--by", "model")
    assert (found["group_name"], found["pairs"], found["open"]) == ("model/arc+mep", 2, 2)
    assert "model/arc+mep" in run("pairs", "groups", "--set", told.name, "--by", "model").stdout
    words = ["--group", found["group_name"], "--set", told.name]
    decided = read(
        "decide", *words, "--ignore", "other", "--comment", "temporary", "--assign", "mep"
    )
    assert sorted(each["pair_id"] for each in decided) == [told.pair_id(TWO), told.pair_id(THREE)]
    assert {(each["review"], each["assigned_to"]) for each in decided} == {("ignored", "mep")}
    assert "model/arc+mep" in run("pairs", "show", told.pair_id(TWO)).stdout
    assert "no such groups" in run("pairs", "groups", "--set", told.name, "--by", "near").stdout
    for wrong in (
        [*words, told.pair_id(ONE), "--review"],
        ["--group", "model/arc+mep", "--review"],
        ["--set", told.name, told.pair_id(ONE), "--review"],
        ["--group", "round", "--set", told.name, "--review"],
        ["--review"],
    ):
        with pytest.raises(RequestInvalid):
            run("decide", *wrong)
    with pytest.raises(NotFound):
        run("decide", "--group", "model/arc+arc", "--set", told.name, "--review")
    with pytest.raises(RequestInvalid):
        run("pairs", "groups", "--set", told.name, "--by", "colour")


def test_jobs_say_which_sets_and_models_they_are_about(told: Chain) -> None:
    request = {"clash_sets": [{"name": "Walls x pipes"}, {"name": "Roof"}]}
    told.world.job({"arc": told.files["arc"]}, request=request)
    found = read("jobs", "list")
    assert [(each["sets"], each["inputs"]) for each in found[:2]] == [
        (["Walls x pipes", "Roof"], ["arc"]),
        ([], ["arc", "mep"]),
    ]
    shown = run("jobs", "list").stdout
    assert "Walls x pipes, Roof: arc" in shown
    assert "arc, mep" in shown


def test_a_result_says_which_pairs_it_does_not_report(told: Chain) -> None:
    left_out = {"related": frozenset({pair(ONE)}), "undecided": frozenset({pair(TWO)})}
    result = told.run([THREE], incomplete="list cut", **left_out)
    found = read("results", "show", result)
    assert (found["related_left_out"], found["undecided"], found["incomplete"]) == (
        1,
        1,
        "list cut",
    )
    shown = run("results", "show", result).stdout
    assert "1 pair of a host and its filling or of one assembly was left out" in shown
    assert "1 pair could not be judged" in shown
    assert "the list of clashes is not whole: list cut" in shown
    whole = run("results", "show", told.run([THREE])).stdout
    assert "left out (" not in whole
    assert "not whole" not in whole


def test_rules_from_the_command_line(told: Chain) -> None:
    assert "no rules yet" in run("rules", "list").stdout
    about = ["--reason", "small overlap", "--max-depth", "0.03", "--classes", "IfcWall,IfcWall"]
    planned = read("plan", "--set", told.name, "--action", "ignored", *about)
    text = run("rules", "add", "thin", "--action", "ignored", "--set", told.name, *about).stdout
    assert "ignored: small overlap IfcWall and IfcWall, up to 30.0 mm, set A x B" in text
    told.run([Clash(pair(TWO), 0.04), THREE])
    found = read("pairs", "list", "--review", "ignored")
    assert [each["pair_id"] for each in found] == [each["pair_id"] for each in planned["pairs"]]
    (listed,) = read("rules", "list")
    assert (listed["name"], listed["active"], listed["decided"]) == ("thin", True, 1)
    assert read("rules", "off", "thin")["active"] is False
    told.run([Clash(pair(TWO), 0.04), THREE])
    assert read("pairs", "list", "--review", "ignored") == []
    assert "on, from the next result" in run("rules", "on", "thin").stdout
    assert "thin" in run("rules", "list").stdout
    with pytest.raises(Conflict):
        run("rules", "add", "thin", "--action", "reviewed")
    with pytest.raises(NotFound):
        run("rules", "off", "thick")
    for wrong in (["--action", "open"], ["--action", "reviewed", "--group", "near/1/2"]):
        with pytest.raises(RequestInvalid):
            run("rules", "add", "other", *wrong)


def test_what_was_measured_in_another_way_is_marked_and_listed(told: Chain) -> None:
    run("decide", told.pair_id(TWO), "--approve")
    told.run([Clash(pair(TWO), 0.043), THREE], measure="2")
    (found,) = read("pairs", "list", "--remeasured")
    assert (found["pair_id"], found["review"]) == (told.pair_id(TWO), "approved")
    assert "approved (remeasured: +3.0 mm)" in run("pairs", "list", "--remeasured").stdout
    assert "3.0 mm difference" in run("pairs", "show", told.pair_id(TWO)).stdout


def test_a_plan_changes_nothing(told: Chain) -> None:
    rule = ["--action", "ignored", "--reason", "small overlap", "--max-depth", "0.03"]
    found = read("plan", "--set", told.name, *rule)
    assert [each["pair_id"] for each in found["pairs"]] == [told.pair_id(THREE)]
    assert "1 no longer reported" in run("plan", "--set", told.name, "--tolerance", "0.03").stdout
    assert read("pairs", "list", "--review", "ignored") == []


def test_the_trend_is_a_chart(told: Chain) -> None:
    assert [each["new"] for each in read("trend", "--set", told.name)] == [2, 0, 1]
    assert "n" * 50 in run("trend", "--set", told.name).stdout


def test_bars_show_what_is_there_however_little() -> None:
    none = dict.fromkeys(trend.SIGNS, 0)
    assert trend.bars([none | {"persisting": 1000}, none | {"new": 1}, none]) == ["#" * 50, "n", ""]


def test_verifying_exits_with_two_where_the_ledger_differs(told: Chain) -> None:
    assert run("ledger", "verify").exit_code == 0
    told.world.sql("update clash.pair_state_rows set state = 'resolved' where state = 'new'")
    assert run("ledger", "verify").exit_code == 2
    assert run("ledger", "verify", "--json").exit_code == 2  # looking repaired nothing
    assert run("ledger", "verify", "--repair").exit_code == 2
    assert run("ledger", "verify").exit_code == 0


def test_verifying_frees_the_rows_it_wrote(told: Chain) -> None:
    """Undone or kept: every state of a chain was written once more, and stayed as a dead row."""
    counted = (
        "select relname, vacuum_count from pg_stat_user_tables"
        " where schemaname = 'clash' and relname in ('pair_state_rows', 'state_changes')"
    )
    before: dict[str, int] = dict(told.world.sql(counted))
    assert run("ledger", "verify").exit_code == 0
    after: dict[str, int] = dict(told.world.sql(counted))
    assert {name: after[name] - before[name] for name in before} == dict.fromkeys(before, 1)
    told.world.sql("update clash.pair_state_rows set state = 'resolved' where state = 'new'")
    assert "the derived states are kept now" in run("ledger", "verify", "--repair").stdout


@pytest.mark.parametrize(("text", "expected"), [("7d", 604800), ("12h", 43200), ("2w", 1209600)])
def test_spans_of_time(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "7", "d", "7 days", "-1d"])
def test_what_is_no_span_of_time(text: str) -> None:
    with pytest.raises(IfcbaseError):
        seconds(text)
