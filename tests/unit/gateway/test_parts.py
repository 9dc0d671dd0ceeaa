"""The parts of the gateway that need no database."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import Request

from ifcbase.errors import FileTooLarge, LedgerError, LedgerUnavailable, NotFound, Unauthenticated
from ifcbase.gateway import pages, problems
from ifcbase.gateway.checks import Checks
from ifcbase.gateway.failures import MOST_ADDRESSES, WINDOW_S, Failures
from ifcbase.gateway.fit import MOST_REMEMBERED, Fit
from ifcbase.gateway.multipart import FormFile
from ifcbase.gateway.paging import etag_of, matches, page
from ifcbase.gateway.tokens import Tokens
from ifcbase.loglines import JsonLines
from ifcbase.settings import Settings

USER = "00000000-0000-4000-8000-000000000001"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_that_fails_too_often_waits_out_its_window() -> None:
    clock = Clock()
    failures = Failures(3, clock)
    for _ in range(3):
        assert failures.wait_s("a") == 0
        failures.add("a")
    assert failures.wait_s("a") == WINDOW_S
    assert failures.wait_s("b") == 0
    clock.now += WINDOW_S
    assert failures.wait_s("a") == 0
    failures.add("a")
    assert failures.wait_s("a") == 0


def test_many_addresses_take_a_bounded_memory() -> None:
    failures = Failures(1)
    for number in range(MOST_ADDRESSES + 500):
        failures.add(f"10.0.{number // 256}.{number % 256}")
    assert len(failures) == MOST_ADDRESSES


def test_files_that_were_found_fit_take_a_bounded_memory() -> None:
    fit = Fit()
    for number in range(MOST_REMEMBERED + 1):
        fit.add(("model", str(number)))
    assert ("model", "0") not in fit
    assert ("model", str(MOST_REMEMBERED)) in fit


def test_what_is_needed_is_looked_at_once_a_second_however_many_ask() -> None:
    clock, looks = Clock(), []

    def look() -> None:
        looks.append(clock.now)
        if len(looks) > 1:
            raise LedgerUnavailable("host db.internal refused")

    checks = Checks({"database": look}, clock)
    assert [checks.words() for _ in range(5)] == [{"database": "ok"}] * 5
    clock.now += 1
    assert checks.words() == {"database": "ledger-unavailable"}
    assert len(looks) == 2


def test_a_failure_inside_says_nothing_of_the_inside() -> None:
    inside = LedgerUnavailable("connection to db.internal:5432 as postgres failed", detail="trace")
    answer = problems.problem(inside, "r-1")
    body = json.loads(bytes(answer.body))
    assert (answer.status_code, body["type"]) == (503, "/problems/ledger-unavailable")
    assert "db.internal" not in bytes(answer.body).decode()
    outside = json.loads(bytes(problems.problem(NotFound("there is no job 7"), "r-2").body))
    assert (outside["detail"], outside["request_id"]) == ("there is no job 7", "r-2")


def test_a_page_says_whether_there_is_another() -> None:
    assert page([1, 2, 3], 0, 2) == {"items": [1, 2], "next": 2}
    assert page([3], 2, 2) == {"items": [3], "next": None}
    assert page([], 0, 2) == {"items": [], "next": None}


def test_an_etag_is_of_the_document() -> None:
    one, other = etag_of({"a": 1, "b": [1, 2]}), etag_of({"a": 2})
    assert one == etag_of({"b": [1, 2], "a": 1})
    assert one != other
    assert matches("*", one)
    assert matches(f'W/{one}, "x"', one)
    assert not matches(other, one)


def test_a_line_of_the_log_is_json_with_its_request() -> None:
    record = logging.LogRecord("ifcbase.gateway", logging.INFO, "f.py", 1, "a\nb", None, None)
    record.request_id, record.status = "r-1", 200
    line = JsonLines().format(record)
    assert "\n" not in line
    document = json.loads(line)
    assert (document["message"], document["request_id"], document["status"]) == ("a\nb", "r-1", 200)
    assert document["level"] == "INFO"


def test_names_in_the_description_are_text_on_its_page() -> None:
    document = {
        "info": {"title": "<b>x</b>", "version": "1", "description": "a & b"},
        "paths": {"/<i>": {"get": {"description": "<script>", "responses": {"200": {}}}}},
    }
    made = pages.description(document)
    assert "<script>" not in made
    assert "<i>" not in made
    assert "&lt;b&gt;x" in made


# --- tokens signed with public keys ---------------------------------------------------------------


class Keys(HTTPServer):
    """Serves public keys, as Supabase Auth does."""

    def __init__(self) -> None:
        self.asked = 0
        self.document: Any = {"keys": []}
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/auth/v1/.well-known/jwks.json"


class Handler(BaseHTTPRequestHandler):
    server: Keys

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.document).encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's
        """Tests print nothing."""


@pytest.fixture
def keys() -> Any:
    with Keys() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def public(key: ec.EllipticCurvePrivateKey, kid: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    return document | {"kid": kid, "alg": "ES256", "use": "sig"}


def signed(key: ec.EllipticCurvePrivateKey, kid: str) -> str:
    claims = {"sub": USER, "aud": "authenticated", "role": "authenticated", "exp": 4_000_000_000}
    return jwt.encode(claims, key, "ES256", {"kid": kid})


def test_a_token_is_known_by_the_projects_public_keys(keys: Keys) -> None:
    mine, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    keys.document = {"keys": [public(mine, "k1")]}
    tokens = Tokens(Settings(jwks_url=keys.url))
    assert tokens.claims(signed(mine, "k1"))["sub"] == USER
    for broken in (signed(other, "k1"), signed(mine, "k2")):
        with pytest.raises(Unauthenticated):
            tokens.claims(broken)
    # Ids that somebody invents do not make us ask for each.
    for number in range(20):
        with pytest.raises(Unauthenticated):
            tokens.claims(signed(mine, f"invented-{number}"))
    assert keys.asked == 1


def test_a_public_key_is_no_secret_for_hs256(keys: Keys) -> None:
    """Whoever knows the public key must not be able to sign with it."""
    mine = ec.generate_private_key(ec.SECP256R1())
    keys.document = {"keys": [public(mine, "k1")]}
    claims = {"sub": USER, "aud": "authenticated", "role": "authenticated", "exp": 4_000_000_000}
    head = {"alg": "HS256", "typ": "JWT", "kid": "k1"}
    text = b".".join(
        base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in (head, claims)
    )
    pem = mine.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    mark = base64.urlsafe_b64encode(hmac.digest(pem, text, "sha256")).rstrip(b"=")
    forged = (text + b"." + mark).decode()
    with pytest.raises(Unauthenticated):
        Tokens(Settings(jwks_url=keys.url)).claims(forged)


def test_keys_that_cannot_be_read_let_nobody_in() -> None:
    mine = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(Unauthenticated):
        Tokens(Settings(jwks_url="http://127.0.0.1:9/none")).claims(signed(mine, "k1"))


def test_a_statement_that_took_too_long_is_no_fault_of_ours() -> None:
    """It was told as an internal error, not to be tried again."""
    error = LedgerError("the database refused: canceling statement due to statement timeout")
    error.__cause__ = psycopg.errors.QueryCanceled()
    answer = problems.answer_known(Request({"type": "http", "headers": []}), error)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    document = json.loads(bytes(answer.body))
    assert (document["code"], document["retryable"]) == ("ledger-slow", True)


@pytest.mark.parametrize("rest", [b"\r\n--b\r\n\r\n" * 8192, b"after the end" * 8192])
def test_a_form_without_end_is_not_read_for_ever(rest: bytes) -> None:
    got: list[bytes] = []
    form = FormFile("multipart/form-data; boundary=b", lambda _: got.append)
    form.feed(
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nwhole\r\n--b'
        + (b"--\r\n" if rest.startswith(b"after") else b"\r\n\r\n")
    )
    with pytest.raises(FileTooLarge):
        for _ in range(1000):
            form.feed(rest)
    assert b"".join(got) == b"whole"
