"""Supabase Storage over HTTP: what a file store needs of it, streamed and tried again.

The storage API rather than its S3 door: it judges the caller's own token (row-level security), where S3
keys pass everything. Up to 6 MiB go in one request, more by TUS in parts of 6 MiB, which is the size the
service insists on; a broken part is asked for (``HEAD``) and continued. Downloads continue by ``Range``.
"""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, TypeVar
from urllib.parse import quote

import httpx

from ifcbase.errors import FileMissing, FilesRefused, FilesUnavailable

_LOG = logging.getLogger(__name__)
#: Length of a part of a resumable upload, in bytes: the service takes no other.
PART = 6 * 1024 * 1024
_CHUNK = 256 * 1024
#: Answers after which the same request may succeed: overload, a lock that is held, broken gateways.
_AGAIN = frozenset({408, 423, 425, 429, 500, 502, 503, 504, 520})
_MISSING = frozenset({"not_found", "NoSuchKey", "NoSuchBucket", "404"})
_PRESENT = frozenset({"Duplicate", "KeyAlreadyExists", "ResourceAlreadyExists", "409"})
_Answer = TypeVar("_Answer")


class _Broken(Exception):
    """A try that may be repeated."""


class StorageHttp:
    """One connection pool; ``key`` is what the gateway wants, ``token`` what the service judges."""

    def __init__(
        self,
        url: str,
        key: str,
        token: str | None = None,
        *,
        tries: int = 8,
        pause_s: float = 0.25,
        stall_s: float = 60.0,
    ) -> None:
        """``stall_s`` is how long nothing may arrive or leave; files may take longer as a whole."""
        self.url = url.rstrip("/")
        self._tries = tries
        self._pause_s = pause_s
        headers = {"apikey": key}
        # Opaque keys (sb_…) are no tokens: the gateway puts one in their place.
        if bearer := token or (None if key.startswith("sb_") else key):
            headers["Authorization"] = f"Bearer {bearer}"
        self._client = httpx.Client(
            base_url=f"{self.url}/storage/v1",
            headers=headers,
            timeout=httpx.Timeout(stall_s, connect=min(stall_s, 10.0)),
            follow_redirects=False,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def exists(self, bucket: str, name: str) -> bool:
        """Whether the caller can see an object. Raises FilesUnavailable, FilesRefused."""

        def ask() -> bool:
            with self._asked("HEAD", f"/object/authenticated/{_path(bucket, name)}") as answer:
                if answer.status_code in {400, 404}:
                    return False
                _judge(answer, "look for")
                return True

        return self._repeated(ask, "look for")

    def upload(
        self,
        bucket: str,
        name: str,
        source: IO[bytes],
        size: int,
        content_type: str,
        *,
        replace: bool = False,
    ) -> None:
        """Store ``size`` bytes; an object that is there already is left as it is, unless it is to be
        replaced, which only the service may.

        Raises FilesUnavailable, FilesRefused."""
        upsert = "true" if replace else "false"
        if size <= PART:
            self._upload_whole(bucket, name, source.read(size), content_type, upsert)
        else:
            self._upload_parts(bucket, name, source, size, content_type, upsert)

    def remove(self, bucket: str, name: str) -> None:
        """Remove an object; one that is not there is removed. The service's alone: from others the
        answer is that there is none. Raises FilesUnavailable, FilesRefused."""

        def ask() -> None:
            with self._asked("DELETE", f"/object/{_path(bucket, name)}") as answer:
                if answer.status_code in {400, 404} and _codes(answer) & _MISSING:
                    return
                _judge(answer, "remove")

        self._repeated(ask, "remove")

    def begin_only(self, bucket: str, name: str, size: int) -> None:
        """Begin an upload of so many bytes and end it: limits of size are judged at its begin.

        Raises FilesUnavailable, FilesRefused."""
        place = self._begin(bucket, name, size, "application/octet-stream", "false")
        if place is None:
            return

        def end() -> None:
            with self._asked("DELETE", place, headers={"Tus-Resumable": "1.0.0"}) as answer:
                if answer.status_code not in {404, 410}:
                    _judge(answer, "remove")

        self._repeated(end, "remove")

    def download(
        self, bucket: str, name: str, take: Callable[[bytes], object], restart: Callable[[], None]
    ) -> None:
        """Give an object's bytes to ``take`` piece by piece; ``restart`` when they begin anew.

        Raises FileMissing, FilesUnavailable, FilesRefused."""
        got = 0
        path = f"/object/authenticated/{_path(bucket, name)}"
        failures = 0
        while True:
            before = got
            try:
                more = {"Range": f"bytes={got}-"} if got else {}
                with self._asked("GET", path, headers=more) as answer:
                    if got and answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                        return  # it broke after the last byte
                    _judge(answer, "read")
                    if got and answer.status_code != httpx.codes.PARTIAL_CONTENT:
                        restart()
                        got = 0
                    for chunk in answer.iter_raw(_CHUNK):
                        take(chunk)
                        got += len(chunk)
                    return
            except _Broken as error:
                failures = 0 if got > before else failures + 1
                self._wait(failures, error, "read")

    def sign(self, bucket: str, name: str, seconds: int) -> str:
        """A path (below the gateway) from which anybody can download until the time is over.

        Raises FileMissing, FilesUnavailable, FilesRefused."""

        def ask() -> str:
            path = f"/object/sign/{_path(bucket, name)}"
            with self._asked("POST", path, json={"expiresIn": seconds}) as answer:
                _judge(answer, "sign")
                return f"/storage/v1{_told(answer)['signedURL']}"

        return self._repeated(ask, "sign")

    # --- inside -----------------------------------------------------------------------------------

    def _upload_whole(
        self, bucket: str, name: str, content: bytes, content_type: str, upsert: str
    ) -> None:
        headers = {"Content-Type": content_type, "x-upsert": upsert}

        def send() -> None:
            path = f"/object/{_path(bucket, name)}"
            with self._asked("POST", path, content=content, headers=headers) as answer:
                if not _present(answer):
                    _judge(answer, "store")

        self._repeated(send, "store")

    def _upload_parts(
        self,
        bucket: str,
        name: str,
        source: IO[bytes],
        size: int,
        content_type: str,
        upsert: str,
    ) -> None:
        place = self._begin(bucket, name, size, content_type, upsert)
        sent = failures = 0
        while place is not None and sent < size:
            source.seek(sent)
            part = source.read(min(PART, size - sent))
            try:
                sent = self._send_part(place, sent, part)
                failures = 0
            except _Broken as error:
                failures += 1
                self._wait(failures, error, "store")
                there = self._progress(place)
                if there is None:
                    # Uploads are forgotten after an hour, or when the service starts anew.
                    place, there = self._begin(bucket, name, size, content_type, upsert), 0
                sent = there

    def _begin(
        self, bucket: str, name: str, size: int, content_type: str, upsert: str
    ) -> str | None:
        """The place of a new upload; None if the object is there already."""
        facts = {"bucketName": bucket, "objectName": name, "contentType": content_type}
        metadata = ",".join(
            f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in facts.items()
        )
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(size),
            "Upload-Metadata": metadata,
            "x-upsert": upsert,
        }

        def ask() -> str | None:
            with self._asked("POST", "/upload/resumable", headers=headers) as answer:
                if _present(answer):
                    return None
                _judge(answer, "store")
                # It names itself by the public address, which may not lead here from inside.
                return f"/upload/resumable/{answer.headers['Location'].rpartition('/')[2]}"

        return self._repeated(ask, "store")

    def _send_part(self, place: str, offset: int, part: bytes) -> int:
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        }
        with self._asked("PATCH", place, content=part, headers=headers) as answer:
            if answer.status_code in {404, 409, 410}:
                raise _Broken(f"the upload is elsewhere ({answer.status_code})")
            if _present(answer):
                return offset + len(part)
            _judge(answer, "store")
            return int(answer.headers["Upload-Offset"])

    def _progress(self, place: str) -> int | None:
        """How much of an upload has arrived; None if it is not known any more."""

        def ask() -> int | None:
            with self._asked("HEAD", place, headers={"Tus-Resumable": "1.0.0"}) as answer:
                if answer.status_code in {400, 404, 410}:
                    return None
                _judge(answer, "store")
                return int(answer.headers["Upload-Offset"])

        return self._repeated(ask, "store")

    def _repeated(self, ask: Callable[[], _Answer], verb: str) -> _Answer:
        failures = 0
        while True:
            try:
                return ask()
            except _Broken as error:
                failures += 1
                self._wait(failures, error, verb)

    def _wait(self, failures: int, error: _Broken, verb: str) -> None:
        if failures >= self._tries:
            raise FilesUnavailable(f"Storage could not {verb} a file: {error}") from error
        if failures:
            _LOG.info("storage: %s; trying again", error)
            time.sleep(min(self._pause_s * 2 ** (failures - 1), 8.0))

    @contextmanager
    def _asked(self, method: str, path: str, **more: Any) -> Iterator[httpx.Response]:
        try:
            with self._client.stream(method, path, **more) as answer:
                if answer.status_code in _AGAIN and not _final(answer):
                    raise _Broken(f"{method} was answered with {answer.status_code}")
                yield answer
        except httpx.TransportError as error:
            raise _Broken(f"{method}: {error or type(error).__name__}") from error


def _path(bucket: str, name: str) -> str:
    return f"{quote(bucket, safe='')}/{quote(name, safe='/')}"


def _told(answer: httpx.Response) -> Mapping[str, Any]:
    """What an answer says of itself, if it is the service's."""
    try:
        answer.read()
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, Mapping) else {}


def _codes(answer: httpx.Response) -> set[str]:
    said = _told(answer)
    return {str(said.get(key)) for key in ("error", "code", "statusCode")}


def _final(answer: httpx.Response) -> bool:
    """Whether a failure is the database's refusal, which some releases send as 500."""
    return "row-level security" in str(_told(answer).get("message", ""))


def _present(answer: httpx.Response) -> bool:
    return answer.status_code in {400, 409} and bool(_codes(answer) & _PRESENT)


def _judge(answer: httpx.Response, verb: str) -> None:
    """Raise what an answer means, unless it is good."""
    if answer.is_success:
        return
    said = _told(answer)
    reason = str(said.get("message") or answer.reason_phrase)
    if answer.status_code == httpx.codes.NOT_FOUND or _codes(answer) & _MISSING:
        raise FileMissing(
            "the file is not in Storage, or this key may not see it",
            hint="Check that it was uploaded, and the buckets: `ifcbase db buckets`.",
        )
    if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE or "413" in _codes(answer):
        raise FilesRefused(
            f"Storage refuses a file of this size: {reason}",
            hint="Raise FILE_SIZE_LIMIT of the service storage; it is 50 MiB as Supabase ships it.",
        )
    raise FilesRefused(
        f"Storage refuses to {verb} a file: {reason} ({answer.status_code})",
    )
