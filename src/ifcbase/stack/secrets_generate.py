"""The secrets and addresses of a self-hosted Supabase with the pipeline beside it, made anew.

Names and lengths are those of Supabase's docker folder (``.env.example`` and CONFIG.md of the
``self-hosted`` releases); what it ships with a public default is made at random here.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ifcbase.errors import RequestInvalid
from ifcbase.stack.secrets_tokens import key_token, worker_token

#: Pasted into URLs and shell words by Supabase's own scripts: nothing that needs quoting.
_PLAIN = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Line:
    """One variable: its value, and in words what it is for."""

    name: str
    value: str
    why: str


@dataclass(frozen=True)
class Section:
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Addresses:
    """Where people and programs find the stack.

    ``public`` is Supabase's gateway as a browser reaches it, ``site`` the address of your own
    application, for links in mails; both without a slash at the end."""

    public: str = "http://localhost:8000"
    site: str = "http://localhost:3000"

    def __post_init__(self) -> None:
        for name, url in (("--public-url", self.public), ("--site-url", self.site)):
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname or url.endswith("/"):
                raise RequestInvalid(
                    f"{name} is no address of a web server: {url}",
                    hint="Give it as http://host:port or https://host, without a slash at the end.",
                )


def plain(length: int) -> str:
    """Random letters and digits, a letter first."""
    return secrets.choice(string.ascii_letters) + "".join(
        secrets.choice(_PLAIN) for _ in range(length - 1)
    )


def sections(
    addresses: Addresses, *, worker_days: int, worker: str = "worker", now: datetime | None = None
) -> list[Section]:
    """Everything both Compose projects need, with new secrets. Raises RequestInvalid."""
    now = now or datetime.now(UTC)
    jwt_secret, postgres, redis = plain(48), plain(32), plain(32)
    anon = key_token(jwt_secret, "anon", now)
    service = key_token(jwt_secret, "service_role", now)
    port = urlsplit(addresses.public).port if "localhost" in addresses.public else None
    return [
        Section("Keys", (
            Line("JWT_SECRET", jwt_secret,
                 "Signs and verifies every token; whoever has it is everybody."),
            Line("ANON_KEY", anon, "Key of browsers (role anon), signed with JWT_SECRET."),
            Line("SERVICE_ROLE_KEY", service,
                 "Key of the service (passes row-level security); never in a browser."),
            Line("SUPABASE_ANON_KEY", anon, "The same as ANON_KEY, by the name the pipeline reads."),
            Line("SUPABASE_SERVICE_KEY", service,
                 "The same as SERVICE_ROLE_KEY, by the name the pipeline reads."),
            Line("SUPABASE_WORKER_JWT", worker_token(jwt_secret, worker, worker_days, now),
                 f"Token of a worker (role ifc_worker), good for {worker_days} days; renew it by "
                 "`ifcbase keys renew-worker`."),
        )),
        Section("Database", (
            Line("POSTGRES_PASSWORD", postgres,
                 "Of all roles of the database. Takes effect at the first start only; afterwards "
                 "change it by Supabase's utils/db-passwd.sh."),
            Line("POSTGRES_HOST", "db",
                 "Where Supabase's own services find the database: the name of its service, not "
                 "supabase-db, which is its name on our network."),
            Line("POSTGRES_PORT", "5432",
                 "Used both inside and outside by Supabase: leave it, ports are set in the override."),
            Line("POSTGRES_DB", "postgres", "The database Supabase works in."),
            Line("POOLER_TENANT_ID", "ifcbase",
                 "Through the pooler the user is called postgres.ifcbase. Of no concern to REST."),
            Line("POOLER_PROXY_PORT_TRANSACTION", "6543", "Port of the transaction pooler."),
            Line("POOLER_DEFAULT_POOL_SIZE", "20", "Connections of the pooler to the database."),
            Line("POOLER_MAX_CLIENT_CONN", "100", "Connections of clients to the pooler."),
            Line("POOLER_DB_POOL_SIZE", "5", "Connections of the pooler for its own state."),
        )),
        Section("Addresses", (
            Line("SUPABASE_PUBLIC_URL", addresses.public,
                 "Supabase's gateway as browsers reach it: Studio's links and signed downloads use "
                 "it. Not the name inside the network, which no browser can resolve."),
            Line("API_EXTERNAL_URL", f"{addresses.public}/auth/v1",
                 "Address of Auth, and issuer of its tokens: ends in /auth/v1 since release 0.7."),
            Line("SITE_URL", addresses.site,
                 "Your own application, where links in mails of Auth lead; not Supabase."),
            Line("ADDITIONAL_REDIRECT_URLS", "", "More places Auth may send people to."),
            Line("API_GW_HTTP_PORT", str(port or 8000),
                 "Port of Supabase's gateway on this machine (only on 127.0.0.1)."),
            Line("KONG_HTTP_PORT", str(port or 8000), "The same under its old name."),
            Line("KONG_HTTPS_PORT", "8443", "Used by Supabase's override for Kong only."),
        )),
        Section("Dashboard and sign-up", (
            Line("DASHBOARD_USERNAME", "studio", "User of Studio."),
            Line("DASHBOARD_PASSWORD", plain(24), "Password of Studio."),
            Line("DISABLE_SIGNUP", "true",
                 "Nobody makes an account of his own; Supabase's default is the opposite."),
            Line("ENABLE_EMAIL_SIGNUP", "true", "People you invite sign in by mail and password."),
            Line("ENABLE_EMAIL_AUTOCONFIRM", "false", "Addresses have to be confirmed."),
            Line("ENABLE_ANONYMOUS_USERS", "false", "No users without a name."),
            Line("ENABLE_PHONE_SIGNUP", "false", "No sign-in by telephone."),
            Line("ENABLE_PHONE_AUTOCONFIRM", "false", "No sign-in by telephone."),
            Line("JWT_EXPIRY", "3600", "Seconds a person's token is good for."),
        )),
        Section("Secrets of Supabase's services, which it ships with public defaults", (
            Line("SECRET_KEY_BASE", plain(64), "Sessions of Realtime and of the pooler."),
            Line("REALTIME_DB_ENC_KEY", plain(16), "Realtime's secrets at rest; exactly 16."),
            Line("VAULT_ENC_KEY", plain(32), "The pooler's secrets at rest; exactly 32."),
            Line("PG_META_CRYPTO_KEY", plain(32), "Connection strings between Studio and pg-meta."),
            Line("S3_PROTOCOL_ACCESS_KEY_ID", secrets.token_hex(16),
                 "User of Storage's S3 endpoint; passes row-level security."),
            Line("S3_PROTOCOL_ACCESS_KEY_SECRET", secrets.token_hex(32), "Its secret."),
            Line("LOGFLARE_PUBLIC_ACCESS_TOKEN", plain(32), "Only with Supabase's logs override."),
            Line("LOGFLARE_PRIVATE_ACCESS_TOKEN", plain(32), "Only with Supabase's logs override."),
            Line("MINIO_ROOT_USER", "ifcbase", "Only with Supabase's MinIO override."),
            Line("MINIO_ROOT_PASSWORD", plain(32), "Only with Supabase's MinIO override."),
        )),
        Section("Supabase's other settings, as it has them", (
            Line("PGRST_DB_SCHEMAS", "public,graphql_public", "Schemas the REST API shows."),
            Line("PGRST_DB_MAX_ROWS", "1000", "Rows one answer holds; clients read page by page."),
            Line("PGRST_DB_EXTRA_SEARCH_PATH", "public", "Search path of the REST API."),
            Line("GLOBAL_S3_BUCKET", "stub", "Folder of Storage's files."),
            Line("REGION", "stub", "Region that S3 clients have to name."),
            Line("STORAGE_TENANT_ID", "stub", "Folder of Storage's files."),
            Line("IMGPROXY_AUTO_WEBP", "true", "Form of scaled pictures."),
            Line("FUNCTIONS_VERIFY_JWT", "true", "Edge functions want a token."),
            Line("STUDIO_DEFAULT_ORGANIZATION", "Default organization", "Shown in Studio."),
            Line("STUDIO_DEFAULT_PROJECT", "ifcbase", "Shown in Studio."),
        )),
        Section("The pipeline", (
            Line("SUPABASE_URL", "http://supabase-kong:8000",
                 "Supabase's gateway as the pipeline's containers reach it."),
            Line("DATABASE_URL", f"postgresql://postgres:{postgres}@supabase-db:5432/postgres",
                 "The database as the pipeline's containers reach it."),
            Line("REDIS_PASSWORD", redis, "Of the pipeline's Redis."),
            Line("REDIS_URL", f"redis://:{redis}@redis:6379/0", "The pipeline's Redis."),
            Line("COMPOSE_PROFILES", "",
                 "backup: daily backups; monitoring: Prometheus and Grafana; both: backup,monitoring."),
            Line("READER_PASSWORD", plain(32),
                 "Of the roles ifcbase_reader and ifcbase_monitor (profile monitoring)."),
            Line("GRAFANA_PASSWORD", plain(24), "Of Grafana's user admin (profile monitoring)."),
            Line("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR."),
        )),
    ]  # fmt: skip
