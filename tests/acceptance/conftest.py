"""One Postgres for the session, a database and a home per test, sample buildings with known clashes."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ifcbase import samples
from ifcbase.cli import context
from ifcbase.stack.embedded import EmbeddedPostgres
from ifcbase.stack.state import ServerState, read_state
from tests.acceptance.stand import Stand

#: What the database of tests may lose when the machine does.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
#: Leases that lapse while one waits for it, but not on a busy machine.
QUICK = {"IFCBASE_LEASE_S": "3", "IFCBASE_HEARTBEAT_S": "0.2", "IFCBASE_REAP_S": "0.3"}

#: Reads until the other end of its pipe is closed, then ends all servers below a folder.
_GUARD = """
read -r _
for file in "$1"/postgres/pg-*/postmaster.pid; do
  [ -f "$file" ] && kill -QUIT "$(head -n 1 "$file")" && sleep 0.3
done
rm -rf "$1"
"""


@contextmanager
def open_home() -> Iterator[Path]:
    """A home that the server's user may pass through (pytest's folders are closed). Its server ends
    and it is removed when this process ends, even if that is killed."""
    folder = Path(tempfile.mkdtemp(prefix="ifcbase-test-"))
    folder.chmod(0o755)
    guard = subprocess.Popen(
        ["sh", "-c", _GUARD, "guard", str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield folder
    finally:
        EmbeddedPostgres(folder).stop()
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Iterator[ServerState]:
    """A running server whose database is migrated and serves as the template of all others."""
    with open_home() as home:
        server = EmbeddedPostgres(home, settings=FAST)
        context.migrate(server.ensure_running())
        state = read_state(server.state_file)
        assert state is not None
        yield state


@contextmanager
def _database(server: ServerState, template: str = "postgres") -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.admin_dsn("template1"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} owner postgres template {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    try:
        yield server.dsn(name)
    finally:
        with psycopg.connect(server.admin_dsn("template1"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
            )


@pytest.fixture
def stand(server: ServerState, tmp_path: Path) -> Iterator[Stand]:
    """A home and a migrated database of this test's own, with leases of three seconds."""
    home = tmp_path / "home"
    home.mkdir()
    with _database(server) as dsn:
        yield Stand(home, dsn, dict(QUICK), server.admin_dsn("template1"))


@pytest.fixture
def empty(server: ServerState, tmp_path: Path) -> Iterator[Stand]:
    """A home and a database in which nothing is."""
    with _database(server, "template0") as dsn:
        yield Stand(tmp_path, dsn)


@pytest.fixture(scope="module")
def service(server: ServerState, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A home and a database for the tests of a module, with one worker that runs all the time."""
    home = tmp_path_factory.mktemp("service")
    with _database(server) as dsn:
        stand = Stand(home, dsn, {"IFCBASE_HEARTBEAT_S": "0.2", "IFCBASE_REAP_S": "1"})
        with stand.worker():
            yield stand


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Stand]:
    """A home with an embedded Postgres of its own, migrated, which may be killed."""
    with open_home() as home:
        context.migrate(EmbeddedPostgres(home, settings=FAST).ensure_running())
        yield Stand(home, None, {"IFCBASE_HEARTBEAT_S": "0.2", "IFCBASE_REAP_S": "0.3"})


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> samples.Sample:
    """The smallest sample building, revision A."""
    return samples.build(tmp_path_factory.mktemp("sample"), storeys=1, bays=(2, 1))


@pytest.fixture(scope="session")
def sample_b(tmp_path_factory: pytest.TempPathFactory) -> samples.Sample:
    """Its revision B."""
    folder = tmp_path_factory.mktemp("sample-b")
    return samples.build(folder, storeys=1, bays=(2, 1), revision="B")
