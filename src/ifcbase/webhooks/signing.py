"""Secrets and signatures of Standard Webhooks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

from ifcbase.errors import RequestInvalid

PREFIX = "whsec_"
_FORM = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def new_secret() -> str:
    """A secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def checked(secret: str) -> str:
    """A secret somebody brings. Raises RequestInvalid unless it is one of 24 to 64 bytes."""
    if not secret.startswith(PREFIX) or not 24 <= len(_key(secret)) <= 64:
        raise RequestInvalid(
            "this is no secret of a webhook",
            hint="It is whsec_ and 24 to 64 random bytes in Base64; leave it out to have one made.",
        )
    return secret


def headers(
    message_id: str, timestamp: int, body: bytes, with_secrets: Iterable[str]
) -> dict[str, str]:
    """The headers of a message; signed with each secret. ``timestamp`` in Unix seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    marks = [hmac.digest(_key(each), signed, hashlib.sha256) for each in with_secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join("v1," + base64.b64encode(each).decode() for each in marks),
    }


def _key(secret: str) -> bytes:
    text = secret.removeprefix(PREFIX)
    return base64.b64decode(text) if _FORM.fullmatch(text) and len(text) % 4 == 0 else b""
