"""The verbs of the command line, each in a module of its name that is loaded when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

#: In the order of the help, with the first sentence of theirs.
VERBS = {
    "clash": "Find clashes between models.",
    "convert": "Convert a model to 3D formats, floor plans or tables.",
    "validate": "Check a model by the specifications of one or several IDS files.",
    "diff": "Show what changed between two versions of a model.",
    "demo": "Check a sample building in two revisions and show what changed.",
    "up": "Start Postgres, workers and the HTTP API, keep them running, stop them in order at Ctrl-C.",
    "worker": "Take jobs from the queue, one at a time, until told to stop.",
    "gateway": "Serve the HTTP API until told to stop.",
    "compare": "What appeared, what is gone and why, what became deeper or shallower.",
    "decide": "Approve, ignore, review or reopen pairs; assign them; say something about them.",
    "plan": "Try a decision rule or a tolerance on the last result; nothing is changed.",
    "trend": "How many pairs are in each state after each result.",
    "findings": "What is open, over all checks: clashes, IDS failures, changes.",
    "export": "Write a result, or the open findings of all checks, as BCF, XLSX, CSV, HTML or Markdown.",
    "jobs": "Jobs: list, show, cancel, requeue, wait.",
    "spool": "Results that wait until they can be stored: list, show, flush.",
    "results": "Results: list, show.",
    "models": "Models: list, discipline.",
    "sets": "Clash sets: list, show.",
    "pairs": "Pairs: list, show.",
    "rules": "Decision rules: add, list, off, on.",
    "ledger": "The ledger itself: verify.",
    "links": "Doubtful links between elements: list, confirm, reject.",
    "db": "The database: migrate, status, url, upgrade, buckets, reader, stop.",
    "backup": "Backups: create, daily, status, list, verify, prune.",
    "restore": "Bring a backup back: shown first, done with --apply, all of it or nothing.",
    "schedules": "Schedules: list, set, retention, report.",
    "doctor": "Look at machine, configuration, database, queue, files and backups; change nothing.",
    "projects": "Projects: list, create, public.",
    "members": "Members of a project: list, add, remove.",
    "keys": "API keys: create, list, revoke. Supabase's secrets: generate, check, renew-worker, revoke-worker.",
    "config": "The settings: show.",
}


class _Loaded(Mapping[str, Any]):
    """The commands by name, each loaded when it is asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name in VERBS and name not in self._loaded:
            self._loaded[name] = _load(name)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        # What a mapping does by itself would load the command.
        return name in VERBS

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


def _load(name: str) -> Any:
    """The command of a module: its group of verbs, or its function of the same name."""
    module = importlib.import_module(f"ifcbase.cli.{name}")
    holder = typer.Typer()
    if hasattr(module, "app"):
        holder.add_typer(module.app, name=name)
    else:
        holder.command(name)(getattr(module, name))
    return typer.main.get_group(holder).commands[name]


class Verbs(TyperGroup):
    """A group that knows its commands by name and sentence, and loads the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast("dict[str, Any]", _Loaded())

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is the base's
        """The names, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the base's
        """What the list of commands shows of one: it is not loaded for that."""
        if cmd_name not in VERBS:
            return None
        return TyperCommand(cmd_name, help=VERBS[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that is called, loaded. Raises a usage error for one there is not."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found if name is None else self.commands[name], rest
