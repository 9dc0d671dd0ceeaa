"""Databases with all migrations applied: one template per server, a copy for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from ifcbase.stack.migrations import migrate
from tests.integration.servers import Database, Server

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


@pytest.fixture
def ledger(server: Server, template: Template) -> Iterator[Database]:
    """A migrated database of the default major version."""
    with server.database(template(server)) as found:
        yield found


@pytest.fixture
def any_ledger(any_server: Server, template: Template) -> Iterator[Database]:
    """A migrated database on each of the major versions."""
    with any_server.database(template(any_server)) as found:
        yield found
