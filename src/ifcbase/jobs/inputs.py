"""The files and model versions of a request that is being accepted, in its transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ifcbase.errors import RequestInvalid
from ifcbase.files.store import StoredFile
from ifcbase.jobs.engine import Connection
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.jobs", "jobs.sql")


def add_files(
    connection: Connection,
    project: int,
    names: Sequence[str],
    stored: Mapping[str, StoredFile],
    files_named: Mapping[str, str],
) -> None:
    """Note the files. Two requests with the same new files wait for each other's rows: all take
    them in one order, or they would wait in a circle."""
    for name in sorted(names, key=lambda each: stored[each].sha256):
        file = stored[name]
        connection.execute(
            _SQL["add_file"],
            {
                "project": project,
                "sha256": file.sha256,
                "size": file.size,
                "name": files_named[name],
            },
        )


def add_versions(
    connection: Connection,
    project: int,
    streams: Mapping[str, str],
    stored: Mapping[str, StoredFile],
    files_named: Mapping[str, str],
    known: Mapping[str, tuple[int, int]],
) -> dict[str, tuple[int, int]]:
    """Id and number of the version of each model. It locks the models, in one order for everybody;
    the revisions of one model stay in the order of the request, which numbers them."""
    found = dict(known)
    for name in sorted(streams, key=lambda each: streams[each]):
        if name in known:
            continue
        row = connection.execute(
            _SQL["add_model_version"],
            {
                "project": project,
                "model": streams[name],
                "sha256": stored[name].sha256,
                "name": files_named[name],
            },
        ).fetchone()
        assert row is not None  # noqa: S101 (the function always returns one row)
        found[name] = int(row[0]), int(row[2])
    return found


def known_versions(
    connection: Connection,
    project: int,
    streams: Mapping[str, str],
    stored: Mapping[str, StoredFile],
) -> dict[str, tuple[int, int]]:
    """Id and number of the versions that files already are; those of one model must come in order.

    Raises RequestInvalid for an unknown file before a known one: it would become the newest version.
    """
    found: dict[str, tuple[int, int]] = {}
    unknown: dict[str, str] = {}
    for name, model in streams.items():
        asked = {"project": project, "model": model, "sha256": stored[name].sha256}
        row = connection.execute(_SQL["known_version"], asked).fetchone()
        if row is None:
            unknown[model] = name
            continue
        found[name] = (int(row[0]), int(row[1]))
        if model in unknown:
            raise RequestInvalid(
                f"{unknown[model]} is not known, and {name} is already version {row[1]} of the "
                f"model {model!r}: an older version cannot be stored after it",
                hint="Compare without --submit, or give the older file a model name of its own.",
            )
    return found
