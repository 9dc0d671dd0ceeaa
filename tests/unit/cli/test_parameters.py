"""What is typed reaches a command as Typer itself would hand it over, judged where there is a rule."""

from __future__ import annotations

import json
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer._coercion import build_runtime_param
from typer.core import _TyperParameter

from ifcbase.cli import parameters


class Colour(StrEnum):
    RED = "red"


def given(
    model: Annotated[Path, typer.Argument()],
    rules: Annotated[list[Path], typer.Argument()],
    name: Annotated[str | None, typer.Option()] = None,
    words: Annotated[list[str] | None, typer.Option()] = None,
    count: Annotated[int, typer.Option(min=1, max=9)] = 3,
    share: Annotated[float, typer.Option()] = 0.5,
    colour: Annotated[Colour, typer.Option()] = Colour.RED,
    there: Annotated[Path | None, typer.Option(exists=True)] = None,
    flag: Annotated[bool, typer.Option()] = False,
) -> None:
    seen.append(dict(locals()))


seen: list[dict[str, Any]] = []


def outcome(*words: str) -> tuple[Any, str]:
    """What the command got, or the error."""
    app = typer.Typer(add_completion=False)
    app.command()(given)
    seen.clear()
    try:
        app(list(words), standalone_mode=False)
    except typer.TyperException as error:
        return None, error.format_message()
    return seen[-1], ""


def itself(parameter: Any) -> Any:
    """Typer's own way."""
    return build_runtime_param(parameter.type_descriptor)


@pytest.mark.parametrize(
    "words",
    [
        ("m.ifc", "r.ids"),
        ("m.ifc", "a.ids", "b.ids", "--name", "=1+1", "--words", "a", "--words", "b", "--flag"),
        ("m.ifc", "r.ids", "--count", "9", "--share", "0.25", "--colour", "red"),
        ("m.ifc", "r.ids", "--count", "10"),
        ("m.ifc", "r.ids", "--count", "many"),
        ("m.ifc", "r.ids", "--colour", "blue"),
        ("m.ifc", "r.ids", "--there", "/nowhere/at/all"),
        ("m.ifc", "r.ids", "--there", __file__),
        ("m.ifc",),
        ("m.ifc", "r.ids", "--unknown"),
        ("", ""),
    ],
)
def test_a_command_gets_what_typer_would_give_it(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters.lighten()
    ours = outcome(*words)
    monkeypatch.setattr(_TyperParameter, "get_runtime_param", itself)
    theirs = outcome(*words)
    assert ours == theirs
    if ours[0]:
        assert {k: type(v) for k, v in ours[0].items()} == {
            k: type(v) for k, v in theirs[0].items()
        }


PROGRAM = """
import json, sys
from ifcbase.cli import main
try:
    main.run()
finally:
    sys.stderr.write(json.dumps(sorted(sys.modules)))
"""


def test_a_small_check_does_not_wait_for_a_library_that_judges_parameters() -> None:
    """Loading it took as long as the check of a small model."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "validate", "/nowhere/m.ifc", "/nowhere/r.ids"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert not loaded & {"pydantic", "numpy", "ifcopenshell", "psycopg"}
    assert "ifcbase.cli.validate" in loaded
