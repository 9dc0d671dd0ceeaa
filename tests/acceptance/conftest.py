"""One Postgres for the session, a database and a home per test, sample buildings with known clashes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ifcbase import samples
from ifcbase.cli import context
from ifcbase.settings import load_settings
from ifcbase.stack.embedded import EmbeddedPostgres
from tests.acceptance.stand import Stand
from tests.integration.servers import FAST, Database, Server, database, open_folder, server, servers

__all__ = ["database", "server", "servers"]

#: Leases that lapse while one waits for it, but not on a busy machine.
QUICK = {"IFCBASE_LEASE_S": "3", "IFCBASE_HEARTBEAT_S": "0.2", "IFCBASE_REAP_S": "0.3"}


@pytest.fixture(scope="session")
def template(server: Server) -> Iterator[Database]:
    """A migrated database, to be copied."""
    with server.database() as made:
        context.migrate(load_settings(), made.dsn)
        yield made


@contextmanager
def open_home() -> Iterator[Path]:
    """A home for an embedded server, which ends at the latest when this process does."""
    with open_folder() as folder:
        try:
            yield folder
        finally:
            EmbeddedPostgres(folder).stop()


@pytest.fixture
def stand(server: Server, template: Database, tmp_path: Path) -> Iterator[Stand]:
    """A home and a migrated database of this test's own, with leases of three seconds."""
    home = tmp_path / "home"
    home.mkdir()
    with server.database(template.name) as made:
        yield Stand(home, made.dsn, dict(QUICK), server.state.admin_dsn())


@pytest.fixture
def empty(database: Database, tmp_path: Path) -> Stand:
    """A home and a database in which nothing is."""
    return Stand(tmp_path, database.dsn)


@pytest.fixture(scope="module")
def service(
    server: Server, template: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stand]:
    """A home and a database for the tests of a module, with one worker that runs all the time."""
    home = tmp_path_factory.mktemp("service")
    with server.database(template.name) as made:
        stand = Stand(home, made.dsn, {"IFCBASE_HEARTBEAT_S": "0.2", "IFCBASE_REAP_S": "1"})
        with stand.worker():
            yield stand


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Stand]:
    """A home with an embedded Postgres of its own, migrated, which may be killed."""
    with open_home() as home:
        context.migrate(load_settings(), EmbeddedPostgres(home, settings=FAST).ensure_running())
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
