"""Files come in: as forms, as existing clients send them, from addresses, as versions of models."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from ifcbase.errors import ChecksumMismatch, FileMissing, RequestInvalid
from ifcbase.files.fetch import Limits
from ifcbase.files.naming import upload_name
from ifcbase.files.receive import Receiver
from ifcbase.files.sniff import KINDS, kind_named
from ifcbase.gateway.arriving import (
    Arrived,
    admit,
    arrivals_of,
    document_of,
    give_version,
    in_thread,
    known_file,
    pour_whole,
    refuse_announced,
    threaded,
)
from ifcbase.gateway.caller import Caller, Reader, Submitter
from ifcbase.gateway.multipart import MOST_BESIDE, FormFile
from ifcbase.gateway.problems import responses
from ifcbase.gateway.repeats import IdempotencyKey, before, once_done
from ifcbase.ifc.text import is_clean

router = APIRouter(tags=["uploads"])

_EXTENSIONS = {
    "ifc": "ifc",
    "ifczip": "ifc",
    "ids": "ids",
    "bcf": "bcf",
    "bcfzip": "bcf",
    "csv": "csv",
}
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
FileType = Annotated[
    str, Path(max_length=20, description=f"One of {', '.join(KINDS)}, in any case.")
]
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "examples": ["a;b"]}
                    },
                }
            }
        },
    }
}
BYTES: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Uploaded(BaseModel):
    """A file that was uploaded; ``file_path`` is what requests name it by."""

    message: str = "File uploaded successfully"
    file_path: str = Field(examples=["/uploads/architecture.ifc"])
    original_filename: str
    storage: str = "local"
    sha256: str
    size_bytes: int


class Fetched(Uploaded):
    """A file that was fetched from an address."""

    storage_basename: str
    cached: bool = Field(default=False, description="Always false: the file is fetched anew.")


class FetchRequest(BaseModel):
    """Where the file is, and the name it shall have here."""

    url: str = Field(max_length=4096, examples=["https://files.example.com/architecture.ifc"])
    output_filename: str | None = Field(default=None, max_length=255)
    source_etag: str | None = Field(default=None, max_length=500, description="Not looked at.")


class Version(BaseModel):
    """The version of a model that a file is; not new if the model's latest has the same bytes."""

    model: str
    number: int
    version_id: int
    is_new: bool


class NewFile(BaseModel):
    """A file of the project."""

    path: str = Field(examples=["/uploads/architecture.ifc"])
    name: str
    kind: str
    sha256: str
    size_bytes: int
    version: Version | None


class KnownFile(BaseModel):
    """A file whose bytes are here already: they need not be sent again."""

    sha256: str
    size_bytes: int
    name: str = Field(description="The name it came with first.")


@router.post(
    "/upload/{file_type}",
    responses=responses(401, 403, 404, 413, 422, 429, 503, 507),
    openapi_extra=FORM,
    tags=["compatible"],
)
async def upload(
    request: Request, caller: Submitter, file_type: FileType, idempotency_key: IdempotencyKey = None
) -> Uploaded:
    """Upload a file as the form field `file`. An ifcZIP becomes the model inside."""
    arrivals = arrivals_of(request)
    kind = kind_named(file_type)
    refuse_announced(request, arrivals.limit, MOST_BESIDE)
    async with threaded(ExitStack()) as held:
        receivers: list[Receiver] = []

        def begin(name: str) -> Callable[[bytes], None]:
            receivers.append(held.enter_context(arrivals.receiver(kind, name)))
            return receivers[0].write

        form = FormFile(request.headers.get("content-type", ""), begin)
        await pour_whole(request, form.feed)
        form.finish()
        received = await in_thread(receivers[0].finish)
        arrived = await in_thread(admit, caller, received, key=idempotency_key)
    return _uploaded(arrived)


@router.post(
    "/download-from-url",
    responses=responses(401, 403, 404, 413, 422, 429, 503, 507),
    tags=["compatible"],
)
def download_from_url(
    request: Request, caller: Submitter, wanted: FetchRequest,
    idempotency_key: IdempotencyKey = None,
) -> Fetched:  # fmt: skip
    """Fetch a file from a public address into the project."""
    asked = ["fetch", wanted]
    if (done := before(caller, idempotency_key, asked)) is not None:
        return Fetched(**done)
    fetched = _fetch(request, caller, wanted)
    with caller.transaction() as connection:
        done, _ = once_done(caller, connection, idempotency_key, asked, fetched.model_dump)
    return Fetched(**done)


def _fetch(request: Request, caller: Caller, wanted: FetchRequest) -> Fetched:
    arrivals = arrivals_of(request)
    limits = Limits(arrivals.limit, total_s=caller.gateway.settings.fetch_s)
    # The kind is known by the name, which may come with the answer only.
    with arrivals.fetching(), arrivals.receiver("other", "fetched") as raw:
        answer = arrivals.fetcher.get(wanted.url, raw.write, limits)
        name = upload_name(wanted.output_filename or answer.file_name or "download")
        kind = _EXTENSIONS.get(name.rpartition(".")[2].lower(), "other")
        arrived = admit(caller, raw.finish_as(kind, name))
    base = _uploaded(arrived)
    return Fetched(**base.model_dump(), storage_basename=arrived.received.name)


@router.get(
    "/v1/uploads/known/{sha256}",
    responses=responses(401, 403, 404, 422, 429, 503),
    tags=["uploads"],
)
def file_known(caller: Reader, sha256: Annotated[Sha256, Path()]) -> KnownFile:
    """Whether the project has these bytes already, so that they need not be uploaded again."""
    found = known_file(caller, sha256)
    if found is None:
        raise FileMissing("the project has no such file", hint="Upload it.")
    return KnownFile(sha256=sha256, size_bytes=found["size"], name=found["name"])


@router.post(
    "/v1/uploads/models/{model}",
    status_code=201,
    responses={
        **responses(401, 403, 404, 413, 422, 429, 503, 507),
        460: responses(422)[422] | {"description": "The bytes have another hash"},
    },
    openapi_extra=BYTES,
)
async def upload_version(
    request: Request,
    caller: Submitter,
    model: Annotated[str, Path(max_length=255)],
    file_name: Annotated[str, Query(max_length=255, examples=["architecture.ifc"])],
    sha256: Annotated[
        Sha256 | None,
        Query(description="The bytes' hash. Bytes the project has already need not be sent."),
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> NewFile:
    """Make a file the next version of a model: the body, or bytes that are here already."""
    arrivals = arrivals_of(request)
    if not model.strip() or not is_clean(model):
        raise RequestInvalid("model: it is empty or holds control characters")
    name = upload_name(file_name)
    refuse_announced(request, arrivals.limit)
    if sha256 is not None and (found := await in_thread(known_file, caller, sha256)):
        return await in_thread(_from_known, caller, model, name, found, idempotency_key)
    async with threaded(arrivals.receiver("ifc", name)) as receiver:
        await pour_whole(request, receiver.write)
        received = await in_thread(receiver.finish)
        if sha256 not in (None, received.sha256):
            raise ChecksumMismatch
        arrived = await in_thread(admit, caller, received, model, idempotency_key)
    return NewFile(**document_of(arrived))


def _from_known(
    caller: Caller, model: str, name: str, found: dict[str, Any], key: str | None
) -> NewFile:
    with caller.transaction() as connection:

        def do() -> dict[str, Any]:
            return give_version(caller, connection, model, found["sha256"], name)

        asked = ["known version", model, name, found["sha256"]]
        version, _ = once_done(caller, connection, key, asked, do)
    return NewFile(
        path=f"model:{model}@{version['number']}",
        name=name,
        kind="ifc",
        sha256=found["sha256"],
        size_bytes=found["size"],
        version=Version(model=model, **version),
    )


def _uploaded(arrived: Arrived) -> Uploaded:
    return Uploaded(
        file_path=f"/{arrived.path}",
        original_filename=arrived.received.original,
        sha256=arrived.received.sha256,
        size_bytes=arrived.received.size,
    )
