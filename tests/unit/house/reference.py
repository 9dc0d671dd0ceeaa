"""Writes the generated pages of docs/reference from the code: `python -m tests.unit.house.reference`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from ifcbase.cli.app import app
from ifcbase.errors import error_classes
from ifcbase.gateway.caller import May, identify
from ifcbase.gateway.routes import ROUTERS
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
        "keeps them. A retryable failure is tried again up to the allowed attempts. The gateway answers",
        "with a problem (RFC 9457) whose `type` is `/problems/` and the code; that is also where it",
        "describes it. What failed inside the service is told by its title only; the log has the rest.",
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


def http_page() -> str:
    """Every route with the verb it needs."""
    lines = [
        "# HTTP API",
        "",
        _NOTE,
        "",
        "Served by `ifcbase gateway` and `ifcbase up`. The gateway describes itself, with fields and",
        "examples, at `/docs` for people and at `/openapi.json` for programs. A caller needs the verb",
        "that is named in its project; failures are problems (RFC 9457) of the [types](errors.md) at",
        "`/problems`.",
    ]
    tags: dict[str, list[str]] = {}
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                told = " ".join((route.description or "").split())
                path, verb = route.path.replace(":path", ""), _verb(route.dependant)
                for method in sorted(route.methods or ()):
                    row = f"| `{method} {path}` | {verb} | {told} |"
                    tags.setdefault(str(route.tags[0]), []).append(row)
    for tag, rows in tags.items():
        title = tag[0].upper() + tag[1:]
        lines += ["", f"## {title}", "", "| route | needs | |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _verb(needs: Dependant) -> str:
    """What a caller needs for a route."""
    for each in needs.dependencies:
        if isinstance(each.call, May):
            return each.call.verb
        if each.call is identify:
            return "any key or token"
    return "everybody"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "commands.md": commands_page,
    "http.md": http_page,
}


def main() -> None:
    """Write all pages."""
    folder = Path(__file__).resolve().parents[3] / "docs" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
