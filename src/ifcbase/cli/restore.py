"""`ifcbase restore`: bring a backup back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ifcbase.cli import context
from ifcbase.cli.backing import deployment, folder_of
from ifcbase.cli.backup import NameArgument
from ifcbase.cli.output import (
    JsonOption,
    console,
    counted,
    errors_console,
    print_json,
    progress_line,
)
from ifcbase.errors import Conflict, IfcbaseError, RequestInvalid
from ifcbase.ledger import access
from ifcbase.ledger.connect import connect
from ifcbase.progress import Progress
from ifcbase.settings import get_settings
from ifcbase.stack.backup import restoring
from ifcbase.stack.backup.facts import counted as facts_counted
from ifcbase.stack.backup.folder import Folder
from ifcbase.stack.backup.restoring import Plan
from ifcbase.stack.backup.source import Deployment
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
    only_files: Annotated[
        bool, typer.Option("--only-files", help="Only the files that are missing in Storage.")
    ] = False,
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
    if only_files:
        with deployment(settings) as target:
            _only_files(folder, name, target, apply=apply, as_json=as_json)
        return
    if apply and context.embedded_in_use(settings) and is_locked(context.keeper_lock(settings)):
        raise Conflict(
            "`ifcbase up` is running, and its workers with it",
            hint="Stop it with Ctrl-C where it runs; run this with IFCBASE_EMBEDDED=1 then.",
        )
    managed = not without_managed
    with deployment(settings) as target:
        if apply:
            with progress_line() as line:
                found = restoring.restore(
                    folder, name, target, replace=replace, managed=managed, progress=line
                )
                if target.objects is not None:
                    _into_storage(folder, name, target, line)
        else:
            found = restoring.plan(folder, name, target, replace=replace, managed=managed)
    if as_json:
        print_json(_document(found, applied=apply))
    else:
        _tell(found, applied=apply)
    raise typer.Exit(2 if found.obstacles else 0)


def _into_storage(folder: Folder, name: str, target: Deployment, progress: Progress) -> int:
    """The files of a backup, after its database. Raises IfcbaseError saying how to go on."""
    assert target.objects is not None  # noqa: S101 (callers have looked)
    try:
        with connect(target.dsn) as connection:
            # Storage's policies are the service's own: no dump has them.
            for line in access.apply_storage(connection):
                errors_console().say(f"Storage: {line}")
        return restoring.restore_objects(folder, name, target.objects, progress)
    except IfcbaseError as error:
        error.hint = f"The database is restored. Files go on with: ifcbase restore {name} --only-files --apply"
        raise


def _only_files(
    folder: Folder, name: str, target: Deployment, *, apply: bool, as_json: bool
) -> None:
    if target.objects is None:
        raise RequestInvalid(
            "--only-files is for files in Storage",
            hint="Set IFCBASE_FILES_BACKEND=supabase, SUPABASE_URL and SUPABASE_SERVICE_KEY.",
        )
    if apply:
        with progress_line() as line:
            count = _into_storage(folder, name, target, line)
    else:
        count = restoring.plan(folder, name, target, replace=True).new_files
    if as_json:
        print_json({"name": name, "applied": apply, "new_files": count})
    else:
        console().say(f"{counted(count, 'file')} {'written' if apply else 'would be written'}")


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
