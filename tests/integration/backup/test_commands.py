"""`ifcbase backup` and `ifcbase restore` as people call them."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests.integration.backup.conftest import Stand
from tests.unit.cli.calling import Caller


@pytest.fixture
def call(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Caller:
    monkeypatch.setenv("DATABASE_URL", stand.database.dsn)
    monkeypatch.setenv("IFCBASE_HOME", str(stand.files.parent))
    monkeypatch.setenv("COLUMNS", "200")
    return Caller(monkeypatch, capsys)


def test_a_round_of_all_commands(call: Caller, stand: Stand) -> None:
    assert call("backup", "verify").code == 2
    none = call("backup", "list")
    assert none.code == 0
    assert f"there is no backup in {stand.folder.path} yet" in none.out
    assert json.loads(call("backup", "list", "--json").out) == []
    with psycopg.connect(stand.database.dsn) as connection:
        connection.execute("update core.files set size = size")
    made = call("backup", "create", "--verify", "--prune", "--json")
    document = json.loads(made.out)
    # The ledger of this test knows files that nobody ever had: the backup says so.
    assert made.code == 3
    assert document["missing"]
    assert document["verified"]["rows"] > 100
    (line,) = json.loads(call("backup", "list", "--json").out)
    assert line["name"] == document["name"]
    assert line["verified"]
    assert "never" not in call("backup", "list").out
    assert "all as they were" in call("backup", "verify", document["name"]).out
    assert "nothing to remove" in call("backup", "prune").out

    shown = call("restore")
    assert shown.code == 2
    assert "in the way" in shown.out
    assert "nothing was changed" in shown.out
    refused = call("restore", "--apply", "--json")
    assert json.loads(refused.out)["error"]["code"] == "conflict"
    done = call("restore", "--apply", "--replace")
    assert done.code == 0
    assert "compared and equal" in done.out
    assert call("restore", "ifcbase-20200101T000000Z").code == 2
    target = stand.files.parent / "parts"
    assert "database.dump" in call("restore", "--extract", target).out
    assert (target / "database.dump").read_bytes().startswith(b"PGDMP")


def test_retention_of_backups_is_a_setting(call: Caller, stand: Stand) -> None:
    call.patch.setenv("IFCBASE_BACKUP_KEEP_WEEKLY", "0")
    call.patch.setenv("IFCBASE_BACKUP_KEEP_MONTHLY", "0")
    call.patch.setenv("IFCBASE_BACKUP_KEEP_DAILY", "1")
    assert call("backup", "create").code == 3
    assert call("backup", "create").code == 3
    first, second = stand.folder.names()
    assert first in call("backup", "prune").out
    assert stand.folder.names() == [first, second]
    assert first in call("backup", "prune", "--apply").out
    assert stand.folder.names() == [second]


def test_a_database_without_a_ledger_is_not_backed_up(call: Caller, stand: Stand) -> None:
    call.patch.setenv("DATABASE_URL", stand.database.dsn.rpartition("/")[0] + "/template1")
    failed = call("backup", "create", "--json")
    assert failed.code == 2
    assert "no ledger" in json.loads(failed.out)["error"]["message"]
    assert stand.folder.names() == []
