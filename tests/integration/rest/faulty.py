"""A proxy before the gateway that breaks what passes, as it is told: connections cut before the
request gets through or before its answer does, and answers of a gateway in trouble."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: What happens to a request: "pass"; "cut" (it never gets there); "unheard" (done, and the answer
#: lost); a status instead of doing it; "504 after" (done, but the gateway did not wait).
Plan = Callable[[str, int], str]


class FaultyProxy:
    """``plan`` is asked for each call with the function's name and a running number."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target).netloc
        self.plan: Plan = lambda _, __: "pass"
        #: Functions that were called, with what happened.
        self.calls: list[tuple[str, str]] = []
        self._count = 0
        self._lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                proxy.handle(self)

            do_GET = do_POST  # noqa: N815 - the name is the base's

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def down(self) -> None:
        """Nothing gets through."""
        self.plan = lambda _, __: "cut"

    def up(self) -> None:
        """All is well."""
        self.plan = lambda _, __: "pass"

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Do with one request what the plan says."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        function = request.path.rpartition("/")[2].partition("?")[0]
        with self._lock:
            self._count += 1
            what = self.plan(function, self._count)
            self.calls.append((function, what))
        if what == "cut":
            request.close_connection = True
            return
        if what.isdigit():
            self._answer(request, int(what), b"<html>trouble</html>", "text/html")
            return
        upstream = http.client.HTTPConnection(self.target, timeout=120)
        try:
            headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
            upstream.request(request.command, request.path, body, headers)
            answer = upstream.getresponse()
            data = answer.read()
        finally:
            upstream.close()
        if what == "unheard":
            request.close_connection = True
        elif what == "504 after":
            self._answer(request, 504, b"upstream request timeout", "text/plain")
        else:
            kind = answer.getheader("Content-Type") or "application/json"
            self._answer(request, answer.status, data, kind)

    def _answer(self, request: BaseHTTPRequestHandler, status: int, data: bytes, kind: str) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    @contextmanager
    def running(self) -> Iterator[FaultyProxy]:
        """Serve for the block."""
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
