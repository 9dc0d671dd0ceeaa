"""A stand-in for Supabase's storage service with the contract that was measured on the real one.

What it keeps to: paths, status codes and bodies of objects, signed addresses and resumable uploads;
a limit of size; parts of 6 MiB and no others; bytes by ``Range``. Faults come by event: each fault in
``faults`` is used once, by the first request it fits.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jwt

SECRET = "a-secret-of-the-stand-in-that-is-long-enough"
KEY = "anon-key"
PART = 6 * 1024 * 1024


@dataclass
class Upload:
    bucket: str
    name: str
    content_type: str
    length: int
    content: bytearray = field(default_factory=bytearray)


@dataclass
class Storage:
    """What the service holds and what was asked of it."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    types: dict[tuple[str, str], str] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    #: (method, part of the path, what happens): "drop", "cut", "forget", "again", or a status code.
    faults: list[tuple[str, str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    limit: int = 1024**3
    ranges: bool = True
    may_remove: bool = True
    token: str = "worker-token"
    url: str = ""

    def fault(self, method: str, path: str) -> str | None:
        for fault in self.faults:
            if fault[0] == method and fault[1] in path:
                self.faults.remove(fault)
                return fault[2]
        return None


@contextmanager
def running() -> Iterator[Storage]:
    """A service on a port of its own."""
    state = Storage()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Storage

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        self.state.asked.append(f"{self.command} {path}")
        fault = self.state.fault(self.command, path)
        size = int(self.headers.get("Content-Length") or 0)
        if fault == "drop":
            self.rfile.read(min(size, 1000))
            self.close_connection = True
            self.connection.close()
            return
        content = self.rfile.read(size // 2 if fault == "cut" and size else size)
        if fault and fault.isdigit():
            self._send(int(fault), b"upstream connect error")
            return
        route = path.removeprefix("/storage/v1")
        if (found := re.fullmatch(r"/object/sign/([^/]+)/(.+)", route)) and self.command == "GET":
            self._signed(found[1], unquote(found[2]))
            return
        if self.headers.get("apikey") != KEY:
            self._say(401, "Unauthorized", "no key")
            return
        if self.headers.get("Authorization") != f"Bearer {self.state.token}":
            self._say(400, "Unauthorized", "new row violates row-level security policy", "403")
            return
        if found := re.fullmatch(r"/object/authenticated/([^/]+)/(.+)", route):
            self._object(found[1], unquote(found[2]), fault)
        elif found := re.fullmatch(r"/object/sign/([^/]+)/(.+)", route):
            self._sign(found[1], unquote(found[2]), json.loads(content))
        elif found := re.fullmatch(r"/upload/resumable(?:/(.+))?", route):
            self._resumable(found[1], content, fault)
        elif (found := re.fullmatch(r"/object/([^/]+)/(.+)", route)) and self.command == "DELETE":
            self._remove(found[1], unquote(found[2]))
        elif found := re.fullmatch(r"/object/([^/]+)/(.+)", route):
            self._store(found[1], unquote(found[2]), content, fault)
        else:
            self._say(404, "not_found", "Route not found")

    # --- objects ----------------------------------------------------------------------------------

    def _object(self, bucket: str, name: str, fault: str | None) -> None:
        content = self.state.objects.get((bucket, name))
        if content is None:
            self._say(400, "not_found", "Object not found", "404")
            return
        start, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted and self.state.ranges:
            start, status = int(wanted[1]), 206
            if start >= len(content):
                self._send(416, b"")
                return
        rest = content[start:]
        self.send_response(status)
        self.send_header(
            "Content-Type", self.state.types.get((bucket, name), "application/octet-stream")
        )
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault == "cut":
            self.wfile.write(rest[: len(rest) // 2])
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(rest)

    def _store(self, bucket: str, name: str, content: bytes, fault: str | None) -> None:
        if (bucket, name) in self.state.objects and self.headers["x-upsert"] != "true":
            self._say(409, "Duplicate", "The resource already exists")
        elif len(content) > self.state.limit:
            self._say(413, "Payload too large", "The object exceeded the maximum allowed size")
        else:
            self._keep(bucket, name, content, self.headers["Content-Type"])
            if fault == "again":  # stored, and the answer is lost
                self.close_connection = True
                self.connection.close()
                return
            self._send(200, json.dumps({"Key": f"{bucket}/{name}"}).encode())

    def _remove(self, bucket: str, name: str) -> None:
        # Who may not delete is told the same as if there were none: row-level security hides it.
        if not self.state.may_remove or self.state.objects.pop((bucket, name), None) is None:
            self._say(400, "not_found", "Object not found", "404")
        else:
            self._send(200, json.dumps({"message": "Successfully deleted"}).encode())

    def _keep(self, bucket: str, name: str, content: bytes, content_type: str) -> None:
        self.state.objects[bucket, name] = content
        self.state.types[bucket, name] = content_type

    # --- signed addresses -------------------------------------------------------------------------

    def _sign(self, bucket: str, name: str, asked: dict[str, Any]) -> None:
        if (bucket, name) not in self.state.objects:
            self._say(400, "not_found", "Object not found", "404")
            return
        claims = {"url": f"{bucket}/{name}", "exp": int(time.time()) + asked["expiresIn"]}
        token = jwt.encode(claims, SECRET, algorithm="HS256")
        address = f"/object/sign/{bucket}/{name}?token={token}"
        self._send(200, json.dumps({"signedURL": address}).encode())

    def _signed(self, bucket: str, name: str) -> None:
        given = parse_qs(urlsplit(self.path).query)
        try:
            claims = jwt.decode(given["token"][0], SECRET, algorithms=["HS256"])
        except (KeyError, jwt.InvalidTokenError):
            self._say(400, "InvalidJWT", "jwt expired")
            return
        content = self.state.objects.get((bucket, name))
        if claims["url"] != f"{bucket}/{name}" or content is None:
            self._say(400, "not_found", "Object not found", "404")
            return
        more = {}
        if "download" in given:
            more["Content-Disposition"] = f"attachment; filename={given['download'][0]}"
        self._send(200, content, **more)

    # --- resumable uploads ------------------------------------------------------------------------

    def _resumable(self, upload_id: str | None, content: bytes, fault: str | None) -> None:
        assert self.headers["Tus-Resumable"] == "1.0.0"
        if upload_id is None:
            self._begin()
            return
        if fault == "forget":
            self.state.uploads.pop(upload_id, None)
        upload = self.state.uploads.get(upload_id)
        if upload is None:
            self._send(404, b"")
        elif self.command == "DELETE":
            del self.state.uploads[upload_id]
            self._send(204, b"")
        elif self.command == "HEAD":
            self._send(200, b"", **{"Upload-Offset": str(len(upload.content))})
        else:
            self._take(upload, content, fault)

    def _begin(self) -> None:
        pairs = (pair.split(" ") for pair in self.headers["Upload-Metadata"].split(","))
        facts = {key: base64.b64decode(value).decode() for key, value in pairs}
        length = int(self.headers["Upload-Length"])
        if length > self.state.limit:
            self._send(413, b"Maximum size exceeded")
        elif (facts["bucketName"], facts["objectName"]) in self.state.objects and self.headers[
            "x-upsert"
        ] != "true":
            self._say(409, "Duplicate", "The resource already exists")
        else:
            upload_id = secrets.token_urlsafe(16)
            self.state.uploads[upload_id] = Upload(
                facts["bucketName"], facts["objectName"], facts["contentType"], length
            )
            # By the public address, which nobody inside can reach.
            place = f"http://localhost:1/storage/v1/upload/resumable/{upload_id}"
            self._send(201, b"", Location=place)

    def _take(self, upload: Upload, content: bytes, fault: str | None) -> None:
        if int(self.headers["Upload-Offset"]) != len(upload.content):
            self._send(409, b"Upload-Offset conflict")
            return
        upload.content += content
        if fault == "cut":  # half of it came
            self.close_connection = True
            self.connection.close()
            return
        last = len(upload.content) == upload.length
        # The service takes parts of one size; a part that continues a broken one may be longer on it.
        assert last or len(content) == PART
        if last:
            self._keep(upload.bucket, upload.name, bytes(upload.content), upload.content_type)
        if fault == "again":
            self.close_connection = True
            self.connection.close()
            return
        self._send(204, b"", **{"Upload-Offset": str(len(upload.content))})

    # --- answers ----------------------------------------------------------------------------------

    def _say(self, status: int, error: str, message: str, code: str | None = None) -> None:
        said = {"statusCode": code or str(status), "error": error, "message": message}
        self._send(status, json.dumps(said).encode())

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
