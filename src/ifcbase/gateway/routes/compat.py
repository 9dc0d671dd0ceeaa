"""The routes existing clients call, among them the nodes of n8n: same paths, fields and answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field

from ifcbase.errors import RequestInvalid
from ifcbase.gateway import files, jobs, submitting
from ifcbase.gateway.bodies import JsonObject
from ifcbase.gateway.caller import Reader, Submitter
from ifcbase.gateway.logs import request_id_of
from ifcbase.gateway.problems import responses
from ifcbase.gateway.repeats import IdempotencyKey, once
from ifcbase.gateway.requests import described
from ifcbase.gateway.responding import FILE, attachment
from ifcbase.gateway.state import GatewayDep
from ifcbase.jobs.registry import CHECKS, Check

router = APIRouter(tags=["compatible"])
#: As many paths as a client can show.
MOST_PATHS = 10_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: Fields by which existing clients say which version of a file they mean.
PINS = (
    "input_version_id",
    "input_version_ids",
    "input_audit_id",
    "old_version_id",
    "new_version_id",
)

JobId = Annotated[str, Path(max_length=100, description="The id of a job.")]


class Accepted(BaseModel):
    """A job that was accepted."""

    job_id: str = Field(examples=["0b2d3f6e-9a57-4b0e-8a68-5a1a2f3c4d5e"])


class Status(BaseModel):
    """The state of a job."""

    job_id: str
    status: str = Field(description="queued, started, finished or failed.", examples=["finished"])
    result: dict[str, Any] | None
    error: str | None
    progress: Any
    execution_time_seconds: float | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    state: str = Field(description="The same in our words.", examples=["finished"])
    check: str = Field(examples=["clash"])


class Requeued(BaseModel):
    """A job that waits again."""

    job_id: str
    status: str = "queued"
    requeued: bool = True


class LinkRequest(BaseModel):
    """Which file is to be downloaded."""

    file_path: str = Field(min_length=1, max_length=1100, examples=["/output/clash/report.json"])


class DownloadLink(BaseModel):
    """A link that holds for a while; ``token`` and ``download_token`` are the same."""

    token: str | None = Field(description="Shown this once: null if the request was repeated.")
    download_token: str | None
    download_url: str | None
    preview_url: str | None
    expiry: datetime


class Paths(BaseModel):
    """The files of the project."""

    files: list[str] = Field(examples=[["/uploads/architecture.ifc", "/output/clash/report.json"]])
    truncated: bool = Field(description="Whether there are more than are listed.")


def pins_of(check: Check, document: dict[str, Any]) -> dict[str, str]:
    """The bytes a request pins its files to, by the files' names, taken out of the request.

    Raises RequestInvalid: a pin that means nothing here must not be passed over."""
    taken = {name: document.pop(name) for name in PINS if name in document}
    several = taken.get("input_version_ids") or {}
    if not isinstance(several, dict):
        raise RequestInvalid("input_version_ids: it is no object of names and versions")
    pins: dict[str, Any] = dict(several)
    if taken.get("input_audit_id") is not None:
        raise RequestInvalid("input_audit_id: there are no audit ids here; pin by version id")
    for side in ("old", "new"):
        if (value := taken.get(f"{side}_version_id")) is not None:
            pins[str(document.get(f"{side}_file"))] = value
    if (value := taken.get("input_version_id")) is not None:
        models = check.models(check.parse(submitting.place_outputs(check, document)))
        if len(models) != 1:
            raise RequestInvalid("input_version_id: the request reads several files; name each")
        pins.setdefault(models[0], value)
    for name, value in pins.items():
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise RequestInvalid(f"the version of {name!r} is not one: it is a SHA-256 in hex")
    return pins


def _submitter(check: Check) -> Callable[..., Accepted]:
    def run(
        caller: Submitter, document: JsonObject, idempotency_key: IdempotencyKey = None
    ) -> Accepted:
        pins = pins_of(check, document)
        job = submitting.submit(caller, check, document, pins=pins, idempotency_key=idempotency_key)
        return Accepted(job_id=job.job_id)

    run.__name__ = check.worker
    run.__doc__ = f"Submit a {check.name} check of files of the project."
    return run


for _check in CHECKS.values():
    router.post(
        f"/{_check.worker}",
        responses=responses(401, 403, 404, 409, 413, 422, 429, 503),
        openapi_extra=described(_check),
        operation_id=f"submit_{_check.worker}",
    )(_submitter(_check))


@router.get("/jobs/{job_id}/status", responses=responses(401, 403, 404, 422, 429, 503))
def job_status(caller: Reader, job_id: JobId) -> Status:
    """How far a job is, and what it found."""
    return Status(**jobs.status(caller, job_id))


@router.post("/jobs/{job_id}/requeue", responses=responses(401, 403, 404, 409, 422, 429, 503))
def requeue_job(
    caller: Submitter, job_id: JobId, idempotency_key: IdempotencyKey = None
) -> Requeued:
    """Let a job that failed or was cancelled try again."""
    jobs.requeue(caller, job_id, idempotency_key)
    return Requeued(job_id=job_id)


@router.post(
    "/create_download_link", response_model=DownloadLink,
    responses=responses(401, 403, 404, 413, 422, 429, 503),
)  # fmt: skip
def create_download_link(
    request: Request, caller: Reader, gateway: GatewayDep, wanted: LinkRequest,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:  # fmt: skip
    """Make a link to a file of the project that works without a key, for a while, and no longer than
    the key or the membership it was made with."""
    base = (gateway.settings.public_url or str(request.base_url)).rstrip("/")
    with caller.transaction() as connection:

        def make() -> DownloadLink:
            file = files.find(caller, connection, wanted.file_path)
            link = files.make_link(caller, connection, file)
            caller.note(connection, "make download link", wanted.file_path)
            url = f"{base}/download/{link.token}"
            return DownloadLink(
                token=link.token, download_token=link.token, download_url=url, preview_url=url,
                expiry=link.expires_at,
            )  # fmt: skip

        asked = ["make link", wanted]
        return once(caller, connection, idempotency_key, asked, make, kept=_without_token)


def _without_token(answer: dict[str, Any]) -> dict[str, Any]:
    # Who has the token needs no key, so only its hash is kept.
    secret = ("token", "download_token", "download_url", "preview_url")
    return answer | dict.fromkeys(secret)


@router.get(
    "/download/{token}",
    response_class=FileResponse,
    responses={**responses(404, 422, 503), **FILE},
)
def download(
    request: Request, gateway: GatewayDep, token: Annotated[str, Path(max_length=200)]
) -> FileResponse:
    """The file a link leads to. Whoever has the link may read it."""
    found = files.follow(gateway, token, request_id_of(request.scope))
    return attachment(gateway, found["project"], found["sha256"], found["name"])


@router.get("/list_directories", responses=responses(401, 403, 404, 422, 429, 503))
def list_directories(caller: Reader) -> Paths:
    """The files of the project: uploads, and what its jobs made."""
    with caller.transaction() as connection:
        found = files.list_paths(caller, connection, MOST_PATHS + 1)
    return Paths(
        files=[f"/{path}" for path in found[:MOST_PATHS]], truncated=len(found) > MOST_PATHS
    )
