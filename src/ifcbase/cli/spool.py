"""`ifcbase spool`: results of this host that wait until they can be stored."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ifcbase.cli.output import JsonOption, console, print_json, table, when
from ifcbase.ledger.rest.documents import DocumentSpool
from ifcbase.ledger.spool import Entry, Spool
from ifcbase.settings import get_settings

app = typer.Typer(
    help="Results that wait until they can be stored: list, show, flush.", no_args_is_help=True
)

EntryArgument = Annotated[
    str, typer.Argument(metavar="ENTRY", help="Its name, the id of its job, or how either begins.")
]


def _spool() -> Spool:
    settings = get_settings()
    return Spool(settings.spool_folder, settings.spool_mb)


def _documents() -> DocumentSpool:
    settings = get_settings()
    return DocumentSpool(settings.spool_folder / "documents", settings.spool_mb)


def _described(entry: Entry) -> dict[str, Any]:
    """An entry without its token, which is a key."""
    return {
        "name": entry.name,
        "state": "refused" if entry.refused else "waiting",
        "job": entry.attempt.job_id,
        "check": entry.attempt.check,
        "project": entry.attempt.project,
        "attempt": entry.attempt.number,
        "host": entry.host,
        "written_at": datetime.fromtimestamp(entry.written_at, UTC).isoformat(),
        "age_s": round(time.time() - entry.written_at, 1),
        "size": entry.size,
        "tries": entry.tries,
        "reason": entry.reason,
        "folder": str(entry.folder),
    }


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """What waits on this host, oldest first."""
    entries = _spool().entries()
    documents = _documents().waiting()
    if as_json:
        print_json([_described(each) for each in entries])
        return
    for path in documents:
        console().say(f"a clash document that a script saved waits: {path}")
    if not entries and documents:
        return
    if not entries:
        console().say("the spool is empty: every result of this host is stored")
        return
    rows = [
        (
            each.name,
            each.attempt.check,
            "refused" if each.refused else "waiting",
            f"{each.size / 2**20:.1f}",
            each.tries,
            when(datetime.fromtimestamp(each.written_at, UTC)),
            each.reason,
        )
        for each in entries
    ]
    columns = ["entry", "check", "state", "MB", "tries", "written", "not stored because"]
    console().print(table("Spool", columns, rows, right=["MB", "tries"]))


@app.command("show")
def show(entry: EntryArgument, as_json: JsonOption = False) -> None:
    """One entry: its job, its files and why it is not stored yet."""
    found = _spool().named(entry)
    if as_json:
        print_json(_described(found))
        return
    out = console()
    for name, value in _described(found).items():
        out.say(f"{name}: {value}")


@app.command("flush")
def flush(
    entry: Annotated[
        str | None, typer.Argument(metavar="[ENTRY]", help="One entry; all that wait by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Store what waits, now; an entry that is named also if it was refused before.

    Ends with 3 if something still waits, with 2 if something was refused."""
    # Here and not above: who only looks does not wait for libraries and the database.
    from ifcbase.cli import context
    from ifcbase.files.backend import file_store
    from ifcbase.jobs.flushing import Flusher
    from ifcbase.ledger.opening import open_ledger

    settings, spool = get_settings(), _spool()
    chosen = [spool.named(entry)] if entry else [e for e in spool.entries() if not e.refused]
    states = {}
    if chosen:
        ledger = open_ledger(settings, context.worker_dsn(settings))
        try:
            flusher = Flusher(
                ledger,
                file_store(settings),
                spool,
                settings.lease_s,
                settings.spool_silence_s,
            )
            for each in chosen:
                states[each.name] = flusher.flush(each, refused=entry is not None)
        finally:
            ledger.close()
    if not entry and _documents().waiting():
        states |= _flushed_documents()
    if as_json:
        print_json(states)
    elif not states:
        console().say("nothing waits in the spool")
    for name, state in () if as_json else states.items():
        console().say(f"{name}: {state}")
    if "refused" in states.values():
        raise typer.Exit(2)
    if set(states.values()) & {"waiting", "elsewhere", "busy"}:
        raise typer.Exit(3)


def _flushed_documents() -> dict[str, str]:
    from ifcbase.supabase_client import flush_documents

    left = flush_documents()
    return {"documents": "waiting" if left else "stored"}
