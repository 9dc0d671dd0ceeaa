"""The dashboards' queries are executed by the read-only role and return rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import conninfo

from ifcbase.errors import RequestInvalid
from ifcbase.jobs.metrics import LEDGER
from ifcbase.stack.reader import make_reader
from tests.integration.ledger.filled import Filled, fill
from tests.integration.migrated import template
from tests.integration.monitoring.test_prometheus import MONITORING
from tests.integration.servers import Database, Server
from tests.unit.cli.calling import Caller

__all__ = ["template"]

DASHBOARDS = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))
PASSWORD = "only for reading"


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["panels"]
    return found


@pytest.fixture(scope="module")
def filled(server: Server, template: Any) -> Iterator[Database]:
    with server.database(template(server)) as database:
        with closing(Filled(database.dsn)) as world:
            fill(world)
            world.sql(
                "insert into core.jobs (project_id, check_name, request, timeout_s, memory_mb, state,"
                " error, ended_at) values (1, 'clash', '{}', 60, 512, 'failed',"
                ' \'{"code": "native-crash"}\', now())'
            )
            world.sql("update clash.state_counts set state = 'untested', reason = 'no geometry'"
                      " where result_id = (select min(result_id) from clash.state_counts)")  # fmt: skip
            world.sql("insert into clash.state_counts (result_id, state, reason, project_id, pairs,"
                      " entered) select result_id, 'resolved', '', project_id, 1, 1"
                      " from clash.state_counts limit 1")  # fmt: skip
            world.sql("update clash.pair_state_rows set state = 'untested', reason = 'no geometry'"
                      " where pair_id = (select min(pair_id) from clash.pair_states)")  # fmt: skip
        make_reader(database.dsn, PASSWORD)
        yield database
    with psycopg.connect(server.state.admin_dsn(), autocommit=True) as connection:
        connection.execute("drop role ifcbase_reader")
        connection.execute("drop role ifcbase_monitor")


@pytest.fixture
def reader(filled: Database) -> Iterator[psycopg.Connection[Any]]:
    dsn = conninfo.make_conninfo(filled.dsn, user="ifcbase_reader", password=PASSWORD)
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def expanded(query: str) -> str:
    """A query as Grafana sends it: macros and variables put in."""
    query = re.sub(
        r"\$__timeFilter\((\w+)\)", r"\1 between now() - interval '1 year' and now()", query
    )
    return query.replace("$project", "select name from dashboard.projects")


SQL = [
    pytest.param(target["rawSql"], id=f"{path.stem}: {panel['title']}")
    for path in DASHBOARDS
    for panel in panels(path)
    for target in panel["targets"]
    if "rawSql" in target
]


@pytest.mark.parametrize("query", SQL)
def test_a_query_returns_rows_to_the_reader(query: str, reader: psycopg.Connection[Any]) -> None:
    cursor = reader.execute(expanded(query).encode())
    assert cursor.fetchall()
    if "as metric" in query:
        assert cursor.description is not None
        assert [each.name for each in cursor.description] == ["time", "metric", "value"]


def test_figures_that_panels_show_exist() -> None:
    recorded = set(re.findall(r"record: ([\w:]+)", (MONITORING / "rules.yml").read_text()))
    known = {f"ifcbase_{name}" for name in LEDGER} | {"ifcbase_disk_free_bytes"} | recorded
    shown = 0
    for path in DASHBOARDS:
        for panel in panels(path):
            for target in panel["targets"]:
                names = set(re.findall(r"\bifcbase[\w:]+", target.get("expr", "")))
                assert names <= known, names - known
                shown += len(names)
    assert shown >= 8


def test_the_reader_reads_and_does_nothing_else(
    reader: psycopg.Connection[Any], filled: Database
) -> None:
    for refused in (
        "select * from core.members", "select * from clash.results", "select * from core.files",
        "select * from core.jobs", "create table public.mine (n int)",
        "update dashboard.jobs set state = 'queued'",
    ):  # fmt: skip
        with pytest.raises(psycopg.Error):
            reader.execute("set default_transaction_read_only = off")
            reader.execute(refused.encode())


def test_its_reach_can_be_narrowed(filled: Database, reader: psycopg.Connection[Any]) -> None:
    everywhere = {
        row[0] for row in reader.execute("select distinct project from dashboard.results")
    }
    assert everywhere >= {"own", "foreign", "open"}
    try:
        make_reader(filled.dsn, PASSWORD, ["own"])
        for view in ("results", "clash_states", "ids", "findings", "jobs"):
            found = reader.execute(f"select distinct project from dashboard.{view}").fetchall()
            assert found == [("own",)], view
    finally:
        make_reader(filled.dsn, PASSWORD)


def test_a_short_password_and_an_unknown_project_are_refused(filled: Database) -> None:
    with pytest.raises(RequestInvalid, match="less than 12"):
        make_reader(filled.dsn, "short")
    with pytest.raises(RequestInvalid, match="nowhere"):
        make_reader(filled.dsn, PASSWORD, ["own", "nowhere"])


def test_a_name_that_is_sql_stays_a_name(filled: Database) -> None:
    name = "o'brien'); drop table core.jobs; --"
    with psycopg.connect(filled.dsn) as connection:
        connection.execute(
            "alter table core.projects drop constraint if exists projects_name_check"
        )
        connection.execute("insert into core.projects (name) values (%s)", [name])
    try:
        make_reader(filled.dsn, "pass'word\\; --", [name])
        with psycopg.connect(filled.dsn) as connection:
            assert connection.execute("select name from dashboard.projects").fetchall() == [(name,)]
    finally:
        make_reader(filled.dsn, PASSWORD)


def test_the_command_wants_a_password_and_tells_what_the_role_sees(
    filled: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = Caller(monkeypatch, capsys)
    monkeypatch.setenv("DATABASE_URL", filled.dsn)
    refused = call("db", "reader")
    assert refused.code == 2
    assert "IFCBASE_READER_PASSWORD" in refused.err
    monkeypatch.setenv("IFCBASE_READER_PASSWORD", PASSWORD)
    assert "every project" in call("db", "reader").out
    assert PASSWORD not in call("config", "show").out
