"""Addresses that are counted together, log lines that say what they are about, words of the docs."""

from __future__ import annotations

import json
import logging
import threading
from contextvars import copy_context

import pytest

from ifcbase.gateway.failures import Failures, neighbourhood
from ifcbase.gateway.pages import description
from ifcbase.loglines import JsonLines, Words, about


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("testclient", "testclient", True),
    ],
)
def test_addresses_of_one_neighbourhood(one: str, other: str, same: bool) -> None:
    assert (neighbourhood(one) == neighbourhood(other)) is same


def test_who_changes_its_address_within_a_64_has_to_wait_all_the_same() -> None:
    failures = Failures(3)
    for n in range(3):
        failures.add(neighbourhood(f"2001:db8::{n:x}"))
    assert failures.wait_s(neighbourhood("2001:db8::ffff")) > 0
    assert failures.wait_s(neighbourhood("2001:db8:0:1::1")) == 0


def line(words: str = "said") -> logging.LogRecord:
    return logging.LogRecord("ifcbase", logging.INFO, "", 0, words, None, None)


def test_lines_say_which_request_they_are_about() -> None:
    with about(request_id="r-12345678", job_id="j-1"):
        assert Words("%(message)s").format(line()) == "said [request r-12345678]"
        document = json.loads(JsonLines().format(line()))
    assert (document["request_id"], document["job_id"]) == ("r-12345678", "j-1")
    assert Words("%(message)s").format(line()) == "said"
    with about(request_id=None, job_id="j-2"):
        assert Words("%(message)s").format(line()) == "said"


def test_a_thread_of_a_job_logs_about_the_same_request() -> None:
    heard: list[str] = []

    def speak() -> None:
        heard.append(Words("%(message)s").format(line()))

    with about(request_id="r-12345678"):
        thread = threading.Thread(target=copy_context().run, args=[speak])
        thread.start()
        thread.join()
    assert heard == ["said [request r-12345678]"]


def test_code_in_descriptions_is_shown_as_code() -> None:
    page = description(
        {
            "info": {"title": "t", "version": "1", "description": "Send `X-API-Key` or <b>."},
            "paths": {"/a": {"get": {"description": "See `a<b` and an odd ` one."}}},
        }
    )
    assert "Send <code>X-API-Key</code> or &lt;b&gt;." in page
    assert "See `a&lt;b` and an odd ` one." in page
