"""Tokens that Supabase Auth signs: their claims, once signature, audience and end are right."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from typing import Any

import httpx
import jwt

from ifcbase.errors import Unauthenticated
from ifcbase.settings import Settings

_LOG = logging.getLogger(__name__)
#: Algorithms with a public key. A token does not choose between these and HS256: its kind of key does.
PUBLIC = ("RS256", "ES256", "EdDSA")
#: Tokens are longer than any key, and none is that long.
LONGEST = 8192
#: How long public keys are used, and how soon after one look they are looked for again (seconds).
KEPT_S, PAUSE_S = 600.0, 30.0


class Tokens:
    """Knows the tokens of one Supabase project by its secret, its public keys, or both."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.jwt_secret
        self._secret = secret.get_secret_value() if secret else None
        self._url = settings.jwks_url
        self._audience = settings.jwt_audience
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._looked = -KEPT_S

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a member's token. Raises Unauthenticated."""
        if len(token) > LONGEST:
            raise Unauthenticated("the token is too long")
        try:
            head = jwt.get_unverified_header(token)
            key, algorithm = self._key(head)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience,
                leeway=5,
                options={"require": ["exp", "sub"]},
            )
            uuid.UUID(str(claims["sub"]))
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("the token has expired") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthenticated("the token is not valid", detail=str(error)) from error
        if claims.get("role") != "authenticated":
            raise Unauthenticated("the token is not a signed-in user's")
        # What a token says of our own claims is not ours: only API keys carry them.
        return {name: value for name, value in claims.items() if not name.startswith("ifcbase_")}

    def _key(self, head: dict[str, Any]) -> tuple[Any, str]:
        algorithm = head.get("alg")
        if algorithm == "HS256" and self._secret:
            return self._secret, algorithm
        if algorithm in PUBLIC and self._url:
            found = self._public(str(head.get("kid", "")))
            if found is not None and found.algorithm_name == algorithm:
                return found.key, algorithm
        raise Unauthenticated("the token is signed with no key that is known here")

    def _public(self, kid: str) -> jwt.PyJWK | None:
        with self._lock:
            age = time.monotonic() - self._looked
            # An unknown key may be new; whoever invents ids does not make us ask for each.
            if age >= KEPT_S or (kid not in self._keys and age >= PAUSE_S):
                self._looked = time.monotonic()
                self._fetch()
            return self._keys.get(kid)

    def _fetch(self) -> None:
        try:
            answer = httpx.get(str(self._url), timeout=5, follow_redirects=False)
            answer.raise_for_status()
            found = jwt.PyJWKSet.from_dict(answer.json())
        except (httpx.HTTPError, jwt.PyJWTError, ValueError) as error:
            # The keys that are known go on holding; who is unknown meanwhile is refused.
            _LOG.error("the public keys cannot be read: %s", error)
            return
        self._keys = {key.key_id: key for key in found.keys if key.key_id}
