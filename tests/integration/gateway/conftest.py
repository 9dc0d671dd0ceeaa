"""One gateway for all tests of this part, on a database of its own, with two projects."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import httpx
import jwt
import pytest
from fastapi import FastAPI
from psycopg import sql
from pydantic import SecretStr

import ifcbase
from ifcbase.gateway.app import create_app
from ifcbase.gateway.serving import Server as GatewayServer
from ifcbase.gateway.serving import configured
from ifcbase.gateway.state import Gateway, make_gateway
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.ledger import keys
from ifcbase.ledger.access import create_project
from ifcbase.ledger.connect import connect
from ifcbase.settings import Settings
from tests.ifc_builder import IfcBuilder
from tests.integration.ledger.filled import USERS, Filled, fill
from tests.integration.migrated import standing, template
from tests.integration.servers import Database, Server
from tests.unit.tester.building import attribute, specification, write_ids

__all__ = ["standing", "template"]

JWT_SECRET = "a secret of the tests that is long enough for HS256"
VERBS = {
    "viewer": ["read"],
    "editor": ["read", "write", "decide"],
    "admin": ["read", "write", "decide", "admin"],
}


@dataclass
class Served:
    """A gateway that serves, and keys of its projects ``alpha`` and ``beta``."""

    gateway: Gateway
    client: httpx.Client
    dsn: str
    app: FastAPI
    #: By role in alpha, and "other": an admin of beta; "expired", "revoked".
    keys: dict[str, str] = field(default_factory=dict)
    projects: dict[str, int] = field(default_factory=dict)

    def headers(self, who: str = "editor") -> dict[str, str]:
        """The credentials of a caller."""
        return {"X-API-Key": self.keys[who]}

    def upload(self, path: Path, name: str | None = None, project: str = "alpha") -> str:
        """Put a file into a project as if it had been uploaded; its SHA-256."""
        stored = self.gateway.files.put(project, path)
        self.sql(
            "select core.note_upload(%s, %s, %s, %s)",
            self.projects[project], f"uploads/{name or path.name}", stored.sha256, stored.size,
        )  # fmt: skip
        return stored.sha256

    def sql(self, statement: LiteralString, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows as the owner of the database sees them."""
        with connect(self.dsn) as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway-home")


@pytest.fixture(scope="session")
def served(
    server: Server, standing: Callable[[Server, str], Database], home: Path
) -> Iterator[Served]:
    """The gateway all tests share; each works with names of its own."""
    database = standing(server, "gateway")
    with connect(database.dsn) as connection:
        ProcrastinateEngine(database.dsn).install(connection)
    settings = Settings(
        home=home,
        jwt_secret=SecretStr(JWT_SECRET),
        # The tests send many wrong keys from one address.
        auth_failures=1_000_000,
        # The tests of webhooks deliver themselves.
        webhooks=False,
    )
    gateway = make_gateway(settings, database.dsn)
    app = create_app(gateway)
    with listening(app) as address, httpx.Client(base_url=address) as client:
        client.timeout = httpx.Timeout(60)
        found = Served(gateway, client, database.dsn, app)
        _fill(found)
        yield found


@pytest.fixture(scope="session")
def building(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models that clash once, a second version of the first, and rules that
    one of its walls breaks; all are uploaded to alpha."""
    folder = tmp_path_factory.mktemp("building")
    walls = IfcBuilder()
    storey = walls.storey("Ground floor")
    walls.box("W1", (0, 0, 0), (4, 0.2, 3), storey=storey)
    walls.box("<script>alert(1)</script>", (0, 5, 0), (4, 0.2, 3), storey=storey)
    walls.write(folder / "walls.ifc")
    walls.box("W3", (0, 8, 0), (4, 0.2, 3), storey=storey)
    walls.write(folder / "walls_v2.ifc")
    pipes = IfcBuilder()
    pipes.box(
        "P1", (1, -1, 1), (0.1, 3, 0.1), "IfcPipeSegment", storey=pipes.storey("Ground floor")
    )
    pipes.write(folder / "pipes.ifc")
    write_ids(
        folder, specification(attribute("Name", "<value><simpleValue>W1</simpleValue></value>"))
    )
    for path in sorted(folder.iterdir()):
        served.upload(path)
    return folder


@pytest.fixture(scope="session")
def filled(served: Served, building: Path) -> Iterator[Filled]:
    """Something in every table of three projects, ``own``, ``foreign`` and ``open``, with keys
    "own viewer", "own editor", "own admin", "own expired", "own revoked" and "foreign admin"."""
    world = Filled(served.dsn)
    fill(world)
    served.projects |= world.ids
    with connect(served.dsn) as connection:
        for role, verbs in VERBS.items():
            made = keys.make_key(connection, world.ids["own"], role, verbs)
            served.keys[f"own {role}"] = made.key
        for name, column in (("expired", "expires_at"), ("revoked", "revoked_at")):
            made = keys.make_key(connection, world.ids["own"], name, VERBS["admin"])
            served.keys[f"own {name}"] = made.key
            connection.execute(
                sql.SQL("update core.api_keys set {} = now() where id = %s").format(
                    sql.Identifier(column)
                ),
                [made.id],
            )
        made = keys.make_key(connection, world.ids["foreign"], "admin", VERBS["admin"])
        served.keys["foreign admin"] = made.key
    for name in ("walls.ifc", "walls_v2.ifc", "pipes.ifc", "rules.ids"):
        served.upload(building / name, project="own")
    yield world
    world.close()


def token(user: str, *, secret: str = JWT_SECRET, **claims: Any) -> str:
    """A token of a user as Supabase Auth signs it."""
    whole = {
        "sub": USERS.get(user, user),
        "aud": "authenticated",
        "role": "authenticated",
        "exp": int(time.time()) + 3600,
    }
    return jwt.encode({k: v for k, v in (whole | claims).items() if v is not None}, secret)


@pytest.fixture
def worker(served: Served, home: Path) -> Iterator[None]:
    """A worker process that takes the jobs, for one test: others want theirs to wait."""
    log = home / "worker.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "ifcbase", "worker", "--until-eof"],
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=stream,
            env=os.environ
            | {
                "DATABASE_URL": served.dsn,
                "IFCBASE_HOME": str(home),
                "PYTHONPATH": str(Path(ifcbase.__file__).resolve().parents[1]),
            },
        )
    try:
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """The address of an application that a server in a thread serves on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = GatewayServer(configured(app), app)
    thread = threading.Thread(target=server.run, args=[[listener]], name="gateway")
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not server.started:
            assert thread.is_alive(), "the server ended while it started"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()


def _fill(served: Served) -> None:
    with connect(served.dsn) as connection:
        for name in ("alpha", "beta"):
            served.projects[name] = create_project(connection, name)
        alpha = served.projects["alpha"]
        for role, verbs in VERBS.items():
            served.keys[role] = keys.make_key(connection, alpha, role, verbs).key
        served.keys["other"] = keys.make_key(
            connection, served.projects["beta"], "other", VERBS["admin"]
        ).key
        soon = datetime.now(UTC) + timedelta(hours=1)
        expired = keys.make_key(connection, alpha, "expired", VERBS["admin"], expires_at=soon)
        connection.execute(
            "update core.api_keys set expires_at = now() - interval '1 s' where id = %s",
            [expired.id],
        )
        served.keys["expired"] = expired.key
        revoked = keys.make_key(connection, alpha, "revoked", VERBS["admin"])
        keys.revoke_key(connection, alpha, revoked.id)
        served.keys["revoked"] = revoked.key
        served.keys["wrong"] = served.keys["admin"][:-4] + "AAAA"
