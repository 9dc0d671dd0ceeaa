"""Real Postgres servers for tests: one per major version and session, databases in milliseconds.

``servers`` gives a server of a major version (15, 17 and 18 are expected to be installed; a missing
one is a skip, in CI a failure). ``server.database()`` is a fresh empty database, owned by the role
``postgres`` that is no superuser, gone after the ``with`` block; ``database(template=...)`` copies
one. Nothing survives the session, not even if it is killed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ifcbase.errors import StackError
from ifcbase.stack.embedded import EmbeddedPostgres
from ifcbase.stack.state import ServerState, read_state

MAJORS = (15, 17, 18)
#: For servers of tests only: a crash of the machine may damage them, kill -9 still loses nothing.
FAST = {"fsync": "off", "full_page_writes": "off"}
#: A folder in memory, if the machine has a large one: homes of 50 MB come and go.
_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder inside it gets a random name
_MEMORY_NEEDED = 4 * 2**30


@dataclass(frozen=True)
class Database:
    """A database of one test. ``dsn`` is the non-superuser owner's, ``admin_dsn`` the superuser's."""

    name: str
    dsn: str
    admin_dsn: str


class Server:
    """A running embedded server of one major version."""

    def __init__(self, major: int, state: ServerState) -> None:
        self.major = major
        self.state = state

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[Database]:
        """A new database, empty or a copy of another that nobody is connected to."""
        name = f"test_{secrets.token_hex(6)}"
        self._execute(
            sql.SQL("CREATE DATABASE {} OWNER postgres TEMPLATE {} STRATEGY {}").format(
                sql.Identifier(name),
                sql.Identifier(template or "template0"),
                sql.Identifier("file_copy"),
            )
        )
        try:
            yield Database(name, self.state.dsn(name), self.state.admin_dsn(name))
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.state.admin_dsn(), autocommit=True) as connection:
            connection.execute(statement)


class Servers:
    """Starts a server when its major is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[int, tuple[EmbeddedPostgres, Server]] = {}

    def __getitem__(self, major: int) -> Server:
        if major not in self._running:
            server = EmbeddedPostgres(self.folder / str(major), major=major, settings=FAST)
            try:
                server.ensure_running()
            except StackError as error:
                if "were found on this machine" in error.message and not os.environ.get("CI"):
                    pytest.skip(f"{error.message}. {error.hint}")
                raise
            state = read_state(server.state_file)
            assert state is not None
            self._running[major] = (server, Server(major, state))
        return self._running[major][1]

    def stop(self) -> None:
        """Stop them all."""
        for server, _ in self._running.values():
            server.stop()


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that other users may pass through (pytest's own is closed), in which
    every server is ended and which is removed when this process ends, however it ends."""
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MEMORY_NEEDED
    folder = Path(tempfile.mkdtemp(prefix="ifcbase-test-", dir=_MEMORY if in_memory else None))
    folder.chmod(0o755)
    # The guard reads until our end of the pipe closes, which a killed process does as well.
    guard = subprocess.Popen(
        ["sh", "-c", _GUARD, "guard", str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield folder
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


_GUARD = """
read -r _
find "$1" -name postmaster.pid | while read -r file; do
  kill -QUIT "$(head -n 1 "$file")" && sleep 0.3
done
rm -rf "$1"
"""


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Servers by major version: ``servers[17]``."""
    with open_folder() as folder:
        found = Servers(folder)
        try:
            yield found
        finally:
            found.stop()


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"pg{major}")
def any_server(request: pytest.FixtureRequest, servers: Servers) -> Server:
    """Each of the major versions in turn."""
    return servers[request.param]


@pytest.fixture(scope="session")
def server(servers: Servers) -> Server:
    """The server of the default major version."""
    return servers[18]


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """A fresh empty database of the default major version."""
    with server.database() as found:
        yield found


@pytest.fixture
def any_database(any_server: Server) -> Iterator[Database]:
    """A fresh empty database on each of the major versions."""
    with any_server.database() as found:
        yield found
