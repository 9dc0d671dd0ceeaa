"""`ifcbase backup daily` as a process, and `ifcbase backup status`, which watches it."""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ifcbase.stack.backup.making import make_backup
from tests.integration.backup.conftest import Stand
from tests.integration.backup.test_commands import call
from tests.integration.backup.test_interrupted import begin, held, parts, wait_for, waiting
from tests.unit.cli.calling import Caller

__all__ = ["call"]


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        _, told = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, told


def noted(stand: Stand) -> list[tuple[object, ...]]:
    with psycopg.connect(stand.database.dsn) as connection:
        return connection.execute(
            "select kind, details ->> 'name' from core.operations order by id"
        ).fetchall()


def test_what_was_missed_is_made_up_for_and_it_stops_when_told(stand: Stand) -> None:
    process = begin(stand, "backup", "daily")
    try:
        wait_for(
            lambda: any(stand.folder.note(n, "verified") for n in stand.folder.names()), "made"
        )
        wait_for(lambda: ("verify",) in [row[:1] for row in noted(stand)], "noted")
    finally:
        process.send_signal(signal.SIGTERM)
    code, told = ended(process)
    # Within the removal of old ones, which may be what it was at, it is given up.
    assert code in {0, 128 + signal.SIGTERM}
    (name,) = stand.folder.names()
    assert noted(stand)[-2:] == [("backup", name), ("verify", name)]
    assert "backups of every day at 02:00 UTC" in told
    assert f"verified {name}" in told
    # The ledger of this test knows files that nobody ever had.
    assert "could not be found" in told


def test_stopped_within_a_backup_it_gives_it_up_at_once(stand: Stand) -> None:
    with held(stand):
        process = begin(stand, "backup", "daily", "--no-verify")
        try:
            wait_for(lambda: waiting(stand), "it dumps")
        finally:
            process.send_signal(signal.SIGTERM)
        code, _ = ended(process)
    assert code == 128 + signal.SIGTERM
    assert stand.folder.names() == []
    assert parts(stand) == []


def test_a_folder_that_cannot_be_written_is_told_at_once(stand: Stand) -> None:
    stand.folder.path.write_text("a file where a folder should be")
    code, told = ended(begin(stand, "backup", "daily"))
    assert code == 2
    assert str(stand.folder.path) in told


def aged(stand: Stand, name: str, by: timedelta) -> None:
    """A set looks older than it is; nothing else about it changes."""
    path = stand.folder.path / name / "manifest.json"
    document = json.loads(path.read_text())
    document["made_at"] = (datetime.now(UTC) - by).isoformat()
    path.write_text(json.dumps(document))


def verified(stand: Stand, name: str) -> None:
    stand.folder.write_note(name, "verified", {"at": datetime.now(UTC).isoformat()})


@pytest.mark.parametrize(
    ("tried", "age", "code", "said"),
    [
        (False, 0, 2, "there is no verified backup yet"),
        (True, 0, 0, "last verified: "),
        (True, 30, 2, "the last backup is 30 hours old, more than 26 hours"),
        (True, 9 * 24, 2, "the last verified backup is 9 days old, more than 8 days"),
    ],
    ids=["never verified", "well", "yesterday's is missing", "not verified for long"],
)
def test_status_says_what_a_health_check_needs(
    stand: Stand, call: Caller, tried: bool, age: int, code: int, said: str
) -> None:
    assert call("backup", "status").code == 2
    assert "there is no backup yet" in call("backup", "status").out
    name = make_backup(stand.deployment, stand.folder).name
    if tried:
        verified(stand, name)
    aged(stand, name, timedelta(hours=age))
    told = call("backup", "status")
    assert told.code == code
    assert said in told.out
    document = json.loads(call("backup", "status", "--json").out)
    assert document["ok"] is (code == 0)
    patient = call("backup", "status", "--hours", "999", "--verified-days", "999")
    assert patient.code == (0 if tried else 2)
