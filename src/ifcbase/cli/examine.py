"""All that `ifcbase doctor` looks at, in order; what needs a database is left out where none answers."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ifcbase.cli import context, examine_services
from ifcbase.errors import IfcbaseError
from ifcbase.ledger.spooled import spooled
from ifcbase.settings import Settings
from ifcbase.stack.backup.source import connected
from ifcbase.stack.doctor import database, machine
from ifcbase.stack.doctor.checks import Check, Finding, State, ok, run, warning, wrong


def everything(settings: Settings, *, self_test: bool = True) -> list[Finding]:
    """Every check of this machine, of the engine and of the database."""
    checks = [*machine.checks(settings), Check("spool", lambda: spool(settings))]
    checks += examine_services.checks(settings)
    if self_test:
        checks.append(Check("clash engine", lambda: engine(settings)))
    found = run(checks)
    try:
        dsn = context.worker_dsn(settings)
        if dsn is None:
            said = "reached over Supabase's REST door only; look again where DATABASE_URL is set"
            return [*found, Finding("database", State.SKIPPED, said)]
        with connected(dsn):
            pass
    except IfcbaseError as error:
        return [*found, Finding("database", State.WRONG, error.message, error.hint)]
    return [*found, Finding("database", State.OK, "answers"), *run(database.checks(settings, dsn))]


def spool(settings: Settings) -> tuple[State, str, str]:
    """Whether results of this host are not stored."""
    if said := spooled(settings.spool_folder).warning():
        return warning(
            said,
            "`ifcbase spool list` names the reasons; see that the database can be reached from "
            "here, then `ifcbase spool flush`.",
        )
    return ok("every result of this host is stored")


def engine(settings: Settings) -> tuple[State, str, str]:
    """Whether the engine finds what is known to be in a small model, and no more."""
    # Here and not above: loading the engine takes seconds, and its failure is a finding.
    from ifcbase.cli.selftest import found_and_planted

    with tempfile.TemporaryDirectory() as folder:
        found, planted = found_and_planted(Path(folder), settings)
    if found != planted or not planted:
        return wrong(
            f"of the {len(planted)} clashes of a small model it finds {len(found & planted)}, and "
            f"{len(found - planted)} that are none",
            "Install ifcbase again; if it stays so, report it with `ifcbase doctor --json`.",
        )
    return ok(f"finds what is planted in a small model ({len(planted)})")
