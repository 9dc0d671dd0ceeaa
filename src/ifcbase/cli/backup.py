"""`ifcbase backup`: make, list, verify and thin out backups."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ifcbase.cli import backing, backup_daily, context
from ifcbase.cli.output import (
    JsonOption,
    console,
    counted,
    print_json,
    progress_line,
    table,
    when,
)
from ifcbase.settings import get_settings
from ifcbase.stack.backup.folder import Folder
from ifcbase.stack.backup.making import Made, Scope, make_backup
from ifcbase.stack.backup.verifying import Verified
from ifcbase.stack.backup.verifying import verify as verify_set

#: What a backup that had to leave files out ends with: it exists, and is not all there should be.
INCOMPLETE = 3

app = typer.Typer(help="Backups: create, daily, status, list, verify, prune.", no_args_is_help=True)
app.command("daily")(backup_daily.daily)
app.command("status")(backup_daily.status)

NameArgument = Annotated[str | None, typer.Argument(help="A backup; the newest if not named.")]


@app.command("create")
def create(
    whole: Annotated[
        bool, typer.Option("--whole", help="Everything in the database, not our schemas only.")
    ] = False,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Passwords too: of roles, and of the settings.")
    ] = False,
    include: Annotated[
        list[Path] | None, typer.Option(help="A further file or folder to take along.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Restore it into a scratch database and compare.")
    ] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Then remove what need not stay.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Back up database, files and configuration.

    Exit code: 0 done, 2 failed (earlier backups are as they were), 3 done, but files that the ledger
    knows were nowhere to be found.
    """
    settings = get_settings()
    folder = backing.folder_of(settings)
    scope: Scope = "whole" if whole else "ours"
    with backing.deployment(settings) as source, progress_line() as line:
        made = make_backup(
            source, folder, scope=scope, secrets=secrets, include=include or (), progress=line
        )
        verified = verify_set(folder, made.name, source.dsn, progress=line) if verify else None
    backing.note(source.dsn, "backup", made.name, files=len(made.manifest.files))
    if verified:
        backing.note(source.dsn, "verify", made.name, rows=verified.rows)
    removed = backing.prune(folder, settings) if prune else []
    if as_json:
        print_json(_document(made, verified, removed))
    else:
        _tell(made, verified, folder, removed)
    raise typer.Exit(INCOMPLETE if made.manifest.missing else 0)


@app.command("list")
def list_backups(as_json: JsonOption = False) -> None:
    """The backups there are, the newest first."""
    folder = backing.folder_of(get_settings())
    found = [_line(folder, name) for name in reversed(folder.names())]
    if as_json:
        print_json(found)
        return
    if not found:
        console().say(f"there is no backup in {folder.path} yet; `ifcbase backup create` makes one")
        return
    columns = ["name", "made", "rows", "files", "missing", "encrypted", "verified", "size"]
    rows = [tuple(_shown(each[column]) for column in columns) for each in found]
    console().print(table(f"Backups in {folder.path}", columns, rows))


@app.command("verify")
def verify(
    name: NameArgument = None,
    scratch: Annotated[
        str | None, typer.Option(help="Connection string of another server to restore it on.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read all of a backup, restore it into a scratch database, compare every table.

    Exit code: 0 all is equal, 2 it is not or could not be tried.
    """
    settings = get_settings()
    folder = backing.folder_of(settings)
    name = name or folder.newest()
    with progress_line() as line:
        dsn = context.database(settings) if scratch is None else scratch
        found = verify_set(folder, name, dsn, progress=line)
    if scratch is None:
        backing.note(dsn, "verify", name, rows=found.rows)
    if as_json:
        print_json(_as_json(found))
        return
    console().say(
        f"{found.name}: {counted(found.tables, 'table')}, {counted(found.rows, 'row')}, "
        f"{counted(found.files, 'file')}, all as they were"
    )


@app.command("prune")
def prune(
    apply: Annotated[bool, typer.Option("--apply", help="Remove them; else only shown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Backups that need not stay: all but the last of so many days, weeks and months."""
    settings = get_settings()
    folder = backing.folder_of(settings)
    names = backing.prune(folder, settings) if apply else backing.prunable(folder, settings)
    if as_json:
        print_json({"applied": apply, "backups": names})
        return
    for each in names:
        console().say(f"{'removed' if apply else 'would be removed'}: {each}")
    if not names:
        console().say("nothing to remove")
    elif not apply:
        console().say("nothing was changed; with --apply they are removed")


def _as_json(found: Verified) -> dict[str, Any]:
    """A verification as JSON."""
    return {name: getattr(found, name) for name in ("name", "tables", "rows", "files", "missing")}


def _line(folder: Folder, name: str) -> dict[str, Any]:
    document = folder.read_plainly(name)
    rows = [v.split()[0] for k, v in document["facts"].items() if k.startswith("rows ")]
    noted = folder.note(name, "verified")
    return {
        "name": name,
        "made": datetime.fromisoformat(document["made_at"]),
        "rows": sum(map(int, rows)),
        "files": len(document["files"]),
        "missing": len(document["missing"]),
        "encrypted": document["encrypted"],
        "verified": datetime.fromisoformat(noted["at"]) if noted else None,
        "size": sum(each["size"] for each in document["parts"].values()),
    }


def _shown(value: object) -> object:
    if isinstance(value, datetime):
        return when(value.astimezone(UTC))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "never" if value is None else value


def _document(made: Made, verified: Verified | None, removed: list[str]) -> dict[str, Any]:
    return {
        "name": made.name,
        "files": len(made.manifest.files),
        "missing": made.manifest.missing,
        "encrypted": made.manifest.encrypted,
        "verified": _as_json(verified) if verified else None,
        "removed": removed,
    }


def _tell(made: Made, verified: Verified | None, folder: Folder, removed: list[str]) -> None:
    out = console()
    form = "encrypted" if made.manifest.encrypted else "not encrypted"
    out.say(f"{folder.path / made.name}: {counted(len(made.manifest.files), 'file')}, {form}")
    if verified:
        out.say(f"restored and compared: {counted(verified.tables, 'table')}, all equal")
    for each in removed:
        out.say(f"removed: {each}")
    if made.manifest.missing:
        out.say(
            f"{counted(len(made.manifest.missing), 'file')} that the ledger knows "
            f"could not be found or are damaged, the first {made.manifest.missing[0]}"
        )
