"""`ifcbase restore`: bring a backup back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.cli.backing import deployment, folder_of
from ifcbase.cli.backup import NameArgument
from ifcbase.cli.output import JsonOption, console, counted, print_json, progress_line
from ifcbase.errors import Conflict
from ifcbase.settings import get_settings
from ifcbase.stack.backup import restoring
from ifcbase.stack.backup.facts import counted as facts_counted
from ifcbase.stack.backup.restoring import Plan
from ifcbase.stack.locking import is_locked


def restore(
    name: NameArgument = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; else only shown.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="In the place of the ledger that is there.")
    ] = False,
    without_managed: Annotated[
        bool, typer.Option("--without-managed", help="Without the rows of auth and storage.")
    ] = False,
    extract: Annotated[
        Path | None, typer.Option(help="Only write the parts of the backup into a new folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a backup back: shown first, done with --apply, all of it or nothing.

    Exit code: 0 done (or could be), 2 not.
    """
    settings = get_settings()
    folder = folder_of(settings)
    name = name or folder.newest()
    if extract is not None:
        parts = restoring.extract(folder, name, extract)
        if as_json:
            print_json({"folder": str(extract), "parts": parts})
        else:
            console().say(f"{', '.join(parts)} in {extract}")
        return
    target = deployment(settings)
    if apply and context.embedded_in_use(settings) and is_locked(context.keeper_lock(settings)):
        raise Conflict(
            "`ifcbase up` is running, and its workers with it",
            hint="Stop it with Ctrl-C where it runs; run this with IFCBASE_EMBEDDED=1 then.",
        )
    managed = not without_managed
    if apply:
        with progress_line() as line:
            found = restoring.restore(
                folder, name, target, replace=replace, managed=managed, progress=line
            )
    else:
        found = restoring.plan(folder, name, target, replace=replace, managed=managed)
    if as_json:
        print_json(_document(found, applied=apply))
    else:
        _tell(found, applied=apply)
    raise typer.Exit(2 if found.obstacles else 0)


def _document(found: Plan, *, applied: bool) -> dict[str, object]:
    tables, rows = facts_counted(found.manifest.facts)
    return {
        "name": found.name,
        "applied": applied,
        "made_at": found.manifest.made_at,
        "tables": tables,
        "rows": rows,
        "rows_now": found.rows_now,
        "new_files": found.new_files,
        "new_roles": found.new_roles,
        "head": found.manifest.head,
        "auth_and_storage": found.restores_managed,
        "obstacles": found.obstacles,
    }


def _tell(found: Plan, *, applied: bool) -> None:
    out = console()
    tables, rows = facts_counted(found.manifest.facts)
    out.say(f"{found.name}, made {found.manifest.made_at}, Postgres {found.manifest.major}")
    out.say(f"database: {counted(tables, 'table')} with {counted(rows, 'row')}")
    if found.occupied:
        out.say(f"in the place of a ledger with {counted(found.rows_now, 'row')}")
    out.say(f"files: {found.new_files} of {len(found.manifest.files)} are not there yet")
    if found.new_roles:
        out.say(f"new roles, without passwords: {', '.join(found.new_roles)}")
    if found.restores_managed:
        out.say("rows of auth and storage: those that are missing come back, others stay")
    if found.manifest.missing:
        out.say(f"{counted(len(found.manifest.missing), 'file')} were missing when it was made")
    for each in found.obstacles:
        out.say(f"in the way: {each}")
    if applied:
        out.say("restored: every table and definition compared and equal")
        out.say("now bring it to this version: ifcbase db migrate")
    else:
        out.say("nothing was changed" + ("" if found.obstacles else "; with --apply it is done"))
