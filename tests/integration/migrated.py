"""Databases with all migrations applied. A copy takes a second, so that tests share what they can:

``world`` and ``any_world`` are rolled back after each test; ``busy`` keeps what is committed, each
test in a project of its own; ``ledger`` is a copy for one test alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ifcbase.ledger.postgres import PostgresLedger
from ifcbase.stack.migrations import migrate
from tests.integration.servers import Database, Server
from tests.integration.world import World

Template = Callable[[Server], str]


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    """The name of a server's migrated database, which nobody may stay connected to."""
    made: dict[int, str] = {}
    with ExitStack() as stack:

        def of(server: Server) -> str:
            if server.major not in made:
                database = stack.enter_context(server.database())
                migrate(database.dsn)
                made[server.major] = database.name
            return made[server.major]

        yield of


@pytest.fixture(scope="session")
def standing(template: Template) -> Iterator[Callable[[Server, str], Database]]:
    """Databases of the session by server and purpose."""
    made: dict[tuple[int, str], Database] = {}
    with ExitStack() as stack:

        def of(server: Server, purpose: str) -> Database:
            key = server.major, purpose
            if key not in made:
                made[key] = stack.enter_context(server.database(template(server)))
            return made[key]

        yield of


@pytest.fixture
def ledger(server: Server, template: Template) -> Iterator[Database]:
    """A migrated database of the default major version for one test."""
    with server.database(template(server)) as found:
        yield found


@pytest.fixture
def any_ledger(any_server: Server, template: Template) -> Iterator[Database]:
    """The same on each major version."""
    with any_server.database(template(any_server)) as found:
        yield found


@pytest.fixture
def world(server: Server, standing: Callable[[Server, str], Database]) -> Iterator[World]:
    """A migrated database of the default major version as the test found it."""
    with rolled_back(standing(server, "rolled back")) as found:
        yield found


@pytest.fixture
def any_world(any_server: Server, standing: Callable[[Server, str], Database]) -> Iterator[World]:
    """The same on each major version."""
    with rolled_back(standing(any_server, "rolled back")) as found:
        yield found


@contextmanager
def rolled_back(database: Database) -> Iterator[World]:
    """Everything in one transaction that is undone; a failing statement undoes only itself."""
    found = World(database.dsn)
    try:
        with found.connection.transaction(force_rollback=True):
            found.within = True
            yield found
    finally:
        found.close()


@pytest.fixture
def busy(server: Server, standing: Callable[[Server, str], Database]) -> Iterator[World]:
    """A project of its own in a database where others work, of the default major version."""
    yield from _project(standing(server, "busy"))


@pytest.fixture
def any_busy(any_server: Server, standing: Callable[[Server, str], Database]) -> Iterator[World]:
    """The same on each major version."""
    yield from _project(standing(any_server, "busy"))


def _project(database: Database) -> Iterator[World]:
    found = World(database.dsn)
    found.project = found.value(
        "insert into core.projects (name) values (%s) returning id", f"p{secrets.token_hex(6)}"
    )
    yield found
    found.close()


@pytest.fixture
def store(busy: World) -> Iterator[PostgresLedger]:
    """The ledger as a worker has it, on the database of ``busy``."""
    yield from _store(busy)


@pytest.fixture
def any_store(any_busy: World) -> Iterator[PostgresLedger]:
    """The same on each major version."""
    yield from _store(any_busy)


def _store(world: World) -> Iterator[PostgresLedger]:
    found = PostgresLedger(world.dsn)
    yield found
    found.close()
