"""`ifcbase config`: every setting and where it comes from."""

from __future__ import annotations

import os

import typer
from pydantic import SecretStr

from ifcbase.cli.output import JsonOption, console, print_json, table
from ifcbase.settings import Settings, get_settings, variable_of

app = typer.Typer(help="The settings: show.", no_args_is_help=True)


@app.command("show")
def show(as_json: JsonOption = False) -> None:
    """Every setting, its value and where it comes from; secrets are never shown."""
    settings = get_settings()
    lines = []
    for name, field in Settings.model_fields.items():
        variable = variable_of(name)
        value = getattr(settings, name)
        shown = "(set, not shown)" if isinstance(value, SecretStr) else value
        source = (
            "environment"
            if variable in os.environ
            else "file"
            if f"{variable}_FILE" in os.environ
            else "default"
        )
        lines.append((variable, shown, source, field.description or ""))
    if as_json:
        print_json(
            [
                {"variable": v, "value": s if isinstance(s, bool | int | float | None) else str(s),
                 "source": src, "meaning": text}
                for v, s, src, text in lines
            ]
        )  # fmt: skip
        return
    console().print(table("Settings", ["variable", "value", "from", "meaning"], lines))
