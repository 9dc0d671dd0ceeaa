"""Nobody is led behind our wall: each trick is tried against real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ifcbase.errors import FetchFailed, FileTooLarge, IfcbaseError, UrlRefused
from ifcbase.files.addresses import Policy
from ifcbase.files.fetch import Answer, Fetcher, Limits, Resolve, parsed


def nowhere(_: bytes) -> None:
    """Where nothing is to arrive."""


def always(*found: str) -> Resolve:
    """A look-up that always gives these addresses."""
    return lambda *_: list(found)


LIMITS = Limits(max_bytes=1 << 20, total_s=60, wait_s=30)


class Site(BaseHTTPRequestHandler):
    """Answers by the first part of the path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Served = self.server  # type: ignore[assignment]
        server.asked.append((self.path, dict(self.headers)))
        action, _, rest = self.path.lstrip("/").partition("/")
        match action:
            case "to":
                self.send_response(302)
                self.send_header("Location", rest)
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "loop":
                self.send_response(302)
                self.send_header("Location", "/loop")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "endless":
                self.send_response(200)
                self.end_headers()
                while not server.over.is_set():
                    try:
                        self.wfile.write(bytes(65536))
                    except OSError:
                        return
            case "drip":
                server.over.wait(timeout=60)
            case "drip-headers":
                while not server.over.wait(timeout=0.05):
                    try:
                        self.wfile.write(b"X")
                    except OSError:
                        return
            case "packed":
                self.send_response(200)
                self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"PACK")
            case "same":
                self.send_response(304)
                self.end_headers()
            case "named":
                self._give(b"content", disposition="attachment; filename*=UTF-8''H%C3%A4user.ifc")
            case "missing":
                self.send_error(404)
            case _:
                self._give(b"content")

    def do_POST(self) -> None:
        server: Served = self.server  # type: ignore[assignment]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.asked.append((body.decode(), dict(self.headers)))
        if self.path == "/moved":
            self.send_response(307)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._give(b"x" * 5000)

    def _give(self, content: bytes, disposition: str | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        if disposition:
            self.send_header("Content-Disposition", disposition)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Served(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: str, port: int = 0) -> None:
        super().__init__((host, port), Site)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=[0.05], daemon=True)
        self.thread.start()

    def handle_error(self, *_: object) -> None:
        """Who hangs up is the point of some tests."""

    def end(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()
        self.thread.join()


@pytest.fixture
def site() -> Iterator[Served]:
    served = Served("127.0.0.1")
    yield served
    served.end()


@pytest.fixture
def ask(site: Served) -> Callable[..., tuple[Answer, bytes]]:
    """Ask http://good.test, which the operator allows and which is our site."""
    fetcher = Fetcher(Policy.of("good.test"), always("127.0.0.1"))

    def asking(path: str, limits: Limits = LIMITS, **more: str) -> tuple[Answer, bytes]:
        got: list[bytes] = []
        url = f"http://good.test:{site.server_port}/{path}"
        answer = fetcher.get(url, got.append, limits, more or None)
        return answer, b"".join(got)

    return asking


Ask = Callable[..., tuple[Answer, bytes]]


def test_a_file_comes_with_its_name(ask: Ask, site: Served) -> None:
    answer, content = ask("folder/a%20b.ifc?token=secret")
    assert (content, answer.file_name) == (b"content", "a b.ifc")
    assert site.asked[0][1]["Host"] == f"good.test:{site.server_port}"
    assert ask("named")[0].file_name == "Häuser.ifc"


def test_what_is_unchanged_is_not_sent_again(ask: Ask) -> None:
    answer, content = ask("same", **{"If-None-Match": '"1"'})
    assert (answer.status, content) == (304, b"")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "192.168.0.1",  # noqa: S104
        "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[fe80::1]", "[64:ff9b::a9fe:a9fe]",
        # Other spellings of 127.0.0.1, which the system's look-up understands.
        "2130706433", "0x7f000001", "127.1", "0177.0.0.1",
    ],
)  # fmt: skip
def test_addresses_behind_the_wall_are_refused(site: Served, host: str) -> None:
    with pytest.raises(UrlRefused):
        Fetcher(Policy()).get(f"http://{host}:{site.server_port}/", nowhere, LIMITS)
    assert not site.asked


def test_a_name_that_leads_behind_the_wall_is_refused(site: Served) -> None:
    for found in (["127.0.0.1"], ["::ffff:127.0.0.1"], ["93.184.216.34", "127.0.0.1"]):
        fetcher = Fetcher(Policy(), always(*found))
        with pytest.raises(UrlRefused):
            fetcher.get(f"http://evil.test:{site.server_port}/", nowhere, LIMITS)
    assert not site.asked


def test_a_redirect_behind_the_wall_is_refused(ask: Ask, site: Served) -> None:
    other = Served("127.0.0.1")
    try:
        for target in (
            f"http://127.0.0.1:{other.server_port}/",
            f"//127.0.0.1:{other.server_port}/",
            "http://169.254.169.254/latest/meta-data/",
            "file:///etc/passwd",
            "gopher://good.test/",
        ):
            with pytest.raises(UrlRefused):
                ask(f"to/{target}")
        assert not other.asked
    finally:
        other.end()


def test_a_redirect_within_is_followed_without_the_callers_headers(ask: Ask, site: Served) -> None:
    assert ask("to//there.ifc", **{"X-Secret": "1"})[1] == b"content"
    assert [("X-Secret" in headers) for _, headers in site.asked] == [True, False]


def test_redirects_end(ask: Ask) -> None:
    with pytest.raises(FetchFailed, match="redirects"):
        ask("loop")


def test_dns_rebinding_finds_nothing_to_rebind() -> None:
    """The name has a good address when it is judged and a bad one if it is asked again: the
    connection goes to the judged one, and the next look-up is judged anew."""
    good = Served("127.0.0.2")
    bad = Served("127.0.0.1", good.server_port)
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])
    try:
        fetcher = Fetcher(Policy.of("127.0.0.2/32"), lambda *_: next(answers))
        url = f"http://rebind.test:{good.server_port}/"
        assert fetcher.get(url, nowhere, LIMITS).status == 200
        assert len(good.asked) == 1
        with pytest.raises(UrlRefused):
            fetcher.get(url, nowhere, LIMITS)
        assert not bad.asked
    finally:
        good.end()
        bad.end()


def test_a_file_without_end_is_cut_at_the_limit(ask: Ask) -> None:
    with pytest.raises(FileTooLarge):
        ask("endless")


def test_a_file_announced_too_large_is_not_read(ask: Ask) -> None:
    with pytest.raises(FileTooLarge):
        ask("a.ifc", Limits(max_bytes=3))


@pytest.mark.parametrize("path", ["drip", "drip-headers"])
def test_who_never_finishes_is_left_at_the_deadline(ask: Ask, path: str) -> None:
    with pytest.raises(FetchFailed, match="too long"):
        ask(path, Limits(max_bytes=100, total_s=0.5, wait_s=30))


def test_compressed_answers_are_refused(ask: Ask) -> None:
    with pytest.raises(FetchFailed, match="compressed"):
        ask("packed")


def test_a_missing_file_says_so_without_the_path(ask: Ask) -> None:
    with pytest.raises(FetchFailed, match="status 404") as caught:
        ask("missing/x?token=secret")
    assert "secret" not in caught.value.message


def test_nobody_there_is_a_sentence() -> None:
    closed = Served("127.0.0.1")
    closed.end()
    fetcher = Fetcher(Policy.of("127.0.0.1"))
    with pytest.raises(FetchFailed):
        fetcher.get(f"http://127.0.0.1:{closed.server_port}/", nowhere, LIMITS)


def test_a_host_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(FetchFailed, match="not found"):
        Fetcher(Policy()).get("http://nowhere.invalid/", nowhere, LIMITS)


def test_only_hosts_of_the_list(ask: Ask, site: Served) -> None:
    fetcher = Fetcher(Policy.of("good.test", "other.test"), always("127.0.0.1"))
    with pytest.raises(UrlRefused, match="not among"):
        fetcher.get(f"http://good.test:{site.server_port}/", nowhere, LIMITS)


def test_posting_follows_no_redirect_and_keeps_little_of_the_answer(site: Served) -> None:
    fetcher = Fetcher(Policy.of("127.0.0.1"))
    base = f"http://127.0.0.1:{site.server_port}"
    limits = Limits(max_bytes=100, total_s=60, wait_s=30)
    answer = fetcher.post(f"{base}/hook", b'{"a": 1}', {"X-A": "b"}, limits)
    assert (answer.status, answer.body) == (200, b"x" * 100)
    assert fetcher.post(f"{base}/moved", b"two", {}, limits).status == 307
    assert [body for body, _ in site.asked] == ['{"a": 1}', "two"]
    assert site.asked[0][1]["X-A"] == "b"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.test/x", "file:///etc/passwd", "http:///x", "http://a b.test/", "http://a.test/\r\nX: y",
        "http://user:word@a.test/", "http://a.test:99999/", "http://a.test:0/", "http://münchen.test/",
        "http://a.test/ä", "http://[fe80::1%25eth0]/", "//a.test/x", "a.ifc", "http://" + "a" * 5000,
    ],
)  # fmt: skip
def test_addresses_we_do_not_understand_are_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        parsed(url)


def test_checking_asks_nobody(site: Served) -> None:
    fetcher = Fetcher(Policy())
    with pytest.raises(IfcbaseError):
        fetcher.check(f"http://127.0.0.1:{site.server_port}/hook")
    Fetcher(Policy.of("127.0.0.1")).check(f"http://127.0.0.1:{site.server_port}/hook")
    assert not site.asked


def test_a_look_up_that_never_ends_ends_at_the_deadline() -> None:
    """The system's look-up knows no deadline: it held a thread for as long as it liked."""
    let_go = threading.Event()

    def stuck(host: str, port: int) -> list[str]:
        let_go.wait(60)
        return ["127.0.0.1"]

    try:
        fetcher = Fetcher(Policy(), stuck)
        with pytest.raises(FetchFailed, match="took too long"):
            fetcher.get("http://files.example.com/a.ifc", lambda _: None, Limits(1, total_s=0.2))
        assert not let_go.is_set()
    finally:
        let_go.set()
