"""Homes of embedded servers that tests start, kill and move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ifcbase.stack.embedded import EmbeddedPostgres
from tests.integration.migrated import template
from tests.integration.servers import open_folder

__all__ = ["home", "homes", "run_sql", "template"]


@pytest.fixture(scope="module")
def homes() -> Iterator[Path]:
    """A folder for homes; their servers are ended with it."""
    with open_folder() as folder:
        yield folder


@pytest.fixture
def home(homes: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty home whose server is stopped after the test."""
    path = homes / request.node.name.split("[")[0][-40:]
    yield path
    EmbeddedPostgres(path).stop()


@pytest.fixture
def run_sql() -> Callable[..., list[tuple[object, ...]]]:
    """Run one statement on a connection of its own and return its rows."""

    def run(dsn: str, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(dsn, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    return run
