"""Files come in by every door: forms, resumable parts, addresses, as versions of models."""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import psutil
import pytest

from ifcbase.files.addresses import Policy
from ifcbase.files.fetch import Fetcher
from tests.integration.gateway.conftest import Served
from tests.unit.files import made

TUS = {"Tus-Resumable": "1.0.0"}
MIB = 1 << 20


def fresh(size: int = 3000) -> bytes:
    """A model nobody uploaded before."""
    return made.step(size, word=secrets.token_hex(8).encode())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def post_file(
    served: Served, kind: str, name: str, content: bytes, who: str = "editor"
) -> httpx.Response:
    return served.client.post(
        f"/upload/{kind}", files={"file": (name, content)}, headers=served.headers(who)
    )


def listed(served: Served, who: str = "editor") -> list[str]:
    found: list[str] = served.client.get("/list_directories", headers=served.headers(who)).json()[
        "files"
    ]
    return found


def left_behind(served: Served) -> list[str]:
    """What lies where files arrive."""
    home = served.gateway.settings.home
    return [each.name for each in (home / "incoming").glob("*")]


# --- forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "content"),
    [
        ("ifc", "Modell.IFC", fresh()),
        ("IFC", "m.ifc", fresh()),
        ("ids", "Regeln ä.ids", made.IDS + b"\n"),
        ("bcf", "a.bcfzip", made.zipped({"bcf.version": b"<Version/>"})),
        ("csv", "a.csv", b"a;b\n"),
        ("other", "b.bin", b"\0\1"),
    ],
)
def test_every_kind_of_file_is_taken(served: Served, kind: str, name: str, content: bytes) -> None:
    answer = post_file(served, kind, name, content)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["file_path"] == f"/uploads/{name}"
    assert (found["original_filename"], found["sha256"], found["size_bytes"]) == (
        name, sha256(content), len(content),
    )  # fmt: skip
    assert found["file_path"] in listed(served)
    assert found["file_path"] not in listed(served, "other")
    assert served.gateway.files.fetch("alpha", found["sha256"]).read_bytes() == content
    assert not left_behind(served)


def test_an_ifczip_arrives_as_the_model_inside(served: Served) -> None:
    content = fresh(50_000)
    found = post_file(served, "ifc", "Haus.ifcZIP", made.zipped({"x.ifc": content})).json()
    assert (found["file_path"], found["sha256"]) == ("/uploads/Haus.ifc", sha256(content))


@pytest.mark.parametrize(
    ("kind", "name", "content", "status", "code"),
    [
        ("dwg", "a.dwg", b"x", 422, "request-invalid"),
        ("ifc", "a.ifc", b"%PDF-1.7", 422, "not-ifc"),
        ("ifc", "a.ifc", made.step()[:-20], 422, "ifc-truncated"),
        ("ifc", "a.ifc", b"", 422, "file-empty"),
        ("ids", "a.ids", b'<!DOCTYPE x [<!ENTITY a "b">]>' + made.IDS, 422, "ids-unsafe"),
        ("ifc", "a.ifczip", made.zipped({"../a.ifc": made.step()}), 422, "archive-unsafe"),
        ("ifc", "a.ifczip", made.zipped({"a.ifc": bytes(8 * MIB)}), 422, "archive-unsafe"),
        ("other", "..", b"x", 422, "upload-name-invalid"),
        ("other", "a" * 300, b"x", 422, "upload-name-invalid"),
    ],
)
def test_what_is_not_what_it_is_said_to_be_is_refused(
    served: Served, kind: str, name: str, content: bytes, status: int, code: str
) -> None:
    before = listed(served)
    answer = post_file(served, kind, name, content)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert str(served.gateway.settings.home) not in answer.text
    assert listed(served) == before
    assert not left_behind(served)


def test_a_path_in_a_name_reaches_no_file_system(served: Served) -> None:
    found = post_file(served, "other", "../../../etc/passwd", b"x").json()
    assert found["file_path"] == "/uploads/passwd"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\nnonsense"),
        ("multipart/form-data; boundary=b", b"--c\r\n\r\n--c--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nv\r\n--b--\r\n',
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nv\r\n--b--\r\n',
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\ncut off',
        ),
    ],
)
def test_broken_forms_are_problems(served: Served, content_type: str, body: bytes) -> None:
    answer = served.client.post(
        "/upload/other",
        content=body,
        headers={**served.headers(), "Content-Type": content_type},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid"), answer.text
    assert not left_behind(served)


def test_a_form_full_of_other_things_is_refused(served: Served) -> None:
    answer = served.client.post(
        "/upload/other", data={"a": "x" * (2 * MIB)}, files={"file": ("a", b"x")},
        headers=served.headers(),
    )  # fmt: skip
    assert answer.status_code == 413


def test_a_file_that_announces_to_be_too_large_is_not_read(served: Served) -> None:
    limit = served.gateway.settings.upload_max_mb << 20
    url = served.client.base_url
    with socket.create_connection((url.host, url.port or 80)) as line:
        line.settimeout(60)
        head = (
            f"POST /upload/other HTTP/1.1\r\nHost: x\r\nContent-Length: {limit + 2 * MIB}\r\n"
            f"X-API-Key: {served.keys['editor']}\r\nConnection: close\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        line.sendall(head.encode())
        answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_memory_does_not_grow_with_what_is_uploaded(served: Served) -> None:
    """96 MiB through the gateway that runs in this process."""
    block = made.step(MIB)
    boundary = b"----b"

    def body() -> Iterator[bytes]:
        head = b'Content-Disposition: form-data; name="file"; filename="large.ifc"'
        yield b"--" + boundary + b"\r\n" + head + b"\r\n\r\n"
        for _ in range(96):
            yield block
        yield b"\r\n--" + boundary + b"--\r\n"

    process = psutil.Process()
    post_file(served, "ifc", "warm.ifc", fresh())
    before = process.memory_info().rss
    answer = served.client.post(
        "/upload/ifc",
        content=body(),
        headers={
            **served.headers(),
            "Content-Type": f"multipart/form-data; boundary={boundary.decode()}",
        },
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["size_bytes"] == 96 * len(block)
    assert process.memory_info().rss - before < 48 * MIB


def test_who_goes_away_leaves_nothing(served: Served) -> None:
    url = served.client.base_url
    with socket.create_connection((url.host, url.port or 80)) as line:
        head = (
            "POST /upload/ifc HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
            f"X-API-Key: {served.keys['editor']}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            '--b\r\nContent-Disposition: form-data; name="file"; filename="a.ifc"\r\n\r\n'
        )
        line.sendall(head.encode() + made.step(20_000)[:9000])
    # The next request is answered after the broken one was cleaned up, or shortly before.
    deadline = threading.Event()
    for _ in range(600):
        if not left_behind(served):
            break
        deadline.wait(0.1)
    assert not left_behind(served)


# --- resumable -----------------------------------------------------------------------------------


def named(**pairs: str) -> str:
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items()
    )


def begun(served: Served, length: int, who: str = "editor", **pairs: str) -> str:
    answer = served.client.post(
        "/v1/uploads",
        headers={
            **served.headers(who), **TUS,
            "Upload-Length": str(length),
            "Upload-Metadata": named(**{"filename": "a.ifc", **pairs}),
        },
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def patched(
    served: Served, address: str, offset: int, content: bytes, **more: str
) -> httpx.Response:
    return served.client.patch(
        address,
        content=content,
        headers={
            **served.headers(), **TUS,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            **more,
        },
    )  # fmt: skip


def test_an_upload_in_parts_becomes_a_file_and_a_version(served: Served) -> None:
    content, model = fresh(40_000), f"model {secrets.token_hex(4)}"
    address = begun(served, len(content), model=model, filename="Teil für Teil.ifc")
    first = patched(served, address, 0, content[:10_000])
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "10000")
    asked = served.client.head(address, headers={**served.headers(), **TUS})
    assert asked.status_code == 200
    assert asked.headers["Upload-Offset"] == "10000"
    assert asked.headers["Upload-Length"] == str(len(content))
    assert "Upload-Expires" in asked.headers
    assert asked.headers["Cache-Control"] == "no-store"
    checksum = (
        "sha1 "
        + base64.b64encode(hashlib.sha1(content[10_000:], usedforsecurity=False).digest()).decode()
    )
    last = patched(served, address, 10_000, content[10_000:], **{"Upload-Checksum": checksum})
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(content)))
    shown = served.client.get(address, headers=served.headers()).json()
    assert shown["file"]["sha256"] == sha256(content)
    assert shown["file"]["path"] == "/uploads/Teil für Teil.ifc"
    assert shown["file"]["version"]["model"] == model
    assert (shown["file"]["version"]["number"], shown["file"]["version"]["is_new"]) == (1, True)
    # The last part once more, by a client whose answer was lost.
    again = patched(served, address, len(content), b"")
    assert again.status_code == 204
    assert served.client.get(address, headers=served.headers()).json() == shown


def test_the_protocol_says_what_it_can(served: Served) -> None:
    answer = served.client.options("/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation", "termination", "checksum", "expiration",
    }  # fmt: skip


def test_parts_that_do_not_fit_are_refused(served: Served) -> None:
    content = fresh(3000)
    address = begun(served, len(content))
    assert patched(served, address, 5, b"x").status_code == 409
    assert patched(served, address, 0, content + b"x").status_code == 413
    wrong = {"Upload-Checksum": "sha1 " + base64.b64encode(bytes(20)).decode()}
    # More bytes than announced are not kept; neither are those with a wrong checksum.
    offset = int(
        served.client.head(address, headers={**served.headers(), **TUS}).headers["Upload-Offset"]
    )
    refused = patched(served, address, offset, content[offset:], **wrong)
    assert (refused.status_code, refused.json()["code"]) == (460, "checksum-mismatch")
    assert patched(served, address, offset, content[offset:]).status_code == 204


def test_a_file_that_is_refused_in_the_end_is_forgotten(served: Served) -> None:
    address = begun(served, 10)
    answer = patched(served, address, 0, b"%PDF-1.7..")
    assert (answer.status_code, answer.json()["code"]) == (422, "not-ifc")
    assert served.client.get(address, headers=served.headers()).status_code == 404


def test_an_upload_can_be_given_up(served: Served) -> None:
    address = begun(served, 10)
    answer = served.client.delete(address, headers={**served.headers(), **TUS})
    assert answer.status_code == 204
    assert served.client.head(address, headers={**served.headers(), **TUS}).status_code == 404


def test_an_upload_of_another_project_is_not_found(served: Served) -> None:
    address = begun(served, 10)
    for method in ("HEAD", "DELETE", "GET"):
        answer = served.client.request(method, address, headers={**served.headers("other"), **TUS})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Upload-Length": "-1"}, 422),
        ({"Upload-Length": "0"}, 422),
        ({"Upload-Length": str(1 << 50)}, 413),
        ({"Upload-Metadata": "filename"}, 422),
        ({"Upload-Metadata": "filename !!"}, 422),
        ({"Upload-Metadata": "kind aWZj"}, 422),
        ({"Upload-Metadata": named(filename="a.ifc", kind="dwg")}, 422),
        ({"Upload-Metadata": named(filename="a.ids", kind="ids", model="m")}, 422),
        ({"Upload-Metadata": named(filename="a.ifc", model=" ")}, 422),
    ],
)
def test_beginnings_that_are_refused(served: Served, headers: dict[str, str], status: int) -> None:
    good = {**TUS, "Upload-Length": "10", "Upload-Metadata": named(filename="a.ifc")}
    answer = served.client.post("/v1/uploads", headers={**served.headers(), **good, **headers})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_another_media_type_is_refused(served: Served) -> None:
    answer = patched(served, begun(served, 10), 0, b"x", **{"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (415, "media-type")


# --- versions of models --------------------------------------------------------------------------


def add_version(
    served: Served, model: str, content: bytes, who: str = "editor", **query: str
) -> httpx.Response:
    return served.client.post(
        f"/v1/uploads/models/{model}",
        params={"file_name": "m.ifc", **query},
        content=content,
        headers=served.headers(who),
    )


def test_bytes_are_uploaded_once(served: Served) -> None:
    model, one, two = f"m-{secrets.token_hex(4)}", fresh(), fresh()
    first = add_version(served, model, one)
    assert first.status_code == 201, first.text
    assert first.json()["version"] | {"version_id": 0} == {
        "model": model, "number": 1, "version_id": 0, "is_new": True,
    }  # fmt: skip
    again = add_version(served, model, one).json()
    assert (again["version"]["number"], again["version"]["is_new"]) == (1, False)
    assert add_version(served, model, two).json()["version"]["number"] == 2
    # What is here need not be sent: the first revision returns as the third.
    known = served.client.get(f"/v1/uploads/known/{sha256(one)}", headers=served.headers())
    assert known.json()["size_bytes"] == len(one)
    third = add_version(served, model, b"", sha256=sha256(one))
    assert third.json()["version"]["number"] == 3
    # Another project knows nothing of it.
    assert (
        served.client.get(
            f"/v1/uploads/known/{sha256(one)}", headers=served.headers("other")
        ).status_code
        == 404
    )
    missing = add_version(served, model, b"", who="other", sha256=sha256(one))
    assert (missing.status_code, missing.json()["code"]) == (422, "file-empty")


def test_bytes_with_another_hash_than_said_are_refused(served: Served) -> None:
    answer = add_version(served, "hashed", fresh(), sha256="0" * 64)
    assert (answer.status_code, answer.json()["code"]) == (460, "checksum-mismatch")
    assert not left_behind(served)


# --- addresses -----------------------------------------------------------------------------------


class Elsewhere(BaseHTTPRequestHandler):
    content = fresh()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def elsewhere(served: Served) -> Iterator[str]:
    """A server whose name the gateway may ask."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    arrivals = served.app.state.arrivals
    usual = arrivals.fetcher
    arrivals.fetcher = Fetcher(Policy.of("files.test"), lambda *_: ["127.0.0.1"])
    yield f"http://files.test:{server.server_port}"
    arrivals.fetcher = usual
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(served: Served, **body: Any) -> httpx.Response:
    return served.client.post("/download-from-url", json=body, headers=served.headers())


def test_a_file_is_fetched(served: Served, elsewhere: str) -> None:
    answer = fetch(served, url=f"{elsewhere}/folder/Geholt.ifc?sig=1")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["file_path"] == "/uploads/Geholt.ifc"
    assert (found["sha256"], found["cached"]) == (sha256(Elsewhere.content), False)
    renamed = fetch(served, url=f"{elsewhere}/x", output_filename="renamed.ifc").json()
    assert (renamed["file_path"], renamed["storage_basename"]) == (
        "/uploads/renamed.ifc", "renamed.ifc",
    )  # fmt: skip
    wrong = fetch(served, url=f"{elsewhere}/x.ids")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "not-ids")
    assert not left_behind(served)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:22/", "http://169.254.169.254/latest/", "http://localhost/a.ifc",
     "file:///etc/passwd", "http://[::ffff:127.0.0.1]/", "nonsense"],
)  # fmt: skip
def test_nothing_behind_the_wall_is_fetched(served: Served, url: str) -> None:
    answer = fetch(served, url=url)
    assert (answer.status_code, answer.json()["code"]) == (422, "url-refused")
