"""Our signatures are those the stock library verifies."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from ifcbase.errors import RequestInvalid
from ifcbase.webhooks import signing


@given(st.dictionaries(st.text(), st.text()), st.text(st.sampled_from("abc_123"), min_size=1))
@settings(deadline=None, max_examples=15)
def test_the_stock_library_verifies_what_we_sign(document: dict[str, str], name: str) -> None:
    secret, body = signing.new_secret(), json.dumps(document).encode()
    headers = signing.headers(name, int(time.time()), body, [secret])
    assert Webhook(secret).verify(body, headers) == document
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret()).verify(body, headers)


def test_it_is_the_signature_the_stock_library_makes() -> None:
    secret, moment = signing.new_secret(), datetime(2026, 11, 22, tzinfo=UTC)
    ours = signing.headers("msg_1", int(moment.timestamp()), b"{}", [secret])
    assert ours["webhook-signature"] == Webhook(secret).sign("msg_1", moment, "{}")


def test_during_a_rotation_both_secrets_verify() -> None:
    old, new = signing.new_secret(), signing.new_secret()
    headers = signing.headers("msg_1", int(time.time()), b"{}", [new, old])
    for each in (old, new):
        assert Webhook(each).verify(b"{}", headers) == {}


def test_secrets_people_bring() -> None:
    good = signing.new_secret()
    assert signing.checked(good) == good
    for bad in ("", "whsec_", "whsec_short", "secret", good[6:], good[:-2], "whsec_" + "A" * 400):
        with pytest.raises(RequestInvalid):
            signing.checked(bad)
