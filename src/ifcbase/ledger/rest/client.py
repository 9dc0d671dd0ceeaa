"""The client of supabase-py that everything here uses: one per process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from supabase import Client, create_client
from supabase.lib.client_options import SyncClientOptions
from supabase_auth import SyncMemoryStorage

from ifcbase.errors import ConfigError
from ifcbase.settings import Settings

#: Seconds until a connection stands, and until an answer to a request begins.
CONNECT_S = 5.0
ANSWER_S = 120.0


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """Where Supabase is, and who we are there: the key, and a token if it is another's."""

    url: str
    key: str
    token: str | None = None


def access_of(settings: Settings) -> Access | None:
    """How the settings reach Supabase; None if they do not name one. Raises ConfigError if a key
    is missing."""
    if not settings.supabase_url:
        return None
    public = settings.supabase_publishable_key or settings.supabase_anon_key
    service, worker = settings.supabase_service_key, settings.supabase_worker_jwt
    if worker and (public or service):
        key = public or service
        assert key is not None  # noqa: S101 (one of them is set)
        return Access(settings.supabase_url, key.get_secret_value(), worker.get_secret_value())
    if service:
        return Access(settings.supabase_url, service.get_secret_value())
    raise ConfigError(
        "SUPABASE_URL is set, but no key that may write",
        hint="Set SUPABASE_PUBLISHABLE_KEY and SUPABASE_WORKER_JWT, or SUPABASE_SERVICE_KEY.",
    )


def service_access(settings: Settings) -> Access | None:
    """Access by the service key, which is what scripts of the origin plan have; None without it."""
    if not settings.supabase_url or not settings.supabase_service_key:
        return None
    return Access(settings.supabase_url, settings.supabase_service_key.get_secret_value())


class Status(threading.local):
    """The HTTP status of this thread's last answer: errors of gateways do not carry it."""

    code: int = 0


def make_client(access: Access, status: Status | None = None) -> tuple[Client, Callable[[], None]]:
    """A client, and what closes its connections. Raises ConfigError for an address that is none."""

    def note(response: httpx.Response) -> None:
        if status is not None:
            status.code = response.status_code

    headers = {"apikey": access.key, "Authorization": f"Bearer {access.token or access.key}"}
    try:
        http = httpx.Client(
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            follow_redirects=True,
            event_hooks={"response": [note]},
        )
        options = SyncClientOptions(
            headers=headers,
            auto_refresh_token=False,
            persist_session=False,
            storage=SyncMemoryStorage(),
            httpx_client=http,
            postgrest_client_retry=False,
        )
        client = create_client(access.url, access.key, options=options)
    except Exception as error:
        # supabase-py has a class of its own for this, which it does not export.
        raise ConfigError(f"SUPABASE_URL or its key cannot be used: {error}") from error
    # Made here, since threads share it: the client makes it when it is first asked for.
    client.postgrest.headers.update(headers)
    return client, http.close
