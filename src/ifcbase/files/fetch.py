"""Asking addresses that somebody else chose, without being led behind our own wall.

A name is looked up once, every address it has is judged, and the connection goes to one of the
addresses that were judged: a second look-up that answers otherwise (DNS rebinding) never happens.
Redirects are followed by hand and judged anew. One deadline covers everything. Proxies of the
environment are not used: what they reach cannot be judged here.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import httpcore

from ifcbase.errors import FetchFailed, FileTooLarge, UrlRefused
from ifcbase.files.addresses import Address, Policy

#: Gives the addresses of a name: ``socket.getaddrinfo`` behind a smaller face.
Resolve = Callable[[str, int], list[str]]

REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
_MOVED = {301, 302, 303, 307, 308}
_HOST = re.compile(r"[A-Za-z0-9_.\-]{1,253}|[0-9A-Fa-f:.]{2,45}")


@dataclass(frozen=True, slots=True)
class Limits:
    """Most bytes of an answer's body, seconds of the whole exchange, seconds of one wait."""

    max_bytes: int
    total_s: float = 600.0
    wait_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: the last address asked, the status, headers by lower-case name.

    ``body`` is empty where it went into a sink."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def file_name(self) -> str:
        """The name the server gives the file, else the last part of the address."""
        message = Message()
        message["content-disposition"] = self.headers.get("content-disposition", "")
        return message.get_filename() or unquote(urlsplit(self.url).path.rsplit("/", 1)[-1])


def resolved(host: str, port: int) -> list[str]:
    """All addresses of a name, as the system gives them. Raises FetchFailed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchFailed(f"the host {host} was not found", detail=str(error)) from error
    return [str(each[4][0]) for each in found]


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Asks addresses within a policy. Calls block: run them in a thread."""

    policy: Policy
    resolve: Resolve = resolved
    #: Certificates are judged by the system's list, unless a test brings its own.
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def get(
        self,
        url: str,
        sink: Callable[[bytes], None],
        limits: Limits,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Get a file, following redirects, its bytes into ``sink``; 304 gives no bytes.

        Raises UrlRefused, FetchFailed, FileTooLarge."""
        deadline = time.monotonic() + limits.total_s
        for _ in range(REDIRECTS + 1):
            # Headers are for the host they were given for: none of them goes along a redirect.
            with self._asked("GET", url, headers or {}, b"", deadline, limits) as (answer, body):
                if answer.status in _MOVED and "location" in answer.headers:
                    url, headers = urljoin(url, answer.headers["location"]), None
                    continue
                if answer.status == 304:
                    return answer
                if answer.status != 200:
                    raise FetchFailed(f"{_shown(url)} answered with status {answer.status}")
                encoding = answer.headers.get("content-encoding", "identity").lower()
                if encoding != "identity":
                    raise FetchFailed(f"{_shown(url)} sends compressed ({encoding[:20]}) unasked")
                announced = answer.headers.get("content-length", "")
                if announced.isdigit() and int(announced) > limits.max_bytes:
                    raise _too_large(url, limits)
                taken = 0
                for chunk in body:
                    taken += len(chunk)
                    if taken > limits.max_bytes:
                        raise _too_large(url, limits)
                    sink(chunk)
                return answer
        raise FetchFailed(f"{_shown(url)} redirects more than {REDIRECTS} times")

    def post(self, url: str, content: bytes, headers: Mapping[str, str], limits: Limits) -> Answer:
        """Send a document; redirects are not followed. Of the answer's body at most
        ``limits.max_bytes`` are kept, the rest is not read.

        Raises UrlRefused, FetchFailed."""
        deadline = time.monotonic() + limits.total_s
        with self._asked("POST", url, headers, content, deadline, limits) as (answer, body):
            kept = b""
            for chunk in body:
                kept += chunk
                if len(kept) >= limits.max_bytes:
                    break
            return Answer(answer.url, answer.status, answer.headers, kept[: limits.max_bytes])

    def check(self, url: str) -> None:
        """Judge an address without asking it. Raises UrlRefused, FetchFailed."""
        parts = parsed(url)
        host = str(parts.hostname)
        self.policy.check_host(host)
        self.addresses(host, parts.port or _PORTS[parts.scheme])

    def addresses(self, host: str, port: int) -> list[Address]:
        """The judged addresses of a host: one that is refused refuses them all, for a name with
        public and private addresses at once has no honest reason. Raises UrlRefused, FetchFailed."""
        try:
            found = [ipaddress.ip_address(host)]
        except ValueError:
            # A zone (fe80::1%eth0) says no more than the address.
            texts = self.resolve(host, port)
            found = [ipaddress.ip_address(each.partition("%")[0]) for each in texts]
        if not found:
            raise FetchFailed(f"the host {host} has no address")
        for each in found:
            self.policy.check_address(host, each)
        return found

    @contextmanager
    def _asked(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes,
        deadline: float,
        limits: Limits,
    ) -> Iterator[tuple[Answer, Iterable[bytes]]]:
        parts = parsed(url)
        self.policy.check_host(str(parts.hostname))
        sent = [
            ("Host", _host_header(parts)),
            ("User-Agent", "ifcbase"),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
            *([("Content-Length", str(len(content)))] if content else []),
            *headers.items(),
        ]
        waits = dict.fromkeys(("connect", "read", "write", "pool"), limits.wait_s)
        backend = _Judged(self, deadline)
        target = httpcore.URL(
            scheme=parts.scheme,
            host=str(parts.hostname),
            port=parts.port or _PORTS[parts.scheme],
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        )
        try:
            with (
                httpcore.ConnectionPool(
                    ssl_context=self.tls, network_backend=backend, max_connections=1
                ) as pool,
                pool.stream(
                    method, target, headers=sent, content=content or None,
                    extensions={"timeout": waits},
                ) as response,
            ):  # fmt: skip
                known = {
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in response.headers
                }
                yield Answer(url, response.status, known), response.iter_stream()
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            reason = "took too long" if isinstance(error, httpcore.TimeoutException) else "failed"
            raise FetchFailed(f"asking {_shown(url)} {reason}", detail=repr(error)) from error
        except (ssl.SSLError, OSError) as error:
            raise FetchFailed(f"asking {_shown(url)} failed", detail=repr(error)) from error


class _Judged(httpcore.NetworkBackend):
    """Connects to judged addresses only; every wait ends at the deadline."""

    def __init__(self, fetcher: Fetcher, deadline: float) -> None:
        self._fetcher = fetcher
        self._deadline = deadline
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        for address in self._looked_up(host, port, _left(self._deadline, timeout)):
            try:
                stream = self._plain.connect_tcp(
                    str(address),
                    port,
                    _left(self._deadline, timeout),
                    local_address,
                    socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return _Timed(stream, self._deadline)
        raise failure or httpcore.ConnectError("no address")

    def _looked_up(self, host: str, port: int, within_s: float) -> list[Address]:
        """The judged addresses of a host, in time: the system's look-up knows no deadline, so it is
        asked in a thread that is left behind. Raises UrlRefused, FetchFailed, ConnectTimeout."""
        found: Future[list[Address]] = Future()

        def look() -> None:
            try:
                found.set_result(self._fetcher.addresses(host, port))
            except BaseException as error:  # noqa: BLE001 (raised again where it is waited for)
                found.set_exception(error)

        threading.Thread(target=look, name="look-up", daemon=True).start()
        try:
            return found.result(within_s)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the name was not looked up in time") from error

    def connect_unix_socket(self, *_: object, **__: object) -> httpcore.NetworkStream:
        raise UrlRefused("sockets of this machine are not asked")

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, _left(self._deadline, None)))


class _Timed(httpcore.NetworkStream):
    """A stream whose waits end at the deadline: headers that come a byte at a time included."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, timeout)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def parsed(url: str) -> SplitResult:
    """The parts of an address we would ask. Raises UrlRefused."""
    if len(url) > 4096 or any(ord(sign) <= 32 or ord(sign) == 127 for sign in url):
        raise UrlRefused("the address is too long or holds blanks and control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlRefused("the address cannot be understood") from error
    if parts.scheme not in _PORTS:
        raise UrlRefused("only http and https addresses are asked")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused("an address with a user name or password in it is not asked")
    if port == 0 or not parts.hostname or not _HOST.fullmatch(parts.hostname):
        raise UrlRefused(
            "the address names no host", hint="Write hosts with other letters in their xn-- form."
        )
    if not (parts.path + parts.query).isascii():
        raise UrlRefused("the address holds letters that have to be written as %XX")
    return parts


def _left(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    return left if timeout is None else min(left, timeout)


def _host_header(parts: SplitResult) -> str:
    host = str(parts.hostname)
    shown = f"[{host}]" if ":" in host else host
    return shown if parts.port in {None, _PORTS[parts.scheme]} else f"{shown}:{parts.port}"


def _too_large(url: str, limits: Limits) -> FileTooLarge:
    return FileTooLarge(f"what {_shown(url)} gives is larger than {limits.max_bytes >> 20} MiB")


def _shown(url: str) -> str:
    """The host alone: paths and queries of signed links are secrets."""
    return str(urlsplit(url).hostname or "the address")
