"""`ifcbase backup daily` and `status`: backups that are made by themselves, and whether they are."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from ifcbase.cli import backing, context, ending
from ifcbase.cli.output import JsonOption, console, counted, print_json, when
from ifcbase.settings import Settings, get_settings, zone_named
from ifcbase.stack.backup.daily import Daily, run_daily
from ifcbase.stack.backup.folder import Folder
from ifcbase.stack.backup.making import make_backup
from ifcbase.stack.backup.verifying import verify as verify_set

_LOG = logging.getLogger("ifcbase.backup")


def daily(
    include: Annotated[
        list[Path] | None, typer.Option(help="A further file or folder to take along.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Restore each into a scratch database.")
    ] = True,
) -> None:
    """Back up every day at IFCBASE_BACKUP_AT, verify, remove what need not stay; until told to stop.

    A time that was missed is made up for at once, a failure is logged and tried again after a
    quarter of an hour, then twice as long each time. Exit code: 0 told to stop, 2 cannot work at
    all, 143 told to stop within a backup, which is given up; earlier ones are as they were.
    """
    settings = get_settings()
    context.setup_logging(settings)
    clock, folder = _clock(settings), backing.folder_of(settings)
    # What a person has to mend is told now, not at two in the morning.
    with folder.writing():
        pass
    stop, working = threading.Event(), threading.Event()

    def told(number: int) -> None:
        stop.set()
        if working.is_set():
            ending.leave(number)

    def step(due: datetime) -> None:
        working.set()
        try:
            _bring_up_to_date(settings, folder, due, include or (), verify=verify)
        finally:
            working.clear()

    _LOG.info("backups of every day at %s %s in %s", settings.backup_at, clock.zone, folder.path)
    with ending.told_to_end(told, interrupt=True):
        run_daily(clock, step, stop)


def status(
    hours: Annotated[
        float, typer.Option(min=0, help="How old the last backup may be, in hours.")
    ] = 26,
    verified_days: Annotated[
        float, typer.Option(min=0, help="How old the last verified one may be, in days.")
    ] = 8,
    as_json: JsonOption = False,
) -> None:
    """Whether there is a recent backup, and a recent one that was verified; for health checks.

    Exit code: 0 there is, 2 there is not.
    """
    settings = get_settings()
    folder, now = backing.folder_of(settings), datetime.now(UTC)
    made = made_at(folder)
    verified = made_at(folder, verified=True)
    problems = [
        *_too_old("backup", made, now, timedelta(hours=hours)),
        *_too_old("verified backup", verified, now, timedelta(days=verified_days)),
    ]
    if as_json:
        print_json({"ok": not problems, "made": made, "verified": verified, "problems": problems})
    else:
        out = console()
        for name, moment in (("last backup", made), ("last verified", verified)):
            out.say(f"{name}: {when(moment) if moment else 'never'}")
        for each in problems:
            out.say(each)
    raise typer.Exit(2 if problems else 0)


def made_at(folder: Folder, *, verified: bool = False) -> datetime | None:
    """When the newest set was made, or the newest that was verified; None if there is none."""
    for name in reversed(folder.names()):
        if not verified or folder.note(name, "verified"):
            return datetime.fromisoformat(folder.read_plainly(name)["made_at"]).astimezone(UTC)
    return None


def _clock(settings: Settings) -> Daily:
    hour, _, minute = settings.backup_at.partition(":")
    return Daily(time(int(hour), int(minute)), zone_named(settings.backup_zone))


def _bring_up_to_date(
    settings: Settings, folder: Folder, due: datetime, include: Any, *, verify: bool
) -> None:
    """What has to be done since a moment: a backup, its verification, removal of old ones. What is
    done already is not done again."""
    newest = made_at(folder)
    if newest is None or newest < due:
        with backing.deployment(settings) as source:
            made = make_backup(source, folder, include=include)
        backing.note(source.dsn, "backup", made.name, files=len(made.manifest.files))
        _LOG.info("made %s: %s", made.name, counted(len(made.manifest.files), "file"))
        if made.manifest.missing:
            _LOG.warning(
                "%s that the ledger knows could not be found or are damaged, the first %s",
                counted(len(made.manifest.missing), "file"),
                made.manifest.missing[0],
            )
    name = folder.newest()
    if verify and not folder.note(name, "verified"):
        dsn = context.database(settings)
        found = verify_set(folder, name, dsn)
        backing.note(dsn, "verify", name, rows=found.rows)
        _LOG.info("verified %s: %s, all equal", name, counted(found.rows, "row"))
    for each in backing.prune(folder, settings):
        _LOG.info("removed %s", each)


def _too_old(what: str, moment: datetime | None, now: datetime, limit: timedelta) -> list[str]:
    if moment is None:
        return [f"there is no {what} yet"]
    if now - moment > limit:
        return [f"the last {what} is {_length(now - moment)} old, more than {_length(limit)}"]
    return []


def _length(time_: timedelta) -> str:
    hours = time_.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
