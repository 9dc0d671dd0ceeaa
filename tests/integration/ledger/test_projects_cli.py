"""`ifcbase projects` and `ifcbase members` against a real database, as commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ifcbase.cli.main import run
from ifcbase.settings import get_settings
from tests.integration.servers import Server
from tests.integration.world import World

USER = "b6f1d6a0-3f6c-4b9e-9d35-6c1f1c1f1c1f"
Command = Callable[..., "Done"]


@pytest.fixture(scope="module")
def owned(server: Server, template: Callable[[Server], str]) -> Iterator[World]:
    """A migrated database for the commands of this module."""
    with server.database(template(server)) as database:
        world = World(database.dsn)
        yield world
        world.close()


@dataclass
class Done:
    """What a command printed and how it ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(
    owned: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Runs `ifcbase` on that database, in this process: starting one takes seconds."""
    monkeypatch.setenv("DATABASE_URL", owned.dsn)
    get_settings.cache_clear()

    def run_it(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["ifcbase", *arguments])
        capsys.readouterr()
        code = 0
        try:
            run()
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, *capsys.readouterr())

    yield run_it
    get_settings.cache_clear()


def answer(done: Done) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_project_is_made_published_and_closed(owned: World, command: Command) -> None:
    made = answer(command("projects", "create", "tower", "--title", "Tower [east]", "--json"))
    assert made["name"] == "tower"
    public = "select public from core.projects where name = 'tower'"
    assert owned.value(public) is False
    answer(command("projects", "public", "tower", "--json"))
    assert owned.value(public) is True
    listed = {each["name"]: each for each in answer(command("projects", "list", "--json"))}
    assert set(listed) == {"default", "tower"}
    assert listed["tower"] | {"created_at": None} == {
        "id": made["id"], "name": "tower", "title": "Tower [east]", "public": True, "members": 0,
        "clash_results": 0, "created_at": None,
    }  # fmt: skip
    shown = command("projects", "list").stdout
    assert "Tower [east]" in shown
    assert "everybody" in shown
    answer(command("projects", "public", "tower", "--off", "--json"))
    assert owned.value(public) is False


def test_members_come_change_and_go(owned: World, command: Command) -> None:
    for role in ("viewer", "admin"):
        answer(command("members", "add", USER, "--role", role, "--json"))
        listed = answer(command("members", "list", "--json"))
        assert [(each["user"], each["role"]) for each in listed] == [(USER, role)]
    assert USER in command("members", "list").stdout
    answer(command("members", "remove", USER, "--json"))
    assert owned.sql("select 1 from core.members") == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["projects", "create", "Tower East"], "request-invalid", "no name for a project"),
        (["projects", "create", "default"], "conflict", "already"),
        (["projects", "public", "defualt"], "not-found", "no project 'defualt'"),
        (["members", "list", "--project", "nowhere"], "not-found", "no project 'nowhere'"),
        (["members", "add", "anna@example.org"], "request-invalid", "no user id"),
        (["members", "add", USER, "--role", "owner"], "request-invalid", "no role"),
        (["members", "remove", USER, "--project", "default"], "not-found", "no member"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    command: Command, arguments: list[str], code: str, says: str
) -> None:
    done = command(*arguments, "--json")
    assert done.returncode == 2, done.stdout
    error = json.loads(done.stdout)["error"]
    assert error["code"] == code
    assert says in error["message"]
    assert error["hint"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["results", "list"], ["results", "show", "1"], ["sets", "list"], ["pairs", "list"],
        ["jobs", "list"], ["trend", "--set", "x"], ["ledger", "verify"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_unknown_project_is_not_an_empty_one(command: Command, arguments: list[str]) -> None:
    unknown = command(*arguments, "--project", "nowhere")
    assert unknown.returncode == 2
    assert "error: there is no project 'nowhere'" in unknown.stderr
    empty = command(*arguments, "--project", "")
    assert empty.returncode == 2
    assert "error: --project is empty" in empty.stderr


def test_numbers_no_row_can_have_are_not_found(command: Command) -> None:
    for group in ("results", "pairs"):
        done = command(group, "show", "99999999999999999999", "--json")
        assert done.returncode == 2
        assert json.loads(done.stdout)["error"]["code"] == "not-found"


def test_what_is_not_there_yet_is_a_sentence(command: Command) -> None:
    command("projects", "create", "fresh")
    for group, said in (("results", "no results yet"), ("sets", "no clash sets yet"),
                        ("pairs", "no pairs yet"), ("jobs", "no jobs yet"),
                        ("members", "fresh has no members yet")):  # fmt: skip
        assert command(group, "list", "--project", "fresh").stdout == f"{said}\n"


def test_rows_from_outside_claim_no_verdict_and_no_coverage(owned: World, command: Command) -> None:
    name = "a set whose name was made by a program from the names of very many models, and more"
    number = owned.value(
        "insert into public.clash_results (clash_set_name, output_filename, clash_count, clash_data)"
        " values (%s, 'x.json', 3, '[]') returning id",
        name,
    )
    shown = command("results", "show", str(number)).stdout
    assert f"{name}: 3 clashes, no verdict (inserted from outside)" in shown
    assert "Tested" not in shown
    assert "more" not in shown.replace(name, "")
    listed = command("results", "list").stdout
    assert "no verdict (inserted from outside)" in listed
    assert name not in listed
    assert "…" in listed
