"""Jobs: submit, list, show, cancel, requeue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from ifcbase.gateway import jobs, submitting
from ifcbase.gateway.bodies import JsonObject
from ifcbase.gateway.caller import Reader, Submitter
from ifcbase.gateway.paging import IfNoneMatch, Limit, unchanged
from ifcbase.gateway.problems import responses
from ifcbase.gateway.repeats import IdempotencyKey
from ifcbase.gateway.requests import described
from ifcbase.jobs.registry import CHECKS, Check
from ifcbase.ledger.connect import MAX_NUMBER

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
JobId = Annotated[str, Path(max_length=100, description="The id of a job.")]
State = Literal["queued", "running", "computed", "finished", "failed", "cancelled"]
CheckName = Literal["clash", "conversion", "tester", "diff"]


class Submitted(BaseModel):
    """A job that was accepted."""

    job_id: str = Field(examples=["0b2d3f6e-9a57-4b0e-8a68-5a1a2f3c4d5e"])
    is_new: bool = Field(description="False if this key had submitted it before.")
    versions: dict[str, tuple[str, int]] = Field(
        description="Model and version number of each model it reads, by its name in the request.",
        examples=[{"architecture.ifc": ["architecture", 3]}],
    )


class JobLine(BaseModel):
    """A job in a list."""

    id: str
    check: str = Field(examples=["clash"])
    state: str = Field(examples=["running"])
    progress: dict[str, Any] | None = Field(
        examples=[{"phase": "meshing", "fraction": 0.4, "note": ""}]
    )
    error: dict[str, Any] | None
    outcome: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    seconds: float | None
    submitted_by: str | None = Field(examples=["key:4k2m9x0ab1cd"])


class Job(JobLine):
    """All that is known of a job."""

    project: str
    request: dict[str, Any]
    cancel_requested: bool
    request_id: str | None
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    attempts: list[dict[str, Any]]


class Jobs(BaseModel):
    """Jobs, latest first."""

    items: list[JobLine]
    next: int | None = Field(description="`before` of the next page; null on the last one.")


class Changed(BaseModel):
    """What became of a job."""

    job_id: str
    state: str = Field(description="cancelled, cancelling or queued.", examples=["cancelled"])


def _submitter(check: Check) -> Callable[..., Submitted]:
    def run(
        response: Response,
        caller: Submitter,
        document: JsonObject,
        idempotency_key: IdempotencyKey = None,
    ) -> Submitted:
        job = submitting.submit(caller, check, document, idempotency_key=idempotency_key)
        response.headers["Location"] = f"/v1/jobs/{job.job_id}"
        return Submitted(job_id=job.job_id, is_new=job.is_new, versions=job.versions)

    run.__doc__ = (
        f"Submit a {check.name} check. Files are named as everywhere, or as versions of models: "
        "`model:NAME` (the latest) or `model:NAME@3`."
    )
    return run


for _check in CHECKS.values():
    router.post(
        f"/{_check.name}",
        status_code=202,
        responses=responses(401, 403, 404, 409, 413, 422, 429, 503),
        openapi_extra=described(_check),
        operation_id=f"submit_{_check.name}",
    )(_submitter(_check))


@router.get("", responses=responses(401, 403, 404, 422, 429, 503))
def list_jobs(
    caller: Reader,
    state: State | None = None,
    check: CheckName | None = None,
    limit: Limit = 50,
    before: Annotated[int | None, Query(ge=1, le=MAX_NUMBER, description="Jobs before it.")] = None,
) -> Jobs:
    """The jobs of the project, latest first."""
    found = jobs.page(caller, state=state, check=check, before=before, limit=limit + 1)
    shown = found[:limit]
    return Jobs(
        items=[JobLine(**each) for each in shown],
        next=shown[-1]["accepted"] if len(found) > limit else None,
    )


@router.get(
    "/{job_id}",
    response_model=Job,
    responses={304: {"description": "Not changed"}, **responses(401, 403, 404, 422, 429, 503)},
)
def show_job(
    response: Response, caller: Reader, job_id: JobId, if_none_match: IfNoneMatch = None
) -> Job | Response:
    """One job with its request, inputs, attempts and outcome. Who polls sends If-None-Match."""
    found = jobs.show(caller, job_id)
    # How long it runs is no change of it.
    steady = found | ({"seconds": None} if found["ended_at"] is None else {})
    return unchanged(response, steady, if_none_match) or Job(**found)


@router.post("/{job_id}/cancel", responses=responses(401, 403, 404, 409, 422, 429, 503))
def cancel_job(caller: Submitter, job_id: JobId, idempotency_key: IdempotencyKey = None) -> Changed:
    """Cancel a job; one that runs stops within two seconds."""
    return Changed(job_id=job_id, state=jobs.cancel(caller, job_id, idempotency_key))


@router.post("/{job_id}/requeue", responses=responses(401, 403, 404, 409, 422, 429, 503))
def requeue_job(
    caller: Submitter, job_id: JobId, idempotency_key: IdempotencyKey = None
) -> Changed:
    """Let a failed or cancelled job try again."""
    jobs.requeue(caller, job_id, idempotency_key)
    return Changed(job_id=job_id, state="queued")
