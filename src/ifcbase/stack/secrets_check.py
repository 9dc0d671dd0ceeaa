"""What is wrong with a ``.env``: public defaults, keys that do not fit each other, keys that end."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from ifcbase.stack.secrets_tokens import WORKER_DAYS, read_token

#: Values that are printed in Supabase's repository for everybody to read, and parts of such.
PUBLIC = frozenset(
    {
        "UpNVntn3cDxHJpq99YMc1T1AQgQpc8kfYTuRgBiYa15BLrx8etQoXz3gZv1/u2oq",
        "625729a08b95bf1b7ff351a663f3a23c",
        "850181e4652dd023b7a98c58ae0d2d34bd487ee0cc3254aed6eda37307425907",
        "supabaserealtime",
        "supa-storage",
        "secret1234",
        "postgres",
        "password",
        "supabase",
        "changeme",
        "admin",
        "secret",
    }
)
PUBLIC_PARTS = ("your-", "your_", "insecure", "example", "change-me", "super-secret", "<")
#: Least and, where it is exact, only length of what must be random.
LENGTHS: dict[str, tuple[int, int | None]] = {
    "JWT_SECRET": (32, None),
    "POSTGRES_PASSWORD": (16, None),
    "DASHBOARD_PASSWORD": (12, None),
    "SECRET_KEY_BASE": (64, None),
    "REALTIME_DB_ENC_KEY": (16, 16),
    "VAULT_ENC_KEY": (32, 32),
    "PG_META_CRYPTO_KEY": (32, None),
    "S3_PROTOCOL_ACCESS_KEY_ID": (16, None),
    "S3_PROTOCOL_ACCESS_KEY_SECRET": (32, None),
    "REDIS_PASSWORD": (16, None),
}
#: Secrets of Supabase's overrides and of our profiles, judged where they are set.
OPTIONAL = (
    "LOGFLARE_PUBLIC_ACCESS_TOKEN", "LOGFLARE_PRIVATE_ACCESS_TOKEN", "MINIO_ROOT_PASSWORD",
    "READER_PASSWORD", "GRAFANA_PASSWORD",
)  # fmt: skip
TOKENS = {
    "ANON_KEY": "anon",
    "SERVICE_ROLE_KEY": "service_role",
    "SUPABASE_WORKER_JWT": "ifc_worker",
}
SAME = (("SUPABASE_ANON_KEY", "ANON_KEY"), ("SUPABASE_SERVICE_KEY", "SERVICE_ROLE_KEY"))

Severity = Literal["refused", "soon"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one variable; never its value."""

    variable: str
    problem: str
    cure: str
    severity: Severity = "refused"


def check(
    path: Path, values: Mapping[str, str], *, soon_days: float = 14, now: datetime | None = None
) -> list[Finding]:
    """Everything that is wrong with a file, in the order in which it is read."""
    now = now or datetime.now(UTC)
    return [
        *_file(path),
        *_random(values),
        *_tokens(values, now, timedelta(days=soon_days)),
        *_agreement(values),
        *_addresses(values),
        *_other_defaults(values),
    ]


def is_public(value: str) -> bool:
    """Whether a secret is one that everybody can read somewhere, or a placeholder."""
    small = value.lower()
    return small in {each.lower() for each in PUBLIC} or any(p in small for p in PUBLIC_PARTS)


def _file(path: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            str(path), f"can be read by others (mode {mode:o})", f"Type: chmod 600 {path}"
        )


def _random(values: Mapping[str, str]) -> Iterator[Finding]:
    for name, (least, exact) in LENGTHS.items():
        value = values.get(name, "")
        if not value:
            yield Finding(name, "is missing", "`ifcbase keys generate` makes one.")
        elif is_public(value):
            yield Finding(name, "is a public default", "Make a new one and start again with it.")
        elif exact is not None and len(value) != exact:
            yield Finding(name, f"has {len(value)} characters", f"It needs exactly {exact}.")
        elif len(value) < least:
            yield Finding(name, f"has only {len(value)} characters", f"It needs {least} or more.")
    password = values.get("POSTGRES_PASSWORD", "")
    if password and not (password.isascii() and password.isalnum()):
        yield Finding(
            "POSTGRES_PASSWORD",
            "has characters besides letters and digits",
            "Supabase pastes it into URLs: make one of letters and digits.",
        )
    seen: dict[str, str] = {}
    for name in (*LENGTHS, *OPTIONAL):
        value = values.get(name, "")
        if name in OPTIONAL and is_public(value):
            yield Finding(name, "is a public default", "Make a new one.")
        if value and value in seen:
            yield Finding(name, f"is the same as {seen[value]}", "Each secret is one of its own.")
        seen.setdefault(value, name)


def _tokens(values: Mapping[str, str], now: datetime, soon: timedelta) -> Iterator[Finding]:
    # Without it a signature cannot be judged: that it is missing was said already.
    secret = values.get("JWT_SECRET") or None
    for name, role in TOKENS.items():
        renew = (
            "`ifcbase keys renew-worker` makes a new one."
            if role == "ifc_worker"
            else "Make new keys: `ifcbase keys generate`, or Supabase's utils/generate-keys.sh."
        )
        text = values.get(name, "")
        if not text:
            yield Finding(name, "is missing", renew)
            continue
        token = read_token(text, secret)
        if token.claims.get("iss") == "supabase-demo":
            yield Finding(name, "is the public demo key", renew)
            continue
        if token.problem:
            yield Finding(name, token.problem, renew)
            continue
        if token.claims.get("role") != role:
            yield Finding(name, f"is not a token of the role {role}", renew)
        if role == "ifc_worker":
            yield from _worker(name, token.claims, token.days, renew)
        if token.expires is None:
            yield Finding(name, "never expires", renew)
        elif token.expires <= now:
            yield Finding(name, f"expired on {token.expires:%Y-%m-%d}", renew)
        elif token.expires <= now + soon:
            yield Finding(name, f"expires on {token.expires:%Y-%m-%d}", renew, "soon")


def _worker(
    name: str, claims: Mapping[str, object], days: float | None, renew: str
) -> Iterator[Finding]:
    if not claims.get("jti"):
        yield Finding(name, "has no id and could not be revoked", renew)
    if days is None or days > WORKER_DAYS:
        yield Finding(name, f"is good for more than {WORKER_DAYS} days", renew)


def _agreement(values: Mapping[str, str]) -> Iterator[Finding]:
    for name, other in SAME:
        if values.get(name) != values.get(other):
            yield Finding(name, f"is not the same as {other}", f"Copy {other} into it.")
    database = values.get("DATABASE_URL", "")
    if database and unquote(urlsplit(database).password or "") != values.get("POSTGRES_PASSWORD"):
        yield Finding(
            "DATABASE_URL", "has another password than POSTGRES_PASSWORD", "Put the same in both."
        )
    redis = values.get("REDIS_URL", "")
    if redis and unquote(urlsplit(redis).password or "") != values.get("REDIS_PASSWORD"):
        yield Finding(
            "REDIS_URL", "has another password than REDIS_PASSWORD", "Put the same in both."
        )
    if values.get("DISABLE_SIGNUP", "").lower() != "true":
        yield Finding(
            "DISABLE_SIGNUP", "lets everybody make an account", "Set it to true; invite people."
        )


def _addresses(values: Mapping[str, str]) -> Iterator[Finding]:
    public = values.get("SUPABASE_PUBLIC_URL", "")
    host = urlsplit(public).hostname or ""
    if not public:
        yield Finding("SUPABASE_PUBLIC_URL", "is missing", "Set it to what browsers use.")
    elif host in {"supabase-kong", "kong", "api-gw", "envoy"}:
        yield Finding(
            "SUPABASE_PUBLIC_URL",
            "is a name inside the network, which no browser can resolve",
            "Set it to what browsers use; containers use SUPABASE_URL.",
        )
    if not values.get("API_EXTERNAL_URL", "").rstrip("/").endswith("/auth/v1"):
        yield Finding(
            "API_EXTERNAL_URL",
            "does not end in /auth/v1",
            "Set it to SUPABASE_PUBLIC_URL with /auth/v1 after it: it is the issuer of tokens.",
        )
    if public and values.get("SITE_URL") == public:
        yield Finding(
            "SITE_URL",
            "is Supabase's own address",
            "Set it to your application, where links in mails shall lead.",
        )


def _other_defaults(values: Mapping[str, str]) -> Iterator[Finding]:
    """Secrets of a release newer than this list: by their names."""
    known = {*LENGTHS, *OPTIONAL, *TOKENS, *(name for name, _ in SAME)}
    words = ("SECRET", "PASSWORD", "_KEY", "TOKEN")
    for name, value in values.items():
        if name not in known and any(w in name for w in words) and value and is_public(value):
            yield Finding(name, "is a public default", "Make a new one.")
