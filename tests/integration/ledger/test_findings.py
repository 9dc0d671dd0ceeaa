"""One finding model: what is open over all checks, as views and from the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from ifcbase.cli.app import app
from ifcbase.errors import RequestInvalid
from ifcbase.settings import get_settings
from ifcbase.tester.ids.usage import Usage
from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import Chain, Clash, Pair, pair, thing
from tests.integration.ledger.diff_series import Diffs
from tests.integration.ledger.ids_series import Rule, Series
from tests.integration.world import World

__all__ = ["chain"]

ONE, TWO, THREE = "arc/w1 mep/p1", "arc/w2 mep/p2", "arc/w3 mep/p3"
COLUMNS = {
    "finding_id": "bigint", "project_id": "bigint", "check_name": "text", "series": "text",
    "title": "text", "state": "text", "reason": "text", "since": "timestamp with time zone",
    "first_seen": "timestamp with time zone", "a_element": "bigint", "b_element": "bigint",
    "model": "text", "discipline": "text", "other_discipline": "text", "storey": "text",
    "class": "text", "global_id": "text", "review": "text", "review_reason": "text",
    "assigned_to": "text", "due": "date",
}  # fmt: skip


def findings(world: World, view: str = "core.all_findings") -> dict[int, dict[str, Any]]:
    """The rows of a view of findings by id."""
    rows = world.sql(f"select {', '.join(COLUMNS)} from {view}")
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in rows}


def disciplines(chain: Chain) -> None:
    chain.world.sql("update core.models set discipline = 'architecture' where name = 'arc'")
    chain.world.sql("update core.models set discipline = 'mechanical' where name = 'mep'")


def test_every_check_shows_findings_in_the_same_columns(world: World) -> None:
    views = [row[0] for row in world.sql(
        "select table_schema || '.' || table_name from information_schema.views "
        "where table_name = 'current_findings' order by 1"
    )]  # fmt: skip
    assert "clash.current_findings" in views
    for view in [*views, "core.all_findings", "core.open_findings"]:
        schema, name = view.split(".")
        found = world.sql(
            "select column_name, data_type from information_schema.columns "
            "where table_schema = %s and table_name = %s order by ordinal_position", schema, name,
        )  # fmt: skip
        assert dict(found) == COLUMNS, view
        assert [row[0] for row in found] == list(COLUMNS), view


def test_a_check_whose_view_is_there_is_part_of_the_union(world: World) -> None:
    views = {row[0] for row in world.sql(
        "select table_schema || '.current_findings' from information_schema.views "
        "where table_name = 'current_findings'"
    )}  # fmt: skip
    used = {row[0] for row in world.sql(
        "select distinct d.refobjid::regclass::text from pg_rewrite r join pg_depend d "
        "on d.objid = r.oid and d.classid = 'pg_rewrite'::regclass "
        "where r.ev_class = 'core.all_findings'::regclass and d.refobjid <> r.ev_class"
    )}  # fmt: skip
    assert used == views


def test_a_finding_says_what_clashes_in_a_sentence(chain: Chain) -> None:
    chain.looks = {"arc/w1": {"name": "Outer wall"}, "mep/p1": {"ifc_class": "IfcDuctSegment"}}
    result = chain.run([Clash(pair(ONE), 0.0451)])
    disciplines(chain)
    (found,) = findings(chain.world).values()
    assert found["title"] == 'Wall "Outer wall" and DuctSegment overlap by 45 mm'
    times = chain.world.sql("select finished_at from clash.results where id = %s", result)
    assert (found["since"], found["first_seen"]) == (times[0][0], times[0][0])
    assert found["finding_id"] == chain.pair_id(ONE)
    assert (found["a_element"], found["b_element"]) == (
        chain.element("arc/w1"), chain.element("mep/p1"),
    )  # fmt: skip
    assert [found[each] for each in (
        "check_name", "series", "state", "reason", "model", "discipline", "other_discipline",
        "storey", "class", "global_id", "review", "review_reason", "assigned_to", "due",
    )] == [
        "clash", chain.name, "new", None, "arc", "architecture", "mechanical", "Ground floor",
        "IfcWall", "w1", "open", None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "depth", "sentence"),
    [
        ("protrusion", 0.0001, "Wall and Wall overlap by less than 1 mm"),
        ("pierce", 0.2, "Wall and Wall go through each other by 200 mm"),
        ("clearance", 0.025, "Wall and Wall are 25 mm apart"),
        ("contained", 0.3, "one of Wall and Wall lies inside the other"),
    ],
)
def test_each_kind_of_contact_has_its_words(
    chain: Chain, kind: str, depth: float, sentence: str
) -> None:
    chain.run([Clash(pair(ONE), depth, kind)])
    assert [f["title"] for f in findings(chain.world).values()] == [sentence]


def test_side_a_comes_first_whichever_element_is_older(chain: Chain) -> None:
    backwards: Pair = (thing("mep/p1"), thing("arc/w1"))
    chain.run([Clash(backwards)], a=("mep",), b=("arc",))
    (found,) = findings(chain.world).values()
    assert (found["model"], found["global_id"]) == ("mep", "p1")
    assert found["a_element"] == chain.element("mep/p1")


def test_ids_that_were_exchanged_show_as_they_are_now(chain: Chain) -> None:
    chain.run([ONE])
    chain.revise("arc", ["n1", "w2", "w3"])
    chain.run(["arc/n1 mep/p1"])
    chain.link("arc/w1", "arc/n1")
    (found,) = findings(chain.world).values()
    assert (found["global_id"], found["state"]) == ("n1", "persisting")
    assert found["finding_id"] == chain.pair_id(ONE)


def test_open_is_what_is_there_and_undecided(chain: Chain) -> None:
    chain.run([ONE, TWO, THREE, "arc/w1 mep/p2"])
    chain.run([ONE, TWO], failed=frozenset({thing("arc/w3")}))
    disciplines(chain)
    chain.world.sql("select public.decide(%s, 'reviewed')", [chain.pair_id(TWO)])
    assert set(findings(chain.world)) == {
        chain.pair_id(each) for each in (ONE, TWO, THREE, "arc/w1 mep/p2")
    }
    assert set(findings(chain.world, "core.open_findings")) == {chain.pair_id(ONE)}
    assert chain.world.sql("select check_name, series, open, untested from core.open_by_check") == [
        ("clash", chain.name, 1, 1)
    ]
    by_discipline = chain.world.sql(
        "select discipline, check_name, open, untested from core.open_by_discipline order by 1"
    )
    assert by_discipline == [("architecture", "clash", 1, 1), ("mechanical", "clash", 1, 1)]
    by_storey = "select storey, check_name, open, untested from core.open_by_storey"
    assert chain.world.sql(by_storey) == [("Ground floor", "clash", 1, 1)]


def test_a_finding_within_one_discipline_counts_once(chain: Chain) -> None:
    chain.run(["arc/w1 arc/w2"], b=("arc",))
    chain.run([THREE])
    disciplines(chain)
    found = chain.world.sql(
        "select discipline, open, untested from core.open_by_discipline order by 1"
    )
    assert found == [("architecture", 1, 1), ("mechanical", 1, 0)]


def test_open_by_storey_and_discipline_counts_the_findings_of_every_check(chain: Chain) -> None:
    chain.looks = {"arc/w1": {"storey": "Roof"}, "mep/p2": {"storey": "Roof"}}
    chain.run([ONE, TWO])
    rules = Series(chain.world, chain.ledger, model="rules")
    rules.revise(["r1", "r2", "r3"])
    rules.run(
        Rule(applies=("r1", "r2", "r3"), fails={"Fire=F90": ["r1", "r2"]}),
        Rule(usage=Usage.REQUIRED, name="Doors"),
    )
    rules.run(
        Rule(applies=("r1", "r3"), fails={"Fire=F90": ["r1", "r3"]}),
        Rule(usage=Usage.REQUIRED, name="Doors"),
    )
    changes = Diffs(chain.world, chain.ledger, model="changes")
    changes.revise({"c1": {"geometry": 1}, "c2": {}})
    changes.revise({"c1": {"geometry": 2}})
    changes.run()
    chain.world.sql(
        "update core.models set discipline = case when name = 'mep' then 'mechanical'"
        " else 'architecture' end"
    )
    # r2 is untested; nobody can say on which storey a missing door is.
    assert chain.world.sql(
        "select storey, check_name, open, untested from core.open_by_storey order by 1, 2"
    ) == [
        ("Ground floor", "clash", 1, 0), ("Ground floor", "diff", 2, 0),
        ("Ground floor", "tester", 2, 1), ("Roof", "clash", 1, 0), (None, "tester", 1, 0),
    ]  # fmt: skip
    assert chain.world.sql(
        "select discipline, check_name, open, untested from core.open_by_discipline order by 1, 2"
    ) == [
        ("architecture", "clash", 2, 0), ("architecture", "diff", 2, 0),
        ("architecture", "tester", 3, 1), ("mechanical", "clash", 2, 0),
    ]  # fmt: skip
    chain.world.sql(
        "select public.decide(array[finding_id], 'reviewed')"
        " from core.all_findings where global_id = 'r1'"
    )
    assert chain.world.sql(
        "select sum(open), sum(untested) from core.open_by_storey where check_name = 'tester'"
    ) == [(2, 1)]


def test_findings_from_the_command_line(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", chain.world.dsn)
    get_settings.cache_clear()
    chain.run([ONE, TWO, THREE])
    chain.run([ONE, TWO], failed=frozenset({thing("arc/w3")}))
    disciplines(chain)
    chain.world.sql(
        "select public.decide(%s, 'assigned', assigned_to => 'Ada')", [chain.pair_id(ONE)]
    )
    chain.world.sql("select public.decide(%s, 'approved')", [chain.pair_id(TWO)])

    def listed(*words: str) -> set[int]:
        done = CliRunner().invoke(app, ["findings", "--json", *words])
        assert done.exit_code == 0, done.output
        return {each["finding_id"] for each in json.loads(done.stdout)["findings"]}

    try:
        one, two, three = (chain.pair_id(each) for each in (ONE, TWO, THREE))
        assert listed() == {one}
        assert listed("--review", "approved") == {two}
        assert listed("--state", "untested") == {three}
        assert listed("--discipline", "Mechanical") == {one}
        assert listed("--discipline", "Mechanical", "--storey", "Roof") == set()
        refused = CliRunner().invoke(app, ["findings", "--discipline", "structure"])
        assert isinstance(refused.exception, RequestInvalid)
        assert listed("--check", "diff") == set()
        assert listed("--storey", "ground floor") == {one}
        assert listed("--storey", "Roof") == set()
        assert listed("--assigned", "Ada") == {one}
        assert listed("--assigned", "Bob") == set()
        shown = CliRunner().invoke(app, ["findings"]).stdout
        assert "1 open finding in all; 1 more could not be tested" in shown
        assert "Wall and Wall overlap by 20 mm" in shown
        assert "architecture / mechanical" in shown
        assert "Open by storey" in shown
    finally:
        get_settings.cache_clear()
