"""JSON Web Tokens of the roles: HS256, as a self-hosted Supabase verifies them."""

from __future__ import annotations

import uuid
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from jwt.warnings import InsecureKeyLengthWarning

from ifcbase.errors import RequestInvalid

#: Longest a worker's token is good for; then `ifcbase keys renew-worker`.
WORKER_DAYS = 90
#: How long the keys of the service and of browsers are good for: five years, as Supabase makes them.
KEY_DAYS = 5 * 365
ISSUER = "ifcbase"


@dataclass(frozen=True)
class Token:
    """A token as far as it can be read: its claims, or why there are none."""

    claims: dict[str, Any]
    problem: str | None = None

    @property
    def expires(self) -> datetime | None:
        """When it ends, where it says so."""
        given = self.claims.get("exp")
        return datetime.fromtimestamp(given, UTC) if isinstance(given, int | float) else None

    @property
    def days(self) -> float | None:
        """For how many days it was made, where it says so."""
        start, end = self.claims.get("iat"), self.claims.get("exp")
        if not isinstance(start, int | float) or not isinstance(end, int | float):
            return None
        return (end - start) / 86400


def key_token(secret: str, role: str, now: datetime) -> str:
    """The key of a role that Supabase's gateway knows (``anon``, ``service_role``)."""
    claims = {
        "role": role,
        "iss": ISSUER,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(days=KEY_DAYS)).timestamp()),
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def worker_token(secret: str, name: str, days: int, now: datetime) -> str:
    """A token of the role ``ifc_worker`` with an id (``jti``) by which it can be revoked.

    Raises RequestInvalid for a life of less than one or more than 90 days."""
    if not 1 <= days <= WORKER_DAYS:
        raise RequestInvalid(
            f"a worker's token lives 1 to {WORKER_DAYS} days, not {days}",
            hint="Renew it by `ifcbase keys renew-worker` before it ends.",
        )
    claims = {
        "role": "ifc_worker",
        "iss": ISSUER,
        "sub": name,
        "jti": str(uuid.uuid4()),
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(days=days)).timestamp()),
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def read_token(text: str, secret: str | None) -> Token:
    """The claims of a token; the signature is judged where the secret is given, the time is not."""
    try:
        with warnings.catch_warnings():
            # `ifcbase keys check` says it itself, by the variable's name.
            warnings.simplefilter("ignore", InsecureKeyLengthWarning)
            claims: dict[str, Any] = jwt.decode(
                text,
                secret or "",
                algorithms=["HS256"],
                options={
                    "verify_signature": secret is not None,
                    "verify_exp": False,
                    "verify_aud": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
    except (jwt.InvalidSignatureError, jwt.InvalidKeyError):
        return Token(read_token(text, None).claims, "is not signed with JWT_SECRET")
    except jwt.InvalidAlgorithmError:
        return Token({}, "is not signed with HS256")
    except jwt.InvalidTokenError:
        return Token({}, "is not a JSON Web Token")
    return Token(claims)
