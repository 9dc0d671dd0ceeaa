"""What each command loads: a second of imports is felt by everybody who only lists jobs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import typer

from ifcbase.cli.app import app
from ifcbase.cli.verbs import VERBS

GEOMETRY = {"ifcopenshell", "ifctester", "ifcfast", "manifold3d", "numba", "llvmlite", "scipy"}
DATABASE = {"psycopg", "psycopg_pool"}
QUEUE = {"procrastinate"}
IDS = {"xmlschema", "elementpath"}
REPORTS = {"xlsxwriter"}
ALL = GEOMETRY | DATABASE | QUEUE | IDS | REPORTS | {"numpy", "sklearn"}
#: What must not be loaded when a command begins to work, by what is typed.
NOT_LOADED = {
    "--version": ALL | {"pydantic", "rich.console"},
    "--help": ALL | {"pydantic"},
    "clash --help": ALL - {"numpy"},
    "diff --help": ALL - {"numpy"},
    "convert --help": ALL - {"numpy"},
    "validate --help": ALL,
    "jobs list --help": ALL - DATABASE,
    "results list --help": ALL - DATABASE,
    "pairs list --help": ALL - DATABASE,
    "worker --help": GEOMETRY | IDS | REPORTS,
}
#: Runs a command; the last line of stderr are the modules it loaded.
PROGRAM = """
import json, sys
from ifcbase.cli import main
try:
    main.run()
finally:
    sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


def loaded(typed: str) -> set[str]:
    """The modules that a command has loaded when it has ended."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *typed.split()],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("typed", NOT_LOADED)
def test_a_command_does_not_load_what_it_does_not_need(typed: str) -> None:
    assert not loaded(typed) & NOT_LOADED[typed]


def test_the_help_loads_no_verb() -> None:
    assert not loaded("--help") & {f"ifcbase.cli.{name}" for name in VERBS}


def test_the_check_sees_what_is_loaded() -> None:
    # Without it, names that no module has would pass every test above.
    assert {"psycopg", "pydantic"} <= loaded("jobs --help")
    assert {"ifcbase.cli.clash", "numpy"} <= loaded("clash --help")


def test_the_help_says_of_each_verb_what_the_verb_says_itself() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert list(commands) == list(VERBS)
    for name, command in commands.items():
        assert command.name == name
        assert VERBS[name] == (command.help or "").split("\n\n")[0], name


def test_a_verb_that_is_not_there_is_guessed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "clsh"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "No such command 'clsh'. Did you mean 'clash'?" in done.stderr
