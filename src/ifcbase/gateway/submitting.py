"""Submitting checks of files that are in the project already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ifcbase.errors import FileMissing, InputError, RequestInvalid
from ifcbase.files.naming import stream_name as stream_name
from ifcbase.gateway import files, names
from ifcbase.gateway.caller import Caller
from ifcbase.ifc.opening import check_file
from ifcbase.jobs.engine import Connection
from ifcbase.jobs.registry import Check
from ifcbase.jobs.submit import Ready, Submitted, accept_stored

#: Fields of requests that name what is written, by any check.
OUTPUT_FIELDS = ("output_filename", "output_file", "log_file")


def place_outputs(check: Check, document: Mapping[str, Any]) -> dict[str, Any]:
    """The request with its outputs named within the folder of the check. Raises RequestInvalid."""
    placed = dict(document)
    for name in OUTPUT_FIELDS:
        if placed.get(name) == "":
            # What a form of a client leaves empty.
            placed[name] = None
        elif isinstance(placed.get(name), str):
            try:
                placed[name] = names.output_name(check.name, placed[name])
            except RequestInvalid as error:
                raise RequestInvalid(f"{name}: {error.message}", hint=error.hint) from error
    return placed


def submit(
    caller: Caller,
    check: Check,
    document: Mapping[str, Any],
    *,
    pins: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Submitted:
    """Accept a job; ``pins`` says which bytes a name is to mean.

    Raises RequestInvalid, FileMissing and what a check refuses a file for, before anything is
    written."""
    parsed = check.parse(place_outputs(check, document))
    models, others = check.models(parsed), check.others(parsed)
    wanted = list(dict.fromkeys([*models, *others]))
    pins = pins or {}
    if unknown := sorted(set(pins) - set(wanted)):
        raise RequestInvalid(f"input_version_ids: the request names no file {unknown[0]!r}")
    with caller.transaction() as connection:
        found = {name: files.find(caller, connection, name, pins.get(name)) for name in wanted}
    # Outside of a transaction: it may take as long as reading the files.
    for name in models:
        look_at_model(caller, name, found[name])
    for name in others:
        _look_at(caller, name, found[name], check.name, check.look)
    ready = {name: Ready(f.stored, f.name, f.model, f.version) for name, f in found.items()}
    with caller.transaction() as connection:
        return _accept(caller, connection, check, parsed, ready, idempotency_key)


def _accept(
    caller: Caller,
    connection: Connection,
    check: Check,
    parsed: BaseModel,
    ready: Mapping[str, Ready],
    idempotency_key: str | None,
) -> Submitted:
    gateway = caller.gateway
    job = accept_stored(
        connection, gateway.engine, gateway.settings, check, parsed, caller.project_id, ready,
        idempotency_key=idempotency_key,
    )  # fmt: skip
    if job.is_new:
        caller.note(connection, f"submit {check.name}", job.job_id)
    return job


def look_at_model(caller: Caller, name: str, file: files.NamedFile) -> None:
    """Refuse a file that is no whole IFC model, in the client's words for it."""
    _look_at(caller, name, file, "model", check_file)


def _look_at(
    caller: Caller, name: str, file: files.NamedFile, use: str, look: Callable[[Path], object]
) -> None:
    fit = caller.gateway.fit
    try:
        # Also of a file that is known to be fit: its bytes may be gone since.
        path = caller.gateway.files.fetch(caller.project, file.stored.sha256)
        if (use, file.stored.sha256) in fit:
            return
        look(path)
    except FileMissing as error:
        raise FileMissing(
            f"the bytes of {name!r} are gone", hint="Upload it again.", detail=str(error)
        ) from error
    except InputError as error:
        # It knows the file by its hash only.
        said = error.message.replace(str(path), name).replace(path.name, name)
        raise type(error)(said, hint=error.hint, detail=error.detail) from error
    fit.add((use, file.stored.sha256))
