"""Writes the generated pages of docs/reference from the code: `python -m tests.unit.house.reference`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from ifcbase.cli.app import app
from ifcbase.errors import error_classes
from ifcbase.settings import Settings, variable_of

_NOTE = "<!-- Generated from the code. Do not edit: run `python -m tests.unit.house.reference`. -->"


def settings_page() -> str:
    """Every setting with its default and meaning."""
    lines = [
        "# Settings",
        "",
        _NOTE,
        "",
        "Settings are environment variables. A secret `X` may be given as `X_FILE`, the path of a file",
        "that holds it. `ifcbase config show` prints the values in force; an unknown variable that",
        "starts with `IFCBASE_` is refused.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        lines.append(f"| `{variable_of(name)}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Every error with its cure."""
    lines = [
        "# Errors",
        "",
        _NOTE,
        "",
        "Every failure has a code, a title and a hint. `--json` prints them as `error`; a failed job",
        "keeps them. A retryable failure is tried again up to the allowed attempts.",
        "",
        "| code | title | what to do | HTTP | exit | retryable |",
        "|---|---|---|---|---|---|",
    ]
    for code, cls in sorted(error_classes().items()):
        retry = "yes" if cls.retryable else ""
        lines.append(
            f"| `{code}` | {cls.title} | {cls.default_hint} | {cls.http_status} | {cls.exit_code} "
            f"| {retry} |"
        )
    return "\n".join(lines) + "\n"


def _commands() -> dict[str, Any]:
    root = typer.main.get_command(app)
    found: dict[str, Any] = {}

    def walk(command: Any, path: str) -> None:
        children = getattr(command, "commands", None)
        if children:
            for name, child in children.items():
                walk(child, f"{path} {name}".strip())
            if path:
                found.setdefault(path, command)
        else:
            found[path] = command

    walk(root, "")
    return found


def command_names() -> set[str]:
    """ "clash", "jobs", "jobs list", …"""
    return set(_commands())


def commands_page() -> str:
    """Every command with its options."""
    lines = ["# Commands", "", _NOTE, ""]
    for name, command in sorted(_commands().items()):
        if getattr(command, "commands", None):
            continue
        lines += [f"## ifcbase {name}", "", (command.help or "").strip(), ""]
        rows = []
        for parameter in command.params:
            if parameter.param_type_name == "option":
                names = ", ".join(f"`{n}`" for n in parameter.opts)
                rows.append(f"| {names} | {parameter.help or ''} |")
            else:
                rows.append(
                    f"| `{parameter.name.upper()}` | {getattr(parameter, 'help', '') or ''} |"
                )
        if rows:
            lines += ["| option | meaning |", "|---|---|", *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "commands.md": commands_page,
}


def main() -> None:
    """Write all pages."""
    folder = Path(__file__).resolve().parents[3] / "docs" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
