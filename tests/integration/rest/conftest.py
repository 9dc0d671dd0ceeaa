"""The fixtures of the ledger's tests, with a worker that reaches it through Supabase's gateway: what
is tested over Postgres elsewhere is tested here over REST by the same functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ifcbase.ledger.rest.client import Access
from ifcbase.ledger.rest.ledger import RestLedger
from tests.integration.migrated import busy, ledger, standing, template
from tests.integration.rest.stack import RestStack, minted, rest_stack
from tests.integration.servers import Database, Server, Servers, open_folder
from tests.integration.world import World

__all__ = ["busy", "ledger", "standing", "template"]


@pytest.fixture(scope="session")
def server(servers: Servers) -> Server:
    """The major version that self-hosted Supabase runs on."""
    return servers[17]


@pytest.fixture(scope="session")
def any_server(server: Server) -> Server:
    """PostgREST is the same before all of them."""
    return server


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder for sockets, whose names may not be long."""
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def stack(
    server: Server, standing: Callable[[Server, str], Database], short_folder: Path
) -> Iterator[RestStack]:
    """The gateway before the database of ``busy``."""
    with rest_stack(standing(server, "busy"), short_folder / "stack") as found:
        yield found


@pytest.fixture(scope="session")
def worker_access(stack: RestStack) -> Access:
    """What a worker has by the settings we recommend: a public key and a token of its own."""
    return Access(stack.url, minted("anon"), minted("ifc_worker", sub="worker-1"))


@pytest.fixture
def store(worker_access: Access) -> Iterator[RestLedger]:
    """The ledger as a worker on another machine has it; its chunks are small, so there are many."""
    found = RestLedger(worker_access, chunk_bytes=400)
    yield found
    found.close()


@pytest.fixture
def any_busy(busy: World) -> World:
    """See ``any_server``."""
    return busy


@pytest.fixture
def any_store(store: RestLedger) -> RestLedger:
    """See ``any_server``."""
    return store
