"""`ifcbase links` on a ledger with one doubtful element."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from ifcbase.cli import context
from ifcbase.cli.app import app
from ifcbase.errors import NotFound
from ifcbase.ledger.postgres import PostgresLedger
from ifcbase.settings import Settings
from tests.integration.matching.test_links import COLUMNS, PIPES, Runs, clash
from tests.integration.world import World

Command = Callable[..., str]


@pytest.fixture
def command(busy: World, store: PostgresLedger, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `ifcbase links` in a project where column-0 may have become new-column-0."""
    runs = Runs(busy, store)
    runs.run(COLUMNS, PIPES, clash(0))
    moved = replace(COLUMNS[0], id="new-column-0", at=(0.4, 0, 0))
    runs.run([moved, *COLUMNS[1:]], PIPES, [])
    name = busy.value("select name from core.projects where id = %s", busy.project)

    @contextmanager
    def connected() -> Iterator[Any]:
        yield Settings(project=name), busy.connection

    monkeypatch.setattr(context, "ledger_connection", connected)

    def run(*words: str) -> str:
        done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["links", *words])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_a_doubt_is_listed_with_what_is_known_and_settled(command: Command) -> None:
    shown = command("list")
    assert "column-0" in shown
    assert "new-column-0" in shown
    (doubt,) = json.loads(command("list", "--json"))
    assert (doubt["from_class"], doubt["pairs"], doubt["same_properties"]) == ("IfcColumn", 1, True)
    assert "is the same element" in command("confirm", str(doubt["id"]), "--note", "moved")
    assert json.loads(command("list", "--json")) == []
    with pytest.raises(NotFound):
        command("reject", str(doubt["id"]))


def test_a_rejected_doubt_says_so(command: Command) -> None:
    (doubt,) = json.loads(command("list", "--json"))
    said = json.loads(command("reject", str(doubt["id"]), "--json"))
    assert said["verdict"] == "is not the same element"
    assert json.loads(command("list", "--model", "A", "--json")) == []
