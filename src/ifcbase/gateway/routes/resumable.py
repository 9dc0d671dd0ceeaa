"""Uploads that can be interrupted: tus 1.0 (https://tus.io) with creation, termination, checksum and
expiration."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from pydantic import BaseModel, Field

from ifcbase.errors import MediaTypeWrong, PreconditionFailed, RequestInvalid
from ifcbase.files.resumable import CHECKSUMS, Pending
from ifcbase.gateway.arriving import arrivals_of, complete, in_thread, pour, threaded
from ifcbase.gateway.caller import Caller, Submitter
from ifcbase.gateway.problems import responses
from ifcbase.gateway.repeats import IdempotencyKey, once_done
from ifcbase.gateway.routes.uploads import NewFile
from ifcbase.ifc.text import is_clean

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])
VERSION = "1.0.0"
PART = "application/offset+octet-stream"
_STATUSES = responses(401, 403, 404, 409, 412, 413, 422, 429, 503, 507)


def _speaks(
    response: Response,
    tus_resumable: Annotated[
        str | None, Header(max_length=20, description=f"The protocol's version: {VERSION}.")
    ] = None,
) -> None:
    """Refuse who speaks another version of the protocol. Raises PreconditionFailed."""
    if tus_resumable != VERSION:
        raise PreconditionFailed(
            "the header Tus-Resumable is missing or names another version",
            hint=f"Send Tus-Resumable: {VERSION}.",
        )
    response.headers["Tus-Resumable"] = VERSION


Speaks = Depends(_speaks)
UploadId = Annotated[str, Path(max_length=64)]
Bytes = Annotated[int, Header(ge=0, le=2**53)]


class UploadState(BaseModel):
    """An upload: how far it is, and the file it has become."""

    id: str
    name: str
    kind: str
    offset: int
    length: int
    expires_at: datetime
    file: NewFile | None = Field(description="Null until all bytes are here.")


@router.options("", status_code=204)
def about(request: Request) -> Response:
    """What of tus is spoken here."""
    return Response(
        status_code=204,
        headers={
            "Tus-Resumable": VERSION,
            "Tus-Version": VERSION,
            "Tus-Max-Size": str(arrivals_of(request).limit),
            "Tus-Extension": "creation,termination,checksum,expiration",
            "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
        },
    )


@router.post("", status_code=201, responses=_STATUSES, dependencies=[Speaks])
def begin(
    request: Request,
    caller: Submitter,
    upload_length: Bytes,
    upload_metadata: Annotated[
        str,
        Header(
            max_length=4000,
            description="filename (required), kind (default ifc) and model, each followed by its "
            "value in Base64, comma-separated.",
        ),
    ],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Begin an upload of so many bytes; its address is in Location."""
    known = metadata(upload_metadata)
    model = known.get("model")
    if model is not None and not (0 < len(model.strip()) <= 255 and is_clean(model)):
        raise RequestInvalid(
            "Upload-Metadata: model is empty, too long or holds control characters"
        )
    if model is not None and known.get("kind", "ifc").lower() != "ifc":
        raise RequestInvalid("Upload-Metadata: only files of kind ifc are versions of models")
    uploads = arrivals_of(request).uploads
    with caller.transaction() as connection:

        def do() -> str:
            pending = uploads.create(
                project=caller.project,
                kind=known.get("kind", "ifc"),
                name=known.get("filename", ""),
                length=upload_length,
                model=model,
                metadata=upload_metadata,
            )
            caller.note(connection, "begin upload", pending.id)
            return pending.id

        asked = ["begin upload", upload_length, upload_metadata]
        begun, _ = once_done(caller, connection, idempotency_key, asked, do)
    pending = uploads.find(begun, project=caller.project)
    query = f"?project={caller.project}" if request.query_params.get("project") else ""
    headers = {"Location": f"/v1/uploads/{pending.id}{query}", **_headers(pending)}
    return Response(status_code=201, headers=headers)


@router.head(
    "/{upload_id}",
    responses={200: {"description": "How far it is, in Upload-Offset"}, **_STATUSES},
    response_class=Response,
    dependencies=[Speaks],
)
def look(request: Request, caller: Submitter, upload_id: UploadId) -> Response:
    """How far an upload is."""
    pending = _find(request, caller, upload_id)
    headers = _headers(pending) | {"Upload-Length": str(pending.length)}
    if pending.metadata:
        headers["Upload-Metadata"] = pending.metadata
    return Response(status_code=200, headers=headers)


@router.get("/{upload_id}", responses=responses(401, 403, 404, 422, 429, 503))
def show(request: Request, caller: Submitter, upload_id: UploadId) -> UploadState:
    """An upload in words, with the file it has become."""
    pending = _find(request, caller, upload_id)
    return UploadState(
        id=pending.id,
        name=pending.name,
        kind=pending.kind,
        offset=pending.offset,
        length=pending.length,
        expires_at=datetime.fromtimestamp(pending.expires, UTC),
        file=None if pending.result is None else NewFile(**pending.result),
    )


@router.patch(
    "/{upload_id}",
    status_code=204,
    responses={
        **_STATUSES,
        415: responses(415)[415],
        423: responses(423)[423],
        460: responses(422)[422] | {"description": "Checksum Mismatch"},
    },
    dependencies=[Speaks],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {PART: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def go_on(
    request: Request,
    caller: Submitter,
    upload_id: UploadId,
    upload_offset: Bytes,
    upload_checksum: Annotated[
        str | None, Header(max_length=200, description="An algorithm and the hash in Base64.")
    ] = None,
) -> Response:
    """Add bytes to an upload. With the last of them it becomes a file of the project."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != PART:
        raise MediaTypeWrong(f"the body has to be of the type {PART}")
    arrivals = arrivals_of(request)
    pending = await in_thread(_find, request, caller, upload_id)
    async with threaded(arrivals.uploads.writing(pending)) as part:
        part.at(upload_offset)
        if upload_checksum is not None:
            part.expect(upload_checksum)
        whole = await pour(request, part.write)
        if not whole and upload_checksum is not None:
            raise RequestInvalid("body: the client went away before its end")
    pending = await in_thread(_find, request, caller, upload_id)
    if pending.offset == pending.length:
        pending = await in_thread(complete, arrivals, caller, pending)
    return Response(status_code=204, headers=_headers(pending))


@router.delete("/{upload_id}", status_code=204, responses=_STATUSES, dependencies=[Speaks])
def give_up(request: Request, caller: Submitter, upload_id: UploadId) -> Response:
    """Forget an upload. A file it has become stays."""
    pending = _find(request, caller, upload_id)
    with caller.transaction() as connection:
        caller.note(connection, "give up upload", pending.id)
    arrivals_of(request).uploads.remove(pending)
    return Response(status_code=204, headers={"Tus-Resumable": VERSION})


def metadata(text: str) -> dict[str, str]:
    """The pairs of Upload-Metadata. Raises RequestInvalid."""
    found: dict[str, str] = {}
    for pair in text.split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            found[name] = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        except ValueError as error:
            raise RequestInvalid(
                f"Upload-Metadata: {name[:40]!r} is not Base64 of UTF-8"
            ) from error
    if not found.get("filename"):
        raise RequestInvalid("Upload-Metadata: filename is missing")
    return found


def _find(request: Request, caller: Caller, upload_id: str) -> Pending:
    return arrivals_of(request).uploads.find(upload_id, project=caller.project)


def _headers(pending: Pending) -> dict[str, str]:
    expires = format_datetime(datetime.fromtimestamp(pending.expires, UTC), usegmt=True)
    return {
        "Tus-Resumable": VERSION,
        "Upload-Offset": str(pending.offset),
        "Upload-Expires": expires,
        "Cache-Control": "no-store",
    }
