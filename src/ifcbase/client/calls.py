"""The calls, by what people want to do."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import httpx

from ifcbase.client.things import Event, Finding, Job, Uploaded, Version
from ifcbase.client.transport import AGAIN, Transport, pause, raised, unreachable
from ifcbase.errors import (
    ChecksumMismatch,
    Conflict,
    FileMissing,
    NotFound,
    OutOfTimeBudget,
    UploadBusy,
    from_dict,
)

_PART = 32 << 20
_BLOCK = 1 << 20
_TUS = {"Tus-Resumable": "1.0.0"}
_KINDS = {"ifc": "ifc", "ifczip": "ifc", "ids": "ids", "bcf": "bcf", "bcfzip": "bcf", "csv": "csv"}
#: Tries to send one part of a file.
_TRIES = 5
Name = str | Uploaded | Version


class Client:
    """One project of one gateway. Safe to use from several threads; close it, or use ``with``."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        project: str | None = None,
        timeout_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """``url`` and ``key`` are IFCBASE_URL and IFCBASE_API_KEY if not given; ``project`` is
        needed by users of several projects only. Raises ConfigError."""
        self._transport = Transport(url, key, project, timeout_s, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._transport.http.close()

    # --- files -----------------------------------------------------------------------------------

    def upload(
        self,
        path: Path | str,
        *,
        model: str | None = None,
        kind: str | None = None,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> Uploaded:
        """Send a file in parts, going on after interruptions; with ``model`` it becomes the model's
        next version. ``kind`` is known by the extension. ``on_progress`` gets 0 to 1.

        Raises FileMissing and what the service refuses the file for."""
        path = Path(path)
        kind = kind or _KINDS.get(path.suffix.lower().lstrip("."), "other")
        try:
            size = path.stat().st_size
        except FileNotFoundError as error:
            raise FileMissing(f"{path} does not exist") from error
        about = {"filename": path.name, "kind": kind} | ({"model": model} if model else {})
        pairs = (f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in about.items())
        begun = self._transport.ask(
            "POST",
            "/v1/uploads",
            headers={**_TUS, "Upload-Length": str(size), "Upload-Metadata": ",".join(pairs)},
        )
        address = begun.headers["Location"].partition("?")[0]
        with path.open("rb") as stream:
            offset = 0
            while offset < size:
                offset = self._send_part(address, stream, offset)
                on_progress(offset / size)
        return _uploaded(self._transport.ask("GET", address).json()["file"])

    def _send_part(self, address: str, stream: BinaryIO, offset: int) -> int:
        """Send the next part; the offset after it, wherever the service is then."""
        for left in reversed(range(_TRIES)):
            stream.seek(offset)
            part = stream.read(_PART)
            checksum = base64.b64encode(hashlib.sha256(part).digest()).decode()
            try:
                answer = raised(
                    self._transport.http.patch(
                        address,
                        content=part,
                        params=self._transport.query(),
                        headers={
                            **_TUS,
                            "Content-Type": "application/offset+octet-stream",
                            "Upload-Offset": str(offset),
                            "Upload-Checksum": f"sha256 {checksum}",
                        },
                    )
                )
            except (httpx.TransportError, Conflict, ChecksumMismatch, UploadBusy) as error:
                if not left:
                    if isinstance(error, httpx.TransportError):
                        raise unreachable(error) from error
                    raise
                time.sleep(0.5 * (_TRIES - left))
                asked = self._transport.ask("HEAD", address, headers=_TUS)
                offset = int(asked.headers["Upload-Offset"])
                if offset == int(asked.headers["Upload-Length"]):
                    return offset
            else:
                return int(answer.headers["Upload-Offset"])
        raise AssertionError("the last try returns or raises")

    def add_version(
        self, model: str, path: Path | str, *, on_progress: Callable[[float], None] = lambda _: None
    ) -> Version:
        """Make a file the next version of a model. Bytes the project has already are not sent."""
        path = Path(path)
        try:
            with path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError as error:
            raise FileMissing(f"{path} does not exist") from error
        try:
            self._transport.ask("GET", f"/v1/uploads/known/{sha256}")
        except FileMissing:
            version = self.upload(path, model=model, kind="ifc", on_progress=on_progress).version
            assert version is not None  # noqa: S101 (a model was named)
            return version
        answer = self._transport.ask(
            "POST",
            f"/v1/uploads/models/{quote(model, safe='')}",
            params={"file_name": path.name, "sha256": sha256},
            repeat=True,
        )
        found = _uploaded(answer.json()).version
        assert found is not None  # noqa: S101 (the route makes one)
        return found

    def files(self, prefix: str | None = None) -> Iterator[dict[str, Any]]:
        """The files of the project: uploads, and what jobs made."""
        return self._transport.pages("/v1/files", prefix=prefix)

    def download(self, name: Name, target: Path | str) -> Path:
        """Write a file of the project to ``target`` (a file, or a folder to put it in), whole or not
        at all. Raises FileMissing."""
        source, target = _path(name), Path(target)
        if target.is_dir():
            target = target / source.rpartition("/")[2]
        fresh = target.with_name(target.name + ".part")
        address = f"/v1/files/{quote(source.lstrip('/'))}"
        try:
            with self._transport.http.stream(
                "GET", address, params=self._transport.query()
            ) as answer:
                if not answer.is_success:
                    answer.read()
                    raised(answer)
                with fresh.open("wb") as file:
                    for block in answer.iter_bytes(_BLOCK):
                        file.write(block)
            fresh.replace(target)
        except httpx.TransportError as error:
            raise unreachable(error) from error
        finally:
            fresh.unlink(missing_ok=True)
        return target

    # --- jobs ------------------------------------------------------------------------------------

    def submit(
        self, check: str, request: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> str:
        """Submit a check ("clash", "conversion", "tester", "diff"); the job's id. Sent again after a
        lost answer, the job still is one.

        Raises RequestInvalid, FileMissing and what the check refuses its files for."""
        answer = self._transport.ask(
            "POST",
            f"/v1/jobs/{check}",
            json=dict(request),
            headers={"Idempotency-Key": idempotency_key or uuid.uuid4().hex},
        )
        return str(answer.json()["job_id"])

    def clash(
        self,
        name: str,
        a: Sequence[Name | Mapping[str, Any]],
        b: Sequence[Name | Mapping[str, Any]] = (),
        **options: Any,
    ) -> str:
        """Submit a clash check of one set: files of side A against those of side B, or A against
        itself. A file may be a mapping with ``file``, ``selector`` and ``mode``. The job's id."""
        sides = {"a": [_side(each) for each in a], "b": [_side(each) for each in b]}
        options.setdefault("output_filename", f"{uuid.uuid4().hex}.json")
        return self.submit("clash", {"clash_sets": [{"name": name, **sides}], **options})

    def job(self, job_id: str) -> Job:
        """A job as it is now. Raises NotFound."""
        document = self._transport.ask("GET", f"/v1/jobs/{job_id}").json()
        return Job(
            document["id"],
            document["check"],
            document["state"],
            document["outcome"],
            document["error"],
            document["progress"],
            document,
        )

    def wait(
        self,
        job_id: str,
        *,
        timeout_s: float = 3600.0,
        poll_s: float = 1.0,
        on_progress: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> Job:
        """Wait until a job has finished. ``on_progress`` gets its progress whenever that changes.

        Raises the error it failed with, JobCancelled, or OutOfTimeBudget after ``timeout_s``; the
        job goes on then."""
        deadline = time.monotonic() + timeout_s
        told: dict[str, Any] | None = None
        while True:
            job = self.job(job_id)
            if job.progress and job.progress != told:
                told = job.progress
                on_progress(told)
            if job.state == "finished":
                return job
            if job.ended:
                fault = from_dict(job.error or {"code": "cancelled"})
                fault.job_id = job_id
                raise fault
            if time.monotonic() >= deadline:
                late = OutOfTimeBudget(
                    f"job {job_id} is still {job.state} after {timeout_s:.0f} s",
                    hint="It goes on; wait for it again later.",
                )
                late.job_id = job_id
                raise late
            time.sleep(poll_s)

    def cancel(self, job_id: str) -> str:
        """Cancel a job: "cancelled" at once while it waits, else "cancelling"."""
        return str(self._transport.ask("POST", f"/v1/jobs/{job_id}/cancel").json()["state"])

    # --- what was found --------------------------------------------------------------------------

    def results(
        self, check: str | None = None, *, clash_set: str | None = None, job: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Headers of results, latest first; of a check, a clash set or a job."""
        found = self._transport.pages("/v1/results", check=check, set=clash_set)
        return (each for each in found if job is None or each["job_id"] == job)

    def document(self, check: str, result: int) -> Any:
        """The document of a result in the shape of ifcclash, IfcTester or ifcdiff."""
        return self._transport.ask("GET", f"/v1/results/{check}/{result}/document").json()

    def rows(self, check: str, result: int, part: str) -> Iterator[dict[str, Any]]:
        """Rows of a result: contacts, failures, changes, left_out and more."""
        return self._transport.pages(f"/v1/results/{check}/{result}/rows/{part}")

    def set_id(self, name: str) -> int:
        """The number of a clash set. Raises NotFound."""
        for each in self._transport.ask("GET", "/v1/sets").json():
            if each["name"] == name:
                return int(each["id"])
        raise NotFound(f"there is no clash set {name!r} in the project")

    def pairs(
        self, clash_set: str, *, state: str | None = None, review: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """The pairs of a clash set with their states and last contacts. Raises NotFound."""
        number = self.set_id(clash_set)
        return self._transport.pages(f"/v1/sets/{number}/pairs", state=state, review=review)

    def findings(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """The findings of all checks."""
        return self._transport.pages("/v1/findings", **filters)

    def finding(self, number: int) -> Finding:
        """One finding with what was decided about it. Raises NotFound."""
        answer = self._transport.ask("GET", f"/v1/findings/{number}")
        return Finding(number, answer.headers["ETag"], answer.json())

    def decide(self, finding: int | Finding, action: str, **said: Any) -> None:
        """Decide about a finding: reviewed, approved, ignored (with ``reason``), open, assigned
        (``assigned_to``), due, comment. Of a Finding only if it is as it was read.

        Raises PreconditionFailed, RequestInvalid, Forbidden."""
        number = finding.id if isinstance(finding, Finding) else finding
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        if isinstance(finding, Finding):
            headers["If-Match"] = finding.etag
        self._transport.ask(
            "POST",
            f"/v1/findings/{number}/decisions",
            json={"action": action, **said},
            headers=headers,
        )

    # --- events ----------------------------------------------------------------------------------

    def events(self, *types: str, last: str | None = None) -> Iterator[Event]:
        """Events of the project as they happen, without end; interrupted, it goes on where it was.

        ``last``: the position of the last event that is known."""
        while True:
            headers = {"Last-Event-ID": last} if last else {}
            params = self._transport.query(**({"types": ",".join(types)} if types else {}))
            try:
                with self._transport.http.stream(
                    "GET", "/v1/events", headers=headers, params=params
                ) as answer:
                    if answer.status_code in AGAIN:
                        # A gateway that starts anew behind its proxy, or too many who listen.
                        pause(1, answer.headers.get("Retry-After"))
                        continue
                    if not answer.is_success:
                        answer.read()
                        raised(answer)
                    for event in _events(answer.iter_lines()):
                        last = event.position or last
                        yield event
            except httpx.TransportError:
                time.sleep(1.0)


def _events(lines: Iterator[str]) -> Iterator[Event]:
    found: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            found[name] = value
        elif not line and "event" in found:
            document = json.loads(found["data"])
            yield Event(found["event"], document.get("data", {}), found.get("id"))
            found = {}


def _uploaded(document: dict[str, Any]) -> Uploaded:
    version = document.get("version")
    made = None
    if version:
        made = Version(version["model"], version["number"], version["is_new"], document["sha256"])
    return Uploaded(document["path"], document["sha256"], document["size_bytes"], made)


def _path(name: Name) -> str:
    return name if isinstance(name, str) else str(name)


def _side(given: Name | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return {**given, "file": _path(given["file"])}
    return {"file": _path(given)}
