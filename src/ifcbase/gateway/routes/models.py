"""Models and their versions, and the files of the project."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ifcbase.errors import NotFound
from ifcbase.gateway import files, submitting
from ifcbase.gateway.caller import Caller, Reader, Submitter
from ifcbase.gateway.paging import Limit, Number, Page, Start, page, window
from ifcbase.gateway.problems import responses
from ifcbase.gateway.repeats import IdempotencyKey, once
from ifcbase.gateway.responding import FILE, attachment
from ifcbase.gateway.state import rows
from ifcbase.jobs.engine import Connection
from ifcbase.sqlfiles import queries

router = APIRouter(prefix="/v1", tags=["models"])
_SQL = queries("ifcbase.gateway", "models.sql")
FilePath = Annotated[
    str, Field(min_length=1, max_length=1100, examples=["uploads/architecture.ifc"])
]


class Model(BaseModel):
    """A named stream of revisions, with the latest of them."""

    id: int
    name: str = Field(examples=["architecture"])
    discipline: str | None
    discipline_source: str = Field(description="guessed or given.")
    created_at: datetime
    latest: int | None = Field(description="Number of the latest version.")
    file_name: str | None
    sha256: str | None
    ifc_schema: str | None
    elements: int | None
    latest_at: datetime | None


class Version(BaseModel):
    """One revision of a model."""

    id: int
    number: int
    file_name: str
    sha256: str
    size: int | None
    ifc_schema: str | None = Field(examples=["IFC4"])
    elements: int | None = Field(description="Null until a check has read it.")
    repeated_ids: int | None
    inventoried_at: datetime | None
    matched_at: datetime | None
    created_at: datetime


class NewVersion(BaseModel):
    """Which file is the next revision."""

    model_config = ConfigDict(extra="forbid")

    file: FilePath
    model: (
        Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f]*$")] | None
    ) = Field(
        default=None,
        description="Its model; if not given, the file's name without date and revision.",
        examples=["architecture"],
    )


class AddedVersion(BaseModel):
    """The version that a file is."""

    model_id: int
    model: str
    number: int
    is_new: bool = Field(description="False if the model's latest version has the same bytes.")


class File(BaseModel):
    """A file by its path."""

    path: str = Field(examples=["uploads/architecture.ifc"])
    sha256: str
    size: int = Field(description="Bytes.")
    at: datetime
    job_id: str | None = Field(description="The job that made it; null for uploads.")


@router.get("/models", responses=responses(401, 403, 404, 422, 429, 503))
def list_models(caller: Reader, start: Start = 0, limit: Limit = 100) -> Page[Model]:
    """The models of the project by name."""
    with caller.transaction() as connection:
        given = {"project": caller.project_id, "model": None, "limit": None}
        found = window(connection, _SQL["models"], start, limit, given)
    return Page[Model](**page(found, start, limit))


@router.get("/models/{number}", responses=responses(401, 403, 404, 422, 429, 503))
def show_model(caller: Reader, number: Number) -> Model:
    """One model."""
    with caller.transaction() as connection:
        return Model(**_model(caller, connection, number))


@router.get("/models/{number}/versions", responses=responses(401, 403, 404, 422, 429, 503))
def list_versions(
    caller: Reader, number: Number, start: Start = 0, limit: Limit = 100
) -> Page[Version]:
    """The versions of a model, latest first."""
    with caller.transaction() as connection:
        _model(caller, connection, number)
        given = {"project": caller.project_id, "model": number, "number": None, "limit": None}
        found = window(connection, _SQL["versions"], start, limit, given)
    return Page[Version](**page(found, start, limit))


@router.post(
    "/versions", status_code=201, response_model=AddedVersion,
    responses=responses(401, 403, 404, 409, 413, 422, 429, 503),
)  # fmt: skip
def add_version(
    caller: Submitter, wanted: NewVersion, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Make an uploaded file the next version of a model; the same bytes again are the same one."""
    with caller.transaction() as connection:
        file = files.find(caller, connection, wanted.file)
    submitting.look_at_model(caller, wanted.file, file)
    with caller.transaction() as connection:

        def add() -> AddedVersion:
            model = wanted.model or file.model or submitting.stream_name(file.name)
            given = {"project": caller.project_id, "model": model, "sha256": file.stored.sha256,
                     "name": file.name}  # fmt: skip
            (found,) = rows(connection, _SQL["add_version"], given)
            caller.note(connection, "add model version", f"{model} {found['number']}")
            return AddedVersion(model=model, **found)

        return once(caller, connection, idempotency_key, ["add version", wanted], add, status=201)


@router.get("/files", responses=responses(401, 403, 404, 422, 429, 503))
def list_files(
    caller: Reader,
    prefix: Annotated[
        str | None, Query(max_length=1024, description="Paths that begin so: uploads/, output/ids/")
    ] = None,
    start: Start = 0,
    limit: Limit = 100,
) -> Page[File]:
    """The files of the project by path: uploads, and what its jobs made."""
    with caller.transaction() as connection:
        given = {"project": caller.project_id, "prefix": prefix, "limit": None}
        found = window(connection, _SQL["files"], start, limit, given)
    return Page[File](**page(found, start, limit))


@router.get(
    "/files/{path:path}",
    response_class=FileResponse,
    responses={**FILE, **responses(401, 403, 404, 422, 429, 503)},
)
def download_file(caller: Reader, path: str) -> Response:
    """A file of the project, or a version of a model as `model:NAME@3`, as an attachment."""
    with caller.transaction() as connection:
        file = files.find(caller, connection, path)
    return attachment(caller.gateway, caller.project, file.stored.sha256, file.name)


def _model(caller: Caller, connection: Connection, number: int) -> dict[str, Any]:
    given = {"project": caller.project_id, "model": number, "limit": 1}
    found = rows(connection, _SQL["models"], given)
    if not found:
        raise NotFound(f"there is no model {number} in the project", hint="See /v1/models.")
    return found[0]
