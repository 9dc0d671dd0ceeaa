"""Accepting jobs, and what can be done to them from outside: list, show, cancel, requeue."""

from __future__ import annotations

import hashlib
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ifcbase.errors import Conflict, FileUnreadable, LedgerBusy, NotFound, RequestInvalid
from ifcbase.files.naming import stream_name as stream_name
from ifcbase.files.store import FileStore, StoredFile
from ifcbase.ifc.opening import check_file
from ifcbase.jobs.engine import Connection, Engine
from ifcbase.jobs.inputs import add_files, add_versions, known_versions
from ifcbase.jobs.registry import Check, check_named
from ifcbase.ledger.connect import translated
from ifcbase.settings import Settings
from ifcbase.sqlfiles import queries

if TYPE_CHECKING:
    from pydantic import BaseModel

_SQL = queries("ifcbase.jobs", "jobs.sql")
_LOG = logging.getLogger(__name__)
#: How often a request is tried to be accepted while others are in its way, and the pause between.
_TRIES = 5
_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Given:
    """A file given with a request: where it is, and the model stream it belongs to if it is known."""

    path: Path
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A file that is in the files backend already, under which name, and of which model stream.

    ``version``: id and number, if it is this very version of the model, and not its next."""

    file: StoredFile
    file_name: str
    model: str | None = None
    version: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """An accepted job. ``versions``: model and version number of each model it reads by its name."""

    job_id: str
    is_new: bool
    versions: dict[str, tuple[str, int]]


#: The states of a job, as core.jobs has them.
STATES = ("queued", "running", "computed", "finished", "failed", "cancelled")


def submit(
    connection: Connection,
    engine: Engine,
    files: FileStore,
    settings: Settings,
    check_name: str,
    request: Mapping[str, Any],
    given: Mapping[str, Given],
    *,
    project: str | None = None,
    idempotency_key: str | None = None,
) -> Submitted:
    """Accept a job: check the request and its files, store the bytes, write the row, deliver its id.

    ``given`` maps the names the request uses to files. Raises InputError and its kin before anything
    is written; nothing is enqueued unless the job row is committed.
    """
    check = check_named(check_name)
    parsed = check.parse(dict(request))
    models, others = check.models(parsed), check.others(parsed)
    names = [*models, *(name for name in others if name not in models)]
    missing = sorted(set(names) - set(given))
    if missing:
        raise RequestInvalid(f"the request names {', '.join(missing)}, which was not given")
    checked = {name: check_file(given[name].path).sha256 for name in models}
    checked |= {name: check.look(given[name].path) for name in others}

    project = project or settings.project
    with translated():
        # Before any byte is kept for a project that is not there.
        project_id = project_named(connection, project)
    stored = {name: files.put(project, given[name].path) for name in names}
    for name in names:
        if stored[name].sha256 != checked[name]:
            raise FileUnreadable(
                f"{given[name].path} changed while it was read",
                hint="Wait until it is written and try again.",
            )
    ready = {name: Ready(stored[name], given[name].path.name, given[name].model) for name in names}
    return accept_stored(
        connection, engine, settings, check, parsed, project_id, ready,
        idempotency_key=idempotency_key,
    )  # fmt: skip


def accept_stored(
    connection: Connection,
    engine: Engine,
    settings: Settings,
    check: Check,
    parsed: BaseModel,
    project_id: int,
    given: Mapping[str, Ready],
    *,
    idempotency_key: str | None = None,
) -> Submitted:
    """Accept a job whose files are in the files backend and were found fit for the check.

    ``given`` has every name the request uses. Raises RequestInvalid, Conflict, Forbidden.
    """
    models, others = check.models(parsed), check.others(parsed)
    names = [*models, *(name for name in others if name not in models)]
    stored = {name: given[name].file for name in names}
    files_named = {name: given[name].file_name for name in names}
    streams = {name: given[name].model or stream_name(files_named[name]) for name in models}
    if not check.revisions:
        _refuse_two_versions(streams, {name: file.sha256 for name, file in stored.items()})
    timeout_s, memory_mb = check.budget(settings.job_timeout_s, settings.job_memory_mb)

    def accept() -> Submitted:
        known: dict[str, tuple[int, int]] = {}
        if check.revisions:
            known = known_versions(connection, project_id, streams, stored)
        for name in models:
            if (version := given[name].version) is not None:
                known[name] = version
        add_files(connection, project_id, names, stored, files_named)
        found = add_versions(connection, project_id, streams, stored, files_named, known)
        inputs = [
            {
                "name": name,
                "sha256": stored[name].sha256,
                "model_version_id": found[name][0] if name in found else None,
            }
            for name in names
        ]
        row = connection.execute(
            _SQL["accept"],
            {
                "project": project_id,
                "check": check.name,
                "request": Jsonb(parsed.model_dump(mode="json")),
                "inputs": Jsonb(inputs),
                "timeout_s": timeout_s,
                "memory_mb": memory_mb,
                "attempts": settings.job_attempts,
                "key": _bounded_key(idempotency_key),
            },
        ).fetchone()
        assert row is not None  # noqa: S101 (the function always returns one row)
        job_id, is_new = str(row[0]), bool(row[1])
        if not is_new:
            return Submitted(job_id, False, {})
        engine.deliver(connection, check.worker, job_id)
        versions = {name: (streams[name], found[name][1]) for name in names if name in found}
        return Submitted(job_id, True, versions)

    job = _undisturbed(connection, accept)
    engine.committed(connection)
    return job if job.is_new else replace(job, versions=_versions_of(connection, job.job_id))


def _undisturbed(connection: Connection, accept: Callable[[], Submitted]) -> Submitted:
    """Do it in a transaction, and again a few times when the database gives way to somebody else's.

    Raises LedgerBusy if that goes on."""
    for left in reversed(range(_TRIES)):
        try:
            with translated(), connection.transaction():
                done = accept()
                if not done.is_new:
                    # The files of a repeated request are no new revisions.
                    raise psycopg.Rollback
        except LedgerBusy as error:
            if not left:
                raise
            _LOG.info("not accepted yet: %s", error.message)
            time.sleep(_PAUSE_S)
        else:
            break
    return done


def _versions_of(connection: Connection, job_id: str) -> dict[str, tuple[str, int]]:
    """Model and version number of each model a job reads by its name."""
    with translated():
        found = connection.execute(_SQL["versions"], {"job": job_id}).fetchall()
    return {name: (model, number) for name, model, number in found}


def _refuse_two_versions(streams: Mapping[str, str], hashes: Mapping[str, str]) -> None:
    """Two different files of one job cannot both be the newest revision of one model."""
    seen: dict[str, str] = {}
    for name, model in streams.items():
        other = seen.setdefault(model, name)
        if hashes[other] != hashes[name]:
            raise RequestInvalid(
                f"{other} and {name} would both be the next revision of the model {model!r}",
                hint="Say which models they are: --model NAME=FILE for each.",
            )


def _bounded_key(key: str | None) -> str | None:
    """An idempotency key of any length as a column can hold and index it."""
    if key is None or len(key) <= 200:
        return key
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def project_named(connection: Connection, name: str) -> int:
    """The id of a project. Raises NotFound."""
    row = connection.execute(_SQL["project"], {"name": name}).fetchone()
    if row is None:
        raise NotFound(
            f"there is no project {name!r}", hint="List them with `ifcbase projects list`."
        )
    return int(row[0])


def show_job(connection: Connection, job_id: str) -> dict[str, Any]:
    """All that is known of a job. Raises NotFound."""
    row = None
    if _is_id(job_id):
        with translated(), connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_SQL["show"], {"job": job_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no job {job_id}", hint="List them with `ifcbase jobs list`.")
    return row


def _require_id(job_id: str) -> None:
    if not _is_id(job_id):
        raise NotFound(f"{job_id!r} is not the id of a job")


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def list_jobs(
    connection: Connection, project: str, *, state: str | None = None, limit: int = 20
) -> list[dict[str, Any]]:
    """The latest jobs of a project, newest first. Raises RequestInvalid for an unknown state."""
    if state is not None and state not in STATES:
        raise RequestInvalid(
            f"there is no job state {state!r}", hint=f"The states are: {', '.join(STATES)}."
        )
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            _SQL["list"], {"project": project, "state": state, "limit": limit}
        ).fetchall()


def full_id(connection: Connection, prefix: str) -> str:
    """The id of the one job whose id begins like this. Raises NotFound, Conflict."""
    if not re.fullmatch(r"[0-9a-f-]{4,36}", prefix):
        raise NotFound(f"{prefix!r} is not the beginning of a job id (at least 4 characters)")
    with translated():
        rows = connection.execute(_SQL["matching"], {"prefix": prefix}).fetchall()
    if not rows:
        raise NotFound(f"there is no job {prefix}", hint="List them with `ifcbase jobs list`.")
    if len(rows) > 1:
        raise Conflict(f"several job ids begin with {prefix}", hint="Give more of the id.")
    return str(rows[0][0])


def cancel_job(connection: Connection, job_id: str) -> str:
    """Cancel a job: "cancelled" at once while it waits, else "cancelling".

    Raises NotFound, Conflict."""
    _require_id(job_id)
    with translated(), connection.transaction():
        row = connection.execute(_SQL["cancel"], {"job": job_id}).fetchone()
    return str(row[0]) if row else ""


def requeue_job(connection: Connection, engine: Engine, job_id: str) -> None:
    """Let a failed or cancelled job try again. Raises NotFound, Conflict."""
    _require_id(job_id)
    with translated(), connection.transaction():
        connection.execute(_SQL["requeue"], {"job": job_id})
        deliver_again(connection, engine, [job_id])
    engine.committed(connection)


def deliver_again(connection: Connection, engine: Engine, job_ids: list[str]) -> None:
    """Give ids to the queue engine once more."""
    for job_id in job_ids:
        row = connection.execute(_SQL["check_of"], {"job": job_id}).fetchone()
        if row:
            engine.deliver(connection, check_named(row[0]).worker, job_id)
