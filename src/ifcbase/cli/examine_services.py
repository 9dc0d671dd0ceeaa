"""What `ifcbase doctor` asks of what is beside the database: keys, ports, Redis, the REST door, Storage."""

from __future__ import annotations

import errno
import secrets
import socket
import tempfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import jwt
import psycopg
from psycopg.conninfo import conninfo_to_dict

from ifcbase.cli.gateway import DEFAULT_PORT
from ifcbase.files.backend import storage_objects
from ifcbase.files.store import MODELS
from ifcbase.settings import Settings
from ifcbase.stack.doctor.checks import Check, State, ok, skipped, warning, wrong
from ifcbase.stack.secrets_check import is_public
from ifcbase.stack.secrets_tokens import read_token

Said = tuple[State, str, str]
_SOON = timedelta(days=14)
_PATIENCE_S = 5.0
#: A table of each schema; those of all but the first must not be there for the REST door.
_TABLES = {
    "public": "clash_results",
    "core": "jobs",
    "clash": "results",
    "auth": "users",
    "storage": "objects",
}
#: What PostgREST answers where it does not expose the schema.
_NOT_EXPOSED = 406
_NEW = "Make new keys: `ifcbase keys generate`, or Supabase's utils/generate-keys.sh."
_RENEW = "`ifcbase keys renew-worker` makes a new one."


def checks(settings: Settings) -> list[Check]:
    """The checks of services; each asks with a limit of seconds and does not ask for long."""
    return [
        Check("keys", lambda: keys(settings)),
        Check("passwords", lambda: passwords(settings)),
        Check("ports", lambda: ports(settings)),
        Check("redis", lambda: redis(settings)),
        Check("rest door", lambda: rest_door(settings)),
        Check("storage", lambda: storage(settings)),
    ]


def keys(settings: Settings, now: datetime | None = None) -> Said:
    """Whether the keys of Supabase are good, ours, and of the roles they are used as."""
    now = now or datetime.now(UTC)
    signed = settings.jwt_secret.get_secret_value() if settings.jwt_secret else None
    if signed is not None and is_public(signed):
        return wrong("JWT_SECRET is a public default: everybody can make keys", _NEW)
    soon, seen = [], 0
    for variable, secret, role, cure in (
        ("SUPABASE_SERVICE_KEY", settings.supabase_service_key, "service_role", _NEW),
        ("SUPABASE_ANON_KEY", settings.supabase_anon_key, "anon", _NEW),
        ("SUPABASE_WORKER_JWT", settings.supabase_worker_jwt, "ifc_worker", _RENEW),
    ):
        text = secret.get_secret_value() if secret else ""
        # Keys of the newer form (sb_…) say nothing about themselves.
        if not text or text.startswith("sb_"):
            continue
        seen += 1
        token = read_token(text, signed if _shares_a_secret(text) else None)
        if token.claims.get("iss") == "supabase-demo":
            return wrong(f"{variable} is the public demo key: everybody has it", cure)
        if token.problem:
            return wrong(f"{variable} {token.problem}", cure)
        if token.claims.get("role") != role:
            return wrong(f"{variable} is not a token of the role {role}", cure)
        if token.expires is not None and token.expires <= now:
            return wrong(f"{variable} expired on {token.expires:%Y-%m-%d}", cure)
        if token.expires is not None and token.expires <= now + _SOON:
            soon.append((f"{variable} expires on {token.expires:%Y-%m-%d}", cure))
    if soon:
        return warning(*soon[0])
    return ok(f"{seen} looked at, none expires soon") if seen else skipped("none are set")


def _shares_a_secret(text: str) -> bool:
    """Whether JWT_SECRET can judge a token; RS256 and ES256 are signed by another key."""
    try:
        return str(jwt.get_unverified_header(text).get("alg", "")).startswith("HS")
    except jwt.InvalidTokenError:
        return True


def passwords(settings: Settings) -> Said:
    """Whether the passwords in the addresses we are given are such as everybody can read somewhere."""
    found = {}
    if settings.database_url is not None:
        try:
            given = conninfo_to_dict(settings.database_url.get_secret_value())
        except psycopg.ProgrammingError:
            # The check of the database says what is wrong with it.
            given = {}
        found["DATABASE_URL"] = str(given.get("password") or "")
    if settings.redis_url is not None:
        found["REDIS_URL"] = urlsplit(settings.redis_url.get_secret_value()).password or ""
    if public := [name for name, value in found.items() if value and is_public(value)]:
        say = wrong if settings.production else warning
        return say(
            f"the password in {' and '.join(public)} is a public default",
            "Give the server another one, and put it into the address; `ifcbase keys generate` makes "
            "good ones.",
        )
    return ok("none is a public default") if found else skipped("none are set")


def ports(settings: Settings, gateway: int = DEFAULT_PORT) -> Said:
    """Whether the ports that are going to be listened on are free, or ours."""
    strange, mine = [], []
    for port, cure, path in (
        (gateway, "`ifcbase gateway --port`, `ifcbase up --port`", "/healthz"),
        (settings.metrics_port, "IFCBASE_METRICS_PORT", "/metrics"),
    ):
        if not port or _free(port):
            continue
        if _ours(port, path):
            mine.append(str(port))
        else:
            strange.append((port, cure))
    if strange:
        port, cure = strange[0]
        return warning(
            f"another program listens on port {port}", f"Stop it, or choose another port: {cure}."
        )
    return ok(f"ours listens on {', '.join(mine)}" if mine else "free")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        # Whoever listens and does not answer has the port, too.
        return probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def _ours(port: int, path: str) -> bool:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2.0)
    except httpx.HTTPError:
        # Another protocol, or nobody who answers: somebody else's in any case.
        return False
    return answer.is_success and (path == "/healthz" or "ifcbase_" in answer.text)


def redis(settings: Settings) -> Said:
    """Whether Redis answers, keeps its queue, and asks for a password."""
    if settings.redis_url is None:
        return skipped("Postgres delivers jobs")
    # Here and not above: only who uses it needs the library.
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import AuthenticationError, RedisError, ResponseError
    from redis.retry import Retry

    address = settings.redis_url.get_secret_value()
    try:
        with Redis.from_url(
            address,
            socket_connect_timeout=_PATIENCE_S,
            socket_timeout=_PATIENCE_S,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            persistence = client.info("persistence")
    except (AuthenticationError, ResponseError) as error:
        return wrong(
            f"Redis refuses us: {error}", "Put its password into REDIS_URL: redis://:…@host"
        )
    except ValueError:
        # The address may hold a password: it is not repeated.
        return wrong(
            "REDIS_URL is not the address of a Redis",
            "It looks like redis://:password@host:6379/0.",
        )
    except (RedisError, OSError) as error:
        return wrong(
            f"Redis cannot be reached: {error}", "Check REDIS_URL, and that Redis runs there."
        )
    if not isinstance(persistence, dict) or persistence.get("aof_enabled") != 1:
        say = wrong if settings.production else warning
        return say(
            "Redis forgets its queue when it ends, and jobs start late then: its append-only file is "
            "off",
            "Start it with `--appendonly yes`.",
        )
    if not urlsplit(address).password:
        return warning(
            "Redis asks for no password: whoever reaches it can deliver jobs",
            "Set requirepass, and put the password into REDIS_URL.",
        )
    return ok("answers, keeps its queue on disk, asks for a password")


def rest_door(settings: Settings) -> Said:
    """Whether Supabase's REST door answers and shows public only."""
    key = settings.supabase_service_key or settings.supabase_anon_key
    if not settings.supabase_url or key is None:
        return skipped("SUPABASE_URL or a key is not set")
    text = key.get_secret_value()
    headers = {"apikey": text}
    if not text.startswith("sb_"):
        headers["Authorization"] = f"Bearer {text}"
    address = f"{settings.supabase_url.rstrip('/')}/rest/v1"
    try:
        with httpx.Client(headers=headers, timeout=_PATIENCE_S) as client:
            answers = {
                schema: client.get(
                    f"{address}/{table}?limit=0", headers={"Accept-Profile": schema}
                ).status_code
                for schema, table in _TABLES.items()
            }
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return wrong(
            f"Supabase's gateway cannot be reached: {error or type(error).__name__}",
            "Check SUPABASE_URL, and that Supabase runs.",
        )
    status = answers.pop("public")
    if status in {401, 403}:
        return wrong(
            f"Supabase's gateway refuses the key ({status})",
            "Check SUPABASE_SERVICE_KEY: it has to be this installation's.",
        )
    if status >= 400:
        return wrong(
            f"the REST door answers with {status}",
            "Run `ifcbase db migrate`; then look at the log of Supabase's service rest.",
        )
    if shown := [schema for schema, found in answers.items() if found != _NOT_EXPOSED]:
        return wrong(
            f"the REST door exposes {', '.join(shown)}",
            "Expose public only: PGRST_DB_SCHEMAS=public in Supabase's .env.",
        )
    return ok("answers, public only")


def storage(settings: Settings) -> Said:
    """Whether Storage takes, gives and removes a small file, and would take the largest allowed."""
    if settings.files_backend == "local":
        return skipped("files lie in a folder")
    objects = storage_objects(settings, tries=2, stall_s=_PATIENCE_S)
    if objects is None:
        return warning(
            "files lie in Storage, and there is no service key to try it with",
            "Set SUPABASE_SERVICE_KEY here; backups and the removal of old files need it, too.",
        )
    content = secrets.token_bytes(64)
    digest = sha256(content).hexdigest()
    try:
        with tempfile.TemporaryDirectory() as work:
            source, back = Path(work) / "probe", Path(work) / "back"
            source.write_bytes(content)
            objects.require_room(settings.project, settings.upload_max_mb * 1024 * 1024)
            objects.write(settings.project, digest, MODELS, source)
            try:
                objects.read(settings.project, digest, [MODELS], back)
            finally:
                objects.remove(settings.project, digest, 0.0)
    finally:
        objects.close()
    return ok(f"takes, gives and removes; files of up to {settings.upload_max_mb} MiB")
